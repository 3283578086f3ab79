//! Many worktrees of one repository at once, beside plain git at work and others being removed, and by
//! makers that are killed: all are made, nothing is left half done.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::herd::{Dice, Herd, size};
use crate::support::{Run, TestEnv, program};

const AT_ONCE: usize = 40;

/// The words of a `git port` that makes this branch.
fn create(env: &TestEnv, repo: &Path, words: &str) -> Command {
    let mut command = env.command(program(), repo);
    command.args(words.split(' '));
    command
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}{index}")).collect()
}

/// Starts all at once, and returns what each did.
fn at_once(commands: impl IntoIterator<Item = Command>) -> Vec<Run> {
    let mut herd = Herd::new();
    for mut command in commands {
        herd.start(&mut command);
    }
    herd.end().into_iter().map(|ended| ended.run).collect()
}

#[track_caller]
fn all_succeeded(runs: &[Run]) {
    let failed: Vec<&Run> = runs.iter().filter(|run| run.status != 0).collect();
    assert!(failed.is_empty(), "{} of {} failed: {failed:#?}", failed.len(), runs.len());
    let panicked: Vec<&Run> = runs.iter().filter(|run| run.stderr.contains("panicked")).collect();
    assert!(panicked.is_empty(), "{panicked:#?}");
}

/// The live allocations, after making sure that no port has two owners.
#[track_caller]
fn live(env: &TestEnv, repo: &Path) -> Vec<Value> {
    let listed = env.json(repo, "list --all");
    let live = listed["allocations"].as_array().unwrap_or_else(|| panic!("{listed}")).clone();
    let ports: BTreeSet<u64> = live.iter().map(|one| one["port"].as_u64().unwrap()).collect();
    assert_eq!(ports.len(), live.len(), "a port has two owners");
    live
}

