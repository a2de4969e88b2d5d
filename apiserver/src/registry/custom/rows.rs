//! Rows of custom kinds, made at run time and kept for ever.
//!
//! A row is `&'static`, as those of built-in kinds are, because requests, watches and cached entries hold on to it. It
//! is made once for each distinct set of names, scope, subresources and selectable fields, and found again when the
//! same comes back, so what is never freed is bounded by how many different definitions a server has seen: about a
//! kilobyte each. Schemas and columns are not in the row; they live in the behaviour and are freed when they change.

use std::collections::BTreeMap;

use coracle_api::kinds::{ALL_VERBS, RESOURCES, Resource, StoredAs, Subresource};
use coracle_api::object::Custom;
use coracle_custom::Version;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use parking_lot::RwLock;

use super::behaviour::CustomBehaviour;

/// The behaviour of every place behind those of the table. Places are never given twice in a process, so that a row
/// of one registry is never taken for one of another.
static BEHAVIOURS: RwLock<Vec<&'static CustomBehaviour>> = RwLock::new(Vec::new());

const READ_WRITE: &[&str] = &["get", "patch", "update"];

/// The behaviour of a row that was made at run time.
pub(in crate::registry) fn behaviour_at(place: usize) -> Option<&'static CustomBehaviour> {
    let index = place.checked_sub(RESOURCES.len())?;
    BEHAVIOURS.read().get(index).copied()
}

fn new_place(behaviour: &'static CustomBehaviour) -> usize {
    let mut behaviours = BEHAVIOURS.write();
    behaviours.push(behaviour);
    RESOURCES.len() + behaviours.len() - 1
}

/// The rows that one registry has made.
#[derive(Default)]
pub(super) struct Rows {
    kinds: BTreeMap<String, Kind>,
    rows: BTreeMap<Shape, &'static Resource>,
}

/// What all versions and all forms of one custom kind have in common.
#[derive(Clone, Copy)]
struct Kind {
    prefix: &'static str,
    behaviour: &'static CustomBehaviour,
    /// The place of whichever version is the stored one: the watch cache keeps the objects there.
    stored_place: usize,
}

/// Everything that tells one row from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    group: String,
    version: String,
    /// The stored version, where this one is not.
    stored_as: Option<String>,
    names: Vec<String>,
    short_names: Vec<String>,
    categories: Vec<String>,
    is_namespaced: bool,
    has_status: bool,
    has_scale: bool,
    selectable: Vec<String>,
}

/// What a definition is served as.
pub(super) struct Made {
    pub behaviour: &'static CustomBehaviour,
    /// The version that is stored, which need not be served.
    pub storage: &'static Resource,
    /// The versions that are served.
    pub rows: Vec<&'static Resource>,
}

impl Rows {
    /// The rows of a definition; `None` where it has no stored version.
    pub fn of(&mut self, object: &CustomResourceDefinition, versions: &[Version]) -> Option<Made> {
        let kind = self.kind(object);
        let stored = versions.iter().find(|version| version.is_storage)?;
        let storage = self.row(object, stored, None, kind);
        let mut rows = Vec::with_capacity(versions.len());
        for version in versions.iter().filter(|version| version.is_served) {
            rows.push(if version.is_storage {
                storage
            } else {
                self.row(object, version, Some(storage), kind)
            });
        }
        Some(Made {
            behaviour: kind.behaviour,
            storage,
            rows,
        })
    }

    fn kind(&mut self, object: &CustomResourceDefinition) -> Kind {
        let spec = &object.spec;
        let prefix = format!("/{}/{}/", spec.group, spec.names.plural);
        if let Some(kind) = self.kinds.get(&prefix) {
            return *kind;
        }
        let behaviour: &'static CustomBehaviour = Box::leak(Box::default());
        let kind = Kind {
            prefix: leak(&prefix),
            behaviour,
            stored_place: new_place(behaviour),
        };
        self.kinds.insert(prefix, kind);
        kind
    }

    fn row(
        &mut self,
        object: &CustomResourceDefinition,
        version: &Version,
        storage: Option<&'static Resource>,
        kind: Kind,
    ) -> &'static Resource {
        let shape = Shape::of(object, version, storage);
        if let Some(row) = self.rows.get(&shape) {
            return row;
        }
        let place = match storage {
            None => kind.stored_place,
            Some(_) => new_place(kind.behaviour),
        };
        let row = shape.to_row(place, kind.prefix, storage);
        self.rows.insert(shape, row);
        row
    }
}

impl Shape {
    fn of(object: &CustomResourceDefinition, version: &Version, storage: Option<&Resource>) -> Self {
        let (spec, names) = (&object.spec, &object.spec.names);
        let singular = names.singular.clone().filter(|name| !name.is_empty());
        let mut short_names = names.short_names.clone().unwrap_or_default();
        short_names.dedup();
        Self {
            group: spec.group.clone(),
            version: version.name.to_string(),
            stored_as: storage.map(|storage| storage.version.to_owned()),
            names: vec![
                names.kind.clone(),
                names.plural.clone(),
                singular.unwrap_or_else(|| names.kind.to_lowercase()),
            ],
            short_names,
            categories: names.categories.clone().unwrap_or_default(),
            is_namespaced: spec.scope == "Namespaced",
            has_status: version.has_status,
            has_scale: version.scale.is_some(),
            selectable: version
                .selectable
                .iter()
                .map(|field| field.name.to_string())
                .collect(),
        }
    }

    fn to_row(
        &self,
        place: usize,
        prefix: &'static str,
        storage: Option<&'static Resource>,
    ) -> &'static Resource {
        let name = |index: usize| self.names.get(index).map_or("", |name| leak(name));
        let mut subresources = Vec::new();
        let kind = name(0);
        if self.has_scale {
            subresources.push(Subresource {
                name: "scale",
                group: "autoscaling",
                version: "v1",
                kind: "Scale",
                verbs: READ_WRITE,
            });
        }
        if self.has_status {
            subresources.push(Subresource {
                name: "status",
                group: "",
                version: "",
                kind,
                verbs: READ_WRITE,
            });
        }
        let meta: &[&'static str] = if self.is_namespaced {
            &["metadata.name", "metadata.namespace"]
        } else {
            &["metadata.name"]
        };
        let own = self.selectable.iter().map(|field| leak(field));
        let stored_as = storage.map(|resource| {
            let stored: &'static StoredAs = Box::leak(Box::new(StoredAs {
                resource,
                convert: Custom::rename,
                fields: &[],
            }));
            stored
        });
        Box::leak(Box::new(Resource {
            place,
            group: leak(&self.group),
            version: leak(&self.version),
            kind,
            plural: name(1),
            singular: name(2),
            short_names: leak_all(&self.short_names),
            categories: leak_all(&self.categories),
            namespaced: self.is_namespaced,
            verbs: ALL_VERBS,
            subresources: subresources.leak(),
            selectable_fields: meta.iter().copied().chain(own).collect::<Vec<_>>().leak(),
            store_prefix: prefix,
            api_version: leak(&format!("{}/{}", self.group, self.version)),
            stored_as,
            decode: Custom::not_typed,
        }))
    }
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn leak_all(texts: &[String]) -> &'static [&'static str] {
    texts.iter().map(|text| leak(text)).collect::<Vec<_>>().leak()
}
