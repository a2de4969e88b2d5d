//! The kinds of snapshot.storage.k8s.io, which upstream's users install as custom resources: here every cluster has
//! them. Fields, columns and rules are those of the external snapshotter.

use coracle_api::kinds;
use serde_json::{Value, json};

use super::Seed;

const GROUP: &str = "snapshot.storage.k8s.io";
/// Who approved the names in a group that belongs to the community.
const APPROVAL: &str = "https://github.com/kubernetes-csi/external-snapshotter/pull/814";

pub(super) fn seeds() -> Vec<Seed> {
    let kinds = [snapshot(), class(), content()];
    let definitions = kinds.map(|kind| (kinds::CUSTOM_RESOURCE_DEFINITION, kind));
    definitions.into()
}

fn definition(names: &Value, scope: &str, schema: &Value, columns: &Value, has_status: bool) -> Value {
    let plural = names["plural"].as_str().unwrap_or_default();
    let subresources = if has_status {
        json!({"status": {}})
    } else {
        json!({})
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.{GROUP}"),
            "annotations": {"api-approved.kubernetes.io": APPROVAL},
        },
        "spec": {
            "group": GROUP,
            "names": names,
            "scope": scope,
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": schema},
                "subresources": subresources,
                "additionalPrinterColumns": columns,
            }],
        },
    })
}

