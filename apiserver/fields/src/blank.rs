//! The object that a first write is compared with: one of its kind in which nothing is set.
//!
//! Upstream's types hold some structs by value, so that even an empty object has them; what a first write adds to these
//! is owned field by field, and not as a whole. Custom resources have no such structs.

use coracle_api::schema::{Shape, View};
use serde_json::{Map, Value};

/// Names of upstream's own types begin so.
const BUILT_IN: &str = "io.k8s.";

/// The structs that are always there, by the name of the field that holds them.
const ALWAYS_THERE: &[(&str, &[&str])] = &[
    ("", &["metadata", "spec", "status"]),
    (
        "spec",
        &["jobTemplate", "names", "strategy", "template", "updateStrategy"],
    ),
    ("status", &["loadBalancer"]),
    ("template", &["metadata", "spec"]),
    ("jobTemplate", &["metadata", "spec"]),
];

/// An object of the kind that the view shows, in which nothing is set.
pub fn blank(view: View<'_>) -> Value {
    inside("", view)
}

fn inside(name: &str, view: View<'_>) -> Value {
    let mut fields = Map::new();
    let rule = ALWAYS_THERE.iter().find(|(holder, _)| *holder == name);
    for name in rule.map_or(&[][..], |(_, fields)| fields) {
        if let Some(inner) = struct_at(view, name) {
            fields.insert((*name).to_owned(), inside(name, inner));
        }
    }
    // The containers of a pod are a list that is never left out.
    if name == "spec" && is_built_in(view) && view.field("containers").is_some() {
        fields.insert("containers".to_owned(), Value::Null);
    }
    Value::Object(fields)
}

fn struct_at<'a>(view: View<'a>, name: &str) -> Option<View<'a>> {
    if !is_built_in(view) {
        return None;
    }
    view.field(name).filter(|inner| is_built_in(*inner))
}

/// Only a type with a name is looked into: these do not hold each other for ever.
fn is_built_in(view: View<'_>) -> bool {
    matches!(view.shape(), Shape::Struct(of) if of.name.starts_with(BUILT_IN))
}
