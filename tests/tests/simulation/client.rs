//! The user of a simulated cluster: deploys, scales and updates, writes ConfigMaps, watches pods, and notes what it
//! was told, so that it can be held against the store's history.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::{ApiError, kinds};
use coracle_client::{
    DeleteOptions, Event, EventKind, GrpcClient, ListQuery, Object, ObjectApi, PatchType, WatchQuery, Write,
    WriteOptions,
};
use coracle_service::Env;
use futures::StreamExt;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Concurrent writers of ConfigMaps, each with one of its own.
const WRITERS: u64 = 4;
/// Fewest and most replicas of the Deployment; the most, with its surge, fits two nodes.
const REPLICAS: (u64, u64) = (2, 6);
/// Between two questions about how far the cluster is.
const POLL: Duration = Duration::from_millis(100);
/// The wait after a failed call or a watch that ended.
const RETRY: Duration = Duration::from_millis(50);
/// Images that updates go back and forth between.
const IMAGES: [&str; 2] = ["nginx:1.14.2", "nginx:1.16.1"];

/// What the user saw, and how far it is.
#[derive(Default)]
pub struct Notes {
    /// Set by who drives the simulation: no more faults, no more changes of the Deployment.
    pub calm: bool,
    /// The Deployment was whole for the first time.
    pub deployed: bool,
    /// The Deployment is whole again after the faults.
    pub whole: bool,
    /// Acknowledged writes: name and value by revision.
    pub acknowledged: BTreeMap<i64, (String, u64)>,
    /// Changes of pods that the watch told, in the order in which it did.
    pub watched: Vec<(i64, String)>,
    /// Where the watch began.
    pub watched_from: i64,
    /// What was told wrongly.
    pub wrong: Option<String>,
    /// How far the Deployment is from what was asked for.
    pub state: String,
    replicas: u64,
    image: usize,
}

/// The user's program.
#[derive(Clone)]
pub struct User {
    api: Arc<GrpcClient>,
    env: Env,
    notes: Arc<Mutex<Notes>>,
}

impl User {
    /// On the user's host.
    pub fn new(cluster: &Cluster, notes: Arc<Mutex<Notes>>) -> Self {
        let (env, identity) = cluster.user();
        let api = GrpcClient::new(&Cluster::server(), &env, &identity).unwrap_or_else(|why| panic!("{why}"));
        Self {
            api: Arc::new(api),
            env,
            notes,
        }
    }

    /// Does everything; ends when the cluster is whole after the faults.
    pub async fn run(self) {
        let watcher = self.clone();
        self.env
            .spawn
            .task("watcher", async move { watcher.watch().await });
        for number in 0..WRITERS {
            let writer = self.clone();
            self.env
                .spawn
                .task("writer", async move { writer.write(number).await });
        }
        self.notes.lock().replicas = REPLICAS.1;
        self.insist(|| create(kinds::DEPLOYMENT, deployment(REPLICAS.1)))
            .await;
        self.wait_whole().await;
        self.notes.lock().deployed = true;
        while !self.notes.lock().calm {
            self.change().await;
        }
        self.wait_whole().await;
        self.notes.lock().whole = true;
    }

    /// Scales or updates the Deployment or deletes one of its pods, and lets some time pass.
    async fn change(&self) {
        if self.env.random.below(3) == 0 {
            self.delete_one().await;
        } else {
            self.reshape().await;
        }
        let wait = Duration::from_secs(2 + self.env.random.below(10));
        let until = self.env.cluster_clock.monotonic() + wait;
        while !self.notes.lock().calm && self.env.cluster_clock.monotonic() < until {
            self.env.cluster_clock.sleep(POLL).await;
        }
    }

    /// Deletes the first pod, if it can be found; nobody minds if it cannot.
    async fn delete_one(&self) {
        let Ok((pods, _)) = self.api.list_all(&ListQuery::all(kinds::POD)).await else {
            return;
        };
        if let Some(pod) = pods.into_iter().next() {
            let Object { namespace, name, .. } = pod;
            let options = DeleteOptions::default();
            let delete = Write::Delete {
                resource: kinds::POD,
                namespace,
                name,
                options,
            };
            let _ = self.api.write(delete, &WriteOptions::default()).await;
        }
    }

    async fn reshape(&self) {
        let patch = {
            let mut notes = self.notes.lock();
            if self.env.random.below(2) == 0 {
                notes.replicas = REPLICAS.0 + self.env.random.below(REPLICAS.1 - REPLICAS.0 + 1);
                json!({"spec": {"replicas": notes.replicas}})
            } else {
                notes.image = 1 - notes.image;
                json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": IMAGES[notes.image]}]}}}})
            }
        };
        self.insist(|| patch_of(kinds::DEPLOYMENT, "web", PatchType::StrategicMerge, &patch))
            .await;
    }

    /// Writes until it is acknowledged. One that is there already was made by an attempt whose answer was lost.
    async fn insist(&self, write: impl Fn() -> Write) {
        loop {
            match self.api.write(write(), &WriteOptions::default()).await {
                Err(error) if !error.is_already_exists() => self.env.transport_clock.sleep(RETRY).await,
                _ => return,
            }
        }
    }

    async fn wait_whole(&self) {
        loop {
            let state = match self.distance().await {
                Ok(None) => return,
                Ok(Some(state)) => state,
                Err(error) => error.to_string(),
            };
            self.notes.lock().state = state;
            self.env.cluster_clock.sleep(POLL).await;
        }
    }

