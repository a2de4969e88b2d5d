//! Tests of `job`: what is planned for a Job and its pods.

use std::{sync::Arc, time::Duration};

use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::{
    plan::{Snapshot, plan},
    pods::Pace,
};
use crate::{
    testing::{ago, body_of, lines, now, view},
    view::{Job, Pod},
};

mod backoff;
mod indexes;
mod life;

const BACKOFF: Duration = Duration::from_secs(10);

fn job(spec: Value, status: Value) -> Arc<Job> {
    let all = json!({
        "parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": false,
        "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "uid-j"}},
        "template": {
            "metadata": {"labels": {"batch.kubernetes.io/job-name": "j"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]},
        },
    });
    let spec = with(all, spec);
    view(json!({"metadata": {"namespace": "ns", "name": "j"}, "spec": spec, "status": status}))
}

/// A pod of the Job; `words` are its phase and what else is said of it: an index as `#2`, `free` without the
/// finalizer, `going` with a deletion, `x3` for an exit code, `f2` for failures of its index before it.
fn pod(name: &str, words: &str) -> Arc<Pod> {
    let mut object = json!({
        "metadata": {
            "namespace": "ns", "name": name, "creationTimestamp": ago(100),
            "labels": {"batch.kubernetes.io/job-name": "j"}, "annotations": {},
            "finalizers": ["batch.kubernetes.io/job-tracking"],
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "uid-j", "controller": true}],
        },
        "spec": {"nodeName": "n"}, "status": {},
    });
    for word in words.split(' ') {
        let number = word.get(1..).unwrap_or_default();
        match word {
            "free" => object["metadata"]["finalizers"] = json!([]),
            "going" => object["metadata"]["deletionTimestamp"] = json!(ago(1)),
            "ready" => {
                object["status"]["conditions"] =
                    json!([{"type": "Ready", "status": "True", "lastTransitionTime": ago(5)}]);
            }
            _ if word.starts_with('#') => {
                object["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] = json!(number);
            }
            _ if word.starts_with('f') => {
                object["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"] =
                    json!(number);
            }
            _ if word.starts_with('x') => {
                let code: i32 = number.parse().unwrap();
                object["status"]["containerStatuses"] = json!([
                    {"name": "c", "restartCount": 0, "state": {"terminated": {"exitCode": code, "finishedAt": ago(1_000)}}}
                ]);
            }
            phase => object["status"]["phase"] = json!(phase),
        }
    }
    view(object)
}

fn pace() -> Pace {
    Pace {
        backoff: BACKOFF,
        ..Pace::default()
    }
}

fn planned(job: &Arc<Job>, pods: &[Arc<Pod>]) -> Plan {
    let snapshot = Snapshot {
        job: Some(Arc::clone(job)),
        pods: pods.to_vec(),
        strangers: Vec::new(),
        orphans: Vec::new(),
        pace: pace(),
    };
    plan(&snapshot, now())
}

/// The lines of a plan without bodies, and the fields of the status that it writes.
#[track_caller]
fn check(job: &Arc<Job>, pods: &[Arc<Pod>], expected: &[&str], status: Value) {
    let plan = planned(job, pods);
    let short = |line: &String| match line.split_once(" {") {
        Some((start, _)) => start.to_owned(),
        None => line.clone(),
    };
    let lines: Vec<String> = lines(&plan).iter().map(short).collect();
    assert_eq!(lines, expected);
    if let Some(fields) = status.as_object() {
        let written = body_of(&plan, "patch jobs/status j");
        for (field, value) in fields {
            assert_eq!(written["status"][field], *value, "{field} of {written:#}");
        }
    }
}

