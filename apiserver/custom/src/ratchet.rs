//! Ratcheting: an update is not refused for what was wrong before and stays as it was.
//!
//! A mistake is passed over where the value that it is about is the same in the old object, found there by field, by key
//! or, in a list that is a map, by its keys. A rule is not asked again about a value that did not change, unless it
//! looks at the old one. Source: `apiserver/validation/ratcheting.go` of the apiextensions apiserver.

use coracle_api::{FieldError, field_error::FieldErrorKind};
use serde_json::{Map, Value};

use crate::rules::counterpart;
use crate::schema::Node;

/// One step of the way to a value, as paths write it.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    /// `.name`, or `[name]` of a map.
    Name(&'a str),
    /// `[3]`
    Index(usize),
}

/// Leaves the mistakes that `new` has and `old` did not have already.
pub fn new_mistakes(
    errors: Vec<FieldError>,
    new: &Map<String, Value>,
    old: &Map<String, Value>,
    root: &Node,
) -> Vec<FieldError> {
    errors
        .into_iter()
        .filter(|error| !is_old(error, new, old, root))
        .collect()
}

fn is_old(error: &FieldError, new: &Map<String, Value>, old: &Map<String, Value>, root: &Node) -> bool {
    let Some(mut steps) = steps(&error.field) else {
        return false;
    };
    if error.kind == FieldErrorKind::Required {
        // What is missing is a mistake of what it is missing in.
        steps.pop();
    }
    let Some((first, rest)) = steps.split_first() else {
        return new == old;
    };
    let Step::Name(name) = first else { return false };
    let (Some(new), Some(old), Some(node)) = (new.get(*name), old.get(*name), root.field(name)) else {
        return false;
    };
    is_same_at(rest, new, old, node)
}

fn is_same_at(steps: &[Step<'_>], new: &Value, old: &Value, node: &Node) -> bool {
    if new == old {
        return true;
    }
    match (steps.split_first(), new, old) {
        (Some((Step::Name(name), rest)), Value::Object(new), Value::Object(old)) => {
            let (Some(new), Some(old), Some(node)) = (new.get(*name), old.get(*name), node.field(name))
            else {
                return false;
            };
            is_same_at(rest, new, old, node)
        }
        (Some((Step::Index(index), rest)), Value::Array(new), Value::Array(old)) => {
            let (Some(item), Some(items)) = (new.get(*index), node.items.as_deref()) else {
                return false;
            };
            counterpart(item, old, items, node).is_some_and(|old| is_same_at(rest, item, old, items))
        }
        _ => false,
    }
}

/// Reads a path. Names with dots or brackets in them are not told from several names, and then nothing is found.
fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    if matches!(path, "" | "<nil>") {
        return Some(steps);
    }
    for part in path.split('.') {
        let (name, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !name.is_empty() {
            steps.push(Step::Name(name));
        }
        while !rest.is_empty() {
            let (inside, tail) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(match inside.parse() {
                Ok(index) => Step::Index(index),
                Err(_) => Step::Name(inside),
            });
            rest = tail;
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use coracle_api::Path;
    use serde_json::json;

    use super::*;
    use crate::tests::{node, object};
    use crate::validate::validate;

    fn check(new: Value, old: Value, expected: &[&str]) {
        let root = node(json!({"type": "object", "properties": {"spec": {
            "type": "object", "required": ["must"], "properties": {
                "size": {"type": "integer", "maximum": 3},
                "must": {"type": "string"},
                "map": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1}},
                "atomic": {"type": "array", "items": {"type": "string", "maxLength": 1}},
                "keyed": {
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {"type": "object", "required": ["name"], "properties": {
                        "name": {"type": "string"}, "size": {"type": "integer", "maximum": 3},
                    }},
                },
            },
        }}}))
        .unwrap();
        let (new, old) = (object(json!({"spec": new})), object(json!({"spec": old})));
        let left = new_mistakes(validate(&new, &root), &new, &old, &root);
        let fields: Vec<&str> = left.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, expected);
    }

    #[test]
    fn what_was_wrong_before_and_stays_is_passed_over() {
        check(
            json!({"must": "a", "size": 9}),
            json!({"must": "b", "size": 9}),
            &[],
        );
        check(
            json!({"must": "a", "size": 8}),
            json!({"must": "a", "size": 9}),
            &["spec.size"],
        );
        check(
            json!({"must": "a", "map": {"k": "xx"}}),
            json!({"must": "b", "map": {"k": "xx"}}),
            &[],
        );
        check(
            json!({"must": "a", "map": {"l": "xx"}}),
            json!({"must": "a", "map": {"k": "xx"}}),
            &["spec.map.l"],
        );
    }

    #[test]
    fn what_is_missing_counts_where_anything_around_it_changed() {
        check(json!({"size": 1}), json!({"size": 1}), &[]);
        check(json!({"size": 1}), json!({"size": 2}), &["spec.must"]);
    }

    #[test]
    fn items_are_found_again_by_their_keys_alone() {
        let (bad, good) = (json!({"name": "a", "size": 9}), json!({"name": "b", "size": 1}));
        check(
            json!({"must": "a", "keyed": [good, bad]}),
            json!({"must": "a", "keyed": [bad]}),
            &[],
        );
        check(
            json!({"must": "a", "atomic": ["xx", "y"]}),
            json!({"must": "a", "atomic": ["xx"]}),
            &["spec.atomic[0]"],
        );
        check(
            json!({"must": "a", "atomic": ["xx"]}),
            json!({"must": "b", "atomic": ["xx"]}),
            &[],
        );
    }

    #[test]
    fn paths_are_read() {
        let path = Path::new("spec").child("list").index(3).child("a").key("k");
        let expected = [
            Step::Name("spec"),
            Step::Name("list"),
            Step::Index(3),
            Step::Name("a"),
            Step::Name("k"),
        ];
        assert_eq!(steps(path.as_str()).unwrap(), expected);
    }
}
