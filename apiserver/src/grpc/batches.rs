//! Batches: many writes in one call, each with who changes fields by it.

use std::sync::Arc;

use coracle_api::ApiError;
use coracle_proto::v1 as pb;
use coracle_service::Peer;

use super::{Door, convert, error};
use crate::registry::custom::Snapshot;
use crate::registry::{Context, FieldValidation, MAX_BATCH, Write, WriteOptions, Written};

impl Door {
    pub(super) async fn run_batch(
        &self,
        peer: Arc<Peer>,
        request: pb::BatchRequest,
    ) -> Result<pb::BatchResponse, ApiError> {
        let format = request.body_format();
        if request.items.len() > MAX_BATCH {
            let count = request.items.len();
            let message = format!("a batch may carry at most {MAX_BATCH} items, this one has {count}");
            return Err(ApiError::request_entity_too_large(message));
        }
        let options = WriteOptions {
            fence: request.fence.map(convert::fence),
            // A batch's answer has no place for warnings, so nothing is looked for that would only be warned of.
            field_validation: FieldValidation::Ignore,
            ..WriteOptions::default()
        };
        let ctx = Context::new(peer).with_options(options);
        let items: Vec<_> = {
            let kinds = self.registry.catalog().now();
            request
                .items
                .into_iter()
                .map(|item| batch_item(&kinds, item))
                .collect()
        };
        // Items that cannot even be read fail alone, unless the batch is all or none.
        let mut writes = Vec::with_capacity(items.len());
        let mut unreadable = Vec::with_capacity(items.len());
        for item in items {
            match self.admitted(&ctx, item).await {
                Ok(admitted) => {
                    writes.push(admitted);
                    unreadable.push(None);
                }
                Err(error) if request.atomic => return Err(error),
                Err(error) => unreadable.push(Some(error)),
            }
        }
        let mut written = self
            .registry
            .batch_each(&ctx, writes, request.atomic)
            .await?
            .into_iter();
        let outcome = |failure: Option<ApiError>| match failure {
            Some(error) => Err(error),
            None => written
                .next()
                .unwrap_or_else(|| Err(ApiError::internal("the batch lost an item"))),
        };
        let results = unreadable
            .into_iter()
            .map(outcome)
            .map(|outcome| batch_result(outcome, format))
            .collect();
        Ok(pb::BatchResponse { results })
    }

    /// An item that its caller may write, with who changes its fields.
    async fn admitted(
        &self,
        ctx: &Context,
        item: Result<(String, Write), ApiError>,
    ) -> Result<(Context, Write), ApiError> {
        let (field_manager, write) = item?;
        self.auth.require_write(&ctx.peer, &write).await?;
        let options = WriteOptions {
            field_manager,
            ..ctx.options.clone()
        };
        Ok((ctx.clone().with_options(options), write))
    }
}

/// The write of an item, and who changes fields by it.
fn batch_item(kinds: &Snapshot, item: pb::BatchItem) -> Result<(String, Write), ApiError> {
    use pb::batch_item::Operation;
    let (options, write) = match item.operation {
        Some(Operation::Create(mut request)) => (request.options.take(), convert::create(kinds, request)),
        Some(Operation::Update(mut request)) => (request.options.take(), convert::update(kinds, request)),
        Some(Operation::Patch(mut request)) => (request.options.take(), convert::patch(kinds, request)),
        Some(Operation::Delete(mut request)) => (request.options.take(), convert::delete(kinds, request)),
        Some(Operation::Apply(mut request)) => (request.options.take(), convert::apply(kinds, request)),
        None => return Err(ApiError::bad_request("operation of a batch item must be set")),
    };
    let options = options.unwrap_or_default();
    if options.dry_run || options.fence.is_some() {
        return Err(ApiError::bad_request(
            "items of a batch have no dry run and no fence of their own",
        ));
    }
    if let Some(why) = coracle_api::names::field_manager(&options.field_manager)
        .into_iter()
        .next()
    {
        return Err(ApiError::bad_request(format!("fieldManager: {why}")));
    }
    Ok((options.field_manager, write?))
}

fn batch_result(outcome: Result<Written, ApiError>, format: pb::BodyFormat) -> pb::BatchResult {
    use pb::batch_result::Outcome;
    let outcome = match outcome.and_then(|written| convert::object(written.entry, format)) {
        Ok(object) => Outcome::Object(object),
        Err(failure) => Outcome::Error(error::rpc_status(&failure)),
    };
    pb::BatchResult {
        outcome: Some(outcome),
    }
}
