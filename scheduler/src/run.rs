//! Ties the scheduler to the world: the leader's lease, caches of pods and nodes, time, and the writes.
//!
//! Only the leader watches. Its caches begin after it took the lease, so they show every binding of the leader
//! before it; what that one still has under way is refused by the fence. So a node is not promised twice either when
//! the lead changes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use coracle_client::{GrpcClient, ObjectApi};
use coracle_runtime::{Candidate, Key, LeaseTimings, Recorder};
use coracle_service::{Clock, Env, Health, Identity, Shutdown, announce, health::Check};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use crate::{
    bind::{Binding, Refusal, bind},
    configuration::Configuration,
    evict::{Eviction, evict},
    plugins::volume_binding::Step,
    report::{Nominated, Report, report},
    scheduler::{Nomination, Outcome, Scheduler, Verdict},
    volumes::{self, Preparation, prepare},
    write::{Fenced, Writer},
};

mod caches;

#[cfg(test)]
mod tests;

/// spec.schedulerName of the default profile's pods, and the name that events carry.
pub const SCHEDULER_NAME: &str = "default-scheduler";
/// Pods decided between two looks at what changed, and so the most bindings in one batch.
const SLICE_PODS: usize = 512;
/// Batches under way at a time. While there are so many, pods wait and the next batch grows.
const BATCHES_MAX: usize = 4;
/// How long a scheduler that ends waits for the batches under way.
const DRAIN: Duration = Duration::from_secs(2);

/// What the scheduler needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The apiserver's `host:port`.
    pub server: String,
    /// Where to serve health; port 0 for any.
    pub health: SocketAddr,
    /// Who it is among schedulers; the same after a restart.
    pub instance: String,
    /// Intervals of the leader election.
    pub lease: LeaseTimings,
    /// Profiles and limits.
    pub configuration: Configuration,
}

impl Config {
    /// The defaults, for an apiserver and an instance name.
    #[must_use]
    pub fn new(server: impl Into<String>, instance: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            health: SocketAddr::from(([127, 0, 0, 1], 0)),
            instance: instance.into(),
            lease: LeaseTimings::default(),
            configuration: Configuration::default(),
        }
    }
}

/// Runs until shutdown.
///
/// # Errors
/// Where the health address cannot be bound, or where the lease was lost: the process then exits and begins anew.
pub async fn run(config: Config, env: Env, identity: Identity, shutdown: Shutdown) -> anyhow::Result<()> {
    let client = GrpcClient::new(&config.server, &env, &identity).map_err(anyhow::Error::msg)?;
    let health = Health::new();
    health.set(
        "leader",
        Check::Waiting("another scheduler leads, or the apiserver does not answer".to_owned()),
    );
    health
        .serve(config.health, &env, &identity, &shutdown)
        .await
        .with_context(|| format!("listen on {} for health", config.health))?;
    lead(&config, Arc::new(client), &env, &health, &shutdown).await
}

/// Waits for the lease, then schedules until shutdown.
///
/// # Errors
/// Where the lease was lost.
pub async fn lead(
    config: &Config,
    api: Arc<dyn ObjectApi>,
    env: &Env,
    health: &Health,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let candidate = Candidate {
        namespace: "kube-system".to_owned(),
        name: "kube-scheduler".to_owned(),
        holder: config.instance.clone(),
        timings: config.lease,
    };
    let Some(leadership) = shutdown.guard(candidate.acquire(Arc::clone(&api), env)).await else {
        return Ok(());
    };
    health.set("leader", Check::Ok);
    health.set("caches", Check::Waiting("pods and nodes".to_owned()));
    let writer = Writer {
        api,
        fence: leadership.fence(),
        env: env.clone(),
    };
    // The lease is given up only after the last write under it.
    let (working, holding) = (shutdown.child(), Shutdown::new());
    let work = async {
        let ended = schedule(&config.configuration, writer, health, &working).await;
        holding.trigger();
        ended
    };
    let hold = async {
        let ended = leadership.hold(&holding).await;
        working.trigger();
        ended
    };
    let (worked, held) = tokio::join!(work, hold);
    held?;
    Ok(worked?)
}

/// The scheduler between the caches, which tell it of changes, and the loop, which asks it for decisions.
struct Shared {
    scheduler: Mutex<Scheduler>,
    /// Something changed that may be worth a look.
    changed: Notify,
    clock: Clock,
    began: Instant,
}

impl Shared {
    fn now(&self) -> Duration {
        self.clock.monotonic().duration_since(self.began)
    }

    /// Tells the scheduler of a change, and wakes the loop where any pod waits for one.
    fn tell(&self, change: impl FnOnce(&mut Scheduler, Duration)) {
        let now = self.now();
        let mut scheduler = self.scheduler.lock();
        change(&mut scheduler, now);
        if scheduler.next_deadline().is_some() {
            self.changed.notify_one();
        }
    }
}

