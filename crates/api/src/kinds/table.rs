//! The rows, a file for every API group. Names, verbs, short names and subresources are those that discovery of
//! Kubernetes 1.33 answers; a subresource that nothing serves yet is left out, because clients act on what discovery
//! promises.

use super::{ALL_VERBS, Resource, Subresource};

mod apps;
mod coordination;
mod core;
mod pods;

pub use self::{apps::*, coordination::*, core::*, pods::*};

/// Every built-in resource, in the order in which they should be created: what others need comes first.
pub static RESOURCES: &[&Resource] = &[
    NAMESPACE,
    NODE,
    PERSISTENT_VOLUME,
    SERVICE_ACCOUNT,
    SECRET,
    CONFIG_MAP,
    PERSISTENT_VOLUME_CLAIM,
    SERVICE,
    POD,
    REPLICA_SET,
    DEPLOYMENT,
    LEASE,
    EVENT,
];

const META_FIELDS: &[&str] = &["metadata.name", "metadata.namespace"];
const CLUSTER_FIELDS: &[&str] = &["metadata.name"];
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
