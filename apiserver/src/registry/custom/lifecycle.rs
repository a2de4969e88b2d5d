//! The life of a definition: judged and given its conditions in the write, served before that is answered, and gone
//! only after its objects.

use std::sync::Arc;

use coracle_api::{ApiError, Object, Resource, kinds, time};
use coracle_custom::Definition;
use coracle_service::{Env, Shutdown};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionCondition, CustomResourceDefinitionNames,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::catalog::Snapshot;
use crate::registry::{
    Context, DeleteOptions, ListRequest, Propagation, Registry, Start, Target, WatchRequest,
};

/// Held until the definition's objects are gone; the name is upstream's.
pub(in crate::registry) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";
/// How often a definition that is being deleted is looked at again.
const TEND_INTERVAL: std::time::Duration = std::time::Duration::from_secs(1);

impl Registry {
    /// Judges the schemas of a definition that is otherwise valid, and says in its status what it is served as. Other
    /// objects are left alone.
    pub(in crate::registry) fn complete_definition(&self, object: &mut dyn Object) -> Result<(), ApiError> {
        let now = time::time(self.env.cluster_clock.now());
        let Some(own) = object.downcast_mut::<CustomResourceDefinition>() else {
            return Ok(());
        };
        let name = own.metadata.name.clone().unwrap_or_default();
        Definition::compile(own)
            .map_err(|errors| ApiError::invalid(kinds::CUSTOM_RESOURCE_DEFINITION, &name, errors))?;
        set_conditions(own, &self.catalog.now(), &now);
        Ok(())
    }

    /// Serves the definition of this name as it is now, or no longer.
    pub(in crate::registry) fn refresh_definition(&self, name: &str) {
        let _alone = self.catalog.look();
        let target = Target::new(kinds::CUSTOM_RESOURCE_DEFINITION, "", name);
        let Some(entry) = self.cache.get(target.resource, &target.key()) else {
            self.catalog.remove(name);
            return;
        };
        if !self.catalog.see(name, entry.revision) {
            return;
        }
        let object: CustomResourceDefinition = match coracle_api::object::typed(&entry.json) {
            Ok(object) => object,
            Err(error) => return tracing::error!(%error, name, "read custom resource definition"),
        };
        if is_true(&object, "NamesAccepted") {
            self.catalog.accept(name);
        }
        if !is_true(&object, "Established") {
            return;
        }
        match Definition::compile(&object) {
            Err(errors) => {
                let why = coracle_api::field_error::aggregate(&errors);
                tracing::error!(name, why, "serve custom resource definition");
            }
            Ok(definition) => {
                if let Some(storage) = self.catalog.install(&object, Arc::new(definition))
                    && let Err(error) = self.cache.add_kind(storage)
                {
                    tracing::error!(%error, name, "read objects of custom resource definition");
                }
            }
        }
    }

    /// Serves all definitions, as after a start.
    pub(in crate::registry) fn load_definitions(&self) {
        for name in self.definition_names() {
            self.refresh_definition(&name);
        }
    }

    /// The schemas of the custom kinds that are served, as their definitions have them.
    #[must_use]
    pub fn custom_schemas(&self) -> Vec<(&'static Resource, serde_json::Value)> {
        let mut schemas = Vec::new();
        for row in self.catalog.now().custom() {
            let name = format!("{}.{}", row.plural, row.group);
            let target = Target::new(kinds::CUSTOM_RESOURCE_DEFINITION, "", name);
            let Some(entry) = self.cache.get(target.resource, &target.key()) else {
                continue;
            };
            let Ok(mut object) = serde_json::from_slice::<serde_json::Value>(&entry.json) else {
                continue;
            };
            let versions = object
                .pointer_mut("/spec/versions")
                .and_then(serde_json::Value::as_array_mut);
            let own = versions.and_then(|all| all.iter_mut().find(|version| version["name"] == row.version));
            if let Some(schema) = own.and_then(|version| version.pointer_mut("/schema/openAPIV3Schema")) {
                schemas.push((*row, schema.take()));
            }
        }
        schemas
    }

    fn definition_names(&self) -> Vec<String> {
        let all = self.cache.list(
            kinds::CUSTOM_RESOURCE_DEFINITION,
            &crate::watch::Filter::default(),
            None,
            0,
            None,
        );
        let entries = all.map(|page| page.entries).unwrap_or_default();
        entries
            .iter()
            .map(|entry| entry.attributes.name.to_string())
            .collect()
    }

    /// Does what definitions wait for: names that have become free are taken, and of definitions that are being
    /// deleted the objects go first. Says whether any still waits.
    ///
    /// # Errors
    /// [`ApiError`] of the first write that failed for good.
    pub async fn tend_definitions(&self) -> Result<bool, ApiError> {
        let mut waits = false;
        for name in self.definition_names() {
            let target = Target::new(kinds::CUSTOM_RESOURCE_DEFINITION, "", name.as_str());
            let Some(entry) = self.cache.get(target.resource, &target.key()) else {
                continue;
            };
            self.refresh_definition(&name);
            if let Some(storage) = self.catalog.now().storage_of(&name)
                && let Err(error) = self.store_anew(storage).await
            {
                tracing::warn!(%error, name, "store objects in the version that is stored now");
                waits = true;
            }
            if !entry.attributes.deleting && !self.catalog.awaits_names(&name) {
                continue;
            }
            let object: CustomResourceDefinition =
                coracle_api::object::typed(&entry.json).map_err(ApiError::internal)?;
            if object.metadata.deletion_timestamp.is_some() {
                waits |= !self.end_definition(&target, &object).await?;
            } else if !is_true(&object, "NamesAccepted") {
                self.accept_names(&target, object).await?;
            }
        }
        Ok(waits)
    }

