//! What the durable store takes from outside: time, randomness and threads.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::record::RandomSource;

/// Time since any fixed moment; only goes forward. Ages history.
pub type Now = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Runs a named, long-lived piece of blocking work on a thread of its own.
pub type Spawn = Arc<dyn Fn(&str, Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync>;

/// The store's surroundings.
#[derive(Clone)]
pub struct Hooks {
    /// Time.
    pub now: Now,
    /// Randomness: the cluster's id and the journal's salts.
    pub random: RandomSource,
    /// Threads: one writer, one applier.
    pub spawn: Spawn,
}

impl Hooks {
    /// Hooks with real threads.
    pub fn with_threads(now: Now, random: RandomSource) -> Hooks {
        Hooks {
            now,
            random,
            spawn: Arc::new(spawn_thread),
        }
    }

    pub(crate) fn now_s(&self) -> u32 {
        u32::try_from((self.now)().as_secs()).unwrap_or(u32::MAX)
    }
}

/// The one place of this crate where threads come from.
fn spawn_thread(name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}
