//! StorageClasses, what storage drivers publish, PriorityClasses and RuntimeClasses.

use coracle_api::object::BuiltIn;
use k8s_openapi::api::node::v1::RuntimeClass;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use k8s_openapi::api::storage::v1::{CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment};

use super::{AGE, Column, NAME, Printer, format, typed};

const DEFAULT_CLASS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];

pub(super) static STORAGE_CLASS: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Provisioner", "Who makes its volumes."),
        Column::text(
            "ReclaimPolicy",
            "What becomes of a volume when its claim is deleted.",
        ),
        Column::text("VolumeBindingMode", "When its volumes are made."),
        Column::flag("AllowVolumeExpansion", "Whether its volumes may grow."),
        AGE,
    ],
    cells: |json, now| {
        let own = StorageClass::parse(json)?;
        let mut name = own.metadata.name.clone().unwrap_or_default();
        let annotations = own.metadata.annotations.as_ref();
        let is_default = annotations.is_some_and(|all| {
            DEFAULT_CLASS
                .iter()
                .any(|key| all.get(*key).is_some_and(|value| value == "true"))
        });
        if is_default {
            name.push_str(" (default)");
        }
        Ok(vec![
            name.into(),
            own.provisioner.into(),
            typed::text(own.reclaim_policy.as_ref(), "Delete"),
            typed::text(own.volume_binding_mode.as_ref(), "Immediate"),
            own.allow_volume_expansion.unwrap_or(false).into(),
            typed::age(&own.metadata, now),
        ])
    },
};

pub(super) static VOLUME_ATTACHMENT: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Attacher", "The driver that attaches."),
        Column::text("PV", "The volume."),
        Column::text("Node", "The node."),
        Column::flag("Attached", "Whether it is attached."),
        AGE,
    ],
    cells: |json, now| {
        let own = VolumeAttachment::parse(json)?;
        Ok(vec![
            typed::name(&own.metadata),
            own.spec.attacher.into(),
            typed::text(own.spec.source.persistent_volume_name.as_ref(), ""),
            own.spec.node_name.into(),
            own.status.is_some_and(|status| status.attached).into(),
            typed::age(&own.metadata, now),
        ])
    },
};

pub(super) static CSI_DRIVER: Printer = Printer {
    columns: &[
        NAME,
        Column::flag("AttachRequired", "Whether volumes are attached to nodes."),
        Column::flag("PodInfoOnMount", "Whether the driver is told of the pod."),
        Column::flag("StorageCapacity", "Whether the driver publishes its capacity."),
        Column::text("TokenRequests", "Audiences of the tokens that the driver wants."),
        Column::flag(
            "RequiresRepublish",
            "Whether volumes are published again and again.",
        ),
        Column::text("Modes", "Lifecycles of its volumes."),
        AGE,
    ],
    cells: |json, now| {
        let CSIDriver { metadata, spec } = CSIDriver::parse(json)?;
        let audiences = spec.token_requests.into_iter().flatten().map(|own| own.audience);
        let audiences: Vec<String> = audiences.collect();
        Ok(vec![
            typed::name(&metadata),
            spec.attach_required.unwrap_or(true).into(),
            spec.pod_info_on_mount.unwrap_or(false).into(),
            spec.storage_capacity.unwrap_or(false).into(),
            super::or_else(&audiences.join(","), "<unset>"),
            spec.requires_republish.unwrap_or(false).into(),
            format::list(&spec.volume_lifecycle_modes.unwrap_or_default()).into(),
            typed::age(&metadata, now),
        ])
    },
};

pub(super) static CSI_NODE: Printer = Printer {
    columns: &[NAME, Column::number("Drivers", "How many drivers it has."), AGE],
    cells: |json, now| {
        let own = CSINode::parse(json)?;
        Ok(vec![
            typed::name(&own.metadata),
            typed::count(Some(&own.spec.drivers)),
            typed::age(&own.metadata, now),
        ])
    },
};

pub(super) static CSI_STORAGE_CAPACITY: Printer = Printer {
    columns: &[
        NAME,
        Column::text("StorageClassName", "The class that it holds for."),
        Column::text("Capacity", "How much can be provided."),
    ],
    cells: |json, _| {
        let own = CSIStorageCapacity::parse(json)?;
        Ok(vec![
            typed::name(&own.metadata),
            own.storage_class_name.into(),
            own.capacity.map_or("<unset>".into(), |size| size.0.into()),
        ])
    },
};

pub(super) static PRIORITY_CLASS: Printer = Printer {
    columns: &[
        NAME,
        Column::number("Value", "The priority."),
        Column::flag("Global-Default", "Whether pods without a class have it."),
        AGE,
        Column::text("PreemptionPolicy", "Whether its pods drive out others."),
    ],
    cells: |json, now| {
        let own = PriorityClass::parse(json)?;
        Ok(vec![
            typed::name(&own.metadata),
            i64::from(own.value).into(),
            own.global_default.unwrap_or(false).into(),
            typed::age(&own.metadata, now),
            typed::text(own.preemption_policy.as_ref(), "<none>"),
        ])
    },
};

pub(super) static RUNTIME_CLASS: Printer = Printer {
    columns: &[NAME, Column::text("Handler", "The runtime that it names."), AGE],
    cells: |json, now| {
        let own = RuntimeClass::parse(json)?;
        Ok(vec![
            typed::name(&own.metadata),
            own.handler.into(),
            typed::age(&own.metadata, now),
        ])
    },
};
