//! What reaches the manager of pods from outside: names of pods that changed, and what tasks have to tell.
//!
//! Names are kept once each, so that a flood of changes to the same pods stays as small as the number of pods. What
//! tasks tell goes through a queue of [`MAX_MESSAGES`]; a task waits where it is full.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use coracle_runtime::Key;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::{environment::Objects, usage::NodeUsage};
use crate::{
    logs::Log,
    probes::ProbeKind,
    runtime::{
        program::Invocation,
        serving::{Bound, ListenError, Service},
    },
    volumes::{Volumes, prepare},
};

/// Messages of tasks that wait to be read.
pub const MAX_MESSAGES: usize = 4_096;

/// One container's instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The pod's UID.
    pub uid: Arc<str>,
    /// The container's place in the worker.
    pub container: usize,
    /// `restartCount`
    pub instance: u32,
}

/// What a task has to tell.
pub enum Message {
    /// A pod's volumes are there, or not.
    Volumes(Arc<str>, Result<Volumes, prepare::Error>),
    /// What a container's environment refers to is there, or not.
    Environment(Instance, Result<Objects, String>),
    /// A container's listeners are there, or not.
    Listening(Instance, Arc<dyn Service>, Result<Bound, ListenError>),
    /// A container that was told to end has ended.
    Ended(Instance, i32),
    /// A probe was answered.
    Probed(Instance, ProbeKind, Result<(), String>),
    /// What was done after a container's start is done, or failed.
    Started(Instance, Result<(), String>),
    /// What was done before a container's end is done, or failed; this much of its grace period is left.
    BeforeStop(Instance, Result<(), String>, Duration),
    /// Somebody wants to read a container's log.
    FindLog(LogQuery, oneshot::Sender<Result<Arc<Log>, QueryError>>),
    /// Somebody wants to run a command in a container, or to join the one that runs.
    Enter(LogQuery, oneshot::Sender<Result<Entered, QueryError>>),
    /// The same, with what the environment refers to.
    EnterWith(
        Instance,
        Result<Objects, String>,
        oneshot::Sender<Result<Entered, QueryError>>,
    ),
    /// Somebody wants to know what is used.
    Measure(oneshot::Sender<Vec<NodeUsage>>),
}

/// The way into a container.
pub struct Entered {
    /// What a command is given there.
    pub invocation: Arc<Invocation>,
}

/// Which log to read, or which container to enter.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// Where not empty, the pod must have this UID.
    pub uid: String,
    /// Empty where the pod has one container.
    pub container: String,
    /// Of the instance before.
    pub previous: bool,
}

/// Why there is no such log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The pod is not here.
    #[error("pod {0:?} not found on this node")]
    NoPod(String),
    /// The pod has no such container, or several and none was named.
    #[error("{0}")]
    NoContainer(String),
    /// It does not run yet, or has not run before.
    #[error("{0}")]
    NoInstance(String),
}

/// The names of pods that changed.
#[derive(Default)]
pub struct Dirty {
    keys: Mutex<(VecDeque<Key>, HashSet<Key>)>,
    nodes: AtomicBool,
    any: Notify,
}

impl Dirty {
    /// Notes that a pod changed.
    pub fn mark(&self, key: &Key) {
        let mut keys = self.keys.lock();
        if keys.1.insert(key.clone()) {
            keys.0.push_back(key.clone());
        }
        drop(keys);
        self.any.notify_one();
    }

    /// Notes that a node changed.
    pub fn mark_nodes(&self) {
        self.nodes.store(true, Ordering::Release);
        self.any.notify_one();
    }

    /// Ends the wait, for something that is looked at anyway.
    pub fn wake(&self) {
        self.any.notify_one();
    }

    /// Whether a node changed since the last call.
    pub fn take_nodes(&self) -> bool {
        self.nodes.swap(false, Ordering::AcqRel)
    }

    /// Waits until there may be something.
    pub async fn wait(&self) {
        self.any.notified().await;
    }

    /// All names, in the order in which they were first marked.
    pub fn take(&self) -> VecDeque<Key> {
        let mut keys = self.keys.lock();
        keys.1.clear();
        std::mem::take(&mut keys.0)
    }
}
