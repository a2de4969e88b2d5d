//! CronJobs: a status of their own and a generation that counts changes of the spec.

use coracle_api::{Resource, kinds};
use k8s_openapi::api::batch::v1::{CronJob, CronJobStatus};

use super::Strategy;

pub(super) struct CronJobStrategy;

impl Strategy for CronJobStrategy {
    type Kind = CronJob;

    fn resource(&self) -> &'static Resource {
        kinds::CRON_JOB
    }

    fn prepare_create(&self, object: &mut CronJob) {
        object.status = Some(CronJobStatus::default());
    }

    fn prepare_update(&self, new: &mut CronJob, old: &CronJob) {
        new.status.clone_from(&old.status);
    }

    fn prepare_status_update(&self, new: &mut CronJob, old: &CronJob) {
        new.spec.clone_from(&old.spec);
    }

    fn is_spec_changed(&self, new: &CronJob, old: &CronJob) -> Option<bool> {
        Some(new.spec != old.spec)
    }
}
