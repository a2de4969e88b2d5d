//! `coracle.v1.SummaryService`: Pods and Nodes as typed fields, for clients that want no JSON.

use std::pin::Pin;

use coracle_api::{ApiError, FieldSelector, LabelSelector, kinds};
use coracle_proto::v1::{self as pb, summary_service_server::SummaryService};
use coracle_service::Peer;
use futures::Stream;
use tonic::{Request, Response, Status};

use super::{Door, convert, error};
use crate::registry::{Entry, Event, ListRequest, ListResult, Target, WatchRequest};

mod node;
mod pod;
#[cfg(test)]
mod tests;

type Events<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Door {
    async fn summaries<T>(
        &self,
        peer: &Peer,
        request: pb::ListRequest,
        summary: impl Fn(&Entry) -> Result<T, ApiError>,
    ) -> Result<(Vec<T>, ListResult), ApiError> {
        let wanted: ListRequest = convert::list(&self.registry.catalog().now(), &request)?;
        self.auth.require_list(peer, "list", &wanted).await?;
        let mut page = self.registry.list(&wanted).await?;
        let summaries = std::mem::take(&mut page.entries)
            .iter()
            .map(summary)
            .collect::<Result<_, _>>()?;
        Ok((summaries, page))
    }

    async fn begin(&self, peer: &Peer, request: WatchRequest) -> Result<crate::registry::Watch, Status> {
        let may = self.auth.require_watch(peer, &request).await;
        may.and_then(|()| self.registry.watch(request))
            .map_err(error::status)
    }
}

#[tonic::async_trait]
impl SummaryService for Door {
    type WatchPodsStream = Events<pb::WatchPodsResponse>;
    type WatchNodesStream = Events<pb::WatchNodesResponse>;

    async fn get_pod(
        &self,
        request: Request<pb::GetPodRequest>,
    ) -> Result<Response<pb::GetPodResponse>, Status> {
        let peer = convert::peer(&request);
        let pb::GetPodRequest { namespace, name } = request.into_inner();
        self.call(async {
            let target = convert::target(&self.registry.catalog().now(), "v1", "Pod", &namespace, &name)?;
            self.auth.require_get(&peer, &target, "").await?;
            let entry = self.registry.get(&target, "", None).await?;
            Ok(pb::GetPodResponse {
                pod: Some(pod::summary(&entry)?),
            })
        })
        .await
    }

    async fn list_pods(
        &self,
        request: Request<pb::ListPodsRequest>,
    ) -> Result<Response<pb::ListPodsResponse>, Status> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let list = pb::ListRequest {
            kind: "Pod".to_owned(),
            namespace: request.namespace,
            label_selector: request.label_selector,
            field_selector: request.field_selector,
            page_size: request.page_size,
            page_token: request.page_token,
            ..pb::ListRequest::default()
        };
        self.call(async {
            let (pods, page) = self.summaries(&peer, list, pod::summary).await?;
            let next_page_token = page.continue_token.unwrap_or_default();
            Ok(pb::ListPodsResponse {
                pods,
                next_page_token,
                revision: page.revision,
            })
        })
        .await
    }

    async fn watch_pods(
        &self,
        request: Request<pb::WatchPodsRequest>,
    ) -> Result<Response<Self::WatchPodsStream>, Status> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let from = convert::start(request.from_revision);
        let selectors = || {
            let labels = LabelSelector::parse(&request.label_selector)?;
            let fields = FieldSelector::parse(&request.field_selector)?;
            Ok::<_, ApiError>((labels, fields))
        };
        let (labels, fields) = selectors().map_err(error::status)?;
        let namespace = request.namespace;
        let watch = WatchRequest {
            namespace,
            labels,
            fields,
            ..WatchRequest::all(kinds::POD, from)
        };
        let watch = self.begin(&peer, watch).await?;
        Ok(Response::new(self.events(watch, |events| {
            events.into_iter().map(pod_event).collect()
        })))
    }

    async fn get_node(
        &self,
        request: Request<pb::GetNodeRequest>,
    ) -> Result<Response<pb::GetNodeResponse>, Status> {
        let (peer, name) = (convert::peer(&request), request.into_inner().name);
        self.call(async {
            let target = Target::new(kinds::NODE, "", name);
            self.auth.require_get(&peer, &target, "").await?;
            let entry = self.registry.get(&target, "", None).await?;
            Ok(pb::GetNodeResponse {
                node: Some(node::summary(&entry)?),
            })
        })
        .await
    }

    async fn list_nodes(
        &self,
        request: Request<pb::ListNodesRequest>,
    ) -> Result<Response<pb::ListNodesResponse>, Status> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let list = pb::ListRequest {
            kind: "Node".to_owned(),
            label_selector: request.label_selector,
            page_size: request.page_size,
            page_token: request.page_token,
            ..pb::ListRequest::default()
        };
        self.call(async {
            let (nodes, page) = self.summaries(&peer, list, node::summary).await?;
            let next_page_token = page.continue_token.unwrap_or_default();
            Ok(pb::ListNodesResponse {
                nodes,
                next_page_token,
                revision: page.revision,
            })
        })
        .await
    }

    async fn watch_nodes(
        &self,
        request: Request<pb::WatchNodesRequest>,
    ) -> Result<Response<Self::WatchNodesStream>, Status> {
        let (peer, request) = (convert::peer(&request), request.into_inner());
        let from = convert::start(request.from_revision);
        let labels =
            LabelSelector::parse(&request.label_selector).map_err(|error| error::status(error.into()))?;
        let watch = WatchRequest {
            labels,
            ..WatchRequest::all(kinds::NODE, from)
        };
        let watch = self.begin(&peer, watch).await?;
        Ok(Response::new(self.events(watch, |events| {
            events.into_iter().map(node_event).collect()
        })))
    }
}

fn pod_event(event: Event) -> Result<pb::WatchPodsResponse, ApiError> {
    Ok(pb::WatchPodsResponse {
        r#type: convert::event_type(event.kind).into(),
        pod: event.entry.as_ref().map(pod::summary).transpose()?,
        revision: event.revision,
        ends_initial_events: event.kind == crate::registry::EventKind::Synced,
    })
}

fn node_event(event: Event) -> Result<pb::WatchNodesResponse, ApiError> {
    Ok(pb::WatchNodesResponse {
        r#type: convert::event_type(event.kind).into(),
        node: event.entry.as_ref().map(node::summary).transpose()?,
        revision: event.revision,
        ends_initial_events: event.kind == crate::registry::EventKind::Synced,
    })
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
