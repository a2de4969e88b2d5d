//! Those who watch over other workloads under disturbance: autoscalers and disruption budgets.

use coracle_api::kinds;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

use super::{says, status, template};
use crate::testing::disturbance::{Deed, Story};

fn deployment(replicas: i32) -> Deed {
    let spec = json!({
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template("web", "v1"),
        "strategy": {"type": "RollingUpdate"}, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
    });
    Deed::Create(
        kinds::DEPLOYMENT,
        json!({"metadata": {"namespace": "ns", "name": "web"}, "spec": spec}),
    )
}

fn has(count: i64) -> impl Fn(&FakeApi) -> bool + Send + Sync {
    move |api| {
        let status = status(api, kinds::DEPLOYMENT, "web");
        says(
            &status,
            &json!({"replicas": count, "readyReplicas": count, "availableReplicas": count}),
        )
    }
}

/// By its limits: what pods use is measured live and no matter of views.
#[tokio::test(start_paused = true)]
async fn an_autoscaler_keeps_its_target_within_its_limits() {
    let autoscaler = json!({
        "metadata": {"namespace": "ns", "name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 3, "maxReplicas": 5,
        },
    });
    let lower = json!({"spec": {"minReplicas": 1, "maxReplicas": 2}});
    Story::about([kinds::DEPLOYMENT, kinds::REPLICA_SET, kinds::POD])
        .act(
            "three",
            [
                deployment(1),
                Deed::Create(kinds::HORIZONTAL_POD_AUTOSCALER, autoscaler),
            ],
            has(3),
        )
        .act(
            "two",
            [Deed::Patch(kinds::HORIZONTAL_POD_AUTOSCALER, "web", lower)],
            has(2),
        )
        .survives_everything()
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_budget_says_how_many_pods_may_go() {
    let budget = json!({
        "metadata": {"namespace": "ns", "name": "web"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    });
    let allows = |allowed: i64, healthy: i64| {
        move |api: &FakeApi| {
            let status: Value = status(api, kinds::POD_DISRUPTION_BUDGET, "web");
            says(
                &status,
                &json!({"disruptionsAllowed": allowed, "currentHealthy": healthy, "expectedPods": healthy}),
            ) && has(healthy)(api)
        }
    };
    let resize = |replicas: i32| {
        let body = json!({"spec": {"replicas": replicas}});
        [Deed::Patch(kinds::DEPLOYMENT, "web", body)]
    };
    Story::about([kinds::POD_DISRUPTION_BUDGET, kinds::POD])
        .act(
            "one of three",
            [Deed::Create(kinds::POD_DISRUPTION_BUDGET, budget), deployment(3)],
            allows(1, 3),
        )
        .act("none of two", resize(2), allows(0, 2))
        .act("two of four", resize(4), allows(2, 4))
        .survives_everything()
        .await;
}
