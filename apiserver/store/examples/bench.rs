//! `cargo run --release -p coracle-store --example bench`: what the store can do on this machine.
#![allow(
    clippy::disallowed_methods,
    reason = "a program of its own, with the machine's real clock"
)]

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use coracle_store::bench::{BenchConfig, store_bench};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let dir = std::env::temp_dir().join(format!("coracle-store-bench-{}", std::process::id()));
    let origin = Instant::now();
    let state = RandomState::new();
    let counter = AtomicU64::new(0);
    let random = move |buf: &mut [u8]| {
        buf.iter_mut()
            .for_each(|byte| *byte = state.hash_one(counter.fetch_add(1, Ordering::Relaxed)) as u8);
    };
    let config = BenchConfig::new(&dir, Arc::new(move || origin.elapsed()), Arc::new(random));
    let report = store_bench(config).await;
    std::fs::remove_dir_all(&dir)?;
    println!("{}", report?);
    Ok(())
}
