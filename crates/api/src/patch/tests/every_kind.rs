//! Three-way patches of every built-in kind, with objects made up along their shapes.

use super::*;
use crate::kinds::RESOURCES;
use crate::schema::{self, Scalar, Shape, View};

/// Deeper than this nothing is made up.
const MAX_DEPTH: usize = 9;

/// Makes up objects; the same seed makes the same object.
struct Maker(u64);

impl Maker {
    fn below(&mut self, limit: u64) -> u64 {
        // The constants of Knuth's MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn value(&mut self, of: View<'_>, depth: usize) -> Value {
        match of.shape() {
            Shape::Scalar(scalar) => {
                let number = self.below(3);
                scalar_value(*scalar, number)
            }
            Shape::Struct(fields) => {
                let mut object = serde_json::Map::new();
                for field in &fields.fields {
                    // Deep objects are thin, or they would fill the memory.
                    if depth >= MAX_DEPTH || self.below(3 + depth as u64) > 2 {
                        continue;
                    }
                    let child = of.field(&field.name).unwrap();
                    let value = match (child.shape(), field.patch.merge_key.as_deref()) {
                        (Shape::List { .. }, Some(key)) => self.merged(child.item(), key, depth),
                        _ => self.value(child, depth + 1),
                    };
                    object.insert(field.name.to_string(), value);
                }
                Value::Object(object)
            }
            Shape::Map { .. } => {
                let keys = ["x", "y", "z"]
                    .into_iter()
                    .filter(|_| self.below(2) == 0)
                    .collect::<Vec<_>>();
                keys.into_iter()
                    .map(|key| (key.to_owned(), self.value(of.field(key).unwrap(), depth + 1)))
                    .collect()
            }
            Shape::List { .. } => {
                let length = if depth < MAX_DEPTH { self.below(3) } else { 0 };
                (0..length).map(|_| self.value(of.item(), depth + 1)).collect()
            }
            Shape::Any => json!({ "any": self.below(3) }),
        }
    }

    /// A list that is merged: its items are told apart by `key`, or are scalars that occur once.
    fn merged(&mut self, item: View<'_>, key: &str, depth: usize) -> Value {
        let mut numbers: Vec<u64> = (0..4).filter(|_| self.below(2) == 0).collect();
        if self.below(2) == 0 {
            numbers.reverse();
        }
        let mut items = Vec::new();
        for number in numbers {
            if key.is_empty() {
                items.push(json!(format!("s{number}")));
                continue;
            }
            let mut value = self.value(item, depth + 1);
            let scalar = match item.field(key).unwrap().shape() {
                Shape::Scalar(scalar) => *scalar,
                other => panic!("the key {key} is {other:?}"),
            };
            value[key] = scalar_value(scalar, number);
            items.push(value);
        }
        Value::Array(items)
    }
}

fn scalar_value(scalar: Scalar, number: u64) -> Value {
    match scalar {
        Scalar::String | Scalar::IntOrString => json!(format!("s{number}")),
        Scalar::Integer | Scalar::Number => json!(number),
        Scalar::Boolean => json!(number == 0),
    }
}

/// The kinds that are patched; others are never written, and some have no shape.
fn patched() -> Vec<&'static Resource> {
    let rows = RESOURCES.iter().copied();
    rows.filter(|resource| resource.has_verb("patch")).collect()
}

fn object(resource: &Resource, seed: u64) -> Value {
    let shape = schema::builtin(resource.api_version, resource.kind).unwrap();
    Maker(seed).value(shape, 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn with_nobody_else_apply_yields_the_wanted(at in any::<prop::sample::Index>(), last: u64, wanted: u64) {
        let resource = *at.get(&patched());
        let (last, wanted) = (object(resource, last), object(resource, wanted));
        let (_, patched) = three_way(resource, last.clone(), &wanted, &last);
        prop_assert_eq!(patched, wanted, "{}", resource);
    }

    #[test]
    fn whatever_others_did_a_second_apply_does_nothing(
        at in any::<prop::sample::Index>(), last: u64, wanted: u64, live: u64,
    ) {
        let resource = *at.get(&patched());
        let (last, wanted, live) = (object(resource, last), object(resource, wanted), object(resource, live));
        let (_, patched) = three_way(resource, last, &wanted, &live);
        let again = three_way::diff(resource, Some(&wanted), &wanted, &patched);
        prop_assert!(again.is_empty(), "{}: {:?}", resource, again);
    }
}
