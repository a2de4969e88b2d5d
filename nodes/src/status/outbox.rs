//! Writes pod statuses, and removes pods that have ended: one batch after the other, each with all that changed
//! meanwhile.
//!
//! Promises: writes of one pod go in order, and a newer status takes the place of one that waits; nothing is given up
//! for a connection that broke; a pod that is gone, or that another took the place of, is forgotten. Its queue holds at
//! most one entry per pod.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use coracle_api::{ApiError, kinds};
use coracle_client::{BatchOptions, DeleteOptions, Object, ObjectApi, PatchType, Propagation, Write};
use coracle_runtime::{Backoff, Key};
use coracle_service::{Env, Shutdown};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The most pods that one batch writes.
pub const MAX_BATCH: usize = 500;
/// How often a status that the apiserver refuses for its content is sent.
const MAX_ATTEMPTS: u32 = 5;
/// Waits while the apiserver cannot be reached.
const RETRY_MIN: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// The writes that are due. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    due: Notify,
}

#[derive(Default)]
struct Queue {
    order: VecDeque<Arc<str>>,
    pending: HashMap<Arc<str>, Pending>,
}

/// What is due for one pod.
#[derive(Clone)]
struct Pending {
    key: Key,
    status: Option<Bytes>,
    remove: bool,
    attempts: u32,
}

impl Outbox {
    /// Starts to write through `api` until shutdown.
    #[must_use]
    pub fn start(api: Arc<dyn ObjectApi>, env: &Env, shutdown: &Shutdown) -> Self {
        let outbox = Self {
            shared: Arc::new(Shared {
                queue: Mutex::default(),
                due: Notify::new(),
            }),
        };
        let (writer, env_of_task, shutdown) = (outbox.clone(), env.clone(), shutdown.clone());
        env.spawn.task("pod statuses", async move {
            shutdown.guard(writer.write(&*api, &env_of_task)).await;
        });
        outbox
    }

    /// Puts a status in the queue; it is sent after the next [`Outbox::flush`].
    pub fn report(&self, uid: &Arc<str>, key: &Key, status: Bytes) {
        self.shared.queue.lock().entry(uid, key).status = Some(status);
    }

    /// Puts a removal in the queue, behind a last status where one is given.
    pub fn remove(&self, uid: &Arc<str>, key: &Key, status: Option<Bytes>) {
        let mut queue = self.shared.queue.lock();
        let entry = queue.entry(uid, key);
        entry.remove = true;
        entry.status = status;
    }

    /// Nothing is due any more for a pod whose object is gone.
    pub fn forget(&self, uid: &str) {
        // Its place in the order is passed over when its turn comes.
        self.shared.queue.lock().pending.remove(uid);
    }

    /// Sends what was put in the queue.
    pub fn flush(&self) {
        self.shared.due.notify_one();
    }

    async fn write(&self, api: &dyn ObjectApi, env: &Env) {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
        loop {
            self.shared.due.notified().await;
            loop {
                let sending = self.shared.queue.lock().take(MAX_BATCH);
                if sending.is_empty() {
                    break;
                }
                match self.send(api, sending).await {
                    Ok(()) => backoff.reset(),
                    Err(error) => {
                        tracing::debug!(%error, "write pod statuses");
                        env.transport_clock.sleep(backoff.next(&env.random)).await;
                    }
                }
            }
        }
    }

    /// Sends one batch; puts back what should be tried again. The error is one of the whole batch, or a passing one.
    async fn send(&self, api: &dyn ObjectApi, sending: Vec<(Arc<str>, Pending)>) -> Result<(), ApiError> {
        let mut writes = Vec::with_capacity(sending.len() + 8);
        let mut owners = Vec::with_capacity(sending.len() + 8);
        for (at, (uid, pending)) in sending.iter().enumerate() {
            for write in pending.writes(uid) {
                writes.push(write);
                owners.push(at);
            }
        }
        let options = BatchOptions {
            without_bodies: true,
            ..BatchOptions::default()
        };
        let outcomes = match api.batch(writes, &options).await {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.shared.queue.lock().put_back(sending, |_| true);
                return Err(error);
            }
        };
        let (again, passing) = judge(&sending, &owners, &outcomes);
        self.shared.queue.lock().put_back(sending, |at| again[at]);
        passing.map_or(Ok(()), Err)
    }
}

