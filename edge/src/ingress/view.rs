//! Ingresses, their classes, and Secrets with certificates, as far as serving needs them.

use std::net::Ipv4Addr;

use base64::{Engine, engine::general_purpose::STANDARD};
use coracle_api::{ApiError, Labels, view::or_default};
use coracle_client::Object;
use coracle_runtime::Project;
use serde::Deserialize;

/// The annotation by which classes were named before they were objects.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortRef {
    Number(u16),
    Name(Box<str>),
}

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backend {
    pub(crate) namespace: Box<str>,
    pub(crate) service: Box<str>,
    pub(crate) port: PortRef,
}

/// A path of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathView {
    pub(crate) path: Box<str>,
    /// `Exact`; anything else is by prefix.
    pub(crate) exact: bool,
    pub(crate) backend: Backend,
}

/// An Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IngressView {
    pub(crate) name: Box<str>,
    pub(crate) namespace: Box<str>,
    pub(crate) uid: Box<str>,
    /// Seconds since 1970.
    pub(crate) created: i64,
    class: Option<Box<str>>,
    pub(crate) default_backend: Option<Backend>,
    /// Paths by host, which is empty for all.
    pub(crate) rules: Vec<(Box<str>, Vec<PathView>)>,
    /// Secrets by the hosts that they are for; none of those they name themselves.
    pub(crate) tls: Vec<(Vec<Box<str>>, Box<str>)>,
    /// Where it says that it is served.
    pub(crate) addresses: Vec<Ipv4Addr>,
}

impl IngressView {
    /// Its class; `None` where it names none.
    pub(crate) fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MetaJson {
    name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    namespace: Box<str>,
    #[serde(deserialize_with = "or_default")]
    uid: Box<str>,
    #[serde(deserialize_with = "or_default")]
    annotations: Labels,
    #[serde(deserialize_with = "or_default")]
    creation_timestamp: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Json {
    metadata: MetaJson,
    #[serde(deserialize_with = "or_default")]
    spec: SpecJson,
    #[serde(deserialize_with = "or_default")]
    status: StatusJson,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecJson {
    ingress_class_name: Option<Box<str>>,
    default_backend: Option<BackendJson>,
    #[serde(deserialize_with = "or_default")]
    rules: Vec<RuleJson>,
    #[serde(deserialize_with = "or_default")]
    tls: Vec<TlsJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RuleJson {
    #[serde(deserialize_with = "or_default")]
    host: Box<str>,
    #[serde(deserialize_with = "or_default")]
    http: HttpJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HttpJson {
    #[serde(deserialize_with = "or_default")]
    paths: Vec<PathJson>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PathJson {
    #[serde(deserialize_with = "or_default")]
    path: Box<str>,
    #[serde(deserialize_with = "or_default")]
    path_type: Box<str>,
    backend: BackendJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BackendJson {
    service: Option<ServiceJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceJson {
    name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    port: PortJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PortJson {
    #[serde(deserialize_with = "or_default")]
    name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    number: u16,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TlsJson {
    #[serde(deserialize_with = "or_default")]
    hosts: Vec<Box<str>>,
    #[serde(deserialize_with = "or_default")]
    secret_name: Box<str>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusJson {
    #[serde(deserialize_with = "or_default")]
    load_balancer: BalancerJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BalancerJson {
    #[serde(deserialize_with = "or_default")]
    ingress: Vec<AddressJson>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AddressJson {
    #[serde(deserialize_with = "or_default")]
    ip: Box<str>,
}

impl BackendJson {
    /// `None` for a resource, which nobody here can serve.
    fn read(self, namespace: &str) -> Option<Backend> {
        let service = self.service?;
        let port = if service.port.name.is_empty() {
            PortRef::Number(service.port.number)
        } else {
            PortRef::Name(service.port.name)
        };
        Some(Backend {
            namespace: namespace.into(),
            service: service.name,
            port,
        })
    }
}

impl Project for IngressView {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let Json {
            metadata,
            spec,
            status,
        } = object.read()?;
        let namespace = &metadata.namespace;
        let rules = spec.rules.into_iter().map(|rule| {
            let paths = rule.http.paths.into_iter().filter_map(|path| {
                Some(PathView {
                    exact: &*path.path_type == "Exact",
                    path: if path.path.is_empty() {
                        "/".into()
                    } else {
                        path.path
                    },
                    backend: path.backend.read(namespace)?,
                })
            });
            (rule.host.to_ascii_lowercase().into(), paths.collect())
        });
        let annotated = metadata.annotations.get(CLASS_ANNOTATION).map(Into::into);
        Ok(Self {
            rules: rules.collect(),
            default_backend: spec.default_backend.and_then(|backend| backend.read(namespace)),
            tls: spec
                .tls
                .into_iter()
                .map(|tls| (tls.hosts, tls.secret_name))
                .collect(),
            class: spec
                .ingress_class_name
                .or(annotated)
                .filter(|class| !class.is_empty()),
            created: created(&metadata.creation_timestamp),
            addresses: status
                .load_balancer
                .ingress
                .iter()
                .filter_map(|own| own.ip.parse().ok())
                .collect(),
            name: metadata.name,
            uid: metadata.uid,
            namespace: metadata.namespace,
        })
    }
}

/// A time as a number that sorts as times do.
fn created(text: &str) -> i64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// An IngressClass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassView {
    pub(crate) name: Box<str>,
    pub(crate) controller: Box<str>,
    pub(crate) is_default: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClassJson {
    metadata: MetaJson,
    #[serde(deserialize_with = "or_default")]
    spec: ClassSpecJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClassSpecJson {
    #[serde(deserialize_with = "or_default")]
    controller: Box<str>,
}

impl Project for ClassView {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let ClassJson { metadata, spec } = object.read()?;
        Ok(Self {
            is_default: metadata.annotations.get(super::DEFAULT_CLASS) == Some("true"),
            name: metadata.name,
            controller: spec.controller,
        })
    }
}

/// A Secret with a certificate.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct SecretView {
    /// PEM; empty where it is missing or no base64.
    pub(crate) certificate: Vec<u8>,
    /// PEM; empty where it is missing or no base64.
    pub(crate) key: Vec<u8>,
}

impl std::fmt::Debug for SecretView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretView")
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SecretJson {
    #[serde(deserialize_with = "or_default")]
    data: DataJson,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DataJson {
    #[serde(rename = "tls.crt", deserialize_with = "or_default")]
    certificate: Box<str>,
    #[serde(rename = "tls.key", deserialize_with = "or_default")]
    key: Box<str>,
}

impl Project for SecretView {
    fn project(object: &Object) -> Result<Self, ApiError> {
        let json: SecretJson = object.read()?;
        Ok(Self {
            certificate: STANDARD.decode(&*json.data.certificate).unwrap_or_default(),
            key: STANDARD.decode(&*json.data.key).unwrap_or_default(),
        })
    }
}
