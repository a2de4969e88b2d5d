//! A registry on the memory store, for the tests of this crate.

pub(crate) mod webhooks;

use std::{net::Ipv4Addr, sync::Arc};

use coracle_api::{ApiError, Resource, kinds};
use coracle_service::{Env, Random, Spawn};
use coracle_store::{MemoryConfig, MemoryStore, RecordCodec};
use serde_json::{Value, json};

use crate::{
    registry::{Context, DeleteOptions, Entry, PatchType, Preconditions, Registry, Target, Written},
    sealing, seed,
};

/// A seeded environment without threads.
pub(crate) fn env() -> Env {
    Env {
        random: Random::seeded(1),
        spawn: Spawn::inline(),
        ..Env::host()
    }
}

/// A registry with its store.
pub(crate) struct Bench {
    pub registry: Arc<Registry>,
    pub store: MemoryStore,
    pub env: Env,
    pub codec: RecordCodec,
}

impl Bench {
    /// With the first namespaces and the `kubernetes` Service.
    pub async fn new() -> Self {
        let bench = Self::empty(MemoryConfig::default());
        seed::seed(&bench.registry, ([127, 0, 0, 1], 6443).into())
            .await
            .unwrap();
        bench
    }

    pub fn empty(config: MemoryConfig) -> Self {
        let env = env();
        let codec = sealing::codec(None, &env.random).unwrap();
        let store = MemoryStore::new(config);
        let registry = Self::open(&store, &codec, &env);
        Self {
            registry,
            store,
            env,
            codec,
        }
    }

    fn open(store: &MemoryStore, codec: &RecordCodec, env: &Env) -> Arc<Registry> {
        let store = Arc::new(store.clone());
        Arc::new(Registry::open(store, codec.clone(), (Ipv4Addr::new(10, 96, 0, 0), 24), env).unwrap())
    }

    /// The same store under a new registry, as after a restart.
    pub fn reopened(&self) -> Arc<Registry> {
        Self::open(&self.store, &self.codec, &self.env)
    }

    pub async fn create(&self, resource: &'static Resource, object: Value) -> Result<Written, ApiError> {
        self.create_with(&Context::internal(), resource, object).await
    }

    pub async fn create_with(
        &self,
        ctx: &Context,
        resource: &'static Resource,
        object: Value,
    ) -> Result<Written, ApiError> {
        let namespace = if resource.namespaced { "default" } else { "" };
        self.registry
            .create(ctx, resource, namespace, "", object.to_string().into())
            .await
    }

    /// Forgets all history.
    pub fn store_compact(&self) {
        use coracle_store::Store;
        self.store.compact(self.store.revision());
    }

    pub async fn get(&self, resource: &'static Resource, name: &str) -> Result<Value, ApiError> {
        self.registry
            .get(&target(resource, name), "", None)
            .await
            .map(|entry| json_of(&entry))
    }

    pub async fn update(
        &self,
        target: Target,
        subresource: &str,
        object: &Value,
    ) -> Result<Written, ApiError> {
        self.registry
            .update(
                &Context::internal(),
                target,
                subresource,
                object.to_string().into(),
            )
            .await
    }

    pub async fn patch(&self, target: Target, subresource: &str, patch: Value) -> Result<Written, ApiError> {
        let body = patch.to_string().into();
        let ctx = Context::internal();
        self.registry
            .patch(
                &ctx,
                target,
                subresource,
                PatchType::Merge,
                body,
                Preconditions::default(),
            )
            .await
    }

    pub async fn delete(&self, target: Target, options: DeleteOptions) -> Result<Written, ApiError> {
        self.registry
            .write(
                &Context::internal(),
                crate::registry::Write::Delete { target, options },
            )
            .await
    }
}

/// An object in namespace `default`.
pub(crate) fn target(resource: &'static Resource, name: &str) -> Target {
    Target::new(resource, if resource.namespaced { "default" } else { "" }, name)
}

pub(crate) fn json_of(entry: &Entry) -> Value {
    serde_json::from_slice(&entry.json).unwrap()
}

pub(crate) fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

pub(crate) fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]},
    })
}

pub(crate) fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]},
            },
        },
    })
}

pub(crate) fn binding(pod: &str, node: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod}, "target": {"kind": "Node", "name": node}})
}

/// Binds a pod of namespace `default`.
pub(crate) async fn bind(bench: &Bench, pod: &str, node: &str) -> Result<Written, ApiError> {
    let body = binding(pod, node).to_string().into();
    bench
        .registry
        .create_subresource(&Context::internal(), target(kinds::POD, pod), "binding", body)
        .await
}
