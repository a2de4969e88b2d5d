//! CronJobs.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::deployment::Template;
use super::{AGE, Column, NAME, Printer, Selector, format, since};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Schedule", "When Jobs are created."),
        Column::text("Timezone", "Whose clock the schedule means."),
        Column {
            kind: "boolean",
            ..Column::text("Suspend", "Whether no Jobs are created for now.")
        },
        Column::number("Active", "Jobs that run now."),
        Column::text("Last Schedule", "Time since a Job was created last."),
        AGE,
        Column::text("Containers", "Names of the template's containers.").wide(),
        Column::text("Images", "Images of the template's containers.").wide(),
        Column::text("Selector", "Which pods belong to its Jobs.").wide(),
    ],
    cells: |json, now| {
        let View {
            metadata,
            spec,
            status,
        } = serde_json::from_slice(json)?;
        let job = &spec.job_template.spec;
        let (names, images) = format::containers(&job.template.spec.containers);
        let last = status.last_schedule_time.as_deref();
        Ok(vec![
            metadata.name.as_str().into(),
            spec.schedule.as_str().into(),
            spec.time_zone.as_deref().unwrap_or("<none>").into(),
            if spec.suspend { "True" } else { "False" }.into(),
            i64::try_from(status.active.len()).unwrap_or(i64::MAX).into(),
            last.map_or_else(|| "<none>".to_owned(), |last| since(Some(last), now))
                .into(),
            metadata.age(now).into(),
            names.into(),
            images.into(),
            job.selector
                .as_ref()
                .map_or_else(|| "<none>".to_owned(), format::selector)
                .into(),
        ])
    },
};

type View = super::View<Spec, Status>;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    schedule: String,
    time_zone: Option<String>,
    suspend: bool,
    job_template: JobTemplate,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JobTemplate {
    spec: Job,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Job {
    selector: Option<Selector>,
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    active: Vec<IgnoredAny>,
    last_schedule_time: Option<String>,
}
