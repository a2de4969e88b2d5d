//! What the system tells of a process, from `/proc`: its memory and where it listens.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use anyhow::Context;

/// The state of a socket that listens, as `/proc/net/tcp` writes it.
const LISTEN: &str = "0A";

/// The memory of a process in bytes: what it holds now and the most that it ever held.
///
/// # Errors
/// Where there is no such process.
pub fn memory(pid: u32) -> anyhow::Result<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read process status")?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim_start_matches(':').split_whitespace().next());
        let kib: u64 = number
            .and_then(|number| number.parse().ok())
            .with_context(|| format!("read {name}"))?;
        anyhow::Ok(kib << 10)
    };
    Ok((field("VmRSS")?, field("VmHWM")?))
}

/// Whether a process is there: running, sleeping or stopped, but not a zombie.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| !state.trim_start().starts_with(['Z', 'X']))
}

/// Every address that a process listens on for TCP.
///
/// # Errors
/// Where there is no such process, or it is somebody else's.
pub fn listening(pid: u32) -> anyhow::Result<BTreeSet<SocketAddr>> {
    let own = sockets(Path::new(&format!("/proc/{pid}/fd")))?;
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        // A machine without IPv6 has no such table.
        let text = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [_, local, _, LISTEN, _, _, _, _, _, inode, ..] = fields[..]
                && own.contains(inode)
            {
                found.insert(address(local).with_context(|| format!("read address {local}"))?);
            }
        }
    }
    Ok(found)
}

/// The inodes of the sockets among the files that a process has open.
fn sockets(fds: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(fds).context("list open files")?.flatten() {
        let Ok(target) = std::fs::read_link(entry.path()) else {
            continue;
        };
        let target = target.display().to_string();
        if let Some(inode) = target
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'))
        {
            found.insert(inode.to_owned());
        }
    }
    Ok(found)
}

/// `0100007F:1F90`: words of the address in the machine's own order, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let mut bytes = Vec::new();
    for start in (0..ip.len()).step_by(8) {
        let word = u32::from_str_radix(ip.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => IpAddr::V4(Ipv4Addr::from(four)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?)),
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_kernel_are_read() {
        assert_eq!(address("0100007F:1F90"), "127.0.0.1:8080".parse().ok());
        assert_eq!(
            address("00000000000000000000000001000000:0050"),
            "[::1]:80".parse().ok()
        );
    }

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "a socket of the test's own, which the table must show"
    )]
    fn own_sockets_and_own_memory_are_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap();
        assert!(listening(std::process::id()).unwrap().contains(&own));
        let (now, peak) = memory(std::process::id()).unwrap();
        assert!(now > 0 && peak >= now);
    }
}
