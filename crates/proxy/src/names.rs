//! What names of the cluster mean. Source: the page on DNS for Services and Pods of the Kubernetes documentation, and the
//! specification of Kubernetes DNS-based service discovery.
//!
//! Pure over the table; only names outside the cluster domain are asked of the host's own resolver.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use coracle_runtime::Key;
use coracle_service::Env;

use crate::{
    Table,
    table::Route,
    view::{Endpoint, Protocol, Type},
};

/// The domain of the cluster.
pub const DOMAIN: &str = "cluster.local";
/// A name with so many dots is tried as it is before the search path.
pub const NDOTS: usize = 5;
/// Names that one name may lead to in turn.
const MAX_ALIASES: usize = 8;
/// How long an answer may be kept, in seconds, as upstream's.
pub const TTL: u32 = 30;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Addresses.
    A,
    /// Addresses that the cluster does not have.
    Aaaa,
    /// Ports.
    Srv,
    /// The name of an address.
    Ptr,
    /// Another name.
    Cname,
    /// Anything else.
    Other,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// An address.
    A(Ipv4Addr),
    /// Another name.
    Cname(String),
    /// A port and the name of who serves it.
    Srv(u16, String),
    /// The name of an address.
    Ptr(String),
}

/// A record: its owner and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Without the last dot.
    pub name: String,
    /// What it says.
    pub data: Data,
}

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there; the records asked for, perhaps none, and further ones that the client will want next.
    Found(Vec<Record>, Vec<Record>),
    /// There is no such name in the cluster.
    NoName,
    /// The name is not the cluster's.
    Outside,
}

/// Answers for the cluster's names.
pub struct Resolver {
    table: Arc<Table>,
    env: Env,
}

impl Resolver {
    /// For the Services of `table`.
    #[must_use]
    pub fn new(table: Arc<Table>, env: Env) -> Self {
        Self { table, env }
    }

    /// What is known of a fully qualified name, with or without the last dot.
    #[must_use]
    pub fn look_up(&self, name: &str, kind: Kind) -> Outcome {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if let Some(reverse) = name.strip_suffix(".in-addr.arpa") {
            return self.reverse(&name, reverse, kind);
        }
        if name == DOMAIN {
            return Outcome::Found(Vec::new(), Vec::new());
        }
        let Some(inner) = name.strip_suffix(DOMAIN).and_then(|rest| rest.strip_suffix('.')) else {
            return Outcome::Outside;
        };
        let labels: Vec<&str> = inner.split('.').collect();
        let found = match labels.as_slice() {
            ["svc" | "pod"] => Some((Vec::new(), Vec::new())),
            [address, _namespace, "pod"] => pod(&name, address, kind),
            [_namespace, "svc"] => Some((Vec::new(), Vec::new())),
            [service, namespace, "svc"] => self.service(&name, service, namespace, kind),
            [port, protocol, service, namespace, "svc"] => {
                self.ports(&name, (port, protocol), (service, namespace), kind)
            }
            [host, service, namespace, "svc"] => self.host(&name, host, (service, namespace), kind),
            _ => None,
        };
        found.map_or(Outcome::NoName, |(records, further)| {
            Outcome::Found(records, further)
        })
    }

    /// The addresses of a name as a pod of `namespace` would ask for it: through the search path, and of the host's
    /// resolver where the cluster does not have it.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where it has none.
    pub async fn addresses(&self, name: &str, namespace: &str) -> io::Result<Vec<IpAddr>> {
        for full in search(name, namespace) {
            if let Some(found) = self.follow(&full).await {
                return Ok(found);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no such host: {name}"),
        ))
    }

