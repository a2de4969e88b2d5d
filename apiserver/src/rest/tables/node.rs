//! Nodes.

use serde::Deserialize;

use super::{AGE, Column, Metadata, NAME, Printer, format, or_else};

/// What marks a role: `node-role.kubernetes.io/worker`.
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
/// The older form, whose value is the role.
const ROLE_LABEL: &str = "kubernetes.io/role";

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Status", "Whether the node is ready, and whether it takes pods."),
        Column::text("Roles", "Its roles, from its labels."),
        AGE,
        Column::text("Version", "Version of the node's agent."),
        Column::text("Internal-IP", "Its address within the cluster.").wide(),
        Column::text("External-IP", "Its address from outside.").wide(),
        Column::text("OS-Image", "What the node says it runs.").wide(),
        Column::text("Kernel-Version", "The kernel that the node reports.").wide(),
        Column::text("Container-Runtime", "The runtime and its version.").wide(),
    ],
    cells: |json, now| {
        let View {
            metadata,
            spec,
            status,
        } = serde_json::from_slice(json)?;
        let info = &status.node_info;
        let address = |kind: &str| {
            let found = status.addresses.iter().find(|address| address.kind == kind);
            or_else(found.map_or("", |found| &found.address), "<none>")
        };
        Ok(vec![
            metadata.name.as_str().into(),
            state(&spec, &status).into(),
            roles(&metadata).into(),
            metadata.age(now).into(),
            info.kubelet_version.as_str().into(),
            address("InternalIP"),
            address("ExternalIP"),
            or_else(&info.os_image, "<unknown>"),
            or_else(&info.kernel_version, "<unknown>"),
            or_else(&info.container_runtime_version, "<unknown>"),
        ])
    },
};

fn state(spec: &Spec, status: &Status) -> String {
    let ready = status
        .conditions
        .iter()
        .find(|condition| condition.kind == "Ready");
    let mut text = match ready {
        Some(condition) if condition.status == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if spec.unschedulable {
        text.push_str(",SchedulingDisabled");
    }
    text
}

fn roles(metadata: &Metadata) -> String {
    let mut roles: Vec<String> = metadata
        .labels
        .iter()
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role.to_owned()),
            None => (key == ROLE_LABEL).then(|| value.clone()),
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort();
    roles.dedup();
    format::list(&roles)
}

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    unschedulable: bool,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    conditions: Vec<Condition>,
    addresses: Vec<Address>,
    node_info: NodeInfo,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct NodeInfo {
    kubelet_version: String,
    os_image: String,
    kernel_version: String,
    container_runtime_version: String,
}
