//! Services and names as a pod of this process sees them: resolved here, so that no address of a Service needs a
//! listener.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use coracle_proxy::{Connector, Origin, connect::DNS_SERVICE};
use coracle_runtime::{Cache, Key};
use coracle_service::{BoxIo, Env};

use crate::agent::view::NodeView;

/// How long a connection may take to come up.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The ways of this process's nodes and pods to Services, pods and everything else.
#[derive(Clone)]
pub struct Services {
    /// Services and their names.
    pub connector: Arc<Connector>,
    /// For the zones of nodes.
    pub nodes: Cache<NodeView>,
    /// Its surroundings.
    pub env: Env,
}

impl Services {
    /// Connects from `from`, an address on `node`, to a port of a host: an address, or a name as a pod of `namespace`
    /// would say it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] for a name that leads nowhere, [`io::ErrorKind::ConnectionRefused`] where nobody
    /// answers, [`io::ErrorKind::TimedOut`] after [`CONNECT_TIMEOUT`].
    pub async fn connect(
        &self,
        (from, node): (Ipv4Addr, &str),
        (host, port): (&str, u16),
        namespace: &str,
    ) -> io::Result<BoxIo> {
        let view = self.nodes.get("", node);
        let origin = Origin {
            from: Some(from),
            client: Some(IpAddr::V4(from)),
            node,
            zone: view.as_ref().map_or("", |view| &*view.metadata.labels.zone),
            external: false,
        };
        let connecting = self.connector.connect_name(host, port, namespace, &origin);
        match self
            .env
            .transport_clock
            .timeout(CONNECT_TIMEOUT, connecting)
            .await
        {
            Ok(outcome) => outcome,
            Err(_) => {
                let limit = CONNECT_TIMEOUT.as_secs();
                Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no answer in {limit} s"),
                ))
            }
        }
    }

    /// As [`Services::connect`], to an address.
    ///
    /// # Errors
    /// As [`Services::connect`].
    pub async fn connect_address(&self, from: (Ipv4Addr, &str), to: SocketAddr) -> io::Result<BoxIo> {
        self.connect(from, (&to.ip().to_string(), to.port()), "").await
    }

    /// The addresses of a name as a pod of `namespace` would say it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where it has none.
    pub async fn resolve(&self, name: &str, namespace: &str) -> io::Result<Vec<IpAddr>> {
        self.connector.resolver().addresses(name, namespace).await
    }

    /// Whom pods ask for names: the address of the cluster's DNS Service, once there is one.
    #[must_use]
    pub fn name_server(&self) -> Option<IpAddr> {
        let route = self
            .connector
            .table()
            .route(&Key::new(DNS_SERVICE.0, DNS_SERVICE.1))?;
        route.service.cluster_ip.map(IpAddr::V4)
    }
}
