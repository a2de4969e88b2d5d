//! Gets, and lists of many pods.

use coracle_api::kinds;
use coracle_client::{ListQuery, ObjectApi, Write};
use coracle_service::Env;

use super::{fill::write_all, host::Host, namespace, quantile_ms, report::Report};

const NAMESPACE: &str = "lists";
const GETS: usize = 2_000;
const LISTS: usize = 5;

pub async fn run(pods: usize, host: &Host, env: &Env, report: &mut Report) -> anyhow::Result<()> {
    let api = host.client(env)?;
    let clock = &env.transport_clock;
    namespace(&api, NAMESPACE).await?;
    write_all(&api, (0..pods).map(pod)).await?;
    let mut gets = Vec::new();
    for number in 0..GETS {
        let sent = clock.monotonic();
        api.get(kinds::POD, NAMESPACE, &format!("pod-{}", number % pods.max(1)))
            .await?;
        gets.push(sent.elapsed());
    }
    report.row("get, p50", quantile_ms(&mut gets, 0.5), "ms");
    report.row("get, p99", quantile_ms(&mut gets, 0.99), "ms");
    let mut lists = Vec::new();
    let mut bytes = 0;
    for _ in 0..LISTS {
        let sent = clock.monotonic();
        let query = ListQuery {
            namespace: NAMESPACE.to_owned(),
            page_size: 10_000,
            ..ListQuery::all(kinds::POD)
        };
        let (objects, _) = api.list_all(&query).await?;
        lists.push(sent.elapsed());
        bytes = objects.iter().map(|object| object.json.len()).sum();
    }
    report.row(
        &format!("list of {pods} pods, p50"),
        quantile_ms(&mut lists, 0.5),
        "ms",
    );
    report.row("its size", bytes as f64 / 1e6, "MB");
    Ok(())
}

/// A pod that no scheduler takes.
fn pod(number: usize) -> Write {
    let json = serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": format!("pod-{number}"), "namespace": NAMESPACE, "labels": {"app": "lists"}},
        "spec": {
            "schedulerName": "nobody",
            "containers": [{"name": "web", "image": "nginx:1.16.1", "ports": [{"containerPort": 80}]}],
        },
    });
    Write::Create {
        resource: kinds::POD,
        namespace: NAMESPACE.to_owned(),
        name: format!("pod-{number}"),
        subresource: "",
        json: json.to_string().into(),
    }
}
