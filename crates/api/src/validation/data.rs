//! ConfigMaps and Secrets.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::check::{IMMUTABLE, text};
use crate::field_error::{FieldError, Path};
use crate::names;

/// Largest content of a ConfigMap or Secret, in bytes.
pub const DATA_MAX_BYTES: usize = 1024 * 1024;

const FROZEN: &str = "field is immutable when `immutable` is set";
/// Keys that a Secret of a type must have.
const REQUIRED_KEYS: &[(&str, &[&str])] = &[
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
];

fn keys<'a>(errors: &mut Vec<FieldError>, keys: impl Iterator<Item = &'a String>, path: &Path) {
    for key in keys {
        let messages = names::config_key(key).into_iter();
        errors.extend(messages.map(|message| FieldError::invalid(&path.key(key), key, message)));
    }
}

/// Mistakes in a ConfigMap, outside its metadata.
pub fn config_map(map: &ConfigMap) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (data, binary) = (map.data.iter().flatten(), map.binary_data.iter().flatten());
    keys(&mut errors, data.clone().map(|(key, _)| key), &Path::new("data"));
    keys(
        &mut errors,
        binary.clone().map(|(key, _)| key),
        &Path::new("binaryData"),
    );
    if let (Some(data), Some(binary)) = (&map.data, &map.binary_data) {
        for key in data.keys().filter(|key| binary.contains_key(*key)) {
            errors.push(FieldError::invalid(
                &Path::new("data").key(key),
                key,
                "duplicate of key present in binaryData",
            ));
        }
    }
    let size = data.map(|(_, value)| value.len()).sum::<usize>()
        + binary.map(|(_, value)| value.0.len()).sum::<usize>();
    if size > DATA_MAX_BYTES {
        // The whole object is too long, and this is how upstream writes the path of nothing.
        errors.push(FieldError::too_long(&Path::new("[]"), DATA_MAX_BYTES));
    }
    errors
}

/// Mistakes in the change of a ConfigMap.
pub fn config_map_update(new: &ConfigMap, old: &ConfigMap) -> Vec<FieldError> {
    let mut errors = config_map(new);
    if old.immutable == Some(true) {
        let changes = [
            ("immutable", new.immutable != Some(true)),
            ("data", new.data != old.data),
            ("binaryData", new.binary_data != old.binary_data),
        ];
        frozen(&mut errors, &changes);
    }
    errors
}

fn frozen(errors: &mut Vec<FieldError>, changes: &[(&str, bool)]) {
    let changed = changes.iter().filter(|(_, is_changed)| *is_changed);
    errors.extend(changed.map(|(field, _)| FieldError::forbidden(&Path::new(field), FROZEN)));
}

/// Mistakes in a Secret, outside its metadata.
pub fn secret(secret: &Secret) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let path = Path::new("data");
    keys(
        &mut errors,
        secret.data.iter().flatten().map(|(key, _)| key),
        &path,
    );
    let size: usize = secret.data.iter().flatten().map(|(_, value)| value.0.len()).sum();
    if size > DATA_MAX_BYTES {
        errors.push(FieldError::too_long(&path, DATA_MAX_BYTES));
    }
    let kind = text(&secret.type_);
    for key in REQUIRED_KEYS
        .iter()
        .filter(|(known, _)| *known == kind)
        .flat_map(|(_, keys)| *keys)
    {
        if !secret.data.as_ref().is_some_and(|data| data.contains_key(*key)) {
            errors.push(FieldError::required(&path.key(key), ""));
        }
    }
    by_type(&mut errors, secret, kind);
    errors
}

/// What a type asks for beside its keys.
fn by_type(errors: &mut Vec<FieldError>, secret: &Secret, kind: &str) {
    let value = |key: &str| secret.data.as_ref().and_then(|data| data.get(key));
    let data = Path::new("data");
    match kind {
        "kubernetes.io/service-account-token" => {
            const NAME: &str = "kubernetes.io/service-account.name";
            let annotations = secret.metadata.annotations.as_ref();
            if annotations
                .and_then(|all| all.get(NAME))
                .is_none_or(String::is_empty)
            {
                let path = Path::new("metadata").child("annotations").key(NAME);
                errors.push(FieldError::required(&path, ""));
            }
        }
        "kubernetes.io/basic-auth" if value("username").is_none() && value("password").is_none() => {
            errors.push(FieldError::required(&data.key("username"), ""));
            errors.push(FieldError::required(&data.key("password"), ""));
        }
        "kubernetes.io/dockercfg" => json_value(errors, value(".dockercfg"), &data.key(".dockercfg")),
        "kubernetes.io/dockerconfigjson" => {
            let key = ".dockerconfigjson";
            json_value(errors, value(key), &data.key(key));
        }
        _ => {}
    }
}

fn json_value(errors: &mut Vec<FieldError>, value: Option<&k8s_openapi::ByteString>, path: &Path) {
    let Some(value) = value else { return };
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&value.0) {
        // The value itself is never told.
        errors.push(FieldError::invalid(
            path,
            "<secret contents redacted>",
            error.to_string(),
        ));
    }
}

/// Mistakes in the change of a Secret: its type stands for ever.
pub fn secret_update(new: &Secret, old: &Secret) -> Vec<FieldError> {
    let mut errors = secret(new);
    if new.type_ != old.type_ {
        errors.push(FieldError::invalid(
            &Path::new("type"),
            text(&new.type_),
            IMMUTABLE,
        ));
    }
    if old.immutable == Some(true) {
        frozen(
            &mut errors,
            &[
                ("immutable", new.immutable != Some(true)),
                ("data", new.data != old.data),
            ],
        );
    }
    errors
}
