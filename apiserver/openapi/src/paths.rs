//! The paths of a kind and what may be done there, with the names that client generators rely on.

use serde_json::{Map, Value, json};

use super::complete::group_version_kind;
use super::parameters::{self, DELETE, LIST, PATCH, PRETTY, WRITE};
use super::{Kind, Part, types};

const JSON_AND_YAML: &[&str] = &["application/json", "application/yaml"];
const LISTS: &[&str] = &[
    "application/json",
    "application/json;stream=watch",
    "application/yaml",
];
const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];
/// Custom kinds have no strategic merge patch.
const CUSTOM_PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
];

const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
const PATCH_BODY: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";
const STATUS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.Status";

/// The paths of `kind` below `root`.
pub(crate) fn of(root: &str, kind: &Kind) -> Map<String, Value> {
    let mut paths = Map::new();
    let describe = Describe::new(kind);
    let collection = if kind.namespaced {
        format!("{root}/namespaces/{{namespace}}/{}", kind.plural)
    } else {
        format!("{root}/{}", kind.plural)
    };
    if kind.namespaced && kind.has("list") {
        let everywhere = Describe {
            scope: "",
            suffix: "ForAllNamespaces",
            ..Describe::new(kind)
        };
        let item = item(vec![("get", everywhere.list())], &[]);
        paths.insert(format!("{root}/{}", kind.plural), item);
    }
    let mut operations = Vec::new();
    if kind.has("list") {
        operations.push(("get", describe.list()));
    }
    if kind.has("create") {
        operations.push(("post", describe.write("create", "post", None)));
    }
    if kind.has("deletecollection") {
        operations.push(("delete", describe.delete_collection()));
    }
    if !operations.is_empty() {
        paths.insert(collection.clone(), item(operations, &namespace(kind)));
    }
    let named = format!("{collection}/{{name}}");
    let mut parameters = vec![parameters::path("name", &format!("Name of the {}.", kind.kind))];
    parameters.extend(namespace(kind));
    let operations = describe.object(&kind.verbs, None);
    if !operations.is_empty() {
        paths.insert(named.clone(), item(operations, &parameters));
    }
    for part in &kind.parts {
        let operations = describe.object(&part.verbs, Some(part));
        if !operations.is_empty() {
            paths.insert(format!("{named}/{}", part.name), item(operations, &parameters));
        }
    }
    paths
}

fn item(operations: Vec<(&str, Value)>, parameters: &[Value]) -> Value {
    let mut item: Map<String, Value> = operations
        .into_iter()
        .map(|(method, operation)| (method.to_owned(), operation))
        .collect();
    let mut parameters = parameters.to_vec();
    parameters.extend(PRETTY.iter().map(|name| parameters::query(name)));
    item.insert("parameters".to_owned(), Value::Array(parameters));
    Value::Object(item)
}

fn namespace(kind: &Kind) -> Vec<Value> {
    if !kind.namespaced {
        return Vec::new();
    }
    vec![parameters::path("namespace", "Namespace of the object.")]
}

impl Kind {
    fn has(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }
}

/// Describes the operations on one kind.
struct Describe<'a> {
    kind: &'a Kind,
    definition: String,
    /// `AppsV1`
    group: String,
    /// `Namespaced`, or nothing.
    scope: &'static str,
    /// `ForAllNamespaces`, or nothing.
    suffix: &'static str,
}

impl<'a> Describe<'a> {
    fn new(kind: &'a Kind) -> Self {
        Self {
            definition: kind.definition(),
            group: group_name(kind),
            scope: if kind.namespaced { "Namespaced" } else { "" },
            suffix: "",
            kind,
        }
    }

    /// The operations on one object, or on a part of it.
    fn object(&self, verbs: &[String], part: Option<&Part>) -> Vec<(&'static str, Value)> {
        let mut operations = Vec::new();
        for verb in verbs {
            let operation = match (verb.as_str(), part) {
                ("get", _) => ("get", self.read(part)),
                ("update", _) => ("put", self.write("replace", "put", part)),
                ("patch", _) => ("patch", self.patch(part)),
                ("create", Some(_)) => ("post", self.write("create", "post", part)),
                ("delete", _) => ("delete", self.delete()),
                _ => continue,
            };
            operations.push(operation);
        }
        operations
    }

    fn list(&self) -> Value {
        let list = format!("{}List", self.definition);
        let mut operation = self.operation("list", "list", None, "list or watch objects of kind");
        set(&mut operation, "parameters", queries(&[LIST]));
        set(
            &mut operation,
            "responses",
            responses(&[("200", "OK")], &list, LISTS),
        );
        operation
    }

    fn read(&self, part: Option<&Part>) -> Value {
        let mut operation = self.operation("read", "get", part, "read the specified");
        if part.is_some_and(|part| part.name == "log") {
            set(&mut operation, "responses", text());
            return operation;
        }
        let body = self.body(part);
        set(
            &mut operation,
            "responses",
            responses(&[("200", "OK")], &body, JSON_AND_YAML),
        );
        operation
    }

    fn write(&self, verb: &str, action: &str, part: Option<&Part>) -> Value {
        let what = if verb == "create" {
            "create a"
        } else {
            "replace the specified"
        };
        let mut operation = self.operation(verb, action, part, what);
        let body = self.body(part);
        set(&mut operation, "parameters", queries(&[WRITE]));
        set(&mut operation, "requestBody", request(&body, &["*/*"], true));
        let codes: &[_] = if verb == "create" {
            &[("200", "OK"), ("201", "Created"), ("202", "Accepted")]
        } else {
            &[("200", "OK"), ("201", "Created")]
        };
        set(
            &mut operation,
            "responses",
            responses(codes, &body, JSON_AND_YAML),
        );
        operation
    }

