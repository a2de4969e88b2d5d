//! Injected execution: named tasks, blocking work and threads.
//!
//! The simulation runs blocking work inline on its single thread, so that a seed fixes the order of everything.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the one module that starts threads and blocking work"
)]

use std::{future::Future, io, thread};

use futures::FutureExt;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Starts tasks and threads; cheap to clone.
#[derive(Clone, Copy, Debug)]
pub struct Spawn {
    inline: bool,
}

impl Spawn {
    /// Tokio's tasks and blocking pool, and real threads.
    #[must_use]
    pub fn threads() -> Self {
        Self { inline: false }
    }

    /// Everything on the caller's thread: for the simulation.
    #[must_use]
    pub fn inline() -> Self {
        Self { inline: true }
    }

    /// Starts a task under a span of its own. A panic in it is logged as an error.
    pub fn task<F>(&self, name: &'static str, future: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let guarded = std::panic::AssertUnwindSafe(future)
            .catch_unwind()
            .map(move |outcome| {
                if outcome.is_err() {
                    tracing::error!(task = name, "task panicked");
                }
            });
        tokio::spawn(guarded.instrument(tracing::info_span!("task", name)))
    }

    /// Runs `work`, which may block on files or long computation, off the request workers.
    ///
    /// # Errors
    /// An [`io::Error`] if the work panicked.
    pub async fn blocking<T, F>(&self, work: F) -> io::Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if self.inline {
            return Ok(work());
        }
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
    }

    /// Starts a thread with a name.
    ///
    /// # Errors
    /// The system's, where it refuses another thread.
    pub fn thread(
        &self,
        name: &str,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<thread::JoinHandle<()>> {
        thread::Builder::new().name(name.to_owned()).spawn(work)
    }

    /// Whether everything runs on the caller's thread.
    #[must_use]
    pub fn is_inline(&self) -> bool {
        self.inline
    }
}
