//! What the controllers keep of each object: small projections, read straight from the JSON and shared by all of
//! them. A pod takes about 400 bytes.

mod autoscaler;
mod claim;
mod condition;
mod cron_job;
mod daemon_set;
mod deployment;
mod disruption_budget;
mod endpoints;
mod intern;
mod job;
mod meta;
mod node;
mod object;
mod placement;
mod pod;
mod pod_job;
mod replica_set;
mod replication_controller;
mod revision;
mod rolling;
mod service;
mod small;
mod stateful_set;
mod template;

pub(crate) use autoscaler::{Autoscaler, AutoscalerStatus};
pub(crate) use claim::{Claim, Volume};
pub(crate) use condition::Condition;
pub(crate) use cron_job::{ActiveJob, ConcurrencyPolicy, CronJob};
pub(crate) use daemon_set::{DaemonSet, DaemonSetStatus, DaemonUpdate};
pub(crate) use deployment::{Deployment, DeploymentStatus, Strategy};
pub(crate) use disruption_budget::{DisruptionBudget, DisruptionBudgetStatus};
pub(crate) use endpoints::{
    Address, Conditions, Endpoint, EndpointPort, EndpointSlice, Endpoints, Hints, Subset, TargetRef, Zone,
};
pub(crate) use job::{Job, JobStatus, SCHEDULED_AT, Uncounted};
pub(crate) use meta::{HasMeta, Meta, Owner, Selects};
pub(crate) use node::{Node, Taint};
pub(crate) use placement::Placement;
pub(crate) use pod::{DISRUPTION_TARGET, Phase, Pod, Toleration, ephemeral_claim};
pub(crate) use pod_job::{FAILURES, IGNORED, INDEX, PodOfJob, TRACKING};
pub(crate) use replica_set::{ReplicaSet, ReplicaSetStatus};
pub(crate) use replication_controller::ReplicationController;
pub(crate) use revision::Revision;
pub(crate) use rolling::IntOrString;
pub(crate) use service::{Service, ServicePort, TargetPort};
pub(crate) use small::{Bare, Namespace};
pub(crate) use stateful_set::{ClaimTemplate, StatefulSet, StatefulSetStatus, Update};
pub(crate) use template::Template;

macro_rules! has_meta {
    ($($kind:ident)*) => {
        $(impl HasMeta for $kind {
            fn meta(&self) -> &Meta {
                &self.meta
            }
        })*
    };
}

macro_rules! selects {
    ($($kind:ident)*) => {
        $(impl Selects for $kind {
            fn selector(&self) -> &coracle_api::LabelSelector {
                &self.selector
            }
        })*
    };
}

has_meta! {
    Autoscaler Bare Claim CronJob DaemonSet Deployment DisruptionBudget EndpointSlice Endpoints Job Namespace Node Pod
    ReplicaSet Revision Service StatefulSet Volume
}
selects! { DaemonSet Deployment Job ReplicaSet StatefulSet }

impl HasMeta for ReplicationController {
    fn meta(&self) -> &Meta {
        self.set.meta()
    }
}

impl Selects for ReplicationController {
    fn selector(&self) -> &coracle_api::LabelSelector {
        self.set.selector()
    }
}
