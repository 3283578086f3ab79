//! A disk of the mind: what a program wrote there, and what may be left of it when the power fails.
//!
//! Harsher than a real one: of what was not synced any part may be missing, in any order, torn at any
//! sector, and the entries of a folder come and go one by one. A folder itself is taken to last, as it does
//! where a sync of a file writes the folders above it (ext4, XFS, btrfs).

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::herd::Dice;

const SECTOR: usize = 512;

/// One thing that a program did to the disk.
#[derive(Debug, Clone)]
pub enum Act {
    /// An entry of a folder that leads to a new, empty file.
    Create(PathBuf, usize),
    Write {
        file: usize,
        at: usize,
        data: Vec<u8>,
    },
    Resize(usize, usize),
    Sync(usize),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// The end of a command, whose answer somebody has read.
    Answered,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Act>,
}

/// The disk after some acts.
#[derive(Default)]
pub struct Disk {
    files: HashMap<usize, File>,
    entries: BTreeMap<PathBuf, usize>,
    pending: Vec<Act>,
}

impl Disk {
    /// Returns the disk after these acts. Without syncs, none of them has reached it for sure.
    pub fn after(acts: &[Act], with_syncs: bool) -> Self {
        let mut disk = Self::default();
        for act in acts {
            match act {
                Act::Sync(_) | Act::SyncFolder(_) if !with_syncs => {}
                act => disk.take(act),
            }
        }
        disk
    }

    fn take(&mut self, act: &Act) {
        match act {
            Act::Create(_, file) => {
                self.files.insert(*file, File::default());
                self.pending.push(act.clone());
            }
            Act::Rename(..) | Act::Remove(_) => self.pending.push(act.clone()),
            Act::Write { file, .. } | Act::Resize(file, _) => {
                self.files.get_mut(file).unwrap().pending.push(act.clone());
            }
            Act::Sync(file) => {
                let File { durable, pending } = self.files.get_mut(file).unwrap();
                for act in pending.drain(..) {
                    change(durable, &act);
                }
            }
            Act::SyncFolder(folder) => {
                let (now, later) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|act| folder_of(act).is_some_and(|of| of == folder));
                self.pending = later;
                for act in now {
                    enter(&mut self.entries, &act);
                }
            }
            Act::Answered => {}
        }
    }

    /// Writes what is left into a folder, in place of `of`.
    pub fn fail(&self, dice: &mut Dice, of: &Path, into: &Path) {
        let mut entries = self.entries.clone();
        for act in &self.pending {
            if dice.below(2) == 0 {
                enter(&mut entries, act);
            }
        }
        for (path, file) in &entries {
            let file = &self.files[file];
            let mut left = file.durable.clone();
            for act in &file.pending {
                match act {
                    Act::Write { at, data, .. } => {
                        for part in parts(*at, data) {
                            if dice.below(2) == 0 {
                                write(&mut left, part.0, part.1);
                            }
                        }
                    }
                    act if dice.below(2) == 0 => change(&mut left, act),
                    _ => {}
                }
            }
            let path = into.join(path.strip_prefix(of).unwrap());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, left).unwrap();
        }
    }
}

/// Cuts what was written at the borders of sectors; a sector is whole, or was never written.
fn parts(at: usize, data: &[u8]) -> Vec<(usize, &[u8])> {
    let mut parts = Vec::new();
    let mut from = 0;
    while from < data.len() {
        let room = SECTOR - (at + from) % SECTOR;
        let to = data.len().min(from + room);
        parts.push((at + from, &data[from..to]));
        from = to;
    }
    parts
}

fn write(content: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(data);
}

fn change(content: &mut Vec<u8>, act: &Act) {
    match act {
        Act::Write { at, data, .. } => write(content, *at, data),
        Act::Resize(_, length) => content.resize(*length, 0),
        _ => unreachable!("{act:?}"),
    }
}

fn folder_of(act: &Act) -> Option<&Path> {
    match act {
        Act::Create(path, _) | Act::Rename(_, path) | Act::Remove(path) => path.parent(),
        _ => None,
    }
}

/// A rename is whole, or was never done; what it moves need not be there, for its entry may be lost.
fn enter(entries: &mut BTreeMap<PathBuf, usize>, act: &Act) {
    match act {
        Act::Create(path, file) => drop(entries.insert(path.clone(), *file)),
        Act::Rename(from, to) => {
            if let Some(file) = entries.remove(from) {
                entries.insert(to.clone(), file);
            }
        }
        Act::Remove(path) => drop(entries.remove(path)),
        _ => unreachable!("{act:?}"),
    }
}
