//! Kinds that run pods: generations, statuses and scales of their own, selectors that are generated, and two versions
//! of one kind over one store.

use coracle_api::{FieldSelector, Resource, kinds};
use serde_json::{Value, json};

use super::super::{EventKind, ListRequest, Start, WatchRequest};
use crate::testing::{Bench, deployment, json_of, target};

fn workload(resource: &'static Resource) -> Value {
    let mut object = deployment("web");
    object["apiVersion"] = resource.api_version.into();
    object["kind"] = resource.kind.into();
    match resource.kind {
        "Job" | "CronJob" => {
            object["spec"]["template"]["spec"]["restartPolicy"] = "Never".into();
            let template = object["spec"]["template"].take();
            object["spec"] = match resource.kind {
                "Job" => json!({ "template": template }),
                _ => json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}}),
            };
        }
        "ReplicationController" => object["spec"]["selector"] = json!({"app": "web"}),
        "DaemonSet" => {
            object["spec"].as_object_mut().unwrap().remove("replicas");
        }
        "PodDisruptionBudget" => object["spec"] = json!({"minAvailable": 1}),
        _ => {}
    }
    object
}

#[tokio::test]
async fn the_spec_has_a_generation_and_the_status_a_door_of_its_own() {
    let bench = Bench::new().await;
    let field = |resource: &Resource| match resource.kind {
        "Job" => ("parallelism", json!(3)),
        "CronJob" => ("suspend", json!(true)),
        "PodDisruptionBudget" => ("minAvailable", json!(2)),
        _ => ("minReadySeconds", json!(5)),
    };
    for resource in [
        kinds::REPLICATION_CONTROLLER,
        kinds::REPLICA_SET,
        kinds::DEPLOYMENT,
        kinds::DAEMON_SET,
        kinds::STATEFUL_SET,
        kinds::JOB,
        kinds::CRON_JOB,
        kinds::POD_DISRUPTION_BUDGET,
    ] {
        let mut object = workload(resource);
        object["status"] = json!({"observedGeneration": 7});
        let created = json_of(&bench.create(resource, object).await.unwrap().entry);
        assert_eq!(created["metadata"]["generation"], 1, "{resource}");
        assert_eq!(created["status"].get("observedGeneration"), None, "{resource}");
        let (name, value) = field(resource);
        let patch = json!({"spec": {name: value}, "status": {"observedGeneration": 7}});
        let changed = bench
            .patch(target(resource, "web"), "", patch.clone())
            .await
            .unwrap();
        let changed = json_of(&changed.entry);
        assert_eq!(changed["metadata"]["generation"], 2, "{resource}");
        assert_eq!(changed["spec"][name], value, "{resource}");
        assert_eq!(changed["status"].get("observedGeneration"), None, "{resource}");
        if resource.kind == "CronJob" || resource.kind == "Job" {
            continue;
        }
        let status = json!({"spec": {name: 9}, "status": {"observedGeneration": 2}});
        let told = bench
            .patch(target(resource, "web"), "status", status)
            .await
            .unwrap();
        let told = json_of(&told.entry);
        assert_eq!(told["metadata"]["generation"], 2, "{resource}");
        assert_eq!(told["spec"][name], value, "{resource}");
        assert_eq!(told["status"]["observedGeneration"], 2, "{resource}");
    }
}

#[tokio::test]
async fn whatever_has_replicas_is_scaled() {
    let bench = Bench::new().await;
    for resource in [
        kinds::REPLICATION_CONTROLLER,
        kinds::REPLICA_SET,
        kinds::DEPLOYMENT,
        kinds::STATEFUL_SET,
    ] {
        bench.create(resource, workload(resource)).await.unwrap();
        let patch = json!({"spec": {"replicas": 5}});
        let scaled = bench
            .patch(target(resource, "web"), "scale", patch)
            .await
            .unwrap();
        let scaled = json_of(&scaled.entry);
        assert_eq!(
            (
                &scaled["kind"],
                &scaled["spec"]["replicas"],
                &scaled["status"]["selector"]
            ),
            (&json!("Scale"), &json!(5), &json!("app=web")),
            "{resource}"
        );
        let object = bench.get(resource, "web").await.unwrap();
        assert_eq!(object["spec"]["replicas"], 5, "{resource}");
        assert_eq!(object["metadata"]["generation"], 2, "{resource}");
    }
}

