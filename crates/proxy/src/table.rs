//! Services with their endpoints, kept up with the watches and found by address, port or name.
//!
//! A change only marks its Service; the route is made again when somebody next asks, so that a thousand changes of a
//! Service that nobody uses cost nothing. Readers get a consistent route and keep it for as long as they like.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use coracle_client::{ObjectApi, WatchQuery};
use coracle_runtime::{Cache, Index, Key, informer};
use coracle_service::{Env, Shutdown};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::view::{Endpoint, Protocol, ServiceView, SliceView};

/// Services and their endpoints.
pub struct Table {
    services: Cache<ServiceView>,
    slices: Cache<SliceView>,
    by_service: Index<SliceView>,
    dirty: Mutex<BTreeSet<Key>>,
    is_dirty: AtomicBool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    routes: BTreeMap<Key, Arc<Route>>,
    /// Services by the addresses that lead to them inside the cluster.
    by_address: HashMap<Ipv4Addr, Key>,
}

/// A Service and where it leads.
#[derive(Debug)]
pub struct Route {
    /// The Service.
    pub service: Arc<ServiceView>,
    /// Its ports, in its order.
    pub ports: Box<[Arc<PortRoute>]>,
    /// Its endpoints without regard to ports, by address, for DNS.
    pub endpoints: Box<[Endpoint]>,
}

/// A port of a Service and where it leads.
#[derive(Debug)]
pub struct PortRoute {
    /// Empty where it is the only one.
    pub name: Box<str>,
    /// What it speaks.
    pub protocol: Protocol,
    /// Its number at the Service's own addresses.
    pub port: u16,
    /// Its number at every node; 0 where it has none.
    pub node_port: u16,
    /// Where it leads, by address.
    pub backends: Box<[Backend]>,
    /// Whose turn it is; stays while endpoints come and go.
    next: Arc<AtomicUsize>,
}

/// An endpoint's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Where.
    pub ip: Ipv4Addr,
    /// Its number there.
    pub port: u16,
    /// The node that it is on; empty where it is on none.
    pub node: Box<str>,
    /// The zones whose traffic it is meant for; empty for all.
    pub zones: Box<[Box<str>]>,
    /// It takes new connections.
    pub ready: bool,
    /// It answers, perhaps while it ends.
    pub serving: bool,
    /// It is ending.
    pub terminating: bool,
}

impl PortRoute {
    /// A number that goes up by one with every call, by which callers take turns.
    #[must_use]
    pub fn turn(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether anybody would answer.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.backends
            .iter()
            .any(|backend| backend.ready || backend.serving)
    }
}

impl Route {
    /// The port of this number.
    #[must_use]
    pub fn port(&self, number: u16, protocol: Protocol) -> Option<&Arc<PortRoute>> {
        self.ports
            .iter()
            .find(|port| port.port == number && port.protocol == protocol)
    }

    /// The port of this name.
    #[must_use]
    pub fn named(&self, name: &str, protocol: Protocol) -> Option<&Arc<PortRoute>> {
        self.ports
            .iter()
            .find(|port| &*port.name == name && port.protocol == protocol)
    }
}

impl Table {
    /// An empty table that follows these caches; see [`Table::start`] for one that fills them.
    #[must_use]
    pub fn new(services: Cache<ServiceView>, slices: Cache<SliceView>) -> Arc<Self> {
        let by_service = slices.index(|slice: &SliceView, keys: &mut Vec<String>| {
            if !slice.service.is_empty() {
                keys.push(format!("{}/{}", slice.namespace, slice.service));
            }
        });
        let table = Arc::new(Self {
            services: services.clone(),
            slices: slices.clone(),
            by_service,
            dirty: Mutex::default(),
            is_dirty: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Notify::new(),
        });
        // Weak, because the table owns the caches.
        let weak = Arc::downgrade(&table);
        services.subscribe(move |change| {
            if let Some(table) = weak.upgrade() {
                table.mark(change.key.clone());
            }
        });
        let weak = Arc::downgrade(&table);
        slices.subscribe(move |change| {
            if let Some(table) = weak.upgrade() {
                for slice in change.versions().filter(|slice| !slice.service.is_empty()) {
                    table.mark(slice.service_key());
                }
            }
        });
        table
    }

    /// A table that watches all Services and slices until shutdown.
    #[must_use]
    pub fn start(api: &Arc<dyn ObjectApi>, env: &Env, shutdown: &Shutdown) -> Arc<Self> {
        let services = Cache::new(coracle_api::kinds::SERVICE);
        let slices = Cache::new(coracle_api::kinds::ENDPOINT_SLICE);
        let table = Self::new(services.clone(), slices.clone());
        let all = WatchQuery::all;
        informer::start(
            &services,
            all(services.resource()),
            Arc::clone(api),
            env,
            shutdown,
        );
        informer::start(&slices, all(slices.resource()), Arc::clone(api), env, shutdown);
        table
    }

