//! Programs killed at any moment: what was acknowledged stays, no lock stays, no file is left half
//! written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;

use crate::support::herd::{Dice, Herd, run_within, size};
use crate::support::{Run, TestEnv, program};

/// How many are killed before one looks what is left.
const BATCH: usize = 15;

/// How soon a command answers when nobody else is at work.
const SOON: Duration = Duration::from_secs(2);

struct Field {
    env: TestEnv,
    _more_ports: Vec<TestEnv>,
    repo: PathBuf,
    /// What was acknowledged and not asked back: the service and its port.
    acknowledged: BTreeMap<String, u64>,
    counter: usize,
}

/// One program about to be killed, and what its answer would mean.
struct Victim {
    command: Command,
    promises: Option<String>,
    takes_back: Option<String>,
    name: &'static str,
}

impl Field {
    fn new() -> Self {
        let mut env = TestEnv::new();
        let more: Vec<TestEnv> = (0..2).map(|_| TestEnv::new()).collect();
        let ranges: Vec<String> = std::iter::once(&env)
            .chain(&more)
            .enumerate()
            .map(|(index, block)| {
                format!("{}-{}", block.first, block.first + if index == 0 { 99 } else { 199 })
            })
            .collect();
        env.variables.push(("GIT_PORT_RANGES_DEV".to_owned(), ranges.join(",")));
        let repo = env.repo("shop");
        fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
        env.git(&repo, ["add", "."]);
        env.git(&repo, ["commit", "--quiet", "-m", "configured"]);
        env.ok(&repo, "hook install");
        let mut field = Self { env, _more_ports: more, repo, acknowledged: BTreeMap::new(), counter: 0 };
        field.env.ok(&field.repo, "allocate web api");
        for service in ["web", "api"] {
            let port = field.env.ok(&field.repo, &format!("get {service}")).trim().parse().unwrap();
            field.acknowledged.insert(service.to_owned(), port);
        }
        field
    }

    fn git_port(&self, words: &str) -> Command {
        let mut command = self.env.command(program(), &self.repo);
        command.args(words.split(' '));
        command
    }

