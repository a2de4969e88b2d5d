//! What `kubectl get` shows: the columns of each kind and the cells of each object.
//!
//! A kind's file names its columns and reads from the object's JSON only the fields that the cells need. Columns,
//! their order and their wording are upstream's, because people and scripts read them.

use std::collections::BTreeMap;

use coracle_api::{Resource, time};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod admission;
mod classes;
mod component_status;
mod config_map;
mod controller_revision;
mod cron_job;
mod custom;
mod daemon_set;
mod deployment;
mod duration;
mod endpoints;
mod event;
mod extensions;
mod format;
mod horizontal_pod_autoscaler;
mod job;
mod lease;
mod limit_range;
mod metrics;
mod namespace;
mod networking;
mod node;
mod persistent_volume;
mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
mod pod_template;
mod rbac;
mod replica_set;
mod replication_controller;
mod resource_quota;
mod scale;
mod secret;
mod service;
mod service_account;
mod stateful_set;
#[cfg(test)]
mod tests;
mod typed;

/// How the objects of one kind are shown.
pub(crate) struct Printer {
    /// The columns, in order.
    pub(crate) columns: &'static [Column],
    /// A cell for every column.
    pub(crate) cells: fn(json: &[u8], now: Timestamp) -> Result<Vec<Cell>, serde_json::Error>,
}

/// How objects are shown: by a file here, or as their definition says.
pub(crate) enum Table {
    /// Of a built-in kind.
    BuiltIn(&'static Printer),
    /// Of a custom one.
    Custom(custom::CustomTable),
}

impl Table {
    /// How the objects of `resource`, or a subresource of them, are shown.
    pub(crate) fn of(resource: &Resource, subresource: &str) -> Self {
        let custom = Some(resource)
            .filter(|_| subresource != "scale")
            .and_then(custom::CustomTable::of);
        custom.map_or_else(|| Self::BuiltIn(printer(resource, subresource)), Self::Custom)
    }

    /// Writes the columns.
    pub(crate) fn columns(&self) -> serde_json::Value {
        match self {
            Self::BuiltIn(printer) => serde_json::json!(printer.columns),
            Self::Custom(table) => table.columns(),
        }
    }

    /// The cells of an object.
    pub(crate) fn cells(&self, json: &[u8], now: Timestamp) -> Result<Vec<Cell>, serde_json::Error> {
        match self {
            Self::BuiltIn(printer) => (printer.cells)(json, now),
            Self::Custom(table) => table.cells(json, now),
        }
    }

    /// How many columns there are.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::BuiltIn(printer) => printer.columns.len(),
            Self::Custom(table) => table.width(),
        }
    }
}

/// One column, as `columnDefinitions` tells it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Column {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    format: &'static str,
    description: &'static str,
    priority: u8,
}

impl Column {
    const fn text(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            kind: "string",
            format: "",
            description,
            priority: 0,
        }
    }

    const fn number(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            kind: "integer",
            format: "",
            description,
            priority: 0,
        }
    }

    const fn flag(name: &'static str, description: &'static str) -> Self {
        Self {
            kind: "boolean",
            ..Self::text(name, description)
        }
    }

    /// Shown by `-o wide` only.
    const fn wide(self) -> Self {
        Self { priority: 1, ..self }
    }
}

const NAME: Column = Column {
    format: "name",
    ..Column::text("Name", "Unique within its namespace and kind.")
};
const AGE: Column = Column::text("Age", "Time since the object was created.");

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    /// As it is shown.
    Text(String),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A number that need not be whole.
    Float(f64),
    /// Nothing.
    Empty,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// How the objects of `resource`, or a subresource of them, are shown: by name and age, where there is no file here.
fn printer(resource: &Resource, subresource: &str) -> &'static Printer {
    if subresource == "scale" {
        return &scale::PRINTER;
    }
    match (resource.group, resource.plural) {
        ("", "endpoints") => &endpoints::PRINTER,
        ("", "limitranges") => &limit_range::PRINTER,
        ("", "podtemplates") => &pod_template::PRINTER,
        ("", "replicationcontrollers") => &replication_controller::PRINTER,
        ("", "resourcequotas") => &resource_quota::PRINTER,
        ("apps", "controllerrevisions") => &controller_revision::PRINTER,
        ("apps", "daemonsets") => &daemon_set::PRINTER,
        ("apps", "statefulsets") => &stateful_set::PRINTER,
        ("autoscaling", "horizontalpodautoscalers") if resource.version == "v1" => {
            &horizontal_pod_autoscaler::PRINTER_V1
        }
        ("autoscaling", "horizontalpodautoscalers") => &horizontal_pod_autoscaler::PRINTER,
        ("batch", "cronjobs") => &cron_job::PRINTER,
        ("batch", "jobs") => &job::PRINTER,
        ("policy", "poddisruptionbudgets") => &pod_disruption_budget::PRINTER,
        ("", "configmaps") => &config_map::PRINTER,
        ("", "events") => &event::PRINTER,
        ("", "namespaces") => &namespace::PRINTER,
        ("", "nodes") => &node::PRINTER,
        ("", "persistentvolumeclaims") => &persistent_volume_claim::PRINTER,
        ("", "persistentvolumes") => &persistent_volume::PRINTER,
        ("", "pods") => &pod::PRINTER,
        ("", "secrets") => &secret::PRINTER,
        ("", "serviceaccounts") => &service_account::PRINTER,
        ("", "services") => &service::PRINTER,
        ("apps", "deployments") => &deployment::PRINTER,
        ("apps", "replicasets") => &replica_set::PRINTER,
        ("", "componentstatuses") => &component_status::PRINTER,
        ("coordination.k8s.io", "leases") => &lease::PRINTER,
        _ => around(resource),
    }
}

