//! Starts other programs: an argument list, never a shell.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Write};
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
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        #[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
        let mut inner = std::process::Command::new(program);
        inner.stdin(Stdio::null());
        Self { program: program.to_string_lossy().into_owned(), inner }
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

    /// Runs it to its end. Its standard error, and if asked its standard output, is passed on line by line on
    /// ours, up to the first line that `holds_back` picks; that and what follows is returned.
    pub fn status_holding_back(
        mut self,
        stdout_on_stderr: bool,
        holds_back: &dyn Fn(&[u8]) -> bool,
    ) -> Result<(ExitStatus, Vec<u8>), SystemError> {
        let failed = |program: &str| {
            let program = program.to_owned();
            move |source| SystemError::Program { program, source }
        };
        let (words, stream) = std::io::pipe().map_err(failed(&self.program))?;
        if stdout_on_stderr {
            // Through the same pipe, so that lines keep their order.
            self.inner.stdout(stream.try_clone().map_err(failed(&self.program))?);
        }
        self.inner.stderr(stream);
        let mut child = self.inner.spawn().map_err(failed(&self.program))?;
        // What is kept here of the pipe would keep it open.
        drop(self.inner);
        let mut held = Vec::new();
        let mut reader = BufReader::new(words);
        let mut line = Vec::new();
        // A program it left behind may keep the stream open; then this waits for that, too, as a shell
        // that reads a pipe does.
        while reader.read_until(b'\n', &mut line).map_err(failed(&self.program))? > 0 {
            if !held.is_empty() || holds_back(&line) {
                held.extend_from_slice(&line);
            } else {
                pass_on(&line);
            }
            line.clear();
        }
        let status = child.wait().map_err(failed(&self.program))?;
        Ok((status, held))
    }

    /// Starts it with this process's own output streams.
    pub fn spawn(mut self) -> Result<Child, SystemError> {
        self.inner.spawn().map_err(|source| SystemError::Program { program: self.program, source })
    }

    /// Starts it with its output streams piped.
    pub fn spawn_piped(mut self) -> Result<Child, SystemError> {
        self.inner.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.inner.spawn().map_err(|source| SystemError::Program { program: self.program, source })
    }
}

/// Passes on what a program said on standard error, as the bytes it said.
pub fn pass_on(words: &[u8]) {
    // Nobody is left to tell that standard error is closed.
    let _ = std::io::stderr().lock().write_all(words);
}

/// Returns a status as a shell counts it: the exit code, or 128 and the number of the signal.
pub fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(255);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255)
}
