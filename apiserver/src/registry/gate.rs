//! What the registry asks of the locked door, beyond whether a request may be made at all.
//!
//! Doors ask that before they come here. What only the object itself can tell (whether a role grants more than its
//! writer has, whether a node writes about itself) is asked when the object is complete.

use std::sync::Arc;

use coracle_api::{ApiError, Object};

use super::{
    Context, Entry, Registry, Write, Written,
    plan::{Change, Plan},
};

/// See the module. Everything here is synchronous: it is part of planning a write.
pub trait Gate: Send + Sync {
    /// Whether the caller may make a write that no door has judged: one document of a manifest.
    ///
    /// # Errors
    /// Forbidden.
    fn allow(&self, ctx: &Context, write: &Write) -> Result<(), ApiError>;

    /// The answer to a create that keeps nothing (a review, a request for a token); `None` for every other write.
    fn answer(&self, ctx: &Context, write: &Write) -> Option<Result<Written, ApiError>>;

    /// Judges what is to be stored by who stores it, and completes what only the caller's identity tells. `old` is what
    /// it replaces.
    ///
    /// # Errors
    /// Forbidden.
    fn admit(&self, ctx: &Context, object: &mut dyn Object, old: Option<&Entry>) -> Result<(), ApiError>;
}

impl Registry {
    /// Sets who is asked; once, before the first request. Without a gate everything may be stored, and reviews cannot
    /// be answered.
    pub fn set_gate(&self, gate: Arc<dyn Gate>) {
        if self.gate.set(gate).is_err() {
            tracing::error!("the registry has a gate already");
        }
    }

    /// Asks the gate whether the caller may make a write.
    pub(super) fn allow_at_gate(&self, ctx: &Context, write: &Write) -> Result<(), ApiError> {
        self.gate.get().map_or(Ok(()), |gate| gate.allow(ctx, write))
    }

    /// The answer to a write that keeps nothing.
    pub(super) fn plan_answer(&self, ctx: &Context, write: &Write) -> Option<Result<Plan, ApiError>> {
        let answer = self.gate.get()?.answer(ctx, write)?;
        Some(answer.map(Plan::Done))
    }

    /// Asks the gate about what a plan will store.
    pub(super) fn admit_at_gate(
        &self,
        ctx: &Context,
        object: &mut dyn Object,
        change: &Change<'_>,
    ) -> Result<(), ApiError> {
        let old = match change {
            Change::Create { .. } => None,
            Change::Replace { current, .. } => Some(&current.entry),
            Change::Remove { .. } => return Ok(()),
        };
        match self.gate.get() {
            Some(gate) => gate.admit(ctx, object, old),
            None => Ok(()),
        }
    }
}
