//! Listens on this machine's own addresses, and nowhere else.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use super::SystemError;
use crate::registry::Port;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 128;

/// The sockets that listen on one port.
pub type Loopback = Vec<TcpListener>;

/// Listens on this port of `127.0.0.1`, and of `::1` where there is IPv6: nobody else is to answer for
/// either. Fails if somebody listens on one of them.
pub fn loopback(port: Port) -> Result<Loopback, SystemError> {
    let mut listeners = Vec::new();
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        match listen(SocketAddr::new(address, port.number())) {
            Ok(listener) => listeners.push(listener),
            Err(error) if address.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => {
                return Err(SystemError::file("listen on", Path::new(&format!("port {port}")))(error));
            }
        }
    }
    Ok(listeners)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Elsewhere it would let two listen on one port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
