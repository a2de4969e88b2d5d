//! What every browser sees live: pods and nodes, in columns, with what changed since a browser last heard.
//!
//! [`board`] holds the columns and a version per row, so that a browser's next message is whatever is newer than its
//! last one: changes of one object in between are coalesced, and a slow browser gets the latest state, never a backlog.
//! [`projection`] says what is kept of an object, [`wire`] how a message looks, [`socket`] serves browsers.

pub mod board;
pub mod projection;
pub mod socket;
pub mod wire;

use std::sync::Arc;

use coracle_api::kinds;
use coracle_client::{ObjectApi, WatchQuery};
use coracle_runtime::{Cache, informer};
use coracle_service::{Env, Shutdown};
use parking_lot::Mutex;
use tokio::sync::watch;

use board::Board;
use projection::{Node, Pod};

/// The live view of one cluster.
pub struct Live {
    board: Arc<Mutex<Board>>,
    pods: Cache<Pod>,
    nodes: Cache<Node>,
    changed: watch::Receiver<u64>,
}

impl Live {
    /// Begins to watch, until shutdown.
    #[must_use]
    pub fn start(api: Arc<dyn ObjectApi>, env: &Env, shutdown: &Shutdown) -> Arc<Self> {
        let board = Arc::new(Mutex::new(Board::default()));
        let (sender, changed) = watch::channel(0);
        let sender = Arc::new(sender);
        let (pods, nodes) = (Cache::<Pod>::new(kinds::POD), Cache::<Node>::new(kinds::NODE));
        let (told, tell) = (Arc::clone(&board), Arc::clone(&sender));
        pods.subscribe(move |change| {
            let version = told.lock().pod_changed(&change.key, change.new.as_deref());
            tell.send_replace(version);
        });
        let told = Arc::clone(&board);
        nodes.subscribe(move |change| {
            let version = told.lock().node_changed(change.key.name(), change.new.as_deref());
            sender.send_replace(version);
        });
        informer::start(
            &nodes,
            WatchQuery::all(kinds::NODE),
            Arc::clone(&api),
            env,
            shutdown,
        );
        informer::start(&pods, WatchQuery::all(kinds::POD), api, env, shutdown);
        Arc::new(Self {
            board,
            pods,
            nodes,
            changed,
        })
    }

    /// Waits until the first state is complete: before that, a browser would be shown half of the pods.
    pub async fn wait_synced(&self) {
        tokio::join!(self.pods.wait_synced(), self.nodes.wait_synced());
    }

    /// The board's version, and each change of it.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    /// What is newer than `sent`; everything where the rows were renumbered since, or nothing was sent yet.
    #[must_use]
    pub fn since(&self, sent: Option<board::Position>) -> board::Difference {
        let revision = self.pods.revision().max(self.nodes.revision());
        self.board.lock().since(sent, revision)
    }

    /// Namespace and name of pods by their row.
    #[must_use]
    pub fn names(&self, rows: &[u32]) -> Vec<Option<(String, String)>> {
        self.board.lock().names(rows)
    }
}
