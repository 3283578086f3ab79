//! Listeners on systems other than Linux, by the crate `listeners`. It tells of this user's processes only.

use std::collections::HashMap;

use super::{Listener, Listeners};
use crate::registry::{Port, Protocol};
use crate::system::process::{self, Process};

pub(super) fn listeners() -> Listeners {
    let Ok(all) = listeners::get_all() else { return Listeners::default() };
    let mut seen: Vec<Listener> = all
        .into_iter()
        .filter(|one| one.protocol == listeners::Protocol::UDP || one.state == listeners::SocketState::Listen)
        .filter_map(|one| {
            Some(Listener {
                port: Port::new(one.socket.port())?,
                protocol: match one.protocol {
                    listeners::Protocol::TCP => Protocol::Tcp,
                    listeners::Protocol::UDP => Protocol::Udp,
                },
                address: one.socket.ip(),
                inode: one.process.pid.into(),
                uid: None,
            })
        })
        .collect();
    seen.sort();
    seen.dedup();
    Listeners { listeners: seen, visible: true }
}

pub(super) fn owners(listeners: &[Listener]) -> HashMap<u64, Vec<Process>> {
    let mut owners: HashMap<u64, Vec<Process>> = HashMap::new();
    for listener in listeners {
        let found = || u32::try_from(listener.inode).ok().and_then(process::find).into_iter().collect();
        owners.entry(listener.inode).or_insert_with(found);
    }
    owners
}
