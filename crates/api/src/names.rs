//! What names, labels and annotations may look like, and how generated names are made.
//!
//! Each check returns upstream's message, or nothing where the value is right.

use std::collections::BTreeMap;

use crate::field_error::quote;

#[cfg(test)]
mod tests;

/// Longest RFC 1123 subdomain, in bytes: most object names.
pub const SUBDOMAIN_MAX_BYTES: usize = 253;
/// Longest RFC 1123 label, in bytes: namespaces, containers, ports' hosts.
pub const LABEL_MAX_BYTES: usize = 63;
/// Longest name part of a qualified name, in bytes.
pub const QUALIFIED_NAME_MAX_BYTES: usize = 63;
/// Longest label value, in bytes.
pub const LABEL_VALUE_MAX_BYTES: usize = 63;
/// Largest size of all annotations of an object together, keys and values, in bytes.
pub const ANNOTATIONS_MAX_BYTES: usize = 256 * 1024;
/// Longest name that `generateName` makes, in bytes.
pub const GENERATED_NAME_MAX_BYTES: usize = 63;
/// How many random letters `generateName` adds.
pub const SUFFIX_LEN: usize = 5;
/// Longest name of a field manager, in bytes.
pub const FIELD_MANAGER_MAX_BYTES: usize = 128;

const LABEL_FORM: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN_FORM: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const LABEL_1035_FORM: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_FORM: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE_FORM: &str = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const CONFIG_KEY_FORM: &str = "[-._a-zA-Z0-9]+";
const ENV_NAME_MESSAGE: &str =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";

fn lower_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|byte| lower_alphanumeric(*byte))
        && bytes.last().is_some_and(|byte| lower_alphanumeric(*byte))
        && bytes
            .iter()
            .all(|byte| lower_alphanumeric(*byte) || *byte == b'-')
}

fn is_qualified_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn too_long(max: usize) -> String {
    format!("must be no more than {max} bytes")
}

fn form(message: &str, pattern: &str, examples: &[&str]) -> String {
    let quoted: Vec<String> = examples.iter().map(|example| format!("'{example}'")).collect();
    match quoted.is_empty() {
        true => format!("{message} (regex used for validation is '{pattern}')"),
        false => {
            format!(
                "{message} (e.g. {}, regex used for validation is '{pattern}')",
                quoted.join(",  or ")
            )
        }
    }
}

/// An RFC 1123 label: namespaces, container names.
pub fn label(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_MAX_BYTES {
        errors.push(too_long(LABEL_MAX_BYTES));
    }
    if !is_label(text) {
        errors.push(form(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
             and end with an alphanumeric character",
            LABEL_FORM,
            &["my-name", "123-abc"],
        ));
    }
    errors
}

/// An RFC 1035 label: service names, which become DNS names and must begin with a letter.
pub fn label_1035(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_MAX_BYTES {
        errors.push(too_long(LABEL_MAX_BYTES));
    }
    if !is_label(text) || !text.starts_with(|first: char| first.is_ascii_lowercase()) {
        errors.push(form(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
            LABEL_1035_FORM,
            &["my-name", "abc-123"],
        ));
    }
    errors
}

/// An RFC 1123 subdomain: most object names.
pub fn subdomain(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > SUBDOMAIN_MAX_BYTES {
        errors.push(too_long(SUBDOMAIN_MAX_BYTES));
    }
    if !text.split('.').all(is_label) {
        errors.push(form(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and \
             must start and end with an alphanumeric character",
            SUBDOMAIN_FORM,
            &["example.com"],
        ));
    }
    errors
}

/// A name that can be one segment of a path: names of RBAC objects and other free names.
pub fn path_segment(text: &str) -> Vec<String> {
    match text {
        "." | ".." => vec![format!("may not be '{text}'")],
        _ => ["/", "%"]
            .iter()
            .filter(|part| text.contains(**part))
            .map(|part| format!("may not contain '{part}'"))
            .collect(),
    }
}

