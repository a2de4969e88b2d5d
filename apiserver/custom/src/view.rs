//! A version's schema as the graph of shapes that patches and server-side apply walk.

use std::collections::BTreeMap;

use coracle_api::schema::{Field, ListMerge, PatchStrategy, Scalar, Schema, Shape, ShapeId, Struct};

use crate::schema::{Additional, Kind, ListType, Node};

/// The graph of a version and the shape of its objects.
#[must_use]
pub fn graph(root: &Node) -> (Schema, ShapeId) {
    let mut schema = Schema::default();
    let mut fields = properties(&mut schema, root);
    let string = schema.add(Shape::Scalar(Scalar::String));
    fields.insert("apiVersion".into(), plain(string));
    fields.insert("kind".into(), plain(string));
    let metadata = metadata(&mut schema);
    fields.insert("metadata".into(), plain(metadata));
    let root = schema.add(Shape::Struct(Struct {
        fields: sorted(fields),
        keeps_unknown: root.keeps_unknown,
        ..Struct::default()
    }));
    (schema, root)
}

type Fields = BTreeMap<Box<str>, (ShapeId, Option<serde_json::Value>)>;

fn plain(shape: ShapeId) -> (ShapeId, Option<serde_json::Value>) {
    (shape, None)
}

fn sorted(fields: Fields) -> Vec<Field> {
    let field = |(name, (shape, default))| Field {
        name,
        shape,
        patch: PatchStrategy::default(),
        default,
    };
    fields.into_iter().map(field).collect()
}

fn properties(schema: &mut Schema, node: &Node) -> Fields {
    let below = node
        .properties
        .iter()
        .map(|(name, below)| (name.clone(), (shape_of(schema, below), below.default.clone())));
    below.collect()
}

fn shape_of(schema: &mut Schema, node: &Node) -> ShapeId {
    let shape = match node.kind {
        Kind::Any => Shape::Any,
        Kind::String => Shape::Scalar(Scalar::String),
        Kind::Integer => Shape::Scalar(Scalar::Integer),
        Kind::Number => Shape::Scalar(Scalar::Number),
        Kind::Boolean => Shape::Scalar(Scalar::Boolean),
        Kind::IntOrString => Shape::Scalar(Scalar::IntOrString),
        Kind::Array => Shape::List {
            item: match &node.items {
                Some(items) => shape_of(schema, items),
                None => schema.add(Shape::Any),
            },
            merge: match &node.list {
                ListType::Atomic => ListMerge::Atomic,
                ListType::Set => ListMerge::Set,
                ListType::Map(keys) => ListMerge::Map(keys.clone()),
            },
        },
        Kind::Object => match &node.additional {
            Additional::Schema(values) => Shape::Map {
                value: shape_of(schema, values),
                is_atomic: node.is_atomic,
            },
            Additional::Any => Shape::Map {
                value: schema.add(Shape::Any),
                is_atomic: node.is_atomic,
            },
            Additional::None if node.properties.is_empty() && node.keeps_unknown && !node.is_atomic => {
                Shape::Any
            }
            Additional::None => {
                let mut fields = properties(schema, node);
                if node.is_embedded {
                    let any = schema.add(Shape::Any);
                    for name in crate::prune::OBJECT_FIELDS {
                        fields.entry(name.into()).or_insert(plain(any));
                    }
                }
                Shape::Struct(Struct {
                    fields: sorted(fields),
                    is_atomic: node.is_atomic,
                    keeps_unknown: node.keeps_unknown,
                    ..Struct::default()
                })
            }
        },
    };
    schema.add(shape)
}

/// `ObjectMeta`, as far as clients write it.
fn metadata(schema: &mut Schema) -> ShapeId {
    let string = schema.add(Shape::Scalar(Scalar::String));
    let integer = schema.add(Shape::Scalar(Scalar::Integer));
    let boolean = schema.add(Shape::Scalar(Scalar::Boolean));
    let texts = schema.add(Shape::Map {
        value: string,
        is_atomic: false,
    });
    let finalizers = schema.add(Shape::List {
        item: string,
        merge: ListMerge::Set,
    });
    let owner = ["apiVersion", "kind", "name", "uid"].map(|name| (name.into(), plain(string)));
    let flags = ["blockOwnerDeletion", "controller"].map(|name| (name.into(), plain(boolean)));
    let owner = schema.add(Shape::Struct(Struct {
        fields: sorted(owner.into_iter().chain(flags).collect()),
        is_atomic: true,
        ..Struct::default()
    }));
    let owners = schema.add(Shape::List {
        item: owner,
        merge: ListMerge::Map(vec!["uid".into()]),
    });
    let any = schema.add(Shape::Any);
    let managed = schema.add(Shape::List {
        item: any,
        merge: ListMerge::Atomic,
    });
    let fields: Fields = [
        ("annotations", texts),
        ("creationTimestamp", string),
        ("deletionGracePeriodSeconds", integer),
        ("deletionTimestamp", string),
        ("finalizers", finalizers),
        ("generateName", string),
        ("generation", integer),
        ("labels", texts),
        ("managedFields", managed),
        ("name", string),
        ("namespace", string),
        ("ownerReferences", owners),
        ("resourceVersion", string),
        ("selfLink", string),
        ("uid", string),
    ]
    .into_iter()
    .map(|(name, shape)| (name.into(), plain(shape)))
    .collect();
    schema.add(Shape::Struct(Struct {
        name: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".into(),
        fields: sorted(fields),
        ..Struct::default()
    }))
}
