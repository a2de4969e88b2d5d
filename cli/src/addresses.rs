//! The loopback addresses of a cluster.
//!
//! Linux lets anybody bind any address of 127.0.0.0/8, so nodes and pods have real addresses without privileges.
//! Four ranges are cut into 64 slices; a cluster holds a slice for as long as its supervisor lives, by listening on
//! an abstract Unix socket named after it, which tells whoever asks who the holder is. A large cluster holds several.

use std::{net::Ipv4Addr, os::unix::net::UnixListener};

use anyhow::{Context, bail};

/// Slices of the ranges.
const SLICES: u32 = 64;
/// 127.16.0.0/12 in slices of /18.
const NODES: (u32, u32) = (u32::from_be_bytes([127, 16, 0, 0]), 18);
/// 127.32.0.0/12 in slices of /18.
const SERVICES: (u32, u32) = (u32::from_be_bytes([127, 32, 0, 0]), 18);
/// 127.48.0.0/12 in slices of /18.
const BALANCERS: (u32, u32) = (u32::from_be_bytes([127, 48, 0, 0]), 18);
/// 127.64.0.0/10 in slices of /16.
const PODS: (u32, u32) = (u32::from_be_bytes([127, 64, 0, 0]), 16);
/// Where in a slice of the node range the volume service is.
const STORAGE_OFFSET: u32 = 8193;
/// Nodes that one slice has pod ranges (/24) for.
pub const NODES_PER_SLICE: u32 = 256;

/// The slices that a cluster holds.
pub struct Slices {
    numbers: Vec<u32>,
    _held: Vec<UnixListener>,
}

impl Slices {
    /// Claims enough slices for `nodes` nodes: those in `remembered`, so that addresses stay, or free ones.
    ///
    /// # Errors
    /// Where a remembered slice is taken, or too few are free; the message names the holders.
    pub fn claim(remembered: &[u32], nodes: u32, holder: &str) -> anyhow::Result<Self> {
        let wanted = nodes.div_ceil(NODES_PER_SLICE).max(1) as usize;
        let mut numbers = Vec::new();
        let mut held = Vec::new();
        for &number in remembered {
            let listener = hold(number, holder).with_context(|| {
                format!(
                    "claim address slice {number}, which this cluster had: {} holds it; stop that one first",
                    who(number)
                )
            })?;
            numbers.push(number);
            held.push(listener);
        }
        for number in (0..SLICES).filter(|number| !remembered.contains(number)) {
            if numbers.len() >= wanted {
                break;
            }
            if let Ok(listener) = hold(number, holder) {
                numbers.push(number);
                held.push(listener);
            }
        }
        if numbers.len() < wanted {
            let mut holders: Vec<String> = (0..SLICES).map(who).collect();
            holders.sort();
            holders.dedup();
            bail!(
                "claim {wanted} address slices for {nodes} nodes: only {} of {SLICES} are free; they are held by {}",
                numbers.len(),
                holders.join(", ")
            );
        }
        Ok(Self { numbers, _held: held })
    }

    /// Which slices, to be remembered.
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// The address of the node with this index, from 0.
    pub fn node(&self, index: u32) -> Ipv4Addr {
        let slice = self.numbers[index as usize / NODES_PER_SLICE as usize % self.numbers.len()];
        // Not .0, which some programs take for a network's address.
        Ipv4Addr::from(base(NODES, slice) + 1 + index % NODES_PER_SLICE)
    }

    /// The address of the volume service, past those of nodes.
    pub fn storage(&self) -> Ipv4Addr {
        Ipv4Addr::from(base(NODES, self.numbers[0]) + STORAGE_OFFSET)
    }

    /// The range of service addresses.
    pub fn services(&self) -> (Ipv4Addr, u8) {
        (Ipv4Addr::from(base(SERVICES, self.numbers[0])), SERVICES.1 as u8)
    }

    /// The range of load balancers' addresses.
    pub fn balancers(&self) -> (Ipv4Addr, u8) {
        (
            Ipv4Addr::from(base(BALANCERS, self.numbers[0])),
            BALANCERS.1 as u8,
        )
    }

    /// The ranges of pod addresses.
    pub fn pods(&self) -> Vec<(Ipv4Addr, u8)> {
        self.numbers
            .iter()
            .map(|&slice| (Ipv4Addr::from(base(PODS, slice)), PODS.1 as u8))
            .collect()
    }
}

fn base(range: (u32, u32), slice: u32) -> u32 {
    range.0 + (slice << (32 - range.1))
}

#[cfg(target_os = "linux")]
fn abstract_name(number: u32) -> std::io::Result<std::os::unix::net::SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    std::os::unix::net::SocketAddr::from_abstract_name(format!("coracle/addresses/{number}"))
}

#[cfg(target_os = "linux")]
fn hold(number: u32, holder: &str) -> std::io::Result<UnixListener> {
    use std::io::Write;
    let listener = UnixListener::bind_addr(&abstract_name(number)?)?;
    let (answering, holder) = (listener.try_clone()?, holder.to_owned());
    coracle_service::Spawn::threads().thread("address-slice", move || {
        // Ends with the process: the socket lives as long as the slice is held.
        for asker in answering.incoming().flatten() {
            let mut asker = asker;
            let _ = asker.write_all(holder.as_bytes());
        }
    })?;
    Ok(listener)
}

#[cfg(target_os = "linux")]
fn who(number: u32) -> String {
    use std::{io::Read, os::unix::net::UnixStream, time::Duration};
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect_addr(&abstract_name(number)?)?;
        stream.set_read_timeout(Some(Duration::from_millis(200)))?;
        let mut name = String::new();
        stream.read_to_string(&mut name)?;
        Ok(name)
    };
    ask().unwrap_or_else(|_| "a process that does not answer".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn hold(_number: u32, _holder: &str) -> std::io::Result<UnixListener> {
    Err(std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "loopback addresses need Linux; use docker compose here",
    ))
}

#[cfg(not(target_os = "linux"))]
fn who(_number: u32) -> String {
    "nobody".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_do_not_overlap_and_stay_in_their_ranges() {
        assert_eq!(Ipv4Addr::from(base(NODES, 63)), Ipv4Addr::new(127, 31, 192, 0));
        assert_eq!(Ipv4Addr::from(base(SERVICES, 63)), Ipv4Addr::new(127, 47, 192, 0));
        assert_eq!(
            Ipv4Addr::from(base(BALANCERS, 63)),
            Ipv4Addr::new(127, 63, 192, 0)
        );
        assert_eq!(Ipv4Addr::from(base(PODS, 0)), Ipv4Addr::new(127, 64, 0, 0));
        assert_eq!(Ipv4Addr::from(base(PODS, 63)), Ipv4Addr::new(127, 127, 0, 0));
    }

    #[test]
    fn two_clusters_never_share_a_slice() {
        let one = Slices::claim(&[], 3, "one").unwrap();
        let two = Slices::claim(&[], 300, "two").unwrap();
        assert_eq!(two.numbers().len(), 2);
        assert!(two.numbers().iter().all(|number| !one.numbers().contains(number)));
        let error = Slices::claim(one.numbers(), 3, "three").err().unwrap();
        assert!(format!("{error:#}").contains("one holds it"), "{error:#}");
    }
}
