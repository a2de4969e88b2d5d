//! From the schema of a definition to the compiled tree, and every rule for structural schemas on the way.
//!
//! Source: `schema.ValidateStructural` and `validateCustomResourceDefinitionOpenAPISchema` of the apiextensions
//! apiserver.

use coracle_api::{FieldError, Path};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use crate::rules::{self, Place, SCHEMA_LIMIT, too_costly};
use crate::schema::{Additional, Checks, Kind, ListType, Node, Pattern};
use crate::{conditions, defaulting, prune, validate};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// Compiles a schema, or tells everything that is wrong with it.
///
/// # Errors
/// The mistakes, with paths below `path`.
pub fn compile(schema: &JSONSchemaProps, path: &Path) -> Result<Node, Vec<FieldError>> {
    let mut compiler = Compiler {
        errors: Vec::new(),
        total_cost: 0,
    };
    let at = At {
        path: path.clone(),
        role: Role::Root,
        times: 1,
        is_correlated: true,
    };
    let node = compiler.node(schema, &at);
    // A rule that is too costly by itself has been told of.
    if compiler.errors.is_empty() && compiler.total_cost > SCHEMA_LIMIT {
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        let detail = too_costly(what, compiler.total_cost, SCHEMA_LIMIT);
        compiler.errors.push(FieldError::forbidden(path, detail));
    }
    if compiler.errors.is_empty() {
        Ok(node)
    } else {
        Err(compiler.errors)
    }
}

/// What a schema node is the schema of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Root,
    Field,
    Item,
}

struct At {
    path: Path,
    role: Role,
    times: u64,
    is_correlated: bool,
}

struct Compiler {
    errors: Vec<FieldError>,
    total_cost: u64,
}

impl Compiler {
    fn node(&mut self, schema: &JSONSchemaProps, at: &At) -> Node {
        let path = &at.path;
        self.refuse_unsupported(schema, path);
        let kind = self.kind(schema, at);
        let mut node = Node {
            kind,
            nullable: schema.nullable == Some(true),
            keeps_unknown: schema.x_kubernetes_preserve_unknown_fields == Some(true),
            is_embedded: schema.x_kubernetes_embedded_resource == Some(true) || at.role == Role::Root,
            is_atomic: schema.x_kubernetes_map_type.as_deref() == Some("atomic"),
            ..Node::default()
        };
        if schema.x_kubernetes_preserve_unknown_fields == Some(false) {
            let path = path.child("x-kubernetes-preserve-unknown-fields");
            self.errors
                .push(FieldError::invalid(&path, false, "must be true or undefined"));
        }
        node.list = self.list_type(schema, path);
        self.properties(schema, at, &mut node);
        self.items(schema, at, &mut node);
        node.checks = self.checks(schema, path).map(Box::new);
        conditions::compile(schema, &node, path, &mut self.errors).attach(&mut node);
        self.check_lists(schema, path, &node);
        self.check_embedded(schema, path, at.role);
        let has_defaults = node
            .children()
            .any(|below| below.default.is_some() || below.has_defaults);
        node.has_defaults = has_defaults;
        if let Some(default) = &schema.default {
            node.default = self.default(&default.0, &node, at);
        }
        let below = node.children().any(|below| below.has_rules);
        let own = schema.x_kubernetes_validations.as_deref().unwrap_or_default();
        let place = Place {
            path,
            times: at.times,
            is_correlated: at.is_correlated,
        };
        node.rules = rules::compile(own, &node, &place, &mut self.total_cost, &mut self.errors);
        node.has_rules = below || !node.rules.is_empty();
        node
    }

    fn forbid(&mut self, path: &Path, name: &str, is_set: bool, why: &str) {
        if is_set {
            self.errors.push(FieldError::forbidden(&path.child(name), why));
        }
    }

