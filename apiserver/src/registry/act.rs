//! Subresources that act on a pod when something is created there: `binding` and `eviction`.

use coracle_api::{ApiError, kinds};
use k8s_openapi::api::{core::v1::Binding, policy::v1::Eviction};

use super::{
    Context, DeleteOptions, Registry, Target,
    plan::{Change, Overlay, Plan, View},
    strategy::{self, pod},
};

impl Registry {
    /// Plans what creating `subresource` does.
    pub(super) fn plan_act(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        subresource: &str,
        body: &[u8],
    ) -> Result<Plan, ApiError> {
        match subresource {
            "binding" if *target.resource == *kinds::POD => self.plan_binding(ctx, overlay, target, body),
            "eviction" if *target.resource == *kinds::POD => self.plan_eviction(ctx, overlay, target, body),
            _ => Err(ApiError::resource_not_found()),
        }
    }

    /// Binds a pod to a node.
    fn plan_binding(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        body: &[u8],
    ) -> Result<Plan, ApiError> {
        let binding: Binding = serde_json::from_slice(body).map_err(|error| {
            ApiError::bad_request(format!(
                "Binding in version \"v1\" cannot be handled as a Binding: {error}"
            ))
        })?;
        let current = overlay.current(self, target)?;
        let behaviour = strategy::of(target.resource);
        let mut pod = behaviour.parse(&current.entry.json)?;
        let Some(typed) = pod.downcast_mut() else {
            return Err(ApiError::resource_not_found());
        };
        pod::bind(typed, &binding, self.env.cluster_clock.now())?;
        let change = Change::Replace {
            current: &current,
            was_asked: false,
        };
        self.plan_change(ctx, overlay, &mut *pod, change, Vec::new(), View::Whole)
    }

    /// Deletes a pod. Disruption budgets, which may refuse, come with their kind.
    fn plan_eviction(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        body: &[u8],
    ) -> Result<Plan, ApiError> {
        let eviction: Eviction = serde_json::from_slice(body).map_err(|error| {
            ApiError::bad_request(format!(
                "Eviction in version \"v1\" cannot be handled as a Eviction: {error}"
            ))
        })?;
        let asked = eviction.delete_options.unwrap_or_default();
        let preconditions = asked.preconditions.unwrap_or_default();
        let options = DeleteOptions {
            grace: asked.grace_period_seconds,
            uid: preconditions.uid,
            revision: preconditions.resource_version.and_then(|text| text.parse().ok()),
            ..DeleteOptions::default()
        };
        self.plan_delete(ctx, overlay, target, &options)
    }
}
