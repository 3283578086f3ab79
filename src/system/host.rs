//! Which machine and which user this is.

use std::path::Path;

use super::files;

/// The machine a port is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What it is known by in the registry. It stays the same when the machine is renamed, as a laptop
    /// is in every other network.
    pub key: String,
    /// What people call it.
    pub name: String,
}

impl Host {
    /// Returns this machine. `override_name` stands for both, where somebody set one.
    pub fn this(override_name: Option<&str>) -> Self {
        if let Some(name) = override_name {
            return Self { key: name.to_owned(), name: name.to_owned() };
        }
        let name = node_name();
        let machine_id = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
            .iter()
            .filter_map(|path| files::load_text(Path::new(path)).ok().flatten())
            .map(|id| id.trim().to_owned())
            .find(|id| !id.is_empty() && id != "uninitialized");
        // The id itself is meant to stay on the machine (machine-id(5)); a hash of it may leave.
        let key = machine_id.map_or_else(|| name.clone(), |id| format!("{:016x}", hash(&id)));
        Self { key, name }
    }
}

/// FNV-1a, 64 bits: it reaches disk, so it must never change.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(unix)]
fn node_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn node_name() -> String {
    "localhost".to_owned()
}

/// Returns the id of this boot; empty where the system has none.
pub fn boot_id() -> String {
    files::load_text(Path::new("/proc/sys/kernel/random/boot_id"))
        .ok()
        .flatten()
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
