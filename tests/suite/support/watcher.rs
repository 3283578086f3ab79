//! `git port watch` as a process of its own, which ends with the test that started it.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

/// However slow the machine is, what is waited for has happened by then.
pub const LONG: Duration = Duration::from_secs(30);

/// A watch that is on. Its group of processes is killed when it is dropped, whatever became of the test.
pub struct Watcher {
    child: Child,
    lines: Receiver<String>,
    /// What it told so far.
    pub told: Vec<Value>,
}

impl Watcher {
    /// Starts this command, which must be a watch with `--json`, and waits until it says that it watches.
    pub fn start(command: Command) -> Self {
        let mut watcher = Self::spawn(command);
        watcher.wait_for("started", |_| true);
        watcher
    }

    /// Starts this command, and waits for nothing.
    pub fn spawn(mut command: Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, told: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it tells such an event, and returns it.
    #[track_caller]
    pub fn wait_for(&mut self, event: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + LONG;
        loop {
            let Some(told) = self.next(until.saturating_duration_since(Instant::now())) else {
                let words = self.words();
                panic!("no '{event}': {:#?}\n{words}", self.told);
            };
            if told["event"] == event && matches(&told) {
                return told;
            }
        }
    }

    /// Returns what it tells next, if it tells anything in time.
    #[track_caller]
    pub fn next(&mut self, timeout: Duration) -> Option<Value> {
        match self.lines.recv_timeout(timeout) {
            Ok(line) => {
                let told: Value =
                    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"));
                assert_eq!(told["version"], 1, "{line}");
                self.told.push(told.clone());
                Some(told)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Listens for this long.
    pub fn listen(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while self.next(until.saturating_duration_since(Instant::now())).is_some() {}
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }

    /// Returns how many events of this kind it told.
    pub fn count(&self, event: &str) -> usize {
        self.told.iter().filter(|told| told["event"] == event).count()
    }

    /// Asks it to end, and returns its exit status and how long that took.
    pub fn stop(mut self, signal: Signal) -> (Option<i32>, Duration, Vec<Value>) {
        let since = Instant::now();
        self.signal(signal);
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if since.elapsed() > LONG => panic!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let took = since.elapsed();
        while self.next(Duration::from_millis(500)).is_some() {}
        (status, took, std::mem::take(&mut self.told))
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// What it said on standard error, after which it is over.
    fn words(&mut self) -> String {
        self.signal(Signal::KILL);
        let mut words = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut words);
        }
        words
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.signal(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