    fn refuse_unsupported(&mut self, schema: &JSONSchemaProps, path: &Path) {
        let unsupported = |name: &str| format!("{name} is not supported");
        for (name, is_set) in [
            ("$ref", schema.ref_path.is_some()),
            ("definitions", schema.definitions.is_some()),
            ("dependencies", schema.dependencies.is_some()),
            ("id", schema.id.is_some()),
            ("patternProperties", schema.pattern_properties.is_some()),
            ("additionalItems", schema.additional_items.is_some()),
        ] {
            self.forbid(path, name, is_set, &unsupported(name));
        }
        self.forbid(
            path,
            "uniqueItems",
            schema.unique_items == Some(true),
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        );
        if matches!(
            schema.additional_properties,
            Some(JSONSchemaPropsOrBool::Bool(false))
        ) {
            self.forbid(
                path,
                "additionalProperties",
                true,
                "additionalProperties cannot be set to false",
            );
        }
        if schema.additional_properties.is_some()
            && schema.properties.as_ref().is_some_and(|own| !own.is_empty())
        {
            let why = "additionalProperties and properties are mutual exclusive";
            self.forbid(path, "additionalProperties", true, why);
        }
    }

    fn kind(&mut self, schema: &JSONSchemaProps, at: &At) -> Kind {
        let path = at.path.child("type");
        let name = schema.type_.as_deref().unwrap_or_default();
        let is_int_or_string = schema.x_kubernetes_int_or_string == Some(true);
        let keeps_unknown = schema.x_kubernetes_preserve_unknown_fields == Some(true);
        match (at.role, name) {
            (Role::Root, "") => self
                .errors
                .push(FieldError::required(&path, "must not be empty at the root")),
            (Role::Root, other) if other != "object" => {
                self.errors
                    .push(FieldError::invalid(&path, other, "must be object at the root"));
            }
            (Role::Field, "") if !is_int_or_string && !keeps_unknown => {
                let why = "must not be empty for specified object fields";
                self.errors.push(FieldError::required(&path, why));
            }
            (Role::Item, "") if !is_int_or_string && !keeps_unknown => {
                let why = "must not be empty for specified array items";
                self.errors.push(FieldError::required(&path, why));
            }
            _ => {}
        }
        if is_int_or_string {
            if !name.is_empty() {
                let why = "must be empty if x-kubernetes-int-or-string is true";
                self.errors.push(FieldError::forbidden(&path, why));
            }
            return Kind::IntOrString;
        }
        kind_of(name).unwrap_or_else(|| {
            self.errors.push(FieldError::not_supported(&path, name, &TYPES));
            Kind::Any
        })
    }

    fn list_type(&mut self, schema: &JSONSchemaProps, path: &Path) -> ListType {
        let keys = schema.x_kubernetes_list_map_keys.as_deref().unwrap_or_default();
        let keys_path = path.child("x-kubernetes-list-map-keys");
        let name = schema.x_kubernetes_list_type.as_deref();
        if name.is_some() && schema.type_.as_deref() != Some("array") {
            let why = "must be array if x-kubernetes-list-type is specified";
            let found = schema.type_.as_deref().unwrap_or_default();
            self.errors
                .push(FieldError::invalid(&path.child("type"), found, why));
        }
        if name != Some("map") && !keys.is_empty() {
            let why = "must be map if x-kubernetes-list-map-keys is non-empty";
            let path = path.child("x-kubernetes-list-type");
            self.errors
                .push(FieldError::invalid(&path, name.unwrap_or_default(), why));
        }
        match name {
            None | Some("atomic") => ListType::Atomic,
            Some("set") => ListType::Set,
            Some("map") => {
                if keys.is_empty() {
                    let why = "must not be empty if x-kubernetes-list-type is map";
                    self.errors.push(FieldError::required(&keys_path, why));
                }
                ListType::Map(keys.iter().map(|key| key.as_str().into()).collect())
            }
            Some(other) => {
                let path = path.child("x-kubernetes-list-type");
                self.errors
                    .push(FieldError::not_supported(&path, other, &["atomic", "map", "set"]));
                ListType::Atomic
            }
        }
    }

