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

#[tonic::async_trait]
impl SummaryService for Door {
    type WatchPodsStream = Events<pb::WatchPodsResponse>;
    type WatchNodesStream = Events<pb::WatchNodesResponse>;
    type WatchWorkloadsStream = Events<pb::WatchWorkloadsResponse>;
    type WatchServicesStream = Events<pb::WatchServicesResponse>;
    type WatchClaimsStream = Events<pb::WatchClaimsResponse>;

    async fn get_pod(&self, request: Request<pb::GetPodRequest>) -> Answer<pb::GetPodResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        self.call(async {
            let entry = self
                .one(&peer, kinds::POD, request.namespace, request.name)
                .await?;
            Ok(pb::GetPodResponse {
                pod: Some(pod::summary(&entry)?),
            })
        })
        .await
    }

    async fn list_pods(&self, request: Request<pb::ListPodsRequest>) -> Answer<pb::ListPodsResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let scope = Scope {
            namespace: request.namespace,
            label_selector: request.label_selector,
            field_selector: request.field_selector,
        };
        let of = (request.page_size, request.page_token);
        self.call(async {
            let (pods, next_page_token, revision) =
                self.page(&peer, kinds::POD, scope, of, pod::summary).await?;
            Ok(pb::ListPodsResponse {
                pods,
                next_page_token,
                revision,
            })
        })
        .await
    }

    async fn watch_pods(&self, request: Request<pb::WatchPodsRequest>) -> Answer<Self::WatchPodsStream> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let scope = Scope {
            namespace: request.namespace,
            label_selector: request.label_selector,
            field_selector: request.field_selector,
        };
        self.follow(&peer, kinds::POD, scope, request.from_revision, move |event| {
            Ok(pb::WatchPodsResponse {
                r#type: convert::event_type(event.kind).into(),
                pod: event.entry.as_ref().map(pod::summary).transpose()?,
                revision: event.revision,
                ends_initial_events: event.kind == EventKind::Synced,
            })
        })
        .await
    }

    async fn get_node(&self, request: Request<pb::GetNodeRequest>) -> Answer<pb::GetNodeResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        self.call(async {
            let entry = self.one(&peer, kinds::NODE, String::new(), request.name).await?;
            Ok(pb::GetNodeResponse {
                node: Some(node::summary(&entry)?),
            })
        })
        .await
    }

    async fn list_nodes(&self, request: Request<pb::ListNodesRequest>) -> Answer<pb::ListNodesResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let scope = Scope {
            label_selector: request.label_selector,
            ..Scope::default()
        };
        let of = (request.page_size, request.page_token);
        self.call(async {
            let (nodes, next_page_token, revision) =
                self.page(&peer, kinds::NODE, scope, of, node::summary).await?;
            Ok(pb::ListNodesResponse {
                nodes,
                next_page_token,
                revision,
            })
        })
        .await
    }

    async fn watch_nodes(&self, request: Request<pb::WatchNodesRequest>) -> Answer<Self::WatchNodesStream> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let scope = Scope {
            label_selector: request.label_selector,
            ..Scope::default()
        };
        self.follow(&peer, kinds::NODE, scope, request.from_revision, move |event| {
            Ok(pb::WatchNodesResponse {
                r#type: convert::event_type(event.kind).into(),
                node: event.entry.as_ref().map(node::summary).transpose()?,
                revision: event.revision,
                ends_initial_events: event.kind == EventKind::Synced,
            })
        })
        .await
    }

    async fn get_workload(
        &self,
        request: Request<pb::GetWorkloadRequest>,
    ) -> Answer<pb::GetWorkloadResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let kind = request.kind();
        self.call(async {
            let entry = self
                .one(&peer, workload::resource(kind)?, request.namespace, request.name)
                .await?;
            Ok(pb::GetWorkloadResponse {
                workload: Some(workload::summary(kind, &entry)?),
            })
        })
        .await
    }

    async fn list_workloads(
        &self,
        request: Request<pb::ListWorkloadsRequest>,
    ) -> Answer<pb::ListWorkloadsResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let kind = request.kind();
        let scope = Scope {
            namespace: request.namespace,
            label_selector: request.label_selector,
            ..Scope::default()
        };
        let of = (request.page_size, request.page_token);
        self.call(async {
            let (workloads, next_page_token, revision) = self
                .page(&peer, workload::resource(kind)?, scope, of, move |entry| {
                    workload::summary(kind, entry)
                })
                .await?;
            Ok(pb::ListWorkloadsResponse {
                workloads,
                next_page_token,
                revision,
            })
        })
        .await
    }

    async fn watch_workloads(
        &self,
        request: Request<pb::WatchWorkloadsRequest>,
    ) -> Answer<Self::WatchWorkloadsStream> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let kind = request.kind();
        let scope = Scope {
            namespace: request.namespace,
            label_selector: request.label_selector,
            ..Scope::default()
        };
        let resource = workload::resource(kind).map_err(error::status)?;
        self.follow(&peer, resource, scope, request.from_revision, move |event| {
            Ok(pb::WatchWorkloadsResponse {
                r#type: convert::event_type(event.kind).into(),
                workload: event
                    .entry
                    .as_ref()
                    .map(|entry| workload::summary(kind, entry))
                    .transpose()?,
                revision: event.revision,
                ends_initial_events: event.kind == EventKind::Synced,
            })
        })
        .await
    }

    async fn get_service(&self, request: Request<pb::GetServiceRequest>) -> Answer<pb::GetServiceResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        self.call(async {
            let entry = self
                .one(&peer, kinds::SERVICE, request.namespace, request.name)
                .await?;
            Ok(pb::GetServiceResponse {
                service: Some(service::summary(&entry)?),
            })
        })
        .await
    }

    async fn list_services(
        &self,
        request: Request<pb::ListServicesRequest>,
    ) -> Answer<pb::ListServicesResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let scope = Scope {
            namespace: request.namespace,
            label_selector: request.label_selector,
            ..Scope::default()
        };
        let of = (request.page_size, request.page_token);
        self.call(async {
            let (services, next_page_token, revision) = self
                .page(&peer, kinds::SERVICE, scope, of, service::summary)
                .await?;
            Ok(pb::ListServicesResponse {
                services,
                next_page_token,
                revision,
            })
        })
        .await
    }

    async fn watch_services(
        &self,
        request: Request<pb::WatchServicesRequest>,
    ) -> Answer<Self::WatchServicesStream> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let scope = Scope {
            namespace: request.namespace,
            label_selector: request.label_selector,
            ..Scope::default()
        };
        self.follow(
            &peer,
            kinds::SERVICE,
            scope,
            request.from_revision,
            move |event| {
                Ok(pb::WatchServicesResponse {
                    r#type: convert::event_type(event.kind).into(),
                    service: event.entry.as_ref().map(service::summary).transpose()?,
                    revision: event.revision,
                    ends_initial_events: event.kind == EventKind::Synced,
                })
            },
        )
        .await
    }

    async fn get_claim(&self, request: Request<pb::GetClaimRequest>) -> Answer<pb::GetClaimResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        self.call(async {
            let entry = self
                .one(
                    &peer,
                    kinds::PERSISTENT_VOLUME_CLAIM,
                    request.namespace,
                    request.name,
                )
                .await?;
            Ok(pb::GetClaimResponse {
                claim: Some(claim::summary(&entry)?),
            })
        })
        .await
    }

    async fn list_claims(&self, request: Request<pb::ListClaimsRequest>) -> Answer<pb::ListClaimsResponse> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let scope = Scope {
            namespace: request.namespace,
            label_selector: request.label_selector,
            ..Scope::default()
        };
        let of = (request.page_size, request.page_token);
        self.call(async {
            let (claims, next_page_token, revision) = self
                .page(&peer, kinds::PERSISTENT_VOLUME_CLAIM, scope, of, claim::summary)
                .await?;
            Ok(pb::ListClaimsResponse {
                claims,
                next_page_token,
                revision,
            })
        })
        .await
    }

    async fn watch_claims(
        &self,
        request: Request<pb::WatchClaimsRequest>,
    ) -> Answer<Self::WatchClaimsStream> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let scope = Scope {
            namespace: request.namespace,
            label_selector: request.label_selector,
            ..Scope::default()
        };
        self.follow(
            &peer,
            kinds::PERSISTENT_VOLUME_CLAIM,
            scope,
            request.from_revision,
            move |event| {
                Ok(pb::WatchClaimsResponse {
                    r#type: convert::event_type(event.kind).into(),
                    claim: event.entry.as_ref().map(claim::summary).transpose()?,
                    revision: event.revision,
                    ends_initial_events: event.kind == EventKind::Synced,
                })
            },
        )
        .await
    }
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
