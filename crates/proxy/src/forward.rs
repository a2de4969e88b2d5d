//! Carries bytes between a client and an endpoint: connections in both directions, and datagrams there and back.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use coracle_service::{BoxIo, Datagram, Env};
use tokio::sync::mpsc;

/// Bytes that wait in each direction of a connection.
const BUFFER_BYTES: usize = 16 << 10;
/// Clients that one datagram port carries for at a time; those of further ones are dropped.
pub const MAX_FLOWS: usize = 4_096;
/// Datagrams of one client that wait; further ones are dropped.
const MAX_QUEUED: usize = 64;
/// A client that sent nothing for so long begins anew, as upstream's connection tracking has it.
pub const FLOW_IDLE: Duration = Duration::from_secs(30);
/// The longest datagram.
const MAX_DATAGRAM: usize = 64 << 10;

/// Carries bytes both ways; a direction that ends is ended on the other side, too, while the other goes on.
///
/// # Errors
/// The network's, of the direction that broke first.
pub async fn both_ways(mut client: BoxIo, mut endpoint: BoxIo) -> io::Result<(u64, u64)> {
    tokio::io::copy_bidirectional_with_sizes(&mut client, &mut endpoint, BUFFER_BYTES, BUFFER_BYTES).await
}

/// What an accept loop does with an error of one connection: waits a little, since it is mostly a want of files.
pub async fn after_accept_error(error: &io::Error, env: &Env) {
    tracing::debug!(%error, "accept connection");
    env.transport_clock.sleep(Duration::from_millis(10)).await;
}

/// Carries the datagrams that arrive at `socket`, each client's to the endpoint that `choose` gave its first.
pub async fn datagrams(
    socket: Box<dyn Datagram>,
    from: Option<Ipv4Addr>,
    choose: impl Fn(SocketAddr) -> Option<SocketAddr> + Send,
    env: Env,
) {
    let socket: Arc<dyn Datagram> = socket.into();
    let mut flows: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>> = HashMap::new();
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let (length, client) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                after_accept_error(&error, &env).await;
                continue;
            }
        };
        let datagram = buffer[..length].to_vec();
        let datagram = match flows.get(&client) {
            Some(flow) => match flow.try_send(datagram) {
                Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => continue,
                Err(mpsc::error::TrySendError::Closed(datagram)) => datagram,
            },
            None => datagram,
        };
        flows.retain(|_, flow| !flow.is_closed());
        if flows.len() >= MAX_FLOWS {
            continue;
        }
        let Some(endpoint) = choose(client) else { continue };
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        // The queue is empty and its receiver at hand.
        let _ = sender.try_send(datagram);
        flows.insert(client, sender);
        let flow = flow(Arc::clone(&socket), client, endpoint, from, receiver, env.clone());
        env.spawn.task("datagram flow", async move {
            if let Err(error) = flow.await {
                tracing::debug!(%error, %endpoint, "carry datagrams");
            }
        });
    }
}

/// One client's datagrams, until it is silent.
async fn flow(
    socket: Arc<dyn Datagram>,
    client: SocketAddr,
    endpoint: SocketAddr,
    from: Option<Ipv4Addr>,
    mut receiver: mpsc::Receiver<Vec<u8>>,
    env: Env,
) -> io::Result<()> {
    let own = SocketAddr::new(IpAddr::V4(from.unwrap_or(Ipv4Addr::UNSPECIFIED)), 0);
    let outward = env.network.datagram(own).await?;
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let next = async {
            tokio::select! {
                biased;
                datagram = receiver.recv() => {
                    let Some(datagram) = datagram else { return Ok(false) };
                    outward.send_to(&datagram, endpoint).await?;
                }
                received = outward.recv_from(&mut buffer) => {
                    let (length, sender) = received?;
                    if sender == endpoint {
                        socket.send_to(&buffer[..length], client).await?;
                    }
                }
            }
            Ok::<_, io::Error>(true)
        };
        match env.transport_clock.timeout(FLOW_IDLE, next).await {
            Ok(Ok(true)) => {}
            Ok(other) => return other.map(drop),
            Err(_) => return Ok(()),
        }
    }
}
