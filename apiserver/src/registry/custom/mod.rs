//! Custom resources: kinds that come and go while the server runs.
//!
//! A CustomResourceDefinition becomes a row for each of its served versions ([`rows`]), found through the
//! [`Catalog`], and one [`behaviour::CustomBehaviour`] that all versions share. From there on custom resources take
//! the same way as built-in kinds. [`lifecycle`] keeps catalog and definitions together: a definition is judged and
//! its conditions are set in the write itself, and its resources are served before that write is answered.
//!
//! Versions of a custom resource differ in their schema and in nothing else, so an object of one is an object of the
//! other with another `apiVersion`; unless the definition names a webhook, which is then asked for every object that is
//! to be of another version than it is ([`super::convert`]).

mod api_services;
mod behaviour;
mod catalog;
mod lifecycle;
mod rows;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use coracle_api::{Resource, encode, kinds};
use coracle_custom::conversion::Conversion;

pub use behaviour::{CustomBehaviour, Served};
pub use catalog::{Catalog, Snapshot};
pub(super) use lifecycle::FINALIZER;
pub use lifecycle::run;
pub(super) use rows::behaviour_at;

/// Whether the kind is a custom one.
#[must_use]
pub fn is_custom(resource: &Resource) -> bool {
    resource.place >= kinds::RESOURCES.len()
}

/// What is served of a custom kind now; `None` for built-in ones.
#[must_use]
pub fn of(resource: &Resource) -> Option<&'static CustomBehaviour> {
    is_custom(resource)
        .then(|| behaviour_at(resource.place))
        .flatten()
}

/// What writers of a deprecated version are told.
#[must_use]
pub fn deprecation(resource: &Resource) -> Option<String> {
    let now = of(resource)?.now()?;
    now.version(resource.version)?
        .deprecation
        .as_deref()
        .map(str::to_owned)
}

/// The webhook that converts the objects of a kind, where it has one.
#[must_use]
pub fn conversion(resource: &Resource) -> Option<Conversion> {
    of(resource)?.now()?.conversion().cloned()
}

/// A stored object as the stored version of its kind: objects of a custom resource that were stored before another
/// version became the stored one still say the former.
#[must_use]
pub fn stored_form(resource: &Resource, json: Bytes) -> Bytes {
    if !is_custom(resource) || conversion(resource).is_some() {
        return json;
    }
    match encode::head(&json) {
        Some((own, _)) if own != resource.api_version => {
            let start = b"{\"apiVersion\":\"".len();
            let Some(rest) = json.get(start + own.len()..) else {
                return json;
            };
            let mut renamed = Vec::with_capacity(json.len() + resource.api_version.len());
            renamed.extend_from_slice(b"{\"apiVersion\":\"");
            renamed.extend_from_slice(resource.api_version.as_bytes());
            renamed.extend_from_slice(rest);
            renamed.into()
        }
        _ => json,
    }
}
