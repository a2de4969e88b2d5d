//! Clients that others wrote, unchanged, against a real cluster: the Kubernetes libraries of Python and Node over REST,
//! and the programs of `examples/` in Node, Go and Rust over gRPC. (Python over gRPC is in `python.rs`, kubectl in `kubectl.rs`.)
//!
//! `.ci/clients` installs what they need; without it a test is skipped and says so.
#![allow(
    clippy::disallowed_methods,
    reason = "where the clients are installed, the environment says"
)]

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use coracle_testing::{Cluster, coracle_binary};
use coracle_tests::{checkout, example, in_ci};
use tokio::process::Command;

/// What the environment names, if it is there; in CI it has to be.
fn installed(test: &str, variable: &str) -> anyhow::Result<Option<PathBuf>> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if let Some(path) = path.filter(|path| path.exists()) {
        return Ok(Some(path));
    }
    ensure!(!in_ci(), "{variable} names nothing: run .ci/clients");
    eprintln!("SKIPPED {test}: {variable} names nothing; .ci/clients installs it");
    Ok(None)
}

async fn run(program: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("run {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{} {}:\n{text}{}",
        program.display(),
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

fn script(path: &str) -> String {
    checkout().join(path).display().to_string()
}

async fn ends_with_ok(program: &Path, path: &str) -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let kubeconfig = cluster.kubeconfig().display().to_string();
    let said = run(program, &[&script(path), &kubeconfig]).await?;
    ensure!(said.trim_end().ends_with("ok"), "{path} says {said}");
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kubernetes_library_of_python_works() -> anyhow::Result<()> {
    let Some(python) = installed("the_kubernetes_library_of_python_works", "CORACLE_PYTHON")? else {
        return Ok(());
    };
    ends_with_ok(&python, "tests/clients/client.py").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kubernetes_library_of_node_works() -> anyhow::Result<()> {
    let Some(node) = installed("the_kubernetes_library_of_node_works", "CORACLE_NODE")? else {
        return Ok(());
    };
    ends_with_ok(&node, "tests/clients/client.mjs").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_in_python_passes_its_tests() -> anyhow::Result<()> {
    let Some(python) = installed("the_controller_in_python_passes_its_tests", "CORACLE_PYTHON")? else {
        return Ok(());
    };
    let (python, tests) = (python.display().to_string(), script("examples/controller-python"));
    let pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", &tests];
    let said = run(
        &coracle_binary()?,
        &[&["run", "--", &python], &pytest[..]].concat(),
    )
    .await?;
    ensure!(said.contains("4 passed"), "{said}");
    Ok(())
}

/// Runs an example: it applies a manifest, waits for three pods, changes an object and deletes it.
async fn drives(program: &Path, before: &[&str], after: &[&str]) -> anyhow::Result<()> {
    let cluster = Cluster::start().await?;
    let credentials = cluster.dir().join("credentials").display().to_string();
    cluster.run(&["credentials", "--out", &credentials]).await?;
    let (server, manifest) = (cluster.server().await?, example("simple-deployment.yaml"));
    let own = [credentials.as_str(), &server, &manifest, "app=nginx", "3"];
    let said = run(program, &[before, &own, after].concat()).await?;
    let running = said.lines().filter(|line| line.starts_with("running: ")).count();
    ensure!(running == 3, "{running} pods are told of:\n{said}");
    for part in ["Deployment nginx-deployment", "created: ", "deleted: "] {
        ensure!(said.contains(part), "{part:?} is not said:\n{said}");
    }
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_driven_from_node() -> anyhow::Result<()> {
    let name = "the_cluster_is_driven_from_node";
    let (Some(node), Some(protos)) = (
        installed(name, "CORACLE_NODE")?,
        installed(name, "CORACLE_GOOGLEAPIS")?,
    ) else {
        return Ok(());
    };
    let protos = format!("{}:{}", script("proto"), protos.display());
    drives(&node, &[&script("examples/node/drive.js")], &[&protos]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_driven_from_go() -> anyhow::Result<()> {
    let Some(program) = installed("the_cluster_is_driven_from_go", "CORACLE_GO_EXAMPLE")? else {
        return Ok(());
    };
    drives(&program, &[], &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_driven_from_rust() -> anyhow::Result<()> {
    // It is a package of the workspace, built into the same folder.
    let program = coracle_binary()?.with_file_name("coracle-drive");
    if !program.exists() {
        ensure!(!in_ci(), "{} is missing: build coracle-drive", program.display());
        eprintln!("SKIPPED the_cluster_is_driven_from_rust: cargo build -p coracle-drive makes it");
        return Ok(());
    }
    drives(&program, &[], &[]).await
}
