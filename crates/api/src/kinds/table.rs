//! The rows, a file for every API group. Names, verbs, short names and subresources are those that discovery of
//! Kubernetes 1.33 answers; a subresource that nothing serves yet is left out, because clients act on what discovery
//! promises.

use super::{ALL_VERBS, Resource, Subresource};

mod apps;
mod coordination;
mod core;
mod pods;

pub use self::{apps::*, coordination::*, core::*, pods::*};

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
}

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