#[tokio::test]
async fn a_job_selects_its_own_pods() {
    let bench = Bench::new().await;
    let job = json_of(
        &bench
            .create(kinds::JOB, workload(kinds::JOB))
            .await
            .unwrap()
            .entry,
    );
    let uid = &job["metadata"]["uid"];
    assert_eq!(
        job["spec"]["selector"],
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
    );
    assert_eq!(
        job["spec"]["template"]["metadata"]["labels"],
        json!({"app": "web", "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": "web",
            "controller-uid": uid, "job-name": "web"})
    );
    assert_eq!(
        job["metadata"]["labels"],
        job["spec"]["template"]["metadata"]["labels"]
    );
    let mut chosen = workload(kinds::JOB);
    chosen["metadata"]["name"] = "chosen".into();
    chosen["spec"]["selector"] = json!({"matchLabels": {"app": "web"}});
    chosen["spec"]["manualSelector"] = true.into();
    let chosen = json_of(&bench.create(kinds::JOB, chosen).await.unwrap().entry);
    assert_eq!(chosen["spec"]["selector"], json!({"matchLabels": {"app": "web"}}));
    let mut list = ListRequest::all(kinds::JOB);
    list.fields = FieldSelector::parse("status.successful=0").unwrap();
    assert_eq!(bench.registry.list(&list).await.unwrap().entries.len(), 2);
}

#[tokio::test]
async fn a_daemon_set_counts_the_changes_of_its_template() {
    let bench = Bench::new().await;
    let annotation = |object: &Value| {
        object["metadata"]["annotations"]["deprecated.daemonset.template.generation"].clone()
    };
    let created = bench
        .create(kinds::DAEMON_SET, workload(kinds::DAEMON_SET))
        .await
        .unwrap();
    assert_eq!(annotation(&json_of(&created.entry)), "1");
    let patch = async |patch: Value| {
        let written = bench
            .patch(target(kinds::DAEMON_SET, "web"), "", patch)
            .await
            .unwrap();
        annotation(&json_of(&written.entry))
    };
    assert_eq!(patch(json!({"spec": {"minReadySeconds": 1}})).await, "1");
    assert_eq!(
        patch(json!({"spec": {"template": {"spec": {"hostNetwork": true}}}})).await,
        "2"
    );
}

fn autoscaler() -> Value {
    json!({
        "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
        "spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 60,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    })
}

#[tokio::test]
async fn two_versions_of_a_kind_are_views_of_one_object() {
    let bench = Bench::new().await;
    let (old, new) = (
        kinds::HORIZONTAL_POD_AUTOSCALER_V1,
        kinds::HORIZONTAL_POD_AUTOSCALER,
    );
    let created = bench.create(old, autoscaler()).await.unwrap();
    let shown = json_of(&created.entry);
    assert_eq!(shown["apiVersion"], "autoscaling/v1");
    assert_eq!(shown["spec"]["minReplicas"], 1);
    assert_eq!(
        shown["metadata"]["resourceVersion"],
        created.entry.revision.to_string()
    );
    assert_eq!(bench.get(old, "web").await.unwrap(), shown);
    let twin = bench.create(new, json!({"metadata": {"name": "web"}, "spec": {"maxReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "web"}}}));
    assert!(twin.await.unwrap_err().is_already_exists());

    let stored = bench.get(new, "web").await.unwrap();
    assert_eq!(stored["apiVersion"], "autoscaling/v2");
    assert_eq!(stored["metadata"]["uid"], shown["metadata"]["uid"]);
    assert_eq!(
        stored["spec"]["metrics"],
        json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}])
    );

    // What v1 has no field for survives a change through v1.
    let behavior = json!({"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}});
    bench.patch(target(new, "web"), "", behavior).await.unwrap();
    let patched = bench
        .patch(
            target(old, "web"),
            "",
            json!({"spec": {"targetCPUUtilizationPercentage": 70}}),
        )
        .await
        .unwrap();
    let patched = json_of(&patched.entry);
    assert_eq!(patched["spec"]["targetCPUUtilizationPercentage"], 70);
    let stored = bench.get(new, "web").await.unwrap();
    assert_eq!(
        stored["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"],
        60
    );
    assert_eq!(
        stored["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
        70
    );
    assert!(stored["metadata"].get("annotations").is_none());
    let unchanged = bench.update(target(old, "web"), "", &patched).await.unwrap();
    assert_eq!(json_of(&unchanged.entry), patched);

    for (resource, version) in [(old, "autoscaling/v1"), (new, "autoscaling/v2")] {
        let list = bench.registry.list(&ListRequest::all(resource)).await.unwrap();
        assert_eq!(list.entries.len(), 1);
        assert_eq!(json_of(&list.entries[0])["apiVersion"], version);
        assert_eq!(bench.registry.count(resource), 1);
        let from = Start::After(created.entry.revision - 1);
        let mut watch = bench.registry.watch(WatchRequest::all(resource, from)).unwrap();
        let events = watch.next().await.unwrap().unwrap();
        assert_eq!(events[0].kind, EventKind::Added);
        assert_eq!(json_of(events[0].entry.as_ref().unwrap())["apiVersion"], version);
    }
    let deleted = bench
        .delete(target(old, "web"), Default::default())
        .await
        .unwrap();
    assert_eq!(json_of(&deleted.entry)["apiVersion"], "autoscaling/v1");
    assert!(bench.get(new, "web").await.unwrap_err().is_not_found());
    assert_eq!(bench.reopened().count(old), 0);
}
