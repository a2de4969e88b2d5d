//! What holds for every schema and every value.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{node, object};
use crate::{defaulting, prune, validate};

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"type": "string", "default": "d"})),
        Just(json!({"type": "integer", "default": 3})),
        Just(json!({"type": "boolean", "nullable": true})),
        Just(json!({"x-kubernetes-int-or-string": true})),
        Just(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::btree_map("[abc]", inner.clone(), 0..4)
                .prop_map(|fields| json!({"type": "object", "properties": fields})),
            inner
                .clone()
                .prop_map(|items| json!({"type": "array", "items": items})),
            inner.prop_map(|values| json!({"type": "object", "additionalProperties": values})),
        ]
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[abcd]", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn prune_and_complete(body: &mut Map<String, Value>, root: &crate::schema::Node) -> Vec<String> {
    let mut unknown = Vec::new();
    prune::prune(body, root, &mut unknown);
    defaulting::apply(body, root);
    unknown
}

proptest! {
    #[test]
    fn pruning_and_defaulting_are_done_once(schema in schema(), value in value()) {
        let root = node(json!({"type": "object", "properties": {"spec": schema}})).unwrap();
        let mut once = object(json!({"spec": value, "junk": 1}));
        prune_and_complete(&mut once, &root);
        let mut twice = once.clone();
        prop_assert!(prune_and_complete(&mut twice, &root).is_empty());
        prop_assert_eq!(&once, &twice);
    }

    #[test]
    fn what_defaults_complete_stays_valid(schema in schema(), value in value()) {
        let root = node(json!({"type": "object", "properties": {"spec": schema}})).unwrap();
        let mut body = object(json!({"spec": value}));
        let before = validate::validate(&body, &root).len();
        defaulting::apply(&mut body, &root);
        prop_assert!(validate::validate(&body, &root).len() <= before);
    }

    #[test]
    fn any_text_is_an_expression_or_an_error(text in "[a-z0-9.()'+*&|!=<>\\[\\]{}?:, ]{0,40}") {
        use crate::cel::{Budget, Environment, Program, Type, Wanted};
        let environment = Environment::new().variable("a", Type::Dyn);
        if let Ok(program) = Program::compile(&text, &environment, Wanted::Any) {
            let _ = program.eval(&|_| None, &mut Budget::new(10_000));
        }
    }
}
