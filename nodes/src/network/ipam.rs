//! Pod addresses of one node, out of its `spec.podCIDR`.
//!
//! Promises: an address is held by one pod at a time; addresses are given in turn, so that a replacement does not get
//! the address of the pod it replaces while others are free. Which pod holds which address is kept in
//! [`crate::state`], from which a restarted process claims them again.

use std::net::Ipv4Addr;

/// Addresses at the start of the range that no pod gets: the network's own and, by custom, the node's.
const RESERVED_LOW: u32 = 2;
/// The broadcast address.
const RESERVED_HIGH: u32 = 1;

/// The addresses of one node.
#[derive(Debug)]
pub struct Ipam {
    first: u32,
    held: Vec<bool>,
    free: usize,
    next: usize,
}

/// A text that is not a range with room for pods.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("use pod range {0:?}: it must be an IPv4 range of /8 to /29")]
pub struct InvalidRange(pub String);

/// Reads `A.B.C.D/N`.
///
/// # Errors
/// [`InvalidRange`].
pub fn parse_cidr(text: &str) -> Result<(Ipv4Addr, u8), InvalidRange> {
    let invalid = || InvalidRange(text.to_owned());
    let (address, length) = text.split_once('/').ok_or_else(invalid)?;
    let address: Ipv4Addr = address.parse().map_err(|_| invalid())?;
    let length: u8 = length
        .parse()
        .ok()
        .filter(|length| (8..=29).contains(length))
        .ok_or_else(invalid)?;
    let mask = u32::MAX << (32 - u32::from(length));
    Ok((Ipv4Addr::from_bits(address.to_bits() & mask), length))
}

impl Ipam {
    /// All addresses of a range, free.
    ///
    /// # Errors
    /// [`InvalidRange`].
    pub fn new(cidr: &str) -> Result<Self, InvalidRange> {
        let (base, length) = parse_cidr(cidr)?;
        let free = ((1_u32 << (32 - length)) - RESERVED_LOW - RESERVED_HIGH) as usize;
        Ok(Self {
            first: base.to_bits() + RESERVED_LOW,
            held: vec![false; free],
            free,
            next: 0,
        })
    }

    /// The next free address; `None` where all are held.
    pub fn allocate(&mut self) -> Option<Ipv4Addr> {
        if self.free == 0 {
            return None;
        }
        let size = self.held.len();
        let found = (0..size)
            .map(|step| (self.next + step) % size)
            .find(|&at| !self.held[at])?;
        self.held[found] = true;
        self.free -= 1;
        self.next = (found + 1) % size;
        Some(self.address(found))
    }

    /// Takes a certain address; false where it is held already or not of this range.
    pub fn claim(&mut self, address: Ipv4Addr) -> bool {
        let Some(at) = self.position(address).filter(|&at| !self.held[at]) else {
            return false;
        };
        self.held[at] = true;
        self.free -= 1;
        // New pods go on behind what was given before the restart.
        self.next = self.next.max((at + 1) % self.held.len());
        true
    }

    /// Whether an address is of this range and held.
    #[must_use]
    pub fn holds(&self, address: Ipv4Addr) -> bool {
        self.position(address).is_some_and(|at| self.held[at])
    }

    /// Gives an address back.
    pub fn release(&mut self, address: Ipv4Addr) {
        if let Some(at) = self.position(address).filter(|&at| self.held[at]) {
            self.held[at] = false;
            self.free += 1;
        }
    }

    fn position(&self, address: Ipv4Addr) -> Option<usize> {
        let at = address.to_bits().checked_sub(self.first)? as usize;
        (at < self.held.len()).then_some(at)
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        // A range has at most 2^24 addresses.
        Ipv4Addr::from_bits(self.first + u32::try_from(at).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_given_in_turn() {
        let mut ipam = Ipam::new("127.64.1.0/29").expect("range");
        let last = |ipam: &mut Ipam| ipam.allocate().map(|address| address.octets()[3]);
        let given: Vec<_> = (0..6).map(|_| last(&mut ipam)).collect();
        assert_eq!(given, [Some(2), Some(3), Some(4), Some(5), Some(6), None]);
        ipam.release(Ipv4Addr::new(127, 64, 1, 2));
        ipam.release(Ipv4Addr::new(127, 64, 1, 5));
        assert_eq!(
            [last(&mut ipam), last(&mut ipam), last(&mut ipam)],
            [Some(2), Some(5), None]
        );
    }

    #[test]
    fn ranges_are_read_strictly() {
        assert_eq!(
            parse_cidr("10.244.3.7/24"),
            Ok((Ipv4Addr::new(10, 244, 3, 0), 24))
        );
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/30",
            "10.0.0.0/7",
            "fd00::/64",
        ] {
            assert!(parse_cidr(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        /// Against a set: no address twice, none lost, refusals only when full.
        #[test]
        fn agrees_with_a_set(steps in prop::collection::vec((0_u8..3, 0_u8..20), 0..200)) {
            let mut ipam = Ipam::new("10.1.2.0/28").expect("range");
            let mut held = BTreeSet::new();
            for (action, number) in steps {
                let address = Ipv4Addr::new(10, 1, 2, number);
                match action {
                    0 => match ipam.allocate() {
                        Some(address) => prop_assert!(held.insert(address)),
                        None => prop_assert_eq!(held.len(), 13),
                    },
                    1 => {
                        let possible = (2..15).contains(&number) && !held.contains(&address);
                        prop_assert_eq!(ipam.claim(address), possible);
                        if possible { held.insert(address); }
                    }
                    _ => {
                        ipam.release(address);
                        held.remove(&address);
                    }
                }
            }
        }
    }
}
