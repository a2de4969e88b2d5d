//! Server-side apply: a manager says all that it wants, and has what it no longer wants taken away.

use coracle_api::schema::View;
use serde_json::Value;

use crate::compare::compare;
use crate::conflict::Conflicts;
use crate::extract::{Invalid, declared, extract};
use crate::last_applied;
use crate::managers::{Manager, Managers, Operation, Writer};
use crate::merge::merge;
use crate::remove::remove;
use crate::set::FieldSet;
use crate::update::ownable;

/// The manager of what was there before anybody was tracked.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// An applied configuration.
#[derive(Clone, Copy, Debug)]
pub struct Applied<'a> {
    /// What the manager wants.
    pub config: &'a Value,
    /// Whether it takes fields from their owners.
    pub force: bool,
    /// Fields that this kind of write cannot change; nobody comes to own them by it.
    pub ignored: &'a FieldSet,
}

/// Why a configuration cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It does not fit its type.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// Others own what it sets.
    #[error("{0}")]
    Conflicts(Conflicts),
}

impl Managers {
    /// Applies a configuration to the `live` object, which exists unless it is an empty object. Returns the new object
    /// and its managers.
    ///
    /// `blank` is an object of the kind in which nothing is set; it matters where nobody was tracked before.
    ///
    /// # Errors
    /// [`ApplyError`].
    pub fn apply(
        self,
        live: &Value,
        blank: &Value,
        applied: Applied<'_>,
        view: View<'_>,
        writer: Writer<'_>,
    ) -> Result<(Value, Self), ApplyError> {
        declared(applied.config, view)?;
        let exists = live.as_object().is_some_and(|fields| !fields.is_empty());
        let managers = if self.is_empty() && exists {
            let before = Writer {
                manager: BEFORE_FIRST_APPLY,
                ..writer
            };
            self.update(blank, live, view, applied.ignored, before)
        } else {
            self
        };
        let refused = match managers.clone().try_apply(live, applied, view, writer) {
            Ok(done) => return Ok(done),
            Err(conflicts) => conflicts,
        };
        // What the client-side apply of kubectl set may be taken by its server-side apply: that is how one follows
        // the other.
        if let Some(allowed) = last_applied::takeable(live, view, writer) {
            match refused.except(&allowed) {
                Some(left) => return Err(ApplyError::Conflicts(left)),
                None => {
                    let forced = Applied {
                        force: true,
                        ..applied
                    };
                    return managers
                        .try_apply(live, forced, view, writer)
                        .map_err(ApplyError::Conflicts);
                }
            }
        }
        Err(ApplyError::Conflicts(refused))
    }

    fn try_apply(
        mut self,
        live: &Value,
        applied: Applied<'_>,
        view: View<'_>,
        writer: Writer<'_>,
    ) -> Result<(Value, Self), Conflicts> {
        let mut own = writer.manager(Operation::Apply);
        let before = self.take(&own);
        own.fields = extract(applied.config, view).without(applied.ignored);
        let merged = merge(live, applied.config, view);
        let mut wanted = match &before {
            Some(before) => self.prune(merged, &own.fields, &before.fields, view),
            None => merged,
        };
        let comparison = compare(live, &wanted, view).without(applied.ignored);
        if !applied.force {
            let changed = comparison.added.union(&comparison.modified);
            let owners = self.all.iter().map(|manager| Manager {
                fields: manager.fields.intersection(&changed),
                ..manager.clone()
            });
            if let Some(conflicts) = Conflicts::of(owners) {
                return Err(conflicts);
            }
        }
        self.disown(&comparison, None);
        own.fields = ownable(&own.fields);
        if let Some(before) = before
            && before.fields == own.fields
            && before.api_version == own.api_version
            && live == &wanted
        {
            own.time = before.time;
        }
        self.all.push(own);
        self.drop_empty();
        last_applied::follow(&mut wanted, applied.config, writer);
        Ok((wanted, self))
    }

    /// Takes from the merged object what the manager applied `before` and does not apply `now`, unless somebody else
    /// owns it.
    fn prune(&self, merged: Value, now: &FieldSet, before: &FieldSet, view: View<'_>) -> Value {
        if before.difference(now).is_empty() {
            return merged;
        }
        let named = |set: &FieldSet| set.with_named_fields(view);
        let before = named(before);
        let all = named(&extract(&merged, view));
        let pruned = remove(&merged, &before, now, view);
        // What others own comes back, with all that holds it.
        let owned = self
            .all
            .iter()
            .fold(now.clone(), |owned, manager| owned.union(&manager.fields));
        let staying = named(&extract(&pruned, view)).union(&named(&owned));
        let pruned = remove(&merged, &all.difference(&staying), now, view);
        // And what nobody owned was not the manager's to take.
        let staying = named(&extract(&pruned, view));
        let going = all.difference(&staying).intersection(&before);
        remove(&merged, &going, now, view)
    }
}
