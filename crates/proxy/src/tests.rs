//! Tests of the table, the choice, connections, ports and names: on the host's own loopback addresses, with a fake
//! apiserver.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use coracle_api::{Resource, kinds};
use coracle_client::{ObjectApi, PatchType, Write, WriteOptions};
use coracle_runtime::{Key, fake::FakeApi};
use coracle_service::{Env, Shutdown};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    Connector, Origin, Table,
    choose::{Scope, candidates},
    dns, listeners,
    names::{Data, Kind, Outcome, search},
    table::Backend,
    view::Protocol,
};

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

#[test]
fn ready_endpoints_come_first_and_in_turn() {
    let backend = |text: &str| {
        let (ip, flags) = text.split_once(' ').unwrap();
        let has = |flag: char| flags.contains(flag);
        Backend {
            ip: Ipv4Addr::new(10, 0, 0, ip.parse().unwrap()),
            port: 80,
            node: format!("n{ip}").into(),
            zones: if has('w') {
                ["west".into()].into()
            } else if has('e') {
                ["east".into()].into()
            } else {
                [].into()
            },
            ready: has('r'),
            serving: has('r') || has('s'),
            terminating: has('t'),
        }
    };
    let check = |backends: &[&str], scope: Scope<'_>, expected: &[u8]| {
        let backends: Vec<Backend> = backends.iter().map(|text| backend(text)).collect();
        let found: Vec<u8> = candidates(&backends, &scope)
            .iter()
            .map(|own| own.ip.octets()[3])
            .collect();
        assert_eq!(found, expected, "{backends:?} {scope:?}");
    };
    let scope = Scope::default();
    check(&["1 r", "2 ", "3 st", "4 r"], scope, &[1, 4]);
    check(&["1 r", "4 r"], Scope { turn: 3, ..scope }, &[4, 1]);
    check(&["2 ", "3 st"], scope, &[3]);
    check(&["2 "], scope, &[]);
    check(&[], scope, &[]);
    let on = |node| Scope {
        only_node: Some(node),
        ..scope
    };
    check(&["1 r", "2 r"], on("n2"), &[2]);
    check(&["1 r", "2 r"], on("n9"), &[]);
    let west = Scope {
        zone: "west",
        ..scope
    };
    check(&["1 re", "2 rw"], west, &[2]);
    check(&["1 re", "2 r"], west, &[1, 2]);
    check(&["1 re", "2 re"], west, &[1, 2]);
}

#[tokio::test]
async fn a_service_address_leads_to_its_endpoints_in_turn() {
    let bench = Bench::new();
    let pods = [pod_ip(1, 1), pod_ip(1, 2)];
    let port = bench.pod(&pods[0], 0).await.port();
    bench.pod(&pods[1], port).await;
    bench.service("eva", spec("10.96.0.9"));
    bench.slice(
        "eva",
        port,
        &[&format!("{} r", pods[0]), &format!("{} r", pods[1])],
    );
    bench.known("eva").await;
    let to = address("10.96.0.9:80");
    let origin = Origin::default();
    let first = bench
        .until("endpoints", async || bench.ask(to, &origin).await.ok())
        .await;
    let second = bench.ask(to, &origin).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(bench.ask(to, &origin).await, Ok(first));
    // No such port, and an address that is nobody's.
    assert_eq!(
        bench.ask(address("10.96.0.9:81"), &origin).await,
        Err(std::io::ErrorKind::ConnectionRefused)
    );
    // A local policy without anybody on the node.
    bench
        .patch(
            kinds::SERVICE,
            "eva",
            json!({"spec": {"internalTrafficPolicy": "Local"}}),
        )
        .await;
    let elsewhere = Origin {
        node: "node-9",
        ..origin
    };
    bench
        .until("refusal", async || bench.ask(to, &elsewhere).await.err())
        .await;
    let node = format!("node-{}", pods[1]);
    let here = Origin {
        node: &node,
        ..origin
    };
    assert_eq!(bench.ask(to, &here).await.as_deref(), Ok(&*pods[1]));
}

#[tokio::test]
async fn another_endpoint_is_tried_where_one_refuses() {
    let bench = Bench::new();
    let (gone, there) = (pod_ip(2, 1), pod_ip(2, 2));
    let port = bench.pod(&there, 0).await.port();
    bench.service("eva", spec("10.96.0.9"));
    bench.slice("eva", port, &[&format!("{gone} r"), &format!("{there} r")]);
    bench.known("eva").await;
    let to = address("10.96.0.9:80");
    bench
        .until("endpoints", async || bench.ask(to, &Origin::default()).await.ok())
        .await;
    for _ in 0..4 {
        assert_eq!(bench.ask(to, &Origin::default()).await.as_deref(), Ok(&*there));
    }
    // All gone: refused at once.
    bench
        .patch(kinds::ENDPOINT_SLICE, "eva-1", json!({"endpoints": []}))
        .await;
    bench
        .until("refusal", async || {
            bench
                .ask(to, &Origin::default())
                .await
                .err()
                .filter(|kind| *kind == std::io::ErrorKind::ConnectionRefused)
        })
        .await;
}

