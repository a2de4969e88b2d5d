//! Jobs.

use coracle_api::time;
use jiff::Timestamp;
use serde::Deserialize;

use super::deployment::Template;
use super::{AGE, Column, NAME, Printer, Selector, duration, format};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Status", "What has become of it."),
        Column::text("Completions", "Pods that succeeded, of those wanted."),
        Column::text("Duration", "How long it took, or has taken."),
        AGE,
        Column::text("Containers", "Names of the template's containers.").wide(),
        Column::text("Images", "Images of the template's containers.").wide(),
        Column::text("Selector", "Which pods belong to the Job.").wide(),
    ],
    cells: |json, now| {
        let job: View = serde_json::from_slice(json)?;
        let (names, images) = format::containers(&job.spec.template.spec.containers);
        let selector = job.spec.selector.as_ref();
        Ok(vec![
            job.metadata.name.as_str().into(),
            job.state().into(),
            job.completions().into(),
            job.duration(now).into(),
            job.metadata.age(now).into(),
            names.into(),
            images.into(),
            selector
                .map_or_else(|| "<none>".to_owned(), format::selector)
                .into(),
        ])
    },
};

type View = super::View<Spec, Status>;

impl View {
    fn has(&self, condition: &str) -> bool {
        let conditions = &self.status.conditions;
        conditions
            .iter()
            .any(|own| own.kind == condition && own.status == "True")
    }

    fn state(&self) -> &'static str {
        let is_ending = self.metadata.deletion_timestamp.is_some();
        match () {
            () if self.has("Complete") => "Complete",
            () if self.has("Failed") => "Failed",
            () if is_ending => "Terminating",
            () if self.has("Suspended") => "Suspended",
            () if self.has("FailureTarget") => "FailureTarget",
            () if self.has("SuccessCriteriaMet") => "SuccessCriteriaMet",
            () => "Running",
        }
    }

    fn completions(&self) -> String {
        let succeeded = self.status.succeeded;
        match (self.spec.completions, self.spec.parallelism) {
            (Some(wanted), _) => format!("{succeeded}/{wanted}"),
            (None, Some(parallel)) if parallel > 1 => format!("{succeeded}/1 of {parallel}"),
            (None, _) => format!("{succeeded}/1"),
        }
    }

    fn duration(&self, now: Timestamp) -> String {
        let parse = |text: &Option<String>| text.as_deref().and_then(time::parse);
        let Some(start) = parse(&self.status.start_time) else {
            return String::new();
        };
        let end = parse(&self.status.completion_time).unwrap_or(now);
        duration::human(time::seconds_between(start, end))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Spec {
    completions: Option<i64>,
    parallelism: Option<i64>,
    selector: Option<Selector>,
    template: Template,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    succeeded: i64,
    start_time: Option<String>,
    completion_time: Option<String>,
    conditions: Vec<Condition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}
