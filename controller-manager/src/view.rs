//! What the controllers keep of each object: small projections, read straight from the JSON and shared by all of
//! them. A pod takes about 400 bytes.

mod autoscaler;
mod claim;
mod cron_job;
mod daemon_set;
mod deployment;
mod disruption_budget;
mod endpoints;
mod intern;
mod job;
mod meta;
mod node;
mod placement;
mod pod;
mod pod_job;
mod replica_set;
mod replication_controller;
mod revision;
mod service;
mod small;
mod stateful_set;
mod template;

pub(crate) use autoscaler::{Autoscaler, AutoscalerStatus};
pub(crate) use claim::{Claim, Volume};
pub(crate) use cron_job::{ActiveJob, ConcurrencyPolicy, CronJob};
pub(crate) use daemon_set::{DaemonSet, DaemonSetStatus, DaemonUpdate};
pub(crate) use deployment::{Condition, Deployment, DeploymentStatus, IntOrString, Strategy};
pub(crate) use disruption_budget::{DisruptionBudget, DisruptionBudgetStatus};
pub(crate) use endpoints::{
    Address, Conditions, Endpoint, EndpointPort, EndpointSlice, Endpoints, Hints, Subset, TargetRef, Zone,
};
pub(crate) use job::{Job, JobStatus, SCHEDULED_AT, Uncounted};
pub(crate) use meta::{HasMeta, Meta, Owner, Selects};
pub(crate) use node::{Lease, Node, Taint};
pub(crate) use placement::Placement;
pub(crate) use pod::{Phase, Pod, Toleration};
pub(crate) use pod_job::{FAILURES, IGNORED, INDEX, PodOfJob, TRACKING};
pub(crate) use replica_set::{ReplicaSet, ReplicaSetStatus};
pub(crate) use replication_controller::ReplicationController;
pub(crate) use revision::Revision;
pub(crate) use service::{Service, ServicePort, TargetPort};
pub(crate) use small::{Bare, Namespace};
pub(crate) use stateful_set::{ClaimTemplate, StatefulSet, StatefulSetStatus, Update};
pub(crate) use template::Template;
