//! Carrying out writes: plan, commit, answer, and plan again where somebody else was faster.

use std::collections::BTreeSet;

use bytes::Bytes;
use coracle_api::{ApiError, Resource};
use coracle_store::{Committed, Key, Txn, TxnError};

use super::{
    Context, DeleteOptions, Deleted, DeletedCollection, ListRequest, PatchType, Preconditions, Registry,
    Target, Write, Written,
    plan::{Overlay, Pending, Plan, Refusal},
};

/// How often one write is planned anew before the client is told to try again itself.
const MAX_ATTEMPTS: usize = 128;
/// Writes in one batch.
pub const MAX_BATCH: usize = 2_000;
/// Objects that one step of deleting a collection reads and deletes.
const COLLECTION_PAGE: usize = 500;

impl Registry {
    /// Stores a new object. `namespace` and `name` may be empty where the body holds them.
    ///
    /// # Errors
    /// [`ApiError`] as upstream's apiserver answers.
    pub async fn create(
        &self,
        ctx: &Context,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        body: Bytes,
    ) -> Result<Written, ApiError> {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        self.write(
            ctx,
            Write::Create {
                resource,
                namespace,
                name,
                body,
            },
        )
        .await
    }

    /// Acts on an object through `binding` or `eviction`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn create_subresource(
        &self,
        ctx: &Context,
        target: Target,
        subresource: &str,
        body: Bytes,
    ) -> Result<Written, ApiError> {
        let subresource = subresource.to_owned();
        self.write(
            ctx,
            Write::CreateSubresource {
                target,
                subresource,
                body,
            },
        )
        .await
    }

    /// Replaces an object, or its `status`, `scale` or `finalize`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn update(
        &self,
        ctx: &Context,
        target: Target,
        subresource: &str,
        body: Bytes,
    ) -> Result<Written, ApiError> {
        let subresource = subresource.to_owned();
        self.write(
            ctx,
            Write::Update {
                target,
                subresource,
                body,
            },
        )
        .await
    }

    /// Changes part of an object. Without a revision it is tried again here until it holds.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn patch(
        &self,
        ctx: &Context,
        target: Target,
        subresource: &str,
        patch_type: PatchType,
        body: Bytes,
        preconditions: Preconditions,
    ) -> Result<Written, ApiError> {
        let subresource = subresource.to_owned();
        self.write(
            ctx,
            Write::Patch {
                target,
                subresource,
                patch_type,
                body,
                preconditions,
            },
        )
        .await
    }

    /// Deletes an object, at once or, with a grace period or finalizers, later.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn delete(
        &self,
        ctx: &Context,
        target: Target,
        options: DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let Written { entry, removed, .. } = self.write(ctx, Write::Delete { target, options }).await?;
        Ok(Deleted { entry, removed })
    }

    /// Deletes every object that `request` lists, a page at a time.
    ///
    /// # Errors
    /// [`ApiError`] of the first object that could not be deleted; those before it are.
    pub async fn delete_collection(
        &self,
        ctx: &Context,
        request: &ListRequest,
        options: &DeleteOptions,
    ) -> Result<DeletedCollection, ApiError> {
        let mut page_of = ListRequest {
            limit: COLLECTION_PAGE,
            ..request.clone()
        };
        let mut entries = Vec::new();
        loop {
            let page = self.list(&page_of).await?;
            let delete = |entry: &super::Entry| Write::Delete {
                target: Target::new(
                    request.resource,
                    &*entry.attributes.namespace,
                    &*entry.attributes.name,
                ),
                options: DeleteOptions {
                    uid: Some(entry.attributes.uid.to_string()),
                    ..options.clone()
                },
            };
            for outcome in self
                .batch(ctx, page.entries.iter().map(delete).collect(), false)
                .await?
            {
                match outcome {
                    Ok(written) => entries.push(written.entry),
                    // Somebody else deleted it first, or it is another object by now.
                    Err(error) if error.is_not_found() || error.is_conflict() => {}
                    Err(error) => return Err(error),
                }
            }
            page_of.continue_token = page.continue_token;
            if page_of.continue_token.is_none() {
                return Ok(DeletedCollection {
                    entries,
                    revision: self.revision(),
                });
            }
        }
    }

    /// Any one write.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn write(&self, ctx: &Context, write: Write) -> Result<Written, ApiError> {
        for _ in 0..MAX_ATTEMPTS {
            let mut pending = match self.plan(ctx, &write, &Overlay::default())? {
                Plan::Done(written) => return Ok(written),
                Plan::Commit(pending) => *pending,
            };
            let outcome = self.store.commit(std::mem::take(&mut pending.txn)).await;
            if let Some(answer) = self.conclude(pending, outcome) {
                return answer;
            }
        }
        Err(too_contended())
    }

    /// The answer, or `None` to plan again.
    fn conclude(
        &self,
        pending: Pending,
        outcome: Result<Committed, TxnError>,
    ) -> Option<Result<Written, ApiError>> {
        if let Some(reservation) = &pending.reservation {
            self.addresses.release(reservation);
        }
        match outcome {
            Ok(committed) => Some(self.settle(pending, &committed, 0)),
            Err(error) => match pending.refused(error, 0) {
                Refusal::Tell(error) => Some(Err(error)),
                Refusal::Again => None,
            },
        }
    }

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
                match self.plan(ctx, write, &overlay)? {
                    Plan::Done(written) => parts.push(Part::Done(written)),
                    Plan::Commit(mut pending) => {
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
            for reservation in parts.iter().filter_map(Part::reservation) {
                self.addresses.release(reservation);
            }
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

fn too_contended() -> ApiError {
    ApiError::new(
        coracle_api::Reason::ServerTimeout,
        format!(
            "the object was changed by others {MAX_ATTEMPTS} times while this write was tried; try again"
        ),
    )
    .with_retry_after(1)
}

impl Write {
    /// The object that is written; `None` where its name is still to be drawn or stands in the body.
    fn key(&self) -> Option<Key> {
        match self {
            Self::Create {
                resource,
                namespace,
                name,
                ..
            } => {
                let is_known = !name.is_empty() && (!namespace.is_empty() || !resource.namespaced);
                is_known.then(|| resource.store_key(namespace, name).into())
            }
            Self::CreateSubresource { target, .. }
            | Self::Update { target, .. }
            | Self::Patch { target, .. }
            | Self::Delete { target, .. } => Some(target.key()),
        }
    }
}
