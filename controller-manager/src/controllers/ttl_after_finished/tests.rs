//! Tests of `ttl_after_finished`.

use std::time::Duration;

use serde_json::{Value, json};

use super::plan;
use crate::{
    testing::{ago, lines, now, view},
    view::Job,
};

fn job(ttl: Value, condition: &str, ended: i64) -> std::sync::Arc<Job> {
    let condition = json!({"type": condition, "status": "True", "lastTransitionTime": ago(ended)});
    view(json!({
        "metadata": {"namespace": "ns", "name": "j"},
        "spec": {"ttlSecondsAfterFinished": ttl},
        "status": {"conditions": [condition]},
    }))
}

#[test]
fn a_job_goes_when_its_time_is_over() {
    for condition in ["Complete", "Failed"] {
        assert_eq!(
            lines(&plan(&job(json!(30), condition, 30), now())),
            ["delete jobs j foreground"]
        );
        let early = plan(&job(json!(30), condition, 10), now());
        assert_eq!(
            (lines(&early).len(), early.requeue_after),
            (0, Some(Duration::from_secs(20)))
        );
        assert_eq!(
            lines(&plan(&job(json!(0), condition, 0), now())),
            ["delete jobs j foreground"]
        );
    }
}

#[test]
fn a_job_without_a_limit_or_an_end_stays() {
    for job in [
        job(Value::Null, "Complete", 99),
        job(json!(0), "FailureTarget", 99),
    ] {
        let plan = plan(&job, now());
        assert!(plan.is_empty() && plan.requeue_after.is_none());
    }
}
