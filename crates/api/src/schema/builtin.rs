//! The graph of the built-in types, made of the table when it is first asked for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::table::{self, FieldRow, Row, TypeRow};
use super::{Field, ListMerge, PatchStrategy, Scalar, Schema, Shape, ShapeId, Struct, View};

static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(BuiltIn::new);

/// The shape of a built-in kind's objects; `None` for a kind that is not built in.
pub fn builtin(api_version: &str, kind: &str) -> Option<View<'static>> {
    let built_in: &'static BuiltIn = &BUILT_IN;
    let versions = built_in.kinds.get(kind)?;
    let (_, id) = versions.iter().find(|(version, _)| *version == api_version)?;
    Some(built_in.schema.at(*id))
}

/// The shape of a built-in type by its name in OpenAPI, for example `io.k8s.api.core.v1.PodSpec`.
pub fn builtin_type(name: &str) -> Option<View<'static>> {
    let built_in: &'static BuiltIn = &BUILT_IN;
    built_in.types.get(name).map(|id| built_in.schema.at(*id))
}

/// Every built-in kind that the table knows: the type's name, `apiVersion` and `kind`.
pub fn builtin_kinds() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    table::rows().filter_map(|row| match row {
        Row::Type(TypeRow {
            name,
            kind: Some((api_version, kind)),
            ..
        }) => Some((name, api_version, kind)),
        _ => None,
    })
}

/// The versions in which a kind is there.
type Versions = Vec<(&'static str, ShapeId)>;

struct BuiltIn {
    schema: Schema,
    types: BTreeMap<&'static str, ShapeId>,
    kinds: BTreeMap<&'static str, Versions>,
}

impl BuiltIn {
    fn new() -> Self {
        let mut builder = Builder::default();
        let mut kinds: BTreeMap<&'static str, Versions> = BTreeMap::new();
        for row in table::rows() {
            if let Row::Type(row) = row {
                let id = builder.schema.reserve();
                builder.types.insert(row.name, id);
                if let Some((api_version, kind)) = row.kind {
                    kinds.entry(kind).or_default().push((api_version, id));
                }
            }
        }
        let mut open: Option<(TypeRow, Vec<Field>)> = None;
        for row in table::rows() {
            match row {
                Row::Type(row) => {
                    builder.close(open.replace((row, Vec::new())));
                }
                Row::Field(row) => {
                    let field = builder.field(&row);
                    if let Some((_, fields)) = &mut open {
                        fields.push(field);
                    }
                }
            }
        }
        builder.close(open);
        Self {
            schema: builder.schema,
            types: builder.types,
            kinds,
        }
    }
}

#[derive(Default)]
struct Builder {
    schema: Schema,
    types: BTreeMap<&'static str, ShapeId>,
    /// Lists, maps and scalars that were made already: a string is one shape wherever it occurs.
    shared: BTreeMap<Shared, ShapeId>,
}

/// What makes two lists or maps the same shape: their notation, whether they are atomic or a set, and their keys.
type Shared = (&'static str, bool, &'static str);

impl Builder {
    fn close(&mut self, of: Option<(TypeRow, Vec<Field>)>) {
        let Some((row, mut fields)) = of else { return };
        if row.kind.is_some() {
            // Every body says what it is; the types behind the table leave it out.
            for name in ["apiVersion", "kind"] {
                if !fields.iter().any(|field| field.name.as_ref() == name) {
                    fields.push(Field {
                        name: name.into(),
                        shape: self.shape("string", false, ""),
                        patch: PatchStrategy::default(),
                        default: None,
                    });
                }
            }
        }
        fields.sort_by(|one, other| one.name.cmp(&other.name));
        let shape = Shape::Struct(Struct {
            name: row.name.into(),
            fields,
            is_atomic: row.is_atomic,
            keeps_unknown: false,
        });
        if let Some(id) = self.types.get(row.name) {
            self.schema.set(*id, shape);
        }
    }

    fn field(&mut self, row: &FieldRow) -> Field {
        Field {
            name: row.name.into(),
            shape: self.shape(row.ty, row.is_atomic || row.is_set, row.keys),
            patch: PatchStrategy {
                merge_key: row.patch.map(Into::into),
                retain_keys: row.retain,
            },
            default: row.default.and_then(|text| serde_json::from_str(text).ok()),
        }
    }

    fn shape(&mut self, ty: &'static str, special: bool, keys: &'static str) -> ShapeId {
        if let Some(id) = self.types.get(ty) {
            return *id;
        }
        if let Some(id) = self.shared.get(&(ty, special, keys)) {
            return *id;
        }
        let shape = if let Some(item) = enclosed(ty, '[', ']') {
            let merge = match (keys, special) {
                ("", false) => ListMerge::Atomic,
                ("", true) => ListMerge::Set,
                (keys, _) => ListMerge::Map(keys.split(',').map(Into::into).collect()),
            };
            Shape::List {
                item: self.shape(item, false, ""),
                merge,
            }
        } else if let Some(value) = enclosed(ty, '{', '}') {
            Shape::Map {
                value: self.shape(value, false, ""),
                is_atomic: special,
            }
        } else {
            scalar(ty).map_or(Shape::Any, Shape::Scalar)
        };
        let id = self.schema.add(shape);
        self.shared.insert((ty, special, keys), id);
        id
    }
}

/// `[T]` or `{T}` without its brackets.
pub(crate) fn enclosed(ty: &'static str, open: char, close: char) -> Option<&'static str> {
    ty.strip_prefix(open)?.strip_suffix(close)
}

/// The scalar that the table calls so; `None` for free JSON.
fn scalar(ty: &str) -> Option<Scalar> {
    Some(match ty {
        "string" | "bytes" | "time" | "microtime" | "quantity" => Scalar::String,
        "int" => Scalar::Integer,
        "number" => Scalar::Number,
        "bool" => Scalar::Boolean,
        "intstr" => Scalar::IntOrString,
        _ => return None,
    })
}
