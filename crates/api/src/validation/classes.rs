//! StorageClasses, what storage drivers publish, PriorityClasses and RuntimeClasses.

use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};

use super::check::{Errors, IMMUTABLE, form, one_of, one_of_or_none, required, text};
use super::resources::amounts;
use super::selector::label_selector;
use crate::field_error::{FieldError, Path, Value};
use crate::names;
use crate::quantity::Quantity;

const BINDING_MODES: &[&str] = &["Immediate", "WaitForFirstConsumer"];
const FS_GROUP_POLICIES: &[&str] = &["File", "None", "ReadWriteOnceWithFSType"];
const LIFECYCLE_MODES: &[&str] = &["Ephemeral", "Persistent"];
const PREEMPTION_POLICIES: &[&str] = &["Never", "PreemptLowerPriority"];
const PARAMETERS_MAX: usize = 512;
const DRIVER_NAME_MAX_BYTES: usize = 63;
/// The classes that every cluster has, and nobody else may make.
pub const SYSTEM_PRIORITY_CLASSES: [(&str, i32); 2] = [
    ("system-cluster-critical", 2_000_000_000),
    ("system-node-critical", 2_000_001_000),
];
const SYSTEM_PREFIX: &str = "system-";
const HIGHEST_USER_PRIORITY: i32 = 1_000_000_000;

/// Mistakes in a StorageClass, outside its metadata.
pub fn storage_class(own: &StorageClass) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let root = Path::root();
    if own.provisioner.is_empty() {
        errors.push(FieldError::required(&root.child("provisioner"), ""));
    } else {
        let messages = names::qualified_name(&own.provisioner.to_lowercase());
        form(&mut errors, &root, "provisioner", &own.provisioner, messages);
    }
    if let Some(parameters) = &own.parameters {
        let path = root.child("parameters");
        if parameters.len() > PARAMETERS_MAX {
            errors.push(FieldError::too_long(&path, PARAMETERS_MAX));
        }
        if let Some(value) = parameters.get("") {
            let detail = "field can not be empty.";
            errors.push(FieldError::invalid(&path, value, detail));
        }
    }
    one_of(
        &mut errors,
        &root,
        "reclaimPolicy",
        &own.reclaim_policy,
        &["Delete", "Retain"],
    );
    one_of(
        &mut errors,
        &root,
        "volumeBindingMode",
        &own.volume_binding_mode,
        BINDING_MODES,
    );
    errors
}

/// Mistakes in the change of a StorageClass: volumes were made by what it said.
pub fn storage_class_update(new: &StorageClass, old: &StorageClass) -> Vec<FieldError> {
    let mut errors = storage_class(new);
    for (field, is_changed) in [
        ("parameters", new.parameters != old.parameters),
        ("provisioner", new.provisioner != old.provisioner),
        ("reclaimPolicy", new.reclaim_policy != old.reclaim_policy),
    ] {
        if is_changed {
            let detail = format!("updates to {field} are forbidden.");
            errors.push(FieldError::forbidden(&Path::new(field), detail));
        }
    }
    if new.volume_binding_mode != old.volume_binding_mode {
        errors.push(FieldError::invalid(
            &Path::new("volumeBindingMode"),
            text(&new.volume_binding_mode),
            IMMUTABLE,
        ));
    }
    errors
}

/// Mistakes in a VolumeAttachment, outside its metadata.
pub fn volume_attachment(own: &VolumeAttachment) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (path, spec) = (Path::new("spec"), &own.spec);
    driver_name(&mut errors, &spec.attacher, &path.child("attacher"));
    if spec.node_name.is_empty() {
        errors.push(FieldError::required(&path.child("nodeName"), ""));
    } else {
        form(
            &mut errors,
            &path,
            "nodeName",
            &spec.node_name,
            names::subdomain(&spec.node_name),
        );
    }
    let named = !text(&spec.source.persistent_volume_name).is_empty();
    if named == spec.source.inline_volume_spec.is_some() {
        let detail = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
        let path = path.child("source");
        errors.push(if named {
            FieldError::forbidden(&path, detail)
        } else {
            FieldError::required(&path, detail)
        });
    }
    errors
}

/// Mistakes in the change of a VolumeAttachment: only its status changes.
pub fn volume_attachment_update(new: &VolumeAttachment, old: &VolumeAttachment) -> Vec<FieldError> {
    let mut errors = volume_attachment(new);
    if new.spec != old.spec {
        errors.push(FieldError::invalid(
            &Path::new("spec"),
            Value::json(&new.spec),
            IMMUTABLE,
        ));
    }
    errors
}

fn driver_name(errors: &mut Errors, name: &str, path: &Path) {
    if name.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    if name.len() > DRIVER_NAME_MAX_BYTES {
        errors.push(FieldError::too_long(path, DRIVER_NAME_MAX_BYTES));
    }
    if !name.is_empty() {
        let messages = names::subdomain(&name.to_lowercase()).into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(path, name, message)));
    }
}

/// Mistakes in a CSIDriver, outside its metadata.
pub fn csi_driver(own: &CSIDriver) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = text(&own.metadata.name);
    if name.len() > DRIVER_NAME_MAX_BYTES {
        errors.push(FieldError::too_long(
            &Path::new("metadata").child("name"),
            DRIVER_NAME_MAX_BYTES,
        ));
    }
    let path = Path::new("spec");
    for (index, mode) in own.spec.volume_lifecycle_modes.iter().flatten().enumerate() {
        if !LIFECYCLE_MODES.contains(&mode.as_str()) {
            errors.push(FieldError::not_supported(
                &path.child("volumeLifecycleModes").index(index),
                mode,
                LIFECYCLE_MODES,
            ));
        }
    }
    one_of_or_none(
        &mut errors,
        &path,
        "fsGroupPolicy",
        &own.spec.fs_group_policy,
        FS_GROUP_POLICIES,
    );
    errors
}

