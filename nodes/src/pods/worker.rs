//! One pod's life as a state machine: it is told what was observed, and says what to do next.
//!
//! No IO, no clock, no task: a [`Moment`] is passed in and [`Effect`]s come out, so that every path is tested as a
//! table. It is level-driven: [`Worker::advance`] may be called at any time and as often as one likes.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    Moment,
    container::{Container, Reason, State, Termination, Waiting, Waits, restarts},
    effect::Effect,
    view::{ContainerSpec, PodView, RestartPolicy},
};
use crate::probes::ProbeKind;

/// How long an image that could not be pulled is shown as such before its back-off is.
const PULL_ERROR_SHOWN: Duration = Duration::from_secs(1);

/// The waits between attempts to find a pod's address and volumes.
const PREPARE_WAITS: Waits = Waits {
    initial: Duration::from_millis(100),
    max: Duration::from_secs(5),
};
/// Attempts that may fail before anybody is told.
const QUIET_FAILURES: u32 = 2;

/// A pod on its node.
#[derive(Debug)]
pub struct Worker {
    /// The pod as the apiserver knows it.
    pub pod: Arc<PodView>,
    /// Its address, once it has one.
    pub ip: Option<Ipv4Addr>,
    /// When the node took it on.
    pub started_at: Timestamp,
    /// Where it is in its life.
    pub stage: Stage,
    /// Init containers, then the others, as in the spec.
    pub containers: Box<[Container]>,
    /// Since when init containers are done.
    pub initialized_at: Option<Timestamp>,
    /// Since when the pod is ready, or not ready.
    pub ready_changed_at: Timestamp,
    /// Whether it was ready when that was noted.
    pub was_ready: bool,
    /// The status differs from what was reported.
    pub changed: bool,
    /// What outlives the process differs from what was saved.
    pub unsaved: bool,
    waits: Waits,
}

/// Where a pod is in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It needs an address and its volumes.
    Preparing {
        /// It was asked for and did not come yet.
        asked: bool,
        /// Not before this time.
        retry_at: Option<Duration>,
        /// How often it failed.
        failures: u32,
    },
    /// Its containers run as they should.
    Active,
    /// Its containers are being stopped.
    Terminating,
    /// All containers have ended for good.
    Finished,
    /// Nothing is left of it but its object.
    Gone,
}

impl Worker {
    /// A pod that this node has not seen before.
    #[must_use]
    pub fn new(pod: Arc<PodView>, waits: Waits, now: Moment) -> Self {
        let count = pod.spec.init_containers.len() + pod.spec.containers.len();
        let mut worker = Self {
            pod,
            ip: None,
            started_at: now.wall,
            stage: Stage::Preparing {
                asked: false,
                retry_at: None,
                failures: 0,
            },
            containers: vec![Container::default(); count].into(),
            initialized_at: None,
            ready_changed_at: now.wall,
            was_ready: false,
            changed: true,
            unsaved: false,
            waits,
        };
        let init_count = worker.init_count();
        for container in &mut worker.containers[init_count..] {
            if let (State::Waiting(waiting), true) = (&mut container.state, init_count > 0) {
                waiting.reason = Reason::PodInitializing;
            }
        }
        worker
    }

    /// How many of the containers are init containers.
    #[must_use]
    pub fn init_count(&self) -> usize {
        self.pod.spec.init_containers.len()
    }

    /// The spec of a container.
    #[must_use]
    pub fn spec(&self, container: usize) -> &ContainerSpec {
        let spec = &self.pod.spec;
        match container.checked_sub(spec.init_containers.len()) {
            Some(main) => &spec.containers[main],
            None => &spec.init_containers[container],
        }
    }

    /// Whether a container is an init container that runs beside the others.
    #[must_use]
    pub fn is_sidecar(&self, container: usize) -> bool {
        container < self.init_count() && self.spec(container).restart_policy == Some(RestartPolicy::Always)
    }

