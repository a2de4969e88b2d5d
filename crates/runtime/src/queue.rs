//! The work queue of a control loop: which keys want a look, each once, none twice at the same time.
//!
//! The semantics are those of client-go's rate-limiting queue; the rules stand in [`state`], free of time and tasks,
//! and this file adds waiting. A key that could not be taken because the queue is full is not forgotten silently:
//! see [`WorkQueue::take_overflow`].

use std::{fmt::Debug, sync::Arc, time::Duration};

use coracle_service::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;

mod state;
#[cfg(test)]
mod tests;

use state::State;

/// Limits of a queue.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Keys waiting at a time, delayed ones included. Further ones are refused and show in
    /// [`WorkQueue::take_overflow`].
    pub keys: usize,
    /// The wait after a key's first failure.
    pub backoff_min: Duration,
    /// The longest wait after a failure.
    pub backoff_max: Duration,
}

impl Default for QueueLimits {
    /// A million keys; 5 ms doubling to 1,000 s (about 16 minutes), as client-go.
    fn default() -> Self {
        Self {
            keys: 1_000_000,
            backoff_min: Duration::from_millis(5),
            backoff_max: Duration::from_secs(1_000),
        }
    }
}

impl QueueLimits {
    /// The wait after the given number of failures in a row.
    fn wait_after(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.backoff_min.saturating_mul(factor).min(self.backoff_max)
    }
}

/// A queue of keys; cheap to clone, clones share it.
pub struct WorkQueue<K> {
    shared: Arc<Shared<K>>,
}

impl<K> Clone for WorkQueue<K> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

struct Shared<K> {
    state: Mutex<State<K>>,
    changed: Notify,
    clock: Clock,
    limits: QueueLimits,
}

impl<K: Clone + Ord + Debug> WorkQueue<K> {
    /// An empty queue whose delays are measured by `clock`.
    #[must_use]
    pub fn new(clock: Clock, limits: QueueLimits) -> Self {
        let state = Mutex::new(State::new(limits.keys));
        Self {
            shared: Arc::new(Shared {
                state,
                changed: Notify::new(),
                clock,
                limits,
            }),
        }
    }

    /// Wants `key` looked at, as soon as possible. A key under way is handed out again once it is done.
    pub fn add(&self, key: K) {
        self.shared.state.lock().add(key);
        self.shared.changed.notify_one();
    }

    /// Wants `key` looked at in `delay`, or earlier where that was asked for too.
    pub fn add_after(&self, key: K, delay: Duration) {
        if delay.is_zero() {
            return self.add(key);
        }
        let at = self.shared.clock.monotonic() + delay;
        self.shared.state.lock().add_at(key, at);
        self.shared.changed.notify_one();
    }

    /// Wants `key` looked at after a wait that doubles with each call since the last [`WorkQueue::forget`].
    pub fn add_failed(&self, key: K) {
        let failures = self.shared.state.lock().fail(&key);
        self.add_after(key, self.shared.limits.wait_after(failures));
    }

    /// The key succeeded: its next failure waits the shortest time.
    pub fn forget(&self, key: &K) {
        self.shared.state.lock().forget(key);
    }

    /// Waits for keys and takes at most `max` of them, oldest first. Each must be given to [`WorkQueue::done`].
    ///
    /// Cancel safe: a dropped call has taken nothing.
    pub async fn next_batch(&self, max: usize) -> Vec<K> {
        loop {
            let changed = self.shared.changed.notified();
            let deadline = {
                let mut state = self.shared.state.lock();
                let now = self.shared.clock.monotonic();
                let keys: Vec<K> = std::iter::from_fn(|| state.pop(now)).take(max).collect();
                if !keys.is_empty() {
                    if state.has_ready() {
                        // Another waiter may take the rest.
                        self.shared.changed.notify_one();
                    }
                    return keys;
                }
                state.next_deadline()
            };
            match deadline {
                None => changed.await,
                Some(deadline) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = self.shared.clock.sleep_until(deadline) => {}
                },
            }
        }
    }

    /// The key is no longer under way; if it was added meanwhile it is handed out again.
    pub fn done(&self, key: &K) {
        self.shared.state.lock().done(key);
        self.shared.changed.notify_one();
    }

    /// The key is no longer under way, but is not handed out again before `rest` has passed.
    pub fn done_for(&self, key: &K, rest: Duration) {
        if rest.is_zero() {
            return self.done(key);
        }
        let until = self.shared.clock.monotonic() + rest;
        self.shared.state.lock().rest(key, until);
        self.shared.changed.notify_one();
    }

    /// Keys waiting, delayed ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.state.lock().len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether keys were refused since the last call, so that their owner must add all of its keys again.
    #[must_use]
    pub fn take_overflow(&self) -> bool {
        self.shared.state.lock().take_overflow()
    }
}