    /// The addresses of a full name, through its aliases.
    async fn follow(&self, name: &str) -> Option<Vec<IpAddr>> {
        let mut name = name.to_owned();
        for _ in 0..MAX_ALIASES {
            let records = match self.look_up(&name, Kind::A) {
                Outcome::Found(records, _) => records,
                Outcome::NoName => return None,
                Outcome::Outside => return self.outside(&name).await,
            };
            let addresses = records.iter().filter_map(|record| match record.data {
                Data::A(ip) => Some(IpAddr::V4(ip)),
                _ => None,
            });
            let addresses: Vec<IpAddr> = addresses.collect();
            if !addresses.is_empty() {
                return Some(addresses);
            }
            match records.into_iter().next()?.data {
                Data::Cname(alias) => name = alias,
                _ => return None,
            }
        }
        None
    }

    /// The addresses of a name outside the cluster, as the host knows it.
    pub async fn outside(&self, name: &str) -> Option<Vec<IpAddr>> {
        // A name of one word is never the world's; hosts answer it with whatever is near.
        let name = name.trim_end_matches('.');
        if !name.contains('.') && name != "localhost" {
            return None;
        }
        let found = self.env.network.resolve(&format!("{name}:0")).await.ok()?;
        let found: Vec<IpAddr> = found.into_iter().map(|address| address.ip()).collect();
        (!found.is_empty()).then_some(found)
    }

    fn route(&self, service: &str, namespace: &str) -> Option<Arc<Route>> {
        self.table.route(&Key::new(namespace, service))
    }

    fn service(
        &self,
        name: &str,
        service: &str,
        namespace: &str,
        kind: Kind,
    ) -> Option<(Vec<Record>, Vec<Record>)> {
        let route = self.route(service, namespace)?;
        if route.service.kind == Type::ExternalName {
            let alias = route.service.external_name.trim_end_matches('.').to_owned();
            return Some((vec![record(name, Data::Cname(alias))], Vec::new()));
        }
        let records = match (kind, route.service.cluster_ip) {
            (Kind::A, Some(ip)) => vec![record(name, Data::A(ip))],
            (Kind::A, None) => {
                let ready = ready(&route).filter_map(|endpoint| endpoint.ip);
                ready.map(|ip| record(name, Data::A(ip))).collect()
            }
            (Kind::Srv, _) => {
                let mut all = (Vec::new(), Vec::new());
                for port in &route.ports {
                    srv(name, name, &route, &port.name, port.protocol, &mut all);
                }
                return Some(all);
            }
            _ => Vec::new(),
        };
        Some((records, Vec::new()))
    }

    /// `_port._protocol.service.namespace.svc`
    fn ports(
        &self,
        name: &str,
        (port, protocol): (&str, &str),
        (service, namespace): (&str, &str),
        kind: Kind,
    ) -> Option<(Vec<Record>, Vec<Record>)> {
        let route = self.route(service, namespace)?;
        let protocol = match protocol {
            "_tcp" => Protocol::Tcp,
            "_udp" => Protocol::Udp,
            "_sctp" => Protocol::Sctp,
            _ => return None,
        };
        let port = port.strip_prefix('_')?;
        route.named(port, protocol)?;
        let mut found = (Vec::new(), Vec::new());
        if kind == Kind::Srv {
            let target = format!("{service}.{namespace}.svc.{DOMAIN}");
            srv(name, &target, &route, port, protocol, &mut found);
        }
        Some(found)
    }

    /// `host.service.namespace.svc`: an endpoint by its own name, or by its address with dashes.
    fn host(
        &self,
        name: &str,
        host: &str,
        (service, namespace): (&str, &str),
        kind: Kind,
    ) -> Option<(Vec<Record>, Vec<Record>)> {
        let route = self.route(service, namespace)?;
        let own: Vec<Ipv4Addr> = ready(&route)
            .filter(|endpoint| host_of(endpoint) == host)
            .filter_map(|endpoint| endpoint.ip)
            .collect();
        if own.is_empty() {
            return None;
        }
        let records = own
            .into_iter()
            .filter(|_| kind == Kind::A)
            .map(|ip| record(name, Data::A(ip)));
        Some((records.collect(), Vec::new()))
    }

