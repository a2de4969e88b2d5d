//! The choice of an endpoint, connections, node ports and datagrams.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use tokio::io::AsyncReadExt;

use super::*;
use crate::{
    choose::{Scope, candidates},
    listeners,
    table::Backend,
    view::Protocol,
};

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

/// The protocol names that the API has.
#[test]
fn protocols_have_the_names_of_the_api() {
    assert_eq!(
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(Protocol::name),
        ["TCP", "UDP", "SCTP"]
    );
}
