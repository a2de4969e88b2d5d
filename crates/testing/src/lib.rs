//! A real cluster for a test: separate processes, free ports, a data directory of its own, gone on drop.
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! let cluster = coracle_testing::Cluster::start().await?;
//! cluster.kubectl(&["apply", "-f", "deployment.yaml"]).await?;
//! # Ok(())
//! # }
//! ```
//!
//! It runs the `coracle` binary that stands beside the test's own (`cargo build -p coracle` makes it), or the one that
//! `CORACLE_BIN` names. For authors of controllers as much as for our own tests.

mod binary;
mod cluster;
mod kubectl;
mod logs;
mod wait;

pub use binary::coracle_binary;
pub use cluster::{Cluster, Options, Process};
pub use kubectl::has_kubectl;
pub use wait::eventually;
