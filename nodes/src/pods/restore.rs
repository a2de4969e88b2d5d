//! Taking pods on again after the node's process died, which to them is a machine that rebooted.
//!
//! A pod keeps its UID, address, logs and emptyDirs; what was running has ended with code 255 and starts again with
//! its restart count raised. The node's own record decides; where it is missing (a new data directory), what was
//! reported to the apiserver last does.

use std::sync::Arc;

use super::{
    Moment,
    container::{Container, LOST, State, Termination, Waiting, Waits, restarts},
    view::{LastContainer, PodView},
    worker::{Stage, Worker},
};
use crate::state::{ContainerRecord, PodRecord};

impl Worker {
    /// The pod as it comes out of a reboot.
    #[must_use]
    pub fn restored(pod: Arc<PodView>, record: Option<&PodRecord>, waits: Waits, now: Moment) -> Self {
        let status = &pod.status;
        let was_finished = matches!(&*status.phase, "Succeeded" | "Failed");
        let (finished, records, started_at) = match record {
            Some(record) => (
                record.finished || was_finished,
                record.containers.clone(),
                Some(record.started_at),
            ),
            None => (was_finished, reported(&pod, now), status.start_time),
        };
        let mut worker = Self::new(pod, waits, now);
        worker.started_at = started_at.unwrap_or(now.wall);
        if finished {
            worker.stage = Stage::Finished;
            worker.ip = record.map(|record| record.ip);
            worker.changed = !was_finished;
        }
        let policy = worker.pod.spec.restart_policy;
        let init_count = worker.init_count();
        for (at, (container, record)) in worker.containers.iter_mut().zip(&records).enumerate() {
            // Init containers prepare what was lost with the machine, so they run again.
            let stays = finished
                || (at >= init_count && record.ended.is_some_and(|ended| !restarts(policy, ended.0)));
            let starts_again = at < init_count || restarts(policy, LOST);
            restore(container, record, stays, starts_again, now);
        }
        worker
    }

    /// What to remember of the pod.
    #[must_use]
    pub fn record(&self) -> Option<PodRecord> {
        let containers = self.containers.iter().map(|container| {
            let ended = container.ended().or(container.last.as_deref());
            let running_since = match container.state {
                State::Running(since) | State::Stopping(since) => Some(since.wall),
                _ => None,
            };
            ContainerRecord {
                instance: container.instance,
                running_since,
                ended: ended.map(|ended| (ended.exit_code, ended.started_at, ended.finished_at)),
            }
        });
        Some(PodRecord {
            uid: Arc::clone(&self.pod.metadata.uid),
            node: self.pod.spec.node_name.clone(),
            ip: self.ip?,
            started_at: self.started_at,
            finished: self.stage == Stage::Finished,
            containers: containers.collect(),
        })
    }
}

fn restore(
    container: &mut Container,
    record: &ContainerRecord,
    stays: bool,
    starts_again: bool,
    now: Moment,
) {
    let ended = record
        .ended
        .map(|(code, started, finished)| Termination::new(code, started, finished));
    container.instance = record.instance;
    match (record.running_since, ended) {
        (Some(since), _) if starts_again => {
            container.last = Some(Box::new(Termination::lost(since, now.wall)))
        }
        (Some(since), _) => container.state = State::Ended(Termination::lost(since, now.wall)),
        (None, Some(ended)) if stays => container.state = State::Ended(ended),
        (None, ended) => container.last = ended.map(Box::new),
    }
    if let State::Waiting(waiting) = &mut container.state {
        *waiting = Waiting {
            reason: waiting.reason,
            ..Waiting::creating()
        };
    }
}

/// The records that the reported status amounts to.
fn reported(pod: &PodView, now: Moment) -> Vec<ContainerRecord> {
    let record = |name: &str, last: &[LastContainer]| {
        let Some(last) = last.iter().find(|last| *last.name == *name) else {
            return ContainerRecord::default();
        };
        let start = pod.status.start_time.unwrap_or(now.wall);
        let ended = last
            .state
            .terminated
            .as_ref()
            .map(|ended| (ended.exit_code, start, now.wall));
        let ran = !last.container_id.is_empty() && ended.is_none();
        ContainerRecord {
            instance: last.restart_count,
            running_since: ran.then_some(start),
            ended,
        }
    };
    let (spec, status) = (&pod.spec, &pod.status);
    let init = spec
        .init_containers
        .iter()
        .map(|container| record(&container.name, &status.init_container_statuses));
    init.chain(
        spec.containers
            .iter()
            .map(|container| record(&container.name, &status.container_statuses)),
    )
    .collect()
}
