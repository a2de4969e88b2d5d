//! The one way to listen and to dial.
//!
//! A component that never names a socket type runs unchanged on the host, in a simulation, and where every listener
//! must be a free port of one address. Connections are byte streams; TLS is laid over them by [`crate::Identity`].

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream, UdpSocket},
};

/// Connections that the kernel may hold for a listener that is busy accepting.
const LISTEN_BACKLOG: u32 = 1024;

/// A connection's bytes.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Io for T {}

/// A connection of whatever kind.
pub type BoxIo = Box<dyn Io>;

/// Binds any address and dials from any address.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// Listens on `address`; port 0 takes a free one, which [`Listener::local_addr`] tells.
    ///
    /// # Errors
    /// The system's: the address is taken, is not this machine's, or its port needs a privilege.
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>>;

    /// Dials `to`, from the address `from` where one is given.
    ///
    /// # Errors
    /// The system's: refused, unreachable, or `from` is not this machine's. It waits as long as the system does;
    /// callers bound it with a clock.
    async fn dial(&self, from: Option<IpAddr>, to: SocketAddr) -> io::Result<BoxIo>;

    /// Binds a socket for datagrams to `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// The system's, as for [`Network::listen`]; [`io::ErrorKind::Unsupported`] where there are no datagrams.
    async fn datagram(&self, address: SocketAddr) -> io::Result<Box<dyn Datagram>> {
        let _ = address;
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this network carries no datagrams",
        ))
    }

    /// The addresses of a `host:port` text.
    ///
    /// # Errors
    /// The resolver's, or [`io::ErrorKind::NotFound`] where the name has no address.
    async fn resolve(&self, authority: &str) -> io::Result<Vec<SocketAddr>>;
}

/// Accepts connections until it is dropped.
#[async_trait]
pub trait Listener: Send + 'static {
    /// The next connection and who dialed it.
    ///
    /// # Errors
    /// The system's, for one connection: the listener stays usable.
    async fn accept(&mut self) -> io::Result<(BoxIo, SocketAddr)>;

    /// The address that it listens on.
    ///
    /// # Errors
    /// The system's.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Sends and receives datagrams until it is dropped.
#[async_trait]
pub trait Datagram: Send + Sync + 'static {
    /// Sends a datagram.
    ///
    /// # Errors
    /// The system's; the socket stays usable.
    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()>;

    /// The next datagram's length and sender; what does not fit into `buffer` is lost.
    ///
    /// # Errors
    /// The system's; the socket stays usable.
    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// The address that it is bound to.
    ///
    /// # Errors
    /// The system's.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// Dials the first of the addresses of `authority` (`host:port`) that answers.
///
/// # Errors
/// The last address's error, or the resolver's.
pub async fn dial_authority(network: &dyn Network, authority: &str) -> io::Result<BoxIo> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{authority} has no address"));
    for address in network.resolve(authority).await? {
        match network.dial(None, address).await {
            Ok(io) => return Ok(io),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The machine's own network, through tokio.
#[derive(Clone, Copy, Debug)]
pub struct HostNetwork;

#[async_trait]
impl Network for HostNetwork {
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let socket = socket_for(address)?;
        // A restarted process must get its address back while old connections linger in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Box::new(HostListener(socket.listen(LISTEN_BACKLOG)?)))
    }

    async fn dial(&self, from: Option<IpAddr>, to: SocketAddr) -> io::Result<BoxIo> {
        let socket = socket_for(to)?;
        if let Some(from) = from {
            defer_port_choice(&socket)?;
            socket.bind(SocketAddr::new(from, 0))?;
        }
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    async fn datagram(&self, address: SocketAddr) -> io::Result<Box<dyn Datagram>> {
        Ok(Box::new(HostDatagram(UdpSocket::bind(address).await?)))
    }

    async fn resolve(&self, authority: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host(authority).await?.collect())
    }
}

fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
}

/// Lets the kernel choose the port at connect, when it knows the whole connection: without this, each source address
/// would be good for one connection per ephemeral port only.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "setsockopt has no safe form for this option here")]
fn defer_port_choice(socket: &TcpSocket) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let on: libc::c_int = 1;
    let size = size_of_val(&on) as libc::socklen_t;
    // SAFETY: the descriptor is open for the length of the call and the pointer is to a live c_int of `size` bytes.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            std::ptr::from_ref(&on).cast(),
            size,
        )
    };
    if outcome == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(not(target_os = "linux"))]
fn defer_port_choice(_socket: &TcpSocket) -> io::Result<()> {
    Ok(())
}

struct HostDatagram(UdpSocket);

#[async_trait]
impl Datagram for HostDatagram {
    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.0.send_to(bytes, to).await.map(drop)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.recv_from(buffer).await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

struct HostListener(TcpListener);

#[async_trait]
impl Listener for HostListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, SocketAddr)> {
        let (stream, peer): (TcpStream, SocketAddr) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Box::new(stream), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
