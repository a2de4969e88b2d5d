//! Which endpoints a connection tries, in which order. Source: the pages on virtual IPs and service proxies, and on
//! topology aware routing of the Kubernetes documentation.

use crate::table::Backend;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scope<'a> {
    /// The node that the connection must stay on, where the traffic policy says so.
    pub only_node: Option<&'a str>,
    /// The zone that it comes from; empty where it is in none.
    pub zone: &'a str,
    /// Whose turn it is.
    pub turn: usize,
}

/// The backends to try, the best first; none where the Service has nobody to answer.
#[must_use]
pub fn candidates<'a>(backends: &'a [Backend], scope: &Scope<'_>) -> Vec<&'a Backend> {
    let reachable = |backend: &&Backend| scope.only_node.is_none_or(|node| &*backend.node == node);
    let mut chosen: Vec<&Backend> = backends
        .iter()
        .filter(reachable)
        .filter(|backend| backend.ready)
        .collect();
    if chosen.is_empty() {
        // Those that are ending still answer, which is better than nobody.
        let ending = |backend: &&Backend| backend.serving && backend.terminating;
        chosen = backends.iter().filter(reachable).filter(ending).collect();
    }
    prefer_zone(&mut chosen, scope.zone);
    if !chosen.is_empty() {
        let first = scope.turn % chosen.len();
        chosen.rotate_left(first);
    }
    chosen
}

/// Keeps those meant for the zone, where all say whom they are meant for and one is meant for it.
fn prefer_zone(chosen: &mut Vec<&Backend>, zone: &str) {
    let meant = |backend: &&Backend| backend.zones.iter().any(|own| &**own == zone);
    let all_say = chosen.iter().all(|backend| !backend.zones.is_empty());
    if !zone.is_empty() && all_say && chosen.iter().any(meant) {
        chosen.retain(|backend| meant(backend));
    }
}
