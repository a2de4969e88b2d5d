//! The network of a simulation: [`Network`] over turmoil's.
//!
//! A host has one address of its own, on which it listens at the port it asks for. All other addresses (those of pods)
//! are names: listening on one takes any free port of the host, and an address book that all hosts share says which.
//! So a pod's address leads to wherever its node is, and nowhere once the node has died.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use coracle_service::{BoxIo, Listener, Network};
use parking_lot::Mutex;
use turmoil::net::{TcpListener, TcpStream};

/// Where the addresses that are names really are; one for the whole simulation.
#[derive(Clone, Default)]
pub struct AddressBook(Arc<Mutex<BTreeMap<SocketAddr, SocketAddr>>>);

impl AddressBook {
    fn real(&self, address: SocketAddr) -> SocketAddr {
        self.0.lock().get(&address).copied().unwrap_or(address)
    }

    fn insert(&self, address: SocketAddr, real: SocketAddr) -> io::Result<Named> {
        match self.0.lock().entry(address) {
            Entry::Occupied(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, address.to_string())),
            Entry::Vacant(place) => {
                place.insert(real);
                Ok(Named {
                    address,
                    book: self.clone(),
                })
            }
        }
    }
}

/// An entry of the book, which goes with its listener.
struct Named {
    address: SocketAddr,
    book: AddressBook,
}

impl Drop for Named {
    fn drop(&mut self) {
        self.book.0.lock().remove(&self.address);
    }
}

/// The network as one host sees it.
pub struct SimulatedNetwork {
    /// The host's address.
    pub own: Ipv4Addr,
    /// Everybody's.
    pub book: AddressBook,
}

impl SimulatedNetwork {
    fn is_own(&self, ip: IpAddr) -> bool {
        ip == self.own || ip.is_unspecified() || ip.is_loopback()
    }
}

#[async_trait]
impl Network for SimulatedNetwork {
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let is_own = self.is_own(address.ip());
        let listener =
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, if is_own { address.port() } else { 0 })).await?;
        let real = SocketAddr::from((self.own, listener.local_addr()?.port()));
        let named = if is_own {
            None
        } else {
            Some(self.book.insert(address, real)?)
        };
        Ok(Box::new(SimulatedListener {
            listener,
            real,
            named,
        }))
    }

    async fn dial(&self, _from: Option<IpAddr>, to: SocketAddr) -> io::Result<BoxIo> {
        Ok(Box::new(TcpStream::connect(self.book.real(to)).await?))
    }

    async fn resolve(&self, authority: &str) -> io::Result<Vec<SocketAddr>> {
        let address = authority
            .parse()
            .map_err(|_| io::Error::new(io::ErrorKind::NotFound, authority.to_owned()))?;
        Ok(vec![address])
    }
}

struct SimulatedListener {
    listener: TcpListener,
    real: SocketAddr,
    named: Option<Named>,
}

#[async_trait]
impl Listener for SimulatedListener {
    async fn accept(&mut self) -> io::Result<(BoxIo, SocketAddr)> {
        let (stream, from) = self.listener.accept().await?;
        Ok((Box::new(stream), from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.named.as_ref().map_or(self.real, |named| named.address))
    }
}
