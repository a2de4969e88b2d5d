//! `fieldsV1`: the JSON form of a field set.
//!
//! An object's keys are elements; `{}` below one says that it is in the set, and `"."` says so where more is below it.
//! Elements of a kind that is not known here are dropped, as upstream does: a later version may have written them.

use serde_json::{Map, Value};

use crate::element::{Element, NotAnElement};
use crate::set::{FieldSet, Node};

/// Says of a node that it is itself in the set.
const SELF: &str = ".";

impl FieldSet {
    /// The set as `fieldsV1`.
    pub fn to_value(&self) -> Value {
        Value::Object(self.to_map())
    }

    fn to_map(&self) -> Map<String, Value> {
        let entry = |node: &Node| {
            let mut below = node.below.to_map();
            if node.is_member && !below.is_empty() {
                below.insert(SELF.to_owned(), Value::Object(Map::new()));
            }
            (node.element.wire(), Value::Object(below))
        };
        self.nodes().iter().map(entry).collect()
    }

    /// The set as text, elements in the order of sets.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(256);
        self.write(&mut json, false);
        json
    }

    fn write(&self, json: &mut String, is_member: bool) {
        json.push('{');
        if is_member && !self.is_empty() {
            json.push_str("\".\":{}");
        }
        for node in self.nodes() {
            if !json.ends_with('{') {
                json.push(',');
            }
            json.push_str(&Value::String(node.element.wire()).to_string());
            json.push(':');
            node.below.write(json, node.is_member);
        }
        json.push('}');
    }

    /// Reads `fieldsV1`; `None` where it is broken.
    pub fn from_value(value: &Value) -> Option<Self> {
        read(value).map(|(set, _)| set)
    }
}

/// What is below a node, and whether the node itself is in the set.
fn read(value: &Value) -> Option<(FieldSet, bool)> {
    let fields = value.as_object()?;
    let mut is_member = false;
    let mut nodes = Vec::with_capacity(fields.len());
    for (key, value) in fields {
        if key == SELF {
            is_member = true;
            continue;
        }
        match Element::parse(key) {
            Ok(element) => {
                let (below, is_member) = read(value)?;
                nodes.push(Node {
                    element,
                    is_member,
                    below,
                });
            }
            Err(NotAnElement::Unknown) => {}
            Err(NotAnElement::Broken) => return None,
        }
    }
    is_member |= nodes.is_empty();
    Some((FieldSet::of(nodes), is_member))
}
