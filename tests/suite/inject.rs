//! Faults at system calls, by strace(1), and full disks: an answer each time, and nothing lost.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;

use crate::support::herd::{Dice, ignored_for_want_of, run_within, size};
use crate::support::{Run, TestEnv, program};

/// Longer than anybody waits in line for the registry.
const PATIENCE: Duration = Duration::from_secs(15);

/// System calls, as strace names a set of them.
const CALLS: &[&str] = &[
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "/^rename",
    "openat",
    "/^unlink",
    "ftruncate",
    "flock",
    "fcntl",
    "mmap",
    "getrandom",
    "socket",
    "bind",
];
const FAULTS: &[&str] =
    &["error=EIO", "error=ENOSPC", "error=EACCES", "error=EMFILE", "error=EINTR", "signal=KILL"];
/// What getrandom(2) can fail with; the standard library takes others for a broken kernel, and panics.
const FAULTS_OF_RANDOM: &[&str] = &["error=EINTR", "error=ENOSYS", "signal=KILL"];

/// The statuses that the program documents, and that of a shell for one that was killed.
const STATUSES: &[i32] = &[0, 1, 3, 4, 5, 6, 128, 129, 137];

/// Calls by which only the registry, the copies and the probes are served: git's part is done without.
const OF_PORTS: &[&str] =
    &["pwrite64", "fsync", "fdatasync", "ftruncate", "flock", "/^rename", "socket", "bind"];

struct Bench {
    env: TestEnv,
    repo: PathBuf,
    web: u64,
    trials: usize,
    /// How often a command makes a call before its own code runs, and altogether.
    counted: HashMap<(&'static str, &'static str), (usize, usize)>,
}

/// What is tried: a name, and its words with `{n}` for a new name.
const COMMANDS: &[(&str, &str)] = &[
    ("allocate", "--json allocate s{n}"),
    ("allocate known", "--json allocate web"),
    ("get", "get web"),
    ("list", "list --all"),
    ("env", "env"),
    ("new", "allocate moving --new"),
    ("release", "release victim"),
    ("cleanup", "cleanup"),
    ("create", "worktree create t{n}"),
    ("remove", "worktree remove --force v{n}"),
    ("hook", "hook post-checkout 0 1 1"),
    ("init", "init"),
];

impl Bench {
    fn new() -> Self {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        env.ok(&repo, "allocate web");
        let web = env.ok(&repo, "get web").trim().parse().unwrap();
        Self { env, repo, web, trials: 0, counted: HashMap::new() }
    }

    fn words(&self, words: &str) -> Vec<String> {
        let words = words.replace("{n}", &self.trials.to_string());
        words.split(' ').map(str::to_owned).collect()
    }

    /// Makes what a command is to find.
    fn prepare(&self, name: &str) {
        match name {
            "release" => drop(self.env.ok(&self.repo, "allocate victim")),
            "remove" => drop(self.env.ok(&self.repo, &format!("worktree create v{}", self.trials))),
            _ => {}
        }
    }

    fn strace(&self, calls: &str, more: &[&str], words: &[String]) -> Command {
        let mut command = self.env.command("strace", &self.repo);
        command.args(["-qq", "-o"]).arg(self.env.root().join("trace"));
        command.args(["-e", &format!("trace={calls}")]).args(more).arg(program()).args(words);
        command
    }

    fn count(&mut self, name: &'static str, words: &'static str, calls: &'static str) -> (usize, usize) {
        if let Some(counted) = self.counted.get(&(name, calls)) {
            return *counted;
        }
        self.trials += 1;
        self.prepare(name);
        // The runtime asks for and sets up its stack for signals just before the program's own code.
        let with_marker = format!("{calls},sigaltstack");
        let _ = run_within(&mut self.strace(&with_marker, &[], &self.words(words)), PATIENCE * 2).unwrap();
        let trace = fs::read_to_string(self.env.root().join("trace")).unwrap();
        let lines: Vec<&str> = trace.lines().filter(|line| line.contains('(')).collect();
        let mut start = lines.iter().enumerate().filter(|(_, line)| line.contains("sigaltstack("));
        let start = start.nth(1).map_or(0, |(at, _)| at - 1);
        let total = lines.iter().filter(|line| !line.contains("sigaltstack(")).count();
        self.counted.insert((name, calls), (start, total));
        (start, total)
    }

