//! Addresses of LoadBalancer Services: one each, for as long as the Service is one.
//!
//! What is given out is read from the Services' own status, so that nothing is given out twice after a restart and every
//! address stays.

use std::{collections::BTreeSet, net::Ipv4Addr, sync::Arc, time::Duration};

use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::{PatchType, Write, WriteOptions};
use coracle_proxy::view::{ServiceView, Type};
use coracle_runtime::{Note, ObjectRef};
use serde_json::json;
use tokio::sync::Notify;

use crate::{
    Shared,
    config::{Range, mask},
};

/// The class that a Service may name to ask for this balancer; none is as good.
pub(crate) const CLASS: &str = "coracle.dev/edge";
/// How long to wait before writes that were refused are tried again.
const RETRY: Duration = Duration::from_millis(500);

/// A change of a Service's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It gets this address.
    Give(Arc<ServiceView>, Ipv4Addr),
    /// It no longer has one.
    Take(Arc<ServiceView>),
    /// It cannot have what it asks for: the reason.
    Refuse(Arc<ServiceView>, String),
}

/// Whether a Service is this balancer's.
pub(crate) fn is_ours(service: &ServiceView) -> bool {
    service.kind == Type::LoadBalancer && matches!(&*service.load_balancer_class, "" | CLASS)
}

/// What to change, given all Services and the range; its first address is the Ingress controller's.
pub(crate) fn plan(services: &[Arc<ServiceView>], (base, prefix): Range) -> Vec<Step> {
    let first = (u32::from(base) & mask(prefix)) + 1;
    let last = (u32::from(base) | !mask(prefix)) - 1;
    let within = |address: Ipv4Addr| (first + 1..=last).contains(&u32::from(address));
    let mut used: BTreeSet<Ipv4Addr> = BTreeSet::new();
    let mut steps = Vec::new();
    let mut wanting = Vec::new();
    let mut services = services.to_vec();
    // In a fixed order, so that of two that claim one address the same always keeps it.
    services.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
    for service in services {
        let given = service.load_balancer_ips.first().copied();
        if !is_ours(&service) {
            // A status of another balancer is that one's to clear.
            if service.kind != Type::LoadBalancer && given.is_some_and(within) {
                steps.push(Step::Take(service));
            }
            continue;
        }
        let wanted = service.wanted_ip.filter(|wanted| within(*wanted));
        match given {
            Some(given)
                if within(given) && wanted.is_none_or(|wanted| wanted == given) && used.insert(given) => {}
            _ if service.deleting => {}
            _ => wanting.push(service),
        }
    }
    for service in wanting {
        let free = |used: &BTreeSet<Ipv4Addr>| {
            (first + 1..=last)
                .map(Ipv4Addr::from)
                .find(|own| !used.contains(own))
        };
        let address = match service.wanted_ip {
            Some(wanted) if !within(wanted) => Err(format!(
                "requested address {wanted} is outside of {base}/{prefix}"
            )),
            Some(wanted) if used.contains(&wanted) => {
                Err(format!("requested address {wanted} is already in use"))
            }
            Some(wanted) => Ok(wanted),
            None => free(&used).ok_or_else(|| format!("no address of {base}/{prefix} is free")),
        };
        match address {
            Ok(address) => {
                used.insert(address);
                steps.push(Step::Give(service, address));
            }
            Err(why) => steps.push(Step::Refuse(service, why)),
        }
    }
    steps
}

/// Gives addresses until shutdown.
pub(crate) async fn run(shared: Shared) {
    let services = shared.connector.table().services().clone();
    let changed = Arc::new(Notify::new());
    let notify = Arc::clone(&changed);
    services.subscribe(move |_| notify.notify_one());
    let mut refused: BTreeSet<Box<str>> = BTreeSet::new();
    let work = async {
        services.wait_synced().await;
        loop {
            let mut failed = false;
            for step in plan(&services.list(), shared.config.load_balancers) {
                match step {
                    Step::Give(service, address) => failed |= !set(&shared, &service, Some(address)).await,
                    Step::Take(service) => failed |= !set(&shared, &service, None).await,
                    Step::Refuse(service, why) => {
                        if refused.insert(service.uid.clone()) {
                            let message =
                                format!("Error syncing load balancer: failed to ensure load balancer: {why}");
                            let note = Note::warning(reference(&service), "SyncLoadBalancerFailed", message);
                            shared.recorder.record(note);
                        }
                    }
                }
            }
            if failed {
                let _ = shared
                    .env
                    .transport_clock
                    .timeout(RETRY, changed.notified())
                    .await;
            } else {
                changed.notified().await;
            }
        }
    };
    shared.shutdown.guard(work).await;
}

/// Writes a Service's address and waits until the cache shows it; whether that went well.
async fn set(shared: &Shared, service: &ServiceView, address: Option<Ipv4Addr>) -> bool {
    let ingress = address.map(|ip| json!([{"ip": ip, "ipMode": "VIP"}]));
    let body = json!({"status": {"loadBalancer": {"ingress": ingress}}});
    let write = Write::Patch {
        resource: kinds::SERVICE,
        namespace: service.namespace.to_string(),
        name: service.name.to_string(),
        subresource: "status",
        patch_type: PatchType::Merge,
        patch: Bytes::from(body.to_string()),
        uid: service.uid.to_string(),
        revision: 0,
    };
    match shared.api.write(write, &WriteOptions::default()).await {
        Ok(object) => {
            if address.is_some() {
                let note = Note::normal(reference(service), "EnsuredLoadBalancer", "Ensured load balancer");
                shared.recorder.record(note);
            }
            shared
                .connector
                .table()
                .services()
                .wait_revision(object.revision)
                .await;
            true
        }
        Err(error) => {
            tracing::debug!(service = %service.key(), %error, "write load balancer address");
            false
        }
    }
}

/// For events about a Service.
pub(crate) fn reference(service: &ServiceView) -> ObjectRef {
    ObjectRef {
        api_version: kinds::SERVICE.api_version().to_owned(),
        kind: kinds::SERVICE.kind.to_owned(),
        namespace: service.namespace.to_string(),
        name: service.name.to_string(),
        uid: service.uid.to_string(),
        revision: 0,
    }
}
