//! The types of bodies and the schemas that `k8s-openapi` has of them.

use coracle_api::schema::{Shape, builtin};
use k8s_openapi::api::{
    admissionregistration::v1 as admissionregistration, apps::v1 as apps,
    authentication::v1 as authentication, authorization::v1 as authorization, autoscaling::v1 as autoscaling,
    autoscaling::v2 as autoscaling_v2, batch::v1 as batch, certificates::v1 as certificates,
    coordination::v1 as coordination, core::v1 as core, discovery::v1 as discovery, events::v1 as events,
    flowcontrol::v1 as flowcontrol, networking::v1 as networking, node::v1 as node, policy::v1 as policy,
    rbac::v1 as rbac, scheduling::v1 as scheduling, storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions;
use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as apiregistration;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::Kind;
use super::complete::group_version_kind;

const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// A type of bodies.
struct Entry {
    api_version: &'static str,
    kind: &'static str,
    add: fn(&mut SchemaGenerator),
}

const fn entry<T: JsonSchema + k8s_openapi::Resource>() -> Entry {
    Entry {
        api_version: T::API_VERSION,
        kind: T::KIND,
        add: add::<T>,
    }
}

fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

macro_rules! entries {
    ($($body:ty,)*) => { &[$(entry::<$body>(),)*] };
}

/// Every type of bodies.
static ENTRIES: &[Entry] = entries![
    admissionregistration::MutatingWebhookConfiguration,
    admissionregistration::ValidatingAdmissionPolicy,
    admissionregistration::ValidatingAdmissionPolicyBinding,
    admissionregistration::ValidatingWebhookConfiguration,
    apiextensions::CustomResourceDefinition,
    apiregistration::APIService,
    apps::ControllerRevision,
    apps::DaemonSet,
    apps::Deployment,
    apps::ReplicaSet,
    apps::StatefulSet,
    authentication::SelfSubjectReview,
    authentication::TokenRequest,
    authentication::TokenReview,
    authorization::LocalSubjectAccessReview,
    authorization::SelfSubjectAccessReview,
    authorization::SelfSubjectRulesReview,
    authorization::SubjectAccessReview,
    autoscaling::HorizontalPodAutoscaler,
    autoscaling::Scale,
    autoscaling_v2::HorizontalPodAutoscaler,
    batch::CronJob,
    batch::Job,
    certificates::CertificateSigningRequest,
    coordination::Lease,
    core::Binding,
    core::ComponentStatus,
    core::ConfigMap,
    core::Endpoints,
    core::Event,
    core::LimitRange,
    core::Namespace,
    core::Node,
    core::PersistentVolume,
    core::PersistentVolumeClaim,
    core::Pod,
    core::PodTemplate,
    core::ReplicationController,
    core::ResourceQuota,
    core::Secret,
    core::Service,
    core::ServiceAccount,
    discovery::EndpointSlice,
    events::Event,
    flowcontrol::FlowSchema,
    flowcontrol::PriorityLevelConfiguration,
    networking::IPAddress,
    networking::Ingress,
    networking::IngressClass,
    networking::NetworkPolicy,
    networking::ServiceCIDR,
    node::RuntimeClass,
    policy::Eviction,
    policy::PodDisruptionBudget,
    rbac::ClusterRole,
    rbac::ClusterRoleBinding,
    rbac::Role,
    rbac::RoleBinding,
    scheduling::PriorityClass,
    storage::CSIDriver,
    storage::CSINode,
    storage::CSIStorageCapacity,
    storage::StorageClass,
    storage::VolumeAttachment,
];

/// The schema's name of a built-in kind.
pub(crate) fn name_of(api_version: &str, kind: &str) -> Option<&'static str> {
    match builtin(api_version, kind)?.shape() {
        Shape::Struct(of) => Some(&of.name),
        _ => None,
    }
}

/// The schemas of the kinds, of the bodies of their subresources, and of all that these are made of.
pub(crate) fn definitions(kinds: &[Kind]) -> Map<String, Value> {
    let mut generator = SchemaSettings::openapi3()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.transforms.clear();
        })
        .into_generator();
    // What every group speaks of.
    add::<meta::DeleteOptions>(&mut generator);
    add::<meta::ListMeta>(&mut generator);
    add::<meta::ObjectMeta>(&mut generator);
    add::<meta::Patch>(&mut generator);
    add::<meta::Status>(&mut generator);
    for kind in kinds {
        add_kind(&mut generator, &kind.api_version(), &kind.kind);
        for part in &kind.parts {
            add_kind(&mut generator, &part.api_version, &part.kind);
        }
    }
    generator.take_definitions(false)
}

fn add_kind(generator: &mut SchemaGenerator, api_version: &str, kind: &str) {
    let entry = ENTRIES
        .iter()
        .find(|entry| entry.api_version == api_version && entry.kind == kind);
    if let Some(entry) = entry {
        (entry.add)(generator);
    }
}

/// The schema of a kind that has no type: its own, with what every object has.
pub(crate) fn custom(kind: &Kind) -> Value {
    let own = kind.schema.clone().unwrap_or_else(|| json!({ "type": "object" }));
    let Value::Object(mut schema) = own else {
        return own;
    };
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(properties) = properties {
        properties.extend(type_meta());
        properties.insert(
            "metadata".to_owned(),
            json!({
                "description": "Standard object's metadata.",
                "allOf": [{ "$ref": format!("#/components/schemas/{OBJECT_META}") }],
            }),
        );
    }
    let gvk = group_version_kind(&kind.api_version(), &kind.kind);
    schema.insert("x-kubernetes-group-version-kind".to_owned(), json!([gvk]));
    Value::Object(schema)
}

/// The schema of a list of the kind, whose own schema is called `name`.
pub(crate) fn list(kind: &Kind, name: &str) -> Value {
    let mut properties = type_meta();
    properties.insert(
        "items".to_owned(),
        json!({
            "description": format!("The objects of kind {}.", kind.kind),
            "type": "array",
            "items": { "$ref": format!("#/components/schemas/{name}") },
        }),
    );
    properties.insert(
        "metadata".to_owned(),
        json!({
            "description": "Standard list metadata: the resourceVersion of the list and the token for its next page.",
            "allOf": [{ "$ref": format!("#/components/schemas/{LIST_META}") }],
        }),
    );
    let list_kind = format!("{}List", kind.kind);
    json!({
        "description": format!("{list_kind} is a list of {}.", kind.kind),
        "type": "object",
        "required": ["items"],
        "properties": properties,
        "x-kubernetes-group-version-kind": [group_version_kind(&kind.api_version(), &list_kind)],
    })
}

fn type_meta() -> Map<String, Value> {
    let field = |description: &str| json!({ "description": description, "type": "string" });
    [
        (
            "apiVersion".to_owned(),
            field("The group and version of the schema that this object is written in."),
        ),
        (
            "kind".to_owned(),
            field("The kind of REST resource that this object is, in CamelCase. It cannot be changed."),
        ),
    ]
    .into_iter()
    .collect()
}
