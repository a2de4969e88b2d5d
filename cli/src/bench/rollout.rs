//! A rolling update, from the change of the image until `kubectl rollout status` would say that it is done.

use bytes::Bytes;
use coracle_api::kinds;
use coracle_client::{ObjectApi, PatchType, Write, WriteOptions};
use coracle_service::Env;

use super::{
    host::Host,
    namespace,
    report::Report,
    workload::{Deployment, create, deployment, until, watch},
};

const NAMESPACE: &str = "rollout";
const NAME: &str = "web";
const IMAGES: [&str; 2] = ["registry.k8s.io/pause:3.9", "registry.k8s.io/pause:3.10"];

pub async fn run(replicas: u32, host: &Host, env: &Env, report: &mut Report) -> anyhow::Result<()> {
    let api = host.client(env)?;
    namespace(&api, NAMESPACE).await?;
    let clock = &env.transport_clock;
    let mut events = watch(&api, NAMESPACE).await?;
    let [before, after] = IMAGES.map(|image| deployment(NAMESPACE, NAME, replicas, image));
    api.write(create(NAMESPACE, NAME, &before), &WriteOptions::default())
        .await?;
    until(&mut events, clock, |found| found.is_rolled_out(replicas)).await?;
    let cpu_before = host.cpu()?;
    let began = clock.monotonic();
    let update = Write::Patch {
        resource: kinds::DEPLOYMENT,
        namespace: NAMESPACE.to_owned(),
        name: NAME.to_owned(),
        subresource: "",
        patch_type: PatchType::Merge,
        patch: Bytes::from(serde_json::json!({"spec": {"template": after["spec"]["template"]}}).to_string()),
        uid: String::new(),
        revision: 0,
    };
    let generation = api
        .write(update, &WriteOptions::default())
        .await?
        .read::<Deployment>()?
        .metadata
        .generation;
    until(&mut events, clock, |found| {
        found.status.observed_generation >= generation && found.is_rolled_out(replicas)
    })
    .await?;
    report.row(
        &format!("rolling update of {replicas} replicas"),
        began.elapsed().as_secs_f64(),
        "s",
    );
    let cpu: f64 = cpu_before
        .iter()
        .zip(host.cpu()?)
        .map(|((_, before), (_, after))| after - before)
        .sum();
    report.row("its CPU, all processes", cpu, "s");
    Ok(())
}
