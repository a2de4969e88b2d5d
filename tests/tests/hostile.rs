//! Clients that mean harm: streams reset as fast as they can be opened, ten thousand streams, heads that never end,
//! bodies of 4 GiB. Meanwhile the others are served as if nothing happened, and the apiserver's memory stays bounded.
//!
//! The hostile ones are administrators, so that nothing but the limits of the server stands in their way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use coracle_service::{BoxIo, connect};
use coracle_testing::{Cluster, Options};
use coracle_tests::{access::Access, frames::Frames, processes, register, rounds};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
};

/// Good clients at a time, through either door by turns.
const GOOD: usize = 4;
/// What the good ones wait at most, 99 times of 100, in seconds: on a machine that others use too, where starving is
/// told from slowness, and in the long form, which has the machine to itself.
const P99: (usize, usize) = (10, 1);
/// A good client's breath between two requests.
const PAUSE: Duration = Duration::from_millis(20);
/// How much more memory an attack may cost.
const MEMORY_BYTES: u64 = 384 << 20;
const BODY_BYTES: u64 = 4 << 30;
/// What a server may take of a body that it will refuse: what its windows and buffers hold.
const TAKEN_BYTES: u64 = 64 << 20;
/// Streams that one connection may have open.
const STREAMS: u32 = 1_000;
/// Streams that are asked for on each.
const ASKED: u32 = 1_100;
/// Opened and reset in one breath.
const RESETS: u32 = 100;
/// How long the server of these tests waits for a head; 32 s otherwise.
const HEAD_TIMEOUT: Duration = Duration::from_secs(4);

async fn control_plane() -> anyhow::Result<(Cluster, Access)> {
    let cluster = Cluster::with(Options {
        nodes: 0,
        set: vec![format!("apiserver.header-timeout={}", HEAD_TIMEOUT.as_secs())],
        ..Options::default()
    })
    .await?;
    let access = Access::of(&cluster).await?;
    Ok((cluster, access))
}

/// What the good clients saw.
struct Good {
    stop: Arc<AtomicBool>,
    clients: JoinSet<anyhow::Result<Vec<Duration>>>,
}

impl Good {
    fn start(access: &Access) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..GOOD {
            clients.spawn(good_client(access.clone(), number, Arc::clone(&stop)));
        }
        Self { stop, clients }
    }

    /// Fails unless nearly all requests were answered in time, and every one at all.
    async fn stop(mut self, attack: &str) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        while let Some(seen) = self.clients.join_next().await {
            times.extend(seen?.with_context(|| format!("a good client during {attack}"))?);
        }
        times.sort();
        ensure!(
            times.len() >= 50,
            "only {} good requests during {attack}",
            times.len()
        );
        let p99 = times[times.len() * 99 / 100];
        eprintln!(
            "{attack}: {} good requests, p50 {:?}, p99 {p99:?}",
            times.len(),
            times[times.len() / 2]
        );
        let limit = Duration::from_secs(rounds(P99.0, P99.1) as u64);
        ensure!(p99 < limit, "p99 of good clients during {attack} is {p99:?}");
        Ok(())
    }
}

/// Writes and reads an object of its own, by gRPC on one connection or by REST on a new connection each time.
async fn good_client(access: Access, number: usize, stop: Arc<AtomicBool>) -> anyhow::Result<Vec<Duration>> {
    let (api, clock) = (access.client()?, access.env.transport_clock.clone());
    let name = format!("good-{number}-{:08x}", access.env.random.next_u64() as u32);
    let path = format!("/api/v1/namespaces/default/configmaps/{name}");
    register::create(&api, &name, 0).await?;
    let (mut times, mut value) = (Vec::new(), 0);
    while !stop.load(Ordering::Relaxed) {
        value += 1;
        let begin = clock.monotonic();
        if number.is_multiple_of(2) {
            register::update(&api, &name, value, None).await?;
        } else {
            let json = register::json(&name, value, None);
            let answer = access
                .rest("PUT", &path, Some(("application/json", &json)))
                .await?;
            ensure!(answer.code == 200, "{answer:?}");
        }
        times.push(clock.monotonic().duration_since(begin));
        let begin = clock.monotonic();
        let seen = register::value(&register::get(&api, &name).await?)?;
        times.push(clock.monotonic().duration_since(begin));
        ensure!(seen == value, "read {seen} after {value} was acknowledged");
        clock.sleep(PAUSE).await;
    }
    Ok(times)
}

