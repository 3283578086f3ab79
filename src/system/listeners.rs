//! Who listens on this machine: every TCP socket in LISTEN and every bound UDP socket without a peer.
//!
//! Other users' listeners are listed too, because a port is taken whoever has it; only their processes
//! cannot be read. What is seen is the network namespace of this process, and no other.

#[cfg(target_os = "linux")]
mod holders;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(target_os = "linux")]
mod table;

use std::collections::HashMap;
use std::net::IpAddr;

use super::process::Process;
use crate::registry::{Port, Protocol};

/// A socket that waits for others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    /// Its port.
    pub port: Port,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The address it is bound to.
    pub address: IpAddr,
    /// What its owners are found by: the number of the socket's inode on Linux, of the process elsewhere;
    /// 0 if there is none.
    pub inode: u64,
    /// The user who made it, where the system says.
    pub uid: Option<u32>,
}

/// What there is to be seen of listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listeners {
    /// The listeners.
    pub listeners: Vec<Listener>,
    /// Whether the system let us look, so that a port that is not listed has no listener. A sandbox may
    /// not.
    pub visible: bool,
}

impl Listeners {
    /// Returns the listeners on one port.
    pub fn on(&self, port: Port, protocol: Protocol) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().filter(move |one| one.port == port && one.protocol == protocol)
    }
}

/// Returns every listener of this machine, IPv4 and IPv6.
///
/// By `sock_diag(7)`, which takes microseconds; where that is refused, from the tables of proc(5), which
/// take milliseconds.
#[cfg(target_os = "linux")]
pub fn listeners() -> Listeners {
    collect(&mut netlink::Diagnostics::open(), std::path::Path::new("/proc/net"))
}

/// Returns every listener of this user's that the system tells of.
#[cfg(not(target_os = "linux"))]
pub fn listeners() -> Listeners {
    other::listeners()
}

/// Returns the processes that hold these sockets, by the sockets' inodes, in the order of their numbers. A
/// forked server has several. Processes that may not be read are left out.
#[cfg(target_os = "linux")]
pub fn owners(listeners: &[Listener]) -> HashMap<u64, Vec<Process>> {
    holders::owners(listeners)
}

/// Returns the processes that hold these sockets.
#[cfg(not(target_os = "linux"))]
pub fn owners(listeners: &[Listener]) -> HashMap<u64, Vec<Process>> {
    other::owners(listeners)
}

/// One of the kernel's four tables of sockets.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Family {
    protocol: Protocol,
    ipv6: bool,
}

#[cfg(target_os = "linux")]
const FAMILIES: [Family; 4] = [
    Family { protocol: Protocol::Tcp, ipv6: false },
    Family { protocol: Protocol::Tcp, ipv6: true },
    Family { protocol: Protocol::Udp, ipv6: false },
    Family { protocol: Protocol::Udp, ipv6: true },
];

#[cfg(target_os = "linux")]
impl Family {
    /// The state that waits for others (`include/net/tcp_states.h`): LISTEN for TCP; CLOSE, which means
    /// "not connected", for UDP.
    fn waiting(self) -> u8 {
        match self.protocol {
            Protocol::Tcp => 10,
            Protocol::Udp => 7,
        }
    }
}

/// Asks for each table by itself: the kernel's module for UDP may be missing where that for TCP is not.
#[cfg(target_os = "linux")]
fn collect(diagnostics: &mut std::io::Result<netlink::Diagnostics>, tables: &std::path::Path) -> Listeners {
    let mut seen = Listeners { listeners: Vec::new(), visible: true };
    for family in FAMILIES {
        let asked = diagnostics.as_mut().ok().and_then(|diagnostics| diagnostics.dump(family).ok());
        match asked.or_else(|| table::load(family, tables)) {
            Some(listeners) => seen.listeners.extend(listeners),
            None => seen.visible = false,
        }
    }
    // The kernel hands out a table in pieces, and a socket that moves between them is told twice.
    seen.listeners.sort_unstable();
    seen.listeners.dedup();
    seen
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
