//! ComponentStatuses: `kubectl get cs`.

use k8s_openapi::api::core::v1::ComponentStatus;

use super::{Column, NAME, Printer, typed};

pub(super) static PRINTER: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Status", "Status of the component conditions"),
        Column::text("Message", "Message of the component conditions"),
        Column::text("Error", "Error of the component conditions"),
    ],
    cells: |json, _| {
        let own: ComponentStatus = serde_json::from_slice(json)?;
        let healthy = own
            .conditions
            .into_iter()
            .flatten()
            .find(|own| own.type_ == "Healthy");
        let (status, message, error) = healthy.map_or_else(
            || ("Unknown", String::new(), String::new()),
            |own| {
                let status = if own.status == "True" {
                    "Healthy"
                } else {
                    "Unhealthy"
                };
                (
                    status,
                    own.message.unwrap_or_default(),
                    own.error.unwrap_or_default(),
                )
            },
        );
        Ok(vec![
            typed::name(&own.metadata),
            status.into(),
            message.into(),
            error.into(),
        ])
    },
};
