//! CEL, and the schemas of custom resources with the objects that they judge.

use coracle_custom::{
    Definition,
    cel::{Budget, Environment, Program, Type, Value, Wanted, from_json, to_json},
    defaulting, prune, rules, validate,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, json};

/// What one run may spend.
const STEPS: u64 = 100_000;

/// An expression over an object.
pub(super) fn expressions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let environment = Environment::new()
        .variable("self", Type::Dyn)
        .variable("object", Type::Dyn);
    let Ok(program) = Program::compile(text, &environment, Wanted::Any) else {
        return;
    };
    let _ = program.estimated_cost();
    let own = from_json(&json!({
        "name": "web", "replicas": 3, "ratio": 0.5, "list": ["a", "b"], "map": {"k": "v"}, "nothing": null,
        "nested": [{"port": 80}, {"port": 443}], "time": "2024-01-01T00:00:00Z", "quantity": "1Gi",
    }));
    let bound = |name: &str| -> Option<Value> { matches!(name, "self" | "object").then(|| own.clone()) };
    let mut budget = Budget::new(STEPS);
    if let Ok(value) = program.eval(&bound, &mut budget) {
        let _ = to_json(&value);
    }
}

/// A CustomResourceDefinition; a resource of it is what stands in its annotation `example`.
pub(super) fn schemas(data: &[u8]) {
    let Ok(definition) = serde_json::from_slice::<CustomResourceDefinition>(data) else {
        return;
    };
    let Ok(compiled) = Definition::compile(&definition) else {
        return;
    };
    let annotations = definition.metadata.annotations.unwrap_or_default();
    let example = annotations.get("example").map(String::as_str).unwrap_or_default();
    let example: Map<String, serde_json::Value> = serde_json::from_str(example).unwrap_or_default();
    for version in &compiled.versions {
        let mut object = example.clone();
        let mut pruned = Vec::new();
        prune::prune(&mut object, &version.root, &mut pruned);
        defaulting::apply(&mut object, &version.root);
        let once = object.clone();
        prune::prune(&mut object, &version.root, &mut pruned);
        defaulting::apply(&mut object, &version.root);
        assert_eq!(object, once, "pruning and defaulting again change what they left");
        let errors = validate::validate(&object, &version.root);
        if version.root.has_rules && !validate::is_blocking(&errors) {
            let mut budget = Budget::new(STEPS);
            let _ = rules::judge(&object, Some(&example), &version.root, &mut budget);
        }
    }
}
