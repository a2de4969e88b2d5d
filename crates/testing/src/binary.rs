//! Finds the `coracle` binary that a test runs.
#![allow(
    clippy::disallowed_methods,
    reason = "CORACLE_BIN is how a test outside this workspace names the binary"
)]

use std::path::PathBuf;

use anyhow::{Context, ensure};

/// `CORACLE_BIN`, else `coracle` in the folder above the test's own binary.
///
/// # Errors
/// Where it is not there; the message says how to build it.
pub fn coracle_binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("CORACLE_BIN") {
        return Ok(PathBuf::from(path));
    }
    let own = std::env::current_exe().context("find the test's own binary")?;
    let folder = own.parent().context("find the test's folder")?;
    // Tests are in target/PROFILE/deps, examples in target/PROFILE/examples.
    let profile = folder.parent().context("find the build's folder")?;
    let binary = profile.join("coracle");
    ensure!(
        binary.is_file(),
        "find {}: build it with `cargo build -p coracle`, or name one in CORACLE_BIN",
        binary.display()
    );
    Ok(binary)
}