#[tokio::test]
async fn a_client_stays_with_its_endpoint_where_the_service_wants_it() {
    let bench = Bench::new();
    let pods = [pod_ip(3, 1), pod_ip(3, 2), pod_ip(3, 3)];
    let port = bench.pod(&pods[0], 0).await.port();
    bench.pod(&pods[1], port).await;
    bench.pod(&pods[2], port).await;
    let mut spec = spec("10.96.0.9");
    spec["sessionAffinity"] = json!("ClientIP");
    spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 3600}});
    bench.service("eva", spec);
    let all: Vec<String> = pods.iter().map(|ip| format!("{ip} r")).collect();
    bench.slice("eva", port, &all.iter().map(String::as_str).collect::<Vec<_>>());
    bench.known("eva").await;
    let to = address("10.96.0.9:80");
    let client = |last| Origin {
        client: Some(IpAddr::V4(Ipv4Addr::new(10, 1, 1, last))),
        ..Origin::default()
    };
    let first = bench
        .until("endpoints", async || bench.ask(to, &client(1)).await.ok())
        .await;
    for _ in 0..5 {
        assert_eq!(bench.ask(to, &client(1)).await.as_ref(), Ok(&first));
    }
    let others = [bench.ask(to, &client(2)).await, bench.ask(to, &client(3)).await];
    assert!(
        others.iter().any(|other| other.as_ref() != Ok(&first)),
        "{others:?} {first}"
    );
}

#[tokio::test]
async fn node_ports_open_with_endpoints_and_close_without() {
    let bench = Bench::new();
    let (pod, node) = (pod_ip(4, 1), pod_ip(4, 100));
    let port = bench.pod(&pod, 0).await.port();
    let node: Ipv4Addr = node.parse().unwrap();
    let mut service = spec("10.96.0.9");
    service["type"] = json!("NodePort");
    service["ports"][0]["nodePort"] = json!(30_080);
    bench.service("eva", service);
    let wanted = move |routes: &[Arc<crate::table::Route>]| {
        let mut wanted = BTreeMap::new();
        listeners::node_ports(routes, node, ("node-1", ""), None, &mut wanted);
        wanted
    };
    let maintain = listeners::maintain(
        Arc::clone(&bench.connector),
        wanted,
        listeners::Logged,
        bench.env.clone(),
        bench.shutdown.clone(),
    );
    bench.env.spawn.task("ports", maintain);
    let to = SocketAddr::new(IpAddr::V4(node), 30_080);
    let ask = async || {
        let mut io = bench.env.network.dial(None, to).await.ok()?;
        let mut text = String::new();
        io.read_to_string(&mut text).await.ok()?;
        (!text.is_empty()).then_some(text)
    };
    bench.known("eva").await;
    assert_eq!(ask().await, None);
    bench.slice("eva", port, &[&format!("{pod} r")]);
    assert_eq!(bench.until("port", ask).await, pod);
    bench
        .patch(kinds::ENDPOINT_SLICE, "eva-1", json!({"endpoints": []}))
        .await;
    bench
        .until("closed", async || bench.env.network.dial(None, to).await.err())
        .await;
    // Local policy: this node has nobody.
    bench
        .patch(
            kinds::SERVICE,
            "eva",
            json!({"spec": {"externalTrafficPolicy": "Local"}}),
        )
        .await;
    let endpoints = slice("eva", port, &[&format!("{pod} r")])["endpoints"].clone();
    bench
        .patch(kinds::ENDPOINT_SLICE, "eva-1", json!({"endpoints": endpoints}))
        .await;
    let key = Key::new("default", "eva");
    let usable = async || {
        bench
            .connector
            .table()
            .route(&key)
            .filter(|route| route.ports[0].is_usable())
    };
    bench.until("endpoint", usable).await;
    assert_eq!(ask().await, None);
}

