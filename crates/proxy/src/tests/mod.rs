//! Tests on the host's own loopback addresses, with a fake apiserver.

mod connections;
mod names;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use coracle_api::{Resource, kinds};
use coracle_client::{ObjectApi, PatchType, Write, WriteOptions};
use coracle_runtime::{Key, fake::FakeApi};
use coracle_service::{Env, Shutdown};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Connector, Origin, Table};

const DEADLINE: Duration = Duration::from_secs(10);

struct Bench {
    api: FakeApi,
    env: Env,
    connector: Arc<Connector>,
    shutdown: Shutdown,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

impl Bench {
    fn new() -> Self {
        let (api, env, shutdown) = (
            FakeApi::new(jiff::Timestamp::UNIX_EPOCH),
            Env::host(),
            Shutdown::new(),
        );
        let shared: Arc<dyn ObjectApi> = Arc::new(api.clone());
        let table = Table::start(&shared, &env, &shutdown);
        Self {
            connector: Connector::new(table, env.clone()),
            api,
            env,
            shutdown,
        }
    }

    fn service(&self, name: &str, spec: Value) {
        let object = json!({"metadata": {"name": name, "namespace": "default"}, "spec": spec});
        self.api.seed(kinds::SERVICE, object);
    }

    /// Endpoints `ip:port flags`: `r` ready, `s` serving, `t` terminating.
    fn slice(&self, name: &str, port: u16, endpoints: &[&str]) {
        self.api.seed(kinds::ENDPOINT_SLICE, slice(name, port, endpoints));
    }

    async fn patch(&self, resource: &'static Resource, name: &str, body: Value) {
        let write = Write::Patch {
            resource,
            namespace: "default".to_owned(),
            name: name.to_owned(),
            subresource: "",
            patch_type: PatchType::Merge,
            patch: body.to_string().into(),
            uid: String::new(),
            revision: 0,
        };
        self.api.write(write, &WriteOptions::default()).await.unwrap();
    }

    async fn until<T>(&self, what: &str, reached: impl AsyncFn() -> Option<T>) -> T {
        let clock = &self.env.transport_clock;
        let search = async {
            loop {
                if let Some(found) = reached().await {
                    return found;
                }
                clock.sleep(Duration::from_millis(2)).await;
            }
        };
        clock
            .timeout(DEADLINE, search)
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// A pod that says who it is to everybody who connects.
    async fn pod(&self, ip: &str, port: u16) -> SocketAddr {
        let address = SocketAddr::new(ip.parse().unwrap(), port);
        let mut listener = self.env.network.listen(address).await.unwrap();
        let (address, text) = (listener.local_addr().unwrap(), ip.to_owned());
        let end = self.shutdown.clone();
        self.env.spawn.task("pod", async move {
            let serve = async {
                while let Ok((mut io, _)) = listener.accept().await {
                    let _ = io.write_all(text.as_bytes()).await;
                    let _ = io.shutdown().await;
                }
            };
            end.guard(serve).await;
        });
        address
    }

    async fn ask(&self, to: SocketAddr, origin: &Origin<'_>) -> Result<String, std::io::ErrorKind> {
        let mut io = self
            .connector
            .connect(to, origin)
            .await
            .map_err(|error| error.kind())?;
        let mut text = String::new();
        io.read_to_string(&mut text).await.unwrap();
        Ok(text)
    }

    async fn known(&self, name: &str) {
        let key = Key::new("default", name);
        self.connector.table().wait_synced().await;
        self.until("service", async || self.connector.table().route(&key))
            .await;
    }
}

fn slice(name: &str, port: u16, endpoints: &[&str]) -> Value {
    let endpoints: Vec<Value> = endpoints
        .iter()
        .map(|text| {
            let (ip, flags) = text.split_once(' ').unwrap_or((text, ""));
            let has = |flag: char| flags.contains(flag);
            json!({"addresses": [ip], "nodeName": format!("node-{ip}"), "hostname": flags.split('#').nth(1),
                "conditions": {"ready": has('r'), "serving": has('r') || has('s'), "terminating": has('t')}})
        })
        .collect();
    json!({
        "metadata": {"name": format!("{name}-1"), "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "", "port": port, "protocol": "TCP"}],
    })
}

fn spec(ip: &str) -> Value {
    json!({"clusterIP": ip, "ports": [{"port": 80, "protocol": "TCP", "nodePort": 0}]})
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// An address range of this run's own: tests run side by side, and so may runs.
fn pod_ip(test: u8, pod: u8) -> String {
    format!("127.{}.{test}.{pod}", 128 + std::process::id() % 120)
}
