//! Every kind that is served: the built-in ones, and those of the definitions of the moment.
//!
//! Readers take a [`Snapshot`], which costs a counter; whoever keeps something made of it (discovery, OpenAPI) compares
//! [`Snapshot::generation`].

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use coracle_api::kinds::RESOURCES as BUILT_IN;
use coracle_api::{Resource, kinds};
use coracle_custom::Definition;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionNames,
};
use parking_lot::{Mutex, MutexGuard};

use super::behaviour::Served;
use super::rows::Rows;

type Row = &'static Resource;

/// The kinds that are served; see the module.
#[derive(Default)]
pub struct Catalog {
    now: ArcSwap<Snapshot>,
    rows: Mutex<Rows>,
    /// Definitions as they were when they were last looked at, so that each change is compiled once.
    seen: Mutex<BTreeMap<String, Seen>>,
    /// Held while a definition is looked at, so that what is served never goes back, and who waits finds it served.
    looking: Mutex<()>,
}

/// A definition that was looked at.
#[derive(Clone, Copy)]
struct Seen {
    revision: i64,
    is_accepted: bool,
}

/// The kinds of one moment.
#[derive(Default)]
pub struct Snapshot {
    generation: u64,
    /// By the definition's name.
    definitions: BTreeMap<String, Entry>,
    /// Custom rows by group, plural and version.
    custom: Vec<Row>,
    by_path: BTreeMap<(&'static str, &'static str, &'static str), Row>,
    of_object: BTreeMap<(&'static str, &'static str), Row>,
    named: BTreeMap<String, Vec<Row>>,
}

#[derive(Clone)]
struct Entry {
    names: CustomResourceDefinitionNames,
    group: String,
    storage: Row,
    rows: Vec<Row>,
}

/// A name that another definition has.
pub(super) struct Taken {
    /// The reason of the condition.
    pub reason: &'static str,
    /// The name.
    pub name: String,
}

impl Catalog {
    /// The kinds of the moment.
    pub fn now(&self) -> Guard<Arc<Snapshot>> {
        self.now.load()
    }

    /// Keeps others from looking at definitions meanwhile.
    pub(super) fn look(&self) -> MutexGuard<'_, ()> {
        self.looking.lock()
    }

    /// Notes that a definition is looked at as it is at `revision`; whether that is news.
    pub(super) fn see(&self, name: &str, revision: i64) -> bool {
        let mut seen = self.seen.lock();
        let before = seen.get(name).map(|own| own.revision);
        if before.is_some_and(|before| before >= revision) {
            return false;
        }
        let own = Seen {
            revision,
            is_accepted: false,
        };
        seen.insert(name.to_owned(), own);
        true
    }

    /// Notes that the names of a definition are its own.
    pub(super) fn accept(&self, name: &str) {
        if let Some(own) = self.seen.lock().get_mut(name) {
            own.is_accepted = true;
        }
    }

    /// Whether a definition still waits for its names.
    pub(super) fn awaits_names(&self, name: &str) -> bool {
        self.seen.lock().get(name).is_none_or(|own| !own.is_accepted)
    }

    /// Serves a definition from now on, and tells the row that its objects are stored under.
    pub(super) fn install(
        &self,
        object: &CustomResourceDefinition,
        definition: Arc<Definition>,
    ) -> Option<Row> {
        let mut rows = self.rows.lock();
        let made = rows.of(object, &definition.versions)?;
        let is_terminating = object.metadata.deletion_timestamp.is_some();
        made.behaviour
            .serve(Served::new(definition, made.storage, is_terminating));
        let name = object.metadata.name.clone().unwrap_or_default();
        let entry = Entry {
            names: object.spec.names.clone(),
            group: object.spec.group.clone(),
            storage: made.storage,
            rows: made.rows,
        };
        self.edit(|definitions| drop(definitions.insert(name, entry)));
        Some(made.storage)
    }

    /// Serves a definition no longer.
    pub(super) fn remove(&self, name: &str) {
        let _rows = self.rows.lock();
        self.seen.lock().remove(name);
        if self.now().definitions.contains_key(name) {
            self.edit(|definitions| drop(definitions.remove(name)));
        }
    }

    /// Changes the definitions; the lock on the rows keeps changes apart.
    fn edit(&self, change: impl FnOnce(&mut BTreeMap<String, Entry>)) {
        let before = self.now.load();
        let mut definitions = before.definitions.clone();
        change(&mut definitions);
        self.now
            .store(Arc::new(Snapshot::new(before.generation + 1, definitions)));
    }
}

impl Snapshot {
    fn new(generation: u64, definitions: BTreeMap<String, Entry>) -> Self {
        let mut custom: Vec<Row> = definitions
            .values()
            .flat_map(|entry| entry.rows.iter().copied())
            .collect();
        custom.sort_by(|one, other| {
            (one.group, one.plural)
                .cmp(&(other.group, other.plural))
                .then_with(|| kinds::compare_versions(one.version, other.version))
        });
        let mut snapshot = Self {
            generation,
            definitions,
            ..Self::default()
        };
        for row in &custom {
            snapshot.by_path.insert((row.group, row.version, row.plural), row);
            snapshot.of_object.insert((row.api_version, row.kind), row);
            let mut names = vec![
                row.kind.to_ascii_lowercase(),
                row.plural.to_owned(),
                row.singular.to_owned(),
            ];
            names.extend(row.short_names.iter().map(|name| (*name).to_owned()));
            names.sort();
            names.dedup();
            for name in names {
                snapshot.named.entry(name).or_default().push(row);
            }
        }
        snapshot.custom = custom;
        snapshot
    }

