//! Small projections that many read straight from an object's JSON, without the typed struct.
//!
//! A typed pod takes about 19 KB of heap; these take a few hundred bytes. Consumers with more needs define their own
//! projection around [`MetaView`].

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de};

use crate::selector::LabelSet;

#[cfg(test)]
mod tests;

/// Labels or annotations: few, sorted by key, in one allocation for the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self
            .0
            .binary_search_by(|(known, _)| known.as_ref().cmp(key))
            .ok()?;
        self.0.get(found).map(|(_, value)| value.as_ref())
    }

    /// All pairs, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl LabelSet for Labels {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key)
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut pairs: Vec<(Box<str>, Box<str>)> = pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        // Stable, so that the last of equal keys is the one that stays, as in any JSON map.
        pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
        pairs.reverse();
        pairs.dedup_by(|(one, _), (other, _)| one == other);
        pairs.reverse();
        Self(pairs.into_boxed_slice())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> de::Visitor<'de> for Pairs {
            type Value = Labels;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of strings")
            }
            fn visit_unit<E>(self) -> Result<Labels, E> {
                Ok(Labels::default())
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<Box<str>, Box<str>>()? {
                    pairs.push(pair);
                }
                Ok(pairs.into_iter().collect())
            }
        }
        deserializer.deserialize_any(Pairs)
    }
}

/// What generic machinery needs to know about any object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetaView {
    /// Name, unique in the namespace.
    pub name: Box<str>,
    /// Namespace; empty for cluster-scoped kinds.
    #[serde(deserialize_with = "or_default")]
    pub namespace: Box<str>,
    /// UID, unique for ever.
    #[serde(deserialize_with = "or_default")]
    pub uid: Box<str>,
    /// Revision of the last change; zero where the JSON carries none.
    #[serde(deserialize_with = "revision")]
    pub resource_version: i64,
    /// Counts changes of the desired state.
    #[serde(deserialize_with = "or_default")]
    pub generation: i64,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: Labels,
    /// Annotations.
    #[serde(deserialize_with = "or_default")]
    pub annotations: Labels,
    /// What must be done before the object can go.
    #[serde(deserialize_with = "or_default")]
    pub finalizers: Box<[Box<str>]>,
    /// Whom the object belongs to.
    #[serde(deserialize_with = "or_default")]
    pub owner_references: Box<[OwnerView]>,
    /// When it was created.
    pub creation_timestamp: Option<Timestamp>,
    /// When it will be gone; set once deletion was asked for.
    pub deletion_timestamp: Option<Timestamp>,
    /// How long it may take to end, in seconds.
    pub deletion_grace_period_seconds: Option<i64>,
}

impl MetaView {
    /// The owner that controls this object.
    pub fn controller(&self) -> Option<&OwnerView> {
        self.owner_references.iter().find(|owner| owner.controller)
    }

    /// Whether deletion was asked for.
    pub fn is_deleting(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

/// A reference to an owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerView {
    /// The owner's `apiVersion`.
    pub api_version: Box<str>,
    /// The owner's kind.
    pub kind: Box<str>,
    /// The owner's name.
    pub name: Box<str>,
    /// The owner's UID.
    pub uid: Box<str>,
    /// Whether this owner is the one that manages the object.
    #[serde(deserialize_with = "or_default")]
    pub controller: bool,
    /// Whether the owner's foreground deletion waits for this object.
    #[serde(deserialize_with = "or_default")]
    pub block_owner_deletion: bool,
}

/// An object seen through its metadata alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectView {
    /// The object's `apiVersion`.
    #[serde(deserialize_with = "or_default")]
    pub api_version: Box<str>,
    /// The object's kind.
    #[serde(deserialize_with = "or_default")]
    pub kind: Box<str>,
    /// The object's metadata.
    #[serde(deserialize_with = "or_default")]
    pub metadata: MetaView,
}

/// Reads an object's kind and metadata.
pub fn object(json: &[u8]) -> Result<ObjectView, serde_json::Error> {
    serde_json::from_slice(json)
}

/// Reads an object's metadata.
pub fn metadata(json: &[u8]) -> Result<MetaView, serde_json::Error> {
    object(json).map(|object| object.metadata)
}

/// For `#[serde(deserialize_with)]`: null counts as missing, as everywhere in the API.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// For `#[serde(deserialize_with)]`: a revision in its string; empty, null or missing is zero.
pub fn revision<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    struct Text;
    impl de::Visitor<'_> for Text {
        type Value = i64;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a revision in a string")
        }
        fn visit_unit<E>(self) -> Result<i64, E> {
            Ok(0)
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
            if text.is_empty() {
                return Ok(0);
            }
            text.parse()
                .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Text)
}
