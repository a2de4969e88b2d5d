//! The machine's own rates, which every figure stands beside.

use std::{io::Write, net::SocketAddr, time::Duration};

use anyhow::Context;
use coracle_service::Env;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long each rate is measured.
const MEASURE: Duration = Duration::from_millis(300);

#[derive(Serialize)]
pub struct Rates {
    cores: usize,
    /// Appends of 1 KiB with an fdatasync each.
    fdatasync_per_second: f64,
    /// Exchanges of one byte over one TCP connection.
    loopback_per_second: f64,
}

impl Rates {
    pub async fn measure(env: &Env) -> anyhow::Result<Self> {
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            fdatasync_per_second: fdatasync(env).context("measure fdatasync")?,
            loopback_per_second: loopback(env).await.context("measure loopback")?,
        })
    }

    pub fn rows(&self) -> [(&'static str, f64, &'static str); 3] {
        [
            ("cores", self.cores as f64, ""),
            ("fdatasync of 1 KiB", self.fdatasync_per_second, "/s"),
            ("loopback round trips", self.loopback_per_second, "/s"),
        ]
    }
}

fn fdatasync(env: &Env) -> anyhow::Result<f64> {
    let path = std::env::temp_dir().join(format!("coracle-fsync-{:08x}", env.random.next_u64() as u32));
    let mut file = std::fs::File::create(&path)?;
    let began = env.transport_clock.monotonic();
    let mut count = 0.0;
    while began.elapsed() < MEASURE {
        file.write_all(&[7; 1024])?;
        file.sync_data()?;
        count += 1.0;
    }
    let rate = count / began.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}

async fn loopback(env: &Env) -> anyhow::Result<f64> {
    let mut listener = env.network.listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr()?;
    env.spawn.task("echo", async move {
        let Ok((mut io, _)) = listener.accept().await else {
            return;
        };
        let mut byte = [0];
        while io.read_exact(&mut byte).await.is_ok() && io.write_all(&byte).await.is_ok() {}
    });
    let mut io = env.network.dial(None, address).await?;
    let began = env.transport_clock.monotonic();
    let mut count = 0.0;
    let mut byte = [0];
    while began.elapsed() < MEASURE {
        io.write_all(&byte).await?;
        io.read_exact(&mut byte).await?;
        count += 1.0;
    }
    Ok(count / began.elapsed().as_secs_f64())
}