    fn victim(&mut self, dice: &mut Dice) -> Victim {
        self.counter += 1;
        let number = self.counter;
        let plain = |command, name| Victim { command, promises: None, takes_back: None, name };
        // Worktrees that came of earlier commands, as material for later ones.
        let trees: Vec<String> = linked(&self.repo).iter().map(|path| path.display().to_string()).collect();
        let tree = trees.get(dice.below(trees.len().max(1))).cloned();
        match (dice.below(12), tree) {
            (0..=2, _) => {
                let service = format!("s{number}");
                let command = self.git_port(&format!("--json allocate {service}"));
                Victim { command, promises: Some(service), takes_back: None, name: "allocate" }
            }
            (3, _) => {
                let known = self.acknowledged.keys().find(|name| name.starts_with('s')).cloned();
                let service = known.unwrap_or_else(|| "nothing".to_owned());
                self.acknowledged.remove(&service);
                let command = self.git_port(&format!("release {service}"));
                Victim { command, promises: None, takes_back: Some(service), name: "release" }
            }
            (4, _) => plain(self.git_port("get web"), "get"),
            (5, Some(tree)) => {
                plain(self.git_port(&format!("worktree remove --force {tree}")), "worktree remove")
            }
            (6, Some(tree)) => {
                let to = self.env.root().join(format!("moved-{number}"));
                plain(self.git_port(&format!("worktree move {tree} {}", to.display())), "worktree move")
            }
            (7, _) => plain(self.git_port("cleanup"), "cleanup"),
            (8, _) => plain(self.git_port("watch --grace 0s --rescan 100ms"), "watch"),
            (9, _) => plain(self.git_port("run --service api -- sleep 0.02"), "run"),
            (10, _) if number.is_multiple_of(2) => {
                // The hook itself, in a tree that git has just made.
                let tree = self.env.root().join(format!("bare-{number}"));
                let (path, branch) = (tree.to_str().unwrap(), format!("n{number}"));
                let add =
                    ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "-b", &branch, path];
                self.env.git(&self.repo, add);
                let mut command = self.env.command(program(), &tree);
                command.args(["hook", "post-checkout", "0", "1", "1"]);
                plain(command, "hook")
            }
            (10, _) => {
                // The git that runs the hook.
                let mut command = self.env.command("git", &self.repo);
                command.args([
                    "worktree",
                    "add",
                    "-b",
                    &format!("h{number}"),
                    &format!("../hooked-{number}"),
                ]);
                plain(command, "git")
            }
            (11, _) if number.is_multiple_of(3) => {
                let dir = self.env.root().join(format!("fresh-{}", number % 7));
                if !dir.exists() {
                    self.env.repo(&format!("fresh-{}", number % 7));
                }
                let mut command = self.env.command(program(), &dir);
                command.arg("init");
                plain(command, "init")
            }
            _ => plain(self.git_port(&format!("worktree create c{number}")), "worktree create"),
        }
    }

    /// Starts a batch and kills it; returns how many were killed before they ended.
    fn batch(&mut self, dice: &mut Dice, usual: Duration) -> BTreeMap<&'static str, usize> {
        let mut herd = Herd::new();
        let mut victims = Vec::new();
        for _ in 0..BATCH {
            let mut victim = self.victim(dice);
            let starts_git = ["worktree", "git", "watch"].iter().any(|name| victim.name.starts_with(name));
            let lives = if starts_git { usual } else { usual / 3 };
            herd.start_and_kill(&mut victim.command, dice.moment(lives));
            victims.push(victim);
        }
        let mut killed = BTreeMap::new();
        for (ended, victim) in herd.end().into_iter().zip(victims) {
            assert!(!ended.run.stderr.contains("panicked"), "{}: {ended:#?}", victim.name);
            *killed.entry(victim.name).or_insert(0) += usize::from(ended.killed);
            if let Some(service) = victim.promises
                && let Ok(object) = serde_json::from_str::<Value>(&ended.run.stdout)
                && let Some(port) = object["allocations"][0]["port"].as_u64()
            {
                self.acknowledged.insert(service, port);
            } else if let Some(service) = victim.takes_back
                && ended.run.status == 0
                && !ended.killed
            {
                let listed = self.env.json(&self.repo, "list");
                let still =
                    listed["allocations"].as_array().unwrap().iter().any(|one| one["service"] == *service);
                assert!(!still, "'{service}' was released, and is there");
            }
        }
        killed
    }

    #[track_caller]
    fn is_whole(&mut self) {
        let listed = self.answers_soon("--json list --all").object();
        let live = listed["allocations"].as_array().unwrap();
        let mut ports: Vec<u64> = live.iter().map(|one| one["port"].as_u64().unwrap()).collect();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "a port has two owners: {ports:?}");
        for (service, port) in &self.acknowledged {
            let there = live.iter().any(|one| {
                one["service"] == **service
                    && one["port"] == *port
                    && one["worktree"].as_str() == self.repo.to_str()
            });
            assert!(there, "'{service}' was acknowledged with {port}, and is lost");
        }
        {
            let registry = Connection::open(self.env.registry()).unwrap();
            let answer: String = registry.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(answer, "ok");
        }
        let probe = self.answers_soon("allocate probe");
        assert_eq!(probe.status, 0, "{probe:#?}");
        self.copies_are_whole();
        let fsck =
            Run::of(self.env.command("git", &self.repo).args(["fsck", "--no-progress"]).output().unwrap());
        // A killed git leaves what it had of its own worktree; nobody else's may suffer.
        let complaints = fsck.stderr.lines().filter(|line| !line.contains("worktrees/hooked-"));
        assert_eq!(complaints.count(), 0, "{fsck:#?}");
        // A git that was killed while it wrote makes every other fail, until git-port clears that away.
        let list = || self.env.command("git", &self.repo).args(["worktree", "list"]).output().unwrap();
        if !list().status.success() {
            std::thread::sleep(Duration::from_secs(3));
            self.env.ok(&self.repo, "worktree create healed");
            self.env.ok(&self.repo, "worktree remove --force --delete-branch healed");
        }
        let _ = Run::of(list()).success();
        // What was recorded and not acknowledged is nobody's.
        for one in live {
            let service = one["service"].as_str().unwrap();
            if service.starts_with('s')
                && one["worktree"].as_str() == self.repo.to_str()
                && !self.acknowledged.contains_key(service)
                && service[1..].parse::<usize>().is_ok()
            {
                self.env.ok(&self.repo, &format!("release {service}"));
            }
        }
    }

    /// A lock that is stuck is stuck every time; a busy machine is slow once.
    #[track_caller]
    fn answers_soon(&self, words: &str) -> Run {
        let answer = (0..3).find_map(|_| {
            let since = Instant::now();
            let run = run_within(&mut self.git_port(words), SOON * 5)?;
            (since.elapsed() <= SOON).then_some(run)
        });
        answer.unwrap_or_else(|| panic!("'{words}' does not answer: a lock is stuck"))
    }

    #[track_caller]
    fn copies_are_whole(&self) {
        let git_dir = self.repo.join(".git");
        let mut copies = vec![git_dir.join("git-port/main.json")];
        copies.extend(admin_dirs(&self.repo).iter().map(|dir| dir.join("git-port.json")));
        for copy in copies {
            let Ok(text) = fs::read(&copy) else { continue };
            let read: Result<Value, _> = serde_json::from_slice(&text);
            assert!(read.is_ok(), "{}: {read:?}", copy.display());
        }
        let mut trees = linked(&self.repo);
        trees.push(self.repo.clone());
        for tree in trees {
            let Ok(text) = fs::read_to_string(tree.join(".git-port.env")) else { continue };
            let named = |name: &str| text.lines().any(|line| line.starts_with(name));
            let whole = text.ends_with('\n')
                && named("# worktree=")
                && named("PORT=")
                && named("GIT_PORT_ENVIRONMENT=");
            assert!(whole, "{}: {text}", tree.display());
            // Nor is anything left in the user's sight.
            let status = self.env.git(&tree, ["status", "--porcelain", "--untracked-files=all"]);
            assert!(!status.contains("git-port-"), "{}: {status}", tree.display());
        }
    }

    /// Takes away what a batch made, so that the next finds room.
    fn tidy(&self) {
        let listed = linked(&self.repo);
        for tree in listed.iter().skip(6) {
            let arguments = ["worktree", "remove", "--force", "--force", tree.to_str().unwrap()];
            let removed = Run::of(self.env.command("git", &self.repo).args(arguments).output().unwrap());
            if removed.status != 0 {
                fs::remove_dir_all(tree).unwrap();
            }
        }
        for admin_dir in admin_dirs(&self.repo) {
            // A killed git leaves its lock; `doctor` and git say so, this test only goes on.
            if fs::read_to_string(admin_dir.join("locked")).is_ok_and(|text| text.starts_with("initializing"))
            {
                fs::remove_file(admin_dir.join("locked")).unwrap();
            }
        }
        self.env.git(&self.repo, ["worktree", "prune"]);
        self.env.ok(&self.repo, "cleanup");
    }
}

