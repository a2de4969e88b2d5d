//! Tests of `cron_job`.

use std::{sync::Arc, time::Duration};

use coracle_runtime::Plan;
use serde_json::{Value, json};

use super::plan::{Snapshot, plan};
use crate::{
    testing::{ago, body_of, lines, now, view},
    view::{CronJob, Job},
};

// NOW is 1970-01-12T13:46:40Z, in its minute 16666.

fn cron_job(spec: Value, status: Value) -> Arc<CronJob> {
    let mut all = json!({
        "schedule": "* * * * *", "concurrencyPolicy": "Allow", "suspend": false,
        "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
        "jobTemplate": {"metadata": {"labels": {"a": "b"}}, "spec": {"completions": 1}},
    });
    for (key, value) in spec.as_object().cloned().unwrap_or_default() {
        all[key] = value;
    }
    view(
        json!({"metadata": {"namespace": "ns", "name": "c", "creationTimestamp": ago(70)}, "spec": all, "status": status}),
    )
}

/// A Job of the CronJob made `age` seconds ago, with the condition by which it ended, if it did.
fn job(name: &str, age: i64, condition: &str) -> Arc<Job> {
    let conditions = if condition.is_empty() {
        json!([])
    } else {
        json!([{"type": condition, "status": "True", "lastTransitionTime": ago(age)}])
    };
    let mut annotations = json!({});
    annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] = json!(ago(age));
    view(json!({
        "metadata": {"namespace": "ns", "name": name, "annotations": annotations},
        "status": {"startTime": ago(age), "completionTime": ago(age), "conditions": conditions},
    }))
}

fn planned(cron_job: Arc<CronJob>, jobs: Vec<Arc<Job>>) -> Plan {
    plan(&Snapshot { cron_job, jobs }, now())
}

fn reasons(plan: &Plan) -> Vec<&'static str> {
    plan.notes.iter().map(|note| note.reason).collect()
}

#[test]
fn jobs_that_somebody_else_made_are_told_of_and_do_not_count() {
    let by_hand = |condition: &str| {
        let conditions = if condition.is_empty() {
            json!([])
        } else {
            json!([{"type": condition, "status": "True", "lastTransitionTime": ago(1)}])
        };
        view::<Job>(json!({
            "metadata": {"namespace": "ns", "name": "by-hand"}, "status": {"conditions": conditions},
        }))
    };
    let forbids = || cron_job(json!({"concurrencyPolicy": "Forbid"}), json!({}));
    let plan = planned(forbids(), vec![by_hand("")]);
    assert_eq!(reasons(&plan), ["UnexpectedJob"]);
    assert_eq!(
        plan.notes[0].message,
        "Saw a job that the controller did not create or forgot: by-hand"
    );
    assert_eq!(lines(&plan), ["create jobs c-16666"]);
    assert_eq!(reasons(&planned(forbids(), vec![by_hand("Complete")])), [""; 0]);
    let active = json!({"active": [{"name": "by-hand", "uid": "uid-by-hand"}]});
    let adopted = cron_job(json!({"suspend": true}), active);
    assert_eq!(reasons(&planned(adopted, vec![by_hand("")])), [""; 0]);
}

#[test]
fn a_job_is_made_for_the_last_time_that_passed() {
    let plan = planned(cron_job(json!({}), json!({})), vec![]);
    assert_eq!(lines(&plan), ["create jobs c-16666"]);
    let body = body_of(&plan, "create jobs");
    let at = &body["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"];
    assert_eq!(*at, "1970-01-12T13:46:00Z");
    assert_eq!(body["metadata"]["labels"], json!({"a": "b"}));
    assert_eq!(body["spec"], json!({"completions": 1}));
    assert_eq!(plan.requeue_after, Some(Duration::from_secs(20)));
    let berlin = planned(cron_job(json!({"timeZone": "Europe/Berlin"}), json!({})), vec![]);
    let at = &body_of(&berlin, "create jobs")["metadata"]["annotations"];
    assert_eq!(
        at["batch.kubernetes.io/cronjob-scheduled-timestamp"],
        "1970-01-12T14:46:00+01:00"
    );
}

