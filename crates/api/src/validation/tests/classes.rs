//! Storage classes and drivers, priority classes, runtime classes.

use serde_json::{Value, json};

use super::{mistakes, update_mistakes};
use crate::kinds;

#[test]
fn storage_classes() {
    let class = json!({"metadata": {"name": "c"}, "provisioner": "example.com/x"});
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::STORAGE_CLASS, &class, change), expected);
    };
    check(json!({}), "");
    check(json!({"provisioner": null}), "provisioner: Required value");
    check(
        json!({"reclaimPolicy": "Recycle"}),
        "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"",
    );
    check(
        json!({"volumeBindingMode": "Late"}),
        "volumeBindingMode: Unsupported value: \"Late\": supported values: \"Immediate\", \"WaitForFirstConsumer\"",
    );
    let update = |change: Value, expected: &str| {
        assert_eq!(update_mistakes(kinds::STORAGE_CLASS, &class, change), expected);
    };
    update(json!({"allowVolumeExpansion": true}), "");
    update(
        json!({"provisioner": "example.com/y", "parameters": {"a": "b"}}),
        "[parameters: Forbidden: updates to parameters are forbidden., provisioner: Forbidden: updates to provisioner are forbidden.]",
    );
    update(
        json!({"reclaimPolicy": "Retain"}),
        "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
    );
    update(
        json!({"volumeBindingMode": "WaitForFirstConsumer"}),
        "volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable",
    );
}

#[test]
fn priority_classes() {
    let class = json!({"metadata": {"name": "high"}, "value": 1000});
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::PRIORITY_CLASS, &class, change), expected);
    };
    check(json!({}), "");
    check(
        json!({"value": 1_000_000_001}),
        "value: Forbidden: maximum allowed value of a user defined priority is 1000000000",
    );
    check(
        json!({"metadata": {"name": "system-mine"}}),
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
    );
    check(
        json!({"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000}),
        "",
    );
    check(
        json!({"preemptionPolicy": "Sometimes"}),
        "preemptionPolicy: Unsupported value: \"Sometimes\": supported values: \"Never\", \"PreemptLowerPriority\"",
    );
    assert_eq!(
        update_mistakes(
            kinds::PRIORITY_CLASS,
            &class,
            json!({"value": 1, "description": "x"})
        ),
        "value: Forbidden: may not be changed in an update.",
    );
}

#[test]
fn drivers_and_attachments() {
    let attachment = json!({"metadata": {"name": "a"}, "spec": {"attacher": "d", "nodeName": "n", "source": {"persistentVolumeName": "v"}}});
    let check = |change: Value, expected: &str| {
        assert_eq!(mistakes(kinds::VOLUME_ATTACHMENT, &attachment, change), expected);
    };
    check(json!({}), "");
    check(
        json!({"spec": {"source": null}}),
        "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
    );
    check(
        json!({"spec": {"attacher": null}}),
        "spec.attacher: Required value",
    );
    let driver = json!({"metadata": {"name": "d"}, "spec": {}});
    assert_eq!(
        mistakes(
            kinds::CSI_DRIVER,
            &driver,
            json!({"spec": {"volumeLifecycleModes": ["Brief"]}})
        ),
        "spec.volumeLifecycleModes[0]: Unsupported value: \"Brief\": supported values: \"Ephemeral\", \"Persistent\"",
    );
    assert_eq!(
        update_mistakes(
            kinds::CSI_DRIVER,
            &driver,
            json!({"spec": {"attachRequired": false}})
        ),
        "spec.attachRequired: Invalid value: false: field is immutable",
    );
    let node = json!({"metadata": {"name": "n"}, "spec": {"drivers": [{"name": "d", "nodeID": "n"}, {"name": "d", "nodeID": ""}]}});
    assert_eq!(
        mistakes(kinds::CSI_NODE, &node, json!({})),
        "[spec.drivers[1].nodeID: Required value, spec.drivers[1].name: Duplicate value: \"d\"]",
    );
    let capacity = json!({"metadata": {"name": "c", "namespace": "d"}, "storageClassName": "s"});
    assert_eq!(
        mistakes(kinds::CSI_STORAGE_CAPACITY, &capacity, json!({"capacity": "-1"})),
        "capacity: Invalid value: \"-1\": must be greater than or equal to 0",
    );
    assert_eq!(
        update_mistakes(
            kinds::CSI_STORAGE_CAPACITY,
            &capacity,
            json!({"storageClassName": "t"})
        ),
        "storageClassName: Invalid value: \"t\": field is immutable",
    );
}

#[test]
fn runtime_classes() {
    let class = json!({"metadata": {"name": "r"}, "handler": "runsc"});
    assert_eq!(mistakes(kinds::RUNTIME_CLASS, &class, json!({})), "");
    assert_eq!(
        update_mistakes(kinds::RUNTIME_CLASS, &class, json!({"handler": "kata"})),
        "handler: Invalid value: \"kata\": field is immutable",
    );
}
