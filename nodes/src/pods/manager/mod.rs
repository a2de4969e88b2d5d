//! Drives all pods of the process: reads what changed, lets workers think, and does what they say.
//!
//! Level-driven: it compares what the cache shows with what it drives, whatever happened in between. Each round ends
//! with one write of the journal and one wake of the outbox, so that a thousand pods cost hardly more than one.
//! Parts: `observe` (pods and ranges that come and go), `start` and `stop` (containers), `enter` and `hooks` (commands in containers),
//! `messages` (what tasks tell).

mod enter;
mod hooks;
mod messages;
mod observe;
mod start;
mod stop;

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use coracle_client::ObjectApi;
use coracle_proxy::ServiceView;
use coracle_runtime::{Cache, Key, Recorder};
use coracle_service::{Env, Shutdown};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Moment,
    container::{State, Waits},
    effect::Effect,
    inbox::{Dirty, MAX_MESSAGES, Message},
    timers::{Timer, Timers},
    view::PodView,
    worker::{Stage, Worker},
};
use crate::{
    agent::view::NodeView,
    config::Config,
    logs::{Log, Logs},
    network::{ipam::Ipam, pod::PodNetwork},
    runtime::{
        life::Life,
        program::{PodIdentity, Step},
        serving::{Service, Serving},
    },
    state::Journal,
    status::{self, outbox::Outbox},
    volumes::{Volumes, prepare::Preparer},
};

/// Messages that one round reads at most.
const MAX_ROUND: usize = 1_024;

/// What a manager works with.
pub struct Parts {
    /// Its settings.
    pub config: Arc<Config>,
    /// Its surroundings.
    pub env: Env,
    /// The apiserver.
    pub api: Arc<dyn ObjectApi>,
    /// The pods of its nodes.
    pub pods: Cache<PodView>,
    /// At least its own nodes.
    pub nodes: Cache<NodeView>,
    /// All Services, for their selectors.
    pub services: Cache<ServiceView>,
    /// What it remembered.
    pub journal: Journal,
    /// Where its pods write.
    pub logs: Arc<Logs>,
    /// How programs reach out.
    pub network: Arc<dyn PodNetwork>,
    /// How it finds volumes.
    pub preparer: Preparer,
    /// Where statuses go.
    pub outbox: Outbox,
    /// Where events go.
    pub recorder: Recorder,
    /// Its end.
    pub shutdown: Shutdown,
}

/// Drives all pods of the process.
pub struct Manager {
    parts: Parts,
    origin: Instant,
    dirty: Arc<Dirty>,
    sender: mpsc::Sender<Message>,
    receiver: mpsc::Receiver<Message>,
    homes: BTreeMap<Box<str>, Home>,
    pods: HashMap<Arc<str>, Entry>,
    names: HashMap<Key, Arc<str>>,
    timers: Timers,
    /// Pods whose folders are to be removed at the end of the round.
    doomed: Vec<Arc<str>>,
    /// Pods that vanished while the process was down have been cleaned up.
    swept: bool,
    /// That ports below 1024 are moved has been said.
    said_moved: bool,
}

/// One of the process's nodes.
struct Home {
    name: Arc<str>,
    ip: Ipv4Addr,
    /// Its range as text, and its addresses.
    range: Option<(Box<str>, Ipam)>,
    /// Pods that wait for the range.
    waiting: Vec<Arc<str>>,
}

/// One pod.
struct Entry {
    key: Key,
    worker: Worker,
    volumes: Volumes,
    identity: Option<Arc<PodIdentity>>,
    /// As the worker's containers.
    processes: Box<[Option<Process>]>,
    /// The earliest wake that is in the timers.
    wake_at: Option<Duration>,
    /// It may have a folder on disk.
    has_folder: bool,
}

/// What runs in a container.
struct Process {
    log: Arc<Log>,
    activity: Activity,
    /// Who answers its connections, where it has any.
    service: Option<Arc<dyn Service>>,
    /// Once something needed it.
    life: Option<Arc<Life>>,
    /// What is done before its end has begun, or there is no such thing.
    is_ending: bool,
}

enum Activity {
    Idle,
    /// The steps still to come, last first.
    Script(Vec<Step>),
    /// Ended by the end of its life.
    Task,
    Serving(Arc<Serving>),
}