fn branches(env: &TestEnv, repo: &Path) -> BTreeSet<String> {
    let listed = env.git(repo, ["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    listed.lines().map(str::to_owned).collect()
}

fn admin_dirs(repo: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(repo.join(".git/worktrees")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The folders beside the repository, but for those the test made itself.
fn folders(env: &TestEnv) -> BTreeSet<String> {
    let ours = ["home", "shop", "origin"];
    let entries = fs::read_dir(env.root()).unwrap().map(|entry| entry.unwrap());
    let names = entries.filter(|entry| entry.path().is_dir());
    names
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !ours.contains(&name.as_str()))
        .collect()
}

/// There are exactly these worktrees, each whole, each with one port of its own, and nothing else.
#[track_caller]
fn exactly(env: &TestEnv, repo: &Path, wanted: &[String]) {
    let wanted: BTreeSet<String> = wanted.iter().cloned().collect();
    let mut expected = wanted.clone();
    expected.insert("main".to_owned());
    assert_eq!(branches(env, repo), expected, "branches");
    assert_eq!(folders(env), wanted.iter().map(|name| format!("shop-{name}")).collect(), "folders");
    let listed = env.git(repo, ["worktree", "list", "--porcelain"]);
    assert_eq!(listed.lines().filter(|line| line.starts_with("worktree ")).count(), wanted.len() + 1);
    assert!(!listed.contains("\nprunable") && !listed.contains("\nlocked"), "{listed}");
    for admin_dir in admin_dirs(repo) {
        for file in ["HEAD", "commondir", "gitdir", "git-port-id", "index"] {
            assert!(admin_dir.join(file).is_file(), "{} has no {file}", admin_dir.display());
        }
    }
    assert_eq!(admin_dirs(repo).len(), wanted.len());
    let with_ports: BTreeSet<String> = live(env, repo)
        .iter()
        .map(|one| {
            Path::new(one["worktree"].as_str().unwrap()).file_name().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(with_ports, folders(env), "worktrees with ports");
    assert_eq!(live(env, repo).len(), wanted.len());
    for folder in folders(env) {
        let tree = env.root().join(&folder);
        assert!(tree.join("README").is_file() && tree.join(".git-port.env").is_file(), "{folder}");
    }
}

#[test]
fn forty_at_once_are_forty_worktrees_with_forty_ports() {
    let mut plain = 0;
    let batches = size(1, 30);
    let mut slowest = Duration::ZERO;
    for _ in 0..batches {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        let wanted = names("b", AT_ONCE);
        let since = Instant::now();
        let runs = at_once(wanted.iter().map(|name| create(&env, &repo, &format!("worktree create {name}"))));
        slowest = slowest.max(since.elapsed());
        all_succeeded(&runs);
        exactly(&env, &repo, &wanted);
        let told: BTreeSet<&str> =
            runs.iter().filter_map(|run| run.stdout.lines().find(|line| line.contains("Port: "))).collect();
        assert_eq!(told.len(), AT_ONCE, "two were told the same port");
        // The same of plain git, for the report.
        let other = TestEnv::new();
        let repo = other.repo("shop");
        let adding = wanted.iter().map(|name| {
            let mut command = other.command("git", &repo);
            command.args(["worktree", "add", "--quiet", "-b", name, &format!("../shop-{name}")]);
            command
        });
        plain += at_once(adding).iter().filter(|run| run.status == 0).count();
    }
    let all = batches * AT_ONCE;
    println!(
        "git-port: {all} of {all}, slowest batch {slowest:.1?}; plain git worktree add: {plain} of {all}"
    );
}

/// A repository with branches at its remote.
fn with_upstream(env: &TestEnv, branches: &[String]) -> PathBuf {
    let repo = env.repo("shop");
    let origin = env.root().join("origin");
    env.git(&env.root(), ["init", "--quiet", "--bare", "origin"]);
    env.git(&repo, ["remote", "add", "origin", origin.to_str().unwrap()]);
    let specs = branches.iter().map(|name| format!("main:refs/heads/{name}"));
    env.git(&repo, ["push", "--quiet", "origin"].map(str::to_owned).into_iter().chain(specs));
    env.git(&repo, ["fetch", "--quiet", "origin"]);
    repo
}

#[test]
fn forty_at_once_in_every_form() {
    for _ in 0..size(1, 10) {
        let env = TestEnv::new();
        let upstream = names("u", AT_ONCE / 4);
        let repo = with_upstream(&env, &upstream);
        let known = names("k", AT_ONCE / 4);
        for name in &known {
            env.git(&repo, ["branch", name]);
        }
        let fresh = names("c", AT_ONCE / 4);
        let added = names("a", AT_ONCE / 4);
        let words = upstream
            .iter()
            .chain(&known)
            .chain(&fresh)
            .map(|name| format!("worktree create {name}"))
            .chain(added.iter().map(|name| format!("worktree add -b {name} ../shop-{name}")));
        let runs = at_once(words.map(|words| create(&env, &repo, &words)));
        all_succeeded(&runs);
        exactly(&env, &repo, &[upstream.clone(), known, fresh, added].concat());
        for name in &upstream {
            let configured = env.git(&repo, ["config", &format!("branch.{name}.merge")]);
            assert_eq!(configured.trim(), format!("refs/heads/{name}"), "it tracks its upstream");
        }
    }
}

#[test]
fn plain_git_at_work_beside_them_makes_none_fail() {
    let (mut made, mut tried) = (0, 0);
    for _ in 0..size(1, 10) {
        let env = TestEnv::new();
        let repo = with_upstream(&env, &names("u", 5));
        env.ok(&repo, "hook install");
        let stop = env.root().join("stop");
        let mut beside = Herd::new();
        for script in [
            "git gc --quiet",
            "git worktree prune",
            "n=$((n + 1)); git worktree add -b p$n ../plain-p$n && touch ../made-p$n",
            "n=$((n + 1)); git worktree add -b q$n ../plain-q$n && touch ../made-q$n; sleep 0.05",
        ] {
            // They end by themselves: a killed git leaves its locks behind. Thirty are enough to be in the way.
            let script = format!(
                "i=0; while [ ! -e {} ] && [ $i -lt 30 ]; do i=$((i + 1)); {script}; done",
                stop.display()
            );
            beside.start(env.command("sh", &repo).args(["-c", &script]));
        }
        let wanted = [names("b", 15), names("u", 5)].concat();
        let runs = at_once(wanted.iter().map(|name| create(&env, &repo, &format!("worktree create {name}"))));
        fs::File::create(stop).unwrap();
        beside.end();
        all_succeeded(&runs);
        let folders = folders(&env);
        for name in &wanted {
            assert!(folders.contains(&format!("shop-{name}")), "{name}");
            assert!(env.root().join(format!("shop-{name}/.git-port.env")).is_file(), "{name}");
        }
        // Those that plain git made have ports, too: from the hook, or from the next command.
        env.ok(&repo, "list");
        let allocations = live(&env, &repo);
        let has_ports = |folder: &str| {
            let path = env.root().join(folder);
            allocations.iter().any(|one| one["worktree"].as_str() == path.to_str())
        };
        let entries = fs::read_dir(env.root()).unwrap().map(|entry| entry.unwrap().file_name());
        for name in entries.filter_map(|name| name.to_str()?.strip_prefix("made-").map(str::to_owned)) {
            made += 1;
            assert!(has_ports(&format!("plain-{name}")), "plain-{name} has no port");
        }
        tried += branches(&env, &repo).iter().filter(|name| name.starts_with(['p', 'q'])).count();
    }
    println!("beside git-port, plain git worktree add made {made} worktrees and {tried} branches");
}

#[test]
fn making_and_removing_at_once() {
    for _ in 0..size(1, 10) {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        let (old, new) = (names("o", AT_ONCE / 2), names("n", AT_ONCE / 2));
        let making = |names: &[String]| {
            let words = names.iter().map(|name| format!("worktree create {name}"));
            at_once(words.map(|words| create(&env, &repo, &words)).collect::<Vec<_>>())
        };
        all_succeeded(&making(&old));
        let words = old
            .iter()
            .zip(&new)
            .flat_map(|(old, new)| {
                [format!("worktree remove --delete-branch {old}"), format!("worktree create {new}")]
            })
            .collect::<Vec<_>>();
        all_succeeded(&at_once(words.iter().map(|words| create(&env, &repo, words))));
        exactly(&env, &repo, &new);
    }
}

/// A maker is killed at any moment; the same command then works, or says what to do, and doing that
/// makes it work.
#[test]
fn a_killed_maker_leaves_nothing_in_the_way() {
    let mut dice = Dice::new();
    let mut advised = 0;
    let rounds = size(25, 500);
    for chunk in 0..rounds.div_ceil(25) {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        let since = Instant::now();
        env.ok(&repo, "worktree create warm");
        let usual = since.elapsed();
        for round in 0..rounds.min(25) {
            let name = format!("k{round}");
            let words = format!("worktree create {name}");
            let mut herd = Herd::new();
            herd.start_and_kill(&mut create(&env, &repo, &words), dice.moment(usual));
            // Alone, or with the git it started.
            let mut ended = if round % 2 == 0 { herd.end() } else { herd.end_with_groups() };
            let killed = ended.remove(0).killed;
            let path = env.root().join(format!("shop-{name}"));
            let again = env.git_port(&repo, words.split(' '));
            if again.status == 0 {
                continue;
            }
            // Whoever was made before the kill is there; the one that is half made is told of.
            assert!(killed || again.stderr.contains("already"), "chunk {chunk}: {again:#?}");
            advised += 1;
            let is_clean = || {
                let status = env.command("git", &path).args(["status", "--porcelain"]).output().unwrap();
                Run::of(status).stdout.is_empty()
            };
            let finished = path.join("README").is_file() && is_clean();
            if !finished {
                let advice = again.stderr.lines().find_map(|line| line.split_once("to clear it away: "));
                if again.stderr.contains("hint: try again in a few seconds") {
                    std::thread::sleep(Duration::from_secs(4));
                    let later = env.git_port(&repo, words.split(' '));
                    let admin_dir = repo.join(format!(".git/worktrees/shop-{name}"));
                    let left = fs::read_dir(admin_dir).map(|entries| entries.flatten().collect::<Vec<_>>());
                    assert_eq!(later.status, 0, "chunk {chunk}: {again:#?}, then {later:#?}; {left:?}");
                    continue;
                }
                if again.stderr.contains("remove the file manually to continue") {
                    // git's own lock on a reference, and git's own advice.
                    let (_, rest) = again.stderr.split_once("Unable to create '").unwrap();
                    fs::remove_file(rest.split_once('\'').unwrap().0).unwrap();
                    let _ = env.git_port(&repo, words.split(' ')).success();
                    continue;
                }
                let Some((_, advice)) = advice else {
                    let left = fs::read_dir(&path).map(|entries| entries.flatten().collect::<Vec<_>>());
                    panic!("it does not say what to do: {again:#?}; {left:?}");
                };
                let followed = env.command("sh", &repo).args(["-c", advice]).output().unwrap();
                let _ = Run::of(followed).success();
                let _ = env.git_port(&repo, words.split(' ')).success();
            }
        }
        // Every port belongs to a worktree that is there.
        env.ok(&repo, "cleanup");
        let known = env.git(&repo, ["worktree", "list", "--porcelain"]);
        for allocation in live(&env, &repo) {
            let path = allocation["worktree"].as_str().unwrap();
            assert!(Path::new(path).join(".git").exists(), "{allocation:#}");
            assert!(known.contains(&format!("worktree {path}\n")), "{allocation:#}");
        }
        env.git(&repo, ["fsck", "--no-progress"]);
    }
    println!("{rounds} makers killed; {advised} times the same command said why it cannot");
}
