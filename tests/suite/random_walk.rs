//! A long random walk through all that is done to worktrees, by git-port, by plain git and by hand, beside
//! a small model that says what must hold after every step.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::herd::{Dice, Herd, size};
use crate::support::{Run, TestEnv, program};

#[derive(Clone, Debug)]
struct Tree {
    path: PathBuf,
    /// Every branch it was ever on; the last is the one it is on.
    branches: Vec<String>,
    port: u64,
    locked: bool,
    /// Its folder was deleted by hand.
    deleted: bool,
    extra: Option<u64>,
    /// It was locked before it was deleted, and is still.
    protected: bool,
    /// What its branch had last cannot be told.
    forgotten: bool,
}

struct Walk {
    env: TestEnv,
    repo: PathBuf,
    dice: Dice,
    trees: Vec<Tree>,
    /// The port a branch had last, where no clock was set back or far ahead since.
    had: HashMap<String, u64>,
    now: Timestamp,
    counter: usize,
    log: Vec<String>,
}

const MOST: usize = 14;

impl Walk {
    fn new() -> Self {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        fs::write(repo.join(".git-port.toml"), "[services.web]\n").unwrap();
        env.git(&repo, ["add", "."]);
        env.git(&repo, ["commit", "--quiet", "-m", "configured"]);
        env.ok(&repo, "hook install");
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        let mut walk = Self {
            env,
            repo,
            dice: Dice::new(),
            trees: Vec::new(),
            had: HashMap::new(),
            now,
            counter: 0,
            log: Vec::new(),
        };
        walk.set_time(now);
        walk
    }

    fn set_time(&mut self, now: Timestamp) {
        self.now = now;
        self.env.variables.retain(|(name, _)| name != "GIT_PORT_TIME");
        self.env.set("GIT_PORT_TIME", now);
    }

    fn run(&mut self, words: &str) -> Run {
        self.log.push(words.to_owned());
        self.env.git_port(&self.repo, words.split(' '))
    }

    #[track_caller]
    fn ok(&mut self, words: &str) -> String {
        let run = self.run(words);
        assert_eq!(run.status, 0, "{run:#?}");
        run.stdout
    }

    fn git(&mut self, words: &str) -> String {
        self.log.push(format!("git {words}"));
        self.env.git(&self.repo, words.split(' '))
    }

    fn fresh(&mut self) -> String {
        self.counter += 1;
        format!("b{}", self.counter)
    }

    /// One of the trees for which this holds.
    fn any(&mut self, of: impl Fn(&Tree) -> bool) -> Option<usize> {
        let fit: Vec<usize> = (0..self.trees.len()).filter(|index| of(&self.trees[*index])).collect();
        if fit.is_empty() { None } else { Some(*self.dice.pick(&fit)) }
    }

    fn find_web(&self, path: &Path) -> Option<u64> {
        let live = self.live();
        let mut own = live.iter().filter(|one| one["worktree"].as_str() == path.to_str());
        own.find(|one| one["service"] == "web")?["port"].as_u64()
    }

    fn web_of(&self, path: &Path) -> u64 {
        self.find_web(path).unwrap_or_else(|| panic!("'{}' has no port", path.display()))
    }

    fn arrived(&mut self, path: PathBuf, branch: String) {
        let port = self.web_of(&path);
        self.had.remove(&branch);
        self.trees.push(Tree {
            path,
            branches: vec![branch],
            port,
            locked: false,
            deleted: false,
            extra: None,
            protected: false,
            forgotten: false,
        });
    }

    /// A tree that is released: what its branch had is to come back.
    fn gone(&mut self, index: usize) {
        let tree = self.trees.remove(index);
        for branch in &tree.branches {
            self.had.remove(branch);
        }
        if let [branch] = tree.branches.as_slice()
            && !tree.forgotten
        {
            self.had.insert(branch.clone(), tree.port);
        }
    }

    fn create(&mut self) {
        let branch = self.fresh();
        self.ok(&format!("worktree create {branch}"));
        self.arrived(self.env.root().join(format!("shop-{branch}")), branch);
    }

    fn add(&mut self) {
        let branch = self.fresh();
        let path = self.env.root().join(format!("by-git-{branch}"));
        self.git(&format!("worktree add --quiet -b {branch} {}", path.display()));
        self.arrived(path, branch);
    }