impl Manager {
    /// A manager of the nodes that `parts.config` names.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_MESSAGES);
        let homes = parts.config.nodes().into_iter().map(|(name, ip)| {
            let home = Home {
                name: name.as_str().into(),
                ip,
                range: None,
                waiting: Vec::new(),
            };
            (name.into_boxed_str(), home)
        });
        let homes = homes.collect();
        Self {
            origin: parts.env.cluster_clock.monotonic(),
            dirty: Arc::new(Dirty::default()),
            sender,
            receiver,
            homes,
            pods: HashMap::new(),
            names: HashMap::new(),
            timers: Timers::default(),
            doomed: Vec::new(),
            swept: false,
            said_moved: false,
            parts,
        }
    }

    /// Where tasks and servers tell the manager something.
    #[must_use]
    pub fn sender(&self) -> mpsc::Sender<Message> {
        self.sender.clone()
    }

    /// Drives until shutdown.
    pub async fn run(mut self) {
        let dirty = Arc::clone(&self.dirty);
        self.parts.pods.subscribe(move |change| dirty.mark(&change.key));
        let dirty = Arc::clone(&self.dirty);
        self.parts.nodes.subscribe(move |_| dirty.mark_nodes());
        let (pods, dirty) = (self.parts.pods.clone(), Arc::clone(&self.dirty));
        self.parts.env.spawn.task("pods synced", async move {
            pods.wait_synced().await;
            dirty.wake();
        });
        let shutdown = self.parts.shutdown.clone();
        shutdown.guard(self.drive()).await;
    }

    async fn drive(&mut self) {
        let clock = self.parts.env.cluster_clock.clone();
        let mut messages = Vec::new();
        loop {
            let wake = self.timers.next().map(|at| self.origin + at);
            tokio::select! {
                biased;
                () = self.dirty.wait() => {}
                _ = self.receiver.recv_many(&mut messages, MAX_ROUND) => {}
                () = async { clock.sleep_until(wake.unwrap_or(self.origin)).await }, if wake.is_some() => {}
            }
            // A flood of changes must not keep tasks waiting.
            while messages.len() < MAX_ROUND
                && let Ok(message) = self.receiver.try_recv()
            {
                messages.push(message);
            }
            self.round(&mut messages);
        }
    }

    fn round(&mut self, messages: &mut Vec<Message>) {
        if self.dirty.take_nodes() {
            self.observe_ranges();
        }
        for key in self.dirty.take() {
            self.observe_pod(&key);
        }
        for message in messages.drain(..) {
            self.receive(message);
        }
        let now = self.now();
        while let Some(timer) = self.timers.pop(now.elapsed) {
            self.fire(timer);
        }
        if !self.swept && self.parts.pods.is_synced() {
            self.swept = true;
            self.sweep();
        }
        if let Err(error) = self.parts.journal.flush() {
            tracing::error!(%error, "write record of pods");
        }
        self.parts.outbox.flush();
        self.remove_folders();
    }

    fn now(&self) -> Moment {
        let clock = &self.parts.env.cluster_clock;
        Moment {
            wall: clock.now(),
            elapsed: clock.monotonic() - self.origin,
        }
    }

    fn waits(&self) -> Waits {
        let timings = &self.parts.config.timings;
        Waits {
            initial: timings.backoff_initial,
            max: timings.backoff_max,
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Wake(uid) => {
                if let Some(entry) = self.pods.get_mut(&uid) {
                    entry.wake_at = None;
                }
                self.drive_pod(&uid, |worker, now, out| worker.advance(now, out));
            }
            Timer::Script(uid, container, instance) => self.go_on(&uid, container, instance),
            Timer::Probe(uid, container, instance, kind) => self.ask(&uid, container, instance, kind),
        }
    }

    /// Lets a worker think and does what it says, until it has nothing more to say.
    fn drive_pod(&mut self, uid: &Arc<str>, think: impl FnOnce(&mut Worker, Moment, &mut Vec<Effect>)) {
        let now = self.now();
        let mut effects = Vec::new();
        let Some(entry) = self.pods.get_mut(uid) else {
            return;
        };
        think(&mut entry.worker, now, &mut effects);
        for effect in effects {
            self.perform(uid, effect);
        }
        self.settle(uid);
    }

    /// Effects may drive the pod further; the depth is bounded by the pod's containers.
    fn perform(&mut self, uid: &Arc<str>, effect: Effect) {
        match effect {
            Effect::Prepare => self.prepare(uid),
            Effect::Start(container) => self.start(uid, container),
            Effect::Stop(container, grace) => self.stop(uid, container, grace),
            Effect::Remove => self.remove(uid),
            Effect::Event(note) => self.tell(uid, note),
        }
    }

    /// Writes down what changed, and sets the next wake.
    fn settle(&mut self, uid: &Arc<str>) {
        let Some(entry) = self.pods.get_mut(uid) else {
            return;
        };
        if std::mem::take(&mut entry.worker.unsaved)
            && let Some(record) = entry.worker.record()
        {
            self.parts.journal.put(record);
        }
        // A container that is starting has started a moment later: that is told, and not both.
        let starting = entry
            .worker
            .containers
            .iter()
            .any(|container| container.state == State::Starting);
        if !starting
            && std::mem::take(&mut entry.worker.changed)
            && entry.worker.stage != Stage::Gone
            && let Some(home) = self.homes.get(&entry.worker.pod.spec.node_name)
        {
            self.parts
                .outbox
                .report(uid, &entry.key, status::patch(&entry.worker, home.ip));
        }
        if let Some(at) = entry.worker.next_wake()
            && entry.wake_at.is_none_or(|planned| at < planned)
        {
            entry.wake_at = Some(at);
            self.timers.add(at, Timer::Wake(Arc::clone(uid)));
        }
    }
}
