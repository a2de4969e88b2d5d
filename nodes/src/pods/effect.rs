//! What a pod's worker says should be done.

use std::time::Duration;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Give it an address and its volumes, then call `prepared` or `not_prepared`.
    Prepare,
    /// Start a container, then call `started`, `cannot_start` or `ended`.
    Start(usize),
    /// Ask a container to end within a time, then call `ended`.
    Stop(usize, Duration),
    /// Remove the pod's object.
    Remove,
    /// Tell people.
    Event(Note),
}

/// An event about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Whether it is a warning.
    pub warning: bool,
    /// In one CamelCase word.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Effect {
    /// A normal event.
    #[must_use]
    pub fn normal(reason: &'static str, message: String) -> Self {
        Self::Event(Note {
            warning: false,
            reason,
            message,
        })
    }

    /// A warning.
    #[must_use]
    pub fn warning(reason: &'static str, message: String) -> Self {
        Self::Event(Note {
            warning: true,
            reason,
            message,
        })
    }
}
