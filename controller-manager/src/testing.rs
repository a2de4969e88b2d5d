//! Fixtures of this crate's tests: objects from JSON, plans as lines, and all controllers on a fake apiserver with
//! somebody who plays scheduler and nodes.

use std::{sync::Arc, time::Duration};

use coracle_api::{Resource, kinds};
use coracle_client::{
    DeleteOptions, Object, ObjectApi, PatchType, Propagation, WatchQuery, Write, WriteOptions,
};
use coracle_runtime::{Cache, Plan, Project, fake::FakeApi, informer};
use coracle_service::{Clock, Env, Health, Random, Shutdown};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{Config, Timings, run_with, view::Pod};

/// The label of pods that end by themselves: the phase that they come to.
pub(crate) const ENDS_LABEL: &str = "ends";
pub(crate) mod disturbance;

/// How long a condition is waited for. Time stands still while anybody has something to do, so that this says nothing
/// about how fast the machine is: only timers (back-off, leases, periods) pass meanwhile.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long nothing must happen for the controllers to be called done: longer than a key's back-off after ten failures.
const QUIET: Duration = Duration::from_secs(10);

/// How long something that is no write may go unseen by those who wait for it.
const LOOK: Duration = Duration::from_millis(50);

/// The second that every test calls now.
pub(crate) const NOW: i64 = 1_000_000;

pub(crate) fn now() -> Timestamp {
    at(NOW)
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// RFC 3339 of a time `seconds` ago.
pub(crate) fn ago(seconds: i64) -> String {
    coracle_api::time::format(at(NOW - seconds))
}

/// The projection of an object given as JSON; name, UID and revision are filled in where missing.
pub(crate) fn view<T: Project>(mut object: Value) -> Arc<T> {
    let metadata = &mut object["metadata"];
    let name = metadata["name"].as_str().unwrap_or("x").to_owned();
    metadata["name"] = json!(name);
    if metadata["uid"].is_null() {
        metadata["uid"] = json!(format!("uid-{name}"));
    }
    if metadata["resourceVersion"].is_null() {
        metadata["resourceVersion"] = json!("7");
    }
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    let object = Object {
        namespace: text("namespace"),
        name,
        uid: text("uid"),
        revision: 7,
        json: object.to_string().into(),
    };
    Arc::new(T::project(&object).unwrap())
}

/// A plan as lines that are easy to compare: verb, resource, name, body.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| line(&step.write)).collect()
}

fn line(write: &Write) -> String {
    match write {
        Write::Create {
            resource,
            subresource,
            json,
            ..
        } => {
            let body: Value = serde_json::from_slice(json).unwrap();
            let name = body["metadata"]["name"]
                .as_str()
                .or(body["metadata"]["generateName"].as_str());
            format!(
                "create {}{} {}",
                resource.plural,
                slash(subresource),
                name.unwrap_or_default()
            )
        }
        Write::Update {
            resource,
            name,
            subresource,
            json,
            ..
        } => {
            let body: Value = serde_json::from_slice(json).unwrap();
            format!(
                "update {}{} {name} {}",
                resource.plural,
                slash(subresource),
                body["spec"]
            )
        }
        Write::Patch {
            resource,
            name,
            subresource,
            patch,
            patch_type,
            ..
        } => {
            let kind = if *patch_type == PatchType::StrategicMerge {
                "merge"
            } else {
                "patch"
            };
            let body = String::from_utf8_lossy(patch);
            format!("{kind} {}{} {name} {body}", resource.plural, slash(subresource))
        }
        Write::Delete {
            resource,
            name,
            options,
            ..
        } => {
            let how = match (options.grace_period_seconds, options.propagation) {
                (Some(0), _) => " now",
                (_, Propagation::Foreground) => " foreground",
                _ => "",
            };
            assert!(
                !options.uid.is_empty(),
                "a controller deletes what it saw, by UID"
            );
            format!("delete {} {name}{how}", resource.plural)
        }
    }
}

fn slash(subresource: &str) -> String {
    if subresource.is_empty() {
        String::new()
    } else {
        format!("/{subresource}")
    }
}

