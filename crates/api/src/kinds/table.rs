//! The rows, a file for every API group. Names, verbs, short names and subresources are those that discovery of
//! Kubernetes 1.33 answers; a subresource that nothing serves yet is left out, because clients act on what discovery
//! promises.

use super::{ALL_VERBS, Resource, StoredAs, Subresource};

mod admission_registration;
mod apps;
mod autoscaling;
mod batch;
mod certificates;
mod coordination;
mod core;
mod discovery;
mod events;
mod extensions;
mod flow_control;
mod metrics;
mod networking;
mod node;
mod pods;
mod policy;
mod rbac;
mod reviews;
mod scheduling;
mod storage;

pub use self::{
    admission_registration::*, apps::*, autoscaling::*, batch::*, certificates::*, coordination::*, core::*,
    discovery::*, events::*, extensions::*, flow_control::*, metrics::*, networking::*, node::*, pods::*,
    policy::*, rbac::*, reviews::*, scheduling::*, storage::*,
};

/// Makes the list of rows and numbers them.
macro_rules! rows {
    ($($row:ident,)*) => {
        /// Every built-in resource, in the order in which they should be created: what others need comes first. Of two
        /// versions of one kind the preferred one comes first.
        pub static RESOURCES: &[&Resource] = &[$($row,)*];

        /// The places of the rows in [`RESOURCES`], which each row carries.
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "places are named as their rows are")]
        enum Place { $($row,)* }
    };
}

rows! {
    NAMESPACE,
    CUSTOM_RESOURCE_DEFINITION,
    API_SERVICE,
    PRIORITY_LEVEL_CONFIGURATION,
    FLOW_SCHEMA,
    PRIORITY_CLASS,
    RUNTIME_CLASS,
    STORAGE_CLASS,
    CSI_DRIVER,
    INGRESS_CLASS,
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
    CERTIFICATE_SIGNING_REQUEST,
    NODE,
    CSI_NODE,
    PERSISTENT_VOLUME,
    VOLUME_ATTACHMENT,
    CSI_STORAGE_CAPACITY,
    NETWORK_POLICY,
    SERVICE_ACCOUNT,
    SECRET,
    CONFIG_MAP,
    LIMIT_RANGE,
    RESOURCE_QUOTA,
    PERSISTENT_VOLUME_CLAIM,
    SERVICE,
    ENDPOINT_SLICE,
    ENDPOINTS,
    POD_DISRUPTION_BUDGET,
    POD_TEMPLATE,
    POD,
    BINDING,
    REPLICATION_CONTROLLER,
    CONTROLLER_REVISION,
    DAEMON_SET,
    REPLICA_SET,
    DEPLOYMENT,
    INGRESS,
    STATEFUL_SET,
    JOB,
    CRON_JOB,
    HORIZONTAL_POD_AUTOSCALER,
    HORIZONTAL_POD_AUTOSCALER_V1,
    LEASE,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
    EVENT,
    EVENTS_EVENT,
    COMPONENT_STATUS,
    NODE_METRICS,
    POD_METRICS,
    TOKEN_REVIEW,
    SELF_SUBJECT_REVIEW,
    SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_ACCESS_REVIEW,
    LOCAL_SUBJECT_ACCESS_REVIEW,
    SELF_SUBJECT_RULES_REVIEW,
}

const META_FIELDS: &[&str] = &["metadata.name", "metadata.namespace"];
const CLUSTER_FIELDS: &[&str] = &["metadata.name"];
const PROXY_VERBS: &[&str] = &["create", "delete", "get", "patch", "update"];
const READ_WRITE: &[&str] = &["get", "patch", "update"];

const fn own(name: &'static str, kind: &'static str, verbs: &'static [&'static str]) -> Subresource {
    Subresource {
        name,
        group: "",
        version: "",
        kind,
        verbs,
    }
}

const SCALE: Subresource = Subresource {
    name: "scale",
    group: "autoscaling",
    version: "v1",
    kind: "Scale",
    verbs: READ_WRITE,
};
