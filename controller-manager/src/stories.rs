//! Stories of the controllers: each is told to all of them on a fake apiserver, in peace and under every disturbance that
//! [`crate::testing::disturbance`] knows, and must come to the same end.

use coracle_api::Resource;
use coracle_runtime::fake::FakeApi;
use serde_json::{Value, json};

mod daemon_set;
mod ends;
mod jobs;
mod network;
mod nodes;
mod overseers;
mod replicas;
mod stateful_set;
mod storage;

/// The status of an object in the namespace `ns`; null where the object is not there or its status is of an earlier
/// generation.
fn status(api: &FakeApi, resource: &'static Resource, name: &str) -> Value {
    let Some(object) = api.find(resource, "ns", name) else {
        return Value::Null;
    };
    let status = &object["status"];
    if status["observedGeneration"] == object["metadata"]["generation"] {
        status.clone()
    } else {
        Value::Null
    }
}

/// Whether the status has these fields, among others; a missing one is zero.
fn says(status: &Value, expected: &Value) -> bool {
    let expected = expected.as_object().into_iter().flatten();
    let zero = json!(0);
    expected.into_iter().all(|(name, value)| {
        let found = if status[name].is_null() {
            &zero
        } else {
            &status[name]
        };
        !status.is_null() && found == value
    })
}

/// A pod template with this label and image.
fn template(app: &str, image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [{"name": "c", "image": image}]},
    })
}