    /// Takes the names of a definition where they are free by now.
    async fn accept_names(
        &self,
        target: &Target,
        mut object: CustomResourceDefinition,
    ) -> Result<(), ApiError> {
        if self.catalog.now().taken(&object).is_some() {
            return Ok(());
        }
        set_conditions(
            &mut object,
            &self.catalog.now(),
            &time::time(self.env.cluster_clock.now()),
        );
        self.write_definition(target, "status", &object).await
    }

    /// Deletes the objects of a definition and then lets it go. Says whether it is gone.
    async fn end_definition(
        &self,
        target: &Target,
        object: &CustomResourceDefinition,
    ) -> Result<bool, ApiError> {
        let finalizers = object.metadata.finalizers.as_deref().unwrap_or_default();
        if !finalizers.iter().any(|own| own == FINALIZER) {
            return Ok(true);
        }
        if let Some(storage) = self.catalog.now().storage_of(&target.name) {
            let options = DeleteOptions {
                propagation: Propagation::Background,
                ..DeleteOptions::default()
            };
            let all = ListRequest::all(storage);
            self.delete_collection(&Context::internal(), &all, &options)
                .await?;
            if self.count(storage) > 0 {
                return Ok(false);
            }
        }
        let mut object = object.clone();
        if let Some(finalizers) = &mut object.metadata.finalizers {
            finalizers.retain(|own| own != FINALIZER);
        }
        self.write_definition(target, "", &object).await?;
        Ok(true)
    }

    /// Writes a definition unless it has changed meanwhile, or is gone.
    async fn write_definition(
        &self,
        target: &Target,
        subresource: &str,
        object: &CustomResourceDefinition,
    ) -> Result<(), ApiError> {
        let body = serde_json::to_vec(object).map_err(ApiError::internal)?;
        let ctx = Context::internal();
        let written = self.update(&ctx, target.clone(), subresource, body.into()).await;
        match written {
            Err(error) if !error.is_conflict() && !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Tends the definitions whenever one changes, until shutdown.
pub async fn run(registry: Arc<Registry>, env: Env, shutdown: Shutdown) {
    loop {
        let from = Start::Now { initial: true };
        let request = WatchRequest::all(kinds::CUSTOM_RESOURCE_DEFINITION, from);
        let Ok(mut watch) = registry.watch(request) else {
            return;
        };
        loop {
            let waits = registry.tend_definitions().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "tend custom resource definitions");
                true
            });
            let waits = match registry.tend_api_services().await {
                Ok(()) => waits,
                Err(error) => {
                    tracing::warn!(%error, "register custom groups");
                    true
                }
            };
            let next = async {
                if waits {
                    let timed = env.cluster_clock.timeout(TEND_INTERVAL, watch.next()).await;
                    timed.unwrap_or(Some(Ok(Vec::new())))
                } else {
                    watch.next().await
                }
            };
            match shutdown.guard(next).await {
                None => return,
                Some(Some(Ok(_))) => {}
                // Cut off: begin again.
                Some(_) => break,
            }
        }
    }
}

fn is_true(object: &CustomResourceDefinition, kind: &str) -> bool {
    let conditions = object
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|own| own.type_ == kind && own.status == "True")
}

/// Sets the conditions and the accepted names. What was established once stays so.
fn set_conditions(object: &mut CustomResourceDefinition, catalog: &Snapshot, now: &Time) {
    let taken = catalog.taken(object);
    let was_established = is_true(object, "Established");
    let accepted = match &taken {
        None => ("True", "NoConflicts", "no conflicts found".to_owned()),
        Some(taken) => (
            "False",
            taken.reason,
            format!("\"{}\" is already in use", taken.name),
        ),
    };
    let established = match &taken {
        None => (
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
        Some(_) if was_established => (
            "True",
            "InitialNamesAccepted",
            "the initial names have been accepted",
        ),
        Some(_) => ("False", "NotAccepted", "not all names are accepted"),
    };
    let is_terminating = object.metadata.deletion_timestamp.is_some();
    let names = object.spec.names.clone();
    let status = object.status.get_or_insert_default();
    if taken.is_none() {
        status.accepted_names = Some(names);
    } else if !was_established {
        status.accepted_names = Some(CustomResourceDefinitionNames::default());
    }
    let conditions = status.conditions.get_or_insert_default();
    set(conditions, "NamesAccepted", accepted, now);
    let (value, reason, message) = established;
    set(
        conditions,
        "Established",
        (value, reason, message.to_owned()),
        now,
    );
    if is_terminating {
        let message = "CustomResource deletion is in progress".to_owned();
        set(
            conditions,
            "Terminating",
            ("True", "InstanceDeletionInProgress", message),
            now,
        );
    }
}

fn set(
    conditions: &mut Vec<CustomResourceDefinitionCondition>,
    kind: &str,
    (status, reason, message): (&str, &str, String),
    now: &Time,
) {
    let same = conditions
        .iter()
        .find(|own| own.type_ == kind && own.status == status);
    let since = same.and_then(|own| own.last_transition_time.clone());
    let condition = CustomResourceDefinitionCondition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: Some(reason.to_owned()),
        message: Some(message),
        last_transition_time: Some(since.unwrap_or_else(|| now.clone())),
    };
    match conditions.iter_mut().find(|own| own.type_ == kind) {
        Some(own) => *own = condition,
        None => conditions.push(condition),
    }
}