    fn properties(&mut self, schema: &JSONSchemaProps, at: &At, node: &mut Node) {
        for (name, below) in schema.properties.iter().flatten() {
            let path = at.path.child("properties").key(name);
            if node.is_embedded && name == "metadata" {
                self.check_metadata(below, &path);
            }
            let at = At {
                path,
                role: Role::Field,
                times: at.times,
                is_correlated: at.is_correlated,
            };
            let compiled = self.node(below, &at);
            node.properties.insert(name.as_str().into(), compiled);
        }
        node.additional = match &schema.additional_properties {
            None | Some(JSONSchemaPropsOrBool::Bool(false)) => Additional::None,
            Some(JSONSchemaPropsOrBool::Bool(true)) => Additional::Any,
            Some(JSONSchemaPropsOrBool::Schema(below)) => {
                let at = At {
                    path: at.path.child("additionalProperties"),
                    role: Role::Field,
                    times: at.times.saturating_mul(times(schema.max_properties, 1 << 20)),
                    is_correlated: at.is_correlated,
                };
                Additional::Schema(Box::new(self.node(below, &at)))
            }
        };
    }

    fn check_metadata(&mut self, metadata: &JSONSchemaProps, path: &Path) {
        let is_plain = metadata
            .properties
            .iter()
            .flatten()
            .all(|(name, _)| matches!(name.as_str(), "name" | "generateName"));
        if !is_plain
            || metadata.additional_properties.is_some()
            || metadata.x_kubernetes_validations.is_some()
        {
            let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
            self.errors.push(FieldError::forbidden(path, why));
        }
    }

    fn items(&mut self, schema: &JSONSchemaProps, at: &At, node: &mut Node) {
        let path = at.path.child("items");
        match &schema.items {
            None if node.kind == Kind::Array => {
                self.errors.push(FieldError::required(&path, "must be specified"))
            }
            None => {}
            Some(JSONSchemaPropsOrArray::Schemas(_)) => {
                let why = "items must be a schema object and not an array";
                self.errors.push(FieldError::forbidden(&path, why));
            }
            Some(JSONSchemaPropsOrArray::Schema(below)) => {
                let at = At {
                    path,
                    role: Role::Item,
                    times: at.times.saturating_mul(times(schema.max_items, 1 << 20)),
                    is_correlated: at.is_correlated && matches!(node.list, ListType::Map(_)),
                };
                node.items = Some(Box::new(self.node(below, &at)));
            }
        }
    }

    fn checks(&mut self, schema: &JSONSchemaProps, path: &Path) -> Option<Checks> {
        checks(schema, path, &mut self.errors)
    }

    fn check_lists(&mut self, schema: &JSONSchemaProps, path: &Path, node: &Node) {
        let ListType::Map(keys) = &node.list else { return };
        let Some(items) = &node.items else { return };
        let path = path.child("items");
        if items.kind != Kind::Object {
            let found = items.kind.name();
            let why = "must be object if parent array's x-kubernetes-list-type is map";
            self.errors
                .push(FieldError::invalid(&path.child("type"), found, why));
        }
        let mut seen = Vec::new();
        for key in keys {
            let own = path.child("properties").key(key);
            match items.properties.get(key) {
                None => {
                    let path = path.child("properties").key(key);
                    let why = format!("entries must all be names of item properties: {key}");
                    self.errors.push(FieldError::required(&path, why));
                }
                Some(below) if below.default.is_none() && !items.required().contains(key) => {
                    let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a \
                               required property";
                    self.errors.push(FieldError::required(&own.child("default"), why));
                }
                Some(below) if matches!(below.kind, Kind::Object | Kind::Array) => {
                    let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                    self.errors
                        .push(FieldError::invalid(&own.child("type"), below.kind.name(), why));
                }
                Some(_) => {}
            }
            if seen.contains(&key) {
                let path = path.child("x-kubernetes-list-map-keys");
                self.errors.push(FieldError::duplicate(&path, &**key));
            }
            seen.push(key);
        }
        if schema.nullable == Some(true) && items.nullable {
            let why = "cannot be nullable when x-kubernetes-list-type is map";
            self.errors
                .push(FieldError::forbidden(&path.child("nullable"), why));
        }
    }

