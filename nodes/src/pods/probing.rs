//! What answers of probes mean for a pod.

use std::time::Duration;

use super::{Moment, container::Tally, effect::Effect, ending::DEFAULT_GRACE_SECONDS, worker::Worker};
use crate::probes::ProbeKind;

/// Failures in a row that count as failure where the probe does not say.
const FAILURE_THRESHOLD: u32 = 3;

impl Worker {
    /// Whether a probe of an instance should go on; `None` where there is nothing to be asked any more.
    #[must_use]
    pub fn wants_probe(&self, at: usize, instance: u32, kind: ProbeKind) -> Option<bool> {
        let container = self.containers.get(at)?;
        let current = container.instance == instance && container.is_running();
        match kind {
            _ if !current => None,
            ProbeKind::Startup => (!container.started).then_some(true),
            ProbeKind::Liveness | ProbeKind::Readiness => Some(container.started),
        }
    }

    /// A probe was answered, well or not.
    pub fn probed(
        &mut self,
        at: usize,
        instance: u32,
        kind: ProbeKind,
        answer: Result<(), String>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        let spec = self.spec(at);
        let (Some(true), Some(probe)) = (self.wants_probe(at, instance, kind), kind.of(spec)) else {
            return;
        };
        let success_threshold = probe.success_threshold.max(1);
        let failure_threshold = if probe.failure_threshold == 0 {
            FAILURE_THRESHOLD
        } else {
            probe.failure_threshold
        };
        let has_readiness = ProbeKind::Readiness
            .of(spec)
            .is_some_and(|probe| probe.question(spec).is_some());
        let name = spec.name.clone();
        let container = &mut self.containers[at];
        let tally = &mut container.probes[kind as usize];
        match &answer {
            Ok(()) => {
                *tally = Tally {
                    successes: tally.successes.saturating_add(1),
                    failures: 0,
                }
            }
            Err(_) => {
                *tally = Tally {
                    successes: 0,
                    failures: tally.failures.saturating_add(1),
                }
            }
        }
        let (succeeded, failed) = (
            tally.successes >= success_threshold,
            tally.failures >= failure_threshold,
        );
        let before = (container.started, container.ready);
        match kind {
            ProbeKind::Startup if succeeded => (container.started, container.ready) = (true, !has_readiness),
            ProbeKind::Readiness if succeeded => container.ready = true,
            ProbeKind::Readiness if failed => container.ready = false,
            _ => {}
        }
        self.changed |= before != (container.started, container.ready);
        if let Err(message) = answer {
            out.push(Effect::warning(
                "Unhealthy",
                format!("{} probe failed: {message}", kind.name()),
            ));
        }
        if failed && kind != ProbeKind::Readiness {
            let message = format!(
                "Container {name} failed {} probe, will be restarted",
                kind.name().to_lowercase()
            );
            out.push(Effect::normal("Killing", message));
            let grace = self
                .pod
                .spec
                .termination_grace_period_seconds
                .unwrap_or(DEFAULT_GRACE_SECONDS);
            self.stop(at, Duration::from_secs(u64::from(grace)), now, out);
        }
        self.advance(now, out);
    }
}
