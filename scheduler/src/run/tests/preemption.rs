//! Preemption, from the decision to the place being taken.

use coracle_client::{DeleteOptions, Write, WriteOptions};

use super::*;

#[tokio::test(start_paused = true)]
async fn victims_are_told_and_leave_and_the_pod_takes_their_place() {
    let api = FakeApi::default();
    api.seed(kinds::NODE, node("n1", "1"));
    let mut low = pod("low", "800m");
    low["spec"]["nodeName"] = json!("n1");
    low["status"]["phase"] = json!("Running");
    api.seed(kinds::POD, low);
    let mut high = pod("high", "800m");
    high["spec"]["priority"] = json!(100);
    api.seed(kinds::POD, high);
    with_scheduler(&api, async {
        let nominated = eventually("nominated", || {
            text(&api, kinds::POD, "high", "/status/nominatedNodeName")
        })
        .await;
        assert_eq!(nominated, "n1");
        let victim = eventually("the victim leaves", || {
            api.find(kinds::POD, "default", "low")
                .filter(|low| low["metadata"]["deletionTimestamp"].is_string())
        })
        .await;
        let condition = &victim["status"]["conditions"][0];
        assert_eq!(
            (&condition["type"], &condition["reason"], &condition["message"]),
            (
                &json!("DisruptionTarget"),
                &json!("PreemptionByScheduler"),
                &json!("default-scheduler: preempting to accommodate a higher priority pod")
            )
        );
        let told = eventually("event", || events(&api, "Preempted").pop()).await;
        assert!(
            told.starts_with("Preempted by pod ") && told.ends_with(" on node n1"),
            "{told}"
        );
        let why = eventually("event", || events(&api, "FailedScheduling").pop()).await;
        assert_eq!(why, "0/1 nodes are available: 1 Insufficient cpu.");
        // Somebody smaller of low priority would fit nowhere else either; the place is promised.
        api.seed(kinds::POD, pod("late", "800m"));
        let gone = Write::Delete {
            resource: kinds::POD,
            namespace: "default".to_owned(),
            name: "low".to_owned(),
            options: DeleteOptions {
                grace_period_seconds: Some(0),
                ..DeleteOptions::default()
            },
        };
        api.write(gone, &WriteOptions::default()).await.unwrap();
        assert_eq!(eventually("bound", || node_of(&api, "high")).await, "n1");
        assert_eq!(node_of(&api, "late"), None);
    })
    .await
    .unwrap();
}
