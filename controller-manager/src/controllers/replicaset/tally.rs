//! Counts of pods by the UID of their controller, kept up with every change of a pod.
//!
//! Pods of one controller nearly always carry the same labels, so counting them by their set of labels tells how
//! many fit a selector or a template without looking at each.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use coracle_api::Labels;
use coracle_runtime::Cache;
use parking_lot::Mutex;

use crate::view::Pod;

/// The pods of one controller, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Neither finished nor being deleted.
    pub(crate) active: usize,
    /// Active, and ready.
    pub(crate) ready: usize,
    /// Not finished, perhaps being deleted.
    pub(crate) running: usize,
    /// Active ones by a hash of their labels.
    by_labels: BTreeMap<u64, (usize, Labels)>,
}

impl Tally {
    /// The sets of labels that active pods carry.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &Labels> {
        self.by_labels.values().map(|(_, labels)| labels)
    }

    /// How many active pods carry labels that fit.
    pub(crate) fn with_labels(&self, fits: impl Fn(&Labels) -> bool) -> usize {
        self.by_labels
            .values()
            .filter(|(_, labels)| fits(labels))
            .map(|(count, _)| count)
            .sum()
    }

    pub(crate) fn add(&mut self, pod: &Pod) {
        self.running += usize::from(!pod.is_finished());
        if pod.is_active() {
            self.active += 1;
            self.ready += usize::from(pod.ready);
            let labels = &*pod.meta.labels;
            self.by_labels
                .entry(hash(labels))
                .or_insert_with(|| (0, labels.clone()))
                .0 += 1;
        }
    }

    pub(crate) fn remove(&mut self, pod: &Pod) {
        self.running -= usize::from(!pod.is_finished());
        if pod.is_active() {
            self.active -= 1;
            self.ready -= usize::from(pod.ready);
            let hash = hash(&pod.meta.labels);
            if let Some((count, _)) = self.by_labels.get_mut(&hash) {
                *count -= 1;
                if *count == 0 {
                    self.by_labels.remove(&hash);
                }
            }
        }
    }
}

/// The tallies of all controllers of pods.
#[derive(Default)]
pub(crate) struct Tallies {
    by_uid: Mutex<BTreeMap<Box<str>, Tally>>,
}

impl Tallies {
    /// Counts the pods of `cache` from now on.
    pub(crate) fn follow(cache: &Cache<Pod>) -> Arc<Self> {
        let tallies = Arc::new(Self::default());
        let counting = Arc::clone(&tallies);
        cache.subscribe(move |change| counting.change(change.old.as_deref(), change.new.as_deref()));
        tallies
    }

    /// The pods that the controller of this UID has.
    pub(crate) fn of(&self, uid: &str) -> Tally {
        self.by_uid.lock().get(uid).cloned().unwrap_or_default()
    }

    fn change(&self, old: Option<&Pod>, new: Option<&Pod>) {
        let mut by_uid = self.by_uid.lock();
        // First the new, so that a tally that stays is not dropped and made again.
        if let Some((pod, owner)) = new.and_then(|pod| Some((pod, pod.meta.controller()?))) {
            match by_uid.get_mut(&owner.uid) {
                Some(tally) => tally.add(pod),
                None => by_uid.entry(owner.uid.clone()).or_default().add(pod),
            }
        }
        if let Some((pod, owner)) = old.and_then(|pod| Some((pod, pod.meta.controller()?)))
            && let Some(tally) = by_uid.get_mut(&owner.uid)
        {
            tally.remove(pod);
            if *tally == Tally::default() {
                by_uid.remove(&owner.uid);
            }
        }
    }
}

fn hash(labels: &Labels) -> u64 {
    let mut hasher = DefaultHasher::new();
    labels.hash(&mut hasher);
    hasher.finish()
}
