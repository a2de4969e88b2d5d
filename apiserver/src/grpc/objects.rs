//! `coracle.v1.ObjectService`: every call is a conversion, one call of the registry, and a conversion back.

use std::{future::Future, pin::Pin, sync::Arc};

use coracle_api::{ApiError, LabelSelector, Resource};
use coracle_proto::v1::{self as pb, object_service_server::ObjectService};
use futures::{Stream, stream};
use tonic::{Request, Response, Status};

use super::{CALL_TIMEOUT, Door, convert, error};
use crate::registry::{ApplyOutcome, Applying, DeleteOptions, ListRequest, Watch, Write, Written};

/// A page of a list ends at about this size.
const MAX_PAGE_BYTES: usize = 16 << 20;

type Answer<T> = Result<Response<T>, Status>;
type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Door {
    /// Runs a call, for at most [`CALL_TIMEOUT`].
    pub(super) async fn call<T>(&self, work: impl Future<Output = Result<T, ApiError>>) -> Answer<T> {
        let done = self.env.transport_clock.timeout(CALL_TIMEOUT, work).await;
        let result = done.unwrap_or_else(|_| Err(ApiError::timeout("request did not complete in time")));
        result.map(Response::new).map_err(error::status)
    }

    /// A watch as a stream of messages, until it fails or the server shuts down.
    pub(super) fn events<T: Send + 'static>(
        &self,
        watch: Watch,
        message: impl Fn(Vec<crate::registry::Event>) -> Result<Vec<T>, ApiError> + Send + Copy + 'static,
    ) -> Events<T> {
        let shutdown = self.shutdown.clone();
        let pages = stream::unfold(watch, move |mut watch| {
            let shutdown = shutdown.clone();
            async move {
                let told = shutdown.guard(watch.next()).await??;
                let messages = match told.and_then(message) {
                    Ok(messages) => messages.into_iter().map(Ok).collect(),
                    Err(failure) => vec![Err(error::status(failure))],
                };
                Some((stream::iter(messages), watch))
            }
        });
        Box::pin(futures::StreamExt::flatten(pages))
    }

    async fn write(
        &self,
        peer: Arc<coracle_service::Peer>,
        options: Option<pb::WriteOptions>,
        write: Result<Write, ApiError>,
    ) -> Result<(pb::Object, Written), ApiError> {
        let (ctx, format) = convert::context(peer, options)?;
        let write = write?;
        self.auth.require_write(&ctx.peer, &write).await?;
        let written = self.registry.write(&ctx, write).await?;
        Ok((convert::object(written.entry.clone(), format)?, written))
    }

    async fn list_page(
        &self,
        peer: Arc<coracle_service::Peer>,
        request: pb::ListRequest,
    ) -> Result<pb::ListResponse, ApiError> {
        let wanted = convert::list(&self.registry.catalog().now(), &request)?;
        self.auth.require_list(&peer, "list", &wanted).await?;
        let mut page = self.registry.list(&wanted).await?;
        let mut size_bytes = 0;
        let fits = page.entries.iter().take_while(|entry| {
            size_bytes += entry.json.len();
            size_bytes <= MAX_PAGE_BYTES
        });
        let fits = fits.count().max(1);
        if fits < page.entries.len() {
            page.entries.truncate(fits);
            page.continue_token = Some(crate::registry::continue_after(
                &wanted,
                page.revision,
                &page.entries,
            ));
        }
        let format = request.body_format();
        let objects = page
            .entries
            .into_iter()
            .map(|entry| convert::object(entry, format));
        Ok(pb::ListResponse {
            objects: objects.collect::<Result<_, _>>()?,
            next_page_token: page.continue_token.unwrap_or_default(),
            revision: page.revision,
        })
    }

    /// The documents that describe some kinds.
    async fn documents(&self, resources: &[&'static Resource]) -> Result<Vec<pb::OpenApiDocument>, ApiError> {
        self.openapi.follow(&self.registry);
        let mut documents: Vec<pb::OpenApiDocument> = Vec::new();
        for resource in resources {
            if documents
                .iter()
                .any(|own| own.api_version == resource.api_version)
            {
                continue;
            }
            // A version that went meanwhile is described by nothing.
            if let Some(json) = self.openapi.group(resource.group, resource.version).await? {
                documents.push(pb::OpenApiDocument {
                    api_version: resource.api_version.to_owned(),
                    json: json.into(),
                });
            }
        }
        Ok(documents)
    }

    async fn apply_documents(
        &self,
        peer: Arc<coracle_service::Peer>,
        request: pb::ApplyManifestRequest,
    ) -> Result<pb::ApplyManifestResponse, ApiError> {
        let (ctx, format) = convert::context(peer, request.options)?;
        let how = match request.server_side {
            true => Applying::ServerSide { force: request.force },
            false => Applying::ClientSide,
        };
        let applied = self
            .registry
            .apply_manifest(&ctx, &request.manifest, &request.namespace, how)
            .await?;
        let result = |applied: crate::registry::Applied| -> Result<pb::ApplyResult, ApiError> {
            let outcome = match &applied.outcome {
                Ok(ApplyOutcome::Created) => pb::ApplyOutcome::Created,
                Ok(ApplyOutcome::Configured) => pb::ApplyOutcome::Configured,
                Ok(ApplyOutcome::Unchanged) => pb::ApplyOutcome::Unchanged,
                Err(_) => pb::ApplyOutcome::Failed,
            };
            Ok(pb::ApplyResult {
                index: i32::try_from(applied.index).unwrap_or(i32::MAX),
                outcome: outcome.into(),
                object: applied
                    .entry
                    .map(|entry| convert::object(entry, format))
                    .transpose()?,
                error: applied.outcome.err().as_ref().map(error::rpc_status),
                warnings: applied.warnings,
            })
        };
        Ok(pb::ApplyManifestResponse {
            results: applied.into_iter().map(result).collect::<Result<_, _>>()?,
        })
    }
}

