//! A container's environment and command line: values, fields of the pod, ConfigMaps, Secrets, and `$(NAME)`.

use std::{collections::BTreeMap, net::Ipv4Addr};

use coracle_api::{Quantity, kinds};
use coracle_client::ObjectApi;
use serde::Deserialize;

use super::view::{ContainerSpec, EnvSource, PodView, ResourceFieldRef, or_default};
use crate::{config::Capacity, volumes::prepare::decode_secret};

/// Whether a container's environment needs objects from the apiserver.
#[must_use]
pub fn needs_objects(spec: &ContainerSpec) -> bool {
    let refers = |source: &EnvSource| source.config_map_key_ref.is_some() || source.secret_key_ref.is_some();
    !spec.env_from.is_empty()
        || spec
            .env
            .iter()
            .any(|variable| variable.value_from.as_deref().is_some_and(refers))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DataView {
    #[serde(deserialize_with = "or_default")]
    data: BTreeMap<String, String>,
}

/// The objects that an environment refers to, by kind and name.
#[derive(Default)]
pub struct Objects {
    config_maps: BTreeMap<Box<str>, BTreeMap<String, String>>,
    secrets: BTreeMap<Box<str>, BTreeMap<String, String>>,
}

/// Gets what the environment of `spec` refers to.
///
/// # Errors
/// Upstream's text for the first object that cannot be had.
pub async fn fetch(api: &dyn ObjectApi, namespace: &str, spec: &ContainerSpec) -> Result<Objects, String> {
    let mut objects = Objects::default();
    for from in &spec.env_from {
        if let Some(reference) = &from.config_map_ref {
            objects
                .get(api, namespace, false, &reference.name, reference.optional)
                .await?;
        }
        if let Some(reference) = &from.secret_ref {
            objects
                .get(api, namespace, true, &reference.name, reference.optional)
                .await?;
        }
    }
    for source in spec
        .env
        .iter()
        .filter_map(|variable| variable.value_from.as_deref())
    {
        if let Some(reference) = &source.config_map_key_ref {
            objects
                .get(api, namespace, false, &reference.name, reference.optional)
                .await?;
        }
        if let Some(reference) = &source.secret_key_ref {
            objects
                .get(api, namespace, true, &reference.name, reference.optional)
                .await?;
        }
    }
    Ok(objects)
}

impl Objects {
    async fn get(
        &mut self,
        api: &dyn ObjectApi,
        namespace: &str,
        secret: bool,
        name: &str,
        optional: bool,
    ) -> Result<(), String> {
        let (resource, known) = match secret {
            true => (kinds::SECRET, &mut self.secrets),
            false => (kinds::CONFIG_MAP, &mut self.config_maps),
        };
        if known.contains_key(name) {
            return Ok(());
        }
        let mut data = match api
            .get(resource, namespace, name)
            .await
            .and_then(|object| object.read::<DataView>())
        {
            Ok(view) => view.data,
            Err(error) if error.is_not_found() && optional => return Ok(()),
            Err(error) if error.is_not_found() => {
                return Err(format!("{} {name:?} not found", resource.singular));
            }
            Err(error) => return Err(error.to_string()),
        };
        if secret {
            for value in data.values_mut() {
                let bytes = decode_secret(value).map_err(|error| format!("read secret {name:?}: {error}"))?;
                *value = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        known.insert(name.into(), data);
        Ok(())
    }
}

/// The environment of a container.
///
/// # Errors
/// Upstream's text for the first key that is missing.
pub fn resolve(
    pod: &PodView,
    spec: &ContainerSpec,
    ip: Ipv4Addr,
    host_ip: Ipv4Addr,
    objects: &Objects,
    capacity: &Capacity,
) -> Result<Vec<(String, String)>, String> {
    let mut env: Vec<(String, String)> = Vec::new();
    for from in &spec.env_from {
        let maps = from
            .config_map_ref
            .iter()
            .filter_map(|reference| objects.config_maps.get(&reference.name));
        let secrets = from
            .secret_ref
            .iter()
            .filter_map(|reference| objects.secrets.get(&reference.name));
        for (key, value) in maps.chain(secrets).flatten() {
            env.push((format!("{}{key}", from.prefix), value.clone()));
        }
    }
    for variable in &spec.env {
        let value = match variable.value_from.as_deref() {
            None => Some(expand(&variable.value, &env)),
            Some(EnvSource {
                resource_field_ref: Some(reference),
                ..
            }) => Some(resource(reference, pod, spec, capacity)?),
            Some(source) => value_from(source, pod, ip, host_ip, objects)?,
        };
        env.extend(value.map(|value| (variable.name.to_string(), value)));
    }
    Ok(env)
}

fn value_from(
    source: &EnvSource,
    pod: &PodView,
    ip: Ipv4Addr,
    host_ip: Ipv4Addr,
    objects: &Objects,
) -> Result<Option<String>, String> {
    if let Some(reference) = &source.field_ref {
        return field(pod, &reference.field_path, ip, host_ip).map(Some);
    }
    let (kind, reference, known) = match (&source.config_map_key_ref, &source.secret_key_ref) {
        (Some(reference), _) => ("ConfigMap", reference, &objects.config_maps),
        (None, Some(reference)) => ("Secret", reference, &objects.secrets),
        (None, None) => return Ok(None),
    };
    match known
        .get(&reference.name)
        .and_then(|data| data.get(&*reference.key))
    {
        Some(value) => Ok(Some(value.clone())),
        None if reference.optional => Ok(None),
        None => {
            let (key, namespace, name) = (&reference.key, &pod.metadata.namespace, &reference.name);
            Err(format!("couldn't find key {key} in {kind} {namespace}/{name}"))
        }
    }
}

/// A request or limit, in units of the divisor and rounded up. A limit that is not set is the node's capacity.
fn resource(
    reference: &ResourceFieldRef,
    pod: &PodView,
    own: &ContainerSpec,
    capacity: &Capacity,
) -> Result<String, String> {
    let spec = &pod.spec;
    let mut all = spec.containers.iter().chain(&spec.init_containers);
    let container = match &*reference.container_name {
        "" => Some(own),
        name => all.find(|container| *container.name == *name),
    };
    let container = container.ok_or_else(|| format!("container {:?} not found", reference.container_name))?;
    let unsupported = || format!("unsupported container resource: {}", reference.resource);
    let (kind, name) = reference.resource.split_once('.').ok_or_else(unsupported)?;
    let node = match name {
        "cpu" => capacity.cpu.as_str(),
        "memory" => capacity.memory.as_str(),
        "ephemeral-storage" => "0",
        _ => return Err(unsupported()),
    };
    let limit = container.resources.limits.get(name);
    let text = match kind {
        "limits" => limit.unwrap_or(node),
        // A request that is not set is the limit where there is one.
        "requests" => container.resources.requests.get(name).or(limit).unwrap_or("0"),
        _ => return Err(unsupported()),
    };
    let milli = |text: &str| {
        let quantity = Quantity::parse(text).map_err(|error| error.to_string())?;
        Ok::<_, String>(i128::from(quantity.whole()) * 1_000).map(|whole| match name {
            "cpu" => i128::from(quantity.milli()),
            _ => whole,
        })
    };
    let divisor = match &*reference.divisor {
        "" | "0" => 1_000,
        text => milli(text)?,
    };
    if divisor <= 0 {
        return Err(format!("invalid divisor {}", reference.divisor));
    }
    Ok(((milli(text)? + divisor - 1) / divisor).to_string())
}

fn field(pod: &PodView, path: &str, ip: Ipv4Addr, host_ip: Ipv4Addr) -> Result<String, String> {
    let meta = &pod.metadata;
    let entry = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix("']");
    Ok(match path {
        "metadata.name" => meta.name.to_string(),
        "metadata.namespace" => meta.namespace.to_string(),
        "metadata.uid" => meta.uid.to_string(),
        "spec.nodeName" => pod.spec.node_name.to_string(),
        "status.podIP" | "status.podIPs" => ip.to_string(),
        "status.hostIP" | "status.hostIPs" => host_ip.to_string(),
        _ => match (entry("metadata.labels['"), entry("metadata.annotations['")) {
            (Some(key), _) => meta.labels.get(key).unwrap_or_default().to_owned(),
            (None, Some(key)) => meta.annotations.get(key).unwrap_or_default().to_owned(),
            (None, None) => return Err(format!("unsupported fieldPath: {path}")),
        },
    })
}

/// Puts values in the place of `$(NAME)`; `$$(NAME)` is `$(NAME)` itself, and what is not known stays.
#[must_use]
pub fn expand(text: &str, env: &[(String, String)]) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        if let Some(after) = rest.strip_prefix("$$") {
            expanded.push('$');
            rest = after;
            continue;
        }
        let name = rest.strip_prefix("$(").and_then(|inner| inner.split_once(')'));
        let value = name.and_then(|(name, after)| {
            let value = env
                .iter()
                .rev()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)?;
            Some((value, after))
        });
        match value {
            Some((value, after)) => {
                expanded.push_str(value);
                rest = after;
            }
            None => {
                expanded.push('$');
                rest = &rest[1..];
            }
        }
    }
    expanded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_expanded_as_documented() {
        let env = [
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "$(A)".to_owned()),
        ];
        let check = |text: &str, expected: &str| assert_eq!(expand(text, &env), expected, "{text}");
        check("x$(A)y", "x1y");
        check("$(B)", "$(A)");
        check("$$(A)", "$(A)");
        check("$(C) $A $", "$(C) $A $");
        check("$(A", "$(A");
    }

    #[test]
    fn fields_and_objects_give_values() {
        let pod: PodView = serde_json::from_str(
            r#"{"metadata":{"name":"web","namespace":"ns","uid":"u","labels":{"app":"eva"}},"spec":{"nodeName":"n1",
            "containers":[{"name":"c","env":[{"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}},
            {"name":"APP","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app']"}}},
            {"name":"HELLO","value":"hello $(POD)"},
            {"name":"KEY","valueFrom":{"configMapKeyRef":{"name":"cm","key":"k"}}},
            {"name":"CPU","valueFrom":{"resourceFieldRef":{"resource":"requests.cpu","divisor":"1m"}}},
            {"name":"MEMORY","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}},
            {"name":"CORES","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu"}}},
            {"name":"NONE","valueFrom":{"configMapKeyRef":{"name":"no","key":"k","optional":true}}}],
            "resources":{"requests":{"cpu":"250m"},"limits":{"memory":"64Mi"}}}]}}"#,
        )
        .expect("pod");
        let spec = &pod.spec.containers[0];
        assert!(needs_objects(spec));
        let ip = Ipv4Addr::LOCALHOST;
        let mut objects = Objects::default();
        let missing = resolve(&pod, spec, ip, ip, &objects, &Capacity::default());
        assert_eq!(missing, Err("couldn't find key k in ConfigMap ns/cm".to_owned()));
        objects
            .config_maps
            .insert("cm".into(), BTreeMap::from([("k".to_owned(), "v".to_owned())]));
        let env = resolve(&pod, spec, ip, ip, &objects, &Capacity::default()).expect("env");
        let expected = [
            ("POD", "web"),
            ("APP", "eva"),
            ("HELLO", "hello web"),
            ("KEY", "v"),
            ("CPU", "250"),
            ("MEMORY", "64"),
            ("CORES", "8"),
        ];
        assert_eq!(
            env,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
    }
}
