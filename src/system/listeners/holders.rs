//! Finds the processes that hold a socket: the links in `/proc/<pid>/fd` say `socket:[<inode>]` (proc(5)).

use std::collections::{HashMap, HashSet};
use std::mem::MaybeUninit;
use std::path::Path;

use rustix::fs::{Mode, OFlags, RawDir, open, readlinkat_raw};
use rustix::io::Errno;

use super::Listener;
use crate::system::process::{self, Process};

/// Returns the processes that hold these sockets, by inode.
pub(super) fn owners(listeners: &[Listener]) -> HashMap<u64, Vec<Process>> {
    let wanted: HashSet<u64> =
        listeners.iter().map(|listener| listener.inode).filter(|inode| *inode != 0).collect();
    let mut owners: HashMap<u64, Vec<Process>> = HashMap::new();
    if wanted.is_empty() {
        return owners;
    }
    for pid in process::pids() {
        let held = held_by(pid, &wanted);
        if held.is_empty() {
            continue;
        }
        // One that ended since holds nothing any more.
        let Some(process) = process::find(pid) else { continue };
        for inode in held {
            owners.entry(inode).or_default().push(process.clone());
        }
    }
    owners
}

/// Returns which of these sockets a process holds. Stops when there is nothing left to find; finds
/// nothing where it may not look (another user's process).
fn held_by(pid: u32, wanted: &HashSet<u64>) -> HashSet<u64> {
    let mut held = HashSet::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = open(Path::new(&format!("/proc/{pid}/fd")), flags, Mode::empty()) else { return held };
    let mut entries = [MaybeUninit::<u8>::uninit(); 4096];
    let mut entries = RawDir::new(&folder, &mut entries);
    while let Some(Ok(entry)) = entries.next() {
        if entry.file_name().to_bytes().starts_with(b".") {
            continue;
        }
        let mut link = [MaybeUninit::<u8>::uninit(); 64];
        // Links that do not fit are paths, not sockets.
        let link = match readlinkat_raw(&folder, entry.file_name(), &mut link[..]) {
            Ok((link, _)) => link,
            // What is forbidden for one is for all: a process that this one may not trace (proc(5)).
            Err(Errno::ACCESS | Errno::PERM) => break,
            Err(_) => continue,
        };
        if let Some(inode) = inode(link).filter(|inode| wanted.contains(inode)) {
            held.insert(inode);
            if held.len() == wanted.len() {
                break;
            }
        }
    }
    held
}

/// Returns the number in `socket:[<number>]`.
fn inode(link: &[u8]) -> Option<u64> {
    let digits = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