    /// Lets one call fail and looks what comes of it. Returns whether there was such a call.
    #[track_caller]
    fn try_one(&mut self, dice: &mut Dice) -> bool {
        let &(name, words) = dice.pick(COMMANDS);
        let calls = *dice.pick(CALLS);
        let fault = *dice.pick(if calls == "getrandom" { FAULTS_OF_RANDOM } else { FAULTS });
        let (start, total) = self.count(name, words, calls);
        if total <= start {
            return false;
        }
        self.trials += 1;
        self.prepare(name);
        let when = start + 1 + dice.below(total - start);
        let inject = format!("inject={calls}:{fault}:when={when}");
        // One in four hits the git it starts, too.
        let follow = dice.below(4) == 0 && calls != "mmap";
        let more = if follow { vec!["-f", "-e", &inject] } else { vec!["-e", &inject] };
        let words = self.words(words);
        let what = format!("{words:?} with {inject}{}", if follow { " in every process" } else { "" });
        let Some(run) = run_within(&mut self.strace(calls, &more, &words), PATIENCE) else {
            panic!("{what} hangs");
        };
        assert!(!run.stderr.contains("panicked"), "{what}: {run:#?}");
        if calls == "mmap" && run.stderr.contains("memory allocation of") {
            // Without memory there is no going on; what was acknowledged stays all the same.
            return true;
        }
        // Under -f git fails in ways of its own, and its status is passed on.
        assert!(
            STATUSES.contains(&run.status) || follow && run.status < 130 || run.status == 255,
            "{what}: {run:#?}"
        );
        self.nothing_is_lost(&what, &run);
        if name == "create" && run.status != 137 {
            let tree = self.env.root().join(format!("shop-t{}", self.trials));
            let stands = tree.join("README").is_file();
            assert!(run.status != 0 || stands, "{what}: {run:#?}");
            if OF_PORTS.contains(&calls) && !follow {
                assert!(run.status == 0 && stands, "git's part is not done: {what}: {run:#?}");
            }
        }
        if name == "hook" && run.status != 137 && !follow {
            assert_eq!(run.status, 0, "{what}: {run:#?}");
        }
        self.tidy(name);
        true
    }

    #[track_caller]
    fn nothing_is_lost(&self, what: &str, run: &Run) {
        let listed = self.env.git_port(&self.repo, ["--json", "list", "--all"]);
        assert_eq!(listed.status, 0, "after {what}: {listed:#?}");
        let listed = listed.object();
        let live = listed["allocations"].as_array().unwrap();
        let has = |service: &str, port: u64| {
            live.iter().any(|one| one["service"] == *service && one["port"] == port)
        };
        assert!(has("web", self.web), "{what}: {listed:#}");
        let mut ports: Vec<u64> = live.iter().map(|one| one["port"].as_u64().unwrap()).collect();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "{what}: {ports:?}");
        if let Ok(told) = serde_json::from_str::<serde_json::Value>(&run.stdout)
            && run.status == 0
            && let Some(one) = told["allocations"].get(0)
        {
            let service = one["service"].as_str().unwrap();
            assert!(
                has(service, one["port"].as_u64().unwrap()),
                "{what}: {told:#}, and recorded is {listed:#}"
            );
        }
        let registry = Connection::open(self.env.registry()).unwrap();
        let answer: String = registry.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(answer, "ok", "after {what}");
        let status = self.env.git(&self.repo, ["status", "--porcelain", "--untracked-files=all"]);
        assert!(!status.contains("git-port-"), "after {what}: {status}");
    }

    /// Takes back what was made, so that the range does not fill up.
    fn tidy(&self, name: &str) {
        match name {
            "allocate" => {
                let _ = self.env.git_port(&self.repo, ["release", &format!("s{}", self.trials)]);
            }
            "create" | "remove" => {
                let letter = if name == "create" { 't' } else { 'v' };
                let tree = self.env.root().join(format!("shop-{letter}{}", self.trials));
                let mut remove = self.env.command("git", &self.repo);
                remove.args(["worktree", "remove", "--force", "--force"]).arg(&tree);
                let _ = Run::of(remove.output().unwrap());
                let _ = fs::remove_dir_all(&tree);
                for entry in fs::read_dir(self.repo.join(".git/worktrees")).into_iter().flatten() {
                    let _ = fs::remove_file(entry.unwrap().path().join("locked"));
                }
                self.env.git(&self.repo, ["worktree", "prune"]);
                self.env.ok(&self.repo, "cleanup");
            }
            "init" => {
                let _ = fs::remove_file(self.repo.join(".git-port.toml"));
            }
            _ => {}
        }
    }
}

fn has_strace() -> bool {
    Command::new("strace").args(["-o", "/dev/null", "true"]).status().is_ok_and(|status| status.success())
}

#[test]
fn a_failing_system_call_is_survived() {
    if !has_strace() {
        return ignored_for_want_of("strace");
    }
    let mut dice = Dice::new();
    let wanted = size(60, 1_000);
    let mut done = 0;
    let mut bench = Bench::new();
    while done < wanted {
        done += usize::from(bench.try_one(&mut dice));
    }
    println!("{done} faults injected");
}

