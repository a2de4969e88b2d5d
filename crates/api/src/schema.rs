//! The shape of objects: which fields a type has and how its lists and maps merge, for built-in and custom kinds alike.
//!
//! Strategic merge patch, server-side apply, the protobuf transcoder and OpenAPI all read the same graph of [`Shape`]s.
//! Built-in kinds are in one static [`Schema`] made from the committed table; every version of a custom
//! resource has one of its own, made from its definition. Types may refer to themselves (`JSONSchemaProps` does), so
//! shapes point to each other by number.

use std::fmt;

mod builtin;
pub mod table;
#[cfg(test)]
mod tests;

pub(crate) use builtin::enclosed;
pub use builtin::{builtin, builtin_kinds, builtin_type};

/// The number of a shape inside its [`Schema`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(pub u32);

/// A graph of shapes.
#[derive(Debug, Default)]
pub struct Schema {
    shapes: Vec<Shape>,
}

/// What a value looks like.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A string, number or boolean.
    Scalar(Scalar),
    /// An object with known fields.
    Struct(Struct),
    /// An object with arbitrary keys.
    Map {
        /// The shape of the values.
        value: ShapeId,
        /// Whether it is replaced as a whole (`x-kubernetes-map-type: atomic`).
        is_atomic: bool,
    },
    /// A list.
    List {
        /// The shape of the items.
        item: ShapeId,
        /// How two lists become one (`x-kubernetes-list-type`).
        merge: ListMerge,
    },
    /// JSON that nothing is known about: objects merge by key, lists are replaced.
    Any,
}

/// The kinds of scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    /// Text; also quantities, times and base64.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Text or a whole number, such as a port.
    IntOrString,
}

/// How a list merges in server-side apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListMerge {
    /// It is replaced as a whole.
    Atomic,
    /// Its items are scalars that occur once.
    Set,
    /// Its items are objects told apart by these fields.
    Map(Vec<Box<str>>),
}

/// An object with known fields.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Struct {
    /// The type's name where it has one, for example `io.k8s.api.core.v1.PodSpec`.
    pub name: Box<str>,
    /// Its fields, sorted by name.
    pub fields: Vec<Field>,
    /// Whether it is replaced as a whole (`x-kubernetes-map-type: atomic`).
    pub is_atomic: bool,
    /// Whether fields that are not listed are kept (`x-kubernetes-preserve-unknown-fields`).
    pub keeps_unknown: bool,
}

/// One field of a [`Struct`].
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its JSON name.
    pub name: Box<str>,
    /// The shape of its value.
    pub shape: ShapeId,
    /// What strategic merge patch does with it.
    pub patch: PatchStrategy,
    /// What is assumed where it is missing; matters for the keys of lists.
    pub default: Option<serde_json::Value>,
}

/// What strategic merge patch does with a field (`x-kubernetes-patch-strategy`, `x-kubernetes-patch-merge-key`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PatchStrategy {
    /// A list that is merged: by this field of its items, or, where that is empty, as a set of scalars.
    pub merge_key: Option<Box<str>>,
    /// Whether `$retainKeys` drops what it does not name.
    pub retain_keys: bool,
}

impl Schema {
    /// Adds a shape.
    pub fn add(&mut self, shape: Shape) -> ShapeId {
        let id = self.reserve();
        self.set(id, shape);
        id
    }

    /// Makes room for a shape that others refer to before it is known; [`Shape::Any`] until it is set.
    pub fn reserve(&mut self) -> ShapeId {
        let number = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
        self.shapes.push(Shape::Any);
        ShapeId(number)
    }

    /// Says what a reserved shape is.
    pub fn set(&mut self, id: ShapeId, shape: Shape) {
        if let Some(slot) = self.shapes.get_mut(id.0 as usize) {
            *slot = shape;
        }
    }

    /// A shape of this graph.
    pub fn at(&self, id: ShapeId) -> View<'_> {
        let shape = self.shapes.get(id.0 as usize).unwrap_or(&Shape::Any);
        View { schema: self, shape }
    }
}

/// A shape together with the graph that it is part of: what algorithms walk along with a value.
#[derive(Clone, Copy)]
pub struct View<'a> {
    schema: &'a Schema,
    shape: &'a Shape,
}

impl<'a> View<'a> {
    /// The shape of JSON that nothing is known about.
    pub fn any() -> View<'static> {
        static EMPTY: Schema = Schema { shapes: Vec::new() };
        EMPTY.at(ShapeId(0))
    }

    /// The shape itself.
    pub fn shape(self) -> &'a Shape {
        self.shape
    }

    /// A field of an object; `None` where the shape has no such field. Any key of a map is a field, and everything is
    /// one of [`Shape::Any`].
    pub fn field(self, name: &str) -> Option<View<'a>> {
        match self.shape {
            Shape::Struct(of) => match of.field(name) {
                Some(field) => Some(self.schema.at(field.shape)),
                None => of.keeps_unknown.then(View::any),
            },
            Shape::Map { value, .. } => Some(self.schema.at(*value)),
            Shape::Any => Some(self),
            Shape::Scalar(_) | Shape::List { .. } => None,
        }
    }

    /// What strategic merge patch does with a field.
    pub fn patch_strategy(self, name: &str) -> Option<&'a PatchStrategy> {
        match self.shape {
            Shape::Struct(of) => of.field(name).map(|field| &field.patch),
            _ => None,
        }
    }

    /// The items of a list; [`Shape::Any`] where nothing is known.
    pub fn item(self) -> View<'a> {
        match self.shape {
            Shape::List { item, .. } => self.schema.at(*item),
            _ => View::any(),
        }
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shape.fmt(f)
    }
}

impl Struct {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let at = self
            .fields
            .binary_search_by(|field| field.name.as_ref().cmp(name))
            .ok()?;
        self.fields.get(at)
    }
}
