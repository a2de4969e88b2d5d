//! Two schedulers, and a leader that is stopped with a batch on the wire: what it decided arrives after another leads.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use coracle_api::ApiError;
use coracle_client::{
    BatchOptions, DeleteOptions, ListPage, ListQuery, Object, WatchQuery, WatchStream, Write, WriteOptions,
};
use tokio::{sync::watch, task::JoinHandle};

use super::*;

/// How often the lead changes.
const ROUNDS: usize = 100;
/// Pods that the only node has room for.
const ROOM: usize = 3;

/// A way to the apiserver that can be cut; what was sent before it was cut arrives once it is mended, whether the sender
/// still waits or not.
#[derive(Clone)]
struct Wire {
    api: FakeApi,
    open: watch::Sender<bool>,
    /// Batches on the wire.
    held: Arc<AtomicUsize>,
}

impl Wire {
    fn new(api: &FakeApi) -> Self {
        Self {
            api: api.clone(),
            open: watch::channel(true).0,
            held: Arc::default(),
        }
    }

    async fn opened(&self) {
        // The sender lives in `self`, so the channel cannot close.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}

#[async_trait]
impl ObjectApi for Wire {
    async fn get(&self, resource: &'static Resource, ns: &str, name: &str) -> Result<Object, ApiError> {
        self.opened().await;
        self.api.get(resource, ns, name).await
    }

    async fn get_scale(&self, resource: &'static Resource, ns: &str, name: &str) -> Result<Object, ApiError> {
        self.api.get_scale(resource, ns, name).await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, ApiError> {
        self.opened().await;
        self.api.list(query).await
    }

    async fn watch(&self, query: &WatchQuery) -> Result<WatchStream, ApiError> {
        self.api.watch(query).await
    }

    async fn write(&self, write: Write, options: &WriteOptions) -> Result<Object, ApiError> {
        self.opened().await;
        self.api.write(write, options).await
    }

    async fn batch(
        &self,
        writes: Vec<Write>,
        options: &BatchOptions,
    ) -> Result<Vec<Result<Object, ApiError>>, ApiError> {
        let (wire, options) = (self.clone(), options.clone());
        wire.held.fetch_add(1, Ordering::SeqCst);
        let delivery = tokio::spawn(async move {
            wire.opened().await;
            let outcome = wire.api.batch(writes, &options).await;
            wire.held.fetch_sub(1, Ordering::SeqCst);
            outcome
        });
        delivery
            .await
            .map_err(|error| ApiError::unavailable(error.to_string()))?
    }
}

struct Instance {
    wire: Wire,
    shutdown: Shutdown,
    running: JoinHandle<anyhow::Result<()>>,
}

fn start(api: &FakeApi, name: &str) -> Instance {
    let (wire, shutdown) = (Wire::new(api), Shutdown::new());
    let (config, ends) = (Config::new("unused:1", name), shutdown.clone());
    let way: Arc<dyn ObjectApi> = Arc::new(wire.clone());
    let running = tokio::spawn(async move {
        let (env, health) = (Env::host(), Health::new());
        lead(&config, way, &env, &health, &ends).await
    });
    Instance {
        wire,
        shutdown,
        running,
    }
}

fn holder(api: &FakeApi) -> Option<String> {
    let lease = api.find(kinds::LEASE, "kube-system", "kube-scheduler")?;
    lease["spec"]["holderIdentity"].as_str().map(ToOwned::to_owned)
}

fn bound(api: &FakeApi) -> Vec<String> {
    let pods = api.all(kinds::POD).into_iter();
    let bound = pods.filter(|pod| pod["spec"]["nodeName"].is_string());
    bound
        .map(|pod| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}

async fn clear(api: &FakeApi) {
    for pod in api.all(kinds::POD) {
        let delete = Write::Delete {
            resource: kinds::POD,
            namespace: "default".to_owned(),
            name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            options: DeleteOptions {
                grace_period_seconds: Some(0),
                ..DeleteOptions::default()
            },
        };
        api.write(delete, &WriteOptions::default()).await.unwrap();
    }
}

/// The stopped leader's batch would fill the node with its own choice beside the pod that the new leader put first.
#[tokio::test(start_paused = true)]
async fn a_leader_stopped_past_its_lease_binds_nothing_more() {
    let api = FakeApi::default();
    api.seed(kinds::NODE, node("n1", "3"));
    let name = |number: usize| format!("instance-{}", number % 2);
    let mut leader = start(&api, &name(0));
    eventually("the first leader", || {
        holder(&api).filter(|holder| *holder == name(0))
    })
    .await;
    for round in 0..ROUNDS {
        let next = start(&api, &name(round + 1));
        // It is stopped, and what it decides from here on stays on the wire.
        api.seed(kinds::POD, pod("warm", "1"));
        eventually("it schedules", || node_of(&api, "warm")).await;
        clear(&api).await;
        leader.wire.open.send_replace(false);
        for number in 0..ROOM {
            api.seed(kinds::POD, pod(&format!("p{number}"), "1"));
        }
        eventually("a batch on the wire", || {
            (leader.wire.held.load(Ordering::SeqCst) > 0).then_some(())
        })
        .await;
        let mut first = pod("first", "1");
        first["spec"]["priority"] = json!(10);
        api.seed(kinds::POD, first);
        eventually("another leader", || {
            holder(&api).filter(|holder| *holder == name(round + 1))
        })
        .await;
        eventually("its bindings", || (bound(&api).len() == ROOM).then_some(())).await;
        leader.wire.open.send_replace(true);
        eventually("the late batch", || {
            (leader.wire.held.load(Ordering::SeqCst) == 0).then_some(())
        })
        .await;
        let bound = bound(&api);
        assert!(
            bound.len() == ROOM && bound[0] == "first",
            "round {round}: {bound:?}"
        );
        let ended = leader.running.await.unwrap();
        assert!(ended.is_err(), "round {round}: the stopped leader goes on");
        clear(&api).await;
        leader = next;
    }
    leader.shutdown.trigger();
    leader.running.await.unwrap().unwrap();
    let mut binds: Vec<String> = api
        .log()
        .into_iter()
        .filter(|line| line.starts_with("bind"))
        .collect();
    let bindings = binds.len();
    binds.dedup();
    assert_eq!(binds.len(), bindings, "a pod is bound once");
}
