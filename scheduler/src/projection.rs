//! What the scheduler keeps of pods and nodes, read straight from their JSON.
//!
//! A pod that is bound keeps only its load on the node (at most 400 bytes with everything it points to); what it
//! once required is forgotten. Only pods that still wait carry their whole [`Requirements`].
//!
//! Names and namespaces are left to the cache's keys.

mod node;
mod pod;
mod requests;
mod storage;
#[cfg(test)]
mod tests;

pub use node::{Allocatable, Node};
pub use pod::{Condition, Pod, State, Unbound};
pub(crate) use storage::SELECTED_NODE;
pub use storage::{Budget, Namespace};

use std::borrow::Cow;

use serde::Deserialize;

/// A text that borrows from the JSON where nothing in it is escaped, also inside lists and maps.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Text<'_>> for Box<str> {
    fn from(text: Text<'_>) -> Self {
        text.0.into_owned().into_boxed_str()
    }
}

/// Labels sorted by key, as [`crate::requirements::label`] wants them.
fn labels(map: std::collections::BTreeMap<Text<'_>, Text<'_>>) -> Box<[crate::requirements::Label]> {
    map.into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}