    /// `4.3.2.1.in-addr.arpa`
    fn reverse(&self, name: &str, reverse: &str, kind: Kind) -> Outcome {
        let mut labels: Vec<&str> = reverse.split('.').collect();
        labels.reverse();
        let Ok(ip) = labels.join(".").parse::<Ipv4Addr>() else {
            return Outcome::NoName;
        };
        let Some(target) = self.name_of(ip) else {
            return Outcome::NoName;
        };
        let records = if kind == Kind::Ptr {
            vec![record(name, Data::Ptr(target))]
        } else {
            Vec::new()
        };
        Outcome::Found(records, Vec::new())
    }

    /// The name of an address: a Service's, or that of an endpoint of a headless one.
    fn name_of(&self, ip: Ipv4Addr) -> Option<String> {
        let named =
            |route: &Route| format!("{}.{}.svc.{DOMAIN}", route.service.name, route.service.namespace);
        if let Some(route) = self
            .table
            .at(ip)
            .filter(|route| route.service.cluster_ip == Some(ip))
        {
            return Some(named(&route));
        }
        self.table
            .routes()
            .iter()
            .filter(|route| route.service.cluster_ip.is_none())
            .find_map(|route| {
                let endpoint = route.endpoints.iter().find(|endpoint| endpoint.ip == Some(ip))?;
                Some(format!("{}.{}", host_of(endpoint), named(route)))
            })
    }
}

/// The full names that a pod's resolver tries for a name, in order.
#[must_use]
pub fn search(name: &str, namespace: &str) -> Vec<String> {
    if let Some(full) = name.strip_suffix('.') {
        return vec![full.to_owned()];
    }
    let path = [
        format!("{namespace}.svc.{DOMAIN}"),
        format!("svc.{DOMAIN}"),
        DOMAIN.to_owned(),
    ];
    let mut names: Vec<String> = path.iter().map(|suffix| format!("{name}.{suffix}")).collect();
    let place = if name.matches('.').count() >= NDOTS {
        0
    } else {
        names.len()
    };
    names.insert(place, name.to_owned());
    names
}

fn record(name: &str, data: Data) -> Record {
    Record {
        name: name.to_owned(),
        data,
    }
}

fn ready(route: &Route) -> impl Iterator<Item = &Endpoint> {
    route.endpoints.iter().filter(|endpoint| endpoint.ready)
}

/// An endpoint's name below its Service's.
fn host_of(endpoint: &Endpoint) -> String {
    match (&*endpoint.hostname, endpoint.ip) {
        ("", Some(ip)) => ip.to_string().replace('.', "-"),
        (hostname, _) => hostname.to_ascii_lowercase(),
    }
}

/// `1-2-3-4.namespace.pod`: the name of any address.
fn pod(name: &str, address: &str, kind: Kind) -> Option<(Vec<Record>, Vec<Record>)> {
    let ip: Ipv4Addr = address.replace('-', ".").parse().ok()?;
    let records = if kind == Kind::A {
        vec![record(name, Data::A(ip))]
    } else {
        Vec::new()
    };
    Some((records, Vec::new()))
}

/// The SRV records of a port: the Service itself, or each endpoint where it is headless.
fn srv(
    owner: &str,
    target: &str,
    route: &Route,
    port: &str,
    protocol: Protocol,
    (records, further): &mut (Vec<Record>, Vec<Record>),
) {
    let Some(port) = route.named(port, protocol) else {
        return;
    };
    if let Some(ip) = route.service.cluster_ip {
        records.push(record(owner, Data::Srv(port.port, target.to_owned())));
        further.push(record(target, Data::A(ip)));
        return;
    }
    for endpoint in ready(route) {
        let backend = port
            .backends
            .iter()
            .find(|backend| Some(backend.ip) == endpoint.ip);
        let (Some(backend), Some(ip)) = (backend, endpoint.ip) else {
            continue;
        };
        let host = format!("{}.{target}", host_of(endpoint));
        records.push(record(owner, Data::Srv(backend.port, host.clone())));
        further.push(record(&host, Data::A(ip)));
    }
}
