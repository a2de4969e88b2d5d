//! A CustomResourceDefinition, compiled: what serving its resources takes, or everything that is wrong with it.
//!
//! Source: `ValidateCustomResourceDefinition` of the apiextensions apiserver.

use coracle_api::schema::{Schema, ShapeId};
use coracle_api::{FieldError, Path, names};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionSpec, CustomResourceDefinitionVersion,
};

use crate::columns::{self, Column};
use crate::jsonpath::JsonPath;
use crate::schema::Node;
use crate::{structural, view};

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
/// Versions of one definition at most.
const MAX_VERSIONS: usize = 64;
/// Selectable fields of one version at most, as upstream has it.
const MAX_SELECTABLE: usize = 8;

/// What a definition comes to.
#[derive(Debug)]
pub struct Definition {
    /// Its versions, served or not, in its own order.
    pub versions: Vec<Version>,
}

/// One version of a resource.
#[derive(Debug)]
pub struct Version {
    /// `v1`, `v1beta1`
    pub name: Box<str>,
    /// Whether clients may use it.
    pub is_served: bool,
    /// Whether objects are stored in it.
    pub is_storage: bool,
    /// What clients are told who use it.
    pub deprecation: Option<Box<str>>,
    /// Its schema.
    pub root: Node,
    /// The same as a graph of shapes.
    pub graph: Schema,
    /// The shape of an object in that graph.
    pub shape: ShapeId,
    /// What `kubectl get` shows beside the name.
    pub columns: Vec<Column>,
    /// Whether the status is a subresource.
    pub has_status: bool,
    /// Where the replicas stand, for a resource that can be scaled.
    pub scale: Option<ScalePaths>,
    /// Fields that field selectors may name.
    pub selectable: Vec<Selectable>,
}

/// Where the `scale` subresource finds its numbers.
#[derive(Debug, Clone)]
pub struct ScalePaths {
    /// The wanted replicas.
    pub wanted: JsonPath,
    /// The present replicas.
    pub present: JsonPath,
    /// The pod selector as text.
    pub selector: Option<JsonPath>,
}

/// A field that field selectors may name.
#[derive(Debug, Clone)]
pub struct Selectable {
    /// As selectors write it: `spec.color`.
    pub name: Box<str>,
    /// Where it stands.
    pub path: JsonPath,
}

impl Definition {
    /// The version that objects are stored in.
    #[must_use]
    pub fn storage(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.is_storage)
    }

    /// Compiles a definition.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn compile(object: &CustomResourceDefinition) -> Result<Self, Vec<FieldError>> {
        let spec = &object.spec;
        let mut errors = Vec::new();
        check_names(object, &mut errors);
        check_conversion(spec, &mut errors);
        check_versions(spec, &mut errors);
        let is_same = is_same_everywhere(spec);
        let mut versions = Vec::with_capacity(spec.versions.len());
        for (index, version) in spec.versions.iter().take(MAX_VERSIONS).enumerate() {
            let paths = Paths::new(index, is_same);
            // Equal schemas are told of once.
            let mut own = Vec::new();
            versions.extend(compile_version(spec, version, &paths, &mut own));
            errors.extend(
                own.into_iter()
                    .filter(|error| !errors.contains(error))
                    .collect::<Vec<_>>(),
            );
        }
        if errors.is_empty() {
            Ok(Self { versions })
        } else {
            Err(errors)
        }
    }
}

/// Where the parts of a version stand in messages: upstream moves them up where all versions have the same.
struct Paths {
    version: Path,
    schema: Path,
    columns: Path,
    subresources: Path,
    selectable: Path,
}

impl Paths {
    fn new(index: usize, is_same: bool) -> Self {
        let spec = Path::new("spec");
        let version = spec.child("versions").index(index);
        let (base, schema) = if is_same {
            (spec.clone(), spec.child("validation"))
        } else {
            (version.clone(), version.child("schema"))
        };
        Self {
            schema: schema.child("openAPIV3Schema"),
            columns: base.child("additionalPrinterColumns"),
            subresources: base.child("subresources"),
            selectable: base.child("selectableFields"),
            version,
        }
    }
}

