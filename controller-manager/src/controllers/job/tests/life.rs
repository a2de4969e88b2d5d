//! Jobs on all controllers and a fake apiserver, from their first pod to their last.

use coracle_api::kinds;
use coracle_client::{PatchType, Propagation, Write};
use coracle_runtime::fake::FakeApi;
use futures::{StreamExt, stream};
use serde_json::json;

use crate::testing::{ENDS_LABEL, Harness, config};

/// A Job from its first pod to its last on all controllers, and its pods counted exactly.
#[tokio::test(start_paused = true)]
async fn a_job_runs_to_completion() {
    let harness = Harness::start();
    let job = json!({
        "metadata": {"namespace": "ns", "name": "j"},
        "spec": {
            "parallelism": 2, "completions": 5, "backoffLimit": 6, "completionMode": "NonIndexed",
            "selector": {"matchLabels": {"j": "j"}},
            "template": {"metadata": {"labels": {"j": "j"}}, "spec": {"containers": [{"name": "c", "image": "once"}]}},
        },
    });
    harness.create(kinds::JOB, job).await;
    for done in 1..=5_i64 {
        harness.until("a running pod", |api| running(api).is_some()).await;
        let name = running(&harness.api).unwrap();
        let phase = if done == 2 { "Failed" } else { "Succeeded" };
        harness.write(end(&name, phase)).await;
    }
    harness.until("one more", |api| running(api).is_some()).await;
    harness
        .write(end(&running(&harness.api).unwrap(), "Succeeded"))
        .await;
    harness
        .until("the end", |api| {
            let status = api
                .find(kinds::JOB, "ns", "j")
                .map(|job| job["status"].clone())
                .unwrap_or_default();
            status["succeeded"] == 5 && status["failed"] == 1 && !status["completionTime"].is_null()
        })
        .await;
    let tracked = harness
        .api
        .all(kinds::POD)
        .into_iter()
        .filter(|pod| pod["metadata"]["finalizers"][0].is_string());
    assert_eq!(tracked.count(), 0);
    assert_eq!(harness.api.all(kinds::POD).len(), 6, "none was made too many");
    harness.delete(kinds::JOB, "j", Propagation::Background).await;
    harness
        .until("no pods", |api| api.all(kinds::POD).is_empty())
        .await;
}

/// However early the process ends, every pod is counted once.
#[tokio::test(start_paused = true)]
async fn cut_off_after_any_write_a_job_counts_exactly() {
    let rounds = (1..48_usize).map(|writes| async move {
        let harness = Harness::without_manager();
        let (client, manager) = harness.run_manager(config());
        client.fail_after(Some(writes));
        let labels = json!({"j": "j", ENDS_LABEL: "Succeeded"});
        let spec = json!({
            "parallelism": 2, "completions": 3, "backoffLimit": 6, "completionMode": "NonIndexed",
            "selector": {"matchLabels": {"j": "j"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "once"}]}},
        });
        harness.create(kinds::JOB, json!({"metadata": {"namespace": "ns", "name": "j"}, "spec": spec})).await;
        let is_done = |api: &FakeApi| {
            let status = api.find(kinds::JOB, "ns", "j").map(|job| job["status"].clone()).unwrap_or_default();
            let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|own| own["type"] == "Complete")
        };
        harness.until("the cut", |api| client.is_cut_off() || is_done(api)).await;
        manager.trigger();
        harness.run_manager(config());
        harness.until("the end", is_done).await;
        let status = harness.api.find(kinds::JOB, "ns", "j").unwrap()["status"].clone();
        let pods = harness.api.all(kinds::POD);
        let tracked = pods.iter().filter(|pod| pod["metadata"]["finalizers"][0].is_string()).count();
        (writes, json!([status["succeeded"], status["failed"], pods.len(), tracked]))
    });
    let mut rounds = stream::iter(rounds).buffer_unordered(8);
    while let Some((writes, end)) = rounds.next().await {
        assert_eq!(end, json!([3, null, 3, 0]), "cut off after {writes} writes");
    }
}

fn running(api: &FakeApi) -> Option<String> {
    let mut pods = api.all(kinds::POD).into_iter();
    let pod = pods.find(|pod| pod["status"]["phase"] == "Running")?;
    pod["metadata"]["name"].as_str().map(str::to_owned)
}

fn end(name: &str, phase: &str) -> Write {
    Write::Patch {
        resource: kinds::POD,
        namespace: "ns".to_owned(),
        name: name.to_owned(),
        subresource: "status",
        patch_type: PatchType::Merge,
        patch: json!({"status": {"phase": phase}}).to_string().into(),
        uid: String::new(),
        revision: 0,
    }
}
