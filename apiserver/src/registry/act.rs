//! Binding a pod to a node, through its subresource or by creating a Binding of its name.

use coracle_api::{ApiError, kinds};
use k8s_openapi::{api::core::v1::Binding, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::{
    Context, Registry, Target,
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

    /// Binds the pod that the Binding is named after.
    pub(super) fn plan_binding_by_name(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        namespace: &str,
        body: &[u8],
    ) -> Result<Plan, ApiError> {
        #[derive(serde::Deserialize)]
        struct Head {
            metadata: Option<ObjectMeta>,
        }
        let head = serde_json::from_slice::<Head>(body).ok();
        let metadata = head.and_then(|head| head.metadata).unwrap_or_default();
        let own = metadata.namespace.unwrap_or_default();
        let namespace = if namespace.is_empty() { &own } else { namespace };
        let target = Target::new(kinds::POD, namespace, metadata.name.unwrap_or_default());
        self.plan_binding(ctx, overlay, &target, body)
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
        let current = overlay.current(self, ctx, target)?;
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
}
