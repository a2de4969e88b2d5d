//! Services through a whole node process: its NodePorts, and connects by address and by name.

use std::net::SocketAddr;

use coracle_api::kinds;
use coracle_proto::v1::{
    DialClose, DialOpen, DialRequest, dial_request::Message as Ask, dial_response::Message as Answer,
};
use serde_json::json;

use super::rig::{Rig, get, serving};
use crate::testing::Scratch;

/// What a GET through the node's `Dial` stream answers; `None` where the node cannot connect.
async fn dialed(rig: &Rig, address: &str) -> Option<String> {
    let open = Ask::Open(DialOpen {
        address: address.to_owned(),
        node_name: "node-1".to_owned(),
    });
    let request = Ask::Data("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n".into());
    let asks = [open, request, Ask::CloseWrite(DialClose {})];
    let asks = tokio_stream::iter(asks.map(|ask| DialRequest { message: Some(ask) }));
    let mut answers = rig.node_service().dial(asks).await.ok()?.into_inner();
    let mut text = Vec::new();
    while let Some(answer) = answers.message().await.ok()? {
        if let Some(Answer::Data(data)) = answer.message {
            text.extend(data);
        }
    }
    String::from_utf8(text).ok()
}

#[tokio::test]
async fn a_service_is_reached_by_address_by_name_and_by_node_port() {
    let scratch = Scratch::new();
    let mut rig = Rig::start(scratch.path(), 20).await;
    rig.create("web", serving("nginx:1.16.1")).await;
    let status = rig.pod("web", "running", None, 0).await;
    let ip = status["podIP"].as_str().expect("address").to_owned();
    let spec = json!({"type": "NodePort", "clusterIP": "127.32.255.9",
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30_123}]});
    let service = json!({"metadata": {"name": "eva", "namespace": "default"}, "spec": spec});
    rig.create_object(kinds::SERVICE, "eva", service).await;
    let node_port = SocketAddr::new(rig.config.node_ip.into(), 30_123);
    assert!(
        rig.env.network.dial(None, node_port).await.is_err(),
        "there are no endpoints yet"
    );
    let slice = json!({"metadata": {"name": "eva-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "eva"}},
        "addressType": "IPv4", "endpoints": [{"addresses": [ip], "conditions": {"ready": true}, "nodeName": "node-1"}],
        "ports": [{"name": "", "port": 8080, "protocol": "TCP"}]});
    rig.create_object(kinds::ENDPOINT_SLICE, "eva-1", slice).await;
    let clock = rig.env.transport_clock.clone();
    let opened = async {
        while rig.env.network.dial(None, node_port).await.is_err() {
            clock.sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    clock
        .timeout(std::time::Duration::from_secs(10), opened)
        .await
        .expect("the port opens");
    let greeting = "Hello from web on node-1 (nginx:1.16.1)\n";
    assert_eq!(get(&rig.config.node_ip.to_string(), 30_123, "/").await, greeting);
    for address in ["127.32.255.9:80", "eva:80", "eva.default.svc.cluster.local:80"] {
        let answer = dialed(&rig, address).await;
        assert!(
            answer.as_ref().is_some_and(|text| text.ends_with(greeting)),
            "{address}: {answer:?}"
        );
    }
    for address in ["127.32.255.9:81", "nobody:80", "eva", ":80"] {
        assert_eq!(dialed(&rig, address).await, None, "{address}");
    }
    // Nobody has bound the Service's own address.
    let inside = SocketAddr::from(([127, 32, 255, 9], 80));
    assert!(rig.env.network.dial(None, inside).await.is_err());
    rig.stop().await;
    assert!(
        rig.env.network.dial(None, node_port).await.is_err(),
        "the port goes with the process"
    );
}
