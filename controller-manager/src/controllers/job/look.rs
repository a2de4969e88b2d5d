//! What a Job's pods amount to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    indexes::Indexes,
    policy::{self, Verdict},
};
use crate::view::{Job, Phase, Pod};

/// A Job and its pods, counted.
pub(super) struct Look<'a> {
    pub(super) job: &'a Job,
    pub(super) pods: &'a [Arc<Pod>],
    pub(super) active: Vec<&'a Arc<Pod>>,
    pub(super) ready: usize,
    /// Being deleted, and not ended yet.
    pub(super) terminating: usize,
    /// Ended, and not in the status yet.
    pub(super) new_succeeded: Vec<&'a Pod>,
    pub(super) new_failed: Vec<&'a Pod>,
    /// Everything that the status and the pods tell.
    pub(super) succeeded: usize,
    pub(super) failed: usize,
    /// Of Jobs whose pods have numbers; empty for others.
    pub(super) completed: Indexes,
    pub(super) failed_indexes: Indexes,
    /// The last failed pod of each number that will be tried again. It is kept until there is another.
    pub(super) retried: BTreeMap<u32, &'a Pod>,
}

impl<'a> Look<'a> {
    pub(super) fn new(job: &'a Job, pods: &'a [Arc<Pod>]) -> Self {
        let mut look = Self {
            job,
            pods,
            active: pods.iter().filter(|pod| pod.is_active()).collect(),
            ready: 0,
            terminating: pods
                .iter()
                .filter(|pod| pod.meta.is_deleting() && !pod.is_finished())
                .count(),
            new_succeeded: Vec::new(),
            new_failed: Vec::new(),
            succeeded: 0,
            failed: 0,
            completed: Indexes::parse(&job.status.completed_indexes, limit(job)),
            failed_indexes: Indexes::default(),
            retried: BTreeMap::new(),
        };
        look.ready = look.active.iter().filter(|pod| pod.ready).count();
        look.count();
        if job.spec.backoff_limit_per_index.is_some() {
            look.judge_indexes();
        }
        look
    }

    fn count(&mut self) {
        let uncounted = self
            .job
            .status
            .uncounted_terminated_pods
            .clone()
            .unwrap_or_default();
        let known: BTreeSet<&str> = uncounted
            .succeeded
            .iter()
            .chain(&uncounted.failed)
            .map(|uid| &**uid)
            .collect();
        let mut indexes = BTreeSet::new();
        for pod in self
            .pods
            .iter()
            .filter(|pod| pod.is_tracked() && !known.contains(&*pod.meta.uid))
        {
            let index = self.valid_index(pod);
            if self.job.is_indexed() && index.is_none() {
                continue;
            }
            if pod.phase == Phase::Succeeded {
                match index.filter(|_| self.job.is_indexed()) {
                    Some(index) if self.completed.contains(index) => {}
                    Some(index) => drop(indexes.insert(index)),
                    None => self.new_succeeded.push(pod),
                }
            } else if self.is_failed(pod) && policy::judge(self.job, pod) != Verdict::Ignore {
                self.new_failed.push(pod);
            }
        }
        let counted = |number: i32| usize::try_from(number).unwrap_or(0);
        let status = &self.job.status;
        self.failed = counted(status.failed) + uncounted.failed.len() + self.new_failed.len();
        if self.job.is_indexed() {
            self.completed = self.completed.with(indexes);
            self.succeeded = self.completed.len();
        } else {
            self.succeeded = counted(status.succeeded) + uncounted.succeeded.len() + self.new_succeeded.len();
        }
    }

    /// Which numbers have failed for good, and which will be tried again.
    fn judge_indexes(&mut self) {
        let known = self.job.status.failed_indexes.as_deref().unwrap_or_default();
        let known = Indexes::parse(known, limit(self.job));
        let most = self.job.spec.backoff_limit_per_index.unwrap_or(u32::MAX);
        let failed = self
            .pods
            .iter()
            .filter(|pod| pod.is_tracked() && self.is_failed(pod));
        let mut given_up = Vec::new();
        let mut last: BTreeMap<u32, &'a Pod> = BTreeMap::new();
        for pod in failed {
            let Some(index) = self.valid_index(pod) else {
                continue;
            };
            let spent = pod.of_job.as_ref().is_some_and(|own| own.failures >= most);
            match policy::judge(self.job, pod) {
                Verdict::FailIndex => given_up.push(index),
                Verdict::Count | Verdict::FailJob(_) if spent => given_up.push(index),
                _ => {}
            }
            let newer = |known: &&Pod| (tries(pod), finished_at(pod)) > (tries(known), finished_at(known));
            if last.get(&index).is_none_or(newer) {
                last.insert(index, pod);
            }
        }
        self.failed_indexes = known.with(
            given_up
                .into_iter()
                .filter(|index| !self.completed.contains(*index)),
        );
        for pod in self.pods.iter().filter(|pod| !self.is_failed(pod)) {
            if let Some(index) = self.valid_index(pod)
                && last.get(&index).is_some_and(|failed| tries(pod) > tries(failed))
            {
                last.remove(&index);
            }
        }
        last.retain(|index, _| !self.completed.contains(*index) && !self.failed_indexes.contains(*index));
        self.retried = last;
    }

    /// Its number, where the Job has such a one.
    pub(super) fn valid_index(&self, pod: &Pod) -> Option<u32> {
        pod.index().filter(|index| *index < limit(self.job))
    }

    /// It failed, or was deleted and nobody waits for its end. One that no node has will not end by itself.
    pub(super) fn is_failed(&self, pod: &Pod) -> bool {
        let waits = self.job.replaces_only_failed() && !pod.node.is_empty();
        pod.phase == Phase::Failed || (pod.meta.is_deleting() && pod.phase != Phase::Succeeded && !waits)
    }
}

/// Numbers of pods are below this.
pub(super) fn limit(job: &Job) -> u32 {
    job.spec
        .completions
        .and_then(|own| u32::try_from(own).ok())
        .unwrap_or(0)
}

/// How many pods of its number ended before this one.
pub(super) fn tries(pod: &Pod) -> u32 {
    pod.of_job
        .as_ref()
        .map_or(0, |own| own.failures.saturating_add(own.ignored))
}

/// When a pod that will do nothing more stopped.
pub(super) fn finished_at(pod: &Pod) -> Timestamp {
    let told = pod.of_job.as_ref().and_then(|own| own.finished_at);
    told.or(pod.meta.deleting).unwrap_or(pod.meta.created)
}