    fn check_embedded(&mut self, schema: &JSONSchemaProps, path: &Path, role: Role) {
        if schema.x_kubernetes_embedded_resource != Some(true) || role == Role::Root {
            return;
        }
        if schema.type_.as_deref() != Some("object") {
            let why = "must be object if x-kubernetes-embedded-resource is true";
            let found = schema.type_.as_deref().unwrap_or_default();
            self.errors
                .push(FieldError::invalid(&path.child("type"), found, why));
        }
        let has_fields = schema.properties.as_ref().is_some_and(|own| !own.is_empty());
        if schema.x_kubernetes_preserve_unknown_fields != Some(true) && !has_fields {
            let why = "must not be empty if x-kubernetes-embedded-resource is true without \
                       x-kubernetes-preserve-unknown-fields";
            self.errors
                .push(FieldError::required(&path.child("properties"), why));
        }
    }

    /// A default must be complete and valid by itself.
    fn default(&mut self, default: &Value, node: &Node, at: &At) -> Option<Value> {
        let path = at.path.child("default");
        if at.role == Role::Root {
            self.errors
                .push(FieldError::forbidden(&path, "must not be set at the root"));
            return None;
        }
        if default.is_null() && !node.nullable {
            // As upstream: a null that is no value is no default.
            return None;
        }
        let mut complete = default.clone();
        let unknown = prune::unknown(&mut complete, node);
        if let Some(first) = unknown.first() {
            let detail = format!("must not have unknown fields: {first}");
            self.errors
                .push(FieldError::invalid(&path, validate::shown(default), detail));
        }
        defaulting::value(&mut complete, node);
        for error in validate::value_at(&complete, node, &path) {
            self.errors.push(error);
        }
        Some(complete)
    }
}

/// The type of this name.
pub(crate) fn kind_of(name: &str) -> Option<Kind> {
    Some(match name {
        "" => Kind::Any,
        "array" => Kind::Array,
        "boolean" => Kind::Boolean,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        "object" => Kind::Object,
        "string" => Kind::String,
        _ => return None,
    })
}

fn times(max: Option<i64>, otherwise: u64) -> u64 {
    max.and_then(|max| u64::try_from(max).ok()).unwrap_or(otherwise)
}

/// The plain conditions of a node; `None` where it has none.
pub(crate) fn checks(schema: &JSONSchemaProps, path: &Path, errors: &mut Vec<FieldError>) -> Option<Checks> {
    let pattern = schema.pattern.as_deref().filter(|text| !text.is_empty());
    let pattern = pattern.and_then(|text| match Pattern::new(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let detail = format!("must be a valid regular expression, but isn't: {error}");
            errors.push(FieldError::invalid(&path.child("pattern"), text, detail));
            None
        }
    });
    let checks = Checks {
        format: schema
            .format
            .as_deref()
            .filter(|text| !text.is_empty())
            .map(Into::into),
        maximum: schema.maximum,
        is_maximum_exclusive: schema.exclusive_maximum == Some(true),
        minimum: schema.minimum,
        is_minimum_exclusive: schema.exclusive_minimum == Some(true),
        multiple_of: schema.multiple_of,
        max_length: schema.max_length,
        min_length: schema.min_length,
        pattern,
        max_items: schema.max_items,
        min_items: schema.min_items,
        max_properties: schema.max_properties,
        min_properties: schema.min_properties,
        required: schema
            .required
            .iter()
            .flatten()
            .map(|name| name.as_str().into())
            .collect(),
        allowed: schema.enum_.iter().flatten().map(|one| one.0.clone()).collect(),
        ..Checks::default()
    };
    let is_empty = checks.format.is_none()
        && checks.maximum.is_none()
        && checks.minimum.is_none()
        && checks.multiple_of.is_none()
        && checks.max_length.is_none()
        && checks.min_length.is_none()
        && checks.pattern.is_none()
        && checks.max_items.is_none()
        && checks.min_items.is_none()
        && checks.max_properties.is_none()
        && checks.min_properties.is_none()
        && checks.required.is_empty()
        && checks.allowed.is_empty();
    (!is_empty).then_some(checks)
}
