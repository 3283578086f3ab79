//! `git port run` in the background, with everything it starts in one process group that ends with it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{GIT_PORT, TestEnv};

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_mins(1);

/// git-port as a user starts it: a test that runs in the background of a script has signals ignored, and
/// hands that on.
pub const AS_AT_A_PROMPT: &[&str] =
    if cfg!(target_os = "linux") { &["env", "--default-signal", GIT_PORT] } else { &[GIT_PORT] };

/// Asks until there is an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_long_for(what, DEADLINE, ask)
}

#[track_caller]
pub fn wait_long_for<T>(what: &str, deadline: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A program in a process group of its own.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `git port run` with these words.
    pub fn start<S: AsRef<OsStr>>(env: &TestEnv, dir: &Path, words: impl IntoIterator<Item = S>) -> Self {
        let (program, before) = AS_AT_A_PROMPT.split_first().unwrap();
        let mut command = env.command(program, dir);
        command.args(before).arg("run").args(words);
        Self::spawn(env, command)
    }

    /// Starts a program, with its output in a file.
    pub fn spawn(env: &TestEnv, mut command: Command) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let log = env.root().join(format!("run-{}.log", NEXT.fetch_add(1, Ordering::Relaxed)));
        let file = fs::File::create(&log).unwrap();
        command.process_group(0).stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it and its program said so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub fn says(&mut self, words: &str) {
        let started = Instant::now();
        while !self.log().contains(words) {
            let ended = self.child.try_wait().unwrap();
            let in_time = ended.is_none() && started.elapsed() < DEADLINE * 2;
            assert!(in_time || self.log().contains(words), "no '{words}' ({ended:?}): {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is typed reaches it through this; closed when it is dropped.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Sends a signal to this one process.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end and returns the status.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < DEADLINE, "it does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for its end and returns the status as a shell counts it.
    #[track_caller]
    pub fn status(&mut self) -> i32 {
        let status = self.ended();
        status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap()
    }

    /// Says whether it has ended, and waits to be asked how.
    pub fn has_ended(&self) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.group()), options).is_ok_and(|ended| ended.is_some())
    }

    /// Says whether anything it started is left in its group.
    pub fn has_left_something(&self) -> bool {
        // Not by a signal: where nobody waits for orphans, what has ended is still there to get it.
        let all = Command::new("ps").args(["-A", "-o", "pgid=,stat="]).output().unwrap();
        let group = self.pid().to_string();
        String::from_utf8_lossy(&all.stdout).lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(&group) && words.next().is_some_and(|state| !state.starts_with('Z'))
        })
    }

    fn group(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group(), Signal::KILL);
        let _ = self.child.wait();
        // What is killed keeps its port for a moment.
        let started = Instant::now();
        while self.has_left_something() && started.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Sends a signal to one process.
pub fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Gives a program a standard input that one can type into.
pub fn with_stdin(mut command: Command) -> Command {
    command.stdin(Stdio::piped());
    command
}
