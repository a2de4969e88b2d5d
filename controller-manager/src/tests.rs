//! All controllers together on a fake apiserver: what a user asks for comes true, also when the process is cut off
//! after any of its writes, and when what it sees is old.

use std::collections::BTreeMap;

use coracle_api::{Resource, kinds};
use coracle_client::Propagation;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use crate::{
    Config, Timings,
    testing::{Harness, config, node},
};

fn deployment(replicas: i32, image: &str) -> Value {
    json!({
        "metadata": {"namespace": "ns", "name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(image),
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
        },
    })
}

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    })
}

/// Pods that have not ended, by image, and whether all are ready.
fn pods(api: &FakeApi) -> BTreeMap<String, usize> {
    let mut by_image = BTreeMap::new();
    for pod in api.all(kinds::POD) {
        let image = pod
            .pointer("/spec/containers/0/image")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let ready = pod.pointer("/status/conditions/0/status") == Some(&json!("True"));
        let ending = !pod["metadata"]["deletionTimestamp"].is_null();
        let state = if ending {
            " ending"
        } else if ready {
            ""
        } else {
            " starting"
        };
        *by_image.entry(format!("{image}{state}")).or_default() += 1;
    }
    by_image
}

fn of_image(image: &str, count: usize) -> BTreeMap<String, usize> {
    if count == 0 {
        BTreeMap::new()
    } else {
        BTreeMap::from([(image.to_owned(), count)])
    }
}

/// Whether the Deployment says that it has finished with `replicas`.
fn is_complete(api: &FakeApi, replicas: i64) -> bool {
    let Some(web) = api.find(kinds::DEPLOYMENT, "ns", "web") else {
        return false;
    };
    let status = &web["status"];
    let counts = [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
    ];
    let reason = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["type"] == "Progressing");
    counts.iter().all(|count| status[count] == replicas)
        && status["observedGeneration"] == web["metadata"]["generation"]
        && reason.is_some_and(|one| one["reason"] == "NewReplicaSetAvailable")
}

