//! A node process with a fake apiserver beside it, and what tests do with them.

use std::{net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use coracle_api::{Resource, kinds};
use coracle_client::{DeleteOptions, ObjectApi, PatchType, Propagation, Write, WriteOptions};
use coracle_proto::v1::{
    GetStatisticsRequest, LogsRequest, NodeStatistics, node_service_client::NodeServiceClient,
};
use coracle_runtime::fake::FakeApi;
use coracle_service::{Env, Identity, Shutdown, connect};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{
    config::{Config, Timings},
    run_with,
};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// A node process and its apiserver.
pub struct Rig {
    pub api: FakeApi,
    pub env: Env,
    pub config: Config,
    shutdown: Shutdown,
    process: JoinHandle<anyhow::Result<()>>,
}

/// An address range of this test run's own: tests run side by side, and so may runs.
fn slice(test: u8) -> [u8; 2] {
    [128 + (std::process::id() % 120) as u8, test]
}

impl Rig {
    pub async fn start(scratch: &Path, test: u8) -> Self {
        let [second, third] = slice(test);
        let mut config = Config::new(
            "unused:1",
            "node-1",
            scratch.join("data"),
            Ipv4Addr::new(127, second, third, 1),
        );
        config.timings = Timings {
            backoff_initial: Duration::from_millis(50),
            drain_min: Duration::from_millis(200),
            drain_quiet: Duration::from_millis(100),
            ..Timings::default()
        };
        let api = FakeApi::new(Timestamp::UNIX_EPOCH);
        let process = tokio::spawn(async { Ok(()) });
        let rig = Self {
            process,
            api,
            env: Env::host(),
            config,
            shutdown: Shutdown::new(),
        };
        rig.rebooted().await
    }

    fn boot(api: &FakeApi, config: &Config, shutdown: &Shutdown) -> JoinHandle<anyhow::Result<()>> {
        let identity = Identity::simulated("system:node:node-1", &["system:nodes"]);
        let api: Arc<dyn ObjectApi> = Arc::new(api.clone());
        tokio::spawn(run_with(
            config.clone(),
            api,
            Env::host(),
            identity,
            shutdown.clone(),
        ))
    }

    /// Ends the process and starts it again on the same data directory.
    pub async fn rebooted(mut self) -> Self {
        self.stop().await;
        self.shutdown = Shutdown::new();
        self.process = Self::boot(&self.api, &self.config, &self.shutdown);
        self.until("node registered", || self.find(kinds::NODE, "", "node-1"))
            .await;
        self.give_range().await;
        self.until("node ready", || {
            let node = self.find(kinds::NODE, "", "node-1")?;
            let conditions = node["status"]["conditions"].as_array()?.clone();
            conditions
                .into_iter()
                .find(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        })
        .await;
        self
    }

    pub async fn stop(&mut self) {
        self.shutdown.trigger();
        if !self.process.is_finished() {
            let ended = (&mut self.process).await.expect("the process does not panic");
            ended.expect("the process ends well");
        }
    }

    /// What the controller-manager would do.
    pub async fn give_range(&self) {
        let [_, second, third, _] = self.config.node_ip.octets();
        let patch = json!({"spec": {"podCIDR": format!("127.{second}.{}.0/24", third + 100)}});
        self.write(Write::Patch {
            resource: kinds::NODE,
            namespace: String::new(),
            name: "node-1".to_owned(),
            subresource: "",
            patch_type: PatchType::Merge,
            patch: patch.to_string().into(),
            uid: String::new(),
            revision: 0,
        })
        .await;
    }

    pub async fn write(&self, write: Write) {
        self.api
            .write(write, &WriteOptions::default())
            .await
            .expect("write");
    }

    pub async fn create(&self, name: &str, spec: Value) {
        let mut spec = spec;
        spec["nodeName"] = "node-1".into();
        let metadata = json!({"name": name, "namespace": "default", "labels": {"app": name}});
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        self.create_object(kinds::POD, name, pod).await;
    }

    pub async fn create_object(&self, resource: &'static Resource, name: &str, object: Value) {
        let (namespace, json) = ("default".to_owned(), object.to_string().into());
        self.write(Write::Create {
            resource,
            namespace,
            name: name.to_owned(),
            subresource: "",
            json,
        })
        .await;
    }

    pub async fn delete(&self, name: &str) {
        let options = DeleteOptions {
            propagation: Propagation::Background,
            ..DeleteOptions::default()
        };
        let (namespace, name) = ("default".to_owned(), name.to_owned());
        self.write(Write::Delete {
            resource: kinds::POD,
            namespace,
            name,
            options,
        })
        .await;
    }

    pub fn find(&self, resource: &'static Resource, namespace: &str, name: &str) -> Option<Value> {
        self.api.find(resource, namespace, name)
    }

    /// Waits for a condition.
    pub async fn until<T>(&self, what: &str, holds: impl Fn() -> Option<T>) -> T {
        let clock = &self.env.transport_clock;
        let found = clock.timeout(DEADLINE, async {
            loop {
                if let Some(found) = holds() {
                    return found;
                }
                clock.sleep(Duration::from_millis(5)).await;
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("not in {DEADLINE:?}: {what}"))
    }

    /// Waits until a pod's first container is in `state` (with `reason`) after at least `restarts`, and answers the
    /// pod's status.
    pub async fn pod(&self, name: &str, state: &str, reason: Option<&str>, restarts: u64) -> Value {
        let what = format!("{name} {state} {reason:?} after at least {restarts} restarts");
        let found = self.until(&what, || {
            let pod = self.find(kinds::POD, "default", name)?;
            let container = &pod["status"]["containerStatuses"][0];
            let detail = container["state"].get(state)?;
            let as_wanted = reason.is_none_or(|reason| detail["reason"] == reason);
            (as_wanted && container["restartCount"].as_u64() >= Some(restarts)).then(|| pod["status"].clone())
        });
        found.await
    }

    pub fn node_service(&self) -> NodeServiceClient<tonic::transport::Channel> {
        let authority = format!("{}:{}", self.config.node_ip, self.config.port);
        let identity = Identity::simulated("system:apiserver", &[]);
        NodeServiceClient::new(connect::channel(&authority, &self.env, &identity).expect("authority"))
    }

    pub async fn logs(&self, name: &str, previous: bool) -> Result<String, tonic::Status> {
        let request = LogsRequest {
            namespace: "default".to_owned(),
            pod: name.to_owned(),
            previous,
            ..LogsRequest::default()
        };
        let mut stream = self.node_service().logs(request).await?.into_inner();
        let mut text = Vec::new();
        while let Some(message) = stream.message().await? {
            text.extend(message.data);
        }
        Ok(String::from_utf8(text).expect("text"))
    }

    pub async fn statistics(&self) -> Vec<NodeStatistics> {
        let answer = self.node_service().get_statistics(GetStatisticsRequest {}).await;
        answer.expect("statistics").into_inner().nodes
    }
}

pub async fn get(ip: &str, port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect((ip, port)).await.expect("connect");
    let request = format!("GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("send");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("receive");
    answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .expect("an HTTP answer")
}

pub fn serving(image: &str) -> Value {
    json!({"containers": [{"name": "c", "image": image, "env": [{"name": "PORT", "value": "8080"}]}]})
}
