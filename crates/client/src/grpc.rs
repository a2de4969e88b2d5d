//! [`ObjectApi`] over gRPC.

use std::time::Duration;

use async_trait::async_trait;
use coracle_api::{ApiError, Resource};
use coracle_proto::v1::{self as pb, object_service_client::ObjectServiceClient};
use coracle_service::{Env, Identity, connect};
use futures::{StreamExt, stream};
use tonic::{Request, transport::Channel};

use crate::{
    BatchOptions, ListPage, ListQuery, Object, ObjectApi, WatchQuery, WatchStream, Write, WriteOptions,
    convert, error,
};

/// The largest message that is accepted: a page of a list ends at about 16 MiB.
const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// How long a call may take, watches excepted.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one apiserver; cheap to clone, and all clones share one connection.
#[derive(Clone)]
pub struct GrpcClient {
    service: ObjectServiceClient<Channel>,
}

impl GrpcClient {
    /// A client of the apiserver at `authority` (`host:port`), which is dialed at the first call.
    ///
    /// # Errors
    /// A text naming `authority` where it is not of that form.
    pub fn new(authority: &str, env: &Env, identity: &Identity) -> Result<Self, String> {
        Ok(Self::over(connect::channel(authority, env, identity)?))
    }

    /// A client over a channel of the caller's.
    #[must_use]
    pub fn over(channel: Channel) -> Self {
        let service = ObjectServiceClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Self { service }
    }

    fn service(&self) -> ObjectServiceClient<Channel> {
        self.service.clone()
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(CALL_TIMEOUT);
    request
}

impl GrpcClient {
    async fn read(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        subresource: &str,
    ) -> Result<Object, ApiError> {
        let request = pb::GetRequest {
            api_version: resource.api_version().to_owned(),
            kind: resource.plural.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
            ..pb::GetRequest::default()
        };
        let answer = self
            .service()
            .get(timed(request))
            .await
            .map_err(|status| error::from_status(&status))?;
        convert::present(answer.into_inner().object)
    }
}

#[async_trait]
impl ObjectApi for GrpcClient {
    async fn get(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Object, ApiError> {
        self.read(resource, namespace, name, "").await
    }

    async fn get_scale(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
    ) -> Result<Object, ApiError> {
        self.read(resource, namespace, name, "scale").await
    }

    async fn list(&self, query: &ListQuery) -> Result<ListPage, ApiError> {
        let request = timed(convert::list_request(query));
        let answer = self
            .service()
            .list(request)
            .await
            .map_err(|status| error::from_status(&status))?;
        let pb::ListResponse {
            objects,
            next_page_token,
            revision,
        } = answer.into_inner();
        Ok(ListPage {
            objects: objects.into_iter().map(convert::object).collect(),
            next_page_token,
            revision,
        })
    }

    async fn watch(&self, query: &WatchQuery) -> Result<WatchStream, ApiError> {
        let request = convert::watch_request(query);
        let answer = self
            .service()
            .watch(request)
            .await
            .map_err(|status| error::from_status(&status))?;
        let events = answer.into_inner().map(|message| match message {
            Ok(message) => message.events.into_iter().map(convert::event).collect(),
            Err(status) => Err(error::from_status(&status)),
        });
        // A stream that the server ends in good order (it shuts down) is one to resume like any other.
        let end = stream::once(async { Err(ApiError::unavailable("the server ended the watch")) });
        Ok(events.chain(end).boxed())
    }

    async fn write(&self, write: Write, options: &WriteOptions) -> Result<Object, ApiError> {
        use pb::batch_item::Operation;
        let mut service = self.service();
        let object = match convert::operation(write, Some(convert::write_options(options))) {
            Operation::Create(request) => service
                .create(timed(request))
                .await
                .map(|r| r.into_inner().object),
            Operation::Update(request) => service
                .update(timed(request))
                .await
                .map(|r| r.into_inner().object),
            Operation::Patch(request) => service.patch(timed(request)).await.map(|r| r.into_inner().object),
            Operation::Apply(request) => service.apply(timed(request)).await.map(|r| r.into_inner().object),
            Operation::Delete(request) => service
                .delete(timed(request))
                .await
                .map(|r| r.into_inner().object),
        };
        convert::present(object.map_err(|status| error::from_status(&status))?)
    }

    async fn batch(
        &self,
        writes: Vec<Write>,
        options: &BatchOptions,
    ) -> Result<Vec<Result<Object, ApiError>>, ApiError> {
        let items = writes
            .into_iter()
            .map(|write| pb::BatchItem {
                operation: Some(convert::operation(write, None)),
            })
            .collect();
        let request = pb::BatchRequest {
            items,
            atomic: options.atomic,
            fence: options.fence.as_ref().map(convert::fence),
            body_format: convert::body_format(options.without_bodies),
        };
        let answer = self
            .service()
            .batch(timed(request))
            .await
            .map_err(|status| error::from_status(&status))?;
        let outcome = |result: pb::BatchResult| match result.outcome {
            Some(pb::batch_result::Outcome::Object(object)) => Ok(convert::object(object)),
            Some(pb::batch_result::Outcome::Error(status)) => Err(error::from_rpc_status(status)),
            None => Err(ApiError::internal("the server's answer holds no outcome")),
        };
        Ok(answer.into_inner().results.into_iter().map(outcome).collect())
    }
}
