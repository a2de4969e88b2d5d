//! `coracle.v1.SummaryService`: common kinds as typed fields, for clients that want no JSON.
//!
//! Every kind has a file that makes its summary; getting, paging and following are the same for all.

use std::pin::Pin;

use coracle_api::{ApiError, FieldSelector, LabelSelector, Resource, kinds};
use coracle_proto::v1::{self as pb, summary_service_server::SummaryService};
use coracle_service::Peer;
use futures::Stream;
use tonic::{Request, Response, Status};

use super::{Door, convert, error};
use crate::registry::{Entry, Event, EventKind, ListRequest, Target, WatchRequest};

mod claim;
mod node;
mod pod;
mod service;
#[cfg(test)]
mod tests;
mod workload;

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Answer<T> = Result<Response<T>, Status>;

/// Which objects are meant; what a kind's request does not have stays empty.
#[derive(Default)]
struct Scope {
    namespace: String,
    label_selector: String,
    field_selector: String,
}

/// A page of summaries, the token of the next one and the revision that both show.
type Page<T> = (Vec<T>, String, i64);

impl Door {
    async fn one(
        &self,
        peer: &Peer,
        resource: &'static Resource,
        namespace: String,
        name: String,
    ) -> Result<Entry, ApiError> {
        let is_unnamed = resource.namespaced && namespace.is_empty();
        let namespace = if is_unnamed {
            "default".to_owned()
        } else {
            namespace
        };
        let target = Target::new(resource, namespace, name);
        self.auth.require_get(peer, &target, "").await?;
        self.registry.get(&target, "", None).await
    }

    async fn page<T>(
        &self,
        peer: &Peer,
        resource: &'static Resource,
        scope: Scope,
        (page_size, page_token): (i32, String),
        summary: impl Fn(&Entry) -> Result<T, ApiError>,
    ) -> Result<Page<T>, ApiError> {
        let Scope {
            namespace,
            label_selector,
            field_selector,
        } = scope;
        let request = pb::ListRequest {
            api_version: resource.api_version.to_owned(),
            kind: resource.kind.to_owned(),
            namespace,
            label_selector,
            field_selector,
            page_size,
            page_token,
            ..pb::ListRequest::default()
        };
        let wanted: ListRequest = convert::list(&self.registry.catalog().now(), &request)?;
        self.auth.require_list(peer, "list", &wanted).await?;
        let page = self.registry.list(&wanted).await?;
        let summaries = page.entries.iter().map(summary).collect::<Result<_, _>>()?;
        Ok((summaries, page.continue_token.unwrap_or_default(), page.revision))
    }

    async fn follow<T: Send + 'static>(
        &self,
        peer: &Peer,
        resource: &'static Resource,
        scope: Scope,
        from_revision: i64,
        message: impl Fn(Event) -> Result<T, ApiError> + Send + Copy + 'static,
    ) -> Answer<Events<T>> {
        let begin = async {
            let watch = WatchRequest {
                namespace: scope.namespace,
                labels: LabelSelector::parse(&scope.label_selector)?,
                fields: FieldSelector::parse(&scope.field_selector)?,
                ..WatchRequest::all(resource, convert::start(from_revision))
            };
            self.auth.require_watch(peer, &watch).await?;
            self.registry.watch(watch)
        };
        let watch = begin.await.map_err(error::status)?;
        Ok(Response::new(self.events(watch, move |events| {
            events.into_iter().map(message).collect()
        })))
    }
}

