//! Owners that are known to be gone, so that a thousand dependents cost one look.

use std::collections::{BTreeSet, VecDeque};

use coracle_api::Resource;

use crate::view::Owner;

/// Owners that are remembered; the oldest are forgotten and looked up again when needed.
const GONE_MAX: usize = 4_096;

/// Where an owner was looked for. The UID alone would not do: somebody may name the UID of a living object together with
/// a wrong name, kind or namespace, and that there is none in that place says nothing of the living one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    uid: Box<str>,
    api_version: &'static str,
    kind: &'static str,
    namespace: Box<str>,
    name: Box<str>,
}

impl Place {
    pub(super) fn of(resource: &'static Resource, namespace: &str, owner: &Owner) -> Self {
        Self {
            uid: owner.uid.clone(),
            api_version: resource.api_version(),
            kind: resource.kind,
            namespace: namespace.into(),
            name: owner.name.clone(),
        }
    }
}

/// A bounded memory of places that were found empty. A UID never comes back, so they stay so.
#[derive(Default)]
pub(super) struct Gone {
    places: BTreeSet<Place>,
    order: VecDeque<Place>,
}

impl Gone {
    pub(super) fn contains(&self, place: &Place) -> bool {
        self.places.contains(place)
    }

    pub(super) fn remember(&mut self, place: Place) {
        if !self.places.insert(place.clone()) {
            return;
        }
        self.order.push_back(place);
        if self.order.len() > GONE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
    }
}
