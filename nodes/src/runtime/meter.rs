//! Counts the CPU time that a program is said to have spent on requests, over the last seconds.
//!
//! It is a simulation: a program names a cost for each request, and what a container uses is the sum of the costs of a
//! window divided by its length.

use std::time::Duration;

use coracle_service::Clock;
use parking_lot::Mutex;

/// The seconds that a measurement looks back; as many counters are kept.
pub const WINDOW_SECONDS: u64 = 15;
const SLOTS: usize = WINDOW_SECONDS as usize;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// CPU time by second.
pub struct Meter {
    clock: Clock,
    origin: tokio::time::Instant,
    /// The second that a slot counts, and its nanoseconds of CPU time.
    slots: Mutex<[(u64, i64); SLOTS]>,
}

impl Meter {
    /// A meter that has counted nothing.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            origin: clock.monotonic(),
            clock,
            slots: Mutex::new([(0, 0); SLOTS]),
        }
    }

    /// Counts CPU time as spent now.
    pub fn spend(&self, cost: Duration) {
        let second = self.second();
        let nanos = i64::try_from(cost.as_nanos()).unwrap_or(i64::MAX);
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get_mut((second % WINDOW_SECONDS) as usize) {
            *slot = if slot.0 == second {
                (second, slot.1.saturating_add(nanos))
            } else {
                (second, nanos)
            };
        }
    }

    /// Billionths of a core, on average over the window.
    #[must_use]
    pub fn nanocores(&self) -> i64 {
        let now = self.second();
        let slots = self.slots.lock();
        let recent = slots.iter().filter(|(second, _)| second + WINDOW_SECONDS > now);
        let spent = recent.fold(0_i64, |sum, (_, nanos)| sum.saturating_add(*nanos));
        let window = i64::try_from(WINDOW_SECONDS).unwrap_or(1) * NANOS_PER_SECOND;
        i64::try_from(i128::from(spent) * i128::from(NANOS_PER_SECOND) / i128::from(window))
            .unwrap_or(i64::MAX)
    }

    fn second(&self) -> u64 {
        self.clock.monotonic().duration_since(self.origin).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn cpu_is_an_average_over_the_window() {
        let clock = Clock::system();
        let meter = Meter::new(clock.clone());
        assert_eq!(meter.nanocores(), 0);
        for _ in 0..30 {
            meter.spend(Duration::from_millis(500));
            clock.sleep(Duration::from_secs(1)).await;
        }
        let half = NANOS_PER_SECOND / 2;
        assert!(
            (half * 14 / 15..=half).contains(&meter.nanocores()),
            "{}",
            meter.nanocores()
        );
        clock.sleep(Duration::from_secs(WINDOW_SECONDS)).await;
        assert_eq!(meter.nanocores(), 0, "what is old is forgotten");
    }
}