/// Runs a script in a mount namespace of its own, in which `$1` is a disk of 300 kB.
fn on_small_disk(env: &TestEnv, dir: &Path, disk: &Path, script: &str) -> Option<Run> {
    fs::create_dir_all(disk).unwrap();
    let allowed = env.command("unshare", dir).args(["-m", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        ignored_for_want_of("unshare -m, which only root may");
        return None;
    }
    let script = format!("set -e; mount -t tmpfs -o size=300k none \"$1\"; set +e; {script}");
    let mut command = env.command("unshare", dir);
    command.args(["-m", "sh", "-c", &script, program()]).arg(disk);
    Some(run_within(&mut command, PATIENCE * 20).unwrap_or_else(|| panic!("it hangs")))
}

/// The status that the script told under this name.
#[track_caller]
fn told<'a>(run: &'a Run, name: &str) -> &'a str {
    let mut lines = run.stdout.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no '{name}' in {run:#?}"))
}

#[test]
fn a_registry_on_a_full_disk_answers_and_recovers() {
    let env = TestEnv::new();
    let disk = env.home().join(".local/state/git-port");
    let script = r#"
        "$0" allocate kept --project p
        n=0
        while [ $n -lt 400 ]; do
            n=$((n + 1))
            # Not a byte is left but those that the log gives back.
            head -c 300000 /dev/zero 2>/dev/null >>"$1/ballast"
            "$0" allocate moving --project p --new >last 2>err || break
        done
        status=$?
        echo "rounds: $n"
        cat err
        echo "json: $("$0" --json allocate other --project p | tr -d '\n')"
        echo "kept: $("$0" list --project p --json | grep -c '"service":"kept"')"
        "$0" release kept --project p >/dev/null 2>&1
        echo "release: $?"
        rm "$1/ballast"
        "$0" allocate after --project p >/dev/null 2>err
        echo "after: $? $(cat err)"
        cp "$1"/registry.db* .
    "#;
    let Some(run) = on_small_disk(&env, &env.root(), &disk, script) else { return };
    assert!(!run.stdout.contains("panicked") && !run.stderr.contains("panicked"), "{run:#?}");
    let rounds: usize = told(&run, "rounds").parse().unwrap();
    assert!(rounds < 400, "the disk is never full: {run:#?}");
    let error = told(&run, "json");
    assert!(error.contains("\"unavailable\"") && error.contains("the disk is full"), "{run:#?}");
    assert_eq!(told(&run, "kept"), "1", "{run:#?}");
    assert!(["0", "6"].contains(&told(&run, "release")), "{run:#?}");
    assert!(told(&run, "after").starts_with("0 "), "{run:#?}");
    let registry = Connection::open(env.root().join("registry.db")).unwrap();
    let answer: String = registry.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(answer, "ok");
    println!("full after {rounds} changes; releasing on the full disk ended with {}", told(&run, "release"));
}

#[test]
fn a_worktree_on_a_full_disk_is_not_made_or_lacks_only_its_file() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let disk = env.root().join("trees");
    let script = r#"
        head -c 307200 /dev/zero >"$1/ballast"
        "$0" worktree create full "$1/full" >/dev/null 2>&1
        echo "full: $?"
        echo "branch: $(git branch --list full)"
        # Room for `.git` and the one file, not for ours.
        head -c 299008 /dev/zero >"$1/ballast"
        "$0" worktree create narrow "$1/narrow" >out 2>err
        echo "narrow: $?"
        echo "warned: $(grep -c 'git-port.env is not up to date' err)"
        echo "port: $(grep -c 'Allocated Port: ' out)"
        echo "left: $(ls -A "$1/narrow" | tr '\n' ' ')"
        rm "$1/ballast"
        "$0" worktree create full "$1/full" >/dev/null 2>&1
        echo "again: $?"
        "$0" -C "$1/narrow" get >/dev/null
        echo "narrow has: $(ls -A "$1/narrow" | tr '\n' ' ')"
    "#;
    let Some(run) = on_small_disk(&env, &repo, &disk, script) else { return };
    assert!(!run.stderr.contains("panicked"), "{run:#?}");
    assert_eq!(told(&run, "full"), "128", "{run:#?}");
    assert_eq!(told(&run, "branch"), "", "{run:#?}");
    assert_eq!(told(&run, "narrow"), "0", "{run:#?}");
    assert_eq!((told(&run, "warned"), told(&run, "port")), ("1", "1"), "{run:#?}");
    assert_eq!(told(&run, "left"), ".git README ", "{run:#?}");
    assert_eq!(told(&run, "again"), "0", "{run:#?}");
}
