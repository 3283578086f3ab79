//! Reads processes from `/proc` (proc(5)).

use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Process, ProcessId};
use crate::system::{files, host};

/// The kernel cuts a name to 15 bytes (`TASK_COMM_LEN`).
const CUT: usize = 15;

/// What is of use in `/proc/<pid>/stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) name: String,
    pub(super) state: u8,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    pub(super) started: u64,
}

impl Stat {
    /// Returns what the line says. The name may hold anything, `)` and newlines too, so it ends at the
    /// last one; all that follows are numbers.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let opens = line.iter().position(|byte| *byte == b'(')?;
        let closes = line.iter().rposition(|byte| *byte == b')')?;
        let name = String::from_utf8_lossy(line.get(opens + 1..closes)?).into_owned();
        let rest = std::str::from_utf8(line.get(closes + 1..)?).ok()?;
        // The first of them is field 3.
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse().ok();
        Some(Self {
            name,
            state: fields.first()?.bytes().next()?,
            parent: number(4)?,
            // Both are 0 for a process from outside of this namespace, -1 for none.
            group: number(5).unwrap_or(0),
            session: number(6).unwrap_or(0),
            started: fields.get(22 - 3)?.parse().ok()?,
        })
    }

    /// Says whether the process has ended: it is a zombie, or dead.
    fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }
}

fn stat(pid: u32) -> Option<Stat> {
    let line = files::load(Path::new(&format!("/proc/{pid}/stat"))).ok().flatten()?;
    Stat::parse(&line).filter(|stat| !stat.has_ended())
}

fn boot() -> String {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(host::boot_id).clone()
}

pub(super) fn identity(pid: u32) -> Option<ProcessId> {
    stat(pid).map(|stat| ProcessId { pid, started: stat.started, boot: boot() })
}

pub(super) fn parent(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.parent).filter(|parent| *parent != 0)
}

pub(super) fn find(pid: u32) -> Option<Process> {
    let stat = stat(pid)?;
    let command = command(pid);
    let some = |number: u32| (number != 0).then_some(number);
    Some(Process {
        id: ProcessId { pid, started: stat.started, boot: boot() },
        name: name(stat.name, &command),
        command,
        cwd: fs::read_link(format!("/proc/{pid}/cwd")).ok().map(undeleted),
        parent: some(stat.parent),
        group: some(stat.group),
        session: some(stat.session),
    })
}

fn command(pid: u32) -> Vec<String> {
    let bytes = files::load(Path::new(&format!("/proc/{pid}/cmdline"))).ok().flatten().unwrap_or_default();
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// The kernel's name of a process is that of its main thread, cut off, and programs may change it: Node
/// calls its own `MainThread`. The program's own name says more there.
pub(super) fn name(thread: String, command: &[String]) -> String {
    let program = command.first().and_then(|first| first.rsplit('/').next()).unwrap_or_default();
    let cut = thread.len() >= CUT && program.starts_with(&thread);
    let generic = thread.ends_with("MainThread") && !program.is_empty();
    if cut || generic { program.to_owned() } else { thread }
}

/// The kernel marks a folder that is gone; who looks for processes of a removed worktree wants its name.
pub(super) fn undeleted(link: PathBuf) -> PathBuf {
    match link.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(path) if !link.exists() => PathBuf::from(std::ffi::OsString::from_vec(path.to_vec())),
        _ => link,
    }
}

/// Returns the numbers of all processes, in ascending order.
pub(super) fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut pids: Vec<u32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}
