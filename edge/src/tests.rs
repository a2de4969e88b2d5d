//! Tests of the load balancer's plan and of the whole edge against a fake apiserver, on loopback addresses of this run's
//! own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use coracle_api::kinds;
use coracle_client::{Object, ObjectApi, PatchType, Write, WriteOptions};
use coracle_proxy::view::ServiceView;
use coracle_runtime::{Project, fake::FakeApi};
use coracle_service::{Env, Health, Shutdown};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Config, Edge, balancer, front_door};

const DEADLINE: Duration = Duration::from_secs(10);

fn service(name: &str, spec: Value, given: Option<&str>) -> Arc<ServiceView> {
    let ingress = given.map(|ip| json!([{"ip": ip}]));
    let json = json!({"metadata": {"name": name, "namespace": "ns", "uid": name}, "spec": spec,
        "status": {"loadBalancer": {"ingress": ingress}}});
    let object = Object {
        namespace: "ns".to_owned(),
        name: name.to_owned(),
        uid: name.to_owned(),
        revision: 1,
        json: json.to_string().into(),
    };
    Arc::new(ServiceView::project(&object).unwrap())
}

#[test]
fn addresses_stay_and_are_nobody_elses() {
    let range = (Ipv4Addr::new(127, 48, 0, 0), 29);
    let check = |services: &[Arc<ServiceView>], expected: &[&str]| {
        let found: Vec<String> = balancer::plan(services, range)
            .into_iter()
            .map(|step| match step {
                balancer::Step::Give(service, ip) => format!("{} {ip}", service.name),
                balancer::Step::Take(service) => format!("{} none", service.name),
                balancer::Step::Refuse(service, why) => format!("{} refused: {why}", service.name),
            })
            .collect();
        assert_eq!(found, expected);
    };
    let balanced = || json!({"type": "LoadBalancer"});
    check(&[service("a", balanced(), None)], &["a 127.48.0.2"]);
    check(&[service("a", balanced(), Some("127.48.0.5"))], &[]);
    let two = [
        service("a", balanced(), None),
        service("b", balanced(), Some("127.48.0.2")),
    ];
    check(&two, &["a 127.48.0.3"]);
    // Both say that they have it: the first by name keeps it.
    let both = [
        service("b", balanced(), Some("127.48.0.2")),
        service("a", balanced(), Some("127.48.0.2")),
    ];
    check(&both, &["b 127.48.0.3"]);
    check(
        &[service("a", json!({"type": "ClusterIP"}), Some("127.48.0.2"))],
        &["a none"],
    );
    check(
        &[service("a", json!({"type": "ClusterIP"}), Some("192.0.2.1"))],
        &[],
    );
    let of_others = json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/lb"});
    check(&[service("a", of_others, None)], &[]);
    let asks = |ip: &str| json!({"type": "LoadBalancer", "loadBalancerIP": ip});
    check(&[service("a", asks("127.48.0.6"), None)], &["a 127.48.0.6"]);
    check(
        &[service("a", asks("10.0.0.1"), None)],
        &["a refused: requested address 10.0.0.1 is outside of 127.48.0.0/29"],
    );
    let full: Vec<_> = ["a", "b", "c", "d", "e", "f"]
        .map(|name| service(name, balanced(), None))
        .into();
    assert!(
        balancer::plan(&full, range)
            .iter()
            .any(|step| matches!(step, balancer::Step::Refuse(..)))
    );
}