/// Which of the pods to send again, and a passing error where there was one.
fn judge(
    sending: &[(Arc<str>, Pending)],
    owners: &[usize],
    outcomes: &[Result<Object, ApiError>],
) -> (Vec<bool>, Option<ApiError>) {
    let mut again = vec![false; sending.len()];
    let mut passing = None;
    for (&at, outcome) in owners.iter().zip(outcomes) {
        let Err(error) = outcome else { continue };
        // The pod is gone, or another has its name: the watch tells the same.
        if error.is_not_found() || error.is_conflict() {
            continue;
        }
        let (uid, pending) = &sending[at];
        if error.is_transient() {
            again[at] = true;
            passing = Some(error.clone());
        } else if pending.attempts + 1 < MAX_ATTEMPTS {
            again[at] = true;
        } else {
            tracing::error!(uid = &**uid, pod = %pending.key, %error, "apiserver refuses pod status");
        }
    }
    (again, passing)
}

impl Pending {
    fn writes(&self, uid: &Arc<str>) -> impl Iterator<Item = Write> {
        let (namespace, name) = (self.key.namespace().to_owned(), self.key.name().to_owned());
        let removal = self.remove.then(|| Write::Delete {
            resource: kinds::POD,
            namespace: namespace.clone(),
            name: name.clone(),
            options: DeleteOptions {
                grace_period_seconds: Some(0),
                uid: uid.to_string(),
                revision: 0,
                propagation: Propagation::Background,
            },
        });
        let status = self.status.clone().map(|patch| Write::Patch {
            resource: kinds::POD,
            namespace,
            name,
            subresource: "status",
            patch_type: PatchType::Merge,
            patch,
            uid: uid.to_string(),
            revision: 0,
        });
        status.into_iter().chain(removal)
    }
}

impl Queue {
    fn entry(&mut self, uid: &Arc<str>, key: &Key) -> &mut Pending {
        self.pending.entry(Arc::clone(uid)).or_insert_with(|| {
            self.order.push_back(Arc::clone(uid));
            Pending {
                key: key.clone(),
                status: None,
                remove: false,
                attempts: 0,
            }
        })
    }

    fn take(&mut self, max: usize) -> Vec<(Arc<str>, Pending)> {
        let mut taken = Vec::with_capacity(max.min(self.order.len()));
        while taken.len() < max {
            let Some(uid) = self.order.pop_front() else { break };
            if let Some(pending) = self.pending.remove(&uid) {
                taken.push((uid, pending));
            }
        }
        taken
    }

    /// Puts entries back at the front, under what has been put in meanwhile.
    fn put_back(&mut self, sent: Vec<(Arc<str>, Pending)>, again: impl Fn(usize) -> bool) {
        for (at, (uid, mut old)) in sent.into_iter().enumerate().rev() {
            if !again(at) {
                continue;
            }
            old.attempts += 1;
            match self.pending.get_mut(&uid) {
                Some(newer) => {
                    newer.status = newer.status.take().or(old.status);
                    newer.remove |= old.remove;
                }
                None => {
                    self.order.push_front(Arc::clone(&uid));
                    self.pending.insert(uid, old);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(taken: &[(Arc<str>, Pending)]) -> Vec<&str> {
        taken.iter().map(|(uid, _)| &**uid).collect()
    }

    #[test]
    fn a_newer_status_takes_the_place_of_a_waiting_one() {
        let mut queue = Queue::default();
        let key = Key::new("ns", "pod");
        for (uid, status) in [("a", "1"), ("b", "1"), ("a", "2")] {
            queue.entry(&uid.into(), &key).status = Some(status.into());
        }
        let taken = queue.take(10);
        assert_eq!(names(&taken), ["a", "b"]);
        assert_eq!(taken[0].1.status.as_deref(), Some(&b"2"[..]));
    }

    #[test]
    fn what_is_put_back_goes_first_and_gives_way_to_newer() {
        let mut queue = Queue::default();
        let key = Key::new("ns", "pod");
        for uid in ["a", "b", "c"] {
            queue.entry(&uid.into(), &key).status = Some("1".into());
        }
        let taken = queue.take(2);
        queue.entry(&"a".into(), &key).status = Some("2".into());
        queue.put_back(taken, |_| true);
        let taken = queue.take(10);
        assert_eq!(names(&taken), ["b", "c", "a"]);
        assert_eq!(taken[2].1.status.as_deref(), Some(&b"2"[..]));
    }
}
