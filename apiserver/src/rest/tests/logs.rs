//! Logs, through a node that says what it was asked.

use std::net::{Ipv4Addr, SocketAddr};

use coracle_proto::v1::node_service_server::{NodeService, NodeServiceServer};
use coracle_proto::v1::{
    DialRequest, DialResponse, ExecRequest, ExecResponse, GetStatisticsRequest, GetStatisticsResponse,
    LogsRequest, LogsResponse,
};
use coracle_service::serve::{self, Limits};
use futures::stream::{self, BoxStream};
use tonic::{Status, Streaming};

use super::*;

struct Node;

#[tonic::async_trait]
impl NodeService for Node {
    type LogsStream = BoxStream<'static, Result<LogsResponse, Status>>;
    type ExecStream = BoxStream<'static, Result<ExecResponse, Status>>;
    type DialStream = BoxStream<'static, Result<DialResponse, Status>>;

    async fn logs(
        &self,
        request: tonic::Request<LogsRequest>,
    ) -> Result<tonic::Response<Self::LogsStream>, Status> {
        let request = request.into_inner();
        if request.previous {
            let message = "previous terminated container \"c\" in pod \"p\" not found";
            return Err(Status::failed_precondition(message));
        }
        let text = format!(
            "{}/{} {} {:?}\n",
            request.namespace, request.pod, request.container, request.tail_lines
        );
        let lines = [text, "second\n".to_owned()].map(|text| {
            Ok(LogsResponse {
                data: text.into_bytes().into(),
            })
        });
        Ok(tonic::Response::new(Box::pin(stream::iter(lines))))
    }

    async fn dial(
        &self,
        _: tonic::Request<Streaming<DialRequest>>,
    ) -> Result<tonic::Response<Self::DialStream>, Status> {
        Err(Status::unimplemented("no dialing here"))
    }

    async fn exec(
        &self,
        _: tonic::Request<Streaming<ExecRequest>>,
    ) -> Result<tonic::Response<Self::ExecStream>, Status> {
        Err(Status::unimplemented("nothing runs here"))
    }

    async fn get_statistics(
        &self,
        _: tonic::Request<GetStatisticsRequest>,
    ) -> Result<tonic::Response<GetStatisticsResponse>, Status> {
        Err(Status::unimplemented("nothing is measured here"))
    }
}

/// Serves [`Node`] on a free port until `client` shuts down.
async fn serve_node(client: &Client) -> SocketAddr {
    let env = client.door.env.clone();
    let listener = env.network.listen((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = tonic::service::Routes::new(NodeServiceServer::new(Node)).into_axum_router();
    let identity = Identity::simulated("system:node:n", &["system:nodes"]);
    let shutdown = client.door.shutdown.clone();
    env.clone().spawn.task("node", async move {
        serve::serve(listener, &identity, router, Limits::default(), &env, &shutdown).await;
    });
    address
}

const LOG: &str = "/api/v1/namespaces/default/pods/p/log";

async fn with_pod() -> Client {
    let client = Client::new().await;
    let pod = json!({
        "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "nginx" }] },
    });
    client
        .post("/api/v1/namespaces/default/pods", &pod)
        .await
        .expect(201);
    client
}

async fn bind(client: &Client, port: u16) {
    client
        .post("/api/v1/nodes", &json!({ "metadata": { "name": "n" } }))
        .await
        .expect(201);
    let status = json!({ "status": {
        "addresses": [{ "type": "InternalIP", "address": "127.0.0.1" }],
        "daemonEndpoints": { "kubeletEndpoint": { "Port": port } },
    } });
    client
        .patch("/api/v1/nodes/n/status", MERGE, &status)
        .await
        .expect(200);
    let binding = json!({ "metadata": { "name": "p" }, "target": { "kind": "Node", "name": "n" } });
    client
        .post("/api/v1/namespaces/default/pods/p/binding", &binding)
        .await
        .expect(201);
}

#[tokio::test]
async fn a_log_comes_from_the_pods_node() {
    let client = with_pod().await;
    let address = serve_node(&client).await;
    bind(&client, address.port()).await;
    let log = client.get(&format!("{LOG}?tailLines=5")).await;
    assert_eq!(
        (log.code, log.text.as_str()),
        (200, "default/p c Some(5)\nsecond\n")
    );
    assert_eq!(log.headers["content-type"], "text/plain");
    let previous = client.get(&format!("{LOG}?previous=true")).await.failure();
    assert_eq!(
        previous,
        "400 BadRequest: previous terminated container \"c\" in pod \"p\" not found"
    );
    let wrong = client.get(&format!("{LOG}?container=zz")).await.failure();
    assert_eq!(wrong, "400 BadRequest: container zz is not valid for pod p");
    client.door.shutdown.trigger();
}

#[tokio::test]
async fn a_pod_without_a_node_has_no_log() {
    let client = with_pod().await;
    let log = client.get(LOG).await;
    assert_eq!((log.code, log.text.as_str()), (204, ""));
    let missing = client
        .get("/api/v1/namespaces/default/pods/q/log")
        .await
        .failure();
    assert_eq!(missing, "404 NotFound: pods \"q\" not found");
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_named() {
    let client = with_pod().await;
    // A port that was free a moment ago and that nobody listens on.
    let listener = client
        .door
        .env
        .network
        .listen((Ipv4Addr::LOCALHOST, 0).into())
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    bind(&client, port).await;
    let failure = client.get(LOG).await.failure();
    assert!(
        failure.starts_with(&format!(
            "500 InternalError: Get \"https://127.0.0.1:{port}/containerLogs/"
        )),
        "{failure}"
    );
}
