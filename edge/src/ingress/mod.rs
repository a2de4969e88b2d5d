//! The Ingress controller: which Ingresses are ours ([`view`]), how their rules become one router ([`router`]), their
//! certificates ([`tls`]), and serving requests ([`serve`], [`pool`]).
//!
//! What is served changes by putting another router in the place of the old one: no listener and no connection is
//! touched.

mod pool;
mod router;
mod serve;
mod tls;
mod view;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::{PatchType, WatchQuery, Write, WriteOptions};
use coracle_proxy::connect::UNPRIVILEGED_OFFSET;
use coracle_runtime::{Cache, Note, ObjectRef, informer};
use coracle_service::{Env, Listener};
use serde_json::json;
use tokio::sync::Notify;

use crate::Shared;
use pool::Pool;
use router::Router;
use tls::Certificates;
use view::{ClassView, IngressView, SecretView};

/// How long a connection into the cluster may take to come up.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The controller that an IngressClass names to ask for this one.
const CONTROLLER: &str = "coracle.dev/ingress";
/// The class that the edge makes, which is the default one.
const CLASS: &str = "coracle";
/// Says that a class is the default.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";
/// How long to wait before writes that were refused, or ports that are taken, are tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What requests are served by.
pub(crate) struct Front {
    pub(crate) router: ArcSwap<Router>,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) shared: Shared,
}

struct Caches {
    ingresses: Cache<IngressView>,
    classes: Cache<ClassView>,
    secrets: Cache<SecretView>,
}

impl Caches {
    fn start(shared: &Shared) -> Self {
        let caches = Self {
            ingresses: Cache::new(kinds::INGRESS),
            classes: Cache::new(kinds::INGRESS_CLASS),
            secrets: Cache::new(kinds::SECRET),
        };
        let Shared {
            api, env, shutdown, ..
        } = shared;
        let all = WatchQuery::all;
        informer::start(
            &caches.ingresses,
            all(kinds::INGRESS),
            Arc::clone(api),
            env,
            shutdown,
        );
        informer::start(
            &caches.classes,
            all(kinds::INGRESS_CLASS),
            Arc::clone(api),
            env,
            shutdown,
        );
        let secrets = WatchQuery {
            field_selector: "type=kubernetes.io/tls".to_owned(),
            ..all(kinds::SECRET)
        };
        informer::start(&caches.secrets, secrets, Arc::clone(api), env, shutdown);
        caches
    }

    fn notify(&self, changed: &Arc<Notify>) {
        let notify = || {
            let changed = Arc::clone(changed);
            move || changed.notify_one()
        };
        let (one, two, three) = (notify(), notify(), notify());
        self.ingresses.subscribe(move |_| one());
        self.classes.subscribe(move |_| two());
        self.secrets.subscribe(move |_| three());
    }

    async fn wait_synced(&self) {
        self.ingresses.wait_synced().await;
        self.classes.wait_synced().await;
        self.secrets.wait_synced().await;
    }

    /// The Ingresses that are ours, the oldest first: it wins where two say different things.
    fn ours(&self) -> Vec<Arc<IngressView>> {
        let ours = |class: &Arc<ClassView>| &*class.controller == CONTROLLER;
        let classes: Vec<Arc<ClassView>> = self.classes.list().into_iter().filter(ours).collect();
        let is_default = classes.iter().any(|class| class.is_default);
        let mut ingresses = self.ingresses.list();
        ingresses.retain(|ingress| match ingress.class() {
            Some(name) => classes.iter().any(|class| &*class.name == name),
            None => is_default,
        });
        ingresses.sort_by(|one, other| {
            (one.created, &one.namespace, &one.name).cmp(&(other.created, &other.namespace, &other.name))
        });
        ingresses
    }
}

/// Serves Ingresses until shutdown.
pub(crate) async fn run(shared: Shared) {
    let certificates = match Certificates::new() {
        Ok(certificates) => Arc::new(certificates),
        Err(error) => {
            tracing::error!(error, "make a certificate for hosts without one");
            return;
        }
    };
    let front = Arc::new(Front {
        router: ArcSwap::from_pointee(Router::default()),
        certificates,
        pool: Arc::default(),
        shared: shared.clone(),
    });
    let changed = Arc::new(Notify::new());
    let caches = Caches::start(&shared);
    caches.notify(&changed);
    let mut parts = Vec::new();
    for (address, secure) in addresses(&shared) {
        parts.push(
            shared
                .env
                .spawn
                .task("ingress port", open(address, secure, Arc::clone(&front))),
        );
    }
    let shutdown = shared.shutdown.clone();
    shutdown.guard(follow(&caches, &front, &changed)).await;
    for part in parts {
        let _ = part.await;
    }
}

