//! What the whole-cluster tests share: where the checkout is, how to talk to pods, and how a skipped test says so.

pub mod access;
pub mod containers;
pub mod frames;
pub mod linearizability;
pub mod lone;
pub mod processes;
pub mod register;
pub mod seed;
pub mod settle;
pub mod transcript;
pub mod watchers;
pub mod writers;

use std::path::PathBuf;

use anyhow::Context;
use coracle_service::{Env, network::dial_authority};
use coracle_testing::{Cluster, has_kubectl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The checkout: where the tests were built, or where `CORACLE_CHECKOUT` says it is now.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "binaries may run elsewhere than where they were built"
)]
pub fn checkout() -> PathBuf {
    let moved = std::env::var_os("CORACLE_CHECKOUT").map(PathBuf::from);
    moved.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."))
}

/// A file of `examples/`, as kubectl takes it.
#[must_use]
pub fn example(name: &str) -> String {
    checkout().join("examples").join(name).display().to_string()
}

/// Whether the tests run in continuous integration, where nothing may be skipped.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "this is how CI tells its tests that it is CI"
)]
pub fn in_ci() -> bool {
    std::env::var_os("CORACLE_CI").is_some()
}

/// The long form of a test's rounds where `CORACLE_LONG` is set, else the short one.
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "this is how a person asks for the long form of a test"
)]
pub fn rounds(short: usize, long: usize) -> usize {
    if std::env::var_os("CORACLE_LONG").is_some() {
        long
    } else {
        short
    }
}

/// Whether the test must be skipped for want of kubectl; says so on standard error.
///
/// # Panics
/// In continuous integration, where kubectl has to be there.
#[must_use]
pub fn skip_without_kubectl(test: &str) -> bool {
    if has_kubectl() {
        return false;
    }
    assert!(!in_ci(), "kubectl is missing in CI: install it");
    eprintln!("SKIPPED {test}: kubectl is not on the PATH");
    true
}

/// GETs `path` from `authority` (`IP:PORT`) and returns the answer's body. A pod's port below 1024 is tried at
/// +10000, too, where it is bound without the privilege for low ports.
///
/// # Errors
/// Where nobody answers, or with a status other than 200.
pub async fn get(env: &Env, authority: &str, path: &str) -> anyhow::Result<String> {
    let mut io = match dial_authority(&*env.network, authority).await {
        Ok(io) => io,
        Err(refused) => {
            let (host, port) = authority.rsplit_once(':').context("read address")?;
            let port: u16 = port.parse()?;
            if port >= 1024 {
                return Err(refused).with_context(|| format!("dial {authority}"));
            }
            dial_authority(&*env.network, &format!("{host}:{}", port + 10_000))
                .await
                .with_context(|| format!("dial {authority}"))?
        }
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    io.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("read answer")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "GET {authority}{path}: {head}");
    Ok(body.to_owned())
}

/// Pods by label, as JSON values.
///
/// # Errors
/// kubectl's.
pub async fn pods(cluster: &Cluster, selector: &str) -> anyhow::Result<Vec<serde_json::Value>> {
    let json = cluster
        .kubectl(&["get", "pods", "-l", selector, "-o", "json"])
        .await?;
    let mut list: serde_json::Value = serde_json::from_str(&json)?;
    let serde_json::Value::Array(items) = list["items"].take() else {
        anyhow::bail!("read list of pods")
    };
    Ok(items)
}

/// Whether a pod's Ready condition is True and it is not terminating.
#[must_use]
pub fn is_ready(pod: &serde_json::Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions.is_some_and(|all| {
            all.iter()
                .any(|one| one["type"] == "Ready" && one["status"] == "True")
        })
}

/// Bytes as base64 with padding, as Secrets hold them.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
