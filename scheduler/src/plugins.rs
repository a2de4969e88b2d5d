//! The scheduling plugins, one a file, each named and worded as upstream's.
//!
//! What a plugin is, and in which phase it is asked what, stands in [`crate::framework`]. Upstream's NodeName is
//! missing because a pod that names its node is bound and never comes here.

pub mod balanced_allocation;
pub mod image_locality;
pub mod inter_pod_affinity;
pub mod least_allocated;
pub mod most_allocated;
pub mod node_affinity;
pub mod node_ports;
pub mod node_unschedulable;
pub mod node_volume_limits;
pub mod requested_to_capacity;
pub mod resources_fit;
pub mod scheduling_gates;
pub mod taint_toleration;
#[cfg(test)]
mod tests;
pub mod topology_spread;
pub mod volume_binding;
pub mod volume_restrictions;
pub mod volume_zone;

use crate::framework::{MAX_SCORE, Range};

/// Scales to the highest score of all nodes, as upstream's default normalization; `reverse` where less is better.
fn scale_to_max(score: i64, range: Range, reverse: bool) -> i64 {
    let scaled = if range.max == 0 {
        0
    } else {
        MAX_SCORE * score / range.max
    };
    if reverse { MAX_SCORE - scaled } else { scaled }
}