/// The body of the write whose line begins so.
pub(crate) fn body_of(plan: &Plan, beginning: &str) -> Value {
    let step = plan
        .steps
        .iter()
        .find(|step| line(&step.write).starts_with(beginning));
    let step = step.unwrap_or_else(|| panic!("no {beginning:?} in {:#?}", lines(plan)));
    match &step.write {
        Write::Create { json, .. } | Write::Update { json, .. } => serde_json::from_slice(json).unwrap(),
        Write::Patch { patch, .. } => serde_json::from_slice(patch).unwrap(),
        Write::Delete { .. } => Value::Null,
    }
}

/// All controllers on a fake apiserver.
///
/// Time is the paused one of tokio: it moves on only when nobody has anything to do, and then at once to the next timer.
/// Tests with a harness are `#[tokio::test(start_paused = true)]`.
pub(crate) struct Harness {
    pub(crate) api: FakeApi,
    pub(crate) env: Env,
    shutdown: Shutdown,
}

/// An environment whose time is tokio's, and whose randomness is the same each time.
pub(crate) fn env() -> Env {
    Env {
        transport_clock: Clock::simulated(now()),
        cluster_clock: Clock::simulated(now()),
        random: Random::seeded(1),
        ..Env::host()
    }
}

pub(crate) fn config() -> Config {
    let timings = Timings {
        // Most tests have no Leases of nodes.
        node_grace: Duration::from_secs(3_600),
        pod_gc: Duration::from_secs(2),
        orphaned_pod: Duration::from_secs(2),
        namespace_retry: Duration::from_millis(200),
        job_backoff: Duration::from_secs(1),
        autoscaler_period: Duration::from_secs(2),
    };
    Config {
        timings,
        root_ca_pem: Some("the authority".to_owned()),
        ..Config::new("apiserver:6443".to_owned(), "test".to_owned())
    }
}

impl Harness {
    /// Starts all controllers and the cluster around them.
    pub(crate) fn start() -> Self {
        let harness = Self::without_manager();
        harness.run_manager(config());
        harness
    }

    /// The cluster around the controllers alone.
    pub(crate) fn without_manager() -> Self {
        let (api, env, shutdown) = (FakeApi::new(now()), env(), Shutdown::new());
        let shared: Arc<dyn ObjectApi> = Arc::new(api.clone());
        api.seed(kinds::NODE, node("node-1"));
        let pods = Cache::<Pod>::new(kinds::POD);
        pods.subscribe({
            let (api, spawn, shutdown) = (api.clone(), env.spawn, shutdown.clone());
            move |change| {
                let Some(pod) = change.new.clone() else { return };
                let (api, shutdown) = (api.clone(), shutdown.clone());
                spawn.task("kubelet", async move {
                    shutdown.guard(play_node(&api, &pod)).await;
                });
            }
        });
        informer::start(&pods, WatchQuery::all(kinds::POD), shared, &env, &shutdown);
        Self { api, env, shutdown }
    }

    /// Starts a controller manager, which ends with the harness; returns its way to the apiserver and what ends it.
    pub(crate) fn run_manager(&self, config: Config) -> (FakeApi, Shutdown) {
        self.run_manager_with(config, |_| {})
    }

    /// As [`Self::run_manager`], with its way to the apiserver prepared before it begins.
    pub(crate) fn run_manager_with(
        &self,
        config: Config,
        prepare: impl FnOnce(&FakeApi),
    ) -> (FakeApi, Shutdown) {
        let (client, manager) = (self.api.another_client(), self.shutdown.child());
        prepare(&client);
        let (api, ending): (Arc<dyn ObjectApi>, _) = (Arc::new(client.clone()), manager.clone());
        let env = self.env.clone();
        self.env.spawn.task("manager", async move {
            let _ = run_with(config, api, env, Health::new(), ending).await;
        });
        (client, manager)
    }

