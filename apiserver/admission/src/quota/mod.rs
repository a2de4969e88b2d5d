//! ResourceQuota: how much of what a namespace may hold, counted as objects come and go.
//!
//! The [`Ledger`] is the one place where usage is known. It learns of every change from the store's writer
//! ([`Ledger::observe`]), before the change is acknowledged, and a planned write reserves what it adds
//! ([`Ledger::reserve`]) until it is seen or given up. So a quota is never exceeded, however many write at once, and
//! no transaction has to touch the quota's object: `status.used` follows a little later ([`Ledger::stale`]).
//!
//! Namespaces without quotas cost one look at a map, and none at all while no quota exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use coracle_api::{Object, Quantity, Resource, object};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::plugins::resources::{self, Amounts, Side};

mod scope;
#[cfg(test)]
mod tests;
mod usage;

/// The usage of every namespace that has a quota.
#[derive(Default)]
pub struct Ledger {
    /// How many namespaces have quotas.
    watched: AtomicUsize,
    /// Told of changes that a status may have to follow.
    changed: Notify,
    namespaces: Mutex<BTreeMap<String, Namespace>>,
}

/// What a planned write adds, until it is stored or given up.
#[derive(Debug)]
pub struct Hold {
    namespace: String,
    id: u64,
}

/// A quota whose status says something else than the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The quota's namespace.
    pub namespace: String,
    /// The quota's name.
    pub name: String,
    /// What `status.hard` shall be.
    pub hard: BTreeMap<String, String>,
    /// What `status.used` shall be.
    pub used: BTreeMap<String, String>,
}

