//! Asks the system whether a port is free, on every IPv4 and IPv6 address.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use crate::registry::allocator::Probe;
use crate::registry::{Port, Protocol};

/// Asks the system about one port by binding it for a moment.
///
/// On Linux one dual-stack socket with `SO_REUSEADDR` sees every holder: loopback, wildcard or a single
/// address, IPv4 or IPv6; a probe of `127.0.0.1` or `0.0.0.0` misses servers on `::1`, where Node puts
/// `localhost`. It never listens, so that no firewall asks and no connection is accepted. Elsewhere
/// `SO_REUSEADDR` lets a wildcard and a single address coexist, so each address is bound by itself
/// without it.
pub fn probe(port: Port, protocol: Protocol) -> Probe {
    let number = port.number();
    let answers: Vec<Probe> = if cfg!(target_os = "linux") {
        match bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, number)), protocol, true) {
            Attempt::NoSuchFamily => {
                vec![bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, number)), protocol, true)]
            }
            attempt @ Attempt::Answer(_) => vec![attempt],
        }
    } else {
        [
            SocketAddr::from((Ipv4Addr::LOCALHOST, number)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, number)),
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, number)),
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, number)),
        ]
        .into_iter()
        .map(|address| bind(address, protocol, false))
        .collect()
    }
    .into_iter()
    .filter_map(Attempt::answer)
    .collect();
    let any = |wanted: Probe| answers.contains(&wanted);
    [Probe::InUse, Probe::Denied, Probe::Free]
        .into_iter()
        .find(|answer| any(*answer))
        .unwrap_or(Probe::Unknown)
}

enum Attempt {
    Answer(Probe),
    NoSuchFamily,
}

impl Attempt {
    fn answer(self) -> Option<Probe> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::NoSuchFamily => None,
        }
    }
}

fn bind(address: SocketAddr, protocol: Protocol, dual: bool) -> Attempt {
    let kind = match protocol {
        Protocol::Tcp => Type::STREAM,
        Protocol::Udp => Type::DGRAM,
    };
    let socket = match Socket::new(Domain::for_address(address), kind, None) {
        Ok(socket) => socket,
        // No IPv6 in this kernel (EAFNOSUPPORT), or no sockets at all in this sandbox (EPERM).
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Attempt::Answer(Probe::Unknown),
        Err(_) => return Attempt::NoSuchFamily,
    };
    // With UDP, SO_REUSEADDR would let us share a port with its holder and find it free.
    if dual && protocol == Protocol::Tcp {
        let _ = socket.set_reuse_address(true);
    }
    if address.is_ipv6() {
        let _ = socket.set_only_v6(!dual);
    }
    match socket.bind(&address.into()) {
        Ok(()) => Attempt::Answer(Probe::Free),
        Err(error) => match error.kind() {
            ErrorKind::AddrInUse => Attempt::Answer(Probe::InUse),
            // EACCES is a privileged port, or a range that Windows keeps for itself; EPERM is a sandbox.
            ErrorKind::PermissionDenied if error.raw_os_error() == Some(1) => Attempt::Answer(Probe::Unknown),
            ErrorKind::PermissionDenied => Attempt::Answer(Probe::Denied),
            ErrorKind::AddrNotAvailable => Attempt::NoSuchFamily,
            _ => Attempt::Answer(Probe::Unknown),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    fn port_of(address: SocketAddr) -> Port {
        Port::new(address.port()).unwrap()
    }

    #[test]
    fn every_listener_is_seen_whatever_address_it_has() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0", "127.0.0.2:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let port = port_of(listener.local_addr().unwrap());
            assert_eq!(probe(port, Protocol::Tcp), Probe::InUse, "{address}");
            drop(listener);
            assert_eq!(probe(port, Protocol::Tcp), Probe::Free, "{address}, closed");
        }
    }

    #[test]
    fn a_listener_on_ipv6_alone_is_seen() {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        socket.set_only_v6(true).unwrap();
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).unwrap();
        socket.listen(1).unwrap();
        let port = port_of(socket.local_addr().unwrap().as_socket().unwrap());
        assert_eq!(probe(port, Protocol::Tcp), Probe::InUse);
    }

    #[test]
    fn tcp_and_udp_are_apart() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let socket = UdpSocket::bind(address).unwrap();
            let port = port_of(socket.local_addr().unwrap());
            assert_eq!(probe(port, Protocol::Udp), Probe::InUse, "{address}");
            assert_eq!(probe(port, Protocol::Tcp), Probe::Free, "{address}");
        }
    }
}
