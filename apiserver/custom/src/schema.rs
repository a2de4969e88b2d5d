//! A structural schema, compiled: the tree that pruning, defaulting, validation and CEL walk along with a value.
//!
//! Made by [`crate::structural`] from what a definition says; by then every rule for structural schemas holds, every
//! pattern is compiled, and nothing here can fail.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use crate::rules::Rule;

/// One schema node: what may stand at one place of an object.
#[derive(Debug, Default)]
pub struct Node {
    /// The type of the value.
    pub kind: Kind,
    /// Whether null is a value here.
    pub nullable: bool,
    /// What is put in where the value is missing.
    pub default: Option<Value>,
    /// The known fields of an object.
    pub properties: BTreeMap<Box<str>, Node>,
    /// What other fields of an object may be.
    pub additional: Additional,
    /// What the items of a list are.
    pub items: Option<Box<Node>>,
    /// Whether fields that are not known are kept (`x-kubernetes-preserve-unknown-fields`).
    pub keeps_unknown: bool,
    /// Whether the value is a whole object with metadata (`x-kubernetes-embedded-resource`).
    pub is_embedded: bool,
    /// How a list merges, and what must be unique in it.
    pub list: ListType,
    /// Whether server-side apply replaces an object as a whole (`x-kubernetes-map-type: atomic`).
    pub is_atomic: bool,
    /// What the value must fulfil.
    pub checks: Option<Box<Checks>>,
    /// `x-kubernetes-validations`
    pub rules: Vec<Rule>,
    /// Whether rules stand here or below.
    pub has_rules: bool,
    /// Whether defaults stand below.
    pub has_defaults: bool,
}

/// The types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// No type is given.
    #[default]
    Any,
    /// An object.
    Object,
    /// A list.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Text or a whole number (`x-kubernetes-int-or-string`).
    IntOrString,
}

impl Kind {
    /// The name as `type` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::IntOrString => "integer,string",
        }
    }
}

/// What fields of an object may be that have no schema of their own.
#[derive(Debug, Default)]
pub enum Additional {
    /// Nothing: they are unknown.
    #[default]
    None,
    /// Anything.
    Any,
    /// All of this schema: the object is a map.
    Schema(Box<Node>),
}

/// How a list merges (`x-kubernetes-list-type`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ListType {
    /// It is replaced as a whole.
    #[default]
    Atomic,
    /// Its items occur once.
    Set,
    /// Its items are objects told apart by these fields.
    Map(Vec<Box<str>>),
}

/// Conditions on a value, each of which upstream checks with a message of its own.
#[derive(Debug, Default)]
pub struct Checks {
    /// A named form of text or size of a number.
    pub format: Option<Box<str>>,
    /// The greatest number.
    pub maximum: Option<f64>,
    /// Whether that number itself is too great.
    pub is_maximum_exclusive: bool,
    /// The least number.
    pub minimum: Option<f64>,
    /// Whether that number itself is too small.
    pub is_minimum_exclusive: bool,
    /// What the number must be a multiple of.
    pub multiple_of: Option<f64>,
    /// The most characters.
    pub max_length: Option<i64>,
    /// The fewest characters.
    pub min_length: Option<i64>,
    /// What text must match somewhere.
    pub pattern: Option<Pattern>,
    /// The most items.
    pub max_items: Option<i64>,
    /// The fewest items.
    pub min_items: Option<i64>,
    /// The most fields.
    pub max_properties: Option<i64>,
    /// The fewest fields.
    pub min_properties: Option<i64>,
    /// Fields that must be there.
    pub required: Vec<Box<str>>,
    /// The only values.
    pub allowed: Vec<Value>,
    /// All of these must hold.
    pub all_of: Vec<Node>,
    /// At least one of these must hold.
    pub any_of: Vec<Node>,
    /// Exactly one of these must hold.
    pub one_of: Vec<Node>,
    /// This must not hold.
    pub not: Option<Box<Node>>,
}

/// A regular expression with the text that it was made of.
#[derive(Debug)]
pub struct Pattern {
    /// As the definition has it.
    pub text: Box<str>,
    /// Compiled.
    pub regex: Regex,
}

/// The largest compiled pattern, in bytes.
const PATTERN_MAX_BYTES: usize = 1 << 20;

impl Pattern {
    /// Compiles a pattern in the syntax of Go, which is that of RE2.
    ///
    /// # Errors
    /// Where it is none, or too large.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let regex = regex::RegexBuilder::new(&ascii_classes(text))
            .size_limit(PATTERN_MAX_BYTES)
            .build()?;
        Ok(Self {
            text: text.into(),
            regex,
        })
    }
}

/// Writes out `\d`, `\w` and `\s`, which mean ASCII in Go and Unicode here.
fn ascii_classes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_class = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '[' => is_class = true,
            ']' => is_class = false,
            '\\' => {
                let Some(escaped) = characters.next() else {
                    out.push('\\');
                    break;
                };
                let letters = match escaped {
                    'd' => "0-9",
                    'w' => "0-9A-Za-z_",
                    's' => r"\t\n\f\r ",
                    _ => {
                        out.push('\\');
                        out.push(escaped);
                        continue;
                    }
                };
                if is_class {
                    out.push_str(letters);
                } else {
                    out.push('[');
                    out.push_str(letters);
                    out.push(']');
                }
                continue;
            }
            _ => {}
        }
        out.push(character);
    }
    out
}

impl Node {
    /// The schema of a field of an object, where there is one.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Node> {
        match self.properties.get(name) {
            Some(node) => Some(node),
            None => match &self.additional {
                Additional::Schema(node) => Some(node),
                Additional::None | Additional::Any => None,
            },
        }
    }

    /// Whether the node is a map: an object whose keys are data.
    #[must_use]
    pub fn is_map(&self) -> bool {
        !matches!(self.additional, Additional::None)
    }

    /// The fields that must be there.
    #[must_use]
    pub fn required(&self) -> &[Box<str>] {
        self.checks
            .as_deref()
            .map_or(&[], |checks| checks.required.as_slice())
    }

    /// The format, empty where there is none.
    #[must_use]
    pub fn format(&self) -> &str {
        self.checks
            .as_deref()
            .and_then(|checks| checks.format.as_deref())
            .unwrap_or_default()
    }

    /// All nodes right below, those of conditions left out.
    pub fn children(&self) -> impl Iterator<Item = &Node> {
        let additional = match &self.additional {
            Additional::Schema(node) => Some(&**node),
            Additional::None | Additional::Any => None,
        };
        self.properties
            .values()
            .chain(additional)
            .chain(self.items.as_deref())
    }
}
