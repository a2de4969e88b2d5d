//! The registry: every read, write and watch of every kind, whichever door it came through.
//!
//! Promises: a write is judged against the state it changes and is acknowledged only when it is on disk; reads and
//! watches see exactly what was acknowledged. Generic behaviour lives here once, per-kind differences in
//! [`strategy`]. Left to others: who the caller is (`auth`), wire formats (`grpc`, `rest`), durability (the store),
//! delivery to watchers ([`crate::watch`]).
//!
//! A write runs like this: [`change`], [`act`] or [`remove`] decodes and judges it against the cache and completes the object,
//! [`plan`] makes a transaction of it, whose conditions say what must still hold, the store judges and keeps it, and
//! [`write`] answers or starts again; [`batch`] does so for many at once. What webhooks or policies want to see takes
//! the longer way through [`admit`] and [`passage`].

mod act;
mod addresses;
mod admit;
mod apply;
mod apply_patch;
mod batch;
mod body;
mod change;
mod components;
mod convert;
pub mod custom;
mod evict;
mod gate;
mod managed;
mod measured;
mod meta;
mod overlay;
mod passage;
mod plan;
mod read;
mod remove;
pub mod request;
mod reseal;
mod reserve;
mod scale;
pub mod strategy;
#[cfg(test)]
mod tests;
mod view;
mod write;

use std::{
    net::Ipv4Addr,
    sync::{Arc, OnceLock},
};

use coracle_api::Resource;
use coracle_service::Env;
use coracle_store::{ReadError, RecordCodec, Store};

use addresses::Addresses;
pub use apply::MAX_MANIFEST_BYTES;
pub(crate) use apply_patch::manager_required;
pub use batch::MAX_BATCH;
pub use convert::Converter;
pub use gate::Gate;
pub use read::continue_after;
pub use request::*;

pub use measured::Source;

use crate::watch::WatchCache;
pub use crate::watch::{Event, EventKind, Watch};

/// The one door to the objects. See the module.
pub struct Registry {
    store: Arc<dyn Store>,
    cache: Arc<WatchCache>,
    catalog: custom::Catalog,
    codec: RecordCodec,
    seals: Arc<reseal::Seals>,
    addresses: Addresses,
    admission: Arc<admit::Admission>,
    ledger: Arc<coracle_admission::quota::Ledger>,
    measures: OnceLock<Arc<dyn Source>>,
    gate: OnceLock<Arc<dyn Gate>>,
    env: Env,
}

impl Registry {
    /// Opens the registry over a store that nobody else writes to. `codec` makes the store's records; Services get
    /// addresses of `service_cidr`.
    ///
    /// # Errors
    /// The store's, where an object cannot be read.
    pub fn open(
        store: Arc<dyn Store>,
        codec: RecordCodec,
        service_cidr: (Ipv4Addr, u8),
        env: &Env,
    ) -> Result<Self, ReadError> {
        let clock = env.transport_clock.clone();
        let cache = WatchCache::open(Arc::clone(&store), strategy::describe, clock.clone(), env.spawn)?;
        let addresses = Addresses::new(service_cidr, clock, env.random.clone());
        let registry = Self {
            store,
            cache,
            catalog: custom::Catalog::default(),
            codec,
            seals: Arc::default(),
            addresses,
            admission: Arc::new(admit::Admission::new(env)),
            ledger: Arc::default(),
            measures: OnceLock::new(),
            gate: OnceLock::new(),
            env: env.clone(),
        };
        registry.load_definitions();
        registry.follow_changes();
        Ok(registry)
    }

    /// The latest revision; everything up to it can be read.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.cache.revision()
    }

    /// Every kind that is served at the moment.
    #[must_use]
    pub fn catalog(&self) -> &custom::Catalog {
        &self.catalog
    }

    /// How many objects of a kind there are.
    #[must_use]
    pub fn count(&self, resource: &Resource) -> usize {
        self.cache.count(resource)
    }

    /// The objects as they are now, for those who follow them inside the server.
    #[must_use]
    pub(crate) fn cache(&self) -> &Arc<WatchCache> {
        &self.cache
    }

    /// The store, for those who tend it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The address of the `kubernetes` Service: the first of the range.
    #[must_use]
    pub fn api_address(&self) -> Ipv4Addr {
        self.addresses.first()
    }
}
