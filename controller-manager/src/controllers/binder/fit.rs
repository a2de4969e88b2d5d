//! Which volume a claim gets: one that was reserved for it, else the smallest that fits.

use std::{collections::BTreeSet, sync::Arc};

use crate::view::{Claim, Volume};

/// The volumes that are still to be had.
pub(super) struct Stock<'a> {
    volumes: Vec<&'a Arc<Volume>>,
    taken: BTreeSet<&'a str>,
}

impl<'a> Stock<'a> {
    pub(super) fn new(volumes: &'a [Arc<Volume>]) -> Self {
        let mut volumes: Vec<&Arc<Volume>> = volumes
            .iter()
            .filter(|volume| !volume.meta.is_deleting())
            .collect();
        // Smallest first; of equal ones always the same.
        volumes.sort_by(|a, b| {
            a.capacity
                .cmp(&b.capacity)
                .then_with(|| a.meta.name.cmp(&b.meta.name))
        });
        Self {
            volumes,
            taken: BTreeSet::new(),
        }
    }

    /// Takes the volume for `claim`.
    pub(super) fn take(&mut self, claim: &Claim) -> Option<&'a Volume> {
        let found = if claim.volume_name.is_empty() {
            self.choose(claim)
        } else {
            self.named(claim)
        }?;
        self.taken.insert(&found.meta.name);
        Some(found)
    }

    fn choose(&self, claim: &Claim) -> Option<&'a Volume> {
        let fitting = || {
            self.volumes
                .iter()
                .copied()
                .filter(|volume| self.is_fit(volume, claim))
        };
        let reserved = fitting().find(|volume| volume.claim.as_ref().is_some_and(|own| own.is_of(claim)));
        let free = || fitting().find(|volume| volume.claim.is_none() && self.is_free(volume));
        reserved.or_else(free).map(|volume| &**volume)
    }

    /// The volume that a person chose for the claim, unless it is another's.
    fn named(&self, claim: &Claim) -> Option<&'a Volume> {
        let volume = self
            .volumes
            .iter()
            .copied()
            .find(|volume| volume.meta.name == claim.volume_name)?;
        let to_be_had = match &volume.claim {
            Some(own) => own.is_of(claim),
            None => self.is_free(volume) && self.is_fit(volume, claim),
        };
        to_be_had.then_some(&**volume)
    }

    fn is_free(&self, volume: &Volume) -> bool {
        !self.taken.contains(&*volume.meta.name) && matches!(&*volume.phase, "" | "Pending" | "Available")
    }

    fn is_fit(&self, volume: &Volume, claim: &Claim) -> bool {
        volume.capacity >= claim.request
            && volume.class == claim.class
            && volume.volume_mode == claim.volume_mode
            && claim
                .access_modes
                .iter()
                .all(|mode| volume.access_modes.contains(mode))
            && claim
                .selector
                .as_ref()
                .is_none_or(|selector| selector.matches(&*volume.meta.labels))
    }
}
