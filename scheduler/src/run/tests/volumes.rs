//! Pods with claims, from the decision to the binding.

use super::*;

fn claim(class: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "default"},
        "spec": {
            "storageClassName": class, "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
        "status": {"phase": "Pending"},
    })
}

fn class(name: &str, provisioner: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer",
    })
}

fn volume(name: &str, on: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "storageClassName": "local", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchFields": [
                {"key": "metadata.name", "operator": "In", "values": [on]},
            ]}]}},
        },
        "status": {"phase": "Available"},
    })
}

fn user() -> Value {
    let mut pod = pod("user", "100m");
    pod["spec"]["volumes"] = json!([{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]);
    pod
}

/// What the volume controller does once a volume names the claim.
fn complete(api: &FakeApi, volume: &str) {
    let mut bound = api
        .find(kinds::PERSISTENT_VOLUME_CLAIM, "default", "data")
        .unwrap();
    bound["spec"]["volumeName"] = json!(volume);
    bound["metadata"]["annotations"] = json!({"pv.kubernetes.io/bind-completed": "yes"});
    bound["status"]["phase"] = json!("Bound");
    api.seed(kinds::PERSISTENT_VOLUME_CLAIM, bound);
}

#[tokio::test(start_paused = true)]
async fn a_free_volume_is_kept_and_the_pod_goes_where_it_is() {
    let api = FakeApi::default();
    for name in ["n1", "n2", "n3"] {
        api.seed(kinds::NODE, node(name, "4"));
    }
    api.seed(
        kinds::STORAGE_CLASS,
        class("local", "kubernetes.io/no-provisioner"),
    );
    api.seed(kinds::PERSISTENT_VOLUME, volume("v2", "n2"));
    api.seed(kinds::PERSISTENT_VOLUME_CLAIM, claim("local"));
    api.seed(kinds::POD, user());
    with_scheduler(&api, async {
        let kept_for = eventually("the volume names the claim", || {
            let volume = api.find(kinds::PERSISTENT_VOLUME, "", "v2")?;
            volume.pointer("/spec/claimRef/name").cloned()
        })
        .await;
        assert_eq!(kept_for, "data");
        assert_eq!(node_of(&api, "user"), None, "its claim is not bound yet");
        complete(&api, "v2");
        assert_eq!(eventually("bound", || node_of(&api, "user")).await, "n2");
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_provisioner_is_told_the_node() {
    let api = FakeApi::default();
    api.seed(kinds::NODE, node("n1", "4"));
    api.seed(kinds::STORAGE_CLASS, class("made", "example.com/maker"));
    api.seed(kinds::PERSISTENT_VOLUME_CLAIM, claim("made"));
    api.seed(kinds::POD, user());
    with_scheduler(&api, async {
        let node = eventually("the annotation", || {
            let claim = api.find(kinds::PERSISTENT_VOLUME_CLAIM, "default", "data")?;
            let annotation = claim["metadata"]["annotations"].get("volume.kubernetes.io/selected-node");
            annotation.cloned()
        })
        .await;
        assert_eq!(node, "n1");
        let mut made = volume("made", "n1");
        made["spec"]["storageClassName"] = json!("made");
        api.seed(kinds::PERSISTENT_VOLUME, made);
        complete(&api, "made");
        assert_eq!(eventually("bound", || node_of(&api, "user")).await, "n1");
    })
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_claim_is_missing_says_so_and_is_bound_when_it_comes() {
    let api = FakeApi::default();
    api.seed(kinds::NODE, node("n1", "4"));
    api.seed(kinds::POD, user());
    with_scheduler(&api, async {
        let told = eventually("event", || events(&api, "FailedScheduling").pop()).await;
        assert_eq!(
            told,
            "0/1 nodes are available: persistentvolumeclaim \"data\" not found. preemption: 0/1 nodes are \
             available: 1 Preemption is not helpful for scheduling."
        );
        api.seed(kinds::PERSISTENT_VOLUME, volume("v1", "n1"));
        api.seed(kinds::PERSISTENT_VOLUME_CLAIM, claim("local"));
        complete(&api, "v1");
        assert_eq!(eventually("bound", || node_of(&api, "user")).await, "n1");
    })
    .await
    .unwrap();
}