/// Runs an attack beside good clients, and looks at the apiserver's memory.
async fn judged<T>(
    cluster: &Cluster,
    access: &Access,
    attack: &str,
    run: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let before = cluster.process("apiserver").await?;
    let (resident, _) = processes::memory(before.pid)?;
    let good = Good::start(access);
    let outcome = run.await.with_context(|| attack.to_owned());
    good.stop(attack).await?;
    let outcome = outcome?;
    let after = cluster.process("apiserver").await?;
    ensure!(after.pid == before.pid, "the apiserver died of {attack}");
    let (_, peak) = processes::memory(after.pid)?;
    let grown = peak.saturating_sub(resident);
    eprintln!(
        "{attack}: {} MiB before, {} MiB at most",
        resident >> 20,
        peak >> 20
    );
    ensure!(
        grown < MEMORY_BYTES,
        "{attack} cost {} MiB of memory",
        grown >> 20
    );
    Ok(outcome)
}

fn duration() -> Duration {
    Duration::from_secs(rounds(4, 60) as u64)
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_at_once_hurt_nobody_else() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let clock = access.env.transport_clock.clone();
    let (resets, closed) = (AtomicU64::new(0), AtomicU64::new(0));
    let attack = async {
        let end = clock.monotonic() + duration();
        while clock.monotonic() < end {
            let mut frames = Frames::open(&access).await?;
            while clock.monotonic() < end {
                if frames.open_streams(RESETS, "/api/v1/pods", true).await.is_err() {
                    closed.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                resets.fetch_add(u64::from(RESETS), Ordering::Relaxed);
            }
        }
        Ok(())
    };
    judged(&cluster, &access, "rapid resets", attack).await?;
    let (resets, closed) = (resets.into_inner(), closed.into_inner());
    eprintln!("rapid resets: {resets} streams, {closed} connections closed by the server");
    ensure!(closed > 0, "a connection with {resets} resets was never closed");
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_streams_hurt_nobody_else() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let clock = access.env.transport_clock.clone();
    let attack = async {
        let mut open = Vec::new();
        for _ in 0..10 {
            let mut frames = Frames::open(&access).await?;
            let path = "/api/v1/namespaces/quiet/configmaps?watch=1";
            frames.open_streams(ASKED, path, false).await?;
            open.push(frames);
        }
        let count = |of: fn(&Frames) -> &AtomicU64| {
            open.iter().map(|frames| of(frames).load(Ordering::Relaxed)).sum()
        };
        let wanted = u64::from(STREAMS) * open.len() as u64;
        let end = clock.monotonic() + duration() * 5;
        let mut answers: u64 = 0;
        while answers < wanted && clock.monotonic() < end {
            clock.sleep(PAUSE).await;
            answers = count(|frames| &frames.received.answers);
        }
        // All watches are there now, and are kept for a while.
        clock.sleep(duration()).await;
        Ok((wanted, answers, count(|frames| &frames.received.refused)))
    };
    let (wanted, answers, refused): (u64, u64, u64) =
        judged(&cluster, &access, "10,000 streams", attack).await?;
    eprintln!("10,000 streams: {answers} watches at a time, {refused} streams refused");
    ensure!(
        answers == wanted,
        "{answers} streams were served at a time, not {wanted}"
    );
    ensure!(
        refused == 10 * u64::from(ASKED - STREAMS),
        "{refused} streams were refused"
    );
    cluster.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_hurt_nobody_else() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let clock = access.env.transport_clock.clone();
    let attack = async {
        let mut connections = JoinSet::new();
        for _ in 0..rounds(200, 2_000) {
            connections.spawn(drip(access.clone()));
        }
        let mut longest = Duration::ZERO;
        while let Some(lasted) = connections.join_next().await {
            longest = longest.max(lasted??);
        }
        Ok(longest)
    };
    let longest = judged(&cluster, &access, "slow heads", attack).await?;
    eprintln!("slow heads: the longest lasted {longest:?}");
    ensure!(longest < HEAD_TIMEOUT * 3, "a head was waited for {longest:?}");
    // One that never speaks is shown the door as well.
    let begin = clock.monotonic();
    let mut silent = access.env.network.dial(None, access.server.parse()?).await?;
    let _ = silent.read(&mut [0; 1]).await;
    let silent = clock.monotonic().duration_since(begin);
    ensure!(silent < HEAD_TIMEOUT * 3, "a handshake was waited for {silent:?}");
    cluster.stop().await
}

async fn dial(access: &Access) -> anyhow::Result<BoxIo> {
    let (host, _) = access
        .server
        .rsplit_once(':')
        .context("read the server's address")?;
    let identity = access.identity().http1();
    // Several hundred handshakes at a time take longer than one.
    loop {
        match connect::connect(&access.server, host, &access.env, &identity).await {
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
            outcome => return outcome.context("connect"),
        }
    }
}

/// Sends a head a letter at a time until the server closes the connection; how long that took.
async fn drip(access: Access) -> anyhow::Result<Duration> {
    let clock = access.env.transport_clock.clone();
    let (mut reader, mut writer) = tokio::io::split(dial(&access).await?);
    let begin = clock.monotonic();
    let feed = async {
        let mut head = b"GET /api/v1/pods HTTP/1.1\r\nX-Slow: "
            .iter()
            .chain(std::iter::repeat(&b'x'));
        for &letter in &mut head {
            if writer.write_all(&[letter]).await.is_err() || writer.flush().await.is_err() {
                break;
            }
            clock.sleep(Duration::from_millis(100)).await;
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        biased;
        _ = reader.read_to_end(&mut answer) => {}
        () = feed => {}
    }
    Ok(clock.monotonic().duration_since(begin))
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_four_gigabytes_hurt_nobody_else() -> anyhow::Result<()> {
    let (cluster, access) = control_plane().await?;
    let clock = access.env.transport_clock.clone();
    let attack = async {
        let end = clock.monotonic() + duration();
        let (mut most, mut ignored) = (0, 0);
        let announced = format!("Content-Length: {BODY_BYTES}");
        while clock.monotonic() < end {
            let (whole, chunked, called, posted) = tokio::try_join!(
                pour_http1(&access, &announced),
                pour_http1(&access, "Transfer-Encoding: chunked"),
                pour_grpc(&access),
                pour_http2(&access),
            )?;
            most = most.max(whole).max(chunked);
            ignored = ignored.max(called).max(posted);
        }
        Ok((most, ignored))
    };
    let (most, ignored) = judged(&cluster, &access, "bodies of 4 GiB", attack).await?;
    // HTTP/2 reads on and throws away what comes on a stream that it has answered and closed.
    eprintln!(
        "bodies of 4 GiB: the server took {} KiB at most, and by HTTP/2 let {} MiB pass",
        most >> 10,
        ignored >> 20
    );
    ensure!(most < TAKEN_BYTES, "the server took {} MiB of a body", most >> 20);
    cluster.stop().await
}

/// Sends a body without end by HTTP/1.1; how much of it was taken. The answer must say that it is too large.
async fn pour_http1(access: &Access, length: &str) -> anyhow::Result<u64> {
    let (mut reader, mut writer) = tokio::io::split(dial(access).await?);
    let head = format!(
        "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
    );
    writer.write_all(head.as_bytes()).await?;
    let mut piece = b"10000\r\n".to_vec();
    piece.extend([b' '; 1 << 16]);
    piece.extend(b"\r\n");
    let mut taken = 0;
    let feed = async {
        while taken < BODY_BYTES && writer.write_all(&piece).await.is_ok() {
            taken += piece.len() as u64;
        }
        let _ = writer.flush().await;
    };
    let mut answer = [0; 12];
    let answered = async {
        let read = reader.read_exact(&mut answer).await;
        // The rest of the answer, until the server closes.
        let _ = reader.read_to_end(&mut Vec::new()).await;
        read
    };
    let ((), read) = tokio::join!(feed, answered);
    ensure!(
        read.is_err() || answer == *b"HTTP/1.1 413",
        "answered {:?}",
        String::from_utf8_lossy(&answer)
    );
    Ok(taken)
}

/// The same by HTTP/2.
async fn pour_http2(access: &Access) -> anyhow::Result<u64> {
    let mut frames = Frames::open(access).await?;
    let path = "/api/v1/namespaces/default/configmaps";
    frames.pour(path, "application/json", b"{", BODY_BYTES).await
}

/// A gRPC message that announces 4 GiB and keeps sending.
async fn pour_grpc(access: &Access) -> anyhow::Result<u64> {
    let mut frames = Frames::open(access).await?;
    let path = "/coracle.v1.ObjectService/Create";
    let first = [0, 0xff, 0xff, 0xff, 0xff];
    frames.pour(path, "application/grpc", &first, BODY_BYTES).await
}
