//! Tests of `executor`.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use coracle_api::{ApiError, kinds};
use coracle_client::{Object, ObjectApi, WatchQuery, Write};
use coracle_service::{Env, Shutdown};
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::{Cache, Key, Project, QueueLimits, Watched, WorkQueue, fake::FakeApi, informer};

/// Counts a number in a ConfigMap up to ten, one at a time, and checks that it never acts on old knowledge.
struct Counter {
    maps: Cache<Count>,
    last: Mutex<BTreeMap<Key, u64>>,
}

struct Count(u64, i64);

impl Project for Count {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let value: Value = object.read()?;
        Ok(Self(
            value["data"]["count"]
                .as_str()
                .and_then(|count| count.parse().ok())
                .unwrap_or(0),
            object.revision,
        ))
    }
}

#[async_trait]
impl Controller for Counter {
    type Key = Key;
    type Snapshot = (Key, u64, i64);

    fn name(&self) -> &'static str {
        "counter"
    }

    fn caches(&self) -> Vec<Arc<dyn Watched>> {
        vec![Arc::new(self.maps.clone())]
    }

    fn keys(&self) -> Vec<Key> {
        self.maps.entries().into_iter().map(|(key, _)| key).collect()
    }

    async fn snapshot(&self, key: &Key) -> Result<Option<Self::Snapshot>, ApiError> {
        let Some(count) = self.maps.get_key(key) else {
            return Ok(None);
        };
        if let Some(last) = self.last.lock().insert(key.clone(), count.0) {
            assert!(count.0 >= last, "{key} went back from {last} to {}", count.0);
        }
        Ok(Some((key.clone(), count.0, count.1)))
    }

    fn plan(&self, (key, count, revision): &Self::Snapshot, _now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        if *count < 10 {
            plan.write(Write::Patch {
                resource: kinds::CONFIG_MAP,
                namespace: key.namespace().to_owned(),
                name: key.name().to_owned(),
                subresource: "",
                patch_type: coracle_client::PatchType::Merge,
                patch: json!({"data": {"count": (count + 1).to_string()}})
                    .to_string()
                    .into(),
                uid: String::new(),
                revision: *revision,
            });
        }
        plan
    }
}

struct Fixture {
    api: FakeApi,
    controller: Arc<Counter>,
    queue: WorkQueue<Key>,
    executor: Executor,
    shutdown: Shutdown,
}

fn fixture(fence: Option<Fence>) -> Fixture {
    let (api, env, shutdown) = (FakeApi::default(), Env::host(), Shutdown::new());
    let shared: Arc<dyn ObjectApi> = Arc::new(api.clone());
    let maps = Cache::<Count>::new(kinds::CONFIG_MAP);
    let queue = WorkQueue::new(env.cluster_clock.clone(), QueueLimits::default());
    maps.subscribe({
        let queue = queue.clone();
        move |change| queue.add(change.key.clone())
    });
    informer::start(
        &maps,
        WatchQuery::all(kinds::CONFIG_MAP),
        Arc::clone(&shared),
        &env,
        &shutdown,
    );
    let recorder = Recorder::start("counter", Arc::clone(&shared), &env, &shutdown);
    let controller = Arc::new(Counter {
        maps,
        last: Mutex::default(),
    });
    Fixture {
        api,
        controller,
        queue,
        executor: Executor {
            api: shared,
            fence,
            recorder,
            env,
        },
        shutdown,
    }
}

fn counts(api: &FakeApi) -> Vec<String> {
    api.all(kinds::CONFIG_MAP)
        .iter()
        .map(|map| map["data"]["count"].as_str().unwrap_or("0").to_owned())
        .collect()
}

