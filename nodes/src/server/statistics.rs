//! Tells what the nodes of the process and their pods use.

use coracle_proto::v1::{
    ContainerStatistics, GetStatisticsResponse, NodeStatistics, PodStatistics, Usage as UsageMessage,
};
use tokio::sync::oneshot;
use tonic::Status;

use super::Server;
use crate::pods::{
    inbox::Message,
    usage::{NodeUsage, PodUsage, Usage},
};

impl Server {
    pub(super) async fn statistics(&self) -> Result<GetStatisticsResponse, Status> {
        let (reply, answer) = oneshot::channel();
        let ended = |_| Status::unavailable("the node is shutting down");
        let asked = self.manager.send(Message::Measure(reply)).await;
        asked.map_err(|error| ended(error.to_string()))?;
        let nodes = answer.await.map_err(|error| ended(error.to_string()))?;
        Ok(GetStatisticsResponse {
            nodes: nodes.into_iter().map(node).collect(),
        })
    }
}

fn node(own: NodeUsage) -> NodeStatistics {
    NodeStatistics {
        name: own.name,
        usage: Some(usage(own.usage)),
        pods: own.pods.into_iter().map(pod).collect(),
    }
}

fn pod(own: PodUsage) -> PodStatistics {
    let containers = own.containers.into_iter();
    PodStatistics {
        namespace: own.namespace,
        name: own.name,
        uid: own.uid,
        containers: containers
            .map(|(name, used)| ContainerStatistics {
                name,
                usage: Some(usage(used)),
            })
            .collect(),
    }
}

fn usage(own: Usage) -> UsageMessage {
    UsageMessage {
        cpu_nanocores: own.cpu_nanocores,
        memory_bytes: own.memory_bytes,
    }
}
