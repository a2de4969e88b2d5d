//! Keeps pods out of the queue until somebody has taken away all their scheduling gates.

use crate::{framework::PreEnqueue, projection::Unbound};

/// spec.schedulingGates. The apiserver says in the pod's condition that it is gated.
pub struct SchedulingGates;

impl PreEnqueue for SchedulingGates {
    fn name(&self) -> &'static str {
        "SchedulingGates"
    }

    fn admits(&self, pod: &Unbound) -> bool {
        !pod.is_gated
    }
}