/// Where Ingresses are served.
fn addresses(shared: &Shared) -> Vec<(SocketAddr, bool)> {
    let own = IpAddr::V4(shared.config.ingress());
    let mut addresses = vec![
        (SocketAddr::new(own, 80), false),
        (SocketAddr::new(own, 443), true),
    ];
    addresses.extend(shared.config.ingress_http.map(|address| (address, false)));
    addresses.extend(shared.config.ingress_https.map(|address| (address, true)));
    addresses
}

/// Keeps the router, the certificates and the status of Ingresses as the API says.
async fn follow(caches: &Caches, front: &Arc<Front>, changed: &Notify) {
    caches.wait_synced().await;
    let mut told = BTreeSet::new();
    loop {
        if caches.classes.get("", CLASS).is_none() {
            make_class(&front.shared).await;
        }
        let ours = caches.ours();
        front.router.store(Arc::new(Router::new(&ours)));
        for (ingress, why) in front.certificates.replace(&ours, &caches.secrets) {
            if told.insert((ingress.uid.clone(), why.clone())) {
                front
                    .shared
                    .recorder
                    .record(Note::warning(reference(&ingress), "InvalidTLS", why));
            }
        }
        let mut failed = false;
        for ingress in &ours {
            failed |= !tell_address(front, caches, ingress).await;
        }
        if failed {
            let _ = front
                .shared
                .env
                .transport_clock
                .timeout(RETRY, changed.notified())
                .await;
        } else {
            changed.notified().await;
        }
    }
}

/// Makes the class, once; whoever deletes it gets it again, because without it nothing is served.
async fn make_class(shared: &Shared) {
    let class = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": CLASS, "annotations": {DEFAULT_CLASS: "true"}},
        "spec": {"controller": CONTROLLER},
    });
    let write = Write::Create {
        resource: kinds::INGRESS_CLASS,
        namespace: String::new(),
        name: CLASS.to_owned(),
        subresource: "",
        json: class.to_string().into(),
    };
    if let Err(error) = shared.api.write(write, &WriteOptions::default()).await {
        tracing::debug!(%error, "make ingress class");
    }
}

/// Writes where an Ingress is served, unless it says so; whether that went well.
async fn tell_address(front: &Front, caches: &Caches, ingress: &IngressView) -> bool {
    let address = front.shared.config.ingress();
    if ingress.addresses.len() == 1 && ingress.addresses.first() == Some(&address) {
        return true;
    }
    let body = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
    let write = Write::Patch {
        resource: kinds::INGRESS,
        namespace: ingress.namespace.to_string(),
        name: ingress.name.to_string(),
        subresource: "status",
        patch_type: PatchType::Merge,
        patch: Bytes::from(body.to_string()),
        uid: ingress.uid.to_string(),
        revision: 0,
    };
    match front.shared.api.write(write, &WriteOptions::default()).await {
        Ok(object) => {
            let note = Note::normal(reference(ingress), "Sync", "Scheduled for sync");
            front.shared.recorder.record(note);
            caches.ingresses.wait_revision(object.revision).await;
            true
        }
        // Gone meanwhile.
        Err(error) => error.is_not_found(),
    }
}

fn reference(ingress: &IngressView) -> ObjectRef {
    ObjectRef {
        api_version: kinds::INGRESS.api_version().to_owned(),
        kind: kinds::INGRESS.kind.to_owned(),
        namespace: ingress.namespace.to_string(),
        name: ingress.name.to_string(),
        uid: ingress.uid.to_string(),
        revision: 0,
    }
}

/// Listens and serves until shutdown, as soon as the address can be had.
async fn open(address: SocketAddr, secure: bool, front: Arc<Front>) {
    let (env, shutdown) = (front.shared.env.clone(), front.shared.shutdown.clone());
    let Some(listener) = shutdown.guard(listen(address, &env)).await else {
        return;
    };
    serve::accept(listener, secure, front).await;
}

async fn listen(address: SocketAddr, env: &Env) -> Box<dyn Listener> {
    let mut told = false;
    loop {
        let listener = match env.network.listen(address).await {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && address.port() < 1_024 => {
                let moved = SocketAddr::new(address.ip(), address.port() + UNPRIVILEGED_OFFSET);
                tracing::warn!(%address, instead = %moved, "ports below 1024 are not this process's, take one above");
                env.network.listen(moved).await
            }
            outcome => outcome,
        };
        match listener {
            Ok(listener) => return listener,
            Err(error) if !std::mem::replace(&mut told, true) => {
                tracing::warn!(%address, %error, "listen for ingresses");
            }
            Err(_) => {}
        }
        env.transport_clock.sleep(RETRY).await;
    }
}
