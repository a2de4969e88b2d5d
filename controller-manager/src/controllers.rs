//! The controllers, a folder each: `mod.rs` says what is watched and how it maps to keys, `plan.rs` thinks.

pub(crate) mod binder;
pub(crate) mod cron_job;
pub(crate) mod daemonset;
pub(crate) mod deployment;
pub(crate) mod disruption;
pub(crate) mod endpointslice;
pub(crate) mod ephemeral_volume;
pub(crate) mod garbage;
pub(crate) mod horizontal_pod_autoscaler;
pub(crate) mod job;
pub(crate) mod namespace;
pub(crate) mod node_ipam;
pub(crate) mod node_lifecycle;
pub(crate) mod pod_gc;
pub(crate) mod protection;
pub(crate) mod replicaset;
pub(crate) mod service_account;
pub(crate) mod statefulset;
pub(crate) mod taint_eviction;
pub(crate) mod token_cleaner;
pub(crate) mod ttl_after_finished;
