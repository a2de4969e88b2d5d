//! Reads the source of k8s-openapi: the structs, what serde calls their fields, and how `DeepMerge` merges them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use regex::Regex;

/// The modules of the groups and versions that are served, and of what they are made of.
const MODULES: &[&str] = &[
    "api/admissionregistration/v1",
    "api/apps/v1",
    "api/authentication/v1",
    "api/authorization/v1",
    "api/autoscaling/v1",
    "api/autoscaling/v2",
    "api/batch/v1",
    "api/certificates/v1",
    "api/coordination/v1",
    "api/core/v1",
    "api/discovery/v1",
    "api/events/v1",
    "api/flowcontrol/v1",
    "api/networking/v1",
    "api/node/v1",
    "api/policy/v1",
    "api/rbac/v1",
    "api/scheduling/v1",
    "api/storage/v1",
    "apiextensions_apiserver/pkg/apis/apiextensions/v1",
    "apimachinery/pkg/apis/meta/v1",
    "kube_aggregator/pkg/apis/apiregistration/v1",
];

/// Types that are no structs in JSON, and what the table calls them.
const LEAVES: &[(&str, &str)] = &[
    ("apimachinery.pkg.apis.meta.v1.FieldsV1", "fields"),
    ("apimachinery.pkg.apis.meta.v1.MicroTime", "microtime"),
    ("apimachinery.pkg.apis.meta.v1.Time", "time"),
    ("apimachinery.pkg.api.resource.Quantity", "quantity"),
    ("apimachinery.pkg.runtime.RawExtension", "raw"),
    ("apimachinery.pkg.util.intstr.IntOrString", "intstr"),
    ("apiextensions.v1.JSON", "raw"),
    ("apiextensions.v1.JSONSchemaPropsOrArray", "schemaOrArray"),
    ("apiextensions.v1.JSONSchemaPropsOrBool", "schemaOrBool"),
    ("apiextensions.v1.JSONSchemaPropsOrStringArray", "schemaOrStrings"),
];

/// A struct.
pub struct Type {
    /// Its name in OpenAPI.
    pub name: String,
    /// `apiVersion` and `kind`, where objects of it are bodies of their own.
    pub gvk: Option<(String, String)>,
    /// Its fields.
    pub fields: Vec<Field>,
}

/// A field of a struct.
pub struct Field {
    /// Its name in JSON.
    pub json: String,
    /// Its type in the table's notation.
    pub ty: String,
    /// Whether it must be there.
    pub required: bool,
    /// The strategy's name in `DeepMerge`, where it has one: `list::map` and so on.
    pub strategy: String,
    /// The keys of `list::map`.
    pub keys: Vec<String>,
}

/// All served types, by name.
pub fn read(source: &Path) -> Result<Vec<Type>> {
    let patterns = Patterns::new()?;
    let mut types = BTreeMap::new();
    for module in MODULES {
        let folder = source.join("v1_33").join(module);
        let entries = std::fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        for entry in entries {
            let text = std::fs::read_to_string(entry?.path())?;
            if let Some(of) = patterns.read(&text)? {
                types.insert(of.name.clone(), of);
            }
        }
    }
    Ok(types.into_values().collect())
}

struct Patterns {
    definition: Regex,
    body: Regex,
    field: Regex,
    json: Regex,
    merge: Regex,
    key: Regex,
    constant: Regex,
}

