//! Server-side apply: a manager's whole will becomes the change of an object, or the object itself.
//!
//! The merge and the ownership of fields are `coracle_fields`'; this file says what a configuration may look like,
//! finds the object, and hands the merged one to the same planning as any other write.

use bytes::Bytes;
use coracle_api::{ApiError, FieldError, Path, Reason, Resource};
use coracle_fields::{Applied, ApplyError, Managers, Writer, blank};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value, json};

use super::{
    Context, Preconditions, Registry, Target, Write,
    body::decode_patched,
    change::{check_preconditions, part_of},
    managed, meta,
    plan::{Change, Current, Overlay, Plan, View},
    scale, strategy,
};

impl Registry {
    /// Plans the application of a configuration.
    pub(super) fn plan_apply(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        subresource: &str,
        body: &Bytes,
        force: bool,
    ) -> Result<Plan, ApiError> {
        if ctx.options.field_manager.is_empty() {
            return Err(manager_required());
        }
        if subresource == "scale" {
            return self.plan_apply_scale(ctx, overlay, target, body, force);
        }
        let part = part_of(target.resource, subresource)?;
        let config = read_config(target.resource, body)?;
        let current = match overlay.current(self, ctx, target) {
            Ok(current) => Some(current),
            Err(error) if error.is_not_found() && subresource.is_empty() => None,
            Err(error) => return Err(error),
        };
        let asked = Preconditions {
            uid: text_of(&config, "uid"),
            revision: None,
        };
        match (&current, &asked.uid) {
            (Some(current), _) => check_preconditions(target, current, &asked)?,
            (None, Some(uid)) => {
                let why = format!(
                    "uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                );
                return Err(ApiError::conflict_because(target.resource, &target.name, why));
            }
            (None, None) => {}
        }
        let (merged, managers) = self.merged(ctx, target, (current.as_ref(), subresource), &config, force)?;
        let merged = serde_json::to_vec(&merged).map_err(ApiError::internal)?;
        let mut new = decode_patched(ctx, target.resource, &merged, body)?;
        new.applied = Some(managers);
        let Some(current) = current else {
            // The door asked whether the caller may patch.
            self.allow_at_gate(ctx, &created_by(target))?;
            let place = (target.namespace.as_str(), target.name.as_str());
            return self.plan_create(ctx, overlay, target.resource, place, new);
        };
        meta::place(&mut *new.object, target.resource, &target.namespace, &target.name)?;
        let revision = text_of(&config, "resourceVersion")
            .map(|_| meta::asked_revision(target.resource, new.object.metadata()))
            .transpose()?
            .flatten();
        check_preconditions(target, &current, &Preconditions { uid: None, revision })?;
        self.plan_replace(ctx, overlay, &current, part, new, revision.is_some())
    }

    /// The object with the configuration in it, and its managers.
    fn merged(
        &self,
        ctx: &Context,
        target: &Target,
        (current, subresource): (Option<&Current>, &str),
        config: &Value,
        force: bool,
    ) -> Result<(Value, Managers), ApiError> {
        let resource = target.resource;
        let mut live = match current {
            Some(current) => {
                let shown = self.shown(ctx, current.entry.clone(), View::of(resource))?;
                serde_json::from_slice(&shown.json).map_err(ApiError::internal)?
            }
            None => json!({}),
        };
        let managers = managers_of(&mut live)?;
        let shape = managed::shape_of(resource);
        let view = shape.view();
        let applied = Applied {
            config,
            force,
            ignored: managed::ignored(resource, subresource),
        };
        let writer = Writer {
            manager: &ctx.options.field_manager,
            api_version: resource.api_version,
            subresource,
            now: self.env.cluster_clock.now(),
        };
        let outcome = managers.apply(&live, &blank(view), applied, view, writer);
        outcome.map_err(|error| refusal(target, error))
    }

    /// Plans the application of a Scale: of the one field of the object that it stands for.
    fn plan_apply_scale(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        body: &Bytes,
        force: bool,
    ) -> Result<Plan, ApiError> {
        let current = overlay.current(self, ctx, target)?;
        let behaviour = strategy::of(target.resource);
        let old = behaviour.parse(&current.entry.json)?;
        let present = behaviour.scale(&*old).ok_or_else(ApiError::resource_not_found)?;
        let wanted = scale::read(body)?;
        let asked = Preconditions {
            uid: wanted.metadata.uid.clone(),
            revision: meta::asked_revision(target.resource, &wanted.metadata)?,
        };
        check_preconditions(target, &current, &asked)?;
        let body: Value = serde_json::from_slice(body).map_err(ApiError::internal)?;
        // A Scale that says nothing of replicas owns nothing.
        let config = match body.pointer("/spec/replicas") {
            Some(replicas) => json!({"spec": {"replicas": replicas}}),
            None => json!({}),
        };
        let (merged, managers) = self.merged(ctx, target, (Some(&current), "scale"), &config, force)?;
        let replicas = merged.pointer("/spec/replicas").and_then(Value::as_i64);
        let replicas = replicas.and_then(|replicas| i32::try_from(replicas).ok());
        let mut new = old.clone();
        behaviour.set_scale(&mut *new, replicas.unwrap_or(present.wanted));
        if behaviour.is_spec_changed(&*new, &*old) == Some(true) {
            meta::raise_generation(&mut *new);
        }
        managed::set(&mut *new, &managers);
        managed::keep_times(&mut *new, &*old, &current.entry.json);
        let change = Change::Replace {
            current: &current,
            was_asked: asked.revision.is_some(),
        };
        self.plan_change(ctx, overlay, &mut *new, change, Vec::new(), View::Scale)
    }
}

/// An apply that does not say for whom.
pub(crate) fn manager_required() -> ApiError {
    let error = FieldError::required(&Path::new("fieldManager"), "is required for apply patch");
    ApiError::invalid_kind("meta.k8s.io", "PatchOptions", "", vec![error])
}

/// The create that an apply comes to where the object is missing, as far as leave has to be asked for it.
fn created_by(target: &Target) -> Write {
    Write::Create {
        resource: target.resource,
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        body: Bytes::new(),
    }
}

/// Reads a configuration and judges its head.
fn read_config(resource: &Resource, body: &[u8]) -> Result<Value, ApiError> {
    let config: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("error decoding YAML: {error}")))?;
    let text = |field: &str| config.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if api_version != resource.api_version {
        return Err(ApiError::bad_request(format!(
            "Incorrect version specified in apply patch. Specified patch version: {api_version}, expected: {}",
            resource.api_version
        )));
    }
    if kind != resource.kind {
        return Err(ApiError::bad_request(format!(
            "Incorrect kind specified in apply patch. Specified patch kind: {kind}, expected: {}",
            resource.kind
        )));
    }
    let config = Value::Object(config);
    let managed_fields = config.pointer("/metadata/managedFields");
    if managed_fields.is_some_and(|entries| !entries.is_null()) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    Ok(config)
}

fn text_of(config: &Value, field: &str) -> Option<String> {
    let text = config.get("metadata")?.get(field)?.as_str()?;
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// Takes the managers out of a live object.
fn managers_of(live: &mut Value) -> Result<Managers, ApiError> {
    let Some(entries) = managed::take_entries(live) else {
        return Ok(Managers::default());
    };
    let entries: Vec<ManagedFieldsEntry> = serde_json::from_value(entries).map_err(ApiError::internal)?;
    Managers::decode(&entries).map_err(ApiError::internal)
}

fn refusal(target: &Target, error: ApplyError) -> ApiError {
    match error {
        ApplyError::Conflicts(conflicts) => conflicts.into_api_error(),
        ApplyError::Invalid(invalid) => {
            let Target {
                resource,
                namespace,
                name,
            } = target;
            let Resource {
                group, version, kind, ..
            } = resource;
            // Upstream has no reason for this, only the code 500 that comes with none.
            ApiError::new(
                Reason::Unknown,
                format!(
                    "failed to create typed patch object ({namespace}/{name}; {group}/{version}, Kind={kind}): {invalid}"
                ),
            )
        }
    }
}
