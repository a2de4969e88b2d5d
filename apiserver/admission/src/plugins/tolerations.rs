//! DefaultTolerationSeconds: how long a pod stays on a node that is not ready or cannot be reached.

use k8s_openapi::api::core::v1::{Pod, Toleration};

const SECONDS: i64 = 300;
const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

pub(super) fn complete(pod: &mut Pod) {
    let tolerations = pod
        .spec
        .get_or_insert_default()
        .tolerations
        .get_or_insert_default();
    for key in TAINTS {
        let tolerates = |own: &Toleration| {
            let own_key = own.key.as_deref().unwrap_or_default();
            let effect = own.effect.as_deref().unwrap_or_default();
            (own_key.is_empty() || own_key == key) && (effect.is_empty() || effect == "NoExecute")
        };
        if !tolerations.iter().any(tolerates) {
            tolerations.push(Toleration {
                key: Some(key.to_owned()),
                operator: Some("Exists".to_owned()),
                effect: Some("NoExecute".to_owned()),
                toleration_seconds: Some(SECONDS),
                value: None,
            });
        }
    }
}
