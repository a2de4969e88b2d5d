//! The real kubectl, run against a test's cluster.
#![allow(
    clippy::disallowed_methods,
    reason = "kubectl is looked for on the PATH, as a shell would"
)]

use std::path::Path;

use anyhow::{Context, bail};
use tokio::process::Command;

/// Whether kubectl is on the PATH.
#[must_use]
pub fn has_kubectl() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join("kubectl").is_file())
}

/// Runs kubectl and returns what it printed.
pub(crate) async fn run(kubeconfig: &Path, home: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        // Caches of discovery belong to this cluster alone.
        .arg("--cache-dir")
        .arg(home.join("kubectl-cache"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .kill_on_drop(true)
        .output()
        .await
        .context("run kubectl")?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "kubectl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(stdout)
}
