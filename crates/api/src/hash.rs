//! The hash that tells one pod template from another, stable across versions and machines.

use k8s_openapi::api::core::v1::PodTemplateSpec;

#[cfg(test)]
mod tests;

/// Vowels and what looks like them are left out, so that no hash spells a word; upstream's alphabet.
pub const SAFE_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

/// The `pod-template-hash` of a template: a name part that differs where templates differ.
///
/// `collision_count` is the Deployment's, raised when two templates met on one hash. The template is compared by its
/// JSON with sorted maps, after defaults, so equal templates always hash alike.
pub fn pod_template_hash(template: &PodTemplateSpec, collision_count: Option<i32>) -> String {
    let json = match serde_json::to_vec(template) {
        Ok(json) => json,
        Err(error) => unreachable!("a pod template has only string keys and finite numbers: {error}"),
    };
    let mut hash = fnv1a(FNV_OFFSET, &json);
    if let Some(count) = collision_count {
        hash = fnv1a(hash, &count.to_le_bytes());
    }
    safe_encode(&hash.to_string())
}

/// FNV-1a, 32 bits: small, and specified to the bit.
fn fnv1a(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME)
    })
}

/// Writes any text in [`SAFE_ALPHABET`], a letter for each byte.
pub fn safe_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| char::from(SAFE_ALPHABET[usize::from(byte) % SAFE_ALPHABET.len()]))
        .collect()
}
