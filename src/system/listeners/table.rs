//! Reads the tables of sockets in `/proc/net` (proc(5)), for where the kernel may not be asked otherwise.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use super::{Family, Listener};
use crate::registry::Port;
use crate::system::files;

/// Returns the listeners in one table of this folder; none if it cannot be read.
pub(super) fn load(family: Family, folder: &Path) -> Option<Vec<Listener>> {
    let file = format!("{}{}", family.protocol.name(), if family.ipv6 { "6" } else { "" });
    match std::fs::read_to_string(folder.join(file)) {
        Ok(text) => Some(parse(&text, family)),
        // A kernel without IPv6 has no tables for it, but has the others.
        Err(error) if family.ipv6 && files::is_absent(&error) => {
            folder.join(family.protocol.name()).exists().then(Vec::new)
        }
        Err(_) => None,
    }
}

/// Returns the listeners of a table's text.
fn parse(text: &str, family: Family) -> Vec<Listener> {
    text.lines().skip(1).filter_map(|line| listener(line, family)).collect()
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode …`
fn listener(line: &str, family: Family) -> Option<Listener> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    let (_, peer) = fields.get(2)?.split_once(':')?;
    let state = u8::from_str_radix(fields.get(3)?, 16).ok()?;
    if state != family.waiting() || peer != "0000" {
        return None;
    }
    Some(Listener {
        port: Port::new(u16::from_str_radix(port, 16).ok()?)?,
        protocol: family.protocol,
        address: parse_address(address)?,
        inode: fields.get(9)?.parse().ok()?,
        uid: fields.get(7)?.parse().ok(),
    })
}

/// The bytes are in network order, but printed as words of this machine's.
fn parse_address(text: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for at in (0..text.len()).step_by(8) {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Protocol;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5551 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 5552 1 0000000000000000 20 4 30 10 -1
   2: 0100007F:1F91 0100007F:C350 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0000000000000000
";
    const UDP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 4223: 00000000000000000000000001000000:14E9 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 9 2 0000000000000000 0
 4224: 00000000000000000000000001000000:14EA 00000000000000000000000001000000:0035 01 00000000:00000000 00:00000000 00000000   101        0 10 2 0000000000000000 0
";

    #[test]
    #[cfg(target_endian = "little")]
    fn listeners_are_told_from_connections() {
        let tcp = parse(TCP, Family { protocol: Protocol::Tcp, ipv6: false });
        assert_eq!(tcp.len(), 1);
        assert_eq!((tcp[0].port.number(), tcp[0].inode, tcp[0].uid), (8080, 5551, Some(1000)));
        assert_eq!(tcp[0].address.to_string(), "127.0.0.1");
        let udp = parse(UDP6, Family { protocol: Protocol::Udp, ipv6: true });
        assert_eq!(udp.len(), 1);
        assert_eq!((udp[0].port.number(), udp[0].inode, udp[0].uid), (5353, 9, Some(101)));
        assert_eq!(udp[0].address.to_string(), "::1");
    }

    #[test]
    fn nonsense_is_passed_over() {
        let family = Family { protocol: Protocol::Tcp, ipv6: false };
        for text in ["", "x\n\n", "x\n 0: 01:1F90 0:0000 0A", "x\n 0: éé00007F:1F90 0:0000 0A 0 0 0 0 0 1"]
        {
            assert_eq!(parse(text, family), Vec::new(), "{text:?}");
        }
    }
}