#[test]
fn a_time_is_acted_upon_once() {
    let seen = planned(cron_job(json!({}), json!({})), vec![job("c-16666", 40, "")]);
    let status = &body_of(&seen, "patch cronjobs/status c")["status"];
    assert_eq!(status["lastScheduleTime"], ago(40));
    assert_eq!(status["active"][0]["name"], "c-16666");
    assert_eq!(lines(&seen).len(), 1);
    let told = cron_job(json!({}), json!({"lastScheduleTime": ago(40)}));
    assert!(planned(told, vec![]).is_empty());
}

#[test]
fn a_schedule_finer_than_a_minute_makes_one_job_a_minute() {
    let often = cron_job(
        json!({"schedule": "@every 5s"}),
        json!({"lastScheduleTime": ago(30)}),
    );
    let plan = planned(often, vec![job("c-16666", 30, "")]);
    assert!(
        !lines(&plan).iter().any(|line| line.starts_with("create")),
        "{:?}",
        lines(&plan)
    );
}

#[test]
fn policies_say_what_happens_while_one_runs() {
    let status = json!({"lastScheduleTime": ago(100), "active": [{"name": "c-16665", "uid": "uid-c-16665"}]});
    let check = |policy: &str, expected: &[&str], notes: &[&str]| {
        let plan = planned(
            cron_job(json!({"concurrencyPolicy": policy}), status.clone()),
            vec![job("c-16665", 100, "")],
        );
        assert_eq!(
            (lines(&plan), reasons(&plan)),
            (expected.iter().map(ToString::to_string).collect(), notes.to_vec())
        );
    };
    check("Allow", &["create jobs c-16666"], &[]);
    check("Forbid", &[], &["JobAlreadyActive"]);
    check("Replace", &["delete jobs c-16665", "create jobs c-16666"], &[]);
}

#[test]
fn what_is_too_late_is_not_started() {
    let old = json!({"lastScheduleTime": ago(7_200)});
    // The last time was 40 seconds ago.
    let late = planned(
        cron_job(json!({"startingDeadlineSeconds": 30}), old.clone()),
        vec![],
    );
    assert_eq!(lines(&late), Vec::<String>::new());
    let in_time = planned(
        cron_job(json!({"startingDeadlineSeconds": 40}), old.clone()),
        vec![],
    );
    assert_eq!(lines(&in_time), ["create jobs c-16666"]);
    let many = planned(cron_job(json!({}), old), vec![]);
    assert_eq!(
        (lines(&many), reasons(&many)),
        (vec!["create jobs c-16666".to_owned()], vec!["TooManyMissedTimes"])
    );
}

#[test]
fn suspended_and_wrong_schedules_make_nothing() {
    assert!(planned(cron_job(json!({"suspend": true}), json!({})), vec![]).is_empty());
    let wrong = planned(cron_job(json!({"schedule": "soon"}), json!({})), vec![]);
    assert_eq!(
        (lines(&wrong).len(), reasons(&wrong)),
        (0, vec!["UnparseableSchedule"])
    );
}

#[test]
fn history_is_kept_within_its_limits_and_ends_are_told() {
    let status = json!({"lastScheduleTime": ago(40), "active": [{"name": "x", "uid": "uid-x"}, {"name": "s3", "uid": "uid-s3"}]});
    let jobs = vec![
        job("s1", 300, "Complete"),
        job("s2", 200, "Complete"),
        job("s3", 100, "Complete"),
        job("f1", 250, "Failed"),
        job("f2", 150, "Failed"),
    ];
    let plan = planned(cron_job(json!({"successfulJobsHistoryLimit": 1}), status), jobs);
    assert_eq!(
        lines(&plan)[1..],
        ["delete jobs s1", "delete jobs s2", "delete jobs f1"]
    );
    assert_eq!(
        body_of(&plan, "patch cronjobs/status c")["status"]["lastSuccessfulTime"],
        ago(100)
    );
    assert_eq!(reasons(&plan), ["MissingJob", "SawCompletedJob"]);
}
