//! What a planned write holds for itself until its outcome is known: a Service's addresses, and room in quotas.

use std::time::Duration;

use coracle_admission::quota::{Hold, Present, Stale};
use coracle_api::{ApiError, Object, Resource, kinds};
use coracle_service::Shutdown;
use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use super::{
    Context, PatchType, Preconditions, Registry, Target,
    plan::{Plan, Reserved},
};
use crate::watch::{Filter, Observer};

/// How long changes are gathered before the status of a quota follows them.
const QUOTA_DELAY: Duration = Duration::from_millis(100);

impl Registry {
    /// Reserves what `object`, which is complete, needs beside its own place in the store.
    pub(super) fn reserve(
        &self,
        ctx: &Context,
        object: &mut dyn Object,
        old: Option<&dyn Object>,
    ) -> Result<Reserved, ApiError> {
        let addresses = self.assign_addresses(object, old)?;
        let mut reserved = Reserved {
            addresses,
            quota: None,
        };
        match self.reserve_quota(object, old.is_none()) {
            Ok(quota) => reserved.quota = quota,
            Err(error) => {
                self.release_reserved(&reserved);
                return Err(error);
            }
        }
        if ctx.options.dry_run {
            self.release_reserved(&reserved);
            return Ok(Reserved::default());
        }
        Ok(reserved)
    }

    /// Hands what was reserved to the plan, or gives it back where there is none.
    pub(super) fn with_reserved(
        &self,
        plan: Result<Plan, ApiError>,
        reserved: Reserved,
    ) -> Result<Plan, ApiError> {
        match plan {
            Ok(Plan::Commit(mut pending)) => {
                pending.reserved = reserved;
                Ok(Plan::Commit(pending))
            }
            other => {
                self.release_reserved(&reserved);
                other
            }
        }
    }

    /// Gives back what a plan held, whether it was carried out or not.
    pub(super) fn release_reserved(&self, reserved: &Reserved) {
        let Reserved { addresses, quota } = reserved;
        if let Some(addresses) = addresses {
            self.addresses.release(addresses);
        }
        if let Some(quota) = quota {
            self.ledger.release(quota);
        }
    }

    /// Gives a Service its addresses; other kinds need none.
    fn assign_addresses(
        &self,
        object: &mut dyn Object,
        old: Option<&dyn Object>,
    ) -> Result<Option<super::addresses::Reservation>, ApiError> {
        let old = old.and_then(|old| old.downcast_ref::<Service>());
        let Some(service) = object.downcast_mut::<Service>() else {
            return Ok(None);
        };
        self.addresses.assign(&self.cache, service, old).map(Some)
    }

    fn reserve_quota(&self, object: &dyn Object, is_new: bool) -> Result<Option<Hold>, ApiError> {
        let (resource, namespace) = (object.resource(), object.namespace());
        if !resource.namespaced || !self.ledger.may_limit(resource, namespace) {
            return Ok(None);
        }
        let key = resource.store_key(namespace, object.name());
        self.ledger
            .reserve(&key, object, is_new, |limits| self.present(namespace, limits))
            .map_err(|why| ApiError::forbidden(resource, object.name(), why))
    }

    /// The objects of a namespace of those kinds that `limits` names.
    fn present(&self, namespace: &str, limits: &dyn Fn(&Resource) -> bool) -> Present {
        let filter = Filter {
            namespace: namespace.to_owned(),
            ..Filter::default()
        };
        let mut present = Present::new();
        for resource in self.catalog.now().rows() {
            if !resource.namespaced || !resource.is_storage() || !limits(resource) {
                continue;
            }
            let page = self.cache.list(resource, &filter, None, 0, None);
            let entries = page.into_iter().flat_map(|page| page.entries);
            present.extend(entries.map(|entry| (entry.key.to_string(), resource, entry.json)));
        }
        present
    }

    /// Has admission and the ledger of quotas follow every change, from the first one on.
    pub(super) fn follow_changes(&self) {
        let ledger = std::sync::Arc::clone(&self.ledger);
        if let Some(quotas) = kinds::of_object("v1", "ResourceQuota") {
            let page = self.cache.list(quotas, &Filter::default(), None, 0, None);
            for entry in page.into_iter().flat_map(|page| page.entries) {
                ledger.observe(&entry.key, quotas, &entry.attributes.namespace, Some(&entry.json));
            }
        }
        let admission = std::sync::Arc::clone(&self.admission);
        let observer: Observer = Box::new(move |resource, entry, is_there| {
            admission.observe(resource, entry.revision);
            let json = is_there.then_some(&entry.json);
            ledger.observe(&entry.key, resource, &entry.attributes.namespace, json);
        });
        self.cache.observe_with(observer);
    }

    /// Writes the usage of quotas into their status, a little after each change, until shutdown.
    pub async fn keep_quotas(&self, shutdown: &Shutdown) {
        while shutdown.guard(self.ledger.changed()).await.is_some() {
            if shutdown
                .guard(self.env.transport_clock.sleep(QUOTA_DELAY))
                .await
                .is_none()
            {
                return;
            }
            self.tell_quotas().await;
        }
    }

    /// Writes the usage of quotas into their status, where it says something else.
    pub(crate) async fn tell_quotas(&self) {
        for namespace in self.ledger.uncounted() {
            self.ledger
                .count(&namespace, |limits| self.present(&namespace, limits));
        }
        let Some(resource) = kinds::of_object("v1", "ResourceQuota") else {
            return;
        };
        let ctx = Context::internal();
        for stale in self.ledger.stale() {
            let Stale {
                namespace,
                name,
                hard,
                used,
            } = stale;
            let status = json!([{"op": "add", "path": "/status", "value": {"hard": hard, "used": used}}]);
            let told = self.patch(
                &ctx,
                Target::new(resource, namespace, name),
                "status",
                PatchType::Json,
                status.to_string().into(),
                Preconditions::default(),
            );
            // What could not be told is still stale, and the next change tries again.
            if let Err(error) = told.await {
                tracing::debug!(%error, "write status of quota");
            }
        }
    }
}
