//! Many writes in one call: each by itself in shared commits, or all of them in one transaction.

use std::collections::BTreeSet;

use coracle_api::ApiError;
use coracle_store::{Committed, Key, Txn, TxnError};
use futures::{FutureExt, StreamExt, future::BoxFuture};

use super::{
    Context, Registry, Write, Written,
    passage::Passage,
    plan::{Overlay, Pending, Plan, Refusal},
    write::{MAX_ATTEMPTS, too_contended, unasked},
};

/// Writes in one batch.
pub const MAX_BATCH: usize = 2_000;
/// Writes of a batch that are shown to webhooks or policies at a time.
const MAX_SEEN: usize = 16;

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
        let writes = writes.into_iter().map(|write| (ctx.clone(), write)).collect();
        self.batch_each(ctx, writes, atomic).await
    }

    /// As [`Registry::batch`], with a context for each write. All share what `ctx` gathers, from which theirs are made.
    ///
    /// # Errors
    /// As [`Registry::batch`].
    pub async fn batch_each(
        &self,
        ctx: &Context,
        writes: Vec<(Context, Write)>,
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
        writes: &[(Context, Write)],
        results: &mut [Option<Result<Written, ApiError>>],
    ) -> bool {
        let overlay = Overlay::default();
        let mut busy: BTreeSet<Key> = BTreeSet::new();
        let (mut places, mut plans, mut txns) = (Vec::new(), Vec::new(), Vec::new());
        let (mut seen, mut wanted) = (Vec::new(), 0);
        let mut is_left = false;
        for (place, (own, write)) in writes
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
            if let Some(passage) = self.passage(write) {
                busy.extend(key);
                seen.push((place, own, write, passage));
                continue;
            }
            match self.plan(own, write, &overlay) {
                Ok(Plan::Done(written)) => results[place] = Some(Ok(written)),
                Ok(Plan::Ask(_)) => results[place] = Some(Err(unasked())),
                // Known to the next round, which plans it anew.
                Err(_) if ctx.converted.takes_more(&mut wanted) => is_left = true,
                Err(error) => results[place] = Some(Err(error)),
                Ok(Plan::Commit(mut pending)) => {
                    busy.extend(key);
                    txns.push(std::mem::take(&mut pending.txn));
                    plans.push(*pending);
                    places.push(place);
                }
            }
        }
        self.convert_wanted(&ctx.converted).await;
        let outcomes = self.store.commit_many(txns).await;
        for ((place, pending), outcome) in places.into_iter().zip(plans).zip(outcomes) {
            results[place] = self.conclude(pending, outcome);
            is_left |= results[place].is_none();
        }
        // Those that webhooks or policies want to see cannot share a commit: each waits for answers of its own.
        let mut waiting: Vec<BoxFuture<'_, _>> = Vec::with_capacity(seen.len());
        for (place, own, write, passage) in seen {
            let written = async move { (place, self.write_seen(own, write, passage).await) };
            waiting.push(written.boxed());
        }
        let mut seen = futures::stream::iter(waiting).buffer_unordered(MAX_SEEN);
        while let Some((place, result)) = seen.next().await {
            results[place] = Some(result);
        }
        is_left
    }

    async fn batch_atomic(
        &self,
        ctx: &Context,
        writes: &[(Context, Write)],
    ) -> Result<Vec<Written>, ApiError> {
        let passages = writes.iter().map(|(_, write)| self.passage(write));
        let mut passages: Vec<Option<Passage>> = passages.collect();
        // Every write may have to be asked about, and is planned anew after that.
        'attempt: for _ in 0..MAX_ATTEMPTS + writes.len() {
            let (mut txn, mut parts) = (Txn::default(), Vec::new());
            let mut overlay = Overlay::default();
            for ((own, write), passage) in writes.iter().zip(&mut passages) {
                overlay.set_passage(passage.take());
                let plan = self.plan(own, write, &overlay);
                *passage = overlay.take_passage();
                match plan {
                    Err(error) => {
                        self.release_all(&parts);
                        if self.convert_wanted(&ctx.converted).await {
                            continue 'attempt;
                        }
                        return Err(error);
                    }
                    Ok(Plan::Ask(question)) => {
                        self.release_all(&parts);
                        let passage = passage.as_mut().ok_or_else(unasked)?;
                        self.ask(own, passage, *question).await?;
                        continue 'attempt;
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
            let warnings = match self.judge_all(writes, &mut passages).await {
                Ok(warnings) => warnings,
                Err(error) => {
                    self.release_all(&parts);
                    return Err(error);
                }
            };
            let outcome = if txn.ops.is_empty() {
                Ok(Committed {
                    first_revision: self.revision(),
                    values: Vec::new(),
                })
            } else {
                self.store.commit(txn).await
            };
            self.release_all(&parts);
            match outcome {
                Ok(committed) => {
                    let settle = |(part, warnings): (Part, Vec<String>)| {
                        let mut written = part.settle(self, &committed)?;
                        written.warnings.extend(warnings);
                        Ok(written)
                    };
                    return parts.into_iter().zip(warnings).map(settle).collect();
                }
                Err(error) => match refused(&parts, error) {
                    Refusal::Tell(error) => return Err(error),
                    Refusal::Again => {}
                },
            }
        }
        Err(too_contended())
    }

    /// Has all that was planned judged; the warnings of each write.
    async fn judge_all(
        &self,
        writes: &[(Context, Write)],
        passages: &mut [Option<Passage>],
    ) -> Result<Vec<Vec<String>>, ApiError> {
        let mut all = Vec::with_capacity(writes.len());
        for ((own, write), passage) in writes.iter().zip(passages) {
            all.push(match passage {
                Some(passage) => self.judge(own, write, passage).await?,
                None => Vec::new(),
            });
        }
        Ok(all)
    }

    fn release_all(&self, parts: &[Part]) {
        for part in parts {
            if let Part::Pending { pending, .. } = part {
                self.release(pending);
            }
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
