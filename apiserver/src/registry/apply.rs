//! Applying manifests inside the server: what `kubectl apply` does, in one call.
//!
//! Each document is created where it is missing; else the difference between what was last applied, what is applied
//! now and what is there becomes a strategic merge patch.

use bytes::Bytes;
use coracle_api::{ApiError, Resource, patch::three_way, yaml};
use serde_json::Value;

use super::{
    Applied, ApplyOutcome, Applying, Context, PatchType, Preconditions, Registry, Target, Write, Written,
    custom,
};

/// The largest manifest, as the limit of request bodies is.
pub const MAX_MANIFEST_BYTES: usize = 3 << 20;

impl Registry {
    /// Applies the documents of a YAML or JSON text in order; one that fails does not stop the others. `namespace` is
    /// that of namespaced objects that name none; empty for `default`.
    ///
    /// # Errors
    /// [`ApiError`] where the text cannot be read at all.
    pub async fn apply_manifest(
        &self,
        ctx: &Context,
        manifest: &str,
        namespace: &str,
        how: Applying,
    ) -> Result<Vec<Applied>, ApiError> {
        if manifest.len() > MAX_MANIFEST_BYTES {
            return Err(ApiError::request_entity_too_large(format!(
                "limit is {MAX_MANIFEST_BYTES}"
            )));
        }
        let documents =
            yaml::documents(manifest).map_err(|error| ApiError::bad_request(error.to_string()))?;
        let namespace = if namespace.is_empty() {
            "default"
        } else {
            namespace
        };
        let mut results = Vec::with_capacity(documents.len());
        for (index, document) in documents.into_iter().enumerate() {
            let applied = match self.apply(ctx, document, namespace, how).await {
                Ok((written, outcome)) => Applied {
                    index,
                    outcome: Ok(outcome),
                    entry: Some(written.entry),
                    warnings: written.warnings,
                },
                Err(error) => Applied {
                    index,
                    outcome: Err(error),
                    entry: None,
                    warnings: Vec::new(),
                },
            };
            results.push(applied);
        }
        Ok(results)
    }

    async fn apply(
        &self,
        ctx: &Context,
        mut document: Value,
        namespace: &str,
        how: Applying,
    ) -> Result<(Written, ApplyOutcome), ApiError> {
        let resource = self.resource_of(&document)?;
        let target = complete(&mut document, resource, namespace)?;
        if let Applying::ServerSide { force } = how {
            return self.apply_server_side(ctx, target, &document, force).await;
        }
        let Some(wanted) = three_way::with_last_applied(document) else {
            return Err(ApiError::bad_request(
                "read document: it must be an object with metadata",
            ));
        };
        let Some(current) = self.cache.get(resource, &target.key()) else {
            let body = Bytes::from(serde_json::to_vec(&wanted).map_err(ApiError::internal)?);
            let create = Write::Create {
                resource,
                namespace: target.namespace,
                name: target.name,
                body,
            };
            self.allow_at_gate(ctx, &create)?;
            let written = self.write(ctx, create).await?;
            return Ok((written, ApplyOutcome::Created));
        };
        let live: Value = serde_json::from_slice(&current.json).map_err(ApiError::internal)?;
        let last = three_way::last_applied(&live);
        let patch = three_way::diff(resource, last.as_ref(), &wanted, &live);
        let patch_type = if custom::is_custom(resource) {
            // A difference without lists to merge is a merge patch.
            PatchType::Merge
        } else {
            PatchType::StrategicMerge
        };
        let patch = Bytes::from(serde_json::to_vec(&patch).map_err(ApiError::internal)?);
        let patch = Write::Patch {
            target,
            subresource: String::new(),
            patch_type,
            body: patch,
            preconditions: Preconditions::default(),
        };
        self.allow_at_gate(ctx, &patch)?;
        let written = self.write(ctx, patch).await?;
        let outcome = outcome_of(ctx, &written, current.revision);
        Ok((written, outcome))
    }

    fn resource_of(&self, document: &Value) -> Result<&'static Resource, ApiError> {
        let text = |field: &str| document[field].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if api_version.is_empty() || kind.is_empty() {
            return Err(ApiError::bad_request(
                "read document: apiVersion and kind must be set",
            ));
        }
        self.catalog.now().of_object(&api_version, &kind).ok_or_else(|| {
            ApiError::bad_request(format!(
                "no matches for kind \"{kind}\" in version \"{api_version}\""
            ))
        })
    }

    async fn apply_server_side(
        &self,
        ctx: &Context,
        target: Target,
        document: &Value,
        force: bool,
    ) -> Result<(Written, ApplyOutcome), ApiError> {
        let before = self.cache.get(target.resource, &target.key());
        let body = Bytes::from(serde_json::to_vec(document).map_err(ApiError::internal)?);
        let write = Write::Apply {
            target,
            subresource: String::new(),
            body,
            force,
        };
        self.allow_at_gate(ctx, &write)?;
        let written = self.write(ctx, write).await?;
        let outcome = outcome_of(ctx, &written, before.map_or(0, |before| before.revision));
        Ok((written, outcome))
    }
}

/// What became of an object that was at revision `before`.
fn outcome_of(ctx: &Context, written: &Written, before: i64) -> ApplyOutcome {
    if written.created {
        ApplyOutcome::Created
    } else if written.entry.revision == before && !ctx.options.dry_run {
        ApplyOutcome::Unchanged
    } else {
        ApplyOutcome::Configured
    }
}

/// Gives the document its namespace and says which object it is.
fn complete(document: &mut Value, resource: &'static Resource, namespace: &str) -> Result<Target, ApiError> {
    let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Err(ApiError::bad_request("read document: metadata must be set"));
    };
    let text = |field: &str| {
        metadata
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (name, own) = (text("name"), text("namespace"));
    if name.is_empty() {
        return Err(ApiError::bad_request("read document: metadata.name must be set"));
    }
    if !resource.namespaced {
        return Ok(Target::new(resource, "", name));
    }
    let namespace = if own.is_empty() { namespace.to_owned() } else { own };
    metadata.insert("namespace".to_owned(), Value::String(namespace.clone()));
    Ok(Target::new(resource, namespace, name))
}