/// Mistakes in the change of a CSIDriver.
pub fn csi_driver_update(new: &CSIDriver, old: &CSIDriver) -> Vec<FieldError> {
    let mut errors = csi_driver(new);
    let (new, old, path) = (&new.spec, &old.spec, Path::new("spec"));
    for (field, is_changed, shown) in [
        (
            "attachRequired",
            new.attach_required != old.attach_required,
            Value::json(&new.attach_required),
        ),
        (
            "volumeLifecycleModes",
            new.volume_lifecycle_modes != old.volume_lifecycle_modes,
            Value::json(&new.volume_lifecycle_modes),
        ),
    ] {
        if is_changed {
            errors.push(FieldError::invalid(&path.child(field), shown, IMMUTABLE));
        }
    }
    errors
}

/// Mistakes in a CSINode, outside its metadata.
pub fn csi_node(own: &CSINode) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("spec").child("drivers");
    let mut seen = std::collections::BTreeSet::new();
    for (index, driver) in own.spec.drivers.iter().enumerate() {
        let path = path.index(index);
        driver_name(&mut errors, &driver.name, &path.child("name"));
        required(&mut errors, &path, "nodeID", &driver.node_id);
        if !seen.insert(&driver.name) {
            errors.push(FieldError::duplicate(&path.child("name"), &driver.name));
        }
    }
    errors
}

/// Mistakes in a CSIStorageCapacity, outside its metadata.
pub fn csi_storage_capacity(own: &CSIStorageCapacity) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let root = Path::root();
    if let Some(selector) = &own.node_topology {
        errors.extend(label_selector(selector, &root.child("nodeTopology")));
    }
    required(&mut errors, &root, "storageClassName", &own.storage_class_name);
    for (field, size) in [
        ("capacity", &own.capacity),
        ("maximumVolumeSize", &own.maximum_volume_size),
    ] {
        if let Some(Ok(size)) = size.as_ref().map(Quantity::from_api)
            && size < Quantity::ZERO
        {
            let detail = super::check::NOT_NEGATIVE;
            errors.push(FieldError::invalid(&root.child(field), size.to_string(), detail));
        }
    }
    errors
}

/// Mistakes in the change of a CSIStorageCapacity: only its sizes change.
pub fn csi_storage_capacity_update(new: &CSIStorageCapacity, old: &CSIStorageCapacity) -> Vec<FieldError> {
    let mut errors = csi_storage_capacity(new);
    if new.node_topology != old.node_topology {
        let shown = Value::json(&new.node_topology);
        errors.push(FieldError::invalid(&Path::new("nodeTopology"), shown, IMMUTABLE));
    }
    if new.storage_class_name != old.storage_class_name {
        errors.push(FieldError::invalid(
            &Path::new("storageClassName"),
            &new.storage_class_name,
            IMMUTABLE,
        ));
    }
    errors
}

/// Mistakes in a PriorityClass, its name included.
pub fn priority_class(own: &PriorityClass) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let name = text(&own.metadata.name);
    if name.starts_with(SYSTEM_PREFIX) {
        let is_known =
            SYSTEM_PRIORITY_CLASSES.contains(&(name, own.value)) && own.global_default != Some(true);
        if !is_known {
            let detail = format!(
                "priority class names with '{SYSTEM_PREFIX}' prefix are reserved for system use only. error: {name} is \
                 not a known system priority class"
            );
            errors.push(FieldError::forbidden(
                &Path::new("metadata").child("name"),
                detail,
            ));
        }
    } else if own.value > HIGHEST_USER_PRIORITY {
        let detail = format!("maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}");
        errors.push(FieldError::forbidden(&Path::new("value"), detail));
    }
    one_of_or_none(
        &mut errors,
        &Path::root(),
        "preemptionPolicy",
        &own.preemption_policy,
        PREEMPTION_POLICIES,
    );
    errors
}

/// Mistakes in the change of a PriorityClass: pods carry its value.
pub fn priority_class_update(new: &PriorityClass, old: &PriorityClass) -> Vec<FieldError> {
    let mut errors = priority_class(new);
    if new.value != old.value {
        errors.push(FieldError::forbidden(
            &Path::new("value"),
            "may not be changed in an update.",
        ));
    }
    if new.preemption_policy != old.preemption_policy {
        let shown = text(&new.preemption_policy);
        errors.push(FieldError::invalid(
            &Path::new("preemptionPolicy"),
            shown,
            IMMUTABLE,
        ));
    }
    errors
}

/// Mistakes in a RuntimeClass, outside its metadata.
pub fn runtime_class(own: &RuntimeClass) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let messages = names::label(&own.handler);
    form(&mut errors, &Path::root(), "handler", &own.handler, messages);
    if let Some(fixed) = own.overhead.as_ref().and_then(|own| own.pod_fixed.as_ref()) {
        amounts(&mut errors, fixed, &Path::new("overhead").child("podFixed"));
    }
    if let Some(labels) = own.scheduling.as_ref().and_then(|own| own.node_selector.as_ref()) {
        let path = Path::new("scheduling").child("nodeSelector");
        errors.extend(super::labels(labels, &path));
    }
    errors
}

/// Mistakes in the change of a RuntimeClass: its handler stands for ever.
pub fn runtime_class_update(new: &RuntimeClass, old: &RuntimeClass) -> Vec<FieldError> {
    let mut errors = runtime_class(new);
    if new.handler != old.handler {
        errors.push(FieldError::invalid(
            &Path::new("handler"),
            &new.handler,
            IMMUTABLE,
        ));
    }
    errors
}
