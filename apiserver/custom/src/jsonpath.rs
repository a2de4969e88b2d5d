//! The paths that printer columns, scale and selectable fields are given by: names, indexes, wildcards and filters by
//! equality, of what `kubectl`'s JSONPath has.

use serde_json::{Map, Value};

/// The longest path, in bytes.
const MAX_PATH: usize = 1_024;
/// Steps of a path at most.
const MAX_STEPS: usize = 64;
/// Values that a path with wildcards finds at most.
const MAX_FOUND: usize = 64;

/// Why text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is an invalid path: {0}")]
pub struct PathError(&'static str);

/// A path into an object.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(Box<str>),
    Index(i64),
    All,
    /// The items in which a field has a value, or has not.
    Where {
        field: Vec<Box<str>>,
        value: Value,
        is_equal: bool,
    },
}

impl JsonPath {
    /// Reads `.spec.replicas`, `.status.conditions[?(@.type=="Ready")].status`, `.spec['a.b'][0]`.
    ///
    /// # Errors
    /// Where it has another form.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_PATH {
            return Err(PathError("it is too long"));
        }
        let text = text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .unwrap_or(text);
        let text = text.strip_prefix('$').unwrap_or(text);
        if !text.starts_with(['.', '[']) {
            return Err(PathError("it must begin with a dot"));
        }
        let (mut steps, mut rest) = (Vec::new(), text);
        while !rest.is_empty() {
            let (step, tail) = if let Some(inner) = rest.strip_prefix('[') {
                bracket(inner)?
            } else {
                name(
                    rest.strip_prefix('.')
                        .ok_or(PathError("expected a dot or a bracket"))?,
                )
            };
            // `.` alone is the object itself.
            if let Some(step) = step {
                steps.push(step);
            } else if !tail.is_empty() && !tail.starts_with('[') {
                return Err(PathError("a name is empty"));
            }
            if steps.len() > MAX_STEPS {
                return Err(PathError("it has too many steps"));
            }
            rest = tail;
        }
        Ok(Self { steps })
    }

    /// The names, where the path is made of nothing else.
    #[must_use]
    pub fn names(&self) -> Option<Vec<&str>> {
        self.steps
            .iter()
            .map(|step| match step {
                Step::Field(name) => Some(&**name),
                _ => None,
            })
            .collect()
    }

    /// The first value at the path.
    #[must_use]
    pub fn find<'a>(&self, object: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.steps.split_first()?;
        let Step::Field(name) = first else { return None };
        let mut found = vec![object.get(&**name)?];
        for step in rest {
            found = found
                .into_iter()
                .flat_map(|value| step.of(value))
                .take(MAX_FOUND)
                .collect();
            if found.is_empty() {
                return None;
            }
        }
        found.first().copied()
    }

    /// Puts a value at the path, which must be one of names; objects on the way are made.
    pub fn set(&self, object: &mut Map<String, Value>, value: Value) {
        let Some(names) = self.names() else { return };
        let Some((last, parents)) = names.split_last() else {
            return;
        };
        let mut fields = object;
        for name in parents {
            let below = fields
                .entry((*name).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            match below {
                Value::Object(below) => fields = below,
                _ => return,
            }
        }
        fields.insert((*last).to_owned(), value);
    }
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match (self, value) {
            (Self::Field(name), Value::Object(fields)) => fields.get(&**name).into_iter().collect(),
            (Self::Index(index), Value::Array(list)) => {
                let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let place = if *index < 0 { length + index } else { *index };
                usize::try_from(place)
                    .ok()
                    .and_then(|place| list.get(place))
                    .into_iter()
                    .collect()
            }
            (Self::All, Value::Array(list)) => list.iter().take(MAX_FOUND).collect(),
            (Self::All, Value::Object(fields)) => fields.values().take(MAX_FOUND).collect(),
            (
                Self::Where {
                    field,
                    value,
                    is_equal,
                },
                Value::Array(list),
            ) => {
                let fits = |item: &&Value| {
                    let found = field.iter().try_fold(*item, |below, name| below.get(&**name));
                    found.is_some_and(|found| (found == value) == *is_equal)
                };
                list.iter().filter(fits).take(MAX_FOUND).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A name up to the next dot or bracket; a backslash takes the meaning from what follows it.
fn name(text: &str) -> (Option<Step>, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '.' | '[' => return (step_of(name), text.get(at..).unwrap_or_default()),
            '\\' => {
                if let Some((_, escaped)) = characters.next() {
                    name.push(escaped);
                }
            }
            other => name.push(other),
        }
    }
    (step_of(name), "")
}

fn step_of(name: String) -> Option<Step> {
    match name.as_str() {
        "" => None,
        "*" => Some(Step::All),
        _ => Some(Step::Field(name.into())),
    }
}

/// What stands in brackets, whose first has been read.
fn bracket(text: &str) -> Result<(Option<Step>, &str), PathError> {
    const OPEN: PathError = PathError("a bracket is not closed");
    for quote in ["'", "\""] {
        if let Some(rest) = text.strip_prefix(quote) {
            let (name, rest) = rest.split_once(quote).ok_or(OPEN)?;
            let rest = rest.strip_prefix(']').ok_or(OPEN)?;
            return Ok((Some(Step::Field(name.into())), rest));
        }
    }
    if let Some(rest) = text.strip_prefix("?(") {
        let (condition, rest) = rest.split_once(")]").ok_or(OPEN)?;
        return Ok((Some(filter(condition)?), rest));
    }
    let (inner, rest) = text.split_once(']').ok_or(OPEN)?;
    let step = match inner.trim() {
        "*" => Step::All,
        number => Step::Index(
            number
                .parse()
                .map_err(|_| PathError("an index must be a number"))?,
        ),
    };
    Ok((Some(step), rest))
}

/// `@.type=="Ready"`
fn filter(text: &str) -> Result<Step, PathError> {
    const FORM: PathError = PathError("a filter must have the form @.name==value");
    let (left, right, is_equal) = match (text.split_once("=="), text.split_once("!=")) {
        (Some((left, right)), _) => (left, right, true),
        (None, Some((left, right))) => (left, right, false),
        (None, None) => return Err(FORM),
    };
    let path = left.trim().strip_prefix('@').ok_or(FORM)?;
    let path = JsonPath::parse(path)?;
    let field = path.names().ok_or(FORM)?.into_iter().map(Into::into).collect();
    let right = right.trim();
    let unquoted = ["'", "\""]
        .iter()
        .find_map(|quote| right.strip_prefix(quote)?.strip_suffix(quote));
    let value = match unquoted {
        Some(text) => Value::from(text),
        None => serde_json::from_str(right).map_err(|_| FORM)?,
    };
    Ok(Step::Where {
        field,
        value,
        is_equal,
    })
}
