//! Jobs and CronJobs under disturbance.

use coracle_api::kinds;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use crate::testing::{
    ENDS_LABEL,
    disturbance::{Deed, Story},
};

/// The spec of a Job whose pods end well by themselves.
fn spec(parallelism: i32, completions: i32) -> Value {
    json!({
        "parallelism": parallelism, "completions": completions, "backoffLimit": 6, "completionMode": "NonIndexed",
        "selector": {"matchLabels": {"app": "work"}},
        "template": {
            "metadata": {"labels": {"app": "work", ENDS_LABEL: "Succeeded"}},
            "spec": {"containers": [{"name": "c", "image": "once"}]},
        },
    })
}

fn is_complete(api: &FakeApi, name: &str) -> bool {
    let job = api.find(kinds::JOB, "ns", name).unwrap_or_default();
    let conditions = job["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|own| own["type"] == "Complete")
}

fn pods(api: &FakeApi) -> usize {
    let pods = api.all(kinds::POD);
    pods.iter()
        .filter(|pod| pod["metadata"]["labels"]["app"] == "work")
        .count()
}

#[tokio::test(start_paused = true)]
async fn a_job_completes_and_goes_when_its_time_is_over() {
    let job = json!({"metadata": {"namespace": "ns", "name": "work"}, "spec": spec(2, 3)});
    let soon = json!({"spec": {"ttlSecondsAfterFinished": 5}});
    Story::about([kinds::JOB, kinds::POD])
        .act("three ended well", [Deed::Create(kinds::JOB, job)], |api| {
            // A view of the past may make more of them than needed, as upstream.
            is_complete(api, "work")
        })
        .act("nothing left", [Deed::Patch(kinds::JOB, "work", soon)], |api| {
            api.all(kinds::JOB).is_empty() && pods(api) == 0
        })
        .survives_everything()
        .await;
}

/// Each number once, however often it was tried.
#[tokio::test(start_paused = true)]
async fn a_job_counts_its_numbers_exactly() {
    let mut spec = spec(2, 3);
    spec["completionMode"] = json!("Indexed");
    let job = json!({"metadata": {"namespace": "ns", "name": "work"}, "spec": spec});
    Story::about([kinds::JOB])
        .act("complete", [Deed::Create(kinds::JOB, job)], |api| {
            is_complete(api, "work")
        })
        .survives_everything()
        .await;
}

/// A minute passes, and there is one Job of that minute, however often the process ended around it.
#[tokio::test(start_paused = true)]
async fn a_cron_job_makes_one_job_of_a_time() {
    let cron_job = json!({
        "metadata": {"namespace": "ns", "name": "cron"},
        "spec": {
            "schedule": "* * * * *", "concurrencyPolicy": "Forbid", "suspend": false,
            "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": spec(1, 1)},
        },
    });
    let suspended = json!({"spec": {"suspend": true}});
    let is_told = |api: &FakeApi| {
        let cron_job = api.find(kinds::CRON_JOB, "ns", "cron").unwrap_or_default();
        let jobs = api.all(kinds::JOB);
        let done = jobs.iter().all(|job| {
            let name = job["metadata"]["name"].as_str().unwrap_or_default();
            is_complete(api, name)
        });
        let status = &cron_job["status"];
        done && !jobs.is_empty() && status["active"].is_null() && status["lastSuccessfulTime"].is_string()
    };
    Story::about([kinds::CRON_JOB, kinds::JOB, kinds::POD])
        .act("the first", [Deed::Create(kinds::CRON_JOB, cron_job)], is_told)
        .act(
            "no more",
            [Deed::Patch(kinds::CRON_JOB, "cron", suspended)],
            is_told,
        )
        .survives_everything()
        .await;
}