#[tokio::test]
async fn many_keys_reach_their_end_without_acting_on_old_knowledge() {
    let Fixture {
        api,
        controller,
        queue,
        executor,
        shutdown,
    } = fixture(None);
    for number in 0..50 {
        api.seed(
            kinds::CONFIG_MAP,
            json!({"metadata": {"namespace": "ns", "name": format!("m{number}")}}),
        );
    }
    let maps = controller.maps.clone();
    let done = Arc::new(tokio::sync::Notify::new());
    maps.subscribe({
        let (done, maps) = (Arc::clone(&done), maps.clone());
        move |_| {
            if maps.list().iter().filter(|count| count.0 == 10).count() == 50 {
                done.notify_one();
            }
        }
    });
    let ending = async {
        done.notified().await;
        shutdown.trigger();
    };
    let (ran, ()) = tokio::join!(executor.run(controller, queue, &shutdown), ending);
    assert_eq!(ran, Ok(()));
    assert_eq!(counts(&api), vec!["10"; 50]);
    // Every step was planned on what the step before had written, so none conflicted.
    assert_eq!(api.log().len(), 500);
}

#[tokio::test]
async fn a_lost_lease_ends_the_loop_before_anything_is_written() {
    let fence = Fence {
        namespace: "kube-system".to_owned(),
        name: "test".to_owned(),
        holder: "us".to_owned(),
        transitions: 3,
    };
    let Fixture {
        api,
        controller,
        queue,
        executor,
        shutdown,
    } = fixture(Some(fence));
    api.seed(
        kinds::CONFIG_MAP,
        json!({"metadata": {"namespace": "ns", "name": "m"}}),
    );
    let ran = executor.run(controller, queue, &shutdown).await;
    assert_eq!(
        ran,
        Err(Fenced {
            controller: "counter"
        })
    );
    assert_eq!(counts(&api), ["0"]);
}

#[test]
fn batches_are_bounded_in_length_and_size() {
    let create = |bytes: usize| Write::Create {
        resource: kinds::CONFIG_MAP,
        namespace: "ns".to_owned(),
        name: String::new(),
        subresource: "",
        json: vec![b' '; bytes].into(),
    };
    let lengths = |writes: Vec<Write>| chunks(writes).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(Vec::new()), [0_usize; 0]);
    assert_eq!(
        lengths((0..4_500).map(|_| create(1)).collect()),
        [2_000, 2_000, 500]
    );
    assert_eq!(
        lengths((0..6).map(|_| create(BATCH_BYTES / 2)).collect()),
        [2, 2, 2]
    );
    assert_eq!(lengths(vec![create(BATCH_BYTES * 2), create(1)]), [1, 1]);
}

#[test]
fn a_slow_start_doubles_until_something_is_refused() {
    let step = |resource: &'static Resource, is_new: bool| {
        let (namespace, name, json) = ("ns".to_owned(), String::new(), bytes::Bytes::new());
        let subresource = "";
        let write = if is_new {
            Write::Create {
                resource,
                namespace,
                name,
                subresource,
                json,
            }
        } else {
            Write::Update {
                resource,
                namespace,
                name,
                subresource,
                json,
            }
        };
        Step {
            write,
            then: None,
            otherwise: None,
        }
    };
    let mut steps = vec![step(kinds::POD, true); 10];
    steps.push(step(kinds::REPLICA_SET, false));
    let plan = |slow_start| Plan {
        steps: steps.clone(),
        slow_start,
        ..Plan::default()
    };
    assert_eq!(Planned::new((), plan(false)).in_round(0), 11);
    // When which creation is refused, the sizes of the rounds.
    for (refused, expected) in [
        (None, vec![2, 2, 4, 3]),
        (Some(0), vec![2]),
        (Some(3), vec![2, 2, 4]),
    ] {
        let mut planned = Planned::new((), plan(true));
        assert!(
            !is_creation(&planned.plan.steps[0]),
            "what is no creation goes first"
        );
        let mut rounds = Vec::new();
        for round in 0.. {
            let size = planned.in_round(round);
            if size == 0 {
                break;
            }
            for _ in 0..size {
                let is_refused = refused.is_some_and(|refused| planned.outcomes.len() == refused + 1);
                let object = Object {
                    namespace: String::new(),
                    name: String::new(),
                    uid: String::new(),
                    revision: 1,
                    json: bytes::Bytes::new(),
                };
                let outcome = if is_refused {
                    Err(ApiError::internal("refused"))
                } else {
                    Ok(object)
                };
                planned.outcomes.push(outcome);
            }
            rounds.push(size);
        }
        assert_eq!(rounds, expected, "{refused:?}");
    }
}