#[test]
fn a_proxys_requests_are_understood() {
    let check = |head: &str, expected: Option<(&str, u16, Option<&str>)>| {
        let found = front_door::read_head(head.as_bytes());
        let found = found.map(|request| {
            let forwarded = request.forwarded.map(|bytes| String::from_utf8(bytes).unwrap());
            (request.host, request.port, forwarded)
        });
        let expected = expected.map(|(host, port, text)| (host.to_owned(), port, text.map(str::to_owned)));
        assert_eq!(found, expected, "{head:?}");
    };
    check(
        "CONNECT eva:80 HTTP/1.1\r\nHost: eva\r\n\r\n",
        Some(("eva", 80, None)),
    );
    check("CONNECT eva HTTP/1.1\r\n\r\n", None);
    check(
        "GET http://eva/a?b HTTP/1.1\r\nHost: eva\r\nProxy-Connection: keep-alive\r\nX: y\r\n\r\n",
        Some((
            "eva",
            80,
            Some("GET /a?b HTTP/1.1\r\nConnection: close\r\nHost: eva\r\nX: y\r\n\r\n"),
        )),
    );
    check(
        "GET http://eva:8080 HTTP/1.1\r\n\r\n",
        Some(("eva", 8080, Some("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"))),
    );
    check("GET /a HTTP/1.1\r\n\r\n", None);
    check("nonsense\r\n\r\n", None);
}

/// A whole edge with one pod behind the Service `eva`.
struct Bench {
    api: FakeApi,
    env: Env,
    shutdown: Shutdown,
    config: Config,
    front_door: SocketAddr,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

/// An address of this run's own: tests run side by side, and so may runs.
fn address(test: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 128 + (std::process::id() % 60) as u8 + 60, test, last)
}

impl Bench {
    async fn new(test: u8) -> Self {
        let (api, env, shutdown) = (
            FakeApi::new(jiff::Timestamp::UNIX_EPOCH),
            Env::host(),
            Shutdown::new(),
        );
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let config = Config {
            server: String::new(),
            health: local(0),
            load_balancers: (address(test, 128), 25),
            node_ports: Some(address(test, 1)),
            front_door: Some(local(0)),
            dns: None,
            ingress_http: None,
            ingress_https: None,
            pods: vec![(address(test, 64), 26)],
        };
        let shared: Arc<dyn ObjectApi> = Arc::new(api.clone());
        let edge = Edge::bind(config.clone(), shared, env.clone()).await.unwrap();
        let front_door = edge.front_door.as_ref().unwrap().local_addr().unwrap();
        let (health, end) = (Health::new(), shutdown.clone());
        env.spawn
            .task("edge", async move { edge.serve(&health, end).await });
        let bench = Self {
            api,
            env,
            shutdown,
            config,
            front_door,
        };
        bench.pod(address(test, 65), "west").await;
        let spec = json!({"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": [
            {"name": "web", "port": 8080, "protocol": "TCP", "nodePort": 30_080}]});
        bench.api.seed(
            kinds::SERVICE,
            json!({"metadata": {"name": "eva", "namespace": "default"}, "spec": spec}),
        );
        bench.endpoints(&[address(test, 65)]);
        bench
    }

