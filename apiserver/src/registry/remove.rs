//! Planning of deletes: at once, after a grace period, or when the last finalizer is gone.
//!
//! Source: `rest.BeforeDelete` and `Store.Delete` of the Kubernetes apiserver library.

use coracle_api::{ApiError, Object};

use super::{
    Context, DeleteOptions, Preconditions, Propagation, Registry, Target,
    change::{check_preconditions, unchanged},
    meta,
    plan::{Change, Overlay, Plan, View},
    strategy::{self, Behaviour},
};

/// Kept by the garbage collector until the dependents that block are gone.
const FOREGROUND: &str = "foregroundDeletion";
/// Kept by the garbage collector until the dependents are orphans.
const ORPHAN: &str = "orphan";

impl Registry {
    pub(super) fn plan_delete(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        options: &DeleteOptions,
    ) -> Result<Plan, ApiError> {
        self.plan_delete_marked(ctx, overlay, target, options, |_| {})
    }

    /// As [`Self::plan_delete`]; `mark` writes into the object why it goes.
    pub(super) fn plan_delete_marked(
        &self,
        ctx: &Context,
        overlay: &Overlay,
        target: &Target,
        options: &DeleteOptions,
        mark: impl FnOnce(&mut dyn Object),
    ) -> Result<Plan, ApiError> {
        let current = overlay.current(self, ctx, target)?;
        let preconditions = Preconditions {
            uid: options.uid.clone(),
            revision: options.revision,
        };
        check_preconditions(target, &current, &preconditions)?;
        let was_asked = options.revision.is_some();
        let behaviour = strategy::of(target.resource);
        let mut object = behaviour.parse(&current.entry.json)?;
        let object = &mut *object;
        if let Some(why) = behaviour.refuse_delete(object) {
            return Err(ApiError::forbidden(target.resource, &target.name, why));
        }
        mark(object);
        let change = match self.decide(behaviour, object, options) {
            Decision::Remove => Change::Remove {
                current: &current,
                was_asked,
            },
            Decision::Mark => Change::Replace {
                current: &current,
                was_asked,
            },
            Decision::Leave => {
                let entry = self.shown(ctx, current.entry, View::of(target.resource))?;
                return Ok(unchanged(entry));
            }
        };
        let view = View::of(target.resource);
        self.plan_change(ctx, overlay, object, change, Vec::new(), view)
    }

    /// Decides what becomes of the object, and marks it where it stays for now.
    fn decide(
        &self,
        behaviour: &dyn Behaviour,
        object: &mut dyn Object,
        options: &DeleteOptions,
    ) -> Decision {
        let has_new_finalizers = set_propagation(object, options.propagation, behaviour.orphans_dependents());
        let grace = behaviour.grace_seconds(object, options.grace);
        let metadata = object.metadata();
        let is_held = metadata.finalizers.as_ref().is_some_and(|all| !all.is_empty())
            || !behaviour.is_finalized(object);
        if grace == 0 && !is_held {
            return Decision::Remove;
        }
        // A grace period only ever gets shorter.
        let waits = metadata
            .deletion_timestamp
            .is_some()
            .then(|| metadata.deletion_grace_period_seconds.unwrap_or(0));
        if waits.is_some_and(|waits| waits <= grace) {
            return if has_new_finalizers {
                Decision::Mark
            } else {
                Decision::Leave
            };
        }
        meta::mark_deleting(object, grace, self.env.cluster_clock.now());
        behaviour.mark_deleting(object);
        Decision::Mark
    }
}

enum Decision {
    Remove,
    Mark,
    Leave,
}

/// Writes down, as a finalizer, what the garbage collector shall do. Says whether that changed anything.
///
/// `orphans`: whether dependents stay where the delete does not say what becomes of them.
fn set_propagation(object: &mut dyn Object, propagation: Propagation, orphans: bool) -> bool {
    let is_said = matches!(propagation, Propagation::Foreground | Propagation::Orphan);
    if !is_said && object.metadata().deletion_timestamp.is_some() {
        // A repeated delete does not take back what the first one asked for.
        return false;
    }
    let stands = |own: &String| matches!(own.as_str(), FOREGROUND | ORPHAN);
    if propagation == Propagation::OfKind && object.metadata().finalizers.iter().flatten().any(stands) {
        // Nor does one that says nothing what stands written.
        return false;
    }
    let finalizers = object.metadata_mut().finalizers.get_or_insert_default();
    let before = finalizers.clone();
    let wanted = match propagation {
        Propagation::OfKind if orphans => Some(ORPHAN),
        Propagation::OfKind | Propagation::Background => None,
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Orphan => Some(ORPHAN),
    };
    finalizers.retain(|own| wanted == Some(own) || !matches!(own.as_str(), FOREGROUND | ORPHAN));
    if let Some(wanted) = wanted
        && !finalizers.iter().any(|own| own == wanted)
    {
        finalizers.push(wanted.to_owned());
    }
    let changed = *finalizers != before;
    if finalizers.is_empty() {
        object.metadata_mut().finalizers = None;
    }
    changed
}
