//! Health checks by gRPC: `grpc.health.v1.Health/Check`.

use std::net::Ipv4Addr;

use coracle_service::Env;
use hyper_util::rt::TokioIo;
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::service_fn;

/// Asks a server; the error is the text that the event shows.
pub(super) async fn check(
    env: &Env,
    from: Ipv4Addr,
    to: Ipv4Addr,
    port: u16,
    service: &str,
) -> Result<(), String> {
    let env = env.clone();
    let connector = service_fn(move |_: http::Uri| {
        let env = env.clone();
        async move { super::dial(&env, Some(from), to, port).await.map(TokioIo::new) }
    });
    let endpoint = Endpoint::from_static("http://pod");
    let channel = endpoint.connect_with_connector(connector).await;
    let channel = channel.map_err(|error| format!("failed to connect service \"{to}:{port}\": {error}"))?;
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    match HealthClient::new(channel).check(request).await {
        Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => Ok(()),
        Ok(answer) => {
            let status = answer.get_ref().status().as_str_name();
            Err(format!("service unhealthy (responded with {status:?})"))
        }
        Err(status) if status.code() == Code::Unimplemented => {
            Err("this server does not implement the grpc health protocol (grpc.health.v1.Health)".to_owned())
        }
        Err(status) => Err(format!("health rpc probe failed: {}", status.message())),
    }
}