impl Patterns {
    fn new() -> Result<Self> {
        Ok(Self {
            definition: Regex::new(r"// Generated from definition (\S+)")?,
            body: Regex::new(r"(?s)pub struct \w+ \{(.*?)\n\}")?,
            field: Regex::new(r"(?m)^    pub (\w+): (.*),$")?,
            json: Regex::new(r#"(?m)^\s+"([^"]+)" => Field::Key_(\w+),"#)?,
            merge: Regex::new(
                r"(?s)merge_strategies::(\w+::\w+)\(\s*&mut self\.(\w+),\s*other\.\w+(?:,\s*&\[(.*?)\])?",
            )?,
            key: Regex::new(r"lhs\.([\w.]+) ==")?,
            constant: Regex::new(r#"const (API_VERSION|KIND): &'static str = "([^"]+)";"#)?,
        })
    }

    fn read(&self, text: &str) -> Result<Option<Type>> {
        let Some(definition) = self.definition.captures(text) else {
            return Ok(None);
        };
        let name = definition[1].to_owned();
        if leaf(&name).is_some() {
            return Ok(None);
        }
        let body = match self.body.captures(text) {
            Some(body) => body[1].to_owned(),
            // A struct that says something by being there.
            None if name.ends_with("CustomResourceSubresourceStatus") => String::new(),
            None => return Ok(None),
        };
        let json: BTreeMap<String, String> = self
            .json
            .captures_iter(text)
            .map(|found| (found[2].to_owned(), found[1].to_owned()))
            .collect();
        let mut merges = BTreeMap::new();
        for found in self.merge.captures_iter(text) {
            let comparisons = found.get(3).map_or("", |keys| keys.as_str());
            let keys: Vec<String> = self
                .key
                .captures_iter(comparisons)
                .map(|key| json.get(&key[1]).cloned().unwrap_or_else(|| camel_case(&key[1])))
                .collect();
            merges.insert(found[2].to_owned(), (found[1].to_owned(), keys));
        }
        let mut fields = Vec::new();
        for found in self.field.captures_iter(&body) {
            let (rust, ty) = (&found[1], &found[2]);
            let (strategy, keys) = merges.remove(rust).unwrap_or_default();
            fields.push(Field {
                json: json
                    .get(rust)
                    .cloned()
                    .with_context(|| format!("find the JSON name of {name}.{rust}"))?,
                ty: table_type(ty)?,
                required: !ty.starts_with("Option<"),
                strategy,
                keys,
            });
        }
        fields.sort_by(|one, other| one.json.cmp(&other.json));
        let constants: BTreeMap<&str, &str> = self
            .constant
            .captures_iter(text)
            .filter_map(|found| Some((found.get(1)?.as_str(), found.get(2)?.as_str())))
            .collect();
        let gvk = match (constants.get("API_VERSION"), constants.get("KIND")) {
            (Some(api_version), Some(kind)) => Some(((*api_version).to_owned(), (*kind).to_owned())),
            _ => None,
        };
        Ok(Some(Type { name, gvk, fields }))
    }
}

/// `container_port` to `containerPort`, `type_` to `type`: enough for the fields that are keys.
fn camel_case(rust: &str) -> String {
    let mut name = String::new();
    let mut upper = false;
    for letter in rust.trim_end_matches('_').chars() {
        match letter {
            '_' => upper = true,
            _ if upper => {
                name.push(letter.to_ascii_uppercase());
                upper = false;
            }
            _ => name.push(letter),
        }
    }
    match name.as_str() {
        "resourceId" => "resourceID".to_owned(),
        _ => name,
    }
}

fn leaf(definition: &str) -> Option<&'static str> {
    LEAVES
        .iter()
        .find(|(name, _)| definition.ends_with(name))
        .map(|(_, leaf)| *leaf)
}

/// A Rust type in the table's notation: `[T]` is a list, `{T}` a map.
fn table_type(rust: &str) -> Result<String> {
    let inner = |prefix: &str| rust.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
    if let Some(inner) = inner("Option<").or_else(|| inner("std::boxed::Box<")) {
        return table_type(inner);
    }
    if let Some(item) = inner("std::vec::Vec<") {
        return Ok(format!("[{}]", table_type(item)?));
    }
    if let Some(value) = inner("std::collections::BTreeMap<std::string::String, ") {
        return Ok(format!("{{{}}}", table_type(value)?));
    }
    Ok(match rust {
        "std::string::String" => "string".to_owned(),
        "i32" | "i64" => "int".to_owned(),
        "f64" => "number".to_owned(),
        "bool" => "bool".to_owned(),
        "crate::ByteString" => "bytes".to_owned(),
        "crate::serde_json::Value" => "raw".to_owned(),
        _ => {
            let Some(path) = rust.strip_prefix("crate::") else {
                bail!("a type of unknown form: {rust}");
            };
            let name = format!("io.k8s.{}", path.replace("::", "."))
                .replace("apiextensions_apiserver", "apiextensions-apiserver")
                .replace("kube_aggregator", "kube-aggregator");
            leaf(&name).map_or(name, str::to_owned)
        }
    })
}