/// Schedules under the writer's fence until shutdown.
async fn schedule(
    configuration: &Configuration,
    writer: Writer,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<(), Fenced> {
    let clock = writer.env.cluster_clock.clone();
    let shared = Arc::new(Shared {
        scheduler: Mutex::new(Scheduler::new(configuration.profiles(), configuration.limits())),
        changed: Notify::new(),
        began: clock.monotonic(),
        clock,
    });
    let caches = caches::Caches::new(&shared);
    let Writer { api, env, .. } = &writer;
    let watches = shutdown.child();
    caches.start(api, env, &watches);
    let recorder = Recorder::start(SCHEDULER_NAME, Arc::clone(api), env, &watches);
    if shutdown.guard(caches.wait_synced()).await.is_none() {
        return Ok(());
    }
    health.set("caches", Check::Ok);
    announce::ready();
    tracing::info!(nodes = caches.nodes.len(), pods = caches.pods.len(), "scheduling");
    let ended = Loop {
        shared: &shared,
        writer: &writer,
        recorder: &recorder,
    }
    .run(shutdown)
    .await;
    watches.trigger();
    ended
}

/// A batch that was written.
enum Done {
    Bound(Vec<Refusal>),
    Told(Vec<(Key, Box<str>)>),
    Evicted(Vec<Key>),
}

/// What was decided, by what is to be written.
#[derive(Default)]
struct Decided {
    bindings: Vec<Binding>,
    preparations: Vec<Preparation>,
    evictions: Vec<Eviction>,
    reports: Vec<Report>,
}

struct Loop<'a> {
    shared: &'a Shared,
    writer: &'a Writer,
    recorder: &'a Recorder,
}

impl<'a> Loop<'a> {
    /// Decides and writes until shutdown, then waits a little for what is under way.
    async fn run(&self, shutdown: &Shutdown) -> Result<(), Fenced> {
        let mut under_way = FuturesUnordered::new();
        while !shutdown.is_triggered() {
            if under_way.len() < BATCHES_MAX {
                let now = self.shared.now();
                let outcomes = self.shared.scheduler.lock().schedule(now, SLICE_PODS);
                under_way.extend(self.batches(outcomes));
            }
            let is_full = under_way.len() >= BATCHES_MAX;
            let deadline = self
                .shared
                .scheduler
                .lock()
                .next_deadline()
                .map(|at| self.shared.began + at);
            tokio::select! {
                biased;
                () = shutdown.wait() => {}
                Some(done) = under_way.next() => self.settle(done?),
                () = self.shared.changed.notified(), if !is_full => {}
                () = wait_until(&self.shared.clock, deadline), if !is_full => {}
            }
        }
        let drain = async {
            while let Some(done) = under_way.next().await {
                self.settle(done?);
            }
            Ok(())
        };
        // What the apiserver has not answered by then is left to whoever leads next: it looks before it decides.
        self.writer
            .env
            .transport_clock
            .timeout(DRAIN, drain)
            .await
            .unwrap_or(Ok(()))
    }

    /// Starts to write what was decided: at most a batch of each kind.
    fn batches(&self, outcomes: Vec<Outcome>) -> Vec<BoxFuture<'a, Result<Done, Fenced>>> {
        let Decided {
            bindings,
            preparations,
            evictions,
            reports,
        } = self.sort(outcomes);
        let (writer, recorder) = (self.writer, self.recorder);
        let mut batches: Vec<BoxFuture<'a, _>> = Vec::new();
        if !bindings.is_empty() {
            batches.push(Box::pin(async move {
                bind(writer, recorder, bindings).await.map(Done::Bound)
            }));
        }
        if !preparations.is_empty() {
            batches.push(Box::pin(async move {
                prepare(writer, recorder, preparations).await.map(Done::Bound)
            }));
        }
        if !evictions.is_empty() {
            batches.push(Box::pin(async move {
                evict(writer, recorder, evictions).await.map(Done::Evicted)
            }));
        }
        if !reports.is_empty() {
            batches.push(Box::pin(async move {
                report(writer, recorder, reports).await.map(Done::Told)
            }));
        }
        batches
    }

    fn sort(&self, outcomes: Vec<Outcome>) -> Decided {
        let mut decided = Decided::default();
        for Outcome { key, pod, verdict } in outcomes {
            match verdict {
                Verdict::Bind(node) => decided.bindings.push(Binding { key, pod, node }),
                Verdict::Prepare(node, steps) => {
                    let scheduler = self.shared.scheduler.lock();
                    let storage = scheduler.snapshot().storage();
                    let writes = steps.iter().filter_map(|step| {
                        let (claim, volume) = match step {
                            Step::Reserve { claim, volume } => (claim, storage.volume(volume)),
                            Step::Provision { claim } => (claim, None),
                        };
                        volumes::write(step, &node, storage.claim(claim)?, volume.map(|volume| &**volume))
                    });
                    let writes = writes.collect();
                    decided.preparations.push(Preparation { key, pod, writes });
                }
                Verdict::Tell(message, nomination) => {
                    let nominated = match nomination {
                        Nomination::Keep => Nominated::Keep,
                        Nomination::Clear => Nominated::Clear,
                    };
                    decided.reports.push(Report {
                        key,
                        pod,
                        message,
                        nominated,
                    });
                }
                Verdict::Preempt {
                    message,
                    node,
                    victims,
                } => {
                    decided.evictions.push(Eviction {
                        pod: Arc::clone(&pod),
                        node: Arc::clone(&node),
                        victims,
                    });
                    decided.reports.push(Report {
                        key,
                        pod,
                        message,
                        nominated: Nominated::Node(node),
                    });
                }
            }
        }
        decided
    }

    fn settle(&self, done: Done) {
        let now = self.shared.now();
        let mut scheduler = self.shared.scheduler.lock();
        match done {
            Done::Bound(refusals) => {
                refusals
                    .iter()
                    .for_each(|refusal| scheduler.refused(&refusal.key, &refusal.uid, now));
            }
            Done::Evicted(stayed) => stayed.iter().for_each(|victim| scheduler.stayed(victim)),
            Done::Told(untold) => {
                untold
                    .iter()
                    .for_each(|(key, uid)| scheduler.untold(key, uid, now));
            }
        }
    }
}

async fn wait_until(clock: &Clock, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
