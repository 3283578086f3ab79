//! A repository with a worktree that something happens to, and ways of looking at it afterwards.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::server::Server;
use crate::support::watcher::Watcher;
use crate::support::{GIT_PORT, Run, TestEnv};

/// A user who owns nothing else on this machine.
const NOBODY: u32 = 65_534;

/// What is under test, and all that it needs.
pub struct Lab {
    pub env: TestEnv,
    /// The main worktree.
    pub repo: PathBuf,
    /// The linked one.
    pub tree: PathBuf,
    /// Where the lazy look is taken from.
    pub from: PathBuf,
    /// The ports of both.
    pub main_port: u16,
    pub tree_port: u16,
    /// What stands before the program in each look.
    looker: Vec<OsString>,
    namespace: Option<Namespace>,
    /// Servers that listen.
    pub servers: Vec<Server>,
    closed: Vec<PathBuf>,
}

/// A mount namespace of its own, which ends with the process that holds it.
struct Namespace(Child);

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for folder in &self.closed {
            let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
        }
    }
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

impl Lab {
    /// Makes the main worktree only.
    pub fn new() -> Self {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        let tree = env.root().join("work/topic");
        fs::create_dir(env.root().join("work")).unwrap();
        Self {
            from: repo.clone(),
            env,
            repo,
            tree,
            main_port: 0,
            tree_port: 0,
            looker: Vec::new(),
            namespace: None,
            servers: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// Has everything from now on happen in a mount namespace of its own. False if that is not allowed.
    pub fn isolate(&mut self) -> bool {
        let mut command = Command::new("unshare");
        // It reads its standard input, so it ends when this process ends.
        command.args(["-m", "--propagation", "private", "sh", "-c", "echo ready; exec cat"]);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut child) = spawned else { return false };
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line);
        self.namespace = Some(Namespace(child));
        line == "ready\n" && Run::of(self.command("true", Path::new("/")).output().unwrap()).status == 0
    }

    /// A command where everything happens.
    pub fn command(&self, program: &str, dir: &Path) -> Command {
        self.prefixed(&[], program, dir)
    }

    fn prefixed(&self, prefix: &[OsString], program: &str, dir: &Path) -> Command {
        let mut words: Vec<OsString> = Vec::new();
        if let Some(Namespace(holder)) = &self.namespace {
            words.extend(["nsenter", "-m", "-t"].map(OsString::from));
            words.push(holder.id().to_string().into());
            // One enters it at its root, and the folder may be another one there.
            words.extend(["sh", "-c", r#"cd "$1" && shift && exec "$@""#, "sh"].map(OsString::from));
            words.push(dir.into());
        }
        words.extend_from_slice(prefix);
        words.push(program.into());
        let mut words = words.into_iter();
        let first = words.next().unwrap();
        let start = if self.namespace.is_some() { Path::new("/") } else { dir };
        let mut command = self.env.command(first.to_str().unwrap(), start);
        command.args(words);
        command
    }

    /// Runs a program where everything happens; it must succeed.
    #[track_caller]
    pub fn run(&self, dir: &Path, words: &str) -> String {
        let mut words = words.split_whitespace();
        let mut command = self.command(words.next().unwrap(), dir);
        Run::of(command.args(words).output().unwrap()).success().stdout
    }

    /// Runs git in the repository; it must succeed.
    #[track_caller]
    pub fn git(&self, words: &str) {
        let _ = self.run(&self.repo, &format!("git {words}"));
    }

    /// Makes the worktree, and gives both worktrees their ports.
    pub fn populate(&mut self) {
        self.git(&format!("worktree add -q {}", self.tree.display()));
        self.give_ports();
    }

    pub fn give_ports(&mut self) {
        let port = |dir: &Path| self.run(dir, &format!("{GIT_PORT} get")).trim().parse().unwrap();
        let (main, tree) = (port(&self.repo), port(&self.tree));
        (self.main_port, self.tree_port) = (main, tree);
    }

    /// The worktree's administrative directory.
    pub fn admin(&self) -> PathBuf {
        self.repo.join(".git/worktrees/topic")
    }

    /// Looks from now on as a user who owns everything that is there, and may do nothing else.
    pub fn step_down(&mut self) {
        if is_root() {
            give_away(&self.env.root());
            self.look_with(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
    }

    /// Takes a folder away from whoever looks.
    pub fn close(&mut self, folder: &Path) {
        if is_root() {
            lchown(folder, Some(0), Some(0)).unwrap();
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o000)).unwrap();
        self.closed.push(folder.to_owned());
    }

    /// Puts these words before the program in each look.
    pub fn look_with(&mut self, words: &[&str]) {
        self.looker = words.iter().map(OsString::from).collect();
    }

    /// Has every look at this very path fail so.
    pub fn look_failing(&mut self, error: &str, path: &str) {
        let inject = format!("inject=%file,getdents64:error={error}");
        self.look_with(&["strace", "-f", "-qq", "-o", "/dev/null", "-P", path, "-e", &inject]);
    }

    /// Says whether there is such a program.
    pub fn has(&self, program: &str) -> bool {
        let version = self.env.command(program, Path::new("/")).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    }

    /// The port of one of the two worktrees.
    pub fn port(&self, whose: super::Whose) -> u16 {
        match whose {
            super::Whose::Main => self.main_port,
            super::Whose::Tree => self.tree_port,
        }
    }

    /// Looks with this command, whose answer is returned.
    #[track_caller]
    pub fn look(&self, dir: &Path, words: &str) -> Value {
        let mut command = self.prefixed(&self.looker, GIT_PORT, dir);
        command.arg("--json").args(words.split_whitespace());
        Run::of(command.output().unwrap()).object()
    }

    /// Looks with a watch.
    pub fn watch(&self) -> Watcher {
        let mut command = self.prefixed(&self.looker, GIT_PORT, &self.env.root());
        command.args(["--json", "watch", "--grace", "200ms", "--rescan", "1s"]);
        Watcher::start(command)
    }

    /// Says whether the port is still the one of a live allocation.
    #[track_caller]
    pub fn is_live(&self, port: u16) -> bool {
        // Outside of every repository, so that nothing is looked at in passing.
        let listed = self.look(&self.env.root(), "list --all");
        let allocations = listed["allocations"].as_array().unwrap_or_else(|| panic!("{listed}"));
        allocations.iter().any(|allocation| allocation["port"] == port)
    }

    /// Makes another repository with a worktree, for a watch to notice the end of.
    pub fn canary(&self) -> (PathBuf, u16) {
        let repo = self.env.repo("other");
        let tree = self.env.root().join("canary");
        self.env.git(&repo, ["worktree", "add", "-q", tree.to_str().unwrap()]);
        let port = self.env.ok(&tree, "get").trim().parse().unwrap();
        (tree, port)
    }
}

/// Gives a folder and all that is in it to another user; what cannot be read is left out.
fn give_away(path: &Path) {
    let _ = lchown(path, Some(NOBODY), Some(NOBODY));
    if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            give_away(&entry.path());
        }
    }
}
