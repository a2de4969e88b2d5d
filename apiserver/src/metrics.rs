//! `metrics.k8s.io`: what nodes and pods use, asked of the nodes when a client asks.
//!
//! One process may play many nodes and answers for all of them, so a few are asked first, and then those of whom
//! nothing has been heard. What a round tells serves everybody for [`FRESH`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coracle_api::metrics::{API_VERSION, ContainerMetrics, NodeMetrics, PodMetrics, usage};
use coracle_api::{ApiError, Object, Resource, kinds, time};
use coracle_proto::v1::{
    GetStatisticsRequest, NodeStatistics, PodStatistics, Usage, node_service_client::NodeServiceClient,
};
use coracle_service::{Env, Identity};
use futures::future;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::registry::{Entry, ListRequest, Registry, Source, Target};
use crate::rest::{Nodes, authority};
use crate::watch::Attributes;

#[cfg(test)]
mod tests;

/// How long an answer serves.
const FRESH: Duration = Duration::from_secs(2);
/// What clients are told of how long was measured; what containers use is simulated and does not change.
const WINDOW: &str = "10s";
/// How long a node may take to answer.
const NODE_TIMEOUT: Duration = Duration::from_secs(1);
/// Nodes that are asked at a time.
const MAX_ASKED: usize = 32;
/// The longest answer of a process, which may play hundreds of nodes.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// Asks nodes what is used.
pub(crate) struct Metrics {
    nodes: Nodes,
    env: Env,
    /// Held while nodes are asked, so that many clients cost one round.
    latest: Mutex<Option<(Instant, Arc<Measured>)>>,
}

/// What all nodes told.
pub(crate) struct Measured {
    at: Timestamp,
    nodes: BTreeMap<String, Usage>,
    pods: BTreeMap<(String, String), PodStatistics>,
}

impl Metrics {
    /// Nothing is known yet; `identity` is shown to the nodes.
    pub(crate) fn new(env: Env, identity: Identity) -> Self {
        Self {
            nodes: Nodes::new(env.clone(), identity),
            env,
            latest: Mutex::new(None),
        }
    }

    async fn measured(&self, registry: &Registry) -> Result<Arc<Measured>, ApiError> {
        let mut latest = self.latest.lock().await;
        let now = self.env.transport_clock.monotonic();
        if let Some((at, measured)) = &*latest
            && now.saturating_duration_since(*at) < FRESH
        {
            return Ok(Arc::clone(measured));
        }
        let nodes = registry.list(&ListRequest::all(kinds::NODE)).await?.entries;
        let told = self.ask_all(&nodes).await;
        let measured = Arc::new(Measured::new(told, self.env.cluster_clock.now()));
        *latest = Some((self.env.transport_clock.monotonic(), Arc::clone(&measured)));
        Ok(measured)
    }

    /// What all nodes tell. A node that does not answer is left out.
    async fn ask_all(&self, nodes: &[Entry]) -> Vec<NodeStatistics> {
        let mut silent: BTreeMap<String, String> = nodes
            .iter()
            .filter_map(|node| {
                let name = node.attributes.name.to_string();
                let authority = authority(&node.json, &name).ok()?;
                Some((name, authority))
            })
            .collect();
        let (mut told, mut wanted) = (Vec::new(), 1);
        while !silent.is_empty() {
            // Spread over the names: neighbours are often of one process.
            let step = silent.len().div_ceil(wanted);
            let asked: Vec<(String, String)> = silent
                .iter()
                .step_by(step)
                .map(|(name, authority)| (name.clone(), authority.clone()))
                .collect();
            let answers = asked.iter().map(|(_, authority)| self.ask(authority));
            let answers = future::join_all(answers).await;
            for node in answers.into_iter().flatten().flatten() {
                if silent.remove(&node.name).is_some() {
                    told.push(node);
                }
            }
            for (name, _) in asked {
                silent.remove(&name);
            }
            wanted = (wanted * 2).min(MAX_ASKED);
        }
        told
    }

