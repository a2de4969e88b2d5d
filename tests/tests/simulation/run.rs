//! Drives one simulation from its seed to its verdict.

use std::{fmt, sync::Arc, time::Duration};

use coracle_service::Random;
use coracle_store::Store;
use parking_lot::Mutex;
use tracing::{Event, Level, Subscriber, field::Visit, subscriber::DefaultGuard};
use tracing_subscriber::{
    EnvFilter, Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};
use turmoil::{Builder, Sim};

use crate::{
    checks::Checks,
    client::{Notes, User},
    cluster::{Cluster, Member, mix},
    faults::Faults,
    trace::{Coverage, Step, digest},
};

/// The length of a step of the simulation.
const TICK: Duration = Duration::from_millis(4);
/// Messages take up to so long.
const LATENCY_MAX: Duration = Duration::from_millis(20);
/// The cluster must be whole so long after its start, and after its last fault. The longest waits are those for a node
/// to be given up, for its pods to be evicted, and the back-off of containers.
const PATIENCE: Duration = Duration::from_secs(120);
/// A process that ended is started again after so long, as the supervisor does.
const RESTART: Duration = Duration::from_millis(100);
/// The watch must have told everything so long after the last change.
const SETTLE: Duration = Duration::from_secs(20);
/// Changes read from the store at a time.
const PAGE: usize = 1_000;
/// Segments that a simulated connection holds.
const TCP_CAPACITY: usize = 4_096;

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Fixes everything.
    pub seed: u64,
    /// For how long things go wrong.
    pub faults: Duration,
    /// The planted bug.
    pub skip_sync: bool,
}

impl Options {
    /// So many seconds of faults.
    pub fn faulty(seed: u64, seconds: u64) -> Self {
        Self {
            seed,
            faults: Duration::from_secs(seconds),
            skip_sync: false,
        }
    }
}

/// A simulation that ended well.
pub struct Outcome {
    /// Every revision.
    pub trace: Vec<Step>,
    /// Of the trace.
    pub digest: u64,
    /// What happened.
    pub coverage: Coverage,
    elapsed: Duration,
    acknowledged: usize,
    watched: usize,
    faults: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace,
            digest,
            coverage,
            elapsed,
            acknowledged,
            watched,
            faults,
        } = self;
        let revisions = trace.len();
        write!(
            f,
            "{elapsed:?} simulated, {faults} faults begun or ended, {revisions} revisions, {acknowledged} writes \
             acknowledged, {watched} events watched, {coverage:?}, trace {digest:016x}"
        )
    }
}

/// Runs one simulation.
///
/// # Errors
/// The first thing that does not hold.
pub fn simulate(options: Options) -> Result<Outcome, String> {
    let errors = Errors::default();
    let _guard = errors.listen();
    let data_dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let cluster = Cluster::new(options.seed, data_dir.path().to_owned(), options.skip_sync);
    let mut sim = Builder::new()
        .rng_seed(mix(options.seed, 1))
        .simulation_duration(Duration::from_secs(3_600))
        .tick_duration(TICK)
        .min_message_latency(TICK)
        .max_message_latency(LATENCY_MAX)
        .tcp_capacity(TCP_CAPACITY)
        .build();
    for member in Member::processes() {
        cluster.add(&mut sim, member);
    }
    let notes = Arc::new(Mutex::new(Notes::default()));
    let (of_user, notes_of_user) = (cluster.clone(), Arc::clone(&notes));
    sim.client(Member::Client.ip(), async move {
        User::new(&of_user, notes_of_user).run().await;
        // Watches and writes go on until the simulation ends.
        std::future::pending().await
    });
    let mut driver = Driver {
        sim,
        cluster,
        notes,
        errors,
        checks: Checks::default(),
        faults: Faults::new(Random::seeded(mix(options.seed, 2)), Duration::MAX),
        ended: Vec::new(),
    };
    let verdict = driver.drive(options);
    verdict.map_err(|why| format!("{why}\nfaults:\n{}", driver.faults.log.join("\n")))
}

struct Driver<'a> {
    sim: Sim<'a>,
    cluster: Cluster,
    notes: Arc<Mutex<Notes>>,
    errors: Errors,
    checks: Checks,
    faults: Faults,
    /// Processes that ended by themselves, and when they are started again.
    ended: Vec<(Member, Duration)>,
}

