//! Bodies of requests in every format: read or refused, and what was read is written so that it is read again.

use coracle_api::{
    Resource, encode, kinds,
    object::{self, Duplicates},
    protobuf as wire, scan, yaml as text,
};

use super::is_status;

/// The kind that a body names, or else one that its length draws.
fn kind_of(json: &[u8]) -> &'static Resource {
    let named = encode::head(json).and_then(|(version, kind)| kinds::of_object(version, kind));
    named.unwrap_or(kinds::RESOURCES[json.len() % kinds::RESOURCES.len()])
}

/// One object in JSON.
pub(super) fn json(data: &[u8]) {
    let resource = kind_of(data);
    let _ = scan::duplicate_fields(data);
    let decoded = match object::decode(resource, data, Duplicates::Find) {
        Ok(decoded) => decoded,
        Err(error) => return is_status(&error.into_api_error(resource)),
    };
    let _ = (decoded.warnings(), decoded.strict_error());
    let written = decoded.object.to_json();
    let again = object::decode(resource, &written, Duplicates::Find);
    let again = again.unwrap_or_else(|error| panic!("what was written is not read: {error}"));
    assert_eq!(again.strict_error(), None, "what was written is strange");
    assert_eq!(
        again.object.to_json(),
        written,
        "what was written is read as something else"
    );
}

/// A manifest.
pub(super) fn yaml(data: &[u8]) {
    let Ok(manifest) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(documents) = text::documents(manifest) else {
        return;
    };
    for document in documents {
        json(document.to_string().as_bytes());
    }
}

/// One object in protobuf.
pub(super) fn protobuf(data: &[u8]) {
    let Ok(written) = wire::to_json(data, None) else {
        return;
    };
    let read: Result<serde_json::Value, _> = serde_json::from_slice(&written);
    assert!(
        read.is_ok(),
        "protobuf became what is no JSON: {}",
        String::from_utf8_lossy(&written)
    );
    json(&written);
}
