//! `allOf`, `anyOf`, `oneOf` and `not`: conditions on values that the schema itself has described. In a structural
//! schema they may say what a value must fulfil, and nothing about what it is.

use coracle_api::{FieldError, Path};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use crate::schema::{Additional, Kind, Node};
use crate::structural::{checks, kind_of};

/// The conditions of one node.
#[derive(Default)]
pub(crate) struct Conditions {
    all_of: Vec<Node>,
    any_of: Vec<Node>,
    one_of: Vec<Node>,
    not: Option<Box<Node>>,
}

impl Conditions {
    /// Makes them part of their node.
    pub(crate) fn attach(self, node: &mut Node) {
        if self.all_of.is_empty() && self.any_of.is_empty() && self.one_of.is_empty() && self.not.is_none() {
            return;
        }
        let checks = node.checks.get_or_insert_default();
        checks.all_of = self.all_of;
        checks.any_of = self.any_of;
        checks.one_of = self.one_of;
        checks.not = self.not;
    }
}

/// Compiles the conditions of `schema`, whose own fields are those of `node`.
pub(crate) fn compile(
    schema: &JSONSchemaProps,
    node: &Node,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Conditions {
    let mut all = |name: &str, list: &Option<Vec<JSONSchemaProps>>| -> Vec<Node> {
        let compiled = list.iter().flatten().enumerate().map(|(index, own)| {
            let path = path.child(name).index(index);
            condition(own, Some(node), &path, errors)
        });
        compiled.collect()
    };
    let (all_of, any_of, one_of) = (
        all("allOf", &schema.all_of),
        all("anyOf", &schema.any_of),
        all("oneOf", &schema.one_of),
    );
    let not = schema
        .not
        .as_deref()
        .map(|own| Box::new(condition(own, Some(node), &path.child("not"), errors)));
    Conditions {
        all_of,
        any_of,
        one_of,
        not,
    }
}

fn condition(
    schema: &JSONSchemaProps,
    main: Option<&Node>,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Node {
    refuse_descriptions(schema, main, path, errors);
    let mut node = Node {
        kind: schema.type_.as_deref().and_then(kind_of).unwrap_or(Kind::Any),
        // A null is judged by the schema itself.
        nullable: true,
        keeps_unknown: true,
        ..Node::default()
    };
    for (name, below) in schema.properties.iter().flatten() {
        let path = path.child("properties").key(name);
        let described = main.and_then(|main| main.field(name));
        let is_free = main.is_none_or(|main| main.keeps_unknown);
        if described.is_none() && !is_free {
            let why = format!("because it is defined in {path}");
            errors.push(FieldError::required(&path, why));
        }
        node.properties
            .insert(name.as_str().into(), condition(below, described, &path, errors));
    }
    if let Some(JSONSchemaPropsOrArray::Schema(below)) = &schema.items {
        let described = main.and_then(|main| main.items.as_deref());
        node.items = Some(Box::new(condition(
            below,
            described,
            &path.child("items"),
            errors,
        )));
    }
    if let Some(JSONSchemaPropsOrBool::Schema(below)) = &schema.additional_properties {
        let own = condition(below, None, &path.child("additionalProperties"), errors);
        node.additional = Additional::Schema(Box::new(own));
    }
    node.checks = checks(schema, path, errors).map(Box::new);
    let mut list = |name: &str, list: &Option<Vec<JSONSchemaProps>>| -> Vec<Node> {
        let compiled = list
            .iter()
            .flatten()
            .enumerate()
            .map(|(index, own)| condition(own, main, &path.child(name).index(index), errors));
        compiled.collect()
    };
    Conditions {
        all_of: list("allOf", &schema.all_of),
        any_of: list("anyOf", &schema.any_of),
        one_of: list("oneOf", &schema.one_of),
        not: schema
            .not
            .as_deref()
            .map(|own| Box::new(condition(own, main, &path.child("not"), errors))),
    }
    .attach(&mut node);
    node
}

fn refuse_descriptions(
    schema: &JSONSchemaProps,
    main: Option<&Node>,
    path: &Path,
    errors: &mut Vec<FieldError>,
) {
    let is_int_or_string = main.is_some_and(|main| main.kind == Kind::IntOrString);
    let has_type = schema.type_.as_deref().is_some_and(|name| !name.is_empty()) && !is_int_or_string;
    for (name, is_set, why) in [
        ("type", has_type, "must be empty to be structural"),
        (
            "description",
            schema.description.is_some(),
            "must be empty to be structural",
        ),
        ("title", schema.title.is_some(), "must be empty to be structural"),
        (
            "default",
            schema.default.is_some(),
            "must be undefined to be structural",
        ),
        (
            "additionalProperties",
            schema.additional_properties.is_some(),
            "must be undefined to be structural",
        ),
        (
            "nullable",
            schema.nullable == Some(true),
            "must be false to be structural",
        ),
        (
            "x-kubernetes-preserve-unknown-fields",
            schema.x_kubernetes_preserve_unknown_fields == Some(true),
            "must be false to be structural",
        ),
        (
            "x-kubernetes-embedded-resource",
            schema.x_kubernetes_embedded_resource == Some(true),
            "must be false to be structural",
        ),
        (
            "x-kubernetes-int-or-string",
            schema.x_kubernetes_int_or_string == Some(true),
            "must be false to be structural",
        ),
        (
            "x-kubernetes-validations",
            schema
                .x_kubernetes_validations
                .as_ref()
                .is_some_and(|own| !own.is_empty()),
            "must be empty to be structural",
        ),
    ] {
        if is_set {
            errors.push(FieldError::forbidden(&path.child(name), why));
        }
    }
}