    /// The Services that it is made of.
    #[must_use]
    pub fn services(&self) -> &Cache<ServiceView> {
        &self.services
    }

    /// Waits until the present state has been told in full once.
    pub async fn wait_synced(&self) {
        self.services.wait_synced().await;
        self.slices.wait_synced().await;
    }

    /// Waits until something changed after the call, or before it where nobody waited. For one waiter.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A Service.
    #[must_use]
    pub fn route(&self, service: &Key) -> Option<Arc<Route>> {
        self.fresh().routes.get(service).cloned()
    }

    /// The Service that an address inside the cluster leads to.
    #[must_use]
    pub fn at(&self, address: Ipv4Addr) -> Option<Arc<Route>> {
        let state = self.fresh();
        state.routes.get(state.by_address.get(&address)?).cloned()
    }

    /// All Services.
    #[must_use]
    pub fn routes(&self) -> Vec<Arc<Route>> {
        self.fresh().routes.values().cloned().collect()
    }

    fn mark(&self, service: Key) {
        self.dirty.lock().insert(service);
        self.is_dirty.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    /// The state as the caches show it.
    fn fresh(&self) -> parking_lot::MutexGuard<'_, State> {
        let mut state = self.state.lock();
        if self.is_dirty.swap(false, Ordering::Acquire) {
            let dirty = std::mem::take(&mut *self.dirty.lock());
            for key in dirty {
                self.renew(&mut state, key);
            }
        }
        state
    }

    fn renew(&self, state: &mut State, key: Key) {
        let old = state.routes.remove(&key);
        for address in old.iter().flat_map(|route| addresses(&route.service)) {
            if state.by_address.get(&address) == Some(&key) {
                state.by_address.remove(&address);
            }
        }
        let Some(service) = self.services.get_key(&key) else {
            return;
        };
        let slices = self
            .slices
            .by_index(self.by_service, &format!("{}/{}", key.namespace(), key.name()));
        for address in addresses(&service) {
            state.by_address.insert(address, key.clone());
        }
        state
            .routes
            .insert(key, Arc::new(route(service, &slices, old.as_deref())));
    }
}

/// The addresses that lead to a Service inside the cluster.
fn addresses(service: &ServiceView) -> impl Iterator<Item = Ipv4Addr> + '_ {
    let own = service.cluster_ip.iter().copied();
    let given = service
        .load_balancer_ips
        .iter()
        .chain(&service.external_ips)
        .copied();
    own.chain(given)
}

fn route(service: Arc<ServiceView>, slices: &[Arc<SliceView>], old: Option<&Route>) -> Route {
    let ports = service.ports.iter().map(|port| {
        let mut backends: Vec<Backend> = Vec::new();
        for slice in slices {
            let same = |own: &&crate::view::SlicePort| own.name == port.name && own.protocol == port.protocol;
            let Some(number) = slice.ports.iter().find(same) else {
                continue;
            };
            let endpoints = slice.endpoints.iter();
            backends.extend(endpoints.filter_map(|endpoint| backend(endpoint, number.port)));
        }
        // Slices may show an endpoint twice while it moves from one to another.
        backends.sort_by_key(|backend| (backend.ip, backend.port, !backend.ready));
        backends.dedup_by_key(|backend| (backend.ip, backend.port));
        let next = old.and_then(|old| old.named(&port.name, port.protocol));
        Arc::new(PortRoute {
            name: port.name.clone(),
            protocol: port.protocol,
            port: port.port,
            node_port: port.node_port,
            backends: backends.into(),
            next: next.map_or_else(Arc::default, |old| Arc::clone(&old.next)),
        })
    });
    let ports = ports.collect();
    let mut endpoints: Vec<Endpoint> = slices
        .iter()
        .flat_map(|slice| slice.endpoints.iter().cloned())
        .collect();
    endpoints.sort_by_key(|endpoint| (endpoint.ip, !endpoint.ready));
    endpoints.dedup_by_key(|endpoint| endpoint.ip);
    Route {
        service,
        ports,
        endpoints: endpoints.into(),
    }
}

fn backend(endpoint: &Endpoint, port: u16) -> Option<Backend> {
    Some(Backend {
        ip: endpoint.ip?,
        port,
        node: endpoint.node.clone(),
        zones: endpoint.zones.clone(),
        ready: endpoint.ready,
        serving: endpoint.serving,
        terminating: endpoint.terminating,
    })
}
