//! Injected time.
//!
//! Every wait and every timestamp goes through a [`Clock`]. Both kinds measure intervals with tokio's timer, which a
//! simulation drives; they differ in where the wall time comes from. What a clock promises: [`Clock::monotonic`]
//! never goes back, and under simulation two runs with the same seed read the same times.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the one module that may read and wait for real time"
)]

use std::{future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, error::Elapsed};

/// A source of time; cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    wall: Arc<Wall>,
}

#[derive(Debug)]
enum Wall {
    System,
    Simulated { epoch: Timestamp, start: Instant },
}

impl Clock {
    /// The machine's own time.
    #[must_use]
    pub fn system() -> Self {
        Self {
            wall: Arc::new(Wall::System),
        }
    }

    /// A wall clock that reads `epoch` now and advances with tokio's (perhaps simulated) timer.
    ///
    /// Must be called inside a tokio runtime.
    #[must_use]
    pub fn simulated(epoch: Timestamp) -> Self {
        Self {
            wall: Arc::new(Wall::Simulated {
                epoch,
                start: Instant::now(),
            }),
        }
    }

    /// The wall time, for timestamps that people and other processes read.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &*self.wall {
            Wall::System => Timestamp::now(),
            Wall::Simulated { epoch, start } => *epoch + start.elapsed(),
        }
    }

    /// A point on the monotonic clock, for measuring intervals within this process.
    #[must_use]
    pub fn monotonic(&self) -> Instant {
        Instant::now()
    }

    /// Waits for `duration`.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits until the monotonic clock reaches `deadline`.
    pub async fn sleep_until(&self, deadline: Instant) {
        tokio::time::sleep_until(deadline).await;
    }

    /// Runs `future` for at most `duration`.
    ///
    /// # Errors
    /// [`Elapsed`] if the future was not ready in time; it is dropped then.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Result<F::Output, Elapsed> {
        tokio::time::timeout(duration, future).await
    }
}
