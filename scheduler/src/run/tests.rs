//! Tests of `run`.

use coracle_api::{Resource, kinds};
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use super::*;

mod leaders;
mod preemption;
mod volumes;

fn node(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

fn pod(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}]},
        "status": {"phase": "Pending"},
    })
}

/// Runs a scheduler against the fake for as long as `body` takes, on tokio's paused clock.
async fn with_scheduler<F: Future<Output = ()>>(api: &FakeApi, body: F) -> anyhow::Result<()> {
    let (env, health, shutdown) = (Env::host(), Health::new(), Shutdown::new());
    let config = Config::new("unused:1", "test");
    let running = lead(&config, Arc::new(api.clone()), &env, &health, &shutdown);
    let body = async {
        body.await;
        shutdown.trigger();
    };
    tokio::join!(running, body).0
}

/// Waits until the fake shows what the test waits for; tokio's paused clock decides how long that may take.
async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    let deadline = clock.monotonic() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock.monotonic() < deadline, "waited in vain: {what}");
        clock.sleep(Duration::from_millis(10)).await;
    }
}

fn text(api: &FakeApi, resource: &'static Resource, name: &str, at: &str) -> Option<String> {
    api.find(resource, "default", name)?
        .pointer(at)?
        .as_str()
        .map(ToOwned::to_owned)
}

fn node_of(api: &FakeApi, name: &str) -> Option<String> {
    text(api, kinds::POD, name, "/spec/nodeName")
}

fn events(api: &FakeApi, reason: &str) -> Vec<String> {
    let events = api
        .all(kinds::EVENT)
        .into_iter()
        .filter(|event| event["reason"] == reason);
    events
        .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn pods_are_bound_and_told_of() {
    let api = FakeApi::default();
    api.seed(kinds::NODE, node("n1", "4"));
    api.seed(kinds::NODE, node("n2", "4"));
    for name in ["a", "b"] {
        api.seed(kinds::POD, pod(name, "100m"));
    }
    with_scheduler(&api, async {
        let nodes = eventually("both bound", || Some([node_of(&api, "a")?, node_of(&api, "b")?])).await;
        assert_ne!(nodes[0], nodes[1]);
        let told = eventually("events", || {
            Some(events(&api, "Scheduled")).filter(|told| told.len() == 2)
        })
        .await;
        assert!(
            told.contains(&format!("Successfully assigned default/a to {}", nodes[0])),
            "{told:?}"
        );
        let event = &api.all(kinds::EVENT)[0];
        assert_eq!(event["source"]["component"], "default-scheduler");
        assert_eq!(event["involvedObject"]["kind"], "Pod");
        api.seed(kinds::POD, pod("late", "100m"));
        eventually("a pod that comes later", || node_of(&api, "late")).await;
    })
    .await
    .unwrap();
    let lease = api.find(kinds::LEASE, "kube-system", "kube-scheduler").unwrap();
    assert_eq!(
        lease["spec"]["holderIdentity"], "",
        "the lease is given up at the end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_fits_nowhere_says_why_and_is_bound_when_it_fits() {
    let api = FakeApi::default();
    api.seed(kinds::NODE, node("n1", "1"));
    api.seed(kinds::POD, pod("big", "3"));
    with_scheduler(&api, async {
        let expected = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: \
                        1 Preemption is not helpful for scheduling.";
        let condition = eventually("condition", || {
            api.find(kinds::POD, "default", "big")?
                .pointer("/status/conditions/0")
                .cloned()
        })
        .await;
        assert_eq!(
            (
                &condition["type"],
                &condition["status"],
                &condition["reason"],
                &condition["message"]
            ),
            (
                &json!("PodScheduled"),
                &json!("False"),
                &json!("Unschedulable"),
                &json!(expected)
            )
        );
        let told = eventually("event", || events(&api, "FailedScheduling").pop()).await;
        assert_eq!(told, expected);
        api.seed(kinds::NODE, node("n2", "4"));
        assert_eq!(eventually("bound", || node_of(&api, "big")).await, "n2");
    })
    .await
    .unwrap();
    let patches = api
        .log()
        .iter()
        .filter(|line| line.starts_with("patch pods"))
        .count();
    assert_eq!(patches, 1, "a condition is written once: {:?}", api.log());
}

#[tokio::test(start_paused = true)]
async fn bindings_survive_an_apiserver_that_goes_away() {
    let api = FakeApi::default();
    api.seed(kinds::NODE, node("n1", "1"));
    with_scheduler(&api, async {
        eventually("the lease", || {
            api.find(kinds::LEASE, "kube-system", "kube-scheduler")
        })
        .await;
        api.fail_after(Some(2));
        for number in 0..5 {
            api.seed(kinds::POD, pod(&format!("p{number}"), "150m"));
        }
        eventually("cut off", || api.is_cut_off().then_some(())).await;
        api.fail_after(None);
        for number in 0..5 {
            eventually("bound", || node_of(&api, &format!("p{number}"))).await;
        }
    })
    .await
    .unwrap();
    let binds = api.log().iter().filter(|line| line.starts_with("bind")).count();
    assert_eq!(binds, 5);
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_lost_its_lease_ends_and_writes_no_more() {
    let api = FakeApi::default();
    api.seed(kinds::NODE, node("n1", "1"));
    let stolen = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "kube-scheduler", "namespace": "kube-system"},
        "spec": {"holderIdentity": "thief", "leaseDurationSeconds": 15, "leaseTransitions": 9},
    });
    let ended = with_scheduler(&api, async {
        eventually("the lease", || {
            api.find(kinds::LEASE, "kube-system", "kube-scheduler")
        })
        .await;
        api.seed(kinds::LEASE, stolen);
        api.seed(kinds::POD, pod("a", "100m"));
        Clock::system().sleep(Duration::from_secs(5)).await;
    })
    .await;
    assert!(ended.is_err());
    assert_eq!(node_of(&api, "a"), None);
}