    /// Whether the pod should get traffic.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_initialized()
            && self.stage != Stage::Finished
            && (0..self.containers.len()).all(|at| {
                let counts = at >= self.init_count() || self.is_sidecar(at);
                !counts || self.containers[at].ready
            })
    }

    /// Whether the init containers are done.
    #[must_use]
    pub fn is_initialized(&self) -> bool {
        (0..self.init_count()).all(|at| self.is_init_done(at))
    }

    fn is_init_done(&self, at: usize) -> bool {
        let container = &self.containers[at];
        match self.is_sidecar(at) {
            true => container.started,
            false => container.ended().is_some_and(|ended| ended.exit_code == 0),
        }
    }

    /// When [`Worker::advance`] has something to do by itself.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Preparing {
                asked: false,
                retry_at,
                ..
            } => *retry_at,
            Stage::Active => {
                let retry = |container: &Container| match &container.state {
                    State::Waiting(waiting) => waiting.retry_at,
                    _ => None,
                };
                self.containers.iter().filter_map(retry).min()
            }
            _ => None,
        }
    }

    /// The apiserver has a newer version of the pod.
    pub fn update(&mut self, pod: Arc<PodView>) {
        // Containers are matched by position; the API lets nobody change their number or names.
        if pod.spec.containers.len() + pod.spec.init_containers.len() == self.containers.len() {
            // Whoever took the node for dead has to be told again that the pod is well.
            self.changed |= pod.status.is_doubted && self.is_ready();
            self.pod = pod;
        }
    }

    /// Does what is due.
    pub fn advance(&mut self, now: Moment, out: &mut Vec<Effect>) {
        if self.pod.metadata.deletion_timestamp.is_some() {
            return self.terminate(now, out);
        }
        match &mut self.stage {
            Stage::Preparing { asked, retry_at, .. } => {
                if !*asked && retry_at.is_none_or(|at| at <= now.elapsed) {
                    *asked = true;
                    out.push(Effect::Prepare);
                }
            }
            Stage::Active => self.run(now, out),
            Stage::Terminating | Stage::Finished | Stage::Gone => {}
        }
        self.note_readiness(now);
    }

    /// Starts what should run and does not.
    fn run(&mut self, now: Moment, out: &mut Vec<Effect>) {
        let init_count = self.init_count();
        for at in 0..self.containers.len() {
            if at == init_count && self.initialized_at.is_none() {
                self.initialized_at = Some(now.wall);
                self.changed = true;
            }
            self.resume(at, now, out);
            if at < init_count && !self.is_init_done(at) {
                let policy = self.pod.spec.restart_policy;
                let failed = self.containers[at]
                    .ended()
                    .is_some_and(|ended| !restarts(policy, ended.exit_code));
                if failed {
                    self.finish(now, out);
                }
                return;
            }
        }
        let main_ended = self.containers[init_count..]
            .iter()
            .all(|container| container.ended().is_some());
        if main_ended && !self.containers.is_empty() {
            self.finish(now, out);
        }
    }

    /// Starts one container where it waits and its time has come.
    fn resume(&mut self, at: usize, now: Moment, out: &mut Vec<Effect>) {
        let waits = self.waits;
        let container = &mut self.containers[at];
        let State::Waiting(waiting) = &mut container.state else {
            return;
        };
        if !waiting.is_due(now) {
            return;
        }
        if waiting.reason == Reason::ErrImagePull {
            let wait = waits.after(container.failed_pulls.saturating_sub(1));
            waiting.reason = Reason::ImagePullBackOff;
            waiting.retry_at = Some(now.elapsed + wait);
            self.changed = true;
            let image = &self.spec(at).image;
            out.push(Effect::normal(
                "BackOff",
                format!("Back-off pulling image {image:?}"),
            ));
            return;
        }
        container.begin();
        out.push(Effect::Start(at));
    }

    /// The pod has its address and its volumes.
    pub fn prepared(&mut self, ip: Ipv4Addr, now: Moment, out: &mut Vec<Effect>) {
        self.ip = Some(ip);
        (self.changed, self.unsaved) = (true, true);
        if matches!(self.stage, Stage::Preparing { .. }) {
            self.stage = Stage::Active;
            self.advance(now, out);
        }
    }

    /// The pod cannot have its address or its volumes yet.
    pub fn not_prepared(
        &mut self,
        reason: &'static str,
        message: String,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        if let Stage::Preparing { failures, .. } = self.stage {
            self.stage = Stage::Preparing {
                asked: false,
                retry_at: Some(now.elapsed + PREPARE_WAITS.after(failures)),
                failures: failures + 1,
            };
            // What comes right by itself a moment later, such as a claim being bound, is not worth an event.
            if failures >= QUIET_FAILURES {
                out.push(Effect::warning(reason, message));
            }
        }
    }

    /// A container runs.
    pub fn started(&mut self, at: usize, instance: u32, now: Moment, out: &mut Vec<Effect>) {
        let (has_startup, has_readiness) = {
            let supported = |kind: ProbeKind| {
                let spec = self.spec(at);
                kind.of(spec).is_some_and(|probe| probe.question(spec).is_some())
            };
            (supported(ProbeKind::Startup), supported(ProbeKind::Readiness))
        };
        let container = &mut self.containers[at];
        if container.instance != instance || container.state != State::Starting {
            return;
        }
        container.state = State::Running(now);
        container.failed_pulls = 0;
        container.started = !has_startup;
        container.ready = !has_startup && !has_readiness;
        (self.changed, self.unsaved) = (true, true);
        out.push(Effect::normal(
            "Started",
            format!("Started container {}", self.spec(at).name),
        ));
        self.advance(now, out);
    }

    /// A container's image cannot be pulled, or something that it refers to is missing.
    pub fn cannot_start(
        &mut self,
        at: usize,
        reason: Reason,
        message: &str,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        let waits = self.waits;
        let container = &mut self.containers[at];
        if container.state != State::Starting {
            return;
        }
        // No instance came to be, so none is counted.
        container.instance -= u32::from(container.last.is_some());
        let wait = match reason {
            Reason::ErrImagePull => PULL_ERROR_SHOWN,
            _ => waits.after(container.failed_pulls),
        };
        container.failed_pulls += 1;
        let retry_at = Some(now.elapsed + wait);
        container.state = State::Waiting(Waiting {
            reason,
            message: message.into(),
            retry_at,
        });
        self.changed = true;
        let verb = if reason == Reason::ErrImagePull {
            "Failed to pull image: "
        } else {
            "Error: "
        };
        out.push(Effect::warning("Failed", format!("{verb}{message}")));
        self.advance(now, out);
    }

    /// A container has ended.
    pub fn ended(&mut self, at: usize, instance: u32, exit_code: i32, now: Moment, out: &mut Vec<Effect>) {
        let container = &mut self.containers[at];
        let since = match container.state {
            State::Running(since) | State::Stopping(since) => since,
            State::Starting => now,
            State::Waiting(_) | State::Ended(_) => return,
        };
        if container.instance != instance {
            return;
        }
        let mut termination = Termination::new(exit_code, since.wall, now.wall);
        termination.message = std::mem::take(&mut container.last_words);
        let wait = container.crash(
            termination.clone(),
            now.elapsed.saturating_sub(since.elapsed),
            self.waits,
        );
        (self.changed, self.unsaved) = (true, true);
        let policy = if self.is_sidecar(at) {
            RestartPolicy::Always
        } else {
            self.pod.spec.restart_policy
        };
        let init_done = at < self.init_count() && !self.is_sidecar(at) && exit_code == 0;
        if self.stage == Stage::Active && restarts(policy, exit_code) && !init_done {
            self.schedule_restart(at, termination, wait, now, out);
        }
        self.advance(now, out);
    }

    fn schedule_restart(
        &mut self,
        at: usize,
        termination: Termination,
        wait: Option<Duration>,
        now: Moment,
        out: &mut Vec<Effect>,
    ) {
        let meta = &self.pod.metadata;
        let (name, pod) = (
            &self.spec(at).name,
            format!("{}_{}({})", meta.name, meta.namespace, meta.uid),
        );
        let mut waiting = Waiting::creating();
        if let Some(wait) = wait {
            waiting = Waiting {
                reason: Reason::CrashLoopBackOff,
                message: format!("back-off {wait:?} restarting failed container={name} pod={pod}").into(),
                retry_at: Some(now.elapsed + wait),
            };
            let message = format!("Back-off restarting failed container {name} in pod {pod}");
            out.push(Effect::warning("BackOff", message));
        }
        let container = &mut self.containers[at];
        container.last = Some(Box::new(termination));
        container.state = State::Waiting(waiting);
    }

    fn note_readiness(&mut self, now: Moment) {
        let ready = self.is_ready();
        if ready != self.was_ready {
            (self.was_ready, self.ready_changed_at, self.changed) = (ready, now.wall, true);
        }
    }
}
