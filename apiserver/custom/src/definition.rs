//! A CustomResourceDefinition, compiled: what serving its resources takes, or everything that is wrong with its
//! schemas, columns and paths. Its names and versions are judged where those of built-in kinds are, before this.
//!
//! Source: `ValidateCustomResourceDefinition` of the apiextensions apiserver.

use coracle_api::schema::{Schema, ShapeId};
use coracle_api::{FieldError, Path};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionSpec, CustomResourceDefinitionVersion,
};

use crate::columns::{self, Column};
use crate::conversion::{self, Conversion};
use crate::jsonpath::JsonPath;
use crate::schema::Node;
use crate::{structural, view};

/// Versions of one definition at most.
const MAX_VERSIONS: usize = 64;
/// Selectable fields of one version at most, as upstream has it.
const MAX_SELECTABLE: usize = 8;

/// What a definition comes to.
#[derive(Debug)]
pub struct Definition {
    /// Its versions, served or not, in its own order.
    pub versions: Vec<Version>,
    /// Who converts between them, where they differ in more than their name.
    pub conversion: Option<Conversion>,
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
        check_conversion(spec, &mut errors);
        if spec.versions.len() > MAX_VERSIONS {
            let path = Path::new("spec").child("versions");
            errors.push(FieldError::too_many(&path, spec.versions.len(), MAX_VERSIONS));
        }
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
            Ok(Self {
                versions,
                conversion: Conversion::of(spec.conversion.as_ref()),
            })
        } else {
            Err(errors)
        }
    }
}

/// Where the parts of a version stand in messages: upstream moves them up where all versions have the same.
struct Paths {
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

/// A webhook must speak the one version of the review that is spoken here.
fn check_conversion(spec: &CustomResourceDefinitionSpec, errors: &mut Vec<FieldError>) {
    let webhook = spec.conversion.as_ref().and_then(|own| own.webhook.as_ref());
    let Some(webhook) = webhook.filter(|own| !own.conversion_review_versions.is_empty()) else {
        return;
    };
    let versions = &webhook.conversion_review_versions;
    if !versions
        .iter()
        .any(|version| version == conversion::REVIEW_VERSION)
    {
        let path = Path::new("spec").child("conversion").child("webhook");
        let path = path.child("conversionReviewVersions");
        let why = format!(
            "must include {}, the only version that is spoken here",
            conversion::REVIEW_VERSION
        );
        errors.push(FieldError::invalid(&path, versions.join(","), why));
    }
}

fn compile_version(
    spec: &CustomResourceDefinitionSpec,
    version: &CustomResourceDefinitionVersion,
    paths: &Paths,
    errors: &mut Vec<FieldError>,
) -> Option<Version> {
    let schema = version.schema.as_ref()?.open_api_v3_schema.as_ref()?;
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
    let mut read = |field: &str, text: &str| {
        let parsed = JsonPath::parse(text);
        parsed
            .map_err(|error| errors.push(FieldError::invalid(&path.child(field), text, error.to_string())))
            .ok()
    };
    let wanted = read("specReplicasPath", &scale.spec_replicas_path);
    let present = read("statusReplicasPath", &scale.status_replicas_path);
    let selector = match scale.label_selector_path.as_deref() {
        None | Some("") => None,
        Some(text) => read("labelSelectorPath", text),
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
    // What is wrong with the schema is told; without it nothing can be said of its fields.
    let Some(root) = root else {
        return Vec::new();
    };
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
        let declared = names.iter().try_fold(root, |node, name| node.field(name));
        let is_scalar = |node: &Node| {
            use crate::schema::Kind::{Boolean, Integer, String};
            matches!(node.kind, String | Integer | Boolean)
        };
        let fits = match (names.first().map(String::as_str), declared) {
            (None | Some("metadata"), _) => false,
            (_, Some(node)) => is_scalar(node),
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
