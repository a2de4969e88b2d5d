//! Which objects a list or watch is about, judged by attributes alone.

use std::borrow::Cow;

use coracle_api::{FieldSelector, LabelSelector};

use super::{Attributes, Change, Entry, Event, EventKind};

/// Namespace, labels, fields and nodes together.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Empty for all namespaces.
    pub namespace: String,
    /// Which labels.
    pub labels: LabelSelector,
    /// Which fields.
    pub fields: FieldSelector,
    /// Pods bound to one of these nodes, sorted; empty for all.
    pub node_names: Vec<String>,
}

impl Filter {
    /// Whether the object is meant.
    #[must_use]
    pub fn matches(&self, object: &Attributes) -> bool {
        (self.namespace.is_empty() || *self.namespace == *object.namespace)
            && self.is_on_nodes(object)
            && self.labels.matches(object)
            && self
                .fields
                .matches(|field| Some(Cow::Borrowed(object.field(field))))
    }

    fn is_on_nodes(&self, object: &Attributes) -> bool {
        let node = object.field("spec.nodeName");
        self.node_names.is_empty() || self.node_names.binary_search_by(|own| (**own).cmp(node)).is_ok()
    }

    /// The change as a watcher with this filter sees it: an object that comes to match is ADDED, one that no longer
    /// matches is DELETED, with its last matching state.
    pub(super) fn see(&self, change: &Change) -> Option<Event> {
        let before = change
            .previous
            .as_ref()
            .filter(|previous| self.matches(&previous.attributes));
        let matches_now = !change.deleted && self.matches(&change.entry.attributes);
        let (kind, entry) = match (before, matches_now) {
            (None, false) => return None,
            (None, true) => (EventKind::Added, change.entry.clone()),
            (Some(_), true) => (EventKind::Modified, change.entry.clone()),
            (Some(_), false) if change.deleted => (EventKind::Deleted, change.entry.clone()),
            (Some(previous), false) => (EventKind::Deleted, change.left(previous)),
        };
        Some(Event {
            kind,
            revision: change.revision,
            entry: Some(entry),
        })
    }
}

impl Change {
    /// The previous state as a watcher sees it whose selector the object left: at this change's revision.
    fn left(&self, previous: &Entry) -> Entry {
        let json = self.left.get_or_init(|| {
            coracle_api::encode::strip_resource_version(&previous.json).map_or_else(
                || previous.json.clone(),
                |(canonical, _)| canonical.at_revision(self.revision),
            )
        });
        Entry {
            revision: self.revision,
            json: json.clone(),
            ..previous.clone()
        }
    }
}
