//! Cluster addresses and node ports: given out to Services, each to one at a time.
//!
//! What is in use is read from the cached Services themselves, so nothing can leak or be given out twice after a
//! restart. A [`Reservation`] covers the time between planning a write and seeing it in the cache.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

use coracle_api::{ApiError, FieldError, Path, field_error, kinds};
use coracle_service::{Clock, Random};
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::strategy::service::{has_cluster_ip, has_node_ports};
use crate::watch::{Filter, WatchCache};

/// Where node ports come from, as upstream's default.
const NODE_PORTS: std::ops::RangeInclusive<i32> = 30_000..=32_767;
/// After this, a reservation whose write never came back (its caller hung up) counts no more.
const RESERVATION_LIFETIME: Duration = Duration::from_secs(60);

/// Gives out addresses.
pub(super) struct Addresses {
    network: Ipv4Addr,
    prefix_length: u8,
    clock: Clock,
    random: Random,
    reserved: Mutex<Vec<Reserved>>,
}

struct Reserved {
    id: u64,
    addresses: Vec<Ipv4Addr>,
    ports: Vec<i32>,
    until: Instant,
}

/// What a planned write has been given; to be released once its outcome is known.
#[derive(Debug)]
pub(super) struct Reservation {
    id: u64,
}

struct InUse {
    addresses: BTreeSet<Ipv4Addr>,
    ports: BTreeSet<i32>,
}

impl Addresses {
    pub fn new((network, prefix_length): (Ipv4Addr, u8), clock: Clock, random: Random) -> Self {
        let prefix_length = prefix_length.min(30);
        let mask = u32::MAX << (32 - prefix_length);
        let network = Ipv4Addr::from(u32::from(network) & mask);
        Self {
            network,
            prefix_length,
            clock,
            random,
            reserved: Mutex::default(),
        }
    }

