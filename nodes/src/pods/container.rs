//! One container of a pod: its state, how often it was started, and how long it waits before the next time.

use std::time::Duration;

use jiff::Timestamp;

use super::{Moment, view::RestartPolicy};

/// A container that ran this many times longer than the longest wait starts again at once when it ends.
const STEADY_FACTOR: u32 = 2;

/// The code of an instance whose end nobody saw.
pub const LOST: i32 = 255;

/// A container as its pod's worker knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// How often it was started again; `restartCount`.
    pub instance: u32,
    /// Its state.
    pub state: State,
    /// How the instance before ended.
    pub last: Option<Box<Termination>>,
    /// Ends in a row, none of them after a long run.
    pub crashes: u32,
    /// Pulls in a row that failed.
    pub failed_pulls: u32,
    /// Its startup probe has succeeded, or it has none.
    pub started: bool,
    /// It gets traffic.
    pub ready: bool,
    /// Results in a row, by kind of probe.
    pub probes: [Tally; 3],
    /// The last words of the instance that is about to be told to have ended.
    pub last_words: Box<str>,
}

/// The results of one probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Successes since the last failure.
    pub successes: u32,
    /// Failures since the last success.
    pub failures: u32,
}

/// Where a container is in its life.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It does not run.
    Waiting(Waiting),
    /// It was told to start and has not answered yet.
    Starting,
    /// It runs.
    Running(Moment),
    /// It was told to end and has not yet.
    Stopping(Moment),
    /// It has ended, for good or until it is decided what comes next.
    Ended(Termination),
}

/// Why a container does not run, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Why.
    pub reason: Reason,
    /// More of why, for people.
    pub message: Box<str>,
    /// When to go on, on the monotonic clock; `None` for as soon as it is its turn.
    pub retry_at: Option<Duration>,
}

/// Why a container does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its turn has not come or it is being made.
    ContainerCreating,
    /// Init containers run first.
    PodInitializing,
    /// It ended too often.
    CrashLoopBackOff,
    /// Its image could not be pulled just now.
    ErrImagePull,
    /// Its image could not be pulled and is not tried again yet.
    ImagePullBackOff,
    /// Its image's name is none.
    InvalidImageName,
    /// Something that it refers to is missing.
    CreateContainerConfigError,
}

impl Reason {
    /// As the API has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContainerCreating => "ContainerCreating",
            Self::PodInitializing => "PodInitializing",
            Self::CrashLoopBackOff => "CrashLoopBackOff",
            Self::ErrImagePull => "ErrImagePull",
            Self::ImagePullBackOff => "ImagePullBackOff",
            Self::InvalidImageName => "InvalidImageName",
            Self::CreateContainerConfigError => "CreateContainerConfigError",
        }
    }
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// Its code.
    pub exit_code: i32,
    /// `Completed`, `Error`, or `Unknown` where nobody saw it end.
    pub reason: &'static str,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// Its last words.
    pub message: Box<str>,
}

/// The waits between restarts and between pulls.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// The first.
    pub initial: Duration,
    /// The longest.
    pub max: Duration,
}

impl Waits {
    /// The wait after this many failures before it, each twice as long as the one before.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        self.initial.saturating_mul(1 << failures.min(20)).min(self.max)
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Waiting(Waiting::creating())
    }
}

impl Waiting {
    /// Waiting for its turn.
    #[must_use]
    pub fn creating() -> Self {
        Self {
            reason: Reason::ContainerCreating,
            message: Box::default(),
            retry_at: None,
        }
    }

    /// Whether its turn is now.
    #[must_use]
    pub fn is_due(&self, now: Moment) -> bool {
        self.retry_at.is_none_or(|at| at <= now.elapsed)
    }
}

impl Termination {
    /// An instance that ended with a code.
    #[must_use]
    pub fn new(exit_code: i32, started_at: Timestamp, finished_at: Timestamp) -> Self {
        let reason = if exit_code == 0 { "Completed" } else { "Error" };
        Self {
            exit_code,
            reason,
            started_at,
            finished_at,
            message: Box::default(),
        }
    }

    /// An instance that a reboot of its node ended.
    #[must_use]
    pub fn lost(started_at: Timestamp, finished_at: Timestamp) -> Self {
        Self {
            exit_code: LOST,
            reason: "Unknown",
            started_at,
            finished_at,
            message: Box::default(),
        }
    }
}

impl Container {
    /// Whether there is something to be stopped.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(
            self.state,
            State::Starting | State::Running(_) | State::Stopping(_)
        )
    }

    /// Whether it runs and has not been told to end.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// How it ended, where it has.
    #[must_use]
    pub fn ended(&self) -> Option<&Termination> {
        match &self.state {
            State::Ended(termination) => Some(termination),
            _ => None,
        }
    }

    /// Whether an instance of it has ever run.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.last.is_some()
            || matches!(
                self.state,
                State::Running(_) | State::Stopping(_) | State::Ended(_)
            )
    }

    /// Starts the next instance.
    pub fn begin(&mut self) {
        if let State::Ended(termination) = std::mem::replace(&mut self.state, State::Starting) {
            self.last = Some(Box::new(termination));
        }
        if self.last.is_some() {
            self.instance += 1;
        }
        (self.started, self.ready, self.probes) = (false, false, Default::default());
    }

    /// Notes that the present instance ended, and until when it has to wait; `None` for not at all.
    pub fn crash(&mut self, termination: Termination, ran: Duration, waits: Waits) -> Option<Duration> {
        if ran >= waits.max.saturating_mul(STEADY_FACTOR) {
            self.crashes = 0;
        }
        let wait = self.crashes.checked_sub(1).map(|before| waits.after(before));
        self.crashes += 1;
        (self.started, self.ready) = (false, false);
        self.state = State::Ended(termination);
        wait
    }
}

/// Whether a container that ended with this code starts again.
#[must_use]
pub fn restarts(policy: RestartPolicy, exit_code: i32) -> bool {
    match policy {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => exit_code != 0,
        RestartPolicy::Never => false,
    }
}
