//! A program in the foreground that stands in for this process: its terminal, its signals, its status.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::{Child, ExitStatus};

use super::SystemError;
use super::command::Command;

/// A program that runs in this process's place.
pub struct Foreground {
    child: Child,
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
        let child = command.inherit_stdin().spawn()?;
        Ok(Self { child })
    }

    /// Returns the program's process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, passing on the signals that this process gets.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        let _forwarding = forward::to(self.child.id());
        self.child.wait()
    }
}

#[cfg(unix)]
mod forward {
    use std::io::IsTerminal;
    use std::thread;

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::{Handle, Signals};

    /// Ends the forwarding when it is dropped.
    pub(super) struct Forwarding(Option<Handle>);

    impl Drop for Forwarding {
        fn drop(&mut self) {
            if let Some(handle) = &self.0 {
                handle.close();
            }
        }
    }

    /// Passes signals on to the child. What is typed at a terminal reaches the child by itself, which
    /// must not get it twice: a second Ctrl-C makes many servers skip their clean end.
    pub(super) fn to(pid: u32) -> Forwarding {
        let child = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let typed = std::io::stdin().is_terminal();
        let signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2]);
        let (Some(child), Ok(mut signals)) = (child, signals) else { return Forwarding(None) };
        let handle = signals.handle();
        thread::spawn(move || {
            for number in signals.forever() {
                let signal = match number {
                    SIGINT | SIGQUIT if typed => continue,
                    SIGINT => Signal::INT,
                    SIGQUIT => Signal::QUIT,
                    SIGHUP => Signal::HUP,
                    SIGUSR1 => Signal::USR1,
                    SIGUSR2 => Signal::USR2,
                    _ => Signal::TERM,
                };
                let _ = kill_process(child, signal);
            }
        });
        Forwarding(Some(handle))
    }
}

#[cfg(not(unix))]
mod forward {
    /// The console passes its signals to the whole group by itself.
    pub(super) struct Forwarding;

    pub(super) fn to(_pid: u32) -> Forwarding {
        Forwarding
    }
}
