//! What every test of the program stands on: a home of its own, a git of its own, ports of its own.

#[cfg(target_os = "linux")]
pub mod browser;
#[cfg(unix)]
pub mod herd;
#[cfg(target_os = "linux")]
pub mod page;
#[cfg(unix)]
pub mod postgres;
#[cfg(unix)]
pub mod running;
pub mod server;
pub mod shape;
#[cfg(target_os = "linux")]
pub mod watcher;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{Ipv6Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

/// The program under test.
pub const GIT_PORT: &str = env!("CARGO_BIN_EXE_git-port");

/// Returns the program that the long tests run: what `GIT_PORT_TEST_PROGRAM` names, as a release build.
pub fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::var("GIT_PORT_TEST_PROGRAM").unwrap_or_else(|_| GIT_PORT.to_owned()))
}

/// How many neighbouring ports each environment of tests has: 100 for dev, 50 for test, 50 for production.
const BLOCK: u16 = 200;

/// An empty home with a git configuration, and a block of ports that nobody listens on.
pub struct TestEnv {
    root: TempDir,
    /// The first port of `dev`; `dev` has 100, then `test` and `production` have 50 each.
    pub first: u16,
    _claim: File,
    /// The registry, where it is not the usual file.
    #[cfg(unix)]
    database: Option<postgres::Database>,
    /// More variables for every program that is started.
    pub variables: Vec<(String, String)>,
}

/// What a program did.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl TestEnv {
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("git-port-test-").tempdir().unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        let (first, claim) = free_block();
        #[cfg(unix)]
        let database = postgres::is_wanted().then(|| postgres::shared().unwrap().database());
        let env = Self {
            root,
            first,
            _claim: claim,
            variables: Vec::new(),
            #[cfg(unix)]
            database,
        };
        let config = "[user]\n\tname = A Tester\n\temail = tester@example.org\n\
            [init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n[commit]\n\tgpgSign = false\n";
        fs::write(env.home().join(".gitconfig"), config).unwrap();
        env
    }

    /// The folder everything is in, without symbolic links.
    pub fn root(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// Where the registry is unless a test says otherwise.
    pub fn registry(&self) -> PathBuf {
        self.home().join(".local/state/git-port/registry.db")
    }

    /// A port of the `dev` block, counted from its first.
    pub fn port(&self, index: u16) -> u16 {
        self.first + index
    }

    /// Sets a variable for every program that is started from now on.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.variables.push((name.to_owned(), value.to_string()));
    }

    /// A program with nothing of this machine's user in its environment.
    pub fn command(&self, program: &str, dir: &Path) -> Command {
        let first = self.first;
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bin = Path::new(self::program()).parent().unwrap();
        let paths = std::iter::once(bin.to_path_buf()).chain(std::env::split_paths(&path));
        command
            .current_dir(dir)
            .env_clear()
            .env("PATH", std::env::join_paths(paths).unwrap())
            .env("HOME", self.home())
            .env("USER", "tester")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", self.home().join(".gitconfig"))
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
            .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
            .env("GIT_PORT_RANGES_DEV", format!("{first}-{}", first + 99))
            .env("GIT_PORT_RANGES_TEST", format!("{}-{}", first + 100, first + 149))
            .env("GIT_PORT_RANGES_PRODUCTION", format!("{}-{}", first + 150, first + 199))
            .stdin(Stdio::null());
        #[cfg(unix)]
        if let Some(database) = &self.database {
            command.env("GIT_PORT_REGISTRY", database.url());
        }
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Runs `git-port` in this folder.
    #[must_use = "look at the status or the output"]
    pub fn git_port<S: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = S>) -> Run {
        Run::of(self.command(program(), dir).args(args).output().unwrap())
    }

    /// Runs `git-port` in this folder with these words, and returns what it printed; it must succeed.
    pub fn ok(&self, dir: &Path, words: &str) -> String {
        self.git_port(dir, words.split_whitespace()).success().stdout
    }

    /// Runs `git-port --json` with these words and returns the object, whatever the status.
    pub fn json(&self, dir: &Path, words: &str) -> serde_json::Value {
        let run = self.git_port(dir, std::iter::once("--json").chain(words.split_whitespace()));
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error} in {run:?}"))
    }

    /// The ports of the allocations that `list` shows with these words.
    pub fn listed(&self, dir: &Path, words: &str) -> Vec<u64> {
        let object = self.json(dir, &format!("list {words}"));
        let allocations = object["allocations"].as_array().unwrap_or_else(|| panic!("{object}"));
        allocations.iter().map(|allocation| allocation["port"].as_u64().unwrap()).collect()
    }

    /// The one allocation that these words are answered with.
    pub fn one(&self, dir: &Path, words: &str) -> serde_json::Value {
        let object = self.json(dir, words);
        let allocations = object["allocations"].as_array().unwrap_or_else(|| panic!("{object}"));
        assert_eq!(allocations.len(), 1, "{object}");
        allocations[0].clone()
    }

    /// Everything the registry holds, to tell whether a command changed it.
    pub fn books(&self) -> [serde_json::Value; 3] {
        let root = self.root();
        ["list --all --released", "range list", "history --limit 1000"].map(|words| self.json(&root, words))
    }

    /// Runs git in this folder; it must succeed.
    pub fn git<S: AsRef<OsStr>>(&self, dir: &Path, args: impl IntoIterator<Item = S>) -> String {
        Run::of(self.command("git", dir).args(args).output().unwrap()).success().stdout
    }

    /// Makes a repository of this name with one commit.
    pub fn repo(&self, name: &str) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir_all(&path).unwrap();
        self.git(&path, ["init", "--quiet"]);
        fs::write(path.join("README"), "a project\n").unwrap();
        self.git(&path, ["add", "."]);
        self.git(&path, ["commit", "--quiet", "-m", "first"]);
        path
    }
}

impl Run {
    #[must_use = "look at the status or the output"]
    pub fn of(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn success(self) -> Self {
        self.exits_with(0)
    }

    #[track_caller]
    pub fn exits_with(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// The object that was printed.
    #[track_caller]
    pub fn object(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// Finds neighbouring ports that are free on every address, below every ephemeral range and beside every
/// port that is avoided. They are this test's alone, among all test processes, as long as the file is open.
fn free_block() -> (u16, File) {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let slots = (32_000 - 10_200) / BLOCK;
    let start = u16::try_from(std::process::id() % u32::from(slots)).unwrap();
    let folder = std::env::temp_dir().join("git-port-tests");
    fs::create_dir_all(&folder).unwrap();
    loop {
        let slot = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % slots;
        let first = 10_200 + slot * BLOCK;
        let avoided = git_port::registry::avoided::table();
        if avoided.iter().any(|(from, to, _)| *from < first + BLOCK && *to >= first) {
            continue;
        }
        let claim = File::create(folder.join(slot.to_string())).unwrap();
        let is_ours = claim.try_lock().is_ok();
        if is_ours
            && (first..first + BLOCK).all(|port| TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok())
        {
            return (first, claim);
        }
    }
}
