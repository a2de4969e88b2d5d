//! Pods that have a node and wait for their volumes: upstream's wait in the pre-bind phase, without holding anybody up.

use std::{sync::Arc, time::Duration};

use coracle_runtime::Key;

use super::{Outcome, Scheduler, Verdict};
use crate::{
    plugins::volume_binding::Step,
    projection::Pod,
    requirements::Class,
    storage::{Claim, claims_of},
};

/// How long a pod waits for its volumes before it is tried anew: upstream's bindTimeoutSeconds.
const BIND_TIMEOUT: Duration = Duration::from_secs(600);

/// A pod whose claims are being bound.
pub(super) struct Awaiting {
    pod: Arc<Pod>,
    node: Arc<str>,
    claims: Vec<Key>,
    deadline: Duration,
}

impl Awaiting {
    pub(super) fn new(pod: &Arc<Pod>, node: &Arc<str>, claims: &[(Key, Arc<Claim>)], now: Duration) -> Self {
        Self {
            pod: Arc::clone(pod),
            node: Arc::clone(node),
            claims: claims.iter().map(|(key, _)| key.clone()).collect(),
            deadline: now + BIND_TIMEOUT,
        }
    }

    /// When it has waited for too long.
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }
}

impl Scheduler {
    /// Keeps the volumes of these steps for their claims.
    pub(super) fn assume_volumes(&mut self, steps: &[Step]) {
        for step in steps {
            if let Step::Reserve { claim, volume } = step {
                self.snapshot.storage_mut().assume(volume, claim);
            }
        }
    }

    /// Nothing is kept for a pod's claims any more.
    pub(super) fn release_volumes(&mut self, class: &Class) {
        for claim in claims_of(&class.load) {
            self.snapshot.storage_mut().release(&claim);
        }
    }

    /// Binds pods whose claims are bound, and gives up on those that have waited for too long.
    pub(super) fn look_after_volumes(&mut self, now: Duration) -> Vec<Outcome> {
        let storage = self.snapshot.storage();
        let is_bound = |key: &Key| storage.claim(key).is_some_and(|claim| claim.is_bound);
        let ready = |awaiting: &Awaiting| awaiting.claims.iter().all(is_bound);
        let ready: Vec<Key> = (self.awaiting.iter())
            .filter(|(_, awaiting)| ready(awaiting))
            .map(|(key, _)| key.clone())
            .collect();
        let mut outcomes = Vec::new();
        for key in ready {
            if let Some(Awaiting { pod, node, .. }) = self.awaiting.remove(&key) {
                outcomes.push(Outcome {
                    key,
                    pod,
                    verdict: Verdict::Bind(node),
                });
            }
        }
        let late: Vec<(Key, Box<str>)> = (self.awaiting.iter())
            .filter(|(_, awaiting)| awaiting.deadline <= now)
            .map(|(key, awaiting)| (key.clone(), awaiting.pod.uid.clone()))
            .collect();
        for (key, uid) in late {
            tracing::warn!(pod = %key, "volumes were not bound in time, seek a node anew");
            self.refused(&key, &uid, now);
        }
        outcomes
    }
}
