//! The Python examples: generated from the contract, run against a real cluster.
#![allow(
    clippy::disallowed_methods,
    reason = "which Python has grpcio, the environment says"
)]

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use coracle_testing::Cluster;
use coracle_tests::{checkout, in_ci};
use tokio::process::Command;

/// A Python that has what `requirements.txt` names: `CORACLE_PYTHON`.
fn python() -> Option<PathBuf> {
    std::env::var_os("CORACLE_PYTHON").map(PathBuf::from)
}

async fn run(python: &PathBuf, script: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(python)
        .arg(checkout().join("examples/python").join(script))
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("run {script}"))?;
    if !output.status.success() {
        bail!("{script}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_driven_from_python() -> anyhow::Result<()> {
    let Some(python) = python() else {
        ensure!(!in_ci(), "CI must name a Python with grpcio in CORACLE_PYTHON");
        eprintln!("SKIPPED the_cluster_is_driven_from_python: CORACLE_PYTHON names no Python with grpcio");
        return Ok(());
    };
    run(&python, "generate.py", &[]).await?;
    let cluster = Cluster::start().await?;
    let credentials = cluster.dir().join("credentials");
    let out = credentials.display().to_string();
    cluster.run(&["credentials", "--out", &out]).await?;
    let server = cluster.server().await?;

    let driven = run(&python, "drive.py", &[&out, &server]).await?;
    for part in [
        "APPLY_OUTCOME_CREATED Deployment from-python",
        "ready: 3",
        "NOT_FOUND pods \"nobody\" not found",
        "deleted",
    ] {
        ensure!(driven.contains(part), "drive.py does not say {part:?}:\n{driven}");
    }
    let manifest = checkout().join("examples/simple-deployment.yaml");
    let manifest = std::fs::read_to_string(manifest)?;
    let script = format!(
        "import sys; sys.path.insert(0, {path:?})\n\
         from connect import connect\n\
         from coracle.v1 import object_pb2 as pb, object_pb2_grpc\n\
         objects = object_pb2_grpc.ObjectServiceStub(connect({out:?}, {server:?}))\n\
         objects.ApplyManifest(pb.ApplyManifestRequest(manifest={manifest:?}))\n",
        path = checkout().join("examples/python").display().to_string(),
    );
    let applied = Command::new(&python).args(["-c", &script]).output().await?;
    ensure!(
        applied.status.success(),
        "apply: {}",
        String::from_utf8_lossy(&applied.stderr)
    );
    let waited = run(&python, "wait_for_pods.py", &[&out, &server, "app=nginx", "3"]).await?;
    ensure!(
        waited.lines().count() == 3 && waited.contains("127."),
        "wait_for_pods.py:\n{waited}"
    );
    cluster.stop().await
}