#[derive(Default)]
struct Namespace {
    quotas: BTreeMap<String, Quota>,
    /// Whether the objects that were there before the first quota have been counted.
    is_counted: bool,
    /// Changes that have not been counted yet, the last of each object; `None` where it is gone.
    changed: BTreeMap<String, Option<(&'static Resource, Bytes)>>,
    held: Vec<Held>,
    last_id: u64,
}

struct Held {
    id: u64,
    key: String,
    /// What each quota may have to give.
    amounts: BTreeMap<String, Amounts>,
}

#[derive(Default)]
struct Quota {
    hard: Amounts,
    /// `hard` as it was written.
    written: BTreeMap<String, String>,
    scopes: Vec<scope::Scope>,
    objects: BTreeMap<String, Amounts>,
    used: Amounts,
    /// What the status says.
    told: (BTreeMap<String, String>, BTreeMap<String, String>),
}

/// The present objects of a namespace, by key.
pub type Present = Vec<(String, &'static Resource, Bytes)>;

impl Ledger {
    /// A change, in the order of revisions; `json` is `None` where the object is gone. Called by the store's writer:
    /// it parses quotas, and nothing else.
    pub fn observe(&self, key: &str, resource: &'static Resource, namespace: &str, json: Option<&Bytes>) {
        let is_quota = resource.kind == "ResourceQuota" && resource.group.is_empty();
        if namespace.is_empty() || (!is_quota && self.watched.load(Ordering::Relaxed) == 0) {
            return;
        }
        let mut namespaces = self.namespaces.lock();
        if is_quota {
            let own = namespaces.entry(namespace.to_owned()).or_default();
            let name = key.rsplit('/').next().unwrap_or_default();
            own.observe_quota(name, json);
            if own.quotas.is_empty() {
                namespaces.remove(namespace);
            }
            self.watched.store(namespaces.len(), Ordering::Relaxed);
            self.changed.notify_one();
        }
        let Some(own) = namespaces.get_mut(namespace) else {
            return;
        };
        if own.quotas.values().any(|quota| quota.may_limit(resource)) {
            own.changed
                .insert(key.to_owned(), json.map(|json| (resource, json.clone())));
            self.changed.notify_one();
        }
    }

    /// Waits for a change that a status may have to follow; at once, where there was one since the last wait.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether quotas may limit an object of this kind; cheap, for those that none does.
    #[must_use]
    pub fn may_limit(&self, resource: &Resource, namespace: &str) -> bool {
        self.watched.load(Ordering::Relaxed) > 0
            && self
                .namespaces
                .lock()
                .get(namespace)
                .is_some_and(|own| own.quotas.values().any(|quota| quota.may_limit(resource)))
    }

    /// Reserves what `object` adds to what is stored under `key`. `present` tells the objects of the namespace, and is
    /// called once after its first quota came.
    ///
    /// # Errors
    /// Which quota has no room for it, as upstream says it.
    pub fn reserve(
        &self,
        key: &str,
        object: &dyn Object,
        is_new: bool,
        present: impl FnOnce(&dyn Fn(&Resource) -> bool) -> Present,
    ) -> Result<Option<Hold>, String> {
        let namespace = object.namespace();
        self.count(namespace, present);
        let mut namespaces = self.namespaces.lock();
        let Some(own) = namespaces.get_mut(namespace) else {
            return Ok(None);
        };
        own.catch_up();
        own.reserve(key, object, is_new).map(|id| {
            id.map(|id| Hold {
                namespace: namespace.to_owned(),
                id,
            })
        })
    }

    /// Gives a reservation up. One whose write has been observed is gone already.
    pub fn release(&self, hold: &Hold) {
        if let Some(own) = self.namespaces.lock().get_mut(&hold.namespace) {
            own.held.retain(|held| held.id != hold.id);
        }
    }

    /// Namespaces whose objects have not been counted yet.
    #[must_use]
    pub fn uncounted(&self) -> Vec<String> {
        let namespaces = self.namespaces.lock();
        let uncounted = namespaces.iter().filter(|(_, own)| !own.is_counted);
        uncounted.map(|(name, _)| name.clone()).collect()
    }

    /// Counts what was there before the first quota of a namespace.
    pub fn count(&self, namespace: &str, present: impl FnOnce(&dyn Fn(&Resource) -> bool) -> Present) {
        let limited: BTreeSet<String> = match self.namespaces.lock().get(namespace) {
            Some(own) if !own.is_counted => own
                .quotas
                .values()
                .flat_map(|quota| quota.hard.keys().cloned())
                .collect(),
            _ => return,
        };
        // Without the lock: the reader of the present objects takes locks of its own, under which the writer waits
        // for this one. Changes since are in `changed`, and at least as new as what is read here.
        let objects: Vec<_> =
            present(&|resource| limited.iter().any(|name| usage::may_count(resource, name)))
                .into_iter()
                .map(|(key, resource, json)| (key, decode(resource, &json)))
                .collect();
        let mut namespaces = self.namespaces.lock();
        let Some(own) = namespaces.get_mut(namespace).filter(|own| !own.is_counted) else {
            return;
        };
        own.is_counted = true;
        for (key, object) in &objects {
            for quota in own.quotas.values_mut() {
                quota.set(key, object.as_deref());
            }
        }
        own.catch_up();
    }

    /// The quotas whose status is not what the ledger says.
    #[must_use]
    pub fn stale(&self) -> Vec<Stale> {
        let mut stale = Vec::new();
        for (namespace, own) in &mut *self.namespaces.lock() {
            if !own.is_counted {
                continue;
            }
            own.catch_up();
            for (name, quota) in &own.quotas {
                let used = quota.shown_used();
                if (&quota.written, &used) != (&quota.told.0, &quota.told.1) {
                    stale.push(Stale {
                        namespace: namespace.clone(),
                        name: name.clone(),
                        hard: quota.written.clone(),
                        used,
                    });
                }
            }
        }
        stale
    }
}

impl Namespace {
    fn observe_quota(&mut self, name: &str, json: Option<&Bytes>) {
        let Some(parsed) = json.and_then(|json| serde_json::from_slice::<ResourceQuota>(json).ok()) else {
            self.quotas.remove(name);
            return;
        };
        let spec = parsed.spec.unwrap_or_default();
        let status = parsed.status.unwrap_or_default();
        let text = |list: Option<BTreeMap<_, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>| {
            let list = list.unwrap_or_default().into_iter();
            list.map(|(name, own)| (name, own.0))
                .collect::<BTreeMap<String, String>>()
        };
        let told = (text(status.hard), text(status.used));
        let hard = spec.hard.as_ref().map(resources::read).unwrap_or_default();
        let scopes = scope::of(&spec);
        let written = text(spec.hard);
        if let Some(known) = self.quotas.get_mut(name).filter(|known| known.written == written) {
            known.told = told;
            return;
        }
        let quota = Quota {
            hard,
            written,
            scopes,
            told,
            ..Quota::default()
        };
        self.quotas.insert(name.to_owned(), quota);
        // The new limits may be on what nobody has counted so far.
        self.is_counted = false;
    }

    /// Counts what changed.
    fn catch_up(&mut self) {
        if !self.is_counted {
            return;
        }
        for (key, change) in std::mem::take(&mut self.changed) {
            self.held.retain(|held| held.key != key);
            let object = change.and_then(|(resource, json)| decode(resource, &json));
            for quota in self.quotas.values_mut() {
                quota.set(&key, object.as_deref());
            }
        }
    }

    fn reserve(&mut self, key: &str, object: &dyn Object, is_new: bool) -> Result<Option<u64>, String> {
        let mut amounts = BTreeMap::new();
        for (name, quota) in &self.quotas {
            let wanted = quota.usage(object);
            if wanted.is_empty() {
                continue;
            }
            if is_new {
                quota.check_asks(name, object)?;
            }
            let present = quota.objects.get(key);
            let mut more = Amounts::new();
            for (limit, amount) in wanted {
                let before = present.and_then(|own| own.get(&limit)).copied();
                let delta = amount - before.unwrap_or(Quantity::ZERO);
                if !delta.is_zero() && !delta.is_negative() {
                    more.insert(limit, delta);
                }
            }
            let held = self.held.iter().filter_map(|held| held.amounts.get(name));
            quota.check(name, &more, held)?;
            if !more.is_empty() {
                amounts.insert(name.clone(), more);
            }
        }
        if amounts.is_empty() {
            return Ok(None);
        }
        self.last_id += 1;
        self.held.push(Held {
            id: self.last_id,
            key: key.to_owned(),
            amounts,
        });
        Ok(Some(self.last_id))
    }
}

fn decode(resource: &Resource, json: &[u8]) -> Option<Box<dyn Object>> {
    let decoded = object::decode(resource, json, object::Duplicates::Ignore);
    decoded.ok().map(|decoded| decoded.object)
}

impl Quota {
    fn may_limit(&self, resource: &Resource) -> bool {
        self.hard.keys().any(|limit| usage::may_count(resource, limit))
    }

    /// What of an object this quota counts.
    fn usage(&self, object: &dyn Object) -> Amounts {
        let is_in_scope = |pod: &Pod| self.scopes.iter().all(|scope| scope.matches(pod));
        let counts = self.scopes.is_empty() || object.downcast_ref::<Pod>().is_some_and(is_in_scope);
        if !counts {
            return Amounts::new();
        }
        let mut usage = usage::of(object);
        usage.retain(|limit, _| self.hard.contains_key(limit));
        usage
    }

    fn set(&mut self, key: &str, object: Option<&dyn Object>) {
        let now = object.map(|object| self.usage(object)).unwrap_or_default();
        let before = if now.is_empty() {
            self.objects.remove(key)
        } else {
            self.objects.insert(key.to_owned(), now.clone())
        };
        for (limit, amount) in before.into_iter().flatten() {
            self.used.entry(limit).and_modify(|own| *own -= amount);
        }
        resources::add(&mut self.used, &now);
    }

    /// A pod must say how much it wants of what is limited.
    fn check_asks(&self, name: &str, object: &dyn Object) -> Result<(), String> {
        let Some(spec) = object.downcast_ref::<Pod>().and_then(|pod| pod.spec.as_ref()) else {
            return Ok(());
        };
        let containers = || {
            spec.containers
                .iter()
                .chain(spec.init_containers.iter().flatten())
        };
        let mut missing = Vec::new();
        for limit in self.hard.keys().filter(|limit| usage::is_compute(limit)) {
            let (side, resource) = match (limit.strip_prefix("limits."), limit.strip_prefix("requests.")) {
                (Some(resource), _) => (Side::Limits, resource),
                (_, Some(resource)) => (Side::Requests, resource),
                _ => (Side::Requests, limit.as_str()),
            };
            // Only these must be told; of the others nothing is wanted where nothing is said.
            if !matches!(resource, "cpu" | "memory") {
                continue;
            }
            let silent: Vec<&str> = containers()
                .filter(|own| !resources::of_container(own, side).contains_key(resource))
                .map(|own| own.name.as_str())
                .collect();
            if !silent.is_empty() {
                missing.push(format!("{limit} for: {}", silent.join(",")));
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!(
            "failed quota: {name}: must specify {}",
            missing.join("; ")
        ))
    }

    fn check<'a>(
        &self,
        name: &str,
        more: &Amounts,
        held: impl Iterator<Item = &'a Amounts>,
    ) -> Result<(), String> {
        let mut used = self.used.clone();
        held.for_each(|held| resources::add(&mut used, held));
        let amount = |list: &Amounts, limit: &String| list.get(limit).copied().unwrap_or(Quantity::ZERO);
        let exceeded: Vec<&String> = more
            .iter()
            .filter(|(limit, more)| amount(&used, limit) + **more > amount(&self.hard, limit))
            .map(|(limit, _)| limit)
            .collect();
        if exceeded.is_empty() {
            return Ok(());
        }
        let shown = |list: &Amounts| {
            let pairs = exceeded
                .iter()
                .map(|limit| format!("{limit}={}", amount(list, limit)));
            pairs.collect::<Vec<_>>().join(",")
        };
        Err(format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            shown(more),
            shown(&used),
            shown(&self.hard)
        ))
    }

    fn shown_used(&self) -> BTreeMap<String, String> {
        let used = |limit: &String| {
            self.used
                .get(limit)
                .copied()
                .unwrap_or(Quantity::ZERO)
                .to_string()
        };
        self.hard
            .keys()
            .map(|limit| (limit.clone(), used(limit)))
            .collect()
    }
}