/// A qualified name, the key of a label or annotation: `[subdomain/]name`.
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((prefix, name)) => {
            if name.contains('/') {
                let message = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must \
                               start and end with an alphanumeric character";
                let examples = ["MyName", "my.name", "123-abc"];
                let ending = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
                return vec![form(message, QUALIFIED_FORM, &examples) + ending];
            }
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".to_owned());
            } else {
                errors.extend(
                    subdomain(prefix)
                        .into_iter()
                        .map(|error| format!("prefix part {error}")),
                );
            }
            name
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > QUALIFIED_NAME_MAX_BYTES {
        errors.push(format!("name part {}", too_long(QUALIFIED_NAME_MAX_BYTES)));
    }
    if !is_qualified_part(name) {
        errors.push(form(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
             alphanumeric character",
            QUALIFIED_FORM,
            &["MyName", "my.name", "123-abc"],
        ));
    }
    errors
}

/// The value of a label.
pub fn label_value(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_VALUE_MAX_BYTES {
        errors.push(too_long(LABEL_VALUE_MAX_BYTES));
    }
    if !text.is_empty() && !is_qualified_part(text) {
        errors.push(form(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
            LABEL_VALUE_FORM,
            &["MyValue", "my_value", "12345"],
        ));
    }
    errors
}

/// A key of a ConfigMap or Secret.
pub fn config_key(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > SUBDOMAIN_MAX_BYTES {
        errors.push(too_long(SUBDOMAIN_MAX_BYTES));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.is_empty() || !text.bytes().all(fits) {
        errors.push(form(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            CONFIG_KEY_FORM,
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match text {
        "." => errors.push("must not be '.'".to_owned()),
        ".." => errors.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => errors.push("must not start with '..'".to_owned()),
        _ => {}
    }
    errors
}

/// The name of an environment variable.
pub fn env_name(text: &str) -> Vec<String> {
    let fits = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    if !text.is_empty() && text.bytes().all(fits) {
        Vec::new()
    } else {
        vec![ENV_NAME_MESSAGE.to_owned()]
    }
}

/// The name of a container's port, an IANA service name.
pub fn port_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 15 {
        errors.push("must be no more than 15 characters".to_owned());
    }
    let fits = |byte: u8| lower_alphanumeric(byte) || byte == b'-';
    if !text.bytes().all(fits) {
        errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        errors.push("must contain at least one letter (a-z)".to_owned());
    }
    if text.contains("--") {
        errors.push("must not contain consecutive hyphens".to_owned());
    }
    if text.starts_with('-') || text.ends_with('-') {
        errors.push("must not begin or end with a hyphen".to_owned());
    }
    errors
}

/// A port number.
pub fn port_number(port: i32) -> Option<String> {
    (!(1..=65535).contains(&port)).then(|| "must be between 1 and 65535, inclusive".to_owned())
}

/// The letters of generated names: no vowels and nothing that looks like one; upstream's.
pub use crate::hash::SAFE_ALPHABET;

/// A name made from `prefix` and five letters drawn from `random`.
///
/// The prefix is cut so that the name has at most 63 bytes. The caller retries with another number where the name is
/// taken.
pub fn generate_name(prefix: &str, random: u64) -> String {
    let mut end = prefix.len().min(GENERATED_NAME_MAX_BYTES - SUFFIX_LEN);
    while !prefix.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = String::with_capacity(end + SUFFIX_LEN);
    name.push_str(&prefix[..end]);
    name.push_str(&suffix(random));
    name
}

/// Five letters of [`SAFE_ALPHABET`] drawn from `random`.
pub fn suffix(random: u64) -> String {
    let base = SAFE_ALPHABET.len() as u64;
    let letters = (0..SUFFIX_LEN).scan(random, |rest, _| {
        let letter = SAFE_ALPHABET.get((*rest % base) as usize).copied();
        *rest /= base;
        letter
    });
    letters.map(char::from).collect()
}

/// A UID in the form of a random UUID (version 4) made from 128 random bits.
pub fn uid(random: u128) -> String {
    uuid::Builder::from_u128(random)
        .with_version(uuid::Version::Random)
        .with_variant(uuid::Variant::RFC4122)
        .into_uuid()
        .to_string()
}

/// The size that counts against [`ANNOTATIONS_MAX_BYTES`].
pub fn annotations_size_bytes(annotations: &BTreeMap<String, String>) -> usize {
    annotations
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum()
}

/// The name of a field manager, as `fieldManager` carries it.
pub fn field_manager(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > FIELD_MANAGER_MAX_BYTES {
        errors.push(too_long(FIELD_MANAGER_MAX_BYTES));
    }
    if text.chars().any(|character| character.is_control()) {
        errors.push(format!(
            "{} should only contain printable characters",
            quote(text)
        ));
    }
    errors
}
