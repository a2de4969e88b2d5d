//! Carrying out writes: plan, commit, answer, and plan again where somebody else was faster.

use bytes::Bytes;
use coracle_api::{ApiError, Resource};
use coracle_store::{Committed, Key, TxnError};

use super::{
    Context, DeleteOptions, Deleted, DeletedCollection, ListRequest, PatchType, Preconditions, Registry,
    Target, Write, Written,
    plan::{Overlay, Pending, Plan, Refusal},
};

/// How often one write is planned anew before the client is told to try again itself.
pub(super) const MAX_ATTEMPTS: usize = 128;
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
        let written = self.write(ctx, Write::Delete { target, options }).await?;
        Ok(Deleted {
            entry: written.entry,
            removed: written.removed,
            warnings: written.warnings,
        })
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
        if let Some(passage) = self.passage(&write) {
            return self.write_seen(ctx, &write, passage).await;
        }
        for _ in 0..MAX_ATTEMPTS {
            let plan = match self.plan(ctx, &write, &Overlay::default()) {
                Err(_) if self.convert_wanted(&ctx.converted).await => continue,
                plan => plan?,
            };
            let mut pending = match plan {
                Plan::Done(written) => return Ok(written),
                Plan::Commit(pending) => *pending,
                Plan::Ask(_) => return Err(unasked()),
            };
            let outcome = self.store.commit(std::mem::take(&mut pending.txn)).await;
            if let Some(answer) = self.conclude(pending, outcome) {
                return answer;
            }
        }
        Err(too_contended())
    }

    /// Gives back what a plan reserved, whether it was carried out or not.
    pub(super) fn release(&self, pending: &Pending) {
        self.release_reserved(&pending.reserved);
    }

    /// The answer, or `None` to plan again.
    pub(super) fn conclude(
        &self,
        pending: Pending,
        outcome: Result<Committed, TxnError>,
    ) -> Option<Result<Written, ApiError>> {
        self.release(&pending);
        match outcome {
            Ok(committed) => Some(self.settle(pending, &committed, 0)),
            Err(error) => match pending.refused(error, 0) {
                Refusal::Tell(error) => Some(Err(error)),
                Refusal::Again => None,
            },
        }
    }
}

/// Planning asks webhooks only about writes that have a passage.
pub(super) fn unasked() -> ApiError {
    ApiError::internal("a write that no webhook wants to see was to be shown to one")
}

pub(super) fn too_contended() -> ApiError {
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
    pub(super) fn key(&self) -> Option<Key> {
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
            | Self::Apply { target, .. }
            | Self::Delete { target, .. } => Some(target.key()),
        }
    }
}