    fn patch(&self, part: Option<&Part>) -> Value {
        let mut operation = self.operation("patch", "patch", part, "partially update the specified");
        let formats = if self.kind.schema.is_some() {
            CUSTOM_PATCHES
        } else {
            PATCHES
        };
        set(&mut operation, "parameters", queries(&[PATCH]));
        set(&mut operation, "requestBody", request(PATCH_BODY, formats, true));
        let codes = [("200", "OK"), ("201", "Created")];
        set(
            &mut operation,
            "responses",
            responses(&codes, &self.body(part), JSON_AND_YAML),
        );
        operation
    }

    fn delete(&self) -> Value {
        let mut operation = self.operation("delete", "delete", None, "delete a");
        set(&mut operation, "parameters", queries(&[DELETE]));
        set(
            &mut operation,
            "requestBody",
            request(DELETE_OPTIONS, &["*/*"], false),
        );
        let codes = [("200", "OK"), ("202", "Accepted")];
        set(
            &mut operation,
            "responses",
            responses(&codes, STATUS, JSON_AND_YAML),
        );
        operation
    }

    fn delete_collection(&self) -> Value {
        let mut operation = self.operation(
            "deleteCollection",
            "deletecollection",
            None,
            "delete collection of",
        );
        set(&mut operation, "parameters", queries(&[DELETE, LIST]));
        set(
            &mut operation,
            "requestBody",
            request(DELETE_OPTIONS, &["*/*"], false),
        );
        set(
            &mut operation,
            "responses",
            responses(&[("200", "OK")], STATUS, JSON_AND_YAML),
        );
        operation
    }

    /// The name of the schema of a body.
    fn body(&self, part: Option<&Part>) -> String {
        match part {
            Some(part) if part.kind != self.kind.kind => types::name_of(&part.api_version, &part.kind)
                .map_or_else(|| self.definition.clone(), str::to_owned),
            _ => self.definition.clone(),
        }
    }

    fn operation(&self, verb: &str, action: &str, part: Option<&Part>, what: &str) -> Value {
        let kind = &self.kind.kind;
        // `deleteAppsV1CollectionNamespacedDeployment`, and else the verb as it is.
        let (verb, infix) = match verb {
            "deleteCollection" => ("delete", "Collection"),
            verb => (verb, ""),
        };
        let part_name = part.map(|part| capitalized(&part.name)).unwrap_or_default();
        let (api_version, body_kind) = match part {
            Some(part) => (part.api_version.clone(), part.kind.as_str()),
            None => (self.kind.api_version(), kind.as_str()),
        };
        let of = part
            .map(|part| format!("{} of the ", part.name))
            .unwrap_or_default();
        json!({
            "tags": [tag(self.kind)],
            "description": format!("{what} {of}{kind}"),
            "operationId": format!("{verb}{}{infix}{}{kind}{part_name}{}", self.group, self.scope, self.suffix),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": group_version_kind(&api_version, body_kind),
        })
    }
}

fn set(operation: &mut Value, key: &str, value: Value) {
    if let Value::Object(operation) = operation {
        operation.insert(key.to_owned(), value);
    }
}

fn queries(lists: &[&[&str]]) -> Value {
    let mut names: Vec<&str> = lists.iter().copied().flatten().copied().collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(parameters::query).collect()
}

fn content(definition: &str, formats: &[&str]) -> Value {
    let schema = json!({ "$ref": format!("#/components/schemas/{definition}") });
    let content: Map<String, Value> = formats
        .iter()
        .map(|format| ((*format).to_owned(), json!({ "schema": schema })))
        .collect();
    Value::Object(content)
}

fn request(definition: &str, formats: &[&str], required: bool) -> Value {
    let mut request = json!({ "content": content(definition, formats) });
    if required {
        set(&mut request, "required", true.into());
    }
    request
}

fn responses(codes: &[(&str, &str)], definition: &str, formats: &[&str]) -> Value {
    let mut responses: Map<String, Value> = codes
        .iter()
        .map(|(code, description)| {
            let response = json!({ "description": description, "content": content(definition, formats) });
            ((*code).to_owned(), response)
        })
        .collect();
    responses.insert("401".to_owned(), json!({ "description": "Unauthorized" }));
    Value::Object(responses)
}

fn text() -> Value {
    json!({
        "200": { "description": "OK", "content": { "text/plain": { "schema": { "type": "string" } } } },
        "401": { "description": "Unauthorized" },
    })
}

/// `AppsV1`; `CoreV1` for the core group, `RbacAuthorizationV1` for one of Kubernetes' own.
fn group_name(kind: &Kind) -> String {
    let group = match kind.group.as_str() {
        "" => "core",
        group => group.strip_suffix(".k8s.io").unwrap_or(group),
    };
    let mut name: String = group.split(['.', '-']).map(capitalized).collect();
    name.push_str(&capitalized(&kind.version));
    name
}

/// `apps_v1`
fn tag(kind: &Kind) -> String {
    let name = group_name(kind);
    let group = name.strip_suffix(&capitalized(&kind.version)).unwrap_or(&name);
    let mut letters = group.chars();
    let first: String = letters
        .next()
        .map(|letter| letter.to_ascii_lowercase())
        .into_iter()
        .collect();
    format!("{first}{}_{}", letters.as_str(), kind.version)
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