    /// The first address: that of the `kubernetes` Service.
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.network) + 1)
    }

    /// Gives `service` what it asks for or lacks; `old` is what it is now, `None` where it is new.
    pub fn assign(
        &self,
        cache: &WatchCache,
        service: &mut Service,
        old: Option<&Service>,
    ) -> Result<Reservation, ApiError> {
        let name = service.metadata.name.clone().unwrap_or_default();
        // Held until the reservation is made, so that two plans never see the same free address.
        let mut reserved = self.reserved.lock();
        let now = self.clock.monotonic();
        reserved.retain(|own| own.until > now);
        let mut in_use = in_use(cache, &reserved);
        let old = old.and_then(|old| old.spec.as_ref());
        for (address, port) in old.into_iter().map(given_to).flat_map(pairs) {
            address.map(|address| in_use.addresses.remove(&address));
            port.map(|port| in_use.ports.remove(&port));
        }
        let spec = service.spec.get_or_insert_default();
        let mut errors = Vec::new();
        if has_cluster_ip(spec) {
            self.assign_address(spec, &in_use, &mut errors);
        }
        if has_node_ports(spec) {
            self.assign_ports(spec, &mut in_use, &mut errors);
        }
        if !errors.is_empty() {
            return Err(ApiError::invalid(kinds::SERVICE, &name, errors));
        }
        let (addresses, ports) = given_to(spec);
        let id = self.random.next_u64();
        reserved.push(Reserved {
            id,
            addresses,
            ports,
            until: now + RESERVATION_LIFETIME,
        });
        Ok(Reservation { id })
    }

    /// The write's outcome is known: what it was given is in the cache or free again.
    pub fn release(&self, reservation: &Reservation) {
        self.reserved.lock().retain(|own| own.id != reservation.id);
    }

    fn assign_address(&self, spec: &mut ServiceSpec, in_use: &InUse, errors: &mut Vec<FieldError>) {
        let path = Path::new("spec").child("clusterIPs");
        let asked = spec.cluster_ip.clone().unwrap_or_default();
        let given = match asked.as_str() {
            "None" => asked,
            "" => match self.free_address(in_use) {
                Some(address) => address.to_string(),
                None => {
                    errors.push(FieldError::internal(
                        &path,
                        "failed to allocate a serviceIP: range is full",
                    ));
                    return;
                }
            },
            _ => {
                let refuse = |why: String| {
                    FieldError::invalid(
                        &path,
                        field_error::Value::json(&[&asked]),
                        format!("failed to allocate IP {asked}: {why}"),
                    )
                };
                match asked.parse::<Ipv4Addr>() {
                    Ok(address) if !self.contains(address) => {
                        let range = format!("{}/{}", self.network, self.prefix_length);
                        errors.push(refuse(format!(
                            "the provided IP ({asked}) is not in the valid range. The range of valid IPs is {range}"
                        )));
                        return;
                    }
                    Ok(address) if in_use.addresses.contains(&address) => {
                        errors.push(refuse("provided IP is already allocated".to_owned()));
                        return;
                    }
                    Ok(_) => asked,
                    Err(_) => {
                        errors.push(refuse("not a valid IPv4 address".to_owned()));
                        return;
                    }
                }
            }
        };
        spec.cluster_ips = Some(vec![given.clone()]);
        spec.cluster_ip = Some(given);
        spec.ip_families.get_or_insert_with(|| vec!["IPv4".to_owned()]);
        spec.ip_family_policy
            .get_or_insert_with(|| "SingleStack".to_owned());
    }

    fn assign_ports(&self, spec: &mut ServiceSpec, in_use: &mut InUse, errors: &mut Vec<FieldError>) {
        let ports = Path::new("spec").child("ports");
        let is_asked = |port: &Option<i32>| port.is_some_and(|port| port != 0);
        for (index, port) in spec
            .ports
            .iter()
            .flatten()
            .enumerate()
            .filter(|(_, port)| is_asked(&port.node_port))
        {
            let (asked, path) = (port.node_port.unwrap_or(0), ports.index(index).child("nodePort"));
            if !NODE_PORTS.contains(&asked) {
                let range = format!("{}-{}", NODE_PORTS.start(), NODE_PORTS.end());
                errors.push(FieldError::invalid(
                    &path,
                    asked,
                    format!("provided port is not in the valid range. The range of valid ports is {range}"),
                ));
            } else if !in_use.ports.insert(asked) {
                errors.push(FieldError::invalid(
                    &path,
                    asked,
                    "provided port is already allocated",
                ));
            }
        }
        for port in spec
            .ports
            .iter_mut()
            .flatten()
            .filter(|port| !is_asked(&port.node_port))
        {
            match self.free_port(&in_use.ports) {
                Some(free) => {
                    in_use.ports.insert(free);
                    port.node_port = Some(free);
                }
                None => errors.push(FieldError::internal(
                    &ports,
                    "failed to allocate a nodePort: range is full",
                )),
            }
        }
    }

    fn contains(&self, address: Ipv4Addr) -> bool {
        let offset = u32::from(address).wrapping_sub(u32::from(self.network));
        (1..self.size() - 1).contains(&offset)
    }

    /// Addresses in the range, the network's own and the broadcast address included.
    fn size(&self) -> u32 {
        1 << (32 - u32::from(self.prefix_length)).min(31)
    }

    /// A free address, searched for from a random place so that an address is not reused at once.
    fn free_address(&self, in_use: &InUse) -> Option<Ipv4Addr> {
        let usable = self.size() - 2;
        let start = u32::try_from(self.random.below(u64::from(usable))).unwrap_or(0);
        let address = |step: u32| Ipv4Addr::from(u32::from(self.network) + 1 + (start + step) % usable);
        // One more candidate than there are addresses in use is always enough.
        let tries = usable.min(u32::try_from(in_use.addresses.len() + 2).unwrap_or(usable));
        (0..tries)
            .map(address)
            .find(|candidate| *candidate != self.first() && !in_use.addresses.contains(candidate))
    }

    fn free_port(&self, in_use: &BTreeSet<i32>) -> Option<i32> {
        let count = NODE_PORTS.end() - NODE_PORTS.start() + 1;
        let start = i32::try_from(self.random.below(u64::from(count.unsigned_abs()))).unwrap_or(0);
        (0..count)
            .map(|step| NODE_PORTS.start() + (start + step) % count)
            .find(|candidate| !in_use.contains(candidate))
    }
}

fn in_use(cache: &WatchCache, reserved: &[Reserved]) -> InUse {
    let mut in_use = InUse {
        addresses: BTreeSet::new(),
        ports: BTreeSet::new(),
    };
    for own in reserved {
        in_use.addresses.extend(&own.addresses);
        in_use.ports.extend(&own.ports);
    }
    let page = cache.list(kinds::SERVICE, &Filter::default(), None, 0, None);
    for entry in page.into_iter().flat_map(|page| page.entries) {
        in_use
            .addresses
            .extend(entry.attributes.field("spec.clusterIP").parse::<Ipv4Addr>().ok());
        // Only these types have ports, and they are few: the others are not parsed.
        if matches!(entry.attributes.field("spec.type"), "NodePort" | "LoadBalancer")
            && let Ok(service) = coracle_api::object::typed::<Service>(&entry.json)
            && let Some(spec) = service.spec
        {
            in_use.ports.extend(given_to(&spec).1);
        }
    }
    in_use
}

fn given_to(spec: &ServiceSpec) -> (Vec<Ipv4Addr>, Vec<i32>) {
    let addresses = spec
        .cluster_ip
        .iter()
        .filter_map(|address| address.parse().ok())
        .collect();
    let ports = spec
        .ports
        .iter()
        .flatten()
        .filter_map(|port| port.node_port)
        .filter(|port| *port != 0)
        .collect();
    (addresses, ports)
}

fn pairs(
    (addresses, ports): (Vec<Ipv4Addr>, Vec<i32>),
) -> impl Iterator<Item = (Option<Ipv4Addr>, Option<i32>)> {
    let addresses = addresses.into_iter().map(|address| (Some(address), None));
    addresses.chain(ports.into_iter().map(|port| (None, Some(port))))
}
