//! Disturbances: a story is told to all controllers once in peace, and then again and again while the process is killed
//! after each of its writes, lives in the past, or loses its watches. Each time the end must be the same, but for names
//! that are drawn, UIDs and times, and what nobody may touch must still be there.
//!
//! A [`Story`] is made of acts: what a user does, and what is true when the controllers have done their part. The world
//! around (scheduler and nodes, see [`Harness`]) is never disturbed.

use std::time::Duration;

use coracle_api::{Resource, kinds};
use coracle_client::Propagation;
use coracle_runtime::fake::FakeApi;
use coracle_service::{Random, Shutdown};
use serde_json::{Map, Value, json};

use super::{Harness, config};

/// Writes after which the process is killed, at most: a story should be short.
const KILLS_MAX: usize = 120;
/// Different courses of random disturbance.
const SEEDS: u64 = 4;
/// After every how many-th write the next process begins in the past.
const RETURNS_EVERY: usize = 3;
/// The most changes that a random disturbance lasts.
const PAUSE_MAX_CHANGES: u64 = 12;
/// Where nothing changes, a disturbance goes on so long for each change that it should last.
const PAUSE: Duration = Duration::from_millis(20);

/// What a user does.
#[derive(Clone)]
pub(crate) enum Deed {
    Create(&'static Resource, Value),
    /// A merge patch of an object in the namespace `ns`.
    Patch(&'static Resource, &'static str, Value),
    /// The same of its status, as nodes do.
    Status(&'static Resource, &'static str, Value),
    Delete(&'static Resource, &'static str, Propagation),
    /// Stores an object as it is, as nodes do theirs.
    Seed(&'static Resource, Value),
}

struct Act {
    name: &'static str,
    deeds: Vec<Deed>,
    ends: Box<dyn Fn(&FakeApi) -> bool + Send + Sync>,
}

/// What happens to the controllers, act by act.
pub(crate) struct Story {
    acts: Vec<Act>,
    kinds: Vec<&'static Resource>,
    never: fn(&str) -> bool,
}

impl Story {
    /// A story whose end is judged by all objects of these kinds.
    pub(crate) fn about(kinds: impl IntoIterator<Item = &'static Resource>) -> Self {
        Self {
            acts: Vec::new(),
            kinds: kinds.into_iter().collect(),
            never: |_| false,
        }
    }

    /// And then these things are done together, and at last `ends` holds, and goes on to hold.
    pub(crate) fn act(
        mut self,
        name: &'static str,
        deeds: impl IntoIterator<Item = Deed>,
        ends: impl Fn(&FakeApi) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.acts.push(Act {
            name,
            deeds: deeds.into_iter().collect(),
            ends: Box::new(ends),
        });
        self
    }

    /// No line of [`FakeApi::log`] may ever be so, however the story is disturbed.
    pub(crate) fn never(mut self, never: fn(&str) -> bool) -> Self {
        self.never = never;
        self
    }

    /// Tells the story in peace, then with the manager killed after each write that it made, one a round, and started
    /// anew, with every third kill also in the past; then on views that stand still and with watches that break.
    pub(crate) async fn survives_everything(&self) {
        let (end, writes) = self.in_peace().await;
        assert!(
            (1..=KILLS_MAX).contains(&writes),
            "a story has 1 to {KILLS_MAX} writes, not {writes}"
        );
        for after in 1..=writes {
            let found = self.killed(after, false).await;
            check(&found, &end, &format!("killed after write {after} of {writes}"));
        }
        for after in (1..=writes).step_by(RETURNS_EVERY) {
            let found = self.killed(after, true).await;
            check(
                &found,
                &end,
                &format!("came back into the past after write {after} of {writes}"),
            );
        }
        for seed in 0..SEEDS {
            let found = self.stale(seed).await;
            check(&found, &end, &format!("on a stale view, seed {seed}"));
            let found = self.deaf(seed).await;
            check(
                &found,
                &end,
                &format!("with lost and repeated events, seed {seed}"),
            );
        }
    }

    /// The end, and how many writes it took.
    async fn in_peace(&self) -> (Value, usize) {
        let stage = Stage::new(self).await;
        let (client, _) = stage.harness.run_manager(config());
        for act in &self.acts {
            stage.begin(act).await;
            stage.until(act, || false).await;
        }
        (stage.end().await, client.writes())
    }

    /// The process is killed after its write number `after`. The next one sees the present, or begins with what was
    /// visible halfway to the kill and catches up later.
    async fn killed(&self, after: usize, in_the_past: bool) -> Value {
        let stage = Stage::new(self).await;
        let (client, manager) = stage.harness.run_manager(config());
        client.fail_after(Some(after));
        let mut killed = false;
        for act in &self.acts {
            stage.begin(act).await;
            if !killed {
                stage.until(act, || client.is_cut_off()).await;
            }
            if !killed && client.is_cut_off() {
                killed = true;
                manager.trigger();
                if in_the_past {
                    stage.return_into_the_past().await;
                } else {
                    stage.harness.run_manager(config());
                }
            }
            stage.until(act, || false).await;
        }
        stage.end().await
    }

    /// What the manager sees stands still for a while, again and again, while the world goes on.
    async fn stale(&self, seed: u64) -> Value {
        let stage = Stage::new(self).await;
        let (client, _) = stage.harness.run_manager(config());
        let stop = Shutdown::new();
        let disturbing = disturb(seed, &stage.harness, &stop, {
            let api = client.clone();
            move |holds| api.see_until(holds.then(|| api.position()))
        });
        for act in &self.acts {
            stage.begin(act).await;
            stage.until(act, || false).await;
        }
        stop.trigger();
        let _ = disturbing.await;
        client.see_until(None);
        stage.end().await
    }

    /// Watches break, and what happened meanwhile is told as one list, or again from where they were.
    async fn deaf(&self, seed: u64) -> Value {
        let stage = Stage::new(self).await;
        stage.harness.run_manager(config());
        let stop = Shutdown::new();
        let disturbing = disturb(seed, &stage.harness, &stop, {
            let api = stage.harness.api.clone();
            move |lists| {
                if lists {
                    api.expire_watches();
                } else {
                    api.break_watches();
                }
            }
        });
        for act in &self.acts {
            stage.begin(act).await;
            stage.until(act, || false).await;
        }
        stop.trigger();
        let _ = disturbing.await;
        stage.end().await
    }
}

/// Shows the objects that are not the same, and no others.
fn check(found: &Value, end: &Value, how: &str) {
    let objects = |state: &Value| -> Vec<String> {
        let kinds = state.as_object().into_iter().flatten();
        let all = kinds.flat_map(|(_, objects)| objects.as_array().into_iter().flatten());
        all.map(Value::to_string).collect()
    };
    let (found, end) = (objects(found), objects(end));
    let without = |of: &[String], others: &[String]| -> Vec<String> {
        of.iter()
            .filter(|object| !others.contains(object))
            .cloned()
            .collect()
    };
    let (more, fewer) = (without(&found, &end), without(&end, &found));
    assert!(
        found == end,
        "{how}: {} objects instead of {}; these should not be there: {more:#?}; these are missing: {fewer:#?}",
        found.len(),
        end.len()
    );
}

/// Calls `fault` with true and false in turns, after random numbers of changes, until told to stop.
fn disturb(
    seed: u64,
    harness: &Harness,
    stop: &Shutdown,
    fault: impl Fn(bool) + Send + Sync + 'static,
) -> tokio::task::JoinHandle<()> {
    let (random, clock, stop) = (
        Random::seeded(seed),
        harness.env.transport_clock.clone(),
        stop.clone(),
    );
    let api = harness.api.clone();
    harness.env.spawn.task("disturbance", async move {
        let faults = async {
            loop {
                for on in [true, false] {
                    fault(on);
                    for _ in 0..=random.below(PAUSE_MAX_CHANGES) {
                        let _ = clock.timeout(PAUSE, api.changed()).await;
                    }
                }
            }
        };
        stop.guard(faults).await.unwrap_or(());
    })
}

/// A cluster in which a story is told, with bystanders.
struct Stage<'a> {
    story: &'a Story,
    harness: Harness,
    bystanders: Vec<(&'static Resource, &'static str, &'static str, Value)>,
}

impl<'a> Stage<'a> {
    async fn new(story: &'a Story) -> Self {
        let harness = Harness::without_manager();
        let bystanders = [
            (kinds::POD, "ns", "bystander"),
            (kinds::POD, "ns", "bystander-0"),
            (kinds::POD, "elsewhere", "bystander"),
            (kinds::PERSISTENT_VOLUME_CLAIM, "ns", "data-bystander-0"),
            (kinds::CONFIG_MAP, "ns", "bystander"),
        ];
        let bystanders = bystanders.map(|(resource, namespace, name)| {
            let metadata = json!({"namespace": namespace, "name": name, "labels": {"app": "bystander"}});
            harness.api.seed(
                resource,
                json!({"metadata": metadata, "spec": {"nodeName": "node-1"}}),
            );
            let uid = harness.api.find(resource, namespace, name).unwrap()["metadata"]["uid"].clone();
            (resource, namespace, name, uid)
        });
        Self {
            story,
            harness,
            bystanders: bystanders.into(),
        }
    }

    async fn begin(&self, act: &Act) {
        for deed in act.deeds.clone() {
            match deed {
                Deed::Create(resource, object) => self.harness.create(resource, object).await,
                Deed::Patch(resource, name, body) => self.harness.patch(resource, name, body).await,
                Deed::Status(resource, name, body) => {
                    self.harness.patch_part(resource, name, "status", body).await;
                }
                Deed::Delete(resource, name, how) => self.harness.delete(resource, name, how).await,
                Deed::Seed(resource, object) => {
                    self.harness.api.seed(resource, object);
                }
            }
        }
    }

    async fn until(&self, act: &Act, or: impl Fn() -> bool) {
        self.harness.until(act.name, |api| or() || (act.ends)(api)).await;
    }

    /// A manager that begins with what was visible halfway to now, and is brought back after a while.
    async fn return_into_the_past(&self) {
        let past = self.harness.api.position() / 2;
        let (client, _) = self
            .harness
            .run_manager_with(config(), |client| client.see_until(Some(past)));
        // Long enough to do everything that seems right in the past.
        self.harness.env.cluster_clock.sleep(PAUSE).await;
        client.see_until(None);
    }

    /// The end state, once nothing moves any more.
    async fn end(self) -> Value {
        let last = self.story.acts.last().unwrap();
        // The condition of the last act may hold for a moment before it holds for good.
        self.harness.until_quiet().await;
        self.until(last, || false).await;
        let found = end_state(&self.harness.api, &self.story.kinds);
        for (resource, namespace, name, uid) in &self.bystanders {
            let now = self.harness.api.find(resource, namespace, name);
            let now = now.map(|object| object["metadata"]["uid"].clone());
            assert_eq!(
                now.as_ref(),
                Some(uid),
                "{resource} {namespace}/{name} is nobody's"
            );
        }
        let log = self.harness.api.log();
        let forbidden: Vec<_> = log.iter().filter(|line| (self.story.never)(line)).collect();
        assert!(forbidden.is_empty(), "never {forbidden:?} in {log:#?}");
        found
    }
}

/// All objects of these kinds, without what differs from run to run.
pub(crate) fn end_state(api: &FakeApi, kinds: &[&'static Resource]) -> Value {
    let of_kind = |resource: &&'static Resource| {
        let mut objects: Vec<Value> = api.all(resource).into_iter().map(strip).collect();
        objects.sort_by_cached_key(Value::to_string);
        (resource.plural.to_owned(), Value::Array(objects))
    };
    Value::Object(kinds.iter().map(of_kind).collect::<Map<_, _>>())
}

/// Takes out drawn names, UIDs, revisions, generations, times and messages.
fn strip(mut object: Value) -> Value {
    if let Some(drawn) = object["metadata"]["generateName"].as_str().map(str::to_owned) {
        object["metadata"]["name"] = json!(format!("{drawn}*"));
    }
    strip_fields(&mut object);
    object
}

fn strip_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let differs = |name: &str| {
                let dropped = [
                    "uid",
                    "resourceVersion",
                    "generation",
                    "observedGeneration",
                    // Which ReplicaSet a condition speaks of depends on when it was looked at, as upstream.
                    "message",
                    // Of the drawn name.
                    "podIP",
                ];
                let time = ["Timestamp", "Time", "-time", "timeAdded"];
                dropped.contains(&name) || time.iter().any(|end| name.ends_with(end))
            };
            fields.retain(|name, value| !differs(name) && !value.is_null());
            fields.values_mut().for_each(strip_fields);
            // Their order is that in which they came up.
            for list in ["conditions", "endpoints", "addresses"] {
                if let Some(Value::Array(list)) = fields.get_mut(list) {
                    list.sort_by_cached_key(Value::to_string);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(strip_fields),
        _ => {}
    }
}