impl Driver<'_> {
    fn drive(&mut self, options: Options) -> Result<Outcome, String> {
        self.run_until("deployed", PATIENCE, |driver| driver.notes.lock().deployed)?;
        let start = self.sim.elapsed();
        self.faults = Faults::new(Random::seeded(mix(options.seed, 2)), start);
        while self.sim.elapsed() < start + options.faults {
            self.step()?;
            self.faults.act(self.sim.elapsed(), &mut self.sim);
        }
        self.faults.heal(self.sim.elapsed(), &mut self.sim);
        self.notes.lock().calm = true;
        self.run_until("whole", PATIENCE, |driver| driver.notes.lock().whole)?;
        self.run_until("told by the watch", SETTLE, |driver| {
            let told = driver.notes.lock().watched.last().map(|(revision, _)| *revision);
            told == driver.checks.pods_changed.last().map(|(revision, _)| *revision)
        })?;
        self.verdict()
    }

    fn run_until(&mut self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        let deadline = self.sim.elapsed() + limit;
        while !done(self) {
            self.step()?;
            if self.sim.elapsed() > deadline {
                let state = self.notes.lock().state.clone();
                return Err(format!("the Deployment was not {what} within {limit:?}: {state}"));
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        self.sim.step().map_err(|error| error.to_string())?;
        let now = self.sim.elapsed();
        self.read_history(now)?;
        self.restart_ended(now);
        let wrong = self
            .notes
            .lock()
            .wrong
            .take()
            .or_else(|| self.errors.0.lock().first().cloned());
        wrong.map_or(Ok(()), Err)
    }

    /// Judges what the store has taken since.
    fn read_history(&mut self, now: Duration) -> Result<(), String> {
        let store = &self.cluster.store;
        loop {
            let after = self.checks.revision();
            if store.revision() < after {
                return Err(format!(
                    "the store went back from revision {after}, which was published, to {}",
                    store.revision()
                ));
            }
            let page = store
                .changes(after, PAGE)
                .map_err(|error| format!("read after {after}: {error:?}"))?;
            for change in &page {
                self.checks.observe(now, change)?;
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Starts processes that ended by themselves again, after a while.
    fn restart_ended(&mut self, now: Duration) {
        for member in Member::processes() {
            let is_known = self.ended.iter().any(|(ended, _)| *ended == member);
            if !is_known && !self.faults.is_down(member) && !self.sim.is_host_running(member.ip()) {
                self.ended.push((member, now + RESTART));
            }
        }
        let due: Vec<Member> = self
            .ended
            .iter()
            .filter(|(_, at)| *at <= now)
            .map(|(member, _)| *member)
            .collect();
        self.ended.retain(|(_, at)| *at > now);
        for member in due {
            // One that was killed meanwhile comes back when that fault ends.
            if !self.faults.is_down(member) {
                self.sim.bounce(member.ip());
            }
        }
    }

    /// Holds what the user was told against the history.
    fn verdict(&self) -> Result<Outcome, String> {
        let notes = self.notes.lock();
        self.checks.has_acknowledged(&notes.acknowledged)?;
        self.checks.was_told(notes.watched_from, &notes.watched)?;
        Ok(Outcome {
            trace: self.checks.trace.clone(),
            digest: digest(&self.checks.trace),
            coverage: self.checks.coverage,
            elapsed: self.sim.elapsed(),
            acknowledged: notes.acknowledged.len(),
            watched: notes.watched.len(),
            faults: self.faults.log.len(),
        })
    }
}

/// What processes logged as errors: none is expected, whatever goes wrong around them.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl Errors {
    #[allow(clippy::disallowed_methods, reason = "this is how a person asks for the logs")]
    fn listen(&self) -> DefaultGuard {
        let shown = std::env::var("CORACLE_LOG").ok().map(|filter| {
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_filter(EnvFilter::new(filter))
        });
        let errors = self
            .clone()
            .with_filter(tracing_subscriber::filter::LevelFilter::ERROR);
        tracing::subscriber::set_default(tracing_subscriber::registry().with(errors).with(shown))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Errors {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let mut text = Text(event.metadata().target().to_owned());
            event.record(&mut text);
            self.0.lock().push(text.0);
        }
    }
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}
