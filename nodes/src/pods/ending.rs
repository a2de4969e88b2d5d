//! How a pod comes to its end: because it was deleted, or because its containers are done.

use std::time::Duration;

use super::{
    Moment,
    container::{Container, State},
    effect::Effect,
    worker::{Stage, Worker},
};

/// The grace period of a pod that names none, in seconds.
pub(super) const DEFAULT_GRACE_SECONDS: u32 = 30;

impl Worker {
    pub(super) fn terminate(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if !matches!(self.stage, Stage::Terminating | Stage::Gone) {
            self.stage = Stage::Terminating;
            let grace = self.grace();
            for at in 0..self.containers.len() {
                if self.containers[at].is_live() {
                    out.push(Effect::normal(
                        "Killing",
                        format!("Stopping container {}", self.spec(at).name),
                    ));
                    self.stop(at, grace, now, out);
                }
            }
        }
        if self.stage == Stage::Terminating && !self.containers.iter().any(Container::is_live) {
            self.stage = Stage::Gone;
            self.changed = true;
            out.push(Effect::Remove);
        }
    }

    /// The whole grace period, from now on: it is not compared with a timestamp of the apiserver's clock, which may
    /// differ. After a reboot nothing runs that could take it a second time.
    fn grace(&self) -> Duration {
        let seconds = self.pod.metadata.deletion_grace_period_seconds;
        let seconds = seconds.or(self.pod.spec.termination_grace_period_seconds);
        Duration::from_secs(u64::from(seconds.unwrap_or(DEFAULT_GRACE_SECONDS)))
    }

    pub(super) fn stop(&mut self, at: usize, grace: Duration, now: Moment, out: &mut Vec<Effect>) {
        let container = &mut self.containers[at];
        let since = match container.state {
            State::Running(since) => since,
            State::Starting => now,
            // It has been asked already, and hears of a shorter time all the same.
            State::Stopping(since) => since,
            State::Waiting(_) | State::Ended(_) => return,
        };
        container.state = State::Stopping(since);
        out.push(Effect::Stop(at, grace));
    }

    /// Stops a container within the grace period that its pod names.
    pub(super) fn stop_with_own_grace(&mut self, at: usize, now: Moment, out: &mut Vec<Effect>) {
        let seconds = self.pod.spec.termination_grace_period_seconds;
        let grace = Duration::from_secs(u64::from(seconds.unwrap_or(DEFAULT_GRACE_SECONDS)));
        self.stop(at, grace, now, out);
    }

    /// The pod will not run any more by itself; sidecars end with it.
    pub(super) fn finish(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let grace = Duration::from_secs(u64::from(
            self.pod
                .spec
                .termination_grace_period_seconds
                .unwrap_or(DEFAULT_GRACE_SECONDS),
        ));
        let sidecars: Vec<usize> = (0..self.init_count())
            .filter(|&at| self.containers[at].is_running())
            .collect();
        for at in sidecars {
            self.stop(at, grace, now, out);
        }
        self.stage = Stage::Finished;
        (self.changed, self.unsaved) = (true, true);
    }
}
