//! What strategic merge does with one field, read from the shape of the object around it.

use crate::kinds::Resource;
use crate::schema::{self, Shape, View};

/// How one field is merged.
#[derive(Clone, Copy)]
pub(super) enum Rule<'a> {
    /// An object, field by field; `union` where only the fields in `$retainKeys` stay because setting one unsets the
    /// others.
    Object { of: View<'a>, union: bool },
    /// A list of objects that are told apart by the value of `key`.
    List {
        key: &'a str,
        item: View<'a>,
        union: bool,
    },
    /// A list of scalars, merged as a set.
    Set,
    /// A scalar or a list that is replaced.
    Plain,
}

/// The shape of a kind's objects; of free JSON where the kind is not built in.
pub(super) fn shape(resource: &Resource) -> View<'static> {
    schema::builtin(resource.api_version, resource.kind).unwrap_or_else(View::any)
}

/// Whether the shape of a kind's objects is known.
pub(super) fn is_known(resource: &Resource) -> bool {
    schema::builtin(resource.api_version, resource.kind).is_some()
}

impl<'a> Rule<'a> {
    /// The rule of a field of `object`.
    pub(super) fn of(object: View<'a>, field: &str) -> Self {
        let Some(of) = object.field(field) else {
            // Decoding will refuse or drop it; until then it is merged as far as it is an object.
            return Self::Object {
                of: View::any(),
                union: false,
            };
        };
        let strategy = object.patch_strategy(field);
        let union = strategy.is_some_and(|strategy| strategy.retain_keys);
        let key = strategy.and_then(|strategy| strategy.merge_key.as_deref());
        match (of.shape(), key) {
            (Shape::List { .. }, Some("")) => Self::Set,
            (Shape::List { .. }, Some(key)) => Self::List {
                key,
                item: of.item(),
                union,
            },
            (Shape::List { .. } | Shape::Scalar(_), _) => Self::Plain,
            (Shape::Struct(_) | Shape::Map { .. } | Shape::Any, _) => Self::Object { of, union },
        }
    }
}