    fn create_again(&mut self) {
        let mut known: Vec<String> = self.had.keys().cloned().collect();
        known.sort();
        if known.is_empty() {
            return;
        }
        let branch = self.dice.pick(&known).clone();
        let port = self.had[&branch];
        let taken = self.live().iter().any(|one| one["port"] == port);
        let path = self.env.root().join(format!("again-{}", self.fresh()));
        self.ok(&format!("worktree create {branch} {}", path.display()));
        self.arrived(path, branch);
        let got = self.trees.last().unwrap().port;
        assert!(taken || got == port, "its branch had {port}, it got {got}");
    }

    fn remove(&mut self, plain: bool) {
        let Some(index) = self.any(|tree| !tree.deleted && !tree.locked) else { return };
        let path = self.trees[index].path.display().to_string();
        if plain {
            self.git(&format!("worktree remove --force {path}"));
            self.ok("list");
        } else {
            self.ok(&format!("worktree remove --force {path}"));
        }
        self.gone(index);
    }

    fn delete_by_hand(&mut self) {
        let Some(index) = self.any(|tree| !tree.deleted) else { return };
        self.log.push(format!("rm -rf {}", self.trees[index].path.display()));
        fs::remove_dir_all(&self.trees[index].path).unwrap();
        self.trees[index].deleted = true;
        self.trees[index].protected = self.trees[index].locked;
    }

    fn rename(&mut self) {
        let Some(index) = self.any(|tree| !tree.deleted && !tree.locked) else { return };
        let from = self.trees[index].path.clone();
        let to = self.env.root().join(format!("moved-{}", self.fresh()));
        let (source, target) = (from.display().to_string(), to.display().to_string());
        match self.dice.below(4) {
            0 => drop(self.ok(&format!("worktree move {source} {target}"))),
            1 => drop(self.git(&format!("worktree move {source} {target}"))),
            way => {
                self.log.push(format!("mv {source} {target}; repair"));
                fs::rename(&from, &to).unwrap();
                if way == 3 {
                    // A look in between sees it missing, which is no reason yet.
                    self.ok("list");
                }
                self.env.git(&to, ["worktree", "repair"]);
            }
        }
        self.trees[index].path = to;
    }

    fn lock(&mut self) {
        let locks = self.dice.below(2) == 0;
        let Some(index) = self.any(|tree| tree.locked != locks) else { return };
        let word = if locks { "lock" } else { "unlock" };
        let path = self.trees[index].path.display().to_string();
        if self.dice.below(2) == 0 {
            self.ok(&format!("worktree {word} {path}"));
        } else {
            self.git(&format!("worktree {word} {path}"));
        }
        self.trees[index].locked = locks;
        self.trees[index].protected &= locks;
    }

    fn prune(&mut self) {
        if self.dice.below(2) == 0 {
            self.git("worktree prune");
            self.ok("list");
        } else {
            self.ok("worktree prune");
        }
        self.released_if_deleted();
    }

    fn cleanup(&mut self) {
        self.ok("cleanup");
        let live = self.live();
        for tree in self.trees.iter().filter(|tree| tree.deleted && !tree.locked) {
            let still = live.iter().any(|one| one["worktree"].as_str() == tree.path.to_str());
            assert!(!still, "cleanup left {tree:?}");
        }
        // git goes on knowing them until it prunes.
        self.git("worktree prune");
        self.released_if_deleted();
    }

    fn released_if_deleted(&mut self) {
        while let Some(index) = self.trees.iter().position(|tree| tree.deleted && !tree.locked) {
            self.gone(index);
        }
    }

    fn switch(&mut self) {
        let Some(index) = self.any(|tree| !tree.deleted) else { return };
        let branch = self.fresh();
        let path = self.trees[index].path.clone();
        self.log.push(format!("git -C {} switch -c {branch}", path.display()));
        self.env.git(&path, ["switch", "--quiet", "-c", &branch]);
        self.trees[index].branches.push(branch);
    }

    fn services(&mut self) {
        let Some(index) = self.any(|tree| !tree.deleted) else { return };
        let tree = self.trees[index].clone();
        let path = tree.path.display().to_string();
        match (self.dice.below(3), tree.extra) {
            (0, None) => {
                self.ok(&format!("-C {path} allocate extra"));
                let port = self.ok(&format!("-C {path} get extra")).trim().parse().unwrap();
                self.trees[index].extra = Some(port);
            }
            (1, Some(_)) => {
                self.ok(&format!("-C {path} release extra"));
                self.trees[index].extra = None;
            }
            _ => {
                self.ok(&format!("-C {path} allocate web --new"));
                let port = self.web_of(&tree.path);
                assert_ne!(port, tree.port, "it was to move");
                self.trees[index].port = port;
            }
        }
    }

