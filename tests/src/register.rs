//! ConfigMaps as registers that hold one number: what the reliability tests write, read and swap.

use bytes::Bytes;
use coracle_api::{ApiError, kinds};
use coracle_client::{Object, ObjectApi, Write, WriteOptions};

/// Where all registers are.
pub const NAMESPACE: &str = "default";

/// A register as JSON; with a revision, an update of it is conditional.
#[must_use]
pub fn json(name: &str, value: u64, revision: Option<i64>) -> Bytes {
    let mut metadata = serde_json::json!({"name": name, "namespace": NAMESPACE});
    if let Some(revision) = revision {
        metadata["resourceVersion"] = revision.to_string().into();
    }
    let map = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value.to_string()},
    });
    map.to_string().into()
}

/// The number in a register.
///
/// # Errors
/// Where the object is no register.
pub fn value(object: &Object) -> Result<u64, ApiError> {
    let map: serde_json::Value = object.read()?;
    let text = map["data"]["value"].as_str();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::internal(format!("{object:?} holds no number")))
}

/// Makes a register.
///
/// # Errors
/// The API's.
pub async fn create(api: &impl ObjectApi, name: &str, value: u64) -> Result<Object, ApiError> {
    let write = Write::Create {
        resource: kinds::CONFIG_MAP,
        namespace: NAMESPACE.to_owned(),
        name: name.to_owned(),
        subresource: "",
        json: json(name, value, None),
    };
    api.write(write, &WriteOptions::default()).await
}

/// Sets a register; only at `revision` where one is given.
///
/// # Errors
/// The API's.
pub async fn update(
    api: &impl ObjectApi,
    name: &str,
    value: u64,
    revision: Option<i64>,
) -> Result<Object, ApiError> {
    let write = Write::Update {
        resource: kinds::CONFIG_MAP,
        namespace: NAMESPACE.to_owned(),
        name: name.to_owned(),
        subresource: "",
        json: json(name, value, revision),
    };
    api.write(write, &WriteOptions::default()).await
}

/// Reads a register.
///
/// # Errors
/// The API's.
pub async fn get(api: &impl ObjectApi, name: &str) -> Result<Object, ApiError> {
    api.get(kinds::CONFIG_MAP, NAMESPACE, name).await
}
