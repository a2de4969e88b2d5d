//! What names mean, and how the answers travel.

use std::{net::IpAddr, sync::Arc};

use coracle_runtime::Key;
use serde_json::json;

use super::{Bench, address, spec};
use crate::{
    dns,
    names::{Data, Kind, Outcome, search},
};

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
