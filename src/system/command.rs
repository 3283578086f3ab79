//! Starts other programs: an argument list, never a shell.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Child, ExitStatus, Output, Stdio};

use super::SystemError;

/// A program about to be started.
pub struct Command {
    program: String,
    inner: std::process::Command,
}

impl Command {
    /// Returns a command with nothing on its standard input.
    pub fn new(program: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
        let mut inner = std::process::Command::new(program);
        inner.stdin(Stdio::null());
        Self { program: program.to_owned(), inner }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.inner.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.inner.args(args);
        self
    }

    /// Starts it in this folder.
    #[must_use]
    pub fn current_dir(mut self, dir: &Path) -> Self {
        self.inner.current_dir(dir);
        self
    }

    /// Sets a variable for it.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    /// Hides variables from it.
    #[must_use]
    pub fn without_env(mut self, names: &[&str]) -> Self {
        for name in names {
            self.inner.env_remove(name);
        }
        self
    }

    /// Gives it this process's standard input.
    #[must_use]
    pub fn inherit_stdin(mut self) -> Self {
        self.inner.stdin(Stdio::inherit());
        self
    }

    /// Returns the arguments, for messages.
    pub fn arguments(&self) -> Vec<OsString> {
        self.inner.get_args().map(OsStr::to_owned).collect()
    }

    /// Runs it to its end and returns what it printed and its status.
    pub fn output(mut self) -> Result<Output, SystemError> {
        self.inner.output().map_err(|source| SystemError::Program { program: self.program, source })
    }

    /// Runs it to its end with this process's own standard output and error.
    pub fn status(mut self) -> Result<ExitStatus, SystemError> {
        self.inner.status().map_err(|source| SystemError::Program { program: self.program, source })
    }

    /// Runs it to its end with both of its output streams on this process's standard error.
    pub fn status_on_stderr(mut self) -> Result<ExitStatus, SystemError> {
        self.inner.stdout(std::io::stderr());
        self.status()
    }

    /// Starts it with its output streams piped.
    pub fn spawn_piped(mut self) -> Result<Child, SystemError> {
        self.inner.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.inner.spawn().map_err(|source| SystemError::Program { program: self.program, source })
    }
}

/// Returns a status as a shell counts it: the exit code, or 128 and the number of the signal.
pub fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(255);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}
