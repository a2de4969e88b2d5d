//! OpenAPI version 2: the same documents in one, in the older form.
//!
//! The whole is some megabytes, so it is written kind by kind; of schemas, one group's are in memory as a tree.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Kind, TITLE, paths, push, root, schemas};

const REFERENCE_3: &str = "#/components/schemas/";
const REFERENCE_2: &str = "#/definitions/";

/// The document of OpenAPI version 2. `groups` are all versions of all groups with their kinds.
pub fn v2(groups: &[(String, String, Vec<Kind>)], version: &str) -> String {
    let (mut all, mut definitions) = (String::new(), String::new());
    let mut known = BTreeSet::new();
    for (group, group_version, kinds) in groups {
        let root = root(group, group_version);
        for kind in kinds {
            for (path, item) in paths::of(&root, kind) {
                push(&mut all, &path, &path_item(item));
            }
        }
        for (name, mut schema) in schemas(kinds) {
            if !known.contains(&name) {
                convert_schema(&mut schema);
                push(&mut definitions, &name, &schema);
                known.insert(name);
            }
        }
    }
    let info = json!({ "title": TITLE, "version": version });
    let security = json!({
        "BearerToken": { "description": "Bearer token", "in": "header", "name": "authorization", "type": "apiKey" },
    });
    format!(
        "{{\"swagger\":\"2.0\",\"info\":{info},\"paths\":{{{all}}},\"definitions\":{{{definitions}}},\
         \"securityDefinitions\":{security},\"security\":[{{\"BearerToken\":[]}}]}}"
    )
}

fn take(value: Option<&mut Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(fields)) => std::mem::take(fields),
        _ => Map::new(),
    }
}

fn path_item(mut item: Value) -> Value {
    let Value::Object(fields) = &mut item else {
        return item;
    };
    for (key, value) in fields.iter_mut() {
        if key == "parameters" {
            convert_parameters(value);
        } else {
            convert_operation(value);
        }
    }
    item
}

fn convert_parameters(parameters: &mut Value) {
    let Value::Array(parameters) = parameters else {
        return;
    };
    for parameter in parameters {
        let Value::Object(parameter) = parameter else {
            continue;
        };
        // The type stands in the parameter itself.
        let schema = take(parameter.get_mut("schema"));
        parameter.remove("schema");
        parameter.extend(schema);
    }
}

fn convert_operation(operation: &mut Value) {
    let Value::Object(operation) = operation else {
        return;
    };
    let mut parameters = operation.remove("parameters").unwrap_or_else(|| json!([]));
    convert_parameters(&mut parameters);
    if let Some(request) = operation.remove("requestBody") {
        let (consumes, schema) = content(&request);
        operation.insert("consumes".to_owned(), consumes);
        if let (Value::Array(parameters), Some(schema)) = (&mut parameters, schema) {
            let required = request.get("required").is_some();
            let mut body = json!({ "in": "body", "name": "body", "schema": schema });
            if required {
                body["required"] = true.into();
            }
            parameters.push(body);
        }
    }
    operation.insert("parameters".to_owned(), parameters);
    operation.insert("schemes".to_owned(), json!(["https"]));
    let mut produces = Value::Null;
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        for response in responses.values_mut() {
            let (formats, schema) = content(response);
            if let Value::Object(response) = response {
                response.remove("content");
                if let Some(schema) = schema {
                    response.insert("schema".to_owned(), schema);
                    produces = formats;
                }
            }
        }
    }
    if produces.is_array() {
        operation.insert("produces".to_owned(), produces);
    }
}

/// The media types of a body and its schema, which is the same in all of them.
fn content(body: &Value) -> (Value, Option<Value>) {
    let Some(content) = body.get("content").and_then(Value::as_object) else {
        return (json!([]), None);
    };
    let formats = content
        .keys()
        .map(|format| Value::from(format.as_str()))
        .collect();
    let mut schema = content
        .values()
        .next()
        .and_then(|first| first.get("schema"))
        .cloned();
    if let Some(schema) = &mut schema {
        convert_schema(schema);
    }
    (formats, schema)
}

/// References point elsewhere and may stand beside a description; there is no `oneOf`.
fn convert_schema(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(convert_schema),
        Value::Object(fields) => {
            // Not the property of that name.
            if let Some(Value::Array(kinds)) = fields.get("oneOf") {
                // A quantity or a port, which version 2 calls text; of other unions it says nothing.
                let has_text = kinds
                    .iter()
                    .any(|kind| kind.get("type") == Some(&"string".into()));
                fields.remove("oneOf");
                if has_text {
                    fields.insert("type".to_owned(), "string".into());
                }
            }
            if let Some(Value::Array(all)) = fields.get_mut("allOf")
                && let [Value::Object(only)] = all.as_mut_slice()
                && let Some(reference) = only.remove("$ref")
            {
                fields.remove("allOf");
                fields.insert("$ref".to_owned(), reference);
            }
            if let Some(Value::String(reference)) = fields.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(REFERENCE_3)
            {
                *reference = format!("{REFERENCE_2}{name}");
            }
            fields.values_mut().for_each(convert_schema);
        }
        _ => {}
    }
}