    /// What is missing from a whole Deployment.
    async fn distance(&self) -> Result<Option<String>, ApiError> {
        let (replicas, image) = {
            let notes = self.notes.lock();
            (notes.replicas, IMAGES[notes.image])
        };
        let (pods, _) = self
            .api
            .list_all(&ListQuery {
                label_selector: "app=web".to_owned(),
                ..ListQuery::all(kinds::POD)
            })
            .await?;
        let pods: Vec<Value> = pods.iter().map(Object::read).collect::<Result<_, _>>()?;
        let is_fine = |pod: &Value| {
            let conditions = pod["status"]["conditions"].as_array();
            let is_ready = conditions.is_some_and(|all| {
                all.iter()
                    .any(|one| one["type"] == "Ready" && one["status"] == "True")
            });
            is_ready
                && pod["metadata"]["deletionTimestamp"].is_null()
                && pod["spec"]["containers"][0]["image"] == image
        };
        let deployment: Value = self.api.get(kinds::DEPLOYMENT, "default", "web").await?.read()?;
        let (status, generation) = (&deployment["status"], &deployment["metadata"]["generation"]);
        let is_told = status["observedGeneration"] == *generation
            && [
                "replicas",
                "readyReplicas",
                "updatedReplicas",
                "availableReplicas",
            ]
            .iter()
            .all(|&of| status[of] == replicas);
        if is_told && pods.len() as u64 == replicas && pods.iter().all(is_fine) {
            return Ok(None);
        }
        let brief = |pod: &Value| {
            let (meta, status) = (&pod["metadata"], &pod["status"]);
            format!(
                "{} on {} {} {} fine={} deleted={}",
                meta["name"],
                pod["spec"]["nodeName"],
                status["phase"],
                status["podIP"],
                is_fine(pod),
                meta["deletionTimestamp"]
            )
        };
        let pods: Vec<String> = pods.iter().map(brief).collect();
        Ok(Some(format!(
            "wanted {replicas} of {image}, generation {generation}, status {status}, pods:\n{}",
            pods.join("\n")
        )))
    }

    /// Counts up in a ConfigMap; an attempt whose outcome is unknown is repeated with the same number.
    async fn write(&self, number: u64) {
        let name = format!("count-{number}");
        let mut value = 1;
        loop {
            let data = json!({"data": {"value": value.to_string()}});
            let write = patch_of(kinds::CONFIG_MAP, &name, PatchType::Merge, &data);
            match self.api.write(write, &WriteOptions::default()).await {
                Ok(object) => {
                    self.notes
                        .lock()
                        .acknowledged
                        .insert(object.revision, (name.clone(), value));
                    value += 1;
                }
                Err(error) if error.is_not_found() => {
                    let object = json!({"metadata": {"name": name}, "data": {"value": "0"}});
                    // Whatever came of it, the patch that follows tells.
                    let _ = self
                        .api
                        .write(create(kinds::CONFIG_MAP, object), &WriteOptions::default())
                        .await;
                }
                Err(_) => {}
            }
            self.env
                .transport_clock
                .sleep(self.env.random.jitter(Duration::from_millis(400)))
                .await;
        }
    }

    /// Watches pods for ever, resuming where it was cut off.
    async fn watch(&self) {
        let mut last = loop {
            match self.api.list_all(&ListQuery::all(kinds::POD)).await {
                Ok((_, revision)) => break revision,
                Err(_) => self.env.transport_clock.sleep(RETRY).await,
            }
        };
        self.notes.lock().watched_from = last;
        loop {
            if let Err(error) = self.follow(&mut last).await
                && error.is_expired()
            {
                self.notes.lock().wrong = Some(format!("watch after {last}: {error}"));
            }
            self.env
                .transport_clock
                .sleep(self.env.random.jitter(RETRY))
                .await;
        }
    }

    async fn follow(&self, last: &mut i64) -> Result<(), ApiError> {
        let query = WatchQuery {
            from_revision: *last,
            ..WatchQuery::all(kinds::POD)
        };
        let mut events = self.api.watch(&query).await?;
        while let Some(batch) = events.next().await {
            for Event { kind, revision } in batch? {
                let mut notes = self.notes.lock();
                match kind {
                    EventKind::Added(pod) | EventKind::Modified(pod) | EventKind::Deleted(pod) => {
                        if revision <= *last {
                            notes.wrong = Some(format!("watch told {revision} after {last}"));
                        }
                        notes.watched.push((revision, pod.name));
                    }
                    EventKind::Bookmark if revision < *last => {
                        notes.wrong = Some(format!("watch went back from {last} to {revision}"));
                    }
                    EventKind::Bookmark | EventKind::Synced => {}
                }
                *last = revision;
            }
        }
        Ok(())
    }
}

fn create(resource: &'static coracle_api::Resource, object: Value) -> Write {
    let mut object = object;
    object["apiVersion"] = resource.api_version().into();
    object["kind"] = resource.kind.into();
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    Write::Create {
        resource,
        namespace: "default".to_owned(),
        name,
        subresource: "",
        json: bytes(&object),
    }
}

fn patch_of(
    resource: &'static coracle_api::Resource,
    name: &str,
    patch_type: PatchType,
    patch: &Value,
) -> Write {
    Write::Patch {
        resource,
        namespace: "default".to_owned(),
        name: name.to_owned(),
        subresource: "",
        patch_type,
        patch: bytes(patch),
        uid: String::new(),
        revision: 0,
    }
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

fn deployment(replicas: u64) -> Value {
    let tolerate =
        |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 4});
    json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "terminationGracePeriodSeconds": 3,
                    "tolerations": [tolerate("node.kubernetes.io/not-ready"), tolerate("node.kubernetes.io/unreachable")],
                    "containers": [{
                        "name": "web",
                        "image": IMAGES[0],
                        "ports": [{"containerPort": 80}],
                        "resources": {"requests": {"cpu": "1"}},
                        "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2},
                    }],
                },
            },
        },
    })
}
