//! A program in the foreground that stands in for this process: its terminal, its signals, its status.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Child, ExitStatus};

use super::SystemError;
use super::command::Command;

/// A program that runs in this process's place.
pub struct Foreground {
    child: Child,
    forwarding: forward::Forwarding,
}

impl Foreground {
    /// Starts a program with this process's terminal and these variables added to its environment.
    ///
    /// Fails with `NotFound` or `PermissionDenied` where a shell would exit with 127 or 126.
    pub fn start(command: &[OsString], variables: &[(String, String)]) -> Result<Self, SystemError> {
        let (program, arguments) = command
            .split_first()
            .map_or((OsStr::new(""), &[][..]), |(program, arguments)| (program.as_os_str(), arguments));
        let command = variables
            .iter()
            .fold(Command::new(program).args(arguments), |command, (name, value)| command.env(name, value));
        // Before it starts: what is to end us while it does must not leave it behind.
        let signals = forward::prepare();
        let child = command.inherit_stdin().spawn()?;
        let forwarding = forward::to(child.id(), signals);
        Ok(Self { child, forwarding })
    }

    /// Returns the program's process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end. The signals that this process gets are passed on from its start.
    ///
    /// `npm run dev` that is told to end leaves its server behind, and with it the port; that is told, too.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait();
        self.forwarding.tell_the_rest();
        status
    }
}

#[cfg(unix)]
mod forward {
    use std::io::IsTerminal;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;

    use rustix::process::{Pid, Signal, getpgid, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::iterator::exfiltrator::origin::Origin;
    use signal_hook::iterator::{Handle, SignalsInfo};
    use signal_hook::low_level::siginfo::Cause;

    #[cfg(target_os = "linux")]
    use crate::system::files;
    use crate::system::process::{self, ProcessId};

    const SIGNALS: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

    /// The signals that were not passed on yet.
    pub(super) type Waiting = SignalsInfo<WithOrigin>;

    /// What had been started when the child was told to end, and the signal that told it.
    type Rest = Arc<Mutex<Vec<(ProcessId, Signal)>>>;

    /// Ends the forwarding when it is dropped.
    pub(super) struct Forwarding {
        handle: Option<Handle>,
        rest: Rest,
    }

    impl Forwarding {
        /// Passes what ended the child on to what it had started and left behind.
        pub(super) fn tell_the_rest(&self) {
            for (id, signal) in self.rest.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
                if let (true, Some(pid)) = (process::is_alive(&id), number(id.pid)) {
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }

    impl Drop for Forwarding {
        fn drop(&mut self) {
            if let Some(handle) = &self.handle {
                handle.close();
            }
        }
    }

    /// Waits for the signals that are passed on, but for those that we were started to ignore, as under
    /// nohup: the child is to ignore them, too, and would not, had we not done so when it starts.
    pub(super) fn prepare() -> Option<Waiting> {
        let ignored = ignored();
        let wanted = |number: &i32| match ignored {
            Some(ignored) => ignored >> (number - 1) & 1 == 0,
            None => !is_often_ignored(*number),
        };
        Waiting::new(SIGNALS.into_iter().filter(wanted)).ok()
    }

    /// Says whether programs are started to ignore it. Where that cannot be told, it is waited for when
    /// the child has started, a moment too late.
    fn is_often_ignored(number: i32) -> bool {
        matches!(number, SIGHUP | SIGINT | SIGQUIT)
    }

    /// Returns the signals that this process ignores, the first in the lowest bit (proc(5), `SigIgn`).
    #[cfg(target_os = "linux")]
    fn ignored() -> Option<u64> {
        let status = files::load_text(std::path::Path::new("/proc/self/status")).ok().flatten()?;
        let digits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
        u64::from_str_radix(digits.trim(), 16).ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn ignored() -> Option<u64> {
        None
    }

    /// Passes signals on to the child. What is typed at a terminal reaches the child by itself, which
    /// must not get it twice: a second Ctrl-C makes many servers skip their clean end.
    pub(super) fn to(pid: u32, signals: Option<Waiting>) -> Forwarding {
        let rest = Rest::default();
        let child = number(pid);
        let terminal = std::io::stdin().is_terminal();
        let (Some(child), Some(mut signals)) = (child, signals) else {
            return Forwarding { handle: None, rest };
        };
        let handle = signals.handle();
        for number in SIGNALS.into_iter().filter(|number| ignored().is_none() && is_often_ignored(*number)) {
            let _ = handle.add_signal(number);
        }
        let noted = Arc::clone(&rest);
        thread::spawn(move || {
            for origin in &mut signals.forever() {
                let signal = match origin.signal {
                    SIGINT | SIGQUIT if is_typed(&origin, terminal) => continue,
                    SIGINT => Signal::INT,
                    SIGQUIT => Signal::QUIT,
                    SIGHUP => Signal::HUP,
                    SIGUSR1 => Signal::USR1,
                    SIGUSR2 => Signal::USR2,
                    _ => Signal::TERM,
                };
                if !matches!(origin.signal, SIGUSR1 | SIGUSR2) {
                    let below = below(pid, child).into_iter().map(|id| (id, signal));
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = below.collect();
                }
                let _ = kill_process(child, signal);
            }
        });
        Forwarding { handle: Some(handle), rest }
    }

    fn number(pid: u32) -> Option<Pid> {
        i32::try_from(pid).ok().and_then(Pid::from_raw)
    }

    /// Returns what the child has started that a terminal would tell, too. What has left the child's group
    /// is to go on without it.
    fn below(pid: u32, child: Pid) -> Vec<ProcessId> {
        let group = getpgid(Some(child)).ok();
        let same = |id: &ProcessId| group.is_some() && getpgid(number(id.pid)).ok() == group;
        process::descendants(pid).into_iter().filter(same).collect()
    }

    /// Says whether a signal comes from the terminal, and not from a process that sent it to us alone.
    fn is_typed(origin: &Origin, terminal: bool) -> bool {
        match origin.cause {
            Cause::Kernel => true,
            // Some systems do not tell the cause, but fill in who sent it.
            Cause::Unknown => terminal && origin.process.is_none(),
            _ => false,
        }
    }
}

#[cfg(not(unix))]
mod forward {
    /// The console passes its signals to the whole group by itself.
    pub(super) struct Forwarding;

    impl Forwarding {
        pub(super) fn tell_the_rest(&self) {}
    }

    pub(super) fn prepare() {}

    pub(super) fn to(_pid: u32, (): ()) -> Forwarding {
        Forwarding
    }
}
