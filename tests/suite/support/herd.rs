//! Many programs at once: started, killed at any moment, never waited for without end; and dice that
//! fall the same way again.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tempfile::TempDir;

use super::Run;

/// Nothing takes longer than this; who does hangs.
const PATIENCE: Duration = Duration::from_mins(3);

/// Says whether the tests that take minutes run, too.
pub fn is_long() -> bool {
    std::env::var_os("GIT_PORT_TESTS_LONG").is_some_and(|value| value == "1")
}

/// Says whether a program that is missing makes a test fail, and says so.
#[track_caller]
pub fn ignored_for_want_of(what: &str) {
    let complete = std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_some_and(|value| value == "1");
    assert!(!complete, "no {what}");
    println!("ignored: no {what}");
}

/// Returns one of two sizes: for the ordinary suite, and for the tests that take minutes.
pub fn size(small: usize, long: usize) -> usize {
    let asked = std::env::var("GIT_PORT_TEST_SIZE").ok().and_then(|size| size.parse().ok());
    asked.unwrap_or(if is_long() { long } else { small })
}

/// Random numbers that come again with the same seed (SplitMix64).
pub struct Dice {
    pub seed: u64,
    state: u64,
}

impl Dice {
    /// Takes the seed from `GIT_PORT_TEST_SEED`, else a new one, and prints it.
    pub fn new() -> Self {
        let given = std::env::var("GIT_PORT_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            u64::from(since.subsec_nanos()) ^ u64::from(std::process::id()) << 20
        });
        println!("GIT_PORT_TEST_SEED={seed}");
        Self { seed, state: seed }
    }

    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit as u64).unwrap()
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Returns a moment before `limit`.
    pub fn moment(&mut self, limit: Duration) -> Duration {
        Duration::from_micros(self.roll() % u64::try_from(limit.as_micros()).unwrap().max(1))
    }
}

/// Programs that were started, each in a process group of its own. Those that still run when it is
/// dropped are killed, with all that they started.
pub struct Herd {
    outputs: TempDir,
    members: Vec<Member>,
}

struct Member {
    child: Child,
    output: PathBuf,
    kill_at: Option<Instant>,
}

/// What became of a program.
#[derive(Debug)]
pub struct Ended {
    pub run: Run,
    /// Whether it was killed, and did not end before.
    pub killed: bool,
}

impl Herd {
    pub fn new() -> Self {
        Self {
            outputs: tempfile::Builder::new().prefix("git-port-test-").tempdir().unwrap(),
            members: Vec::new(),
        }
    }

    /// Starts a program, which gets its number.
    pub fn start(&mut self, command: &mut Command) -> usize {
        self.add(command, None)
    }

    /// Starts a program that is killed after this time, if it still runs.
    pub fn start_and_kill(&mut self, command: &mut Command, after: Duration) -> usize {
        self.add(command, Some(after))
    }

    fn add(&mut self, command: &mut Command, kill_after: Option<Duration>) -> usize {
        let number = self.members.len();
        let output = self.outputs.path().join(number.to_string());
        let child = command
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(output.with_extension("err")).unwrap())
            .process_group(0)
            .spawn()
            .unwrap();
        let kill_at = kill_after.map(|after| Instant::now() + after);
        self.members.push(Member { child, output, kill_at });
        number
    }

    /// Kills those whose moment has come, waits for all, and for whatever they left running.
    #[track_caller]
    pub fn end(&mut self) -> Vec<Ended> {
        self.end_as(false)
    }

    /// As [`Herd::end`]; who is killed is killed with all that it started.
    #[track_caller]
    pub fn end_with_groups(&mut self) -> Vec<Ended> {
        self.end_as(true)
    }

    #[track_caller]
    fn end_as(&mut self, with_groups: bool) -> Vec<Ended> {
        let mut moments: Vec<(Instant, usize)> = self
            .members
            .iter()
            .enumerate()
            .filter_map(|(number, member)| member.kill_at.map(|at| (at, number)))
            .collect();
        moments.sort_unstable();
        for (at, number) in moments {
            thread::sleep(at.saturating_duration_since(Instant::now()));
            if with_groups && let Some(group) = self.members[number].group() {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = self.members[number].child.kill();
        }
        let since = Instant::now();
        let mut ended = Vec::new();
        for member in &mut self.members {
            let status = loop {
                if let Some(status) = member.child.try_wait().unwrap() {
                    break status;
                }
                assert!(
                    since.elapsed() < PATIENCE,
                    "it hangs: {}",
                    read(&member.output.with_extension("err"))
                );
                thread::sleep(Duration::from_millis(2));
            };
            while member.group_lives() {
                assert!(since.elapsed() < PATIENCE, "what it started hangs");
                thread::sleep(Duration::from_millis(5));
            }
            let run = Run {
                status: status.code().unwrap_or(-1),
                stdout: read(&member.output),
                stderr: read(&member.output.with_extension("err")),
            };
            ended.push(Ended { run, killed: status.signal() == Some(9) });
        }
        self.members.clear();
        ended
    }

    /// Kills all that still run.
    pub fn kill(&mut self) {
        for member in &mut self.members {
            if let Some(group) = member.group() {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
        self.members.clear();
    }
}

impl Member {
    fn group(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn group_lives(&self) -> bool {
        self.group().is_some_and(|group| test_kill_process_group(group).is_ok())
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Runs a program to its end, or kills it, with all that it started, when this time is over; then there
/// is no answer.
pub fn run_within(command: &mut Command, patience: Duration) -> Option<Run> {
    let mut herd = Herd::new();
    herd.start(command);
    let since = Instant::now();
    while herd.members[0].child.try_wait().unwrap().is_none() {
        if since.elapsed() > patience {
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
    let member = &mut herd.members[0];
    let status = member.child.wait().unwrap();
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Some(Run {
        status: code,
        stdout: read(&member.output),
        stderr: read(&member.output.with_extension("err")),
    })
}
