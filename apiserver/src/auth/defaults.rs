//! Default roles and bindings in the registry: made at first start, brought up to date at every other, and aggregated
//! roles kept like the roles that they are made of.

use std::sync::Arc;

use coracle_api::{ApiError, Resource};
use coracle_auth::{
    RBAC_GROUP,
    defaults::{self, DefaultObject},
    rbac::{self, RoleObject, aggregate},
};
use coracle_service::{Env, Shutdown};
use serde_json::{Value, json};

use super::lookup::row;
use crate::{
    registry::{Context, Entry, Registry, Start, Target, WatchRequest, Write},
    watch::Filter,
};

/// Creates the default roles and bindings that are missing, and completes the others.
///
/// # Errors
/// [`ApiError`] of the first that cannot be written.
pub async fn seed(registry: &Registry) -> Result<(), ApiError> {
    let _unwatched = registry.unwatched();
    let writes: Vec<Write> = defaults::all()
        .iter()
        .filter_map(|wanted| write_for(registry, wanted))
        .collect();
    for outcome in registry.batch(&Context::internal(), writes, false).await? {
        outcome?;
    }
    Ok(())
}

fn write_for(registry: &Registry, wanted: &DefaultObject) -> Option<Write> {
    let resource = row(RBAC_GROUP, wanted.kind.plural())?;
    let target = Target::new(resource, wanted.namespace, wanted.name.as_str());
    let Some(present) = registry.cache().get(resource, &target.key()) else {
        return Some(Write::Create {
            resource,
            namespace: target.namespace,
            name: target.name,
            body: wanted.object.to_string().into(),
        });
    };
    let present: Value = serde_json::from_slice(&present.json).ok()?;
    let updated = defaults::reconcile(wanted, &present)?;
    tracing::info!(name = wanted.name, "complete default {}", wanted.kind.plural());
    Some(update(target, &updated))
}

fn update(target: Target, object: &Value) -> Write {
    Write::Update {
        target,
        subresource: String::new(),
        body: object.to_string().into(),
    }
}

/// Keeps aggregated ClusterRoles up to date until shutdown.
pub(crate) fn aggregate_roles(registry: &Arc<Registry>, env: &Env, shutdown: &Shutdown) {
    let Some(resource) = row(RBAC_GROUP, rbac::Kind::ClusterRole.plural()) else {
        return;
    };
    let (registry, shutdown) = (Arc::clone(registry), shutdown.clone());
    env.spawn.task("role-aggregation", async move {
        shutdown.guard(follow(&registry, resource)).await;
    });
}

async fn follow(registry: &Registry, resource: &'static Resource) {
    loop {
        let request = WatchRequest {
            bookmarks: false,
            ..WatchRequest::all(resource, Start::Now { initial: true })
        };
        let mut watch = match registry.watch(request) {
            Ok(watch) => watch,
            Err(error) => return tracing::error!(%error, "follow ClusterRoles"),
        };
        while let Some(Ok(events)) = watch.next().await {
            let entries = events.iter().filter_map(|event| event.entry.as_ref());
            if !entries.into_iter().any(may_matter) {
                continue;
            }
            if let Err(error) = aggregate_all(registry, resource).await {
                tracing::warn!(%error, "aggregate ClusterRoles");
            }
        }
    }
}

/// A role without labels is part of no other, and one without the field is made of none.
fn may_matter(entry: &Entry) -> bool {
    const FIELD: &[u8] = b"\"aggregationRule\"";
    !entry.attributes.labels.is_empty() || entry.json.windows(FIELD.len()).any(|window| window == FIELD)
}

async fn aggregate_all(registry: &Registry, resource: &'static Resource) -> Result<(), ApiError> {
    let Some(page) = registry.cache().list(resource, &Filter::default(), None, 0, None) else {
        return Ok(());
    };
    let roles: Vec<RoleObject> = page
        .entries
        .iter()
        .filter_map(|entry| serde_json::from_slice(&entry.json).ok())
        .collect();
    for role in &roles {
        let Some(rules) = aggregate(role, &roles) else {
            continue;
        };
        let name = &role.metadata.name;
        let target = Target::new(resource, "", name.as_str());
        let Some(entry) = registry.cache().get(resource, &target.key()) else {
            continue;
        };
        let mut object: Value = serde_json::from_slice(&entry.json).map_err(ApiError::internal)?;
        object["rules"] = json!(rules);
        // Where somebody else was faster, their change comes as an event and brings us here again.
        match registry
            .write(&Context::internal(), update(target, &object))
            .await
        {
            Err(error) if !error.is_conflict() && !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
