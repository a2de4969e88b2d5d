//! [`Lookup`] over the watch cache.

use std::sync::Arc;

use coracle_api::{Resource, kinds};
use coracle_auth::{Found, Lookup};

use crate::{
    registry::Registry,
    watch::{Entry, Filter, WatchCache},
};

pub(super) struct CacheLookup {
    cache: Arc<WatchCache>,
}

impl CacheLookup {
    pub(super) fn new(registry: &Registry) -> Self {
        let cache = Arc::clone(registry.cache());
        Self { cache }
    }
}

/// The built-in kind of a group, which all have version `v1`.
pub(super) fn row(group: &str, plural: &str) -> Option<&'static Resource> {
    kinds::by_path(group, "v1", plural)
}

fn found(entry: &Entry) -> Found {
    Found {
        uid: entry.attributes.uid.to_string(),
        is_deleting: entry.attributes.deleting,
        json: entry.json.clone(),
    }
}

impl Lookup for CacheLookup {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Found> {
        let row = row(group, resource)?;
        self.cache
            .get(row, &row.store_key(namespace, name))
            .map(|entry| found(&entry))
    }

    fn node_of_pod(&self, namespace: &str, name: &str) -> Option<String> {
        let entry = self
            .cache
            .get(kinds::POD, &kinds::POD.store_key(namespace, name))?;
        Some(entry.attributes.field("spec.nodeName").to_owned())
    }

    fn list(&self, group: &str, resource: &str, namespace: &str, limit: usize) -> Vec<(String, Found)> {
        let filter = Filter {
            namespace: namespace.to_owned(),
            ..Filter::default()
        };
        let page = row(group, resource).and_then(|row| self.cache.list(row, &filter, None, limit, None));
        let entries = page.map(|page| page.entries).unwrap_or_default();
        entries
            .iter()
            .map(|entry| (entry.attributes.name.to_string(), found(entry)))
            .collect()
    }
}