    async fn ask(&self, authority: &str) -> Option<Vec<NodeStatistics>> {
        let channel = self.nodes.channel(authority).ok()?;
        let mut client = NodeServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
        let asked = client.get_statistics(GetStatisticsRequest {});
        let answer = self.env.transport_clock.timeout(NODE_TIMEOUT, asked).await;
        match answer {
            Ok(Ok(response)) => Some(response.into_inner().nodes),
            Ok(Err(status)) => {
                tracing::debug!(authority, %status, "node tells no statistics");
                None
            }
            Err(_) => {
                tracing::debug!(authority, "node takes too long to tell statistics");
                None
            }
        }
    }
}

#[async_trait]
impl Source for Metrics {
    async fn measure(
        &self,
        registry: &Registry,
        resource: &'static Resource,
        namespace: &str,
    ) -> Result<Vec<Entry>, ApiError> {
        let measured = self.measured(registry).await?;
        if resource == kinds::NODE_METRICS {
            return Ok(measured.node_entries(registry).await);
        }
        Ok(measured.pod_entries(registry, namespace).await)
    }
}

impl Measured {
    pub(crate) fn new(told: Vec<NodeStatistics>, at: Timestamp) -> Self {
        let (mut nodes, mut pods) = (BTreeMap::new(), BTreeMap::new());
        for node in told {
            nodes.insert(node.name, node.usage.unwrap_or_default());
            for pod in node.pods {
                pods.insert((pod.namespace.clone(), pod.name.clone()), pod);
            }
        }
        Self { at, nodes, pods }
    }

    async fn node_entries(&self, registry: &Registry) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.nodes.len());
        for (name, used) in &self.nodes {
            let target = Target::new(kinds::NODE, "", name);
            let Ok(node) = registry.get(&target, "", None).await else {
                continue;
            };
            let metrics = NodeMetrics {
                api_version: API_VERSION.to_owned(),
                kind: "NodeMetrics".to_owned(),
                metadata: self.metadata(&node.attributes),
                timestamp: Some(time::time(self.at)),
                window: WINDOW.to_owned(),
                usage: usage(used.cpu_nanocores, used.memory_bytes),
            };
            entries.push(entry(&metrics, &node.attributes));
        }
        entries
    }

    async fn pod_entries(&self, registry: &Registry, namespace: &str) -> Vec<Entry> {
        let mut entries = Vec::new();
        let from = (namespace.to_owned(), String::new());
        let own = self
            .pods
            .range(from..)
            .take_while(|((own, _), _)| namespace.is_empty() || own == namespace);
        for ((namespace, name), told) in own {
            let target = Target::new(kinds::POD, namespace, name);
            let Ok(pod) = registry.get(&target, "", None).await else {
                continue;
            };
            if *pod.attributes.uid != *told.uid {
                continue;
            }
            let containers = told.containers.iter().map(|container| {
                let used = container.usage.unwrap_or_default();
                ContainerMetrics {
                    name: container.name.clone(),
                    usage: usage(used.cpu_nanocores, used.memory_bytes),
                }
            });
            let metrics = PodMetrics {
                api_version: API_VERSION.to_owned(),
                kind: "PodMetrics".to_owned(),
                metadata: self.metadata(&pod.attributes),
                timestamp: Some(time::time(self.at)),
                window: WINDOW.to_owned(),
                containers: containers.collect(),
            };
            entries.push(entry(&metrics, &pod.attributes));
        }
        entries
    }

    /// The name and labels of what was measured.
    fn metadata(&self, of: &Attributes) -> ObjectMeta {
        let labels = of.labels.iter();
        let labels: BTreeMap<String, String> = labels
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        ObjectMeta {
            name: Some(of.name.to_string()),
            namespace: Some(of.namespace.to_string()).filter(|own| !own.is_empty()),
            creation_timestamp: Some(time::time(self.at)),
            labels: Some(labels).filter(|own| !own.is_empty()),
            ..ObjectMeta::default()
        }
    }
}

fn entry(object: &dyn Object, of: &Attributes) -> Entry {
    let attributes = Attributes {
        namespace: of.namespace.clone(),
        name: of.name.clone(),
        labels: of.labels.clone(),
        ..Attributes::default()
    };
    Entry {
        key: object.resource().store_key(&of.namespace, &of.name).into(),
        revision: 0,
        json: object.to_json().into(),
        attributes: Arc::new(attributes),
    }
}
