//! Tables against the documented behaviour of structured-merge-diff, and properties of the whole.

use std::sync::LazyLock;

use coracle_api::schema::{Field, ListMerge, PatchStrategy, Scalar, Schema, Shape, ShapeId, Struct, View};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

mod applying;
mod properties;
mod sets;
mod updating;
mod values;

/// A type like a Deployment, small and with every kind of shape.
struct Workload {
    schema: Schema,
    root: ShapeId,
}

static WORKLOAD: LazyLock<Workload> = LazyLock::new(|| {
    let mut schema = Schema::default();
    let root = build(&mut schema);
    Workload { schema, root }
});

fn view() -> View<'static> {
    WORKLOAD.schema.at(WORKLOAD.root)
}

fn structure(schema: &mut Schema, fields: &[(&str, ShapeId, Option<Value>)], is_atomic: bool) -> ShapeId {
    let mut fields: Vec<Field> = fields
        .iter()
        .map(|(name, shape, default)| Field {
            name: (*name).into(),
            shape: *shape,
            patch: PatchStrategy::default(),
            default: default.clone(),
        })
        .collect();
    fields.sort_by(|one, other| one.name.cmp(&other.name));
    schema.add(Shape::Struct(Struct {
        name: "io.k8s.Test".into(),
        fields,
        is_atomic,
        ..Struct::default()
    }))
}

fn list(schema: &mut Schema, item: ShapeId, keys: &[&str]) -> ShapeId {
    let merge = ListMerge::Map(keys.iter().map(|key| (*key).into()).collect());
    schema.add(Shape::List { item, merge })
}

fn build(schema: &mut Schema) -> ShapeId {
    let text = schema.add(Shape::Scalar(Scalar::String));
    let whole = schema.add(Shape::Scalar(Scalar::Integer));
    let map = schema.add(Shape::Map {
        value: text,
        is_atomic: false,
    });
    let atomic_map = schema.add(Shape::Map {
        value: text,
        is_atomic: true,
    });
    let set = schema.add(Shape::List {
        item: text,
        merge: ListMerge::Set,
    });
    let texts = schema.add(Shape::List {
        item: text,
        merge: ListMerge::Atomic,
    });
    let metadata = [
        ("annotations", map, None),
        ("creationTimestamp", text, None),
        ("finalizers", set, None),
        ("labels", map, None),
        ("name", text, None),
        ("namespace", text, None),
    ];
    let metadata = structure(schema, &metadata, false);
    let port = [
        ("containerPort", whole, None),
        ("name", text, None),
        ("protocol", text, Some(json!("TCP"))),
    ];
    let port = structure(schema, &port, false);
    let ports = list(schema, port, &["containerPort", "protocol"]);
    let variable = structure(schema, &[("name", text, None), ("value", text, None)], false);
    let variables = list(schema, variable, &["name"]);
    let container = [
        ("command", texts, None),
        ("env", variables, None),
        ("image", text, None),
        ("name", text, None),
        ("ports", ports, None),
    ];
    let container = structure(schema, &container, false);
    let containers = list(schema, container, &["name"]);
    let pod_spec = structure(
        schema,
        &[
            ("containers", containers, None),
            ("nodeSelector", atomic_map, None),
        ],
        false,
    );
    let template = structure(
        schema,
        &[("metadata", metadata, None), ("spec", pod_spec, None)],
        false,
    );
    let selector = structure(schema, &[("matchLabels", map, None)], true);
    let spec = [
        ("paused", text, None),
        ("replicas", whole, None),
        ("selector", selector, None),
        ("template", template, None),
    ];
    let spec = structure(schema, &spec, false);
    let condition = structure(schema, &[("status", text, None), ("type", text, None)], false);
    let conditions = list(schema, condition, &["type"]);
    let status = structure(
        schema,
        &[("conditions", conditions, None), ("replicas", whole, None)],
        false,
    );
    let root = [
        ("apiVersion", text, None),
        ("kind", text, None),
        ("metadata", metadata, None),
        ("spec", spec, None),
        ("status", status, None),
    ];
    structure(schema, &root, false)
}

/// A writer to the object itself, at a time of its own.
fn writer(manager: &str, second: i64) -> Writer<'_> {
    Writer {
        manager,
        api_version: "apps/v1",
        subresource: "",
        now: Timestamp::from_second(second).unwrap(),
    }
}

fn set(value: Value) -> FieldSet {
    FieldSet::from_value(&value).unwrap()
}

/// What a manager owns; panics where it is not there.
#[track_caller]
fn owned(managers: &Managers, name: &str) -> Value {
    let manager = managers.iter().find(|manager| manager.name == name);
    match manager {
        Some(manager) => manager.fields.to_value(),
        None => panic!("{name} owns nothing: {managers:?}"),
    }
}

fn names(managers: &Managers) -> Vec<&str> {
    let mut names: Vec<_> = managers.iter().map(|manager| manager.name.as_str()).collect();
    names.sort_unstable();
    names
}

static NOTHING: LazyLock<FieldSet> = LazyLock::new(FieldSet::default);

/// An object that grows by applied configurations and updates.
#[derive(Clone, Debug, Default)]
struct Object {
    value: Value,
    managers: Managers,
    clock: i64,
}

impl Object {
    fn new() -> Self {
        Self {
            value: json!({}),
            ..Self::default()
        }
    }

    fn try_apply(&mut self, manager: &str, force: bool, config: &Value) -> Result<(), ApplyError> {
        self.clock += 1;
        let applied = Applied {
            config,
            force,
            ignored: &NOTHING,
        };
        let writer = writer(manager, self.clock);
        let managers = self.managers.clone();
        (self.value, self.managers) = managers.apply(&self.value, &blank(view()), applied, view(), writer)?;
        Ok(())
    }

    #[track_caller]
    fn apply(&mut self, manager: &str, config: Value) {
        if let Err(error) = self.try_apply(manager, false, &config) {
            panic!("{error}");
        }
    }

    #[track_caller]
    fn refused(&mut self, manager: &str, config: Value) -> String {
        self.try_apply(manager, false, &config).unwrap_err().to_string()
    }

    fn update(&mut self, manager: &str, new: Value) {
        self.clock += 1;
        let writer = writer(manager, self.clock);
        let managers = std::mem::take(&mut self.managers);
        self.managers = managers.update(&self.value, &new, view(), &NOTHING, writer);
        self.value = new;
    }
}