    /// Counts the changes of what is served.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Every kind: built-in ones in the order of the table, custom ones by name, the preferred version first.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        BUILT_IN.iter().copied().chain(self.custom.iter().copied())
    }

    /// The custom kinds alone.
    #[must_use]
    pub fn custom(&self) -> &[Row] {
        &self.custom
    }

    /// Finds a kind by what people call it; see [`kinds::find`].
    #[must_use]
    pub fn find(&self, api_version: &str, name: &str) -> Option<Row> {
        if let Some(row) = kinds::find(api_version, name) {
            return Some(row);
        }
        let (api_version, name) = match name.rsplit_once('/') {
            Some((prefix, rest)) if api_version.is_empty() || api_version == prefix => (prefix, rest),
            Some(_) => return None,
            None => (api_version, name),
        };
        let fits = |row: &&Row| api_version.is_empty() || row.api_version == api_version;
        let named = |name: &str| {
            let rows = self.named.get(&name.to_ascii_lowercase());
            rows.map(Vec::as_slice).unwrap_or_default()
        };
        if let Some(row) = named(name).iter().find(fits) {
            return Some(row);
        }
        let (plural, group) = name.split_once('.')?;
        let found = named(plural).iter().filter(fits).find(|row| {
            let versioned = group
                .strip_prefix(row.version)
                .and_then(|rest| rest.strip_prefix('.'));
            row.group == group || versioned == Some(row.group)
        });
        found.copied()
    }

    /// Every version of the objects of a kind, built-in ones in the order of the table, custom ones by preference.
    #[must_use]
    pub fn versions(&self, of: Row) -> Vec<Row> {
        self.rows().filter(|row| row.storage() == of.storage()).collect()
    }

    /// Finds the kind that a REST path names.
    #[must_use]
    pub fn by_path(&self, group: &str, version: &str, plural: &str) -> Option<Row> {
        kinds::by_path(group, version, plural)
            .or_else(|| self.by_path.get(&(group, version, plural)).copied())
    }

    /// Finds the kind of an object's `apiVersion` and `kind`.
    #[must_use]
    pub fn of_object(&self, api_version: &str, kind: &str) -> Option<Row> {
        kinds::of_object(api_version, kind).or_else(|| self.of_object.get(&(api_version, kind)).copied())
    }

    /// Finds the stored kind of a key in the store.
    #[must_use]
    pub fn of_key(&self, key: &str) -> Option<Row> {
        kinds::of_key(key).or_else(|| {
            let mut entries = self.definitions.values();
            let found = entries.find(|entry| key.starts_with(entry.storage.store_prefix));
            found.map(|entry| entry.storage)
        })
    }

    /// Whether anything is served in this version of this group.
    #[must_use]
    pub fn is_version(&self, group: &str, version: &str) -> bool {
        kinds::is_version(group, version) || {
            let first = self.by_path.range((group, version, "")..).next();
            first.is_some_and(|((own, served, _), _)| *own == group && *served == version)
        }
    }

    /// Whether anything is served in this group.
    #[must_use]
    pub fn is_group(&self, group: &str) -> bool {
        self.rows().any(|row| row.group == group)
    }

    /// The stored row of a definition that is served.
    #[must_use]
    pub fn storage_of(&self, definition: &str) -> Option<Row> {
        self.definitions.get(definition).map(|entry| entry.storage)
    }

    /// The first name of a definition that another one of its group has already.
    pub(super) fn taken(&self, object: &CustomResourceDefinition) -> Option<Taken> {
        let own_name = object.metadata.name.as_deref().unwrap_or_default();
        let (names, group) = (&object.spec.names, object.spec.group.as_str());
        let mut resources: Vec<&str> = Vec::new();
        let mut kinds: Vec<&str> = Vec::new();
        let others = self
            .definitions
            .iter()
            .filter(|(name, entry)| *name != own_name && entry.group == group);
        for (_, Entry { names, .. }) in others {
            resources.push(&names.plural);
            resources.extend(names.singular.as_deref());
            resources.extend(names.short_names.iter().flatten().map(String::as_str));
            kinds.push(&names.kind);
            kinds.extend(names.list_kind.as_deref());
        }
        for row in BUILT_IN.iter().filter(|row| row.group == group) {
            resources.extend([row.plural, row.singular]);
            kinds.push(row.kind);
        }
        let short_names = names
            .short_names
            .iter()
            .flatten()
            .map(|name| ("ShortNamesConflict", name.as_str()));
        let singular = names.singular.as_deref().map(|name| ("SingularConflict", name));
        let wanted = [("PluralConflict", names.plural.as_str())];
        let resource = wanted
            .into_iter()
            .chain(singular)
            .chain(short_names)
            .find(|(_, name)| resources.contains(name));
        let list = names.list_kind.as_deref().map(|name| ("ListKindConflict", name));
        let kind = [("KindConflict", names.kind.as_str())]
            .into_iter()
            .chain(list)
            .find(|(_, name)| kinds.contains(name));
        let (reason, name) = resource.or(kind)?;
        Some(Taken {
            reason,
            name: name.to_owned(),
        })
    }
}
