//! Many writes in one call: each by itself in shared commits, or all of them in one transaction.

use std::collections::BTreeSet;

use coracle_api::ApiError;
use coracle_store::{Committed, Key, Txn, TxnError};

use super::{
    Context, Registry, Write, Written,
    plan::{Overlay, Pending, Plan, Refusal},
    write::{MAX_ATTEMPTS, too_contended},
};

/// Writes in one batch.
pub const MAX_BATCH: usize = 2_000;

impl Registry {
    /// Many writes, judged one by one in order and sharing commits; with `atomic`, all or none. Writes to the same
    /// object apply in order.
    ///
    /// # Errors
    /// [`ApiError`] where the batch itself is not acceptable; with `atomic`, the first write's error.
    pub async fn batch(
        &self,
        ctx: &Context,
        writes: Vec<Write>,
        atomic: bool,
    ) -> Result<Vec<Result<Written, ApiError>>, ApiError> {
        if writes.len() > MAX_BATCH {
            let message = format!(
                "a batch may carry at most {MAX_BATCH} writes, this one has {}",
                writes.len()
            );
            return Err(ApiError::request_entity_too_large(message));
        }
        if atomic {
            let written = self.batch_atomic(ctx, &writes).await?;
            return Ok(written.into_iter().map(Ok).collect());
        }
        let mut results: Vec<Option<Result<Written, ApiError>>> = writes.iter().map(|_| None).collect();
        for _ in 0..MAX_ATTEMPTS.max(writes.len()) {
            if !self.batch_round(ctx, &writes, &mut results).await {
                break;
            }
        }
        Ok(results
            .into_iter()
            .map(|result| result.unwrap_or_else(|| Err(too_contended())))
            .collect())
    }

    /// Plans and commits what has no result yet; a write waits while an earlier one of the same object is under way.
    /// Says whether anything is left.
    async fn batch_round(
        &self,
        ctx: &Context,
        writes: &[Write],
        results: &mut [Option<Result<Written, ApiError>>],
    ) -> bool {
        let overlay = Overlay::default();
        let mut busy: BTreeSet<Key> = BTreeSet::new();
        let (mut places, mut plans, mut txns) = (Vec::new(), Vec::new(), Vec::new());
        let mut is_left = false;
        for (place, write) in writes
            .iter()
            .enumerate()
            .filter(|(place, _)| results[*place].is_none())
            .collect::<Vec<_>>()
        {
            let key = write.key();
            if key.as_ref().is_some_and(|key| busy.contains(key)) {
                is_left = true;
                continue;
            }
            match self.plan(ctx, write, &overlay) {
                Ok(Plan::Done(written)) => results[place] = Some(Ok(written)),
                Err(error) => results[place] = Some(Err(error)),
                Ok(Plan::Commit(mut pending)) => {
                    busy.extend(key);
                    txns.push(std::mem::take(&mut pending.txn));
                    plans.push(*pending);
                    places.push(place);
                }
            }
        }
        let outcomes = self.store.commit_many(txns).await;
        for ((place, pending), outcome) in places.into_iter().zip(plans).zip(outcomes) {
            results[place] = self.conclude(pending, outcome);
            is_left |= results[place].is_none();
        }
        is_left
    }

    async fn batch_atomic(&self, ctx: &Context, writes: &[Write]) -> Result<Vec<Written>, ApiError> {
        for _ in 0..MAX_ATTEMPTS {
            let (mut txn, mut parts) = (Txn::default(), Vec::new());
            let mut overlay = Overlay::default();
            for write in writes {
                match self.plan(ctx, write, &overlay) {
                    Err(error) => {
                        self.release(&parts);
                        return Err(error);
                    }
                    Ok(Plan::Done(written)) => parts.push(Part::Done(written)),
                    Ok(Plan::Commit(mut pending)) => {
                        overlay.add(&pending);
                        let (first, op) = (txn.conditions.len(), txn.ops.len());
                        let own = std::mem::take(&mut pending.txn);
                        txn.conditions.extend(own.conditions);
                        txn.ops.extend(own.ops);
                        parts.push(Part::Pending { pending, first, op });
                    }
                }
            }
            let outcome = if txn.ops.is_empty() {
                Ok(Committed {
                    first_revision: self.revision(),
                    values: Vec::new(),
                })
            } else {
                self.store.commit(txn).await
            };
            self.release(&parts);
            match outcome {
                Ok(committed) => {
                    return parts
                        .into_iter()
                        .map(|part| part.settle(self, &committed))
                        .collect();
                }
                Err(error) => match refused(&parts, error) {
                    Refusal::Tell(error) => return Err(error),
                    Refusal::Again => {}
                },
            }
        }
        Err(too_contended())
    }

    fn release(&self, parts: &[Part]) {
        for reservation in parts.iter().filter_map(Part::reservation) {
            self.addresses.release(reservation);
        }
    }
}

/// One write of an atomic batch.
enum Part {
    Done(Written),
    Pending {
        pending: Box<Pending>,
        first: usize,
        op: usize,
    },
}

impl Part {
    fn reservation(&self) -> Option<&super::addresses::Reservation> {
        match self {
            Self::Pending { pending, .. } => pending.reservation.as_ref(),
            Self::Done(_) => None,
        }
    }

    fn settle(self, registry: &Registry, committed: &Committed) -> Result<Written, ApiError> {
        match self {
            Self::Done(written) => Ok(written),
            Self::Pending { pending, op, .. } => registry.settle(*pending, committed, op),
        }
    }
}

/// Finds the write that the refusal is about.
fn refused(parts: &[Part], error: TxnError) -> Refusal {
    let failed = match &error {
        TxnError::ConditionFailed { index, .. } => Some(*index),
        _ => None,
    };
    let mut pending = parts.iter().filter_map(|part| match part {
        Part::Pending { pending, first, .. } => Some((pending, *first)),
        Part::Done(_) => None,
    });
    let about = pending.find(|(pending, first)| {
        failed.is_none_or(|index| (*first..*first + pending.conditions()).contains(&index))
    });
    about.map_or(Refusal::Again, |(pending, first)| pending.refused(error, first))
}