/// Of each kind: the calls with their messages, the answers' fields, what a request selects by, and which objects it
/// is about and what makes a summary of one.
macro_rules! summaries {
    ($(
        {
            get: $get:ident($get_request:ident -> $get_response:ident { $one:ident }) in [$($place:ident)?],
            list: $list:ident($list_request:ident -> $list_response:ident { $many:ident }),
            watch: $watch:ident($watch_request:ident -> $watch_response:ident as $stream:ident),
            by: [$($selector:ident)*],
            of: |$request:ident| $of:expr,
        }
    )*) => {
        #[tonic::async_trait]
        impl SummaryService for Door {
            $(
                type $stream = Events<pb::$watch_response>;

                async fn $get(&self, request: Request<pb::$get_request>) -> Answer<pb::$get_response> {
                    let (peer, $request) = (convert::peer(&request), request.into_inner());
                    self.call(async {
                        let (resource, summary) = $of?;
                        let namespace = None$(.or(Some($request.$place)))?;
                        let entry = self
                            .one(&peer, resource, namespace.unwrap_or_default(), $request.name)
                            .await?;
                        Ok(pb::$get_response {
                            $one: Some(summary(&entry)?),
                        })
                    })
                    .await
                }

                async fn $list(&self, request: Request<pb::$list_request>) -> Answer<pb::$list_response> {
                    let (peer, $request) = (convert::peer(&request), request.into_inner());
                    self.call(async {
                        let (resource, summary) = $of?;
                        let mut scope = Scope::default();
                        $(scope.$selector = $request.$selector;)*
                        let of = ($request.page_size, $request.page_token);
                        let (summaries, next_page_token, revision) =
                            self.page(&peer, resource, scope, of, summary).await?;
                        Ok(pb::$list_response {
                            $many: summaries,
                            next_page_token,
                            revision,
                        })
                    })
                    .await
                }

                async fn $watch(&self, request: Request<pb::$watch_request>) -> Answer<Self::$stream> {
                    let (peer, $request) = (convert::peer(&request), request.into_inner());
                    let (resource, summary) = $of.map_err(error::status)?;
                    let mut scope = Scope::default();
                    $(scope.$selector = $request.$selector;)*
                    self.follow(&peer, resource, scope, $request.from_revision, move |event| {
                        Ok(pb::$watch_response {
                            r#type: convert::event_type(event.kind).into(),
                            $one: event.entry.as_ref().map(summary).transpose()?,
                            revision: event.revision,
                            ends_initial_events: event.kind == EventKind::Synced,
                        })
                    })
                    .await
                }
            )*
        }
    };
}

summaries! {
    {
        get: get_pod(GetPodRequest -> GetPodResponse { pod }) in [namespace],
        list: list_pods(ListPodsRequest -> ListPodsResponse { pods }),
        watch: watch_pods(WatchPodsRequest -> WatchPodsResponse as WatchPodsStream),
        by: [namespace label_selector field_selector],
        of: |request| always(kinds::POD, pod::summary),
    }
    {
        get: get_node(GetNodeRequest -> GetNodeResponse { node }) in [],
        list: list_nodes(ListNodesRequest -> ListNodesResponse { nodes }),
        watch: watch_nodes(WatchNodesRequest -> WatchNodesResponse as WatchNodesStream),
        by: [label_selector],
        of: |request| always(kinds::NODE, node::summary),
    }
    {
        get: get_workload(GetWorkloadRequest -> GetWorkloadResponse { workload }) in [namespace],
        list: list_workloads(ListWorkloadsRequest -> ListWorkloadsResponse { workloads }),
        watch: watch_workloads(WatchWorkloadsRequest -> WatchWorkloadsResponse as WatchWorkloadsStream),
        by: [namespace label_selector],
        of: |request| {
            let kind = request.kind();
            workload::resource(kind).map(|resource| (resource, move |entry: &Entry| workload::summary(kind, entry)))
        },
    }
    {
        get: get_service(GetServiceRequest -> GetServiceResponse { service }) in [namespace],
        list: list_services(ListServicesRequest -> ListServicesResponse { services }),
        watch: watch_services(WatchServicesRequest -> WatchServicesResponse as WatchServicesStream),
        by: [namespace label_selector],
        of: |request| always(kinds::SERVICE, service::summary),
    }
    {
        get: get_claim(GetClaimRequest -> GetClaimResponse { claim }) in [namespace],
        list: list_claims(ListClaimsRequest -> ListClaimsResponse { claims }),
        watch: watch_claims(WatchClaimsRequest -> WatchClaimsResponse as WatchClaimsStream),
        by: [namespace label_selector],
        of: |request| always(kinds::PERSISTENT_VOLUME_CLAIM, claim::summary),
    }
}

/// What makes the summary of an object.
type Summary<T> = fn(&Entry) -> Result<T, ApiError>;

/// A kind that does not depend on the request.
fn always<T>(
    resource: &'static Resource,
    summary: Summary<T>,
) -> Result<(&'static Resource, Summary<T>), ApiError> {
    Ok((resource, summary))
}

/// An API time as the wire has it.
fn timestamp(time: Option<jiff::Timestamp>) -> Option<prost_types::Timestamp> {
    time.map(|time| prost_types::Timestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    })
}

fn labels(labels: &coracle_api::Labels) -> std::collections::HashMap<String, String> {
    labels
        .iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
