//! Reads what strace(1) saw of a program's writes, as acts on a disk.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::disk::Act;

/// What has strace write all that [`Reader`] reads.
pub const OPTIONS: &[&str] = &[
    "-f",
    "-qq",
    "-y",
    "-xx",
    "-X",
    "raw",
    "-s",
    "200000",
    "-e",
    "signal=none",
    "-e",
    "trace=openat,write,pwrite64,writev,lseek,ftruncate,fsync,fdatasync,/^rename,/^unlink,/^link,close",
];

/// open(2)'s flags, as they are on Linux.
const CREATE: i64 = 0o100;
const TRUNCATE: i64 = 0o1000;

/// Turns traces into acts on the files below one folder.
pub struct Reader {
    below: PathBuf,
    files: usize,
    entries: HashMap<PathBuf, usize>,
}

impl Reader {
    pub fn new(below: &Path) -> Self {
        Self { below: below.to_owned(), files: 0, entries: HashMap::new() }
    }

    /// Reads the trace of one program, which ran alone.
    pub fn read(&mut self, trace: &str) -> Vec<Act> {
        let mut acts = Vec::new();
        let mut offsets: HashMap<String, usize> = HashMap::new();
        for line in trace.lines() {
            self.line(line, &mut offsets, &mut acts);
        }
        acts
    }

    fn line(&mut self, line: &str, offsets: &mut HashMap<String, usize>, acts: &mut Vec<Act>) {
        let Some((head, rest)) = line.split_once('(') else { return };
        assert!(!line.contains("unfinished"), "two threads write at once: {line}");
        let call = head.rsplit(' ').next().unwrap();
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return };
        let arguments: Vec<&str> = arguments.trim_end().trim_end_matches(')').split(", ").collect();
        if result.starts_with('-') {
            return;
        }
        let opened = arguments[0];
        let named = |index: usize| path(arguments[index]).filter(|path| path.starts_with(&self.below));
        match call {
            "openat" => {
                let Some(path) = named(1) else { return };
                let flags = i64::from_str_radix(arguments[2].trim_start_matches("0x"), 16).unwrap_or(0);
                offsets.insert(result.to_owned(), 0);
                if let Some(file) = self.entries.get(&path) {
                    if flags & TRUNCATE != 0 {
                        acts.push(Act::Resize(*file, 0));
                    }
                } else if flags & CREATE != 0 {
                    self.files += 1;
                    self.entries.insert(path.clone(), self.files);
                    acts.push(Act::Create(path, self.files));
                }
            }
            "pwrite64" | "write" => {
                let Some(file) = named(0).map(|path| self.file(&path)) else { return };
                let data = bytes(arguments[1].trim_matches('"'));
                let at = if call == "write" {
                    let offset = offsets.entry(opened.to_owned()).or_insert(0);
                    let at = *offset;
                    *offset += data.len();
                    at
                } else {
                    arguments[3].parse().unwrap()
                };
                acts.push(Act::Write { file, at, data });
            }
            "lseek" => {
                if named(0).is_some() {
                    offsets.insert(opened.to_owned(), result.parse().unwrap());
                }
            }
            "ftruncate" => {
                let Some(path) = named(0) else { return };
                acts.push(Act::Resize(self.file(&path), arguments[1].parse().unwrap()));
            }
            "fsync" | "fdatasync" => {
                let Some(path) = named(0) else { return };
                acts.push(match self.entries.get(&path) {
                    Some(file) => Act::Sync(*file),
                    None => Act::SyncFolder(path),
                });
            }
            "rename" | "renameat" | "renameat2" => {
                let (from, to) = if call == "rename" { (0, 1) } else { (1, 3) };
                let (Some(from), Some(to)) = (named(from), named(to)) else { return };
                let file = self.entries.remove(&from).unwrap();
                self.entries.insert(to.clone(), file);
                acts.push(Act::Rename(from, to));
            }
            "unlink" | "unlinkat" => {
                let Some(path) = named(usize::from(call == "unlinkat")) else { return };
                self.entries.remove(&path);
                acts.push(Act::Remove(path));
            }
            "close" => {}
            _ => assert!((0..arguments.len()).all(|index| named(index).is_none()), "not understood: {line}"),
        }
    }

    fn file(&self, path: &Path) -> usize {
        *self.entries.get(path).unwrap_or_else(|| panic!("{} was not seen to be made", path.display()))
    }
}

/// Undoes `-xx`, by which each byte is `\x` and two digits.
fn bytes(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Reads an argument that is a path, or a descriptor with its path.
fn path(argument: &str) -> Option<PathBuf> {
    let text = match argument.split_once('<') {
        Some((_, path)) => path.strip_suffix('>')?,
        None => argument.strip_prefix('"')?.strip_suffix('"')?,
    };
    let whole = text.len() % 4 == 0 && text.split("\\x").skip(1).all(|byte| byte.len() == 2);
    whole.then(|| PathBuf::from(OsString::from_vec(bytes(text))))
}
