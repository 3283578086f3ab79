//! Asks the kernel for its sockets over netlink(7), with the messages of `sock_diag(7)`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

use super::{Family, Listener};
use crate::registry::{Port, Protocol};

/// `struct nlmsghdr` has 16 bytes, `struct inet_diag_req_v2` 56, `struct inet_diag_msg` 72.
const HEADER: usize = 16;
const REQUEST: usize = HEADER + 56;
const ANSWER: usize = 72;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`: all that match.
const DUMP: u16 = 0x301;

/// The kernel fills at most this much at a time (`netlink_dump`), so nothing is ever cut off.
const BUFFER: usize = 32 * 1024;

/// A connection to the kernel.
pub(super) struct Diagnostics {
    socket: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Diagnostics {
    /// Connects. A sandbox may refuse (EPERM), a kernel that is none may not know how (EPROTONOSUPPORT).
    pub(super) fn open() -> io::Result<Self> {
        let protocol = Some(netlink::SOCK_DIAG);
        let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
        Ok(Self { socket, buffer: vec![0; BUFFER], sequence: 0 })
    }

    /// Returns the listeners of one table.
    pub(super) fn dump(&mut self, family: Family) -> io::Result<Vec<Listener>> {
        self.sequence += 1;
        send(&self.socket, &request(family, self.sequence), SendFlags::empty())?;
        let mut listeners = Vec::new();
        loop {
            let (read, sent) = match recv(&self.socket, self.buffer.as_mut_slice(), RecvFlags::empty()) {
                Err(Errno::INTR) => continue,
                received => received?,
            };
            if read == 0 || sent > read {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if parse(&self.buffer[..read], self.sequence, family.protocol, &mut listeners)? {
                return Ok(listeners);
            }
        }
    }
}

/// Returns the question for all sockets of a table that wait for others.
fn request(family: Family, sequence: u32) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    let mut put = |at: usize, bytes: &[u8]| request[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &72_u32.to_ne_bytes());
    put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(6, &DUMP.to_ne_bytes());
    put(8, &sequence.to_ne_bytes());
    let address_family = if family.ipv6 { AddressFamily::INET6 } else { AddressFamily::INET };
    put(HEADER, &[u8::try_from(address_family.as_raw()).unwrap_or_default()]);
    // IPPROTO_TCP, IPPROTO_UDP
    put(HEADER + 1, &[if family.protocol == Protocol::Tcp { 6 } else { 17 }]);
    put(HEADER + 4, &(1_u32 << family.waiting()).to_ne_bytes());
    request
}

/// Reads the messages of one datagram. Returns whether the last of the answer was among them.
fn parse(mut rest: &[u8], sequence: u32, protocol: Protocol, into: &mut Vec<Listener>) -> io::Result<bool> {
    while !rest.is_empty() {
        let length = word(rest, 0).and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        let Some(message) = rest.get(..length).filter(|message| message.len() >= HEADER) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let body = &message[HEADER..];
        if word(message, 8) == Some(sequence) {
            match u16::from_ne_bytes([message[4], message[5]]) {
                kind @ (NLMSG_ERROR | NLMSG_DONE) => {
                    // Both carry a negated errno(3); 0 is none.
                    let status = word(body, 0).map_or(0, u32::cast_signed);
                    if status < 0 {
                        return Err(io::Error::from_raw_os_error(-status));
                    }
                    if kind == NLMSG_DONE {
                        return Ok(true);
                    }
                }
                SOCK_DIAG_BY_FAMILY => into.extend(listener(body, protocol)),
                _ => {}
            }
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// Reads a `struct inet_diag_msg`: ports and addresses are in network order, the rest is not.
fn listener(body: &[u8], protocol: Protocol) -> Option<Listener> {
    let body: &[u8; ANSWER] = body.first_chunk()?;
    let address = if i32::from(body[0]) == i32::from(AddressFamily::INET.as_raw()) {
        IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(&body[8..12]).ok()?))
    } else {
        IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(&body[8..24]).ok()?))
    };
    let connected = body[6..8] != [0, 0];
    Some(Listener {
        port: Port::new(u16::from_be_bytes([body[4], body[5]])).filter(|_| !connected)?,
        protocol,
        address,
        inode: word(body, 68)?.into(),
        uid: word(body, 64),
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|word| u32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: Family = Family { protocol: Protocol::Tcp, ipv6: false };

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend([0, 0]);
        message.extend(sequence.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(body);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    #[test]
    fn a_question_has_the_length_it_says() {
        let request = request(TCP, 7);
        assert_eq!(word(&request, 0), Some(u32::try_from(REQUEST).unwrap()));
        assert_eq!(word(&request, 20), Some(1 << 10));
    }

    #[test]
    fn a_refusal_is_an_error_and_a_late_answer_to_another_question_is_not() {
        let refused = message(NLMSG_ERROR, 2, &(-2_i32).to_ne_bytes());
        let error = parse(&refused, 2, Protocol::Tcp, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!parse(&refused, 3, Protocol::Tcp, &mut Vec::new()).unwrap());
        assert!(parse(&message(NLMSG_DONE, 2, &[0; 4]), 2, Protocol::Tcp, &mut Vec::new()).unwrap());
    }

    #[test]
    fn cut_off_messages_are_refused() {
        let whole = message(SOCK_DIAG_BY_FAMILY, 1, &[0; ANSWER]);
        for length in 1..whole.len() {
            assert!(parse(&whole[..length], 1, Protocol::Tcp, &mut Vec::new()).is_err(), "{length}");
        }
        // A length of 0 must not read the same message for ever.
        assert!(parse(&[0; 32], 1, Protocol::Tcp, &mut Vec::new()).is_err());
    }
}
