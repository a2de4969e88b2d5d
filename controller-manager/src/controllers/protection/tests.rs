//! Tests of `protection`.

use coracle_api::kinds;
use serde_json::json;

use super::plan::{Snapshot, plan};
use crate::{
    testing::{ago, lines, view},
    view::Bare,
};

#[test]
fn what_is_used_stays() {
    let case = |resource, deleting: bool, is_used| {
        let finalizers = json!(["kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"]);
        let mut metadata = json!({"name": "x", "finalizers": finalizers});
        if deleting {
            metadata["deletionTimestamp"] = json!(ago(1));
        }
        let meta = view::<Bare>(json!({"metadata": metadata})).meta.clone();
        lines(&plan(&Snapshot {
            resource,
            meta,
            is_used,
        }))
    };
    assert_eq!(case(kinds::PERSISTENT_VOLUME, false, false), [""; 0]);
    assert_eq!(case(kinds::PERSISTENT_VOLUME, true, true), [""; 0]);
    assert_eq!(
        case(kinds::PERSISTENT_VOLUME, true, false),
        [r#"patch persistentvolumes x {"metadata":{"finalizers":["kubernetes.io/pvc-protection"]}}"#]
    );
    assert_eq!(
        case(kinds::PERSISTENT_VOLUME_CLAIM, true, false),
        [r#"patch persistentvolumeclaims x {"metadata":{"finalizers":["kubernetes.io/pv-protection"]}}"#]
    );
}