    fn endpoints(&self, ips: &[Ipv4Addr]) {
        let endpoints: Vec<Value> = ips
            .iter()
            .map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}}))
            .collect();
        self.api.seed(
            kinds::ENDPOINT_SLICE,
            json!({"metadata": {"name": "eva-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "eva"}},
                "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "web", "port": 8080, "protocol": "TCP"}]}),
        );
    }

    /// A pod that answers every request with its name and the path, and keeps connections.
    async fn pod(&self, ip: Ipv4Addr, name: &'static str) {
        let mut listener = self
            .env
            .network
            .listen(SocketAddr::from((ip, 8080)))
            .await
            .unwrap();
        let (env, end) = (self.env.clone(), self.shutdown.clone());
        self.env.spawn.task("pod", async move {
            let serve = async {
                while let Ok((mut io, _)) = listener.accept().await {
                    env.spawn.task("pod connection", async move {
                        let mut head = Vec::new();
                        while let Ok(byte) = io.read_u8().await {
                            head.push(byte);
                            if !head.ends_with(b"\r\n\r\n") {
                                continue;
                            }
                            let text = String::from_utf8_lossy(&head).into_owned();
                            let path = text.split(' ').nth(1).unwrap_or_default();
                            let forwarded = text.to_lowercase().contains("x-forwarded-for: 127.0.0.1");
                            let body = format!("{name} {path} {forwarded}");
                            let length = body.len();
                            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                            if io.write_all(answer.as_bytes()).await.is_err() {
                                return;
                            }
                            head.clear();
                        }
                    });
                }
            };
            end.guard(serve).await;
        });
    }

    async fn until<T>(&self, what: &str, reached: impl AsyncFn() -> Option<T>) -> T {
        let clock = &self.env.transport_clock;
        let search = async {
            loop {
                if let Some(found) = reached().await {
                    return found;
                }
                clock.sleep(Duration::from_millis(5)).await;
            }
        };
        clock
            .timeout(DEADLINE, search)
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// The status and body of one request; `None` where nobody answers.
    async fn get(&self, to: SocketAddr, host: &str, path: &str) -> Option<(u16, String)> {
        let mut io = self.env.network.dial(None, to).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        io.write_all(request.as_bytes()).await.ok()?;
        read_answer(io).await
    }

    async fn patch(&self, resource: &'static coracle_api::Resource, name: &str, body: Value) {
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

    fn ingress(&self) -> SocketAddr {
        SocketAddr::from((self.config.ingress(), 80))
    }
}

/// Reads an answer with a Content-Length, or to the connection's end.
async fn read_answer(mut io: impl AsyncReadExt + Unpin) -> Option<(u16, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let length = io.read(&mut buffer).await.ok()?;
        bytes.extend(&buffer[..length]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if length == 0 {
                return None;
            }
            continue;
        };
        let wanted = head
            .to_lowercase()
            .split("content-length: ")
            .nth(1)?
            .split("\r\n")
            .next()?
            .parse::<usize>()
            .ok()?;
        if body.len() >= wanted || length == 0 {
            return Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()));
        }
    }
}

