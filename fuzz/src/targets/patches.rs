//! Patches of every type: the object, a NUL or line of dashes, the patch.

use coracle_api::{
    encode, kinds,
    object::{self, Duplicates},
    patch::{self, PatchType, three_way},
};
use serde_json::Value;

use super::is_status;

/// Between object and patch; JSON cannot hold it.
const BETWEEN: &[u8] = b"\n----\n";

/// A patch of an object.
pub(super) fn patches(data: &[u8]) {
    let Some(at) = data.windows(BETWEEN.len()).position(|window| window == BETWEEN) else {
        return;
    };
    let (object, patch) = (&data[..at], &data[at + BETWEEN.len()..]);
    let Ok(before) = serde_json::from_slice::<Value>(object) else {
        return;
    };
    let named = encode::head(before.to_string().as_bytes())
        .and_then(|(version, kind)| kinds::of_object(version, kind));
    let resource = named.unwrap_or(kinds::POD);
    for kind in [PatchType::Json, PatchType::Merge, PatchType::StrategicMerge] {
        match patch::apply(kind, resource, &before, patch) {
            Err(error) => is_status(&error),
            Ok(after) => {
                let decoded = object::decode(resource, after.to_string().as_bytes(), Duplicates::Ignore);
                if let Err(error) = decoded {
                    is_status(&error.into_api_error(resource));
                }
            }
        }
    }
    // What kubectl apply computes, with the patch as what is wanted.
    if let Ok(wanted) = serde_json::from_slice::<Value>(patch) {
        let difference = three_way::diff(resource, Some(&before), &wanted, &before);
        let difference = Value::Object(difference).to_string();
        if let Err(error) = patch::apply(
            PatchType::StrategicMerge,
            resource,
            &before,
            difference.as_bytes(),
        ) {
            is_status(&error);
        }
        let _ = three_way::with_last_applied(wanted);
    }
}