/// What the end looks like, without names and times.
fn end_state(api: &FakeApi) -> Value {
    let sets: BTreeMap<String, Value> = api
        .all(kinds::REPLICA_SET)
        .into_iter()
        .map(|set| {
            let image = set
                .pointer("/spec/template/spec/containers/0/image")
                .and_then(Value::as_str);
            let revision = &set["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
            let counts = json!([set["spec"]["replicas"], set["status"]["replicas"], revision]);
            (image.unwrap_or_default().to_owned(), counts)
        })
        .collect();
    json!({"pods": pods(api), "sets": sets})
}

async fn exists(harness: &Harness, resource: &'static Resource, name: &str) {
    let what = format!("{resource} {name}");
    harness
        .until(&what, |api| api.find(resource, "ns", name).is_some())
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_deployment_rolls_from_one_template_to_the_next_and_back() {
    let harness = Harness::start();
    harness.create(kinds::DEPLOYMENT, deployment(4, "v1")).await;
    harness
        .until("4 of v1", |api| {
            pods(api) == of_image("v1", 4) && is_complete(api, 4)
        })
        .await;
    harness
        .patch(
            kinds::DEPLOYMENT,
            "web",
            json!({"spec": {"template": template("v2")}}),
        )
        .await;
    harness
        .until("4 of v2", |api| {
            pods(api) == of_image("v2", 4) && is_complete(api, 4)
        })
        .await;
    harness
        .patch(
            kinds::DEPLOYMENT,
            "web",
            json!({"spec": {"template": template("v1"), "replicas": 6}}),
        )
        .await;
    harness
        .until("6 of v1", |api| {
            pods(api) == of_image("v1", 6) && is_complete(api, 6)
        })
        .await;
    let sets = &end_state(&harness.api)["sets"];
    assert_eq!(*sets, json!({"v1": [6, 6, "3"], "v2": [0, 0, "2"]}));
    let web = harness.api.find(kinds::DEPLOYMENT, "ns", "web").unwrap();
    assert_eq!(
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "3"
    );
}

#[tokio::test(start_paused = true)]
async fn a_thousand_pods_are_made_in_a_few_batches_and_go_with_their_deployment() {
    let harness = Harness::start();
    harness.create(kinds::DEPLOYMENT, deployment(1_000, "v1")).await;
    harness.until("1,000 pods", |api| is_complete(api, 1_000)).await;
    assert_eq!(harness.api.all(kinds::POD).len(), 1_000, "none was made too many");
    harness
        .delete(kinds::DEPLOYMENT, "web", Propagation::Background)
        .await;
    harness
        .until("no pods", |api| {
            api.all(kinds::POD).is_empty() && api.all(kinds::REPLICA_SET).is_empty()
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_is_replaced() {
    let harness = Harness::start();
    harness.create(kinds::DEPLOYMENT, deployment(2, "v1")).await;
    harness
        .until("2 of v1", |api| pods(api) == of_image("v1", 2))
        .await;
    let name = harness.api.all(kinds::POD)[0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    harness.delete(kinds::POD, &name, Propagation::Background).await;
    harness
        .until("a new one", |api| {
            api.find(kinds::POD, "ns", &name).is_none() && pods(api) == of_image("v1", 2)
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn propagation_is_as_asked() {
    for propagation in [Propagation::Foreground, Propagation::Orphan] {
        let harness = Harness::start();
        harness.create(kinds::DEPLOYMENT, deployment(2, "v1")).await;
        harness
            .until("2 of v1", |api| pods(api) == of_image("v1", 2))
            .await;
        harness.delete(kinds::DEPLOYMENT, "web", propagation).await;
        harness
            .until("no deployment", |api| api.all(kinds::DEPLOYMENT).is_empty())
            .await;
        let left = (
            harness.api.all(kinds::REPLICA_SET).len(),
            harness.api.all(kinds::POD).len(),
        );
        match propagation {
            Propagation::Orphan => assert_eq!(left, (1, 2)),
            _ => assert_eq!(left.0, 0, "what blocks goes first"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_emptied_and_goes() {
    let harness = Harness::start();
    harness
        .create(
            kinds::NAMESPACE,
            json!({"metadata": {"name": "ns"}, "spec": {"finalizers": ["kubernetes"]}}),
        )
        .await;
    exists(&harness, kinds::SERVICE_ACCOUNT, "default").await;
    harness.create(kinds::DEPLOYMENT, deployment(3, "v1")).await;
    harness
        .create(
            kinds::SECRET,
            json!({"metadata": {"namespace": "ns", "name": "s"}}),
        )
        .await;
    harness
        .until("3 of v1", |api| pods(api) == of_image("v1", 3))
        .await;
    harness
        .delete(kinds::NAMESPACE, "ns", Propagation::Background)
        .await;
    harness
        .until("no namespace", |api| api.all(kinds::NAMESPACE).is_empty())
        .await;
    let all = [
        kinds::DEPLOYMENT,
        kinds::REPLICA_SET,
        kinds::POD,
        kinds::SECRET,
        kinds::SERVICE_ACCOUNT,
    ];
    let left: Vec<Value> = all
        .into_iter()
        .flat_map(|resource| harness.api.all(resource))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
}

#[tokio::test(start_paused = true)]
async fn claims_are_bound_and_protected() {
    let harness = Harness::start();
    let spec = json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}});
    harness
        .create(
            kinds::PERSISTENT_VOLUME,
            json!({"metadata": {"name": "v"}, "spec": spec}),
        )
        .await;
    let spec = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let finalizers = json!(["kubernetes.io/pvc-protection"]);
    let metadata = json!({"namespace": "ns", "name": "c", "finalizers": finalizers});
    harness
        .create(
            kinds::PERSISTENT_VOLUME_CLAIM,
            json!({"metadata": metadata, "spec": spec}),
        )
        .await;
    let phase = |api: &FakeApi, resource: &'static Resource, namespace: &str, name: &str| {
        api.find(resource, namespace, name)
            .map(|found| found["status"]["phase"].clone())
    };
    harness
        .until("bound", |api| {
            phase(api, kinds::PERSISTENT_VOLUME_CLAIM, "ns", "c") == Some(json!("Bound"))
                && phase(api, kinds::PERSISTENT_VOLUME, "", "v") == Some(json!("Bound"))
        })
        .await;
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]);
    harness
        .create(
            kinds::POD,
            json!({"metadata": {"namespace": "ns", "name": "p"}, "spec": {"volumes": volumes}}),
        )
        .await;
    harness.until("ready", |api| pods(api) == of_image("", 1)).await;
    harness
        .delete(kinds::PERSISTENT_VOLUME_CLAIM, "c", Propagation::Background)
        .await;
    harness.create(kinds::DEPLOYMENT, deployment(1, "later")).await;
    harness.until("later", |api| is_complete(api, 1)).await;
    assert!(
        harness
            .api
            .find(kinds::PERSISTENT_VOLUME_CLAIM, "ns", "c")
            .is_some(),
        "a pod uses it"
    );
    harness.delete(kinds::POD, "p", Propagation::Background).await;
    harness
        .until("released", |api| {
            phase(api, kinds::PERSISTENT_VOLUME, "", "v") == Some(json!("Released"))
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn nodes_get_ranges_and_silent_ones_lose_their_pods() {
    let harness = Harness::without_manager();
    let timings = Timings {
        node_grace: std::time::Duration::from_secs(8),
        ..config().timings
    };
    harness.run_manager(Config { timings, ..config() });
    for name in ["node-2", "node-3"] {
        harness.api.seed(kinds::NODE, node(name));
    }
    let renewing = harness.env.spawn.task("leases", {
        let (api, clock) = (harness.api.clone(), harness.env.cluster_clock.clone());
        async move {
            for round in 0_u32.. {
                for name in ["node-2", "node-3"] {
                    let metadata = json!({"namespace": "kube-node-lease", "name": name});
                    let renewed = json!({"renewTime": round.to_string()});
                    api.seed(kinds::LEASE, json!({"metadata": metadata, "spec": renewed}));
                }
                clock.sleep(std::time::Duration::from_secs(1)).await;
            }
        }
    });
    harness
        .until("ranges", |api| {
            api.all(kinds::NODE)
                .iter()
                .all(|node| node["spec"]["podCIDR"].is_string())
        })
        .await;
    let spec = json!({"nodeName": "node-1", "containers": [{"name": "c", "image": "v1"}]});
    harness
        .create(
            kinds::POD,
            json!({"metadata": {"namespace": "ns", "name": "p"}, "spec": spec}),
        )
        .await;
    // It tolerates nothing, so it goes as soon as its node is unreachable.
    harness
        .until("eviction", |api| api.all(kinds::POD).is_empty())
        .await;
    let state = |name: &str| {
        let node = harness.api.find(kinds::NODE, "", name).unwrap();
        let taints = node["spec"]["taints"].as_array().map_or(0, Vec::len);
        (
            node.pointer("/status/conditions/0/status").cloned().unwrap(),
            taints,
        )
    };
    assert_eq!(state("node-1"), (json!("Unknown"), 2));
    assert_eq!(state("node-2"), (json!("True"), 0));
    renewing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_deposed_manager_writes_nothing_and_ends() {
    let harness = Harness::without_manager();
    let (_, manager) = harness.run_manager(config());
    harness.create(kinds::DEPLOYMENT, deployment(1, "v1")).await;
    harness.until("1 of v1", |api| is_complete(api, 1)).await;
    // Somebody else takes the lease over, as after a long freeze.
    let lease = harness
        .api
        .find(kinds::LEASE, "kube-system", "kube-controller-manager")
        .unwrap();
    let transitions = lease["spec"]["leaseTransitions"].as_i64().unwrap();
    let spec =
        json!({"holderIdentity": "other", "leaseTransitions": transitions + 1, "leaseDurationSeconds": 5});
    let metadata = json!({"namespace": "kube-system", "name": "kube-controller-manager"});
    harness
        .api
        .seed(kinds::LEASE, json!({"metadata": metadata, "spec": spec}));
    harness
        .patch(kinds::DEPLOYMENT, "web", json!({"spec": {"replicas": 5}}))
        .await;
    harness
        .until("the end of the deposed", |_| manager.is_triggered())
        .await;
    assert_eq!(harness.api.all(kinds::POD).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn custom_objects_own_and_are_owned() {
    let harness = Harness::start();
    // The fake API keeps rows apart that the real one knows for the same kind.
    let by_definition = crate::custom::row("", "widgets.example.com").unwrap();
    let by_owner = crate::custom::of_owner("example.com/v1", "Widget").unwrap();
    let owner =
        |uid: &str| json!([{"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": uid}]);
    let widget = json!({"metadata": {"namespace": "ns", "name": "w", "uid": "uid-w"}});
    for row in [by_definition, by_owner] {
        harness.api.seed(row, widget.clone());
    }
    let orphan = json!({"metadata": {
        "namespace": "ns", "name": "orphan", "uid": "uid-orphan", "ownerReferences": owner("uid-gone"),
    }});
    harness.api.seed(by_definition, orphan);
    let owned = json!({"metadata": {"namespace": "ns", "name": "owned", "ownerReferences": owner("uid-w")}});
    harness.create(kinds::CONFIG_MAP, owned).await;
    let definition = json!({"metadata": {"name": "widgets.example.com"}, "spec": {}});
    harness
        .create(kinds::CUSTOM_RESOURCE_DEFINITION, definition)
        .await;
    harness
        .until("the orphan is gone", |api| {
            api.find(by_definition, "ns", "orphan").is_none()
        })
        .await;
    assert!(harness.api.find(kinds::CONFIG_MAP, "ns", "owned").is_some());
    for row in [by_owner, by_definition] {
        harness.delete(row, "w", Propagation::Background).await;
    }
    harness
        .until("what it owned is gone", |api| {
            api.find(kinds::CONFIG_MAP, "ns", "owned").is_none()
        })
        .await;
    assert!(crate::custom::of_owner("v1", "Nothing").is_none());
}