#[tokio::test]
async fn a_service_is_reached_by_every_way_from_outside() {
    let bench = Bench::new(1).await;
    // Its NodePort.
    let node_port = SocketAddr::from((address(1, 1), 30_080));
    let (_, body) = bench
        .until("node port", async || bench.get(node_port, "x", "/a").await)
        .await;
    assert_eq!(body, "west /a false");
    // Its own address, which its status says.
    let given = async || {
        let found = bench.api.find(kinds::SERVICE, "default", "eva")?;
        found["status"]["loadBalancer"]["ingress"][0]["ip"]
            .as_str()?
            .parse::<Ipv4Addr>()
            .ok()
    };
    let given = bench.until("address", given).await;
    assert_eq!(given, address(1, 130));
    let balanced = SocketAddr::from((given, 8080));
    bench
        .until("load balancer", async || bench.get(balanced, "x", "/b").await)
        .await;
    // The front door, by SOCKS5 and by HTTP.
    let mut io = bench.env.network.dial(None, bench.front_door).await.unwrap();
    io.write_all(b"\x05\x01\x00\x05\x01\x00\x03\x03eva\x1f\x90")
        .await
        .unwrap();
    let mut answer = [0; 12];
    io.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    io.write_all(b"GET /c HTTP/1.1\r\nHost: eva\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(io).await, Some((200, "west /c false".to_owned())));
    let mut io = bench.env.network.dial(None, bench.front_door).await.unwrap();
    io.write_all(b"GET http://eva.default.svc.cluster.local:8080/d HTTP/1.1\r\nHost: eva\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(io).await, Some((200, "west /d false".to_owned())));
    // But not to the rest of the world.
    let mut io = bench.env.network.dial(None, bench.front_door).await.unwrap();
    io.write_all(b"CONNECT 127.0.0.1:22 HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(io).await.map(|(status, _)| status), Some(403));
    let mut io = bench.env.network.dial(None, bench.front_door).await.unwrap();
    io.write_all(b"CONNECT example.com:80 HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(io).await.map(|(status, _)| status), Some(502));
    // No longer a load balancer: the address is taken back.
    bench
        .patch(kinds::SERVICE, "eva", json!({"spec": {"type": "ClusterIP"}}))
        .await;
    bench
        .until("closed", async || {
            bench.env.network.dial(None, balanced).await.err()
        })
        .await;
}

fn backend() -> Value {
    json!({"service": {"name": "eva", "port": {"name": "web"}}})
}

#[tokio::test]
async fn an_ingress_routes_by_host_and_path_and_changes_under_a_connection() {
    let bench = Bench::new(2).await;
    let rule = json!({"host": "eva.example", "http": {"paths": [{"path": "/app", "pathType": "Prefix", "backend": backend()}]}});
    let ingress = json!({"metadata": {"name": "eva", "namespace": "default"}, "spec": {"rules": [rule]}});
    bench.api.seed(kinds::INGRESS, ingress);
    let to = bench.ingress();
    let ok = async |host: &str, path: &str| {
        bench
            .get(to, host, path)
            .await
            .filter(|(status, _)| *status == 200)
    };
    let (_, body) = bench
        .until("route", async || ok("eva.example", "/app/x?y=1").await)
        .await;
    assert_eq!(body, "west /app/x?y=1 true");
    let status = async |host: &str, path: &str| bench.get(to, host, path).await.map(|(status, _)| status);
    assert_eq!(status("eva.example:80", "/app").await, Some(200));
    assert_eq!(status("eva.example", "/apple").await, Some(404));
    assert_eq!(status("other.example", "/app").await, Some(404));
    let told = async || {
        let found = bench.api.find(kinds::INGRESS, "default", "eva")?;
        (found["status"]["loadBalancer"]["ingress"][0]["ip"] == json!(bench.config.ingress())).then_some(())
    };
    bench.until("status", told).await;
    // A client that keeps its connection sees the change of rules on it.
    let mut io = bench.env.network.dial(None, to).await.unwrap();
    io.write_all(b"GET /app HTTP/1.1\r\nHost: eva.example\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(&mut io).await.map(|(status, _)| status), Some(200));
    bench
        .patch(
            kinds::INGRESS,
            "eva",
            json!({"spec": {"rules": [], "defaultBackend": backend()}}),
        )
        .await;
    bench
        .until("default backend", async || ok("other.example", "/").await)
        .await;
    io.write_all(b"GET /z HTTP/1.1\r\nHost: eva.example\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(read_answer(&mut io).await, Some((200, "west /z true".to_owned())));
    // An endpoint that is gone is not asked, and without any the answer is 503.
    bench
        .patch(kinds::ENDPOINT_SLICE, "eva-1", json!({"endpoints": []}))
        .await;
    bench
        .until("503", async || {
            status("other.example", "/").await.filter(|status| *status == 503)
        })
        .await;
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_no_request() {
    let bench = Bench::new(3).await;
    bench.pod(address(3, 66), "east").await;
    let spec = json!({"defaultBackend": backend()});
    bench.api.seed(
        kinds::INGRESS,
        json!({"metadata": {"name": "eva", "namespace": "default"}, "spec": spec}),
    );
    let to = bench.ingress();
    let get = async || bench.get(to, "x", "/").await.filter(|(status, _)| *status == 200);
    bench.until("route", get).await;
    for round in 0..20 {
        let ip = address(3, if round % 2 == 0 { 66 } else { 65 });
        let endpoints = json!({"endpoints": [{"addresses": [ip], "conditions": {"ready": true}}]});
        bench.patch(kinds::ENDPOINT_SLICE, "eva-1", endpoints).await;
        for _ in 0..10 {
            assert_eq!(bench.get(to, "x", "/").await.map(|(status, _)| status), Some(200));
        }
    }
}
