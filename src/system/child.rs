//! A program in the foreground that stands in for this process: its terminal, its signals, its status.

use std::ffi::OsString;
use std::io;
use std::process::{Child, ExitStatus};

use super::SystemError;

/// A program that runs in this process's place.
pub struct Foreground {
    child: Child,
    _forwarding: forward::Forwarding,
}

impl Foreground {
    /// Starts a program with this process's terminal and these variables added to its environment.
    ///
    /// Fails with `NotFound` or `PermissionDenied` where a shell would exit with 127 or 126.
    pub fn start(command: &[OsString], variables: &[(String, String)]) -> Result<Self, SystemError> {
        let (program, arguments) = command
            .split_first()
            .map_or((OsString::new(), &[][..]), |(program, arguments)| (program.clone(), arguments));
        #[expect(clippy::disallowed_methods, reason = "system starts programs")]
        let mut inner = std::process::Command::new(&program);
        inner.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
        let child = inner.spawn().map_err(|source| SystemError::Program {
            program: program.to_string_lossy().into_owned(),
            source,
        })?;
        // From the start: what is to end us while we still note that it runs must not leave it behind.
        // Not before it, or the child would lose the signals that it is to ignore, as under nohup.
        let forwarding = forward::to(child.id());
        Ok(Self { child, _forwarding: forwarding })
    }

    /// Returns the program's process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end. The signals that this process gets are passed on from its start.
    pub fn wait(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

#[cfg(unix)]
mod forward {
    use std::io::IsTerminal;
    use std::thread;

    use rustix::process::{Pid, Signal, kill_process};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    use signal_hook::iterator::exfiltrator::WithOrigin;
    use signal_hook::iterator::exfiltrator::origin::Origin;
    use signal_hook::iterator::{Handle, SignalsInfo};
    use signal_hook::low_level::siginfo::Cause;

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
        let terminal = std::io::stdin().is_terminal();
        let signals = SignalsInfo::<WithOrigin>::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2]);
        let (Some(child), Ok(mut signals)) = (child, signals) else { return Forwarding(None) };
        let handle = signals.handle();
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
                let _ = kill_process(child, signal);
            }
        });
        Forwarding(Some(handle))
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

    pub(super) fn to(_pid: u32) -> Forwarding {
        Forwarding
    }
}
