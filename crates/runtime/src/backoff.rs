//! Waits that double, with jitter, so that many clients of a server that came back do not arrive in step.

use std::time::Duration;

use coracle_service::Random;

/// A sequence of waits from a first to a longest.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits of about `min`, doubling up to about `max`; each is between half of that and all of it.
    #[must_use]
    pub fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    /// The next wait.
    pub fn next(&mut self, random: &Random) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.max);
        random.jitter(wait)
    }

    /// Begins again with the shortest wait: something worked.
    pub fn reset(&mut self) {
        self.next = self.min;
    }
}