fn column(name: &str, kind: &str, path: &str) -> Value {
    json!({"name": name, "type": kind, "jsonPath": path})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn error() -> Value {
    json!({
        "type": "object",
        "description": "The last error, where there was one.",
        "properties": {
            "message": text("What went wrong."),
            "time": {"type": "string", "format": "date-time", "description": "When it went wrong."},
        },
    })
}

/// `Delete` or `Retain`.
fn deletion_policy() -> Value {
    json!({
        "type": "string", "enum": ["Delete", "Retain"],
        "description": "Whether what was stored goes with the object.",
    })
}

fn object(description: &str, properties: &Value, required: &[&str]) -> Value {
    let mut schema = json!({
        "type": "object",
        "description": description,
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn snapshot() -> Value {
    let mut source = object(
        "What the snapshot is of: a claim, or content that exists already.",
        &json!({
            "persistentVolumeClaimName": text("The claim to take a snapshot of."),
            "volumeSnapshotContentName": text("The content that exists already."),
        }),
        &[],
    );
    source["x-kubernetes-validations"] = json!([{
        "rule": "has(self.volumeSnapshotContentName) != has(self.persistentVolumeClaimName)",
        "message": "exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set",
    }]);
    let spec = object(
        "The snapshot that is wanted.",
        &json!({
            "source": source,
            "volumeSnapshotClassName": text("The class; the default class where it is not set."),
        }),
        &["source"],
    );
    let status = object(
        "The snapshot as it is.",
        &json!({
            "boundVolumeSnapshotContentName": text("The content that it is bound to."),
            "creationTime": {"type": "string", "format": "date-time", "description": "When it was taken."},
            "error": error(),
            "readyToUse": {"type": "boolean", "description": "Whether a volume can be made of it."},
            "restoreSize": {
                "anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true,
                "description": "The least size of a volume that is made of it.",
            },
        }),
        &[],
    );
    let schema = object(
        "A snapshot of a volume, as its user asks for it.",
        &json!({"spec": spec, "status": status}),
        &["spec"],
    );
    let columns = json!([
        column("ReadyToUse", "boolean", ".status.readyToUse"),
        column("SourcePVC", "string", ".spec.source.persistentVolumeClaimName"),
        column(
            "SourceSnapshotContent",
            "string",
            ".spec.source.volumeSnapshotContentName"
        ),
        column("RestoreSize", "string", ".status.restoreSize"),
        column("SnapshotClass", "string", ".spec.volumeSnapshotClassName"),
        column(
            "SnapshotContent",
            "string",
            ".status.boundVolumeSnapshotContentName"
        ),
        column("CreationTime", "date", ".status.creationTime"),
        column("Age", "date", ".metadata.creationTimestamp"),
    ]);
    let names = json!({"plural": "volumesnapshots", "singular": "volumesnapshot", "kind": "VolumeSnapshot", "shortNames": ["vs"]});
    definition(&names, "Namespaced", &schema, &columns, true)
}

fn class() -> Value {
    let schema = object(
        "How snapshots are taken.",
        &json!({
            "deletionPolicy": deletion_policy(),
            "driver": text("The storage driver that takes them."),
            "parameters": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "What the driver is told.",
            },
        }),
        &["deletionPolicy", "driver"],
    );
    let columns = json!([
        column("Driver", "string", ".driver"),
        column("DeletionPolicy", "string", ".deletionPolicy"),
        column("Age", "date", ".metadata.creationTimestamp"),
    ]);
    let names = json!({"plural": "volumesnapshotclasses", "singular": "volumesnapshotclass", "kind": "VolumeSnapshotClass",
        "shortNames": ["vsclass", "vsclasses"]});
    definition(&names, "Cluster", &schema, &columns, false)
}

fn content() -> Value {
    let source = object(
        "What the content is of.",
        &json!({
            "snapshotHandle": text("A snapshot that exists already, as its driver names it."),
            "volumeHandle": text("The volume to take a snapshot of, as its driver names it."),
        }),
        &[],
    );
    let reference = object(
        "The snapshot that it is bound to.",
        &json!({
            "apiVersion": text("Its API version."),
            "fieldPath": text("A part of it."),
            "kind": text("Its kind."),
            "name": text("Its name."),
            "namespace": text("Its namespace."),
            "resourceVersion": text("Its resource version."),
            "uid": text("Its UID."),
        }),
        &[],
    );
    let spec = object(
        "The content that is wanted.",
        &json!({
            "deletionPolicy": deletion_policy(),
            "driver": text("The storage driver that keeps it."),
            "source": source,
            "sourceVolumeMode": text("Whether the volume was a file system or a block device."),
            "volumeSnapshotClassName": text("The class that it was made by."),
            "volumeSnapshotRef": reference,
        }),
        &["deletionPolicy", "driver", "source", "volumeSnapshotRef"],
    );
    let number =
        |description: &str| json!({"type": "integer", "format": "int64", "description": description});
    let status = object(
        "The content as it is.",
        &json!({
            "creationTime": number("When it was taken, in nanoseconds since 1970."),
            "error": error(),
            "readyToUse": {"type": "boolean", "description": "Whether a volume can be made of it."},
            "restoreSize": number("The least size in bytes of a volume that is made of it."),
            "snapshotHandle": text("The snapshot, as its driver names it."),
        }),
        &[],
    );
    let schema = object(
        "A snapshot of a volume, as it is stored.",
        &json!({"spec": spec, "status": status}),
        &["spec"],
    );
    let columns = json!([
        column("ReadyToUse", "boolean", ".status.readyToUse"),
        column("RestoreSize", "integer", ".status.restoreSize"),
        column("DeletionPolicy", "string", ".spec.deletionPolicy"),
        column("Driver", "string", ".spec.driver"),
        column("VolumeSnapshotClass", "string", ".spec.volumeSnapshotClassName"),
        column("VolumeSnapshot", "string", ".spec.volumeSnapshotRef.name"),
        column(
            "VolumeSnapshotNamespace",
            "string",
            ".spec.volumeSnapshotRef.namespace"
        ),
        column("Age", "date", ".metadata.creationTimestamp"),
    ]);
    let names = json!({"plural": "volumesnapshotcontents", "singular": "volumesnapshotcontent", "kind": "VolumeSnapshotContent",
        "shortNames": ["vsc", "vscs"]});
    definition(&names, "Cluster", &schema, &columns, true)
}
