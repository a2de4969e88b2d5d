//! Custom kinds, as far as controllers that treat all kinds alike need them: the garbage collector and the namespace
//! controller.
//!
//! Two sorts of rows are made at run time and kept for ever, one for each definition and one for each kind that an owner
//! reference names, at most [`MAX_KINDS`] in all. They know names only: the API finds a kind by the name of its
//! definition as well as by `apiVersion` and kind. Which kinds there are is told by the watch of the definitions.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use coracle_api::kinds::{self, ALL_VERBS, RESOURCES, Resource};
use coracle_api::object::Custom;
use coracle_service::Shutdown;
use parking_lot::{Mutex, RwLock};

use crate::view::Bare;
use crate::world::{AnyKind, Kind, World};

/// Rows that a process makes at most; further kinds are left alone.
const MAX_KINDS: usize = 4_096;

type Row = &'static Resource;

/// `apiVersion` and kind; a definition's row has no `apiVersion` and its name for a kind.
type Names = (Box<str>, Box<str>);

static ROWS: RwLock<BTreeMap<Names, Row>> = RwLock::new(BTreeMap::new());

/// The kind that an owner reference names; `None` where it cannot be one that is served.
pub(crate) fn of_owner(api_version: &str, kind: &str) -> Option<Row> {
    let known = kinds::of_object(api_version, kind);
    // Groups of definitions have a dot, and ours are known.
    known.or_else(|| {
        api_version
            .contains('.')
            .then(|| row(api_version, kind))
            .flatten()
    })
}

/// Whether the row was made here.
pub(crate) fn is_custom(resource: &Resource) -> bool {
    resource.place >= RESOURCES.len()
}

/// The row of these names.
pub(crate) fn row(api_version: &str, kind: &str) -> Option<Row> {
    let names = (Box::from(api_version), Box::from(kind));
    if let Some(row) = ROWS.read().get(&names) {
        return Some(row);
    }
    let mut rows = ROWS.write();
    if let Some(row) = rows.get(&names) {
        return Some(row);
    }
    if rows.len() >= MAX_KINDS {
        return None;
    }
    let leak = |text: &str| -> &'static str { Box::leak(Box::from(text)) };
    let kind = leak(kind);
    let row: Row = Box::leak(Box::new(Resource {
        place: RESOURCES.len() + rows.len(),
        group: "",
        version: "",
        kind,
        plural: kind,
        singular: kind,
        short_names: &[],
        categories: &[],
        // The API ignores the namespace where there is none.
        namespaced: true,
        verbs: ALL_VERBS,
        subresources: &[],
        selectable_fields: &[],
        store_prefix: "",
        api_version: leak(api_version),
        stored_as: None,
        decode: Custom::not_typed,
    }));
    rows.insert(names, row);
    Some(row)
}

/// Told of every custom kind that is watched from now on.
type Follower = Box<dyn Fn(&Arc<dyn AnyKind>) + Send + Sync>;

/// A kind, and what ends its watch.
type Watched = (Arc<dyn AnyKind>, Shutdown);

/// The custom kinds that are watched.
#[derive(Default)]
pub(crate) struct CustomKinds {
    watched: RwLock<BTreeMap<Box<str>, Watched>>,
    followers: Mutex<Vec<Follower>>,
    running: OnceLock<Shutdown>,
}

impl CustomKinds {
    /// The kinds that are watched at the moment.
    pub(crate) fn all(&self) -> Vec<Arc<dyn AnyKind>> {
        self.watched
            .read()
            .values()
            .map(|(kind, _)| Arc::clone(kind))
            .collect()
    }

    /// Tells `follower` of every kind that comes.
    pub(crate) fn follow(&self, follower: Follower) {
        self.followers.lock().push(follower);
    }

    /// The rows of the definitions that `world` shows.
    pub(crate) fn rows(world: &World) -> Vec<Row> {
        let definitions = world.kind(kinds::CUSTOM_RESOURCE_DEFINITION);
        let keys = definitions.map(|kind| kind.keys()).unwrap_or_default();
        keys.iter().filter_map(|key| row("", key.name())).collect()
    }

    /// Watches the objects of every definition from now on, until it is gone.
    pub(crate) fn start(world: &Arc<World>, shutdown: &Shutdown) {
        let _ = world.custom.running.set(shutdown.child());
        let Some(definitions) = world.kind(kinds::CUSTOM_RESOURCE_DEFINITION) else {
            return;
        };
        let weak = Arc::downgrade(world);
        definitions.subscribe(Box::new(move |old, new| {
            let Some(world) = weak.upgrade() else { return };
            match (old, new) {
                (_, Some(new)) => world.custom.add(&world, &new.name),
                (Some(old), None) => world.custom.remove(&old.name),
                (None, None) => {}
            }
        }));
    }

    fn add(&self, world: &World, name: &str) {
        let Some(running) = self.running.get() else { return };
        if self.watched.read().contains_key(name) {
            return;
        }
        let Some(row) = row("", name) else {
            return tracing::warn!(name, "watch custom kind: there are too many");
        };
        let kind: Arc<dyn AnyKind> = Arc::new(Kind::<Bare>::new(row));
        let until = running.child();
        for follower in self.followers.lock().iter() {
            follower(&kind);
        }
        kind.start(world, &until);
        self.watched.write().insert(name.into(), (kind, until));
    }

    fn remove(&self, name: &str) {
        if let Some((_, until)) = self.watched.write().remove(name) {
            until.trigger();
        }
    }
}