    fn let_time_pass(&mut self) {
        let minutes = i64::try_from(self.dice.below(3 * 60)).unwrap();
        let days =
            if self.dice.below(8) == 0 { i64::try_from(self.dice.below(800)).unwrap() - 400 } else { 0 };
        // Thirty days later what was released is forgotten, step by step, too; and of two moments before
        // and after a clock was set back, nobody can say which was the later.
        if days != 0 || self.counter.is_multiple_of(50) {
            self.had.clear();
            for tree in &mut self.trees {
                tree.forgotten |= days != 0 || tree.deleted;
            }
        }
        let passed = SignedDuration::from_mins(minutes) + SignedDuration::from_hours(24 * days);
        let now = self.now.checked_add(passed).unwrap();
        let first: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        self.log.push(format!("time passes: {passed}"));
        self.set_time(now.max(first));
    }

    fn watch(&mut self) {
        self.log.push("watch".to_owned());
        let mut herd = Herd::new();
        let mut command = self.env.command(program(), &self.repo);
        command.args(["watch", "--grace", "1s", "--rescan", "200ms"]);
        herd.start(&mut command);
        let since = Instant::now();
        let branch = self.fresh();
        let path = self.env.root().join(format!("watched-{branch}"));
        self.env.git(&self.repo, ["worktree", "add", "--quiet", "-b", &branch, path.to_str().unwrap()]);
        // Whoever sees it first gives it its port; the hook does not wait for the watcher.
        while self.find_web(&path).is_none() && since.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.arrived(path, branch);
        std::thread::sleep(Duration::from_millis(400).saturating_sub(since.elapsed()));
    }

    fn live(&self) -> Vec<Value> {
        let listed = self.env.json(&self.repo, "list --all");
        listed["allocations"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
    }

    fn step(&mut self) {
        let full = self.trees.len() >= MOST;
        match self.dice.below(40) {
            0..=3 if !full => self.create(),
            4..=6 if !full => self.add(),
            7..=9 if !full => self.create_again(),
            10..=12 => self.remove(false),
            13 | 14 => self.remove(true),
            15 | 16 => self.delete_by_hand(),
            17..=19 => self.rename(),
            20..=22 => self.lock(),
            23 => self.prune(),
            24 | 25 => self.switch(),
            26..=29 => self.services(),
            30..=33 => self.let_time_pass(),
            34 | 35 => self.cleanup(),
            36 if !full => self.watch(),
            _ => drop(self.ok("list")),
        }
    }

    fn holds(&self) {
        let live = self.live();
        let mut ports: Vec<u64> = live.iter().map(|one| one["port"].as_u64().unwrap()).collect();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "a port has two owners: {ports:?}");
        for tree in self.trees.iter().filter(|tree| !tree.deleted || tree.protected) {
            let has = |service: &str, port: u64| {
                live.iter().any(|one| {
                    one["service"] == *service
                        && one["port"] == port
                        && one["worktree"].as_str() == tree.path.to_str()
                })
            };
            assert!(has("web", tree.port), "{tree:?} lost its port: {live:#?}");
            assert!(
                tree.extra.is_none_or(|port| has("extra", port)),
                "{tree:?} lost its other port: {live:#?}"
            );
            if !tree.deleted {
                let text = fs::read_to_string(tree.path.join(".git-port.env")).unwrap();
                assert!(text.lines().any(|line| line == format!("PORT={}", tree.port)), "{tree:?}: {text}");
            }
        }
        for one in &live {
            let path = one["worktree"].as_str();
            let known =
                self.trees.iter().any(|tree| tree.path.to_str() == path) || path == self.repo.to_str();
            assert!(known, "a port is promised to nobody: {one:#}");
        }
    }
}

/// When it panics, what was done stands above the message.
impl Drop for Walk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let last = self.log.len().saturating_sub(60);
            println!(
                "seed {}, after {} steps:\n{}",
                self.dice.seed,
                self.log.len(),
                self.log[last..].join("\n")
            );
        }
    }
}

#[test]
fn whatever_is_done_to_worktrees_they_keep_their_ports() {
    let mut walk = Walk::new();
    for _ in 0..size(150, 5_000) {
        walk.step();
        walk.holds();
    }
    println!("{} worktrees made, {} left", walk.counter, walk.trees.len());
}
