//! [`DurableStore`]: the store on disk. The journal commits, the base engine follows, reads come from the
//! index, the overlay and the base.
//!
//! Two threads: the writer owns the journal, the applier feeds the base engine. Callers talk to the writer
//! through one bounded queue; when it is full they wait.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};

use crate::base::sled_base::SledEngine;
use crate::errors::OpenError;
use crate::fs::{FileSystem, LockGuard};
use crate::hooks::Hooks;
use crate::read;
use crate::record::RecordCodec;
use crate::recover::{Recovered, Surroundings, recover};
use crate::state::{State, StoreConfig};
use crate::store::{MAX_GROUP_BYTES, MAX_GROUP_TXNS, Publisher, Store, check_limits};
use crate::types::{
    BoxFuture, Change, Committed, Key, ReadError, Revision, StoreStatus, Stored, Txn, TxnError,
};
use crate::writer::{Outcome, Request};

/// Requests that wait for the writer; the next caller waits for a place.
const QUEUE_REQUESTS: usize = 4 * MAX_GROUP_TXNS;

/// The store on disk.
pub struct DurableStore {
    state: Arc<State>,
    /// `None` after shutdown.
    queue: Mutex<Option<mpsc::Sender<Request>>>,
    running: Arc<Running>,
}

/// What shutdown waits for and releases.
struct Running {
    /// How many of the two threads have ended.
    ended: watch::Receiver<usize>,
    lock: Mutex<Option<LockGuard>>,
}

/// Writer and applier.
const THREADS: usize = 2;

impl DurableStore {
    /// Opens or creates the store in a directory, repairing what can be repaired. Blocks; what it repaired is
    /// in the status.
    pub fn open(
        config: StoreConfig,
        files: Arc<dyn FileSystem>,
        hooks: Hooks,
        codec: RecordCodec,
    ) -> Result<DurableStore, OpenError> {
        let dir = config.dir.clone();
        let spawn = hooks.spawn.clone();
        let around = Surroundings {
            config,
            files,
            engine: Arc::new(SledEngine),
            codec,
            hooks,
        };
        let Recovered {
            state,
            writer,
            applier,
            lock,
        } = recover(around)?;
        let (queue, requests) = mpsc::channel(QUEUE_REQUESTS);
        let (ended, wait) = watch::channel(0);
        let ended = Arc::new(ended);
        let start = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let ended = Ended(ended.clone());
            let work = Box::new(move || {
                let _ended = ended;
                work();
            });
            spawn(name, work).map_err(|source: io::Error| OpenError::io("start threads for", &dir, source))
        };
        start("store-applier", Box::new(move || applier.run()))?;
        start("store-writer", Box::new(move || writer.run(requests)))?;
        let running = Arc::new(Running {
            ended: wait,
            lock: Mutex::new(Some(lock)),
        });
        Ok(DurableStore {
            state,
            queue: Mutex::new(Some(queue)),
            running,
        })
    }

    fn send(&self, txns: Vec<Txn>) -> BoxFuture<'static, Vec<Outcome>> {
        let queue = self.queue.lock().clone();
        Box::pin(async move {
            let count = txns.len();
            let (request, outcome) = Request::new(txns);
            let sent = match queue {
                Some(queue) => queue.send(request).await.is_ok(),
                None => false,
            };
            let answered = if sent { outcome.await.ok() } else { None };
            answered.unwrap_or_else(|| (0..count).map(|_| Err(shut_down())).collect())
        })
    }
}

/// Counts a thread as ended, however it ended.
struct Ended(Arc<watch::Sender<usize>>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.send_modify(|ended| *ended += 1);
    }
}

impl Drop for DurableStore {
    fn drop(&mut self) {
        self.queue.lock().take();
        self.state.control.lock().stop = true;
        self.state.applier_wakes.notify_all();
    }
}

fn shut_down() -> TxnError {
    TxnError::Unavailable("the store is shut down".to_owned())
}

/// Splits transactions into runs that each fit a group.
fn split(txns: Vec<Txn>) -> Vec<Vec<Txn>> {
    let mut runs: Vec<Vec<Txn>> = Vec::new();
    let mut bytes = 0;
    for txn in txns {
        let size = txn.size_bytes();
        match runs.last_mut() {
            Some(run) if run.len() < MAX_GROUP_TXNS && bytes + size <= MAX_GROUP_BYTES => {
                bytes += size;
                run.push(txn);
            }
            _ => {
                bytes = size;
                runs.push(vec![txn]);
            }
        }
    }
    runs
}

impl Store for DurableStore {
    fn commit(&self, txn: Txn) -> BoxFuture<'static, Result<Committed, TxnError>> {
        if let Err(error) = check_limits(&txn) {
            return Box::pin(async move { Err(error) });
        }
        let outcome = self.send(vec![txn]);
        Box::pin(async move { outcome.await.pop().unwrap_or_else(|| Err(shut_down())) })
    }

    fn commit_many(&self, txns: Vec<Txn>) -> BoxFuture<'static, Vec<Result<Committed, TxnError>>> {
        let count = txns.len();
        let runs: Vec<_> = split(txns).into_iter().map(|run| self.send(run)).collect();
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(count);
            for run in runs {
                outcomes.extend(run.await);
            }
            outcomes
        })
    }

    fn revision(&self) -> Revision {
        self.state.published.load(Ordering::Acquire)
    }

    fn compacted_revision(&self) -> Revision {
        self.state.index.read().compacted()
    }

    fn get(&self, key: &str, at: Option<Revision>) -> Result<Option<Stored>, ReadError> {
        read::get(&self.state.index, self.state.as_ref(), key, at)
    }

    fn range(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        limit: usize,
        at: Revision,
    ) -> Result<Vec<Stored>, ReadError> {
        read::range(
            &self.state.index,
            self.state.as_ref(),
            prefix,
            start_after,
            limit,
            at,
        )
    }

    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, ReadError> {
        read::changes(&self.state.index, self.state.as_ref(), after, limit)
    }

    fn sealed(&self, prefix: &str) -> Result<Vec<(Key, u32)>, ReadError> {
        read::sealed(&self.state.index, self.state.as_ref(), prefix)
    }

    fn subscribe(&self, publisher: Arc<dyn Publisher>) -> Revision {
        let mut slot = self.state.publisher.lock();
        *slot = Some(publisher);
        self.revision()
    }

    fn compact(&self, upto: Revision) {
        let upto = upto.min(self.revision());
        let mut control = self.state.control.lock();
        control.compact_to = control.compact_to.max(upto);
        drop(control);
        self.state.applier_wakes.notify_one();
    }

    fn checkpoint(&self) -> BoxFuture<'static, Result<Revision, TxnError>> {
        let (reply, made) = oneshot::channel();
        {
            let mut control = self.state.control.lock();
            if control.stop {
                return Box::pin(async { Err(shut_down()) });
            }
            control.checkpoints.push((self.revision(), reply));
        }
        self.state.applier_wakes.notify_one();
        Box::pin(async move { made.await.unwrap_or_else(|_| Err(shut_down())) })
    }

    fn status(&self) -> StoreStatus {
        self.state.status()
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        self.queue.lock().take();
        let state = self.state.clone();
        let running = self.running.clone();
        Box::pin(async move {
            let mut ended = running.ended.clone();
            // The writer ends when the last sender is gone; only then is the backlog final.
            let _ = ended.wait_for(|ended| *ended >= 1).await;
            state.control.lock().stop = true;
            state.applier_wakes.notify_all();
            let _ = ended.wait_for(|ended| *ended >= THREADS).await;
            *state.base.write() = None;
            running.lock.lock().take();
        })
    }
}
