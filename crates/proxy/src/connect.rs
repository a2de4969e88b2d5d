//! Connections to Services and pods: an address is looked up in the table, an endpoint is chosen, and another is tried
//! where one does not answer.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use coracle_runtime::Key;
use coracle_service::{BoxIo, Env};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    Resolver, Table,
    choose::{Scope, candidates},
    dns,
    table::{Backend, PortRoute, Route},
    view::Protocol,
};

/// Endpoints that one connection tries.
pub const MAX_TRIES: usize = 5;
/// How long an endpoint may take to accept before the next is tried.
pub const TRY_TIMEOUT: Duration = Duration::from_secs(2);
/// Clients that are kept with their endpoints; where there are more, the oldest knowledge goes.
pub const MAX_AFFINITIES: usize = 65_536;
/// A port below 1024 that its process may not bind is found at so much more.
pub const UNPRIVILEGED_OFFSET: u16 = 10_000;
/// The Service whose address answers DNS.
pub const DNS_SERVICE: (&str, &str) = ("kube-system", "kube-dns");
/// Where it does.
pub const DNS_PORT: u16 = 53;

/// Who connects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// The address to dial from; `None` for any.
    pub from: Option<Ipv4Addr>,
    /// Whom session affinity knows the client by.
    pub client: Option<IpAddr>,
    /// The node that it is on; empty outside the cluster.
    pub node: &'a str,
    /// The zone that it is in; empty where it is in none.
    pub zone: &'a str,
    /// It came from outside: the external traffic policy counts, else the internal one.
    pub external: bool,
}

/// Makes connections; one per process.
pub struct Connector {
    table: Arc<Table>,
    resolver: Arc<Resolver>,
    env: Env,
    affinities: Mutex<HashMap<(Key, IpAddr), Affinity>>,
}

struct Affinity {
    ip: Ipv4Addr,
    until: Instant,
}

impl Connector {
    /// For the Services of `table`.
    #[must_use]
    pub fn new(table: Arc<Table>, env: Env) -> Arc<Self> {
        let resolver = Arc::new(Resolver::new(Arc::clone(&table), env.clone()));
        Arc::new(Self {
            table,
            resolver,
            env,
            affinities: Mutex::default(),
        })
    }

    /// The Services.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The names.
    #[must_use]
    pub fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    /// Connects to an address of a Service, or to any other address as it is.
    ///
    /// # Errors
    /// [`io::ErrorKind::ConnectionRefused`] at once where a Service has no such port or nobody to answer; else the
    /// network's error for the last endpoint tried.
    pub async fn connect(self: &Arc<Self>, to: SocketAddr, origin: &Origin<'_>) -> io::Result<BoxIo> {
        let IpAddr::V4(ip) = to.ip() else {
            return self.env.network.dial(None, to).await;
        };
        let Some(route) = self.table.at(ip) else {
            return dial(&self.env, origin.from, ip, to.port()).await;
        };
        let service = &route.service;
        if to.port() == DNS_PORT && (&*service.namespace, &*service.name) == DNS_SERVICE {
            return Ok(dns::in_process(&self.resolver, &self.env));
        }
        match route.port(to.port(), Protocol::Tcp) {
            Some(port) => self.connect_port(&route, port, origin).await.map(|(io, _)| io),
            None => Err(refused(&format!(
                "{to}: service {} has no such port",
                service.key()
            ))),
        }
    }

    /// Connects to `host:port`, the host being an address or a name that a pod of `namespace` would use.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where the name leads nowhere; else as [`Connector::connect`].
    pub async fn connect_name(
        self: &Arc<Self>,
        host: &str,
        port: u16,
        namespace: &str,
        origin: &Origin<'_>,
    ) -> io::Result<BoxIo> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(ip) => vec![ip],
            Err(_) => self.resolver.addresses(host, namespace).await?,
        };
        let mut last = refused(&format!("{host}:{port}"));
        for ip in addresses.into_iter().take(MAX_TRIES) {
            match self.connect(SocketAddr::new(ip, port), origin).await {
                Ok(io) => return Ok(io),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Connects to an endpoint of a Service's port, and tells which.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    pub async fn connect_port(
        &self,
        route: &Route,
        port: &PortRoute,
        origin: &Origin<'_>,
    ) -> io::Result<(BoxIo, SocketAddrV4)> {
        let mut last = refused(&format!("service {} has no endpoints", route.service.key()));
        for backend in self.choose(route, port, origin).into_iter().take(MAX_TRIES) {
            let dialing = dial(&self.env, origin.from, backend.ip, backend.port);
            match self.env.transport_clock.timeout(TRY_TIMEOUT, dialing).await {
                Ok(Ok(io)) => {
                    self.keep(route, origin, backend.ip);
                    return Ok((io, SocketAddrV4::new(backend.ip, backend.port)));
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "endpoint did not accept"),
            }
        }
        Err(last)
    }

    /// The endpoints that a connection would try, the best first; the turn goes on.
    #[must_use]
    pub fn choose<'a>(&self, route: &Route, port: &'a PortRoute, origin: &Origin<'_>) -> Vec<&'a Backend> {
        let service = &route.service;
        let local = if origin.external {
            service.external_local
        } else {
            service.internal_local
        };
        let scope = Scope {
            // Outside the cluster there is no node to stay on.
            only_node: (local && !origin.node.is_empty()).then_some(origin.node),
            zone: origin.zone,
            turn: port.turn(),
        };
        let mut chosen = candidates(&port.backends, &scope);
        if let Some(ip) = self.kept(route, origin)
            && let Some(place) = chosen.iter().position(|backend| backend.ip == ip)
        {
            let own = chosen.remove(place);
            chosen.insert(0, own);
        }
        chosen
    }

    /// The endpoint that the client was with, where the Service wants it to stay.
    fn kept(&self, route: &Route, origin: &Origin<'_>) -> Option<Ipv4Addr> {
        route.service.affinity?;
        let affinities = self.affinities.lock();
        let known = affinities.get(&(route.service.key(), client(origin)?))?;
        (known.until > self.env.transport_clock.monotonic()).then_some(known.ip)
    }

    fn keep(&self, route: &Route, origin: &Origin<'_>, ip: Ipv4Addr) {
        let (Some(stay), Some(client)) = (route.service.affinity, client(origin)) else {
            return;
        };
        let now = self.env.transport_clock.monotonic();
        let mut affinities = self.affinities.lock();
        if affinities.len() >= MAX_AFFINITIES {
            affinities.retain(|_, known| known.until > now);
            if affinities.len() >= MAX_AFFINITIES {
                affinities.clear();
            }
        }
        affinities.insert(
            (route.service.key(), client),
            Affinity {
                ip,
                until: now + stay,
            },
        );
    }
}

fn client(origin: &Origin<'_>) -> Option<IpAddr> {
    origin.client.or(origin.from.map(IpAddr::V4))
}

fn refused(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, what.to_owned())
}

/// Dials a pod, also where its port had to be moved up for want of a privilege.
///
/// # Errors
/// The network's.
pub async fn dial(env: &Env, from: Option<Ipv4Addr>, to: Ipv4Addr, port: u16) -> io::Result<BoxIo> {
    let dial = |port| {
        env.network
            .dial(from.map(IpAddr::V4), SocketAddr::new(IpAddr::V4(to), port))
    };
    match dial(port).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && port < 1_024 => {
            dial(port + UNPRIVILEGED_OFFSET).await
        }
        outcome => outcome,
    }
}