    /// Waits until `reached` holds of the fake; says what was there where it does not.
    pub(crate) async fn until(&self, what: &str, reached: impl Fn(&FakeApi) -> bool) {
        let clock = &self.env.transport_clock;
        let deadline = clock.monotonic() + PATIENCE;
        while !reached(&self.api) {
            assert!(
                clock.monotonic() < deadline,
                "waited in vain for {what}; writes: {:#?}",
                self.api.log()
            );
            // Not everything that is waited for is a write.
            let _ = clock.timeout(LOOK, self.api.changed()).await;
        }
    }

    /// Waits until nobody but the keepers of Leases and the tellers of Events has written for [`QUIET`].
    pub(crate) async fn until_quiet(&self) {
        let clock = &self.env.transport_clock;
        let counts = |line: &&String| !line.contains(" leases ") && !line.contains(" events ");
        let mut writes = 0;
        loop {
            let now = self.api.log().iter().filter(counts).count();
            if now == writes {
                return;
            }
            writes = now;
            clock.sleep(QUIET).await;
        }
    }

    /// Writes as a user would.
    pub(crate) async fn write(&self, write: Write) {
        self.api.write(write, &WriteOptions::default()).await.unwrap();
    }

    pub(crate) async fn create(&self, resource: &'static Resource, object: Value) {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        self.write(crate::writes::create(
            resource,
            namespace,
            object.to_string().into(),
        ))
        .await;
    }

    pub(crate) async fn delete(&self, resource: &'static Resource, name: &str, propagation: Propagation) {
        let namespace = if resource.namespaced { "ns" } else { "" }.to_owned();
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        self.write(Write::Delete {
            resource,
            namespace,
            name: name.to_owned(),
            options,
        })
        .await;
    }

    pub(crate) async fn patch(&self, resource: &'static Resource, name: &str, body: Value) {
        self.patch_part(resource, name, "", body).await;
    }

    /// A merge patch of a subresource.
    pub(crate) async fn patch_part(
        &self,
        resource: &'static Resource,
        name: &str,
        subresource: &'static str,
        body: Value,
    ) {
        let write = Write::Patch {
            resource,
            namespace: if resource.namespaced { "ns" } else { "" }.to_owned(),
            name: name.to_owned(),
            subresource,
            patch_type: PatchType::Merge,
            patch: body.to_string().into(),
            uid: String::new(),
            revision: 0,
        };
        self.write(write).await;
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

/// A node that is ready.
pub(crate) fn node(name: &str) -> Value {
    let ready = json!({"type": "Ready", "status": "True", "lastHeartbeatTime": ago(0)});
    json!({"metadata": {"name": name}, "status": {"conditions": [ready]}})
}

/// Binds, starts and ends a pod as scheduler and node would.
async fn play_node(api: &FakeApi, pod: &Pod) {
    let (namespace, name) = (pod.meta.namespace.to_string(), pod.meta.name.to_string());
    let write = if pod.meta.is_deleting() {
        crate::writes::delete_now(kinds::POD, &pod.meta)
    } else if pod.node.is_empty() {
        let node = Some(pod.target()).filter(|node| !node.is_empty());
        let json = json!({"target": {"name": node.unwrap_or("node-1")}})
            .to_string()
            .into();
        Write::Create {
            resource: kinds::POD,
            namespace,
            name,
            subresource: "binding",
            json,
        }
    } else if pod.is_finished() {
        return;
    } else if pod.ready {
        // Its label says how its program ends.
        let Some(phase) = pod.meta.labels.get(ENDS_LABEL) else {
            return;
        };
        crate::writes::patch_status(kinds::POD, &pod.meta, &json!({"status": {"phase": phase}}))
    } else {
        let ready = json!({"type": "Ready", "status": "True", "lastTransitionTime": ago(0)});
        // Of its name, so that it is the same each time.
        let number = name.bytes().fold(0_u8, u8::wrapping_add);
        let ip = format!("10.0.0.{number}");
        let status = json!({"status": {"phase": "Running", "podIP": ip, "conditions": [ready]}});
        crate::writes::patch_status(kinds::POD, &pod.meta, &status)
    };
    // Whatever went wrong shows in the next change of the pod.
    let _ = api.write(write, &WriteOptions::default()).await;
}