fn admin_dirs(repo: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(repo.join(".git/worktrees")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The folders of linked worktrees that stand.
fn linked(repo: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = admin_dirs(repo)
        .iter()
        .filter_map(|dir| fs::read_to_string(dir.join("gitdir")).ok())
        .filter_map(|link| Path::new(link.trim_end()).parent().map(Path::to_owned))
        .filter(|path| path.join(".git").is_file())
        .collect();
    found.sort();
    found
}

#[test]
fn whatever_is_killed_nothing_acknowledged_is_lost() {
    let mut dice = Dice::new();
    let wanted = size(150, 5_000);
    let mut field = Field::new();
    let since = Instant::now();
    field.env.ok(&field.repo, "worktree create warm");
    // Ten at once take longer than one, on few cores.
    let usual = since.elapsed() * 2;
    let mut killed: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut started = 0;
    while killed.values().sum::<usize>() < wanted {
        for (name, count) in field.batch(&mut dice, usual) {
            *killed.entry(name).or_insert(0) += count;
        }
        started += BATCH;
        field.is_whole();
        field.tidy();
        assert!(started < wanted * 10, "hardly any is killed in time: {killed:?}");
    }
    println!(
        "{} of {started} killed: {killed:?}; {} acknowledged",
        killed.values().sum::<usize>(),
        field.acknowledged.len()
    );
}
