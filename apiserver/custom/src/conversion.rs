//! `ConversionReview` of `apiextensions.k8s.io/v1`: what a webhook that converts custom resources is asked, and what of
//! its answer is believed.
//!
//! A webhook may change everything but what makes an object the object that it is: of the metadata, labels and
//! annotations alone are taken from it. Source: `conversion/webhook_converter.go` of the apiextensions apiserver.

use bytes::Bytes;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, WebhookClientConfig,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::review::Kind;

/// The only version of the review that is spoken.
pub const REVIEW_VERSION: &str = "v1";

const REVIEW: Kind = Kind {
    api_version: "apiextensions.k8s.io/v1",
    kind: "ConversionReview",
    missing: "no response provided",
};

/// A webhook that converts the objects of a definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    /// Where it is.
    pub client: WebhookClientConfig,
}

impl Conversion {
    /// The webhook of a definition; `None` where versions differ in name only.
    #[must_use]
    pub fn of(conversion: Option<&CustomResourceConversion>) -> Option<Self> {
        let conversion = conversion.filter(|own| own.strategy == "Webhook")?;
        let client = conversion.webhook.as_ref()?.client_config.clone()?;
        Some(Self { client })
    }
}

/// The body of a call: make these objects ones of `api_version`.
#[must_use]
pub fn review(uid: &str, api_version: &str, objects: &[Bytes]) -> Bytes {
    let request = serde_json::json!({"uid": uid, "desiredAPIVersion": api_version});
    let mut list = vec![b'['];
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            list.push(b',');
        }
        list.extend_from_slice(object);
    }
    list.push(b']');
    REVIEW.body(&request, [("objects", list.as_slice())])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    converted_objects: Vec<Map<String, Value>>,
    result: Option<Outcome>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
}

/// The converted objects of an answer to the review `uid`, in the order of `objects`.
///
/// # Errors
/// What is wrong with the answer, in upstream's words but for their beginning, which names the kind.
pub fn read(answer: &[u8], uid: &str, api_version: &str, objects: &[Bytes]) -> Result<Vec<Bytes>, String> {
    let response: Response = REVIEW
        .response(answer, uid, |error| error.to_string())
        .map_err(|why| format!("failed: {why}"))?;
    match response.result {
        Some(Outcome { status, .. }) if status == "Success" => {}
        Some(Outcome { message, .. }) if !message.is_empty() => return Err(format!("failed: {message}")),
        Some(Outcome { status, .. }) => {
            return Err(format!(
                "failed: response.result.status was '{status}', not 'Success'"
            ));
        }
        None => return Err("failed: response.result.status was '', not 'Success'".to_owned()),
    }
    let (found, wanted) = (response.converted_objects.len(), objects.len());
    if found != wanted {
        return Err(format!("returned {found} objects, expected {wanted}"));
    }
    let pairs = response.converted_objects.into_iter().zip(objects).enumerate();
    pairs
        .map(|(index, (converted, original))| {
            restored(converted, original, api_version)
                .map_err(|why| format!("returned invalid converted object at index {index}: {why}"))
        })
        .collect()
}

