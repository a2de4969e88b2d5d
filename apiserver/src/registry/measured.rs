//! Objects that are measured when they are asked for, and never stored: those of `metrics.k8s.io`, and
//! ComponentStatuses.

use std::sync::Arc;

use async_trait::async_trait;
use coracle_api::{ApiError, Resource, kinds};

use super::{Entry, ListRequest, ListResult, Registry, Target, read::continue_after};
use crate::watch::Filter;

/// The group whose objects are measured.
const METRICS_GROUP: &str = "metrics.k8s.io";

/// Whether the objects of a kind are measured.
pub(super) fn is_measured(resource: &Resource) -> bool {
    resource.group == METRICS_GROUP || *resource == *kinds::COMPONENT_STATUS
}

/// Who measures.
#[async_trait]
pub trait Source: Send + Sync {
    /// All objects of `resource`, in a namespace or (where it is empty) in all; in key order.
    ///
    /// # Errors
    /// [`ApiError`] where nothing can be measured at all. What cannot be reached is left out.
    async fn measure(
        &self,
        registry: &Registry,
        resource: &'static Resource,
        namespace: &str,
    ) -> Result<Vec<Entry>, ApiError>;
}

impl Registry {
    /// Says who measures. The first one stays.
    pub fn measure_with(&self, source: Arc<dyn Source>) {
        let _ = self.measures.set(source);
    }

    async fn measure(&self, resource: &'static Resource, namespace: &str) -> Result<Vec<Entry>, ApiError> {
        if resource == kinds::COMPONENT_STATUS {
            return Ok(self.components());
        }
        let source = self
            .measures
            .get()
            .ok_or_else(|| ApiError::unavailable("the server is currently unable to handle the request"))?;
        source.measure(self, resource, namespace).await
    }

    pub(super) async fn get_measured(&self, target: &Target) -> Result<Entry, ApiError> {
        let measured = self.measure(target.resource, &target.namespace).await?;
        let found = measured
            .into_iter()
            .find(|entry| *entry.attributes.name == *target.name);
        found.ok_or_else(|| ApiError::not_found(target.resource, &target.name))
    }

    /// A page of what is measured now; the pages of one list are measured one by one.
    pub(super) async fn list_measured(
        &self,
        request: &ListRequest,
        filter: &Filter,
        start_after: Option<&str>,
    ) -> Result<ListResult, ApiError> {
        let mut entries = self.measure(request.resource, &request.namespace).await?;
        entries.retain(|entry| {
            filter.matches(&entry.attributes) && start_after.is_none_or(|after| &*entry.key > after)
        });
        let revision = self.revision();
        let limit = if request.limit == 0 {
            usize::MAX
        } else {
            request.limit
        };
        let remaining = entries.len().saturating_sub(limit);
        entries.truncate(limit);
        Ok(ListResult {
            continue_token: (remaining > 0).then(|| continue_after(request, revision, &entries)),
            remaining: None,
            revision,
            entries,
        })
    }
}
