//! Pruning: what a schema does not know is dropped, and said.
//!
//! Pruning twice changes nothing. Values of the wrong type are left for validation to refuse.

use serde_json::{Map, Value};

use crate::schema::{Additional, Node};

/// Paths that are reported; more unknown fields are dropped silently.
pub const MAX_REPORTED: usize = 100;

/// Fields of every object, whatever its schema says.
pub const OBJECT_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops the fields of an object that the schema does not know and adds their paths to `unknown`. The object's own
/// apiVersion, kind and metadata stay.
pub fn prune(body: &mut Map<String, Value>, root: &Node, unknown: &mut Vec<String>) {
    let mut path = String::new();
    object(body, root, true, &mut path, unknown);
}

fn value(value: &mut Value, node: &Node, path: &mut String, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => object(fields, node, node.is_embedded, path, unknown),
        Value::Array(list) => {
            let Some(items) = &node.items else {
                return;
            };
            for (index, item) in list.iter_mut().enumerate() {
                let length = path.len();
                path.push_str(&format!("[{index}]"));
                self::value(item, items, path, unknown);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

fn object(
    fields: &mut Map<String, Value>,
    node: &Node,
    is_whole: bool,
    path: &mut String,
    unknown: &mut Vec<String>,
) {
    let is_known = |name: &str| {
        node.keeps_unknown
            || matches!(node.additional, Additional::Any)
            || (is_whole && OBJECT_FIELDS.contains(&name))
            || node.field(name).is_some()
    };
    if fields.keys().any(|name| !is_known(name)) {
        fields.retain(|name, _| {
            let stays = is_known(name);
            if !stays && unknown.len() < MAX_REPORTED {
                unknown.push(join(path, name));
            }
            stays
        });
    }
    for (name, field) in fields.iter_mut() {
        if is_whole && OBJECT_FIELDS.contains(&name.as_str()) {
            continue;
        }
        let Some(below) = node.field(name) else {
            continue;
        };
        let length = path.len();
        push(path, name);
        value(field, below, path, unknown);
        path.truncate(length);
    }
}

fn push(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

fn join(path: &str, name: &str) -> String {
    let mut path = path.to_owned();
    push(&mut path, name);
    path
}

/// Drops what the schema does not know below a value, and tells the paths.
pub(crate) fn unknown(json: &mut Value, node: &Node) -> Vec<String> {
    let (mut path, mut unknown) = (String::new(), Vec::new());
    value(json, node, &mut path, &mut unknown);
    unknown
}