fn is_same_everywhere(spec: &CustomResourceDefinitionSpec) -> bool {
    spec.versions.windows(2).all(|pair| match pair {
        [one, other] => {
            one.schema == other.schema
                && one.subresources == other.subresources
                && one.additional_printer_columns == other.additional_printer_columns
                && one.selectable_fields == other.selectable_fields
        }
        _ => true,
    })
}

fn refuse(errors: &mut Vec<FieldError>, path: &Path, value: &str, details: Vec<String>) {
    errors.extend(
        details
            .into_iter()
            .map(|detail| FieldError::invalid(path, value, detail)),
    );
}

fn check_names(object: &CustomResourceDefinition, errors: &mut Vec<FieldError>) {
    let spec = &object.spec;
    let path = Path::new("spec");
    let own = object.metadata.name.as_deref().unwrap_or_default();
    let wanted = format!("{}.{}", spec.names.plural, spec.group);
    if own != wanted {
        let path = Path::new("metadata").child("name");
        errors.push(FieldError::invalid(
            &path,
            own,
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
    let group = path.child("group");
    if spec.group.is_empty() {
        errors.push(FieldError::required(&group, ""));
    } else if let details @ [_, ..] = names::subdomain(&spec.group).as_slice() {
        refuse(errors, &group, &spec.group, details.to_vec());
    } else if !spec.group.contains('.') {
        errors.push(FieldError::invalid(
            &group,
            &spec.group,
            "should be a domain with at least one dot",
        ));
    }
    if !matches!(spec.scope.as_str(), "Cluster" | "Namespaced") {
        let path = path.child("scope");
        errors.push(FieldError::not_supported(
            &path,
            &spec.scope,
            &["Cluster", "Namespaced"],
        ));
    }
    if spec.preserve_unknown_fields == Some(true) {
        let path = path.child("preserveUnknownFields");
        errors.push(FieldError::invalid(&path, true, "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"));
    }
    let (own, path) = (&spec.names, path.child("names"));
    if own.plural.is_empty() {
        errors.push(FieldError::required(&path.child("plural"), ""));
    } else {
        refuse(
            errors,
            &path.child("plural"),
            &own.plural,
            names::label_1035(&own.plural),
        );
    }
    if own.kind.is_empty() {
        errors.push(FieldError::required(&path.child("kind"), ""));
    } else {
        let details = names::label_1035(&own.kind.to_lowercase());
        let details = details
            .into_iter()
            .map(|detail| format!("may have mixed case, but should otherwise match: {detail}"));
        refuse(errors, &path.child("kind"), &own.kind, details.collect());
    }
    let singular = own.singular.as_deref().unwrap_or_default();
    if !singular.is_empty() {
        refuse(
            errors,
            &path.child("singular"),
            singular,
            names::label_1035(singular),
        );
    }
    let list_kind = own.list_kind.as_deref().unwrap_or_default();
    if !list_kind.is_empty() && list_kind == own.kind {
        let detail = "kind and listKind may not be the same";
        errors.push(FieldError::invalid(&path.child("listKind"), list_kind, detail));
    }
    for (field, list) in [("shortNames", &own.short_names), ("categories", &own.categories)] {
        for (index, name) in list.iter().flatten().enumerate() {
            refuse(
                errors,
                &path.child(field).index(index),
                name,
                names::label_1035(name),
            );
        }
    }
}

fn check_conversion(spec: &CustomResourceDefinitionSpec, errors: &mut Vec<FieldError>) {
    let Some(conversion) = &spec.conversion else {
        return;
    };
    let path = Path::new("spec").child("conversion");
    match conversion.strategy.as_str() {
        "" => errors.push(FieldError::required(&path.child("strategy"), "")),
        "None" => {
            if conversion.webhook.is_some() {
                let why = "should not be set when strategy is not set to Webhook";
                errors.push(FieldError::forbidden(&path.child("webhook"), why));
            }
        }
        "Webhook" => {
            let why = "conversion by webhook is not supported yet: use None, with versions that differ in name only";
            errors.push(FieldError::forbidden(&path.child("strategy"), why));
        }
        other => errors.push(FieldError::not_supported(
            &path.child("strategy"),
            other,
            &["None", "Webhook"],
        )),
    }
}

fn check_versions(spec: &CustomResourceDefinitionSpec, errors: &mut Vec<FieldError>) {
    let path = Path::new("spec").child("versions");
    if spec.versions.is_empty() {
        errors.push(FieldError::required(&path, "must have at least one version"));
        return;
    }
    if spec.versions.len() > MAX_VERSIONS {
        errors.push(FieldError::too_many(&path, spec.versions.len(), MAX_VERSIONS));
    }
    let names: Vec<&str> = spec
        .versions
        .iter()
        .map(|version| version.name.as_str())
        .collect();
    let shown = || coracle_api::field_error::Value::json(&names);
    for (index, name) in names.iter().enumerate() {
        let path = path.index(index).child("name");
        refuse(errors, &path, name, names::label_1035(name));
        if names.iter().position(|own| own == name) != Some(index) {
            errors.push(FieldError::invalid(
                &path,
                *name,
                "must contain unique version names",
            ));
        }
    }
    if spec.versions.iter().filter(|version| version.storage).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid(&path, shown(), why));
    }
}

fn compile_version(
    spec: &CustomResourceDefinitionSpec,
    version: &CustomResourceDefinitionVersion,
    paths: &Paths,
    errors: &mut Vec<FieldError>,
) -> Option<Version> {
    let Some(schema) = version
        .schema
        .as_ref()
        .and_then(|schema| schema.open_api_v3_schema.as_ref())
    else {
        let path = paths.version.child("schema").child("openAPIV3Schema");
        errors.push(FieldError::required(&path, "schemas are required"));
        return None;
    };
    let root = structural::compile(schema, &paths.schema)
        .map_err(|own| errors.extend(own))
        .ok();
    let columns = compile_columns(version, &paths.columns, errors);
    let scale = compile_scale(version, &paths.subresources.child("scale"), errors);
    let selectable = compile_selectable(version, root.as_ref(), &paths.selectable, errors);
    let root = root?;
    let (graph, shape) = view::graph(&root);
    let is_deprecated = version.deprecated == Some(true);
    let deprecation = is_deprecated.then(|| {
        let default = || {
            format!(
                "{}/{} {} is deprecated",
                spec.group, version.name, spec.names.kind
            )
        };
        version.deprecation_warning.clone().unwrap_or_else(default).into()
    });
    Some(Version {
        name: version.name.as_str().into(),
        is_served: version.served,
        is_storage: version.storage,
        deprecation,
        root,
        graph,
        shape,
        columns,
        has_status: version
            .subresources
            .as_ref()
            .is_some_and(|own| own.status.is_some()),
        scale,
        selectable,
    })
}

fn compile_columns(
    version: &CustomResourceDefinitionVersion,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Vec<Column> {
    let own = version.additional_printer_columns.as_deref().unwrap_or_default();
    if own.is_empty() {
        return vec![columns::age()];
    }
    let mut columns = Vec::with_capacity(own.len());
    for (index, column) in own.iter().enumerate() {
        let at = path.index(index);
        if column.name.is_empty() {
            errors.push(FieldError::required(&at.child("name"), ""));
        }
        if column.type_.is_empty() {
            let why = format!("must be one of {}", COLUMN_TYPES.join(","));
            errors.push(FieldError::required(&at.child("type"), why));
        } else if !COLUMN_TYPES.contains(&column.type_.as_str()) {
            errors.push(FieldError::invalid(
                &at.child("type"),
                &column.type_,
                format!("must be one of {}", COLUMN_TYPES.join(",")),
            ));
        }
        if column.json_path.is_empty() {
            errors.push(FieldError::required(&at.child("jsonPath"), ""));
            continue;
        }
        match JsonPath::parse(&column.json_path) {
            Err(error) => errors.push(FieldError::invalid(
                &at.child("jsonPath"),
                &column.json_path,
                error.to_string(),
            )),
            Ok(path) => columns.push(Column {
                name: column.name.as_str().into(),
                kind: column.type_.as_str().into(),
                format: column.format.as_deref().unwrap_or_default().into(),
                description: match column.description.as_deref() {
                    None | Some("") => format!(
                        "Custom resource definition column (in JSONPath format): {}",
                        column.json_path
                    )
                    .into(),
                    Some(own) => own.into(),
                },
                priority: column.priority.unwrap_or(0),
                path,
            }),
        }
    }
    columns
}

fn compile_scale(
    version: &CustomResourceDefinitionVersion,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Option<ScalePaths> {
    let scale = version.subresources.as_ref()?.scale.as_ref()?;
    let mut read = |field: &str, text: &str, roots: &[&str]| {
        let at = path.child(field);
        if text.is_empty() {
            errors.push(FieldError::required(&at, ""));
            return None;
        }
        let parsed = JsonPath::parse(text).ok();
        let fits = |path: &JsonPath| {
            let names = path.names().unwrap_or_default();
            names.len() > 1 && names.first().is_some_and(|first| roots.contains(first))
        };
        let found = parsed.filter(fits);
        if found.is_none() {
            let roots: Vec<String> = roots.iter().map(|root| format!(".{root}")).collect();
            let why = format!("should be a json path under {}", roots.join(" or "));
            errors.push(FieldError::invalid(&at, text, why));
        }
        found
    };
    let wanted = read("specReplicasPath", &scale.spec_replicas_path, &["spec"]);
    let present = read("statusReplicasPath", &scale.status_replicas_path, &["status"]);
    let selector = match scale.label_selector_path.as_deref() {
        None | Some("") => None,
        Some(text) => read("labelSelectorPath", text, &["spec", "status"]),
    };
    Some(ScalePaths {
        wanted: wanted?,
        present: present?,
        selector,
    })
}

fn compile_selectable(
    version: &CustomResourceDefinitionVersion,
    root: Option<&Node>,
    path: &Path,
    errors: &mut Vec<FieldError>,
) -> Vec<Selectable> {
    let own = version.selectable_fields.as_deref().unwrap_or_default();
    if own.len() > MAX_SELECTABLE {
        errors.push(FieldError::too_many(path, own.len(), MAX_SELECTABLE));
    }
    let mut fields = Vec::with_capacity(own.len());
    for (index, field) in own.iter().enumerate() {
        let at = path.index(index).child("jsonPath");
        let parsed = JsonPath::parse(&field.json_path).ok();
        let names: Vec<String> = parsed
            .as_ref()
            .and_then(JsonPath::names)
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect();
        let declared = names
            .iter()
            .try_fold(root, |node, name| node.map(|node| node.field(name)));
        let is_scalar = |node: &Node| {
            use crate::schema::Kind::{Boolean, Integer, String};
            matches!(node.kind, String | Integer | Boolean)
        };
        let fits = match (names.first().map(String::as_str), declared) {
            (None | Some("metadata"), _) => false,
            (_, Some(Some(node))) => is_scalar(node),
            (_, Some(None)) => root.is_none(),
            (_, None) => false,
        };
        match parsed {
            Some(path) if fits => fields.push(Selectable {
                name: names.join(".").into(),
                path,
            }),
            _ => errors.push(FieldError::invalid(
                &at,
                &field.json_path,
                "must point to a string, integer or boolean field declared in the schema",
            )),
        }
    }
    fields
}
