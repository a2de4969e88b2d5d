//! The front door: a proxy on the host that speaks SOCKS5 (RFC 1928) and HTTP (CONNECT, RFC 9110, and plain requests to
//! absolute URLs), and knows the names of the cluster.
//!
//! It leads into the cluster alone: to names that the cluster's DNS knows, to Services and to pods. Anything else is
//! refused, so that it is no way to the rest of the world.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use coracle_proxy::{
    Origin,
    forward::{after_accept_error, both_ways},
    names::{self, Kind, Outcome},
};
use coracle_service::{BoxIo, Listener};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Semaphore,
};

use crate::Shared;

/// Connections at a time; further ones wait.
const MAX_CONNECTIONS: usize = 1_024;
/// How long a client may take to say where it wants to go.
const GREETING: Duration = Duration::from_secs(10);
/// The longest head of an HTTP request.
const MAX_HEAD: usize = 16 << 10;
/// The namespace in which short names are looked for.
const NAMESPACE: &str = "default";

const SOCKS_VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;

/// Lets people in until shutdown.
pub(crate) async fn run(mut listener: Box<dyn Listener>, shared: Shared) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (env, shutdown) = (shared.env.clone(), shared.shutdown.clone());
    let work = async {
        loop {
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((client, _)) => {
                    let (shared, end) = (shared.clone(), shutdown.clone());
                    env.spawn.task("front door connection", async move {
                        if let Some(Err(error)) = end.guard(answer(client, &shared)).await {
                            tracing::debug!(%error, "front door connection ended");
                        }
                        drop(slot);
                    });
                }
                Err(error) => after_accept_error(&error, &env).await,
            }
        }
    };
    shutdown.guard(work).await;
}

async fn answer(mut client: BoxIo, shared: &Shared) -> io::Result<()> {
    let clock = shared.env.transport_clock.clone();
    let greeted = async {
        match client.read_u8().await? {
            SOCKS_VERSION => socks(&mut client, shared).await,
            first => http(&mut client, first, shared).await,
        }
    };
    let greeted = clock
        .timeout(GREETING + crate::ingress::CONNECT_TIMEOUT, greeted)
        .await;
    let Some(endpoint) = greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? else {
        return Ok(());
    };
    both_ways(client, endpoint).await.map(drop)
}

/// Takes a SOCKS5 client's request and answers it.
async fn socks(client: &mut BoxIo, shared: &Shared) -> io::Result<Option<BoxIo>> {
    let count = usize::from(client.read_u8().await?);
    let mut methods = vec![0; count];
    client.read_exact(&mut methods).await?;
    if !methods.contains(&NO_AUTHENTICATION) {
        client.write_all(&[SOCKS_VERSION, NO_METHOD]).await?;
        return Ok(None);
    }
    client.write_all(&[SOCKS_VERSION, NO_AUTHENTICATION]).await?;
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await?;
            Ipv4Addr::from(address).to_string()
        }
        3 => {
            let mut name = vec![0; usize::from(client.read_u8().await?)];
            client.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
        4 => {
            let mut address = [0; 16];
            client.read_exact(&mut address).await?;
            Ipv6Addr::from(address).to_string()
        }
        _ => return reply(client, 8).await.map(|()| None),
    };
    let port = client.read_u16().await?;
    if head[1] != CONNECT {
        return reply(client, 7).await.map(|()| None);
    }
    match connect(&host, port, shared).await {
        Ok(endpoint) => {
            reply(client, 0).await?;
            Ok(Some(endpoint))
        }
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::PermissionDenied => 2,
                io::ErrorKind::NotFound => 4,
                io::ErrorKind::ConnectionRefused => 5,
                io::ErrorKind::TimedOut => 6,
                _ => 1,
            };
            reply(client, code).await?;
            Ok(None)
        }
    }
}

async fn reply(client: &mut BoxIo, code: u8) -> io::Result<()> {
    client
        .write_all(&[SOCKS_VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0])
        .await
}

/// Takes an HTTP client's request, whose first byte has been read.
async fn http(client: &mut BoxIo, first: u8, shared: &Shared) -> io::Result<Option<BoxIo>> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            refuse(
                client,
                "431 Request Header Fields Too Large",
                "the request's head is too long",
            )
            .await?;
            return Ok(None);
        }
        head.push(client.read_u8().await?);
    }
    let Some(request) = read_head(&head) else {
        let text = "this is a proxy: use CONNECT, an absolute URL, or SOCKS5";
        refuse(client, "400 Bad Request", text).await?;
        return Ok(None);
    };
    match connect(&request.host, request.port, shared).await {
        Ok(mut endpoint) => {
            match &request.forwarded {
                None => {
                    client
                        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                        .await?
                }
                Some(forwarded) => endpoint.write_all(forwarded).await?,
            }
            Ok(Some(endpoint))
        }
        Err(error) => {
            let status = match error.kind() {
                io::ErrorKind::PermissionDenied => "403 Forbidden",
                io::ErrorKind::TimedOut => "504 Gateway Timeout",
                _ => "502 Bad Gateway",
            };
            let text = format!("{}:{}: {error}", request.host, request.port);
            refuse(client, status, &text).await?;
            Ok(None)
        }
    }
}

async fn refuse(client: &mut BoxIo, status: &str, text: &str) -> io::Result<()> {
    let length = text.len() + 1;
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}\n"
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}

/// What an HTTP client wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The head as the server should see it; `None` for CONNECT.
    pub(crate) forwarded: Option<Vec<u8>>,
}

/// Reads the head of a request to a proxy; `None` where it is none.
pub(crate) fn read_head(head: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_connect = method.eq_ignore_ascii_case("CONNECT");
    let (authority, path) = match (is_connect, target.strip_prefix("http://")) {
        (true, _) => (target, ""),
        (false, Some(rest)) => match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        },
        (false, None) => return None,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None if is_connect => return None,
        None => (authority, 80),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if host.is_empty() {
        return None;
    }
    let forwarded = (!is_connect).then(|| {
        // One request a connection: whom the next is for is not known.
        let mut head = format!("{method} {path} {version}\r\nConnection: close\r\n");
        for line in lines.take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            if !name.eq_ignore_ascii_case("connection") && !name.eq_ignore_ascii_case("proxy-connection") {
                head.push_str(line);
                head.push_str("\r\n");
            }
        }
        head.push_str("\r\n");
        head.into_bytes()
    });
    Some(Request {
        host,
        port,
        forwarded,
    })
}

/// Connects to a host of the cluster.
async fn connect(host: &str, port: u16, shared: &Shared) -> io::Result<BoxIo> {
    let refused = || {
        io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the front door leads into the cluster alone",
        )
    };
    let origin = Origin {
        external: true,
        ..Origin::default()
    };
    let table = shared.connector.table();
    if let Ok(address) = host.parse::<IpAddr>() {
        let IpAddr::V4(ip) = address else {
            return Err(refused());
        };
        if table.at(ip).is_none() && !shared.config.is_pod(ip) {
            return Err(refused());
        }
        return shared
            .connector
            .connect(SocketAddr::new(address, port), &origin)
            .await;
    }
    // Names of the cluster alone; an ExternalName may lead on, because somebody in the cluster said so.
    let known = names::search(host, NAMESPACE).into_iter().find(|name| {
        matches!(
            shared.connector.resolver().look_up(name, Kind::A),
            Outcome::Found(..)
        )
    });
    match known {
        Some(name) => {
            shared
                .connector
                .connect_name(&format!("{name}."), port, NAMESPACE, &origin)
                .await
        }
        None => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no such host in the cluster: {host}"),
        )),
    }
}
