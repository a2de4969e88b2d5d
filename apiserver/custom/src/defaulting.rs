//! Defaults: what a schema puts in where a value is missing. Applying them twice changes nothing.

use serde_json::{Map, Value};

use crate::prune::OBJECT_FIELDS;
use crate::schema::Node;

/// Sets the defaults of an object; its apiVersion, kind and metadata are left alone.
pub fn apply(body: &mut Map<String, Value>, root: &Node) {
    if root.has_defaults {
        object(body, root, true);
    }
}

/// Sets the defaults below a value.
pub(crate) fn value(value: &mut Value, node: &Node) {
    if !node.has_defaults {
        return;
    }
    match value {
        Value::Object(fields) => object(fields, node, node.is_embedded),
        Value::Array(list) => {
            if let Some(items) = &node.items {
                list.iter_mut().for_each(|item| self::value(item, items));
            }
        }
        _ => {}
    }
}

fn object(fields: &mut Map<String, Value>, node: &Node, is_whole: bool) {
    let is_own = |name: &str| is_whole && OBJECT_FIELDS.contains(&name);
    for (name, below) in &node.properties {
        let Some(default) = &below.default else { continue };
        if is_own(name) {
            continue;
        }
        // A null that is no value here counts as missing where there is something to put in.
        let is_missing = match fields.get(&**name) {
            None => true,
            Some(Value::Null) => !below.nullable,
            Some(_) => false,
        };
        if is_missing {
            fields.insert(name.to_string(), default.clone());
        }
    }
    for (name, field) in fields.iter_mut() {
        if let Some(below) = node.field(name).filter(|_| !is_own(name)) {
            value(field, below);
        }
    }
}