/// The kinds around the workloads.
fn around(resource: &Resource) -> &'static Printer {
    match (resource.group, resource.plural) {
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations") => &admission::MUTATING_WEBHOOKS,
        ("admissionregistration.k8s.io", "validatingadmissionpolicies") => &admission::POLICY,
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings") => &admission::POLICY_BINDING,
        ("admissionregistration.k8s.io", "validatingwebhookconfigurations") => {
            &admission::VALIDATING_WEBHOOKS
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") => &extensions::CUSTOM_RESOURCE_DEFINITION,
        ("apiregistration.k8s.io", "apiservices") => &extensions::API_SERVICE,
        ("certificates.k8s.io", "certificatesigningrequests") => &admission::CERTIFICATE_SIGNING_REQUEST,
        ("events.k8s.io", "events") => &event::PRINTER,
        ("discovery.k8s.io", "endpointslices") => &networking::ENDPOINT_SLICE,
        ("flowcontrol.apiserver.k8s.io", "flowschemas") => &extensions::FLOW_SCHEMA,
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations") => &extensions::PRIORITY_LEVEL,
        ("metrics.k8s.io", "nodes") => &metrics::NODE,
        ("metrics.k8s.io", "pods") => &metrics::POD,
        ("networking.k8s.io", "ingressclasses") => &networking::INGRESS_CLASS,
        ("networking.k8s.io", "ingresses") => &networking::INGRESS,
        ("networking.k8s.io", "networkpolicies") => &networking::NETWORK_POLICY,
        ("node.k8s.io", "runtimeclasses") => &classes::RUNTIME_CLASS,
        ("rbac.authorization.k8s.io", "clusterrolebindings") => &rbac::CLUSTER_ROLE_BINDING,
        ("rbac.authorization.k8s.io", "clusterroles") => &rbac::CLUSTER_ROLE,
        ("rbac.authorization.k8s.io", "rolebindings") => &rbac::ROLE_BINDING,
        ("rbac.authorization.k8s.io", "roles") => &rbac::ROLE,
        ("scheduling.k8s.io", "priorityclasses") => &classes::PRIORITY_CLASS,
        ("storage.k8s.io", "csidrivers") => &classes::CSI_DRIVER,
        ("storage.k8s.io", "csinodes") => &classes::CSI_NODE,
        ("storage.k8s.io", "csistoragecapacities") => &classes::CSI_STORAGE_CAPACITY,
        ("storage.k8s.io", "storageclasses") => &classes::STORAGE_CLASS,
        ("storage.k8s.io", "volumeattachments") => &classes::VOLUME_ATTACHMENT,
        _ => &PLAIN,
    }
}

static PLAIN: Printer = Printer {
    columns: &[NAME, AGE],
    cells: |json, now| {
        let object: Plain = serde_json::from_slice(json)?;
        Ok(vec![
            object.metadata.name.as_str().into(),
            object.metadata.age(now).into(),
        ])
    },
};

#[derive(Deserialize)]
struct Plain {
    metadata: Metadata,
}

/// What cells are made of: some of the metadata, and of spec and status what the kind's file reads.
#[derive(Deserialize)]
#[serde(bound(deserialize = "Spec: Deserialize<'de> + Default, Status: Deserialize<'de> + Default"))]
struct View<Spec, Status> {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

/// What cells are made of, of any object's metadata.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

impl Metadata {
    fn age(&self, now: Timestamp) -> String {
        since(self.creation_timestamp.as_deref(), now)
    }
}

/// A label selector of the API, shown as text.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Selector {
    match_labels: BTreeMap<String, String>,
    match_expressions: Vec<Requirement>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Requirement {
    key: String,
    operator: String,
    values: Vec<String>,
}

/// The time since an API time: `5m`, or `<unknown>` where it is not set.
fn since(text: Option<&str>, now: Timestamp) -> String {
    match text.and_then(time::parse) {
        Some(then) => duration::human(time::seconds_between(then, now)),
        None => "<unknown>".to_owned(),
    }
}

/// The text, or what stands for its absence.
fn or_else(text: &str, absent: &str) -> Cell {
    if text.is_empty() {
        absent.into()
    } else {
        text.into()
    }
}
