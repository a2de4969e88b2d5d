//! Jobs: a status of their own, a generation that counts changes of the spec, and a selector that is generated.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::batch::v1::{Job, JobStatus};

use super::{Field, Strategy};

const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";
const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// The names of these labels before they had a prefix; programs still read them.
const OLD_CONTROLLER_UID: &str = "controller-uid";
const OLD_JOB_NAME: &str = "job-name";

pub(super) struct JobStrategy;

impl Strategy for JobStrategy {
    type Kind = Job;

    fn resource(&self) -> &'static Resource {
        kinds::JOB
    }

    fn prepare_create(&self, object: &mut Job) {
        object.status = Some(JobStatus::default());
        generate_selector(object);
    }

    fn prepare_update(&self, new: &mut Job, old: &Job) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut Job, old: &Job) {
        new.spec.clone_from(&old.spec);
    }

    fn is_spec_changed(&self, new: &Job, old: &Job) -> Option<bool> {
        Some(new.spec != old.spec)
    }

    fn orphans_dependents(&self) -> bool {
        true
    }

    fn fields(&self, object: &Job) -> Vec<Field> {
        let succeeded = object.status.as_ref().and_then(|status| status.succeeded);
        vec![("status.successful", succeeded.unwrap_or(0).to_string())]
    }
}

/// Makes the Job select its own pods by its UID, unless somebody chose a selector. Labels that are there already stay:
/// validation refuses those that say something else.
fn generate_selector(job: &mut Job) {
    let spec = job.spec.get_or_insert_default();
    if spec.manual_selector == Some(true) {
        return;
    }
    let uid = job.metadata.uid.clone().unwrap_or_default();
    let name = job.metadata.name.clone().unwrap_or_default();
    let metadata = spec.template.metadata.get_or_insert_default();
    // A Job without labels of its own shares its template's, those that are generated included.
    let shares_labels = job.metadata.labels.is_none() || job.metadata.labels == metadata.labels;
    let labels = metadata.labels.get_or_insert_default();
    for (label, value) in [
        (CONTROLLER_UID, &uid),
        (JOB_NAME, &name),
        (OLD_CONTROLLER_UID, &uid),
        (OLD_JOB_NAME, &name),
    ] {
        labels.entry(label.to_owned()).or_insert_with(|| value.clone());
    }
    if shares_labels {
        job.metadata.labels = Some(labels.clone());
    }
    let selector = spec.selector.get_or_insert_default();
    let terms = selector.match_labels.get_or_insert_default();
    terms.insert(CONTROLLER_UID.to_owned(), uid);
}