#[tokio::test]
async fn datagrams_go_there_and_back() {
    let bench = Bench::new();
    let (pod, node) = (pod_ip(5, 1), pod_ip(5, 100));
    let server = bench
        .env
        .network
        .datagram(SocketAddr::new(pod.parse().unwrap(), 0))
        .await
        .unwrap();
    let port = server.local_addr().unwrap().port();
    let end = bench.shutdown.clone();
    bench.env.spawn.task("pod", async move {
        let serve = async {
            let mut buffer = [0; 100];
            while let Ok((length, from)) = server.recv_from(&mut buffer).await {
                let _ = server.send_to(&buffer[..length], from).await;
            }
        };
        end.guard(serve).await;
    });
    bench.service(
        "echo",
        json!({"type": "NodePort", "clusterIP": "10.96.0.8",
        "ports": [{"port": 7, "protocol": "UDP", "nodePort": 30_007}]}),
    );
    let mut endpoints = slice("echo", port, &[&format!("{pod} r")]);
    endpoints["ports"][0]["protocol"] = json!("UDP");
    bench.api.seed(kinds::ENDPOINT_SLICE, endpoints);
    let address: Ipv4Addr = node.parse().unwrap();
    let wanted = move |routes: &[Arc<crate::table::Route>]| {
        let mut wanted = BTreeMap::new();
        listeners::node_ports(routes, address, ("node-1", ""), None, &mut wanted);
        wanted
    };
    let (connector, env) = (Arc::clone(&bench.connector), bench.env.clone());
    let maintain = listeners::maintain(connector, wanted, listeners::Logged, env, bench.shutdown.clone());
    bench.env.spawn.task("ports", maintain);
    let client = bench
        .env
        .network
        .datagram(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .unwrap();
    let to = SocketAddr::new(IpAddr::V4(address), 30_007);
    let answer = async || {
        client.send_to(b"hello", to).await.ok()?;
        let mut buffer = [0; 100];
        let receiving = client.recv_from(&mut buffer);
        let (length, from) = bench
            .env
            .transport_clock
            .timeout(Duration::from_millis(50), receiving)
            .await
            .ok()?
            .ok()?;
        assert_eq!(from, to);
        Some(buffer[..length].to_vec())
    };
    assert_eq!(bench.until("echo", answer).await, b"hello");
}

#[tokio::test]
async fn names_mean_what_the_specification_says() {
    let bench = Bench::new();
    bench.service(
        "eva",
        json!({"clusterIP": "10.96.0.9", "ports": [{"name": "web", "port": 80, "protocol": "TCP"}]}),
    );
    bench.service(
        "db",
        json!({"clusterIP": "None", "ports": [{"port": 5432, "protocol": "TCP"}]}),
    );
    bench.service(
        "out",
        json!({"type": "ExternalName", "externalName": "eva.default.svc.cluster.local"}),
    );
    bench.slice("db", 5432, &["10.1.0.1 r#db-0", "10.1.0.2 r", "10.1.0.3 #db-2"]);
    bench.known("eva").await;
    bench.known("out").await;
    let key = Key::new("default", "db");
    let three = async || {
        bench
            .connector
            .table()
            .route(&key)
            .filter(|route| route.endpoints.len() == 3)
    };
    bench.until("endpoints", three).await;
    let resolver = bench.connector.resolver();
    let check = |name: &str, kind: Kind, expected: Option<&[&str]>| {
        let found = match resolver.look_up(name, kind) {
            Outcome::Found(records, _) => Some(records),
            _ => None,
        };
        let found = found.map(|records| {
            let text = |data: Data| match data {
                Data::A(ip) => ip.to_string(),
                Data::Cname(name) | Data::Ptr(name) => name,
                Data::Srv(port, name) => format!("{port} {name}"),
            };
            records
                .into_iter()
                .map(|record| text(record.data))
                .collect::<Vec<_>>()
        });
        assert_eq!(
            found.as_deref(),
            expected
                .map(|all| all.iter().map(|&own| own.to_owned()).collect::<Vec<_>>())
                .as_deref(),
            "{name}"
        );
    };
    check("eva.default.svc.cluster.local", Kind::A, Some(&["10.96.0.9"]));
    check("EVA.default.svc.cluster.local.", Kind::A, Some(&["10.96.0.9"]));
    check("eva.default.svc.cluster.local", Kind::Aaaa, Some(&[]));
    check("eva.other.svc.cluster.local", Kind::A, None);
    check(
        "db.default.svc.cluster.local",
        Kind::A,
        Some(&["10.1.0.1", "10.1.0.2"]),
    );
    check("db-0.db.default.svc.cluster.local", Kind::A, Some(&["10.1.0.1"]));
    check(
        "10-1-0-2.db.default.svc.cluster.local",
        Kind::A,
        Some(&["10.1.0.2"]),
    );
    check("db-2.db.default.svc.cluster.local", Kind::A, None);
    check("10-1-0-7.default.pod.cluster.local", Kind::A, Some(&["10.1.0.7"]));
    check(
        "_web._tcp.eva.default.svc.cluster.local",
        Kind::Srv,
        Some(&["80 eva.default.svc.cluster.local"]),
    );
    check("_web._udp.eva.default.svc.cluster.local", Kind::Srv, None);
    check(
        "db.default.svc.cluster.local",
        Kind::Srv,
        Some(&[
            "5432 db-0.db.default.svc.cluster.local",
            "5432 10-1-0-2.db.default.svc.cluster.local",
        ]),
    );
    check(
        "9.0.96.10.in-addr.arpa",
        Kind::Ptr,
        Some(&["eva.default.svc.cluster.local"]),
    );
    check(
        "1.0.1.10.in-addr.arpa",
        Kind::Ptr,
        Some(&["db-0.db.default.svc.cluster.local"]),
    );
    check("9.9.9.9.in-addr.arpa", Kind::Ptr, None);
    check(
        "out.default.svc.cluster.local",
        Kind::A,
        Some(&["eva.default.svc.cluster.local"]),
    );
    let addresses = async |name: &str| resolver.addresses(name, "default").await.ok();
    let eva = Some(vec![IpAddr::from([10, 96, 0, 9])]);
    assert_eq!(addresses("eva").await, eva);
    assert_eq!(addresses("eva.default").await, eva);
    assert_eq!(addresses("out").await, eva);
    assert_eq!(addresses("nobody").await, None);
    assert_eq!(search("a.b", "ns").len(), 4);
    assert_eq!(search("a.b.c.d.e.f", "ns")[0], "a.b.c.d.e.f");
}

#[tokio::test]
async fn the_wire_says_the_same() {
    let bench = Bench::new();
    bench.service("eva", spec("10.96.0.9"));
    bench.service(
        "many",
        json!({"clusterIP": "None", "ports": [{"port": 80, "protocol": "TCP"}]}),
    );
    let endpoints: Vec<String> = (0..120).map(|index| format!("10.1.1.{index} r")).collect();
    bench.slice(
        "many",
        80,
        &endpoints.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    bench.known("eva").await;
    let key = Key::new("default", "many");
    let all = async || {
        bench
            .connector
            .table()
            .route(&key)
            .filter(|route| route.endpoints.len() == 120)
    };
    bench.until("endpoints", all).await;
    let resolver = Arc::clone(bench.connector.resolver());
    let listener = bench.env.network.listen(address("127.0.0.1:0")).await.unwrap();
    let server = listener.local_addr().unwrap();
    let serving = dns::serve_connections(
        listener,
        Arc::clone(&resolver),
        bench.env.clone(),
        bench.shutdown.clone(),
    );
    bench.env.spawn.task("dns", serving);
    let ask = async |name: &str, kind| dns::ask(name, kind, server, &bench.env).await.unwrap();
    let name = "eva.default.svc.cluster.local";
    assert_eq!(ask(name, 1).await, (0, vec![format!("{name} A 10.96.0.9")]));
    assert_eq!(ask(name, 28).await, (0, vec![]));
    assert_eq!(ask("no.default.svc.cluster.local", 1).await, (3, vec![]));
    assert_eq!(ask("many.default.svc.cluster.local", 1).await.1.len(), 120);
    let (_, srv) = ask("many.default.svc.cluster.local", 33).await;
    assert_eq!(
        srv[0],
        "many.default.svc.cluster.local SRV 80 10-1-1-0.many.default.svc.cluster.local"
    );
    // In a datagram it is cut off, and says so.
    let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04many\x07default\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01";
    let answer = dns::answer(query, &resolver, true).await.unwrap();
    assert!(
        answer.len() <= 512 && answer[2] & 2 != 0,
        "{} {:x}",
        answer.len(),
        answer[2]
    );
    assert_eq!(&answer[..2], b"\x12\x34");
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = dns::parse(&bytes);
    }
}

#[test]
fn bad_questions_are_refused() {
    let check =
        |bytes: &[u8], expected: Option<(u16, u8)>| assert_eq!(dns::parse(bytes).unwrap_err(), expected);
    check(b"", None);
    check(b"\x00\x01\x80\x00", None);
    check(b"\x00\x01\x08\x00\x00\x01\x00\x00\x00\x00\x00\x00", Some((1, 4)));
    check(b"\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00", Some((1, 1)));
    check(
        b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01",
        Some((1, 1)),
    );
    check(
        b"\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05ab",
        Some((1, 1)),
    );
}

/// The protocol names that the API has.
#[test]
fn protocols_have_the_names_of_the_api() {
    assert_eq!(
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(Protocol::name),
        ["TCP", "UDP", "SCTP"]
    );
}