#[tonic::async_trait]
impl ObjectService for Door {
    type WatchStream = Events<pb::WatchResponse>;

    async fn get(&self, request: Request<pb::GetRequest>) -> Answer<pb::GetResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        self.call(async {
            let target = convert::target(
                &self.registry.catalog().now(),
                &request.api_version,
                &request.kind,
                &request.namespace,
                &request.name,
            )?;
            self.auth
                .require_get(&peer, &target, &request.subresource)
                .await?;
            let at = convert::set_revision(request.revision);
            let entry = self.registry.get(&target, &request.subresource, at).await?;
            Ok(pb::GetResponse {
                object: Some(convert::object(entry, request.body_format())?),
            })
        })
        .await
    }

    async fn list(&self, request: Request<pb::ListRequest>) -> Answer<pb::ListResponse> {
        let peer = convert::peer(&request);
        self.call(self.list_page(peer, request.into_inner())).await
    }

    async fn create(&self, request: Request<pb::CreateRequest>) -> Answer<pb::CreateResponse> {
        let (peer, mut request) = (convert::peer(&request), request.into_inner());
        let options = request.options.take();
        self.call(async {
            let (object, written) = self
                .write(
                    peer,
                    options,
                    convert::create(&self.registry.catalog().now(), request),
                )
                .await?;
            Ok(pb::CreateResponse {
                object: Some(object),
                warnings: written.warnings,
            })
        })
        .await
    }

    async fn update(&self, request: Request<pb::UpdateRequest>) -> Answer<pb::UpdateResponse> {
        let (peer, mut request) = (convert::peer(&request), request.into_inner());
        let options = request.options.take();
        self.call(async {
            let (object, written) = self
                .write(
                    peer,
                    options,
                    convert::update(&self.registry.catalog().now(), request),
                )
                .await?;
            Ok(pb::UpdateResponse {
                object: Some(object),
                warnings: written.warnings,
            })
        })
        .await
    }

    async fn patch(&self, request: Request<pb::PatchRequest>) -> Answer<pb::PatchResponse> {
        let (peer, mut request) = (convert::peer(&request), request.into_inner());
        let options = request.options.take();
        self.call(async {
            let (object, written) = self
                .write(
                    peer,
                    options,
                    convert::patch(&self.registry.catalog().now(), request),
                )
                .await?;
            Ok(pb::PatchResponse {
                object: Some(object),
                warnings: written.warnings,
            })
        })
        .await
    }

    async fn apply(&self, request: Request<pb::ApplyRequest>) -> Answer<pb::ApplyResponse> {
        let (peer, mut request) = (convert::peer(&request), request.into_inner());
        let options = request.options.take();
        self.call(async {
            let (object, written) = self
                .write(
                    peer,
                    options,
                    convert::apply(&self.registry.catalog().now(), request),
                )
                .await?;
            Ok(pb::ApplyResponse {
                object: Some(object),
                created: written.created,
                warnings: written.warnings,
            })
        })
        .await
    }

    async fn delete(&self, request: Request<pb::DeleteRequest>) -> Answer<pb::DeleteResponse> {
        let (peer, mut request) = (convert::peer(&request), request.into_inner());
        let options = request.options.take();
        self.call(async {
            let (object, written) = self
                .write(
                    peer,
                    options,
                    convert::delete(&self.registry.catalog().now(), request),
                )
                .await?;
            Ok(pb::DeleteResponse {
                object: Some(object),
                removed: written.removed,
            })
        })
        .await
    }

    async fn delete_collection(
        &self,
        request: Request<pb::DeleteCollectionRequest>,
    ) -> Answer<pb::DeleteCollectionResponse> {
        let (peer, mut request) = (convert::peer(&request), request.into_inner());
        self.call(async {
            let (ctx, _) = convert::context(peer, request.options.take())?;
            let list = ListRequest {
                namespace: request.namespace.clone(),
                labels: LabelSelector::parse(&request.label_selector)?,
                fields: coracle_api::FieldSelector::parse(&request.field_selector)?,
                ..ListRequest::all(convert::resource(
                    &self.registry.catalog().now(),
                    &request.api_version,
                    &request.kind,
                )?)
            };
            self.auth
                .require_list(&ctx.peer, "deletecollection", &list)
                .await?;
            let options = DeleteOptions {
                grace: request.grace_period_seconds,
                propagation: convert::propagation(request.propagation_policy()),
                ..DeleteOptions::default()
            };
            let deleted = self.registry.delete_collection(&ctx, &list, &options).await?;
            let count = i64::try_from(deleted.entries.len()).unwrap_or(i64::MAX);
            Ok(pb::DeleteCollectionResponse {
                deleted: count,
                revision: deleted.revision,
            })
        })
        .await
    }

    async fn watch(&self, request: Request<pb::WatchRequest>) -> Answer<Self::WatchStream> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let format = request.body_format();
        let begin = async {
            let wanted = convert::watch(&self.registry.catalog().now(), request)?;
            self.auth.require_watch(&peer, &wanted).await?;
            self.registry.watch(wanted)
        };
        let watch = begin.await.map_err(error::status)?;
        Ok(Response::new(self.events(watch, move |events| {
            let events = events
                .into_iter()
                .map(|event| convert::event(event, format))
                .collect::<Result<_, _>>()?;
            Ok(vec![pb::WatchResponse { events }])
        })))
    }

    async fn batch(&self, request: Request<pb::BatchRequest>) -> Answer<pb::BatchResponse> {
        let peer = convert::peer(&request);
        self.call(self.run_batch(peer, request.into_inner())).await
    }

    async fn apply_manifest(
        &self,
        request: Request<pb::ApplyManifestRequest>,
    ) -> Answer<pb::ApplyManifestResponse> {
        let peer = convert::peer(&request);
        self.call(self.apply_documents(peer, request.into_inner())).await
    }

    async fn discover(&self, request: Request<pb::DiscoverRequest>) -> Answer<pb::DiscoverResponse> {
        let pb::DiscoverRequest { kind, with_schemas } = request.into_inner();
        self.call(async {
            let resources: Vec<&'static Resource> = {
                let catalog = self.registry.catalog().now();
                match kind.as_str() {
                    "" => catalog.rows().collect(),
                    kind => vec![convert::resource(&catalog, "", kind)?],
                }
            };
            let documents = if with_schemas {
                self.documents(&resources).await?
            } else {
                Vec::new()
            };
            Ok(pb::DiscoverResponse {
                resources: resources.into_iter().map(described).collect(),
                documents,
            })
        })
        .await
    }
}

fn described(resource: &'static Resource) -> pb::Resource {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    pb::Resource {
        api_version: resource.api_version.to_owned(),
        kind: resource.kind.to_owned(),
        plural: resource.plural.to_owned(),
        singular: resource.singular.to_owned(),
        short_names: owned(resource.short_names),
        categories: owned(resource.categories),
        namespaced: resource.namespaced,
        verbs: owned(resource.verbs),
        subresources: resource
            .subresources
            .iter()
            .map(|own| own.name.to_owned())
            .collect(),
        selectable_fields: owned(resource.selectable_fields),
    }
}
