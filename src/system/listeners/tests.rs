//! Real sockets, seen from this very process.

use super::*;
use std::io::Error;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use socket2::{Domain, Socket, Type};

use crate::system::command::Command;

fn port_of(address: SocketAddr) -> Port {
    Port::new(address.port()).unwrap()
}

#[track_caller]
fn assert_seen_once(seen: &Listeners, address: SocketAddr, protocol: Protocol) {
    assert!(seen.visible);
    let on: Vec<&Listener> = seen.on(port_of(address), protocol).collect();
    assert_eq!(on.len(), 1, "{address}: {on:?}");
    assert_eq!(on[0].address, address.ip());
    assert_eq!(on[0].uid, Some(rustix::process::geteuid().as_raw()));
    let owners = owners(&[on[0].clone()]);
    let pids: Vec<u32> = owners[&on[0].inode].iter().map(|owner| owner.id.pid).collect();
    assert!(pids.contains(&std::process::id()), "{address} is held by {pids:?}");
}

fn from_tables() -> Listeners {
    collect(&mut Err(Error::from(std::io::ErrorKind::PermissionDenied)), Path::new("/proc/net"))
}

#[test]
fn every_listener_is_seen_once_whatever_address_it_has() {
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0", "127.0.0.2:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        assert_seen_once(&listeners(), address, Protocol::Tcp);
        assert_seen_once(&from_tables(), address, Protocol::Tcp);
        let socket = UdpSocket::bind((address.ip(), 0)).unwrap();
        let address = socket.local_addr().unwrap();
        assert_seen_once(&listeners(), address, Protocol::Udp);
        assert_seen_once(&from_tables(), address, Protocol::Udp);
    }
}

#[test]
fn a_listener_on_ipv6_alone_is_seen() {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
    socket.set_only_v6(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into()).unwrap();
    socket.listen(1).unwrap();
    assert_seen_once(&listeners(), socket.local_addr().unwrap().as_socket().unwrap(), Protocol::Tcp);
}

#[test]
fn connections_and_sockets_that_do_not_listen_are_not_listed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = std::net::TcpStream::connect(address).unwrap();
    let accepted = listener.accept().unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect("127.0.0.1:9").unwrap();
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    for seen in [listeners(), from_tables()] {
        assert_eq!(seen.on(port_of(client.local_addr().unwrap()), Protocol::Tcp).count(), 0);
        assert_eq!(seen.on(port_of(peer.local_addr().unwrap()), Protocol::Udp).count(), 0);
        let bound = bound.local_addr().unwrap().as_socket().unwrap();
        assert_eq!(seen.on(port_of(bound), Protocol::Tcp).count(), 0);
        assert_eq!(seen.on(port_of(address), Protocol::Tcp).count(), 1);
    }
    drop(accepted);
}

#[test]
fn both_ways_of_asking_agree() {
    // Ports of this test's own.
    let held: Vec<TcpListener> = (0..200).map(|_| TcpListener::bind("[::]:0").unwrap()).collect();
    let ours = |seen: Listeners| {
        let mut ours: Vec<Listener> = held
            .iter()
            .flat_map(|one| {
                seen.on(port_of(one.local_addr().unwrap()), Protocol::Tcp).cloned().collect::<Vec<_>>()
            })
            .collect();
        ours.sort();
        ours
    };
    // One that moves between the pieces of a table while others come and go is overlooked once, not always.
    let agree = || {
        let asked = ours(listeners());
        asked.len() == held.len() && asked == ours(from_tables())
    };
    assert!((0..5).any(|_| agree()));
}

#[test]
fn where_nothing_can_be_read_nothing_is_claimed() {
    let nowhere = tempfile::tempdir().unwrap();
    let refused = || Err(Error::from(std::io::ErrorKind::PermissionDenied));
    let seen = collect(&mut refused(), nowhere.path());
    assert_eq!(seen, Listeners::default());
    // A kernel without IPv6 has the other two tables, and nothing is hidden.
    for table in ["tcp", "udp"] {
        #[expect(clippy::disallowed_methods, reason = "a test's own file")]
        std::fs::write(nowhere.path().join(table), "header\n").unwrap();
    }
    assert_eq!(collect(&mut refused(), nowhere.path()), Listeners { listeners: Vec::new(), visible: true });
}

#[test]
fn all_processes_that_hold_a_socket_are_found_with_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    // A server that forks: parent and child hold the same socket. The child ends with its parent.
    let script = "import os,socket,time\n\
        s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen()\n\
        r,w=os.pipe(); child=os.fork()\n\
        if not child: os.close(w); os.read(r,1); os._exit(0)\n\
        print(s.getsockname()[1],child,flush=True)\n\
        time.sleep(60)\n";
    let server = Command::new("python3").args(["-c", script]).current_dir(&folder);
    let mut server = server.spawn_piped().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.take().unwrap()), &mut line)
        .unwrap();
    let mut words = line.split_whitespace();
    let port: Port = words.next().unwrap().parse().unwrap();
    let child: u32 = words.next().unwrap().parse().unwrap();
    let seen = listeners();
    let on: Vec<Listener> = seen.on(port, Protocol::Tcp).cloned().collect();
    let owners = owners(&on);
    let mut holders = owners[&on[0].inode].clone();
    holders.sort_by_key(|holder| holder.id.pid != child);
    assert_eq!(holders.len(), 2, "{holders:?}");
    assert_eq!(holders[0].id.pid, child);
    assert_eq!(holders[1].id.pid, server.id());
    for holder in &holders {
        assert_eq!(holder.cwd.as_deref(), Some(folder.as_path()));
        assert!(holder.name.starts_with("python"), "{holder:?}");
    }
    server.kill().unwrap();
    server.wait().unwrap();
}
