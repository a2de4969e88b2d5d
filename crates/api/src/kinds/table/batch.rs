//! Rows of `batch`.

use k8s_openapi::api::batch::v1::{CronJob, Job};

use super::{ALL_VERBS, META_FIELDS, Place, READ_WRITE, Resource, own};
use crate::object::BuiltIn;

/// Jobs: pods that run until they are done.
pub static JOB: &Resource = &Resource {
    place: Place::JOB as usize,
    group: "batch",
    version: "v1",
    kind: "Job",
    plural: "jobs",
    singular: "job",
    short_names: &[],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "Job", READ_WRITE)],
    selectable_fields: &["metadata.name", "metadata.namespace", "status.successful"],
    store_prefix: "/batch/jobs/",
    api_version: "batch/v1",
    stored_as: None,
    decode: <Job as BuiltIn>::decode,
};

/// CronJobs: Jobs by the clock.
pub static CRON_JOB: &Resource = &Resource {
    place: Place::CRON_JOB as usize,
    group: "batch",
    version: "v1",
    kind: "CronJob",
    plural: "cronjobs",
    singular: "cronjob",
    short_names: &["cj"],
    categories: &["all"],
    namespaced: true,
    verbs: ALL_VERBS,
    subresources: &[own("status", "CronJob", READ_WRITE)],
    selectable_fields: META_FIELDS,
    store_prefix: "/batch/cronjobs/",
    api_version: "batch/v1",
    stored_as: None,
    decode: <CronJob as BuiltIn>::decode,
};
