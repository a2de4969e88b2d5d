//! `nc`, `nslookup`, `ping`, and how commands reach the pod's network, as [`PodNetwork`] has it.
//!
//! [`PodNetwork`]: crate::network::pod::PodNetwork

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use coracle_service::BoxIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Call, Failure, Parsed, Result};
use crate::{network::pod::CONNECT_TIMEOUT, runtime::programs::sh::stream::CHUNK_BYTES};

/// Echo requests where `ping` is not told how many.
const PINGS: u64 = 4;
/// Between two of them.
const PING_INTERVAL: Duration = Duration::from_secs(1);

impl Call<'_> {
    /// The addresses of a name: those of the hosts file first.
    pub(super) async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![ip]);
        }
        let invocation = &self.shell.world.invocation;
        // The hosts file comes first, as `files dns` has it.
        if let Ok(hosts) = self.files().read("/etc/hosts").await {
            let hosts = String::from_utf8_lossy(&hosts).into_owned();
            let found = hosts.lines().find_map(|line| {
                let mut words = line.split('#').next()?.split_whitespace();
                let ip = words.next()?.parse().ok()?;
                words.any(|name| name == host).then_some(ip)
            });
            if let Some(ip) = found {
                return Ok(vec![ip]);
            }
        }
        invocation.network.resolve(&invocation.pod, host).await
    }

    /// Connects from the pod.
    pub(super) async fn dial(&self, to: SocketAddr, timeout: Duration) -> io::Result<BoxIo> {
        let invocation = &self.shell.world.invocation;
        let dialing = invocation.network.dial(&invocation.pod, to);
        let clock = &invocation.surroundings.transport_clock;
        let outcome = clock.timeout(timeout.min(CONNECT_TIMEOUT), dialing).await;
        outcome.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }
}

/// The value of an option as a time.
pub(super) fn seconds(parsed: &Parsed, option: char) -> Result<Option<Duration>> {
    let seconds = parsed.value(option).map(|text| text.parse::<f64>());
    match seconds {
        None => Ok(None),
        Some(Ok(seconds)) => Ok(Duration::try_from_secs_f64(seconds).ok()),
        Some(Err(_)) => Err(Failure::Text(format!(
            "invalid number '{}'",
            parsed.value(option).unwrap_or_default()
        ))),
    }
}

/// `nslookup NAME`
pub async fn nslookup(call: Call<'_>) -> Result {
    let Some(name) = call.arguments.iter().find(|word| !word.starts_with('-')) else {
        return Err(Failure::Text("usage: nslookup NAME".to_owned()));
    };
    let network = std::sync::Arc::clone(&call.shell.world.invocation.network);
    if let Some(server) = network.name_server() {
        call.print(format!("Server:\t\t{server}\nAddress:\t{server}:53\n\n"))
            .await?;
    }
    match call.resolve(name).await {
        Ok(found) if !found.is_empty() => {
            for ip in found {
                call.print(format!("Name:\t{name}\nAddress: {ip}\n")).await?;
            }
            Ok(0)
        }
        _ => {
            call.print(format!("** server can't find {name}: NXDOMAIN\n"))
                .await?;
            Ok(1)
        }
    }
}

/// `ping [-c N] [-i S] [-W S] HOST`: there are no echo requests here, so a host is there when a connection to it is
/// taken or refused.
pub async fn ping(call: Call<'_>) -> Result {
    let parsed = call.options("c:i:W:w:q4n", &[])?;
    let Some(host) = parsed.operands.first() else {
        return Err(Failure::Text("usage: ping [-c N] HOST".to_owned()));
    };
    let found = call
        .resolve(host)
        .await
        .ok()
        .and_then(|found| found.first().copied());
    let Some(ip) = found else {
        return Err(Failure::Text(format!("bad address '{host}'")));
    };
    let timeout = seconds(&parsed, 'W')?.unwrap_or(CONNECT_TIMEOUT);
    let interval = seconds(&parsed, 'i')?.unwrap_or(PING_INTERVAL);
    let clock = call.shell.world.invocation.clock.clone();
    call.print(format!("PING {host} ({ip}): 56 data bytes\n")).await?;
    let count = parsed.number('c')?.unwrap_or(PINGS);
    let mut received = 0;
    for sequence in 0..count {
        let start = clock.monotonic();
        let there = match call.dial(SocketAddr::new(ip, 80), timeout).await {
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::ConnectionRefused,
        };
        if there {
            received += 1;
            let took = (clock.monotonic() - start).as_secs_f64() * 1000.0;
            call.print(format!(
                "64 bytes from {ip}: seq={sequence} ttl=64 time={took:.3} ms\n"
            ))
            .await?;
        }
        if sequence + 1 < count {
            clock.sleep(interval).await;
        }
    }
    let lost = ((count - received) * 100).checked_div(count).unwrap_or(0);
    call.print(format!(
        "\n--- {host} ping statistics ---\n{count} packets transmitted, {received} packets received, {lost}% packet loss\n"
    ))
    .await?;
    Ok(i32::from(received == 0))
}

/// `nc [-z] [-w S] HOST PORT`
pub async fn nc(call: Call<'_>) -> Result {
    let parsed = call.options("zvnw:l", &[])?;
    if parsed.has('l') {
        return Err(Failure::Text(
            "listening is not supported here: use the image echo".to_owned(),
        ));
    }
    let [host, port] = parsed.operands.as_slice() else {
        return Err(Failure::Text("usage: nc [-zv] [-w S] HOST PORT".to_owned()));
    };
    let port: u16 = port
        .parse()
        .map_err(|_| Failure::Text(format!("bad port '{port}'")))?;
    let found = call
        .resolve(host)
        .await
        .ok()
        .and_then(|found| found.first().copied());
    let ip = found.ok_or_else(|| Failure::Text(format!("bad address '{host}'")))?;
    let timeout = seconds(&parsed, 'w')?.unwrap_or(CONNECT_TIMEOUT);
    let dialed = call.dial(SocketAddr::new(ip, port), timeout).await;
    let io =
        dialed.map_err(|error| Failure::Text(format!("{host} ({ip}:{port}): {}", super::reason(&error))))?;
    if parsed.has('v') {
        call.streams
            .errors
            .write(format!("{host} ({ip}:{port}) open\n").as_bytes())
            .await?;
    }
    if parsed.has('z') {
        return Ok(0);
    }
    let (mut reader, mut writer) = tokio::io::split(io);
    let sending = async {
        loop {
            let piece = call.streams.input.read(CHUNK_BYTES).await?;
            if piece.is_empty() {
                writer.shutdown().await?;
                return Ok::<_, Failure>(());
            }
            writer.write_all(&piece).await?;
        }
    };
    let receiving = async {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let length = reader.read(&mut buffer).await?;
            if length == 0 {
                return Ok::<_, Failure>(());
            }
            call.print(&buffer[..length]).await?;
        }
    };
    tokio::pin!(receiving);
    tokio::select! {
        biased;
        outcome = &mut receiving => outcome?,
        outcome = sending => {
            outcome?;
            receiving.await?;
        }
    }
    Ok(0)
}
