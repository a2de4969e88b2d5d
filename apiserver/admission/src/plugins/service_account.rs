//! ServiceAccount: which identity a pod has, and the pull secrets that come with it.
//!
//! Unlike upstream, a pod of the account `default` may come before its namespace's account: who makes the namespace
//! and its pods in one go would else depend on the speed of a controller. No token is mounted: the simulated nodes
//! do not serve projected volumes.

use coracle_api::kinds;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};

use super::namespace_of;
use crate::Lookup;

const DEFAULT: &str = "default";
/// A pod that stands in for one that its node runs by itself; it has no identity.
const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) fn complete(lookup: &dyn Lookup, pod: &mut Pod) -> Result<(), String> {
    let is_mirror = pod
        .metadata
        .annotations
        .as_ref()
        .is_some_and(|own| own.contains_key(MIRROR));
    if is_mirror {
        return refuse_mirror(pod);
    }
    let namespace = namespace_of(&pod.metadata).to_owned();
    let spec = pod.spec.get_or_insert_default();
    let name = spec
        .service_account_name
        .clone()
        .or_else(|| spec.service_account.clone())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| DEFAULT.to_owned());
    spec.service_account_name = Some(name.clone());
    spec.service_account = Some(name.clone());
    let Some(json) = lookup.get(kinds::SERVICE_ACCOUNT, &namespace, &name) else {
        if name == DEFAULT {
            return Ok(());
        }
        return Err(format!(
            "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not found"
        ));
    };
    if spec.image_pull_secrets.as_ref().is_none_or(Vec::is_empty)
        && let Ok(account) = serde_json::from_slice::<ServiceAccount>(&json)
        && account.image_pull_secrets.is_some()
    {
        spec.image_pull_secrets = account.image_pull_secrets;
    }
    Ok(())
}

fn refuse_mirror(pod: &Pod) -> Result<(), String> {
    let spec = pod.spec.as_ref();
    let account = spec.and_then(|spec| spec.service_account_name.as_deref());
    if account.is_some_and(|name| !name.is_empty()) {
        return Err("a mirror pod may not reference service accounts".to_owned());
    }
    let is_secret = |volume: &k8s_openapi::api::core::v1::Volume| volume.secret.is_some();
    let volumes = spec.and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    if volumes.iter().any(is_secret) {
        return Err("a mirror pod may not reference secrets".to_owned());
    }
    Ok(())
}
