//! What a node serves: logs, commands, dials and statistics by gRPC, to the apiserver alone, and its health to anybody.
//!
//! One listener per node, on the node's own address; all share one service, since the manager knows the pods of all.

mod dial;
mod exec;
mod logs;
mod statistics;

#[cfg(test)]
mod tests;

use std::{net::Ipv4Addr, pin::Pin, sync::Arc};

use axum::Router;
use coracle_proto::v1::{
    DialRequest, DialResponse, ExecRequest, ExecResponse, GetStatisticsRequest, GetStatisticsResponse,
    LogsRequest, LogsResponse,
    node_service_server::{NodeService, NodeServiceServer},
};
use coracle_service::{Env, Health, Peer};
use futures::Stream;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use crate::{network::services::Services, pods::inbox::Message};

/// The user who may reach into pods.
const APISERVER: &str = "system:apiserver";
/// A group whose members may too.
const CALLER_GROUP: &str = "system:masters";

/// Serves [`NodeService`].
#[derive(Clone)]
pub struct Server {
    /// Where pods are asked for.
    pub manager: mpsc::Sender<Message>,
    /// The ways to Services and pods.
    pub services: Services,
    /// The nodes' addresses, by name.
    pub nodes: Arc<[(String, Ipv4Addr)]>,
    /// Its surroundings.
    pub env: Env,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Server {
    /// Everything that a node serves.
    pub fn router(self, health: &Health) -> Router {
        let service = NodeServiceServer::new(self);
        tonic::service::Routes::new(service)
            .into_axum_router()
            .merge(health.router())
    }
}

#[tonic::async_trait]
impl NodeService for Server {
    type LogsStream = Answers<LogsResponse>;
    type DialStream = Answers<DialResponse>;
    type ExecStream = Answers<ExecResponse>;

    async fn logs(&self, request: Request<LogsRequest>) -> Result<Response<Self::LogsStream>, Status> {
        authorize(&request)?;
        self.stream_logs(request.into_inner()).await.map(Response::new)
    }

    async fn dial(
        &self,
        request: Request<Streaming<DialRequest>>,
    ) -> Result<Response<Self::DialStream>, Status> {
        authorize(&request)?;
        self.stream_dial(request.into_inner()).await.map(Response::new)
    }

    async fn exec(
        &self,
        request: Request<Streaming<ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        authorize(&request)?;
        self.stream_exec(request.into_inner()).await.map(Response::new)
    }

    async fn get_statistics(
        &self,
        request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        authorize(&request)?;
        self.statistics().await.map(Response::new)
    }
}

fn authorize<T>(request: &Request<T>) -> Result<(), Status> {
    let peer = request.extensions().get::<Arc<Peer>>();
    match peer {
        Some(peer) if peer.user == APISERVER || peer.is_in(CALLER_GROUP) => Ok(()),
        Some(peer) if !peer.is_anonymous() => Err(Status::permission_denied(format!(
            "user {:?} may not reach into pods",
            peer.user
        ))),
        _ => Err(Status::unauthenticated("a client certificate is needed")),
    }
}