/// Type and reason of each condition that is true.
fn conditions(plan: &Plan) -> Vec<String> {
    let body = body_of(plan, "patch jobs/status j");
    let conditions = body["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let is_true = conditions.into_iter().filter(|own| own["status"] == "True");
    is_true
        .map(|own| {
            format!(
                "{} {}",
                own["type"].as_str().unwrap(),
                own["reason"].as_str().unwrap()
            )
        })
        .collect()
}

fn started() -> Value {
    json!({"startTime": ago(50), "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}})
}

fn with(mut base: Value, more: Value) -> Value {
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        base[key] = value;
    }
    base
}

const STATUS: &str = "patch jobs/status j";
const LET_GO: &str = "patch pods a";

#[test]
fn a_new_job_starts_as_many_pods_as_it_may() {
    let new = job(json!({"parallelism": 3, "completions": 2}), json!({}));
    check(
        &new,
        &[],
        &["create pods j-", "create pods j-", STATUS],
        json!({"active": 2, "startTime": ago(0)}),
    );
    let queue = job(json!({"parallelism": 3, "completions": null}), json!({}));
    check(
        &queue,
        &[],
        &["create pods j-", "create pods j-", "create pods j-", STATUS],
        json!({"active": 3}),
    );
    let body = body_of(&planned(&new, &[]), "create pods");
    assert_eq!(
        body["metadata"]["finalizers"],
        json!(["batch.kubernetes.io/job-tracking"])
    );
    assert_eq!(body["metadata"]["ownerReferences"][0]["name"], "j");
}

#[test]
fn a_pod_is_counted_in_three_steps() {
    let first = job(json!({"completions": 2}), started());
    let pods = [pod("a", "Succeeded")];
    let uncounted = json!({"succeeded": ["uid-a"], "failed": null});
    check(
        &first,
        &pods,
        &["create pods j-", STATUS],
        json!({"uncountedTerminatedPods": uncounted, "succeeded": null}),
    );
    let told = with(
        started(),
        json!({"active": 1, "uncountedTerminatedPods": {"succeeded": ["uid-a"]}}),
    );
    let second = job(json!({"completions": 2}), told);
    check(
        &second,
        &[pod("a", "Succeeded"), pod("b", "Running")],
        &[LET_GO],
        Value::Null,
    );
    let free = [pod("a", "Succeeded free"), pod("b", "Running")];
    let counted = json!({"succeeded": 1, "uncountedTerminatedPods": {"succeeded": null, "failed": null}});
    check(&second, &free, &[STATUS], counted.clone());
    // The pod may be gone by now: it was counted when its UID was written.
    check(&second, &[pod("b", "Running")], &[STATUS], counted);
}

#[test]
fn a_job_is_complete_once_all_is_counted() {
    let first = planned(&job(json!({}), started()), &[pod("a", "Succeeded")]);
    assert_eq!(conditions(&first), ["SuccessCriteriaMet CompletionsReached"]);
    let met = json!([{"type": "SuccessCriteriaMet", "status": "True", "reason": "CompletionsReached",
        "message": "Reached expected number of succeeded pods", "lastTransitionTime": ago(1)}]);
    let told = with(
        started(),
        json!({"conditions": met, "uncountedTerminatedPods": {"succeeded": ["uid-a"]}}),
    );
    let last = planned(&job(json!({}), told), &[pod("a", "Succeeded free")]);
    assert_eq!(
        conditions(&last),
        [
            "SuccessCriteriaMet CompletionsReached",
            "Complete CompletionsReached"
        ]
    );
    assert_eq!(body_of(&last, STATUS)["status"]["completionTime"], ago(0));
    assert_eq!(
        last.steps[0].then.as_ref().map(|note| note.reason),
        Some("Completed")
    );
    let done = with(
        started(),
        json!({"conditions": [{"type": "Complete", "status": "True"}]}),
    );
    check(
        &job(json!({}), done),
        &[pod("a", "Succeeded")],
        &[LET_GO],
        Value::Null,
    );
}

#[test]
fn failures_are_waited_out_and_limited() {
    let failed = with(started(), json!({"failed": 1, "active": 0}));
    let again = job(json!({}), failed.clone());
    let recent = pod("a", "Failed free going");
    let wait = planned(&again, &[recent]);
    assert_eq!(lines(&wait), Vec::<String>::new());
    assert_eq!(wait.requeue_after, Some(Duration::from_secs(9)));
    check(
        &again,
        &[pod("a", "Failed free x1")],
        &["create pods j-", STATUS],
        json!({"active": 1}),
    );
    let spent = job(json!({"backoffLimit": 1}), failed);
    let plan = planned(
        &spent,
        &[
            pod("a", "Failed free x1"),
            pod("b", "Failed x1"),
            pod("c", "Running"),
        ],
    );
    assert_eq!(conditions(&plan), ["FailureTarget BackoffLimitExceeded"]);
    assert_eq!(lines(&plan)[0], "delete pods c");
}

#[test]
fn a_failed_job_ends_when_its_pods_have() {
    let target = json!([{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded",
        "message": "Job was active longer than specified deadline", "lastTransitionTime": ago(1)}]);
    let failing = job(json!({}), with(started(), json!({"conditions": target})));
    let going = planned(&failing, &[pod("c", "Running going")]);
    assert_eq!(conditions(&going), ["FailureTarget DeadlineExceeded"]);
    assert_eq!(
        body_of(&going, STATUS)["status"]["uncountedTerminatedPods"]["failed"],
        json!(["uid-c"])
    );
    let last = planned(&failing, &[]);
    assert_eq!(
        conditions(&last),
        ["FailureTarget DeadlineExceeded", "Failed DeadlineExceeded"]
    );
}

#[test]
fn a_deadline_counts_from_the_start() {
    let spec = json!({"activeDeadlineSeconds": 60});
    let early = planned(
        &job(spec.clone(), with(started(), json!({"active": 1}))),
        &[pod("a", "Running")],
    );
    assert_eq!(early.requeue_after, Some(Duration::from_secs(10)));
    let late = with(started(), json!({"startTime": ago(60)}));
    let plan = planned(&job(spec, late), &[pod("a", "Running")]);
    assert_eq!(conditions(&plan), ["FailureTarget DeadlineExceeded"]);
}

#[test]
fn a_suspended_job_has_no_pods_and_loses_none_to_failure() {
    let suspended = job(json!({"suspend": true}), started());
    let plan = planned(&suspended, &[pod("a", "Running")]);
    assert_eq!(conditions(&plan), ["Suspended JobSuspended"]);
    assert_eq!(
        lines(&plan)[..2],
        [r#"patch pods a {"metadata":{"finalizers":[]}}"#, "delete pods a"]
    );
    let was = with(
        started(),
        json!({"conditions": [{"type": "Suspended", "status": "True", "reason": "JobSuspended"}]}),
    );
    let resumed = planned(&job(json!({}), was), &[]);
    assert_eq!(body_of(&resumed, STATUS)["status"]["startTime"], ago(0));
    assert!(lines(&resumed)[0].starts_with("create pods"));
}

#[test]
fn parallelism_goes_both_ways() {
    let status = with(started(), json!({"active": 3}));
    let less = job(json!({"parallelism": 1, "completions": 5}), status);
    let pods = [
        pod("a", "Running ready"),
        pod("b", "Pending"),
        pod("c", "Running"),
    ];
    let deleted: Vec<String> = lines(&planned(&less, &pods))
        .into_iter()
        .filter(|line| line.starts_with("delete"))
        .collect();
    assert_eq!(deleted, ["delete pods b", "delete pods c"]);
    let more = job(json!({"parallelism": 4, "completions": 5}), started());
    check(
        &more,
        &[pod("a", "Running")],
        &["create pods j-", "create pods j-", "create pods j-", STATUS],
        json!({"active": 4}),
    );
}

#[test]
fn pods_that_are_going_are_replaced_at_once_or_later() {
    let pods = [pod("a", "Running going")];
    check(
        &job(json!({}), started()),
        &pods,
        &[STATUS],
        json!({"terminating": 1}),
    );
    let later = job(json!({"podReplacementPolicy": "Failed"}), started());
    check(
        &later,
        &pods,
        &[STATUS],
        json!({"terminating": 1, "uncountedTerminatedPods": {"succeeded": null, "failed": null}}),
    );
}

fn indexed(more: Value, status: Value) -> Arc<Job> {
    let spec = json!({"completionMode": "Indexed", "completions": 3, "parallelism": 2});
    job(with(spec, more), status)
}

#[test]
fn pods_with_numbers_start_with_the_first_that_are_missing() {
    let status = with(started(), json!({"completedIndexes": "0", "succeeded": 1}));
    let plan = planned(&indexed(json!({}), status), &[pod("b", "Running #1")]);
    let body = body_of(&plan, "create pods j-2-");
    assert_eq!(body["spec"]["hostname"], "j-2");
    assert_eq!(
        body["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"],
        "2"
    );
    assert_eq!(
        body["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"],
        "2"
    );
    assert_eq!(
        body["spec"]["containers"][0]["env"][0]["name"],
        "JOB_COMPLETION_INDEX"
    );
}

#[test]
fn numbers_are_told_before_their_pods_are_let_go() {
    let pods = [
        pod("a", "Succeeded #0"),
        pod("b", "Running #1"),
        pod("c", "Running #1"),
    ];
    let plan = planned(&indexed(json!({}), started()), &pods);
    assert_eq!(body_of(&plan, STATUS)["status"]["completedIndexes"], "0");
    assert!(!lines(&plan).iter().any(|line| line.starts_with(LET_GO)));
    // Two pods of one number are one too many.
    assert!(
        lines(&plan)
            .iter()
            .filter(|line| line.starts_with("delete"))
            .count()
            == 1
    );
    let told = with(
        started(),
        json!({"completedIndexes": "0", "succeeded": 1, "active": 1}),
    );
    check(
        &indexed(json!({"parallelism": 1}), told),
        &pods[..2],
        &[LET_GO],
        Value::Null,
    );
}

#[test]
fn failures_of_a_number_are_its_own() {
    let spec = json!({"backoffLimit": i32::MAX, "backoffLimitPerIndex": 1, "parallelism": 3});
    let one = indexed(spec.clone(), started());
    let pods = [
        pod("a", "Failed #0 x1 f0"),
        pod("b", "Running #1 f0"),
        pod("c", "Running #2 f0"),
    ];
    let plan = planned(&one, &pods);
    let body = body_of(&plan, "create pods j-0-");
    assert_eq!(
        body["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"],
        "1"
    );
    let counted = with(started(), json!({"failed": 1, "failedIndexes": "", "active": 3}));
    let spent = [
        pod("d", "Failed #0 x1 f1"),
        pod("b", "Running #1 f0"),
        pod("c", "Running #2 f0"),
    ];
    let plan = planned(&indexed(spec.clone(), counted.clone()), &spent);
    assert_eq!(body_of(&plan, STATUS)["status"]["failedIndexes"], "0");
    assert!(!lines(&plan).iter().any(|line| line.starts_with("create")));
    let rest = with(
        counted,
        json!({"failedIndexes": "0", "completedIndexes": "1,2", "succeeded": 2}),
    );
    let plan = planned(&indexed(spec.clone(), rest.clone()), &[]);
    assert_eq!(
        conditions(&plan),
        ["FailureTarget FailedIndexes", "Failed FailedIndexes"]
    );
    let few = with(spec, json!({"maxFailedIndexes": 0}));
    let plan = planned(&indexed(few, rest), &[]);
    assert_eq!(conditions(&plan)[0], "FailureTarget MaxFailedIndexesExceeded");
}

#[test]
fn policies_decide_what_a_failure_means() {
    let rule = |action: &str, code: i32| {
        let rules = json!([{"action": action, "onExitCodes": {"operator": "In", "values": [code]}, "onPodConditions": []}]);
        job(json!({"podFailurePolicy": {"rules": rules}}), started())
    };
    let pods = [pod("a", "Failed x42")];
    let plan = planned(&rule("FailJob", 42), &pods);
    assert_eq!(conditions(&plan), ["FailureTarget PodFailurePolicy"]);
    let told = body_of(&plan, STATUS)["status"]["conditions"][0]["message"].clone();
    assert_eq!(
        told,
        "Container c for pod ns/a failed with exit code 42 matching FailJob rule at index 0"
    );
    check(
        &rule("Ignore", 42),
        &pods,
        &["create pods j-", LET_GO, STATUS],
        json!({"failed": null}),
    );
    let uncounted = json!({"succeeded": null, "failed": ["uid-a"]});
    check(
        &rule("Ignore", 7),
        &pods,
        &["create pods j-", STATUS],
        json!({"uncountedTerminatedPods": uncounted}),
    );
}

#[test]
fn a_success_policy_ends_a_job_early() {
    let policy = json!({"rules": [{"succeededIndexes": "1-2", "succeededCount": 1}]});
    let status = with(started(), json!({"completedIndexes": "1", "succeeded": 1}));
    let plan = planned(
        &indexed(json!({"successPolicy": policy}), status),
        &[pod("a", "Running #0")],
    );
    assert_eq!(conditions(&plan), ["SuccessCriteriaMet SuccessPolicy"]);
    assert!(lines(&plan).contains(&"delete pods a".to_owned()));
}

#[test]
fn others_jobs_are_left_alone_and_strays_are_let_go() {
    let others = job(json!({"managedBy": "example.com/queue"}), json!({}));
    assert!(planned(&others, &[]).is_empty());
    let stray = Snapshot {
        job: None,
        pods: Vec::new(),
        strangers: vec![pod("a", "Running going")],
        orphans: Vec::new(),
        pace: pace(),
    };
    assert_eq!(
        lines(&plan(&stray, now())),
        [r#"patch pods a {"metadata":{"finalizers":[]}}"#]
    );
}
