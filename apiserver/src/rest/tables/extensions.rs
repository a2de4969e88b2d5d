//! CustomResourceDefinitions, APIServices and the kinds of flow control.

use coracle_api::object::BuiltIn;
use k8s_openapi::api::flowcontrol::v1::{
    FlowSchema, FlowSchemaStatus, PriorityLevelConfiguration, QueuingConfiguration,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{APIService, APIServiceStatus};

use super::{AGE, Cell, Column, NAME, Printer, typed};

pub(super) static CUSTOM_RESOURCE_DEFINITION: Printer = Printer {
    columns: &[NAME, Column::text("Created At", "When it was made.")],
    cells: |json, _| {
        let own = CustomResourceDefinition::parse(json)?;
        Ok(vec![typed::name(&own.metadata), typed::created_at(&own.metadata)])
    },
};

pub(super) static API_SERVICE: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Service", "Who serves it."),
        Column::text("Available", "Whether it answers."),
        AGE,
    ],
    cells: |json, now| {
        let own = APIService::parse(json)?;
        let service = own.spec.and_then(|spec| spec.service).map(|own| {
            let [namespace, name] = [own.namespace, own.name].map(Option::unwrap_or_default);
            format!("{namespace}/{name}")
        });
        Ok(vec![
            typed::name(&own.metadata),
            typed::text(service.as_ref(), "Local"),
            available(&own.status.unwrap_or_default()),
            typed::age(&own.metadata, now),
        ])
    },
};

fn available(status: &APIServiceStatus) -> Cell {
    let mut conditions = status.conditions.iter().flatten();
    match conditions.find(|condition| condition.type_ == "Available") {
        None => "Unknown".into(),
        Some(condition) if condition.status == "True" => "True".into(),
        Some(condition) => {
            let reason = condition.reason.as_deref().unwrap_or_default();
            format!("{} ({reason})", condition.status).into()
        }
    }
}

pub(super) static FLOW_SCHEMA: Printer = Printer {
    columns: &[
        NAME,
        Column::text("PriorityLevel", "The level that its requests have."),
        Column::number("MatchingPrecedence", "Its place among the others, lower first."),
        Column::text("DistinguisherMethod", "What tells its flows apart."),
        AGE,
        Column::text("MissingPL", "Whether the level is missing."),
    ],
    cells: |json, now| {
        let own = FlowSchema::parse(json)?;
        let spec = own.spec.unwrap_or_default();
        let method = spec.distinguisher_method.map(|own| own.type_);
        Ok(vec![
            typed::name(&own.metadata),
            spec.priority_level_configuration.name.into(),
            i64::from(spec.matching_precedence.unwrap_or(0)).into(),
            typed::text(method.as_ref(), "<none>"),
            typed::age(&own.metadata, now),
            missing(&own.status.unwrap_or_default()),
        ])
    },
};

fn missing(status: &FlowSchemaStatus) -> Cell {
    let mut conditions = status.conditions.iter().flatten();
    let dangling = conditions.find(|condition| condition.type_.as_deref() == Some("Dangling"));
    typed::text(dangling.and_then(|condition| condition.status.as_ref()), "?")
}

pub(super) static PRIORITY_LEVEL: Printer = Printer {
    columns: &[
        NAME,
        Column::text("Type", "Limited or Exempt."),
        Column::text("NominalConcurrencyShares", "Its share of what runs at a time."),
        Column::text("Queues", "How many queues it has."),
        Column::text("HandSize", "How many of them a flow may use."),
        Column::text("QueueLengthLimit", "How long each may become."),
        AGE,
    ],
    cells: |json, now| {
        let own = PriorityLevelConfiguration::parse(json)?;
        let spec = own.spec.unwrap_or_default();
        let limited = spec.limited.as_ref();
        let shares = limited
            .and_then(|own| own.nominal_concurrency_shares)
            .or_else(|| {
                spec.exempt
                    .as_ref()
                    .and_then(|own| own.nominal_concurrency_shares)
            });
        let response = limited.and_then(|own| own.limit_response.as_ref());
        let queuing = response.and_then(|own| own.queuing.as_ref());
        let of = |field: fn(&QueuingConfiguration) -> Option<i32>| number(queuing.and_then(field));
        Ok(vec![
            typed::name(&own.metadata),
            spec.type_.as_str().into(),
            number(shares),
            of(|own| own.queues),
            of(|own| own.hand_size),
            of(|own| own.queue_length_limit),
            typed::age(&own.metadata, now),
        ])
    },
};

fn number(value: Option<i32>) -> Cell {
    value.map_or("<none>".into(), |value| value.to_string().into())
}
