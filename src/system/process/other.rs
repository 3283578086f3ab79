//! Reads processes by the crate `sysinfo`, on systems other than Linux.

use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::{Process, ProcessId};

fn look<T>(pid: u32, wanted: ProcessRefreshKind, read: impl FnOnce(&sysinfo::Process) -> T) -> Option<T> {
    let number = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[number]), true, wanted);
    let process = system.process(number)?;
    (!matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead)).then(|| read(process))
}

fn id(pid: u32, process: &sysinfo::Process) -> ProcessId {
    ProcessId { pid, started: process.start_time(), boot: String::new() }
}

pub(super) fn identity(pid: u32) -> Option<ProcessId> {
    look(pid, ProcessRefreshKind::nothing(), |process| id(pid, process))
}

pub(super) fn parent(pid: u32) -> Option<u32> {
    look(pid, ProcessRefreshKind::nothing(), |process| process.parent().map(Pid::as_u32))?
}

pub(super) fn find(pid: u32) -> Option<Process> {
    let wanted = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always).with_cwd(UpdateKind::Always);
    look(pid, wanted, |process| Process {
        id: id(pid, process),
        name: process.name().to_string_lossy().into_owned(),
        command: process.cmd().iter().map(|part| part.to_string_lossy().into_owned()).collect(),
        cwd: process.cwd().map(std::path::Path::to_owned),
        parent: process.parent().map(Pid::as_u32),
        group: None,
        session: process.session_id().map(Pid::as_u32),
    })
}

/// Returns the numbers of all processes, in ascending order.
pub(super) fn pids() -> Vec<u32> {
    let Ok(mut system) = System::new() else { return Vec::new() };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
    let mut pids: Vec<u32> = system.processes().keys().map(|pid| pid.as_u32()).collect();
    pids.sort_unstable();
    pids
}
