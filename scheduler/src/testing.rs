//! Short ways to make pods and nodes for this crate's tests.

use std::sync::Arc;

use coracle_api::Resource;
use coracle_client::Object;
use coracle_runtime::{Key, Project};
use serde_json::Value;

use crate::{
    projection::{Allocatable, Node, Pod, State, Unbound},
    requirements::{Class, Effect, Load, Requests, Requirements, Taint},
};

pub const MIB: i64 = 1 << 20;

/// Reads an object as the cache would.
pub fn project<T: Project>(resource: &'static Resource, json: &Value) -> T {
    let text = |at: &str| {
        json.pointer(at)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let object = Object {
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        uid: text("/metadata/uid"),
        revision: 7,
        json: json.to_string().into(),
    };
    T::project(&object).unwrap_or_else(|error| panic!("project {resource}: {error}"))
}

/// A ready node with nothing special about it.
pub fn node(name: &str, cpu_milli: i64, memory_mib: i64, pods: i64) -> Node {
    Node {
        name: name.into(),
        labels: Box::new([("kubernetes.io/hostname".into(), name.into())]),
        taints: Box::new([]),
        is_unschedulable: false,
        allocatable: Allocatable {
            cpu_milli,
            memory_bytes: memory_mib * MIB,
            pods,
            ..Allocatable::default()
        },
        images: Box::new([]),
    }
}

pub fn taint(key: &str, value: &str, effect: Effect) -> Taint {
    Taint {
        key: key.into(),
        value: value.into(),
        effect,
    }
}

/// What a pod with one container requires that requests so much.
pub fn requirements(cpu_milli: i64, memory_mib: i64) -> Requirements {
    let requests = Requests {
        cpu_milli,
        memory_bytes: memory_mib * MIB,
        nonzero_cpu_milli: if cpu_milli == 0 { 100 } else { cpu_milli },
        nonzero_memory_bytes: if memory_mib == 0 {
            200 * MIB
        } else {
            memory_mib * MIB
        },
        ..Requests::default()
    };
    Requirements {
        load: Load {
            requests,
            ..Load::default()
        },
        ..Requirements::default()
    }
}

pub fn owned_by(owner: &str, mut requirements: Requirements) -> Requirements {
    requirements.load.owner = Some(owner.into());
    requirements
}

pub fn key(name: &str) -> Key {
    Key::new("default", name)
}

/// A waiting pod.
pub fn waiting(uid: &str, requirements: Requirements) -> Arc<Pod> {
    with_priority(uid, requirements, 0)
}

pub fn with_priority(uid: &str, requirements: Requirements, priority: i32) -> Arc<Pod> {
    let unbound = Unbound {
        revision: 1,
        scheduler_name: "default-scheduler".into(),
        priority,
        never_preempts: false,
        nominated_node: "".into(),
        is_gated: false,
        is_deleting: false,
        class: Class::new(requirements),
        condition: None,
        owner: None,
    };
    Arc::new(Pod {
        uid: uid.into(),
        state: State::Unbound(Box::new(unbound)),
    })
}

/// A bound pod.
pub fn bound(uid: &str, node: &str, requirements: &Requirements) -> Arc<Pod> {
    let state = State::Bound {
        node: node.into(),
        load: requirements.load.clone(),
        priority: 0,
        started: "".into(),
    };
    Arc::new(Pod {
        uid: uid.into(),
        state,
    })
}