/// A converted object with the metadata of the original, but for labels and annotations.
fn restored(mut converted: Map<String, Value>, original: &[u8], api_version: &str) -> Result<Bytes, String> {
    let mut original: Map<String, Value> =
        serde_json::from_slice(original).map_err(|error| error.to_string())?;
    let text = |object: &Map<String, Value>, name: &str| {
        object
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (found, kind) = (text(&converted, "apiVersion"), text(&original, "kind"));
    if found != api_version {
        return Err(format!(
            "invalid groupVersion, expected {api_version} but got {found}"
        ));
    }
    let found = text(&converted, "kind");
    if found != kind {
        return Err(format!("invalid kind, expected {kind} but got {found}"));
    }
    let mut metadata = match original.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    };
    let Some(Value::Object(mut own)) = converted.remove("metadata") else {
        return Err("missing metadata in converted object".to_owned());
    };
    for name in ["name", "namespace", "uid"] {
        let (before, after) = (text(&metadata, name), text(&own, name));
        if before != after {
            return Err(format!(
                "invalid metadata: must have the same {name}: {before} != {after}"
            ));
        }
    }
    for name in ["labels", "annotations"] {
        match own.remove(name) {
            Some(Value::Object(texts)) if texts.values().all(Value::is_string) => {
                metadata.insert(name.to_owned(), Value::Object(texts));
            }
            None | Some(Value::Null) => drop(metadata.remove(name)),
            Some(_) => {
                return Err(format!(
                    "invalid metadata: metadata.{name} must hold strings only"
                ));
            }
        }
    }
    // The canonical order, in which every stored object stands.
    let head = serde_json::json!(api_version);
    let mut whole = format!(
        "{{\"apiVersion\":{head},\"kind\":{},\"metadata\":{}",
        Value::from(kind),
        Value::Object(metadata)
    );
    converted.retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind"));
    for (name, value) in converted {
        whole.push_str(&format!(",{}:{value}", Value::from(name)));
    }
    whole.push('}');
    Ok(whole.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn original() -> Bytes {
        let metadata =
            json!({"name": "w", "namespace": "n", "uid": "u", "labels": {"a": "b"}, "generation": 2});
        let object =
            json!({"apiVersion": "e.com/v1", "kind": "W", "metadata": metadata, "spec": {"size": 1}});
        Bytes::from(object.to_string())
    }

    fn answer(response: Value) -> Vec<u8> {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response})
            .to_string()
            .into_bytes()
    }

    fn converted(change: impl FnOnce(&mut Value)) -> Result<Value, String> {
        let mut object: Value = serde_json::from_slice(&original()).unwrap();
        object["apiVersion"] = "e.com/v2".into();
        change(&mut object);
        let response = json!({"uid": "1", "result": {"status": "Success"}, "convertedObjects": [object]});
        let read = read(&answer(response), "1", "e.com/v2", &[original()])?;
        Ok(serde_json::from_slice(&read[0]).unwrap())
    }

    fn check(expected: &str, change: impl FnOnce(&mut Value)) {
        assert_eq!(converted(change).unwrap_err(), expected);
    }

    #[test]
    fn the_review_holds_the_objects_as_they_are() {
        let body = review("1", "e.com/v2", &[original(), original()]);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["request"]["desiredAPIVersion"], "e.com/v2");
        assert_eq!(body["request"]["objects"][1]["spec"]["size"], 1);
    }

    #[test]
    fn of_the_metadata_labels_and_annotations_alone_may_change() {
        let read = converted(|object| {
            object["metadata"]["labels"] = Value::Null;
            object["metadata"]["annotations"] = json!({"c": "d"});
            object["metadata"]["generation"] = 7.into();
            object["spec"] = json!({"length": 1});
        });
        let metadata =
            json!({"name": "w", "namespace": "n", "uid": "u", "generation": 2, "annotations": {"c": "d"}});
        let expected =
            json!({"apiVersion": "e.com/v2", "kind": "W", "metadata": metadata, "spec": {"length": 1}});
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn what_is_another_object_is_refused() {
        let at = "returned invalid converted object at index 0: ";
        check(
            &format!("{at}invalid groupVersion, expected e.com/v2 but got e.com/v1"),
            |object| {
                object["apiVersion"] = "e.com/v1".into();
            },
        );
        check(&format!("{at}invalid kind, expected W but got X"), |object| {
            object["kind"] = "X".into()
        });
        check(
            &format!("{at}invalid metadata: must have the same uid: u != v"),
            |object| {
                object["metadata"]["uid"] = "v".into();
            },
        );
        check(&format!("{at}missing metadata in converted object"), |object| {
            object["metadata"] = 1.into()
        });
    }

    #[test]
    fn failures_are_told_in_the_webhooks_words() {
        let read = |response: Value| read(&answer(response), "1", "e.com/v2", &[original()]).unwrap_err();
        let failed = json!({"uid": "1", "result": {"status": "Failed", "message": "no way"}});
        assert_eq!(read(failed), "failed: no way");
        let other = json!({"uid": "2", "result": {"status": "Success"}});
        assert_eq!(read(other), "failed: expected response.uid=\"1\", got \"2\"");
        let none = json!({"uid": "1", "result": {"status": "Success"}});
        assert_eq!(read(none), "returned 0 objects, expected 1");
    }
}
