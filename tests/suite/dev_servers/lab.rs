//! Real programs from npm and `PyPI`, installed once, and an application with two worktrees that share them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::TestEnv;
use crate::support::running::{Running, wait_for, wait_long_for};
use crate::support::server::Server;

/// How the line begins that tells of a server that listens elsewhere.
pub const WARNING: &str = "warning: it listens on ";

/// How long a large server may take for its first page.
const COLD: Duration = Duration::from_mins(4);

/// What newer servers ask of node: the first and the second number of its version.
const NODE: (u32, u32) = (22, 19);

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn is_complete() -> bool {
    std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_some_and(|set| set == "1")
}

/// Says whether the tests that take minutes are wanted.
pub fn is_long(what: &str) -> bool {
    let long = crate::support::herd::is_long();
    if !long {
        println!("ignored: {what} takes long; GIT_PORT_TESTS_LONG=1 runs it");
    }
    long
}

fn missing(what: &str) {
    crate::support::herd::ignored_for_want_of(what);
}

/// Fills a folder once, in whichever test or test process comes first; none where that fails.
fn once(folder: PathBuf, list: &Path, fill: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let wanted = fs::read(list).unwrap();
    let filled = folder.join("filled");
    if fs::read(&filled).ok().as_ref() == Some(&wanted) {
        return Some(folder);
    }
    if !fill(&folder) {
        return None;
    }
    fs::write(filled, wanted).unwrap();
    Some(folder)
}

/// Installs the npm packages of a fixture, and returns the folder; none if there is no npm here.
pub fn npm(name: &str) -> Option<PathBuf> {
    let list = fixture(name).join("package.json");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm").join(name);
    let installed = once(folder, &list, |folder| {
        fs::copy(&list, folder.join("package.json")).unwrap();
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    if installed.is_none() {
        missing(&format!("npm, or what it installs for {name},"));
    }
    installed
}

/// Installs the Python packages of a fixture, and returns the folder of their programs.
pub fn python(name: &str) -> Option<PathBuf> {
    let list = fixture(name).join("requirements.txt");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python").join(name);
    let installed = once(folder, &list, |folder| {
        let succeeds = |command: &mut Command| command.status().is_ok_and(|status| status.success());
        let venv = folder.join("venv");
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv))
            && succeeds(
                Command::new(venv.join("bin/python"))
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                    .arg(&list),
            )
    });
    if installed.is_none() {
        missing(&format!("python3, or what pip installs for {name},"));
    }
    installed.map(|folder| folder.join("venv/bin"))
}

/// Returns the folder of a node that is new enough for all: this machine's, or one from npm.
pub fn node() -> Option<PathBuf> {
    let version = Command::new("node").arg("--version").output().ok()?.stdout;
    let version = String::from_utf8_lossy(&version).trim().trim_start_matches('v').to_owned();
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    if numbers.next().zip(numbers.next()).is_some_and(|version| version >= NODE) {
        // The first on PATH, and so a folder that changes nothing.
        return Some(fixture("node"));
    }
    Some(npm("node")?.join("node_modules/.bin"))
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// How the packages come into a worktree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Packages {
    /// By a link to the one folder.
    Linked,
    /// As a tree of their own: some bundlers follow no link out of the worktree.
    Copied,
}

/// A repository made of a fixture, with a worktree `one` and a worktree `two`.
pub struct App {
    pub env: TestEnv,
    pub trees: [PathBuf; 2],
}

impl App {
    /// Makes the repository and its worktrees; the programs in `bin` come first on PATH.
    pub fn new(name: &str, bin: &Path) -> Self {
        let mut env = TestEnv::new();
        let git_port = Path::new(crate::support::GIT_PORT).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = [bin.to_path_buf(), git_port].into_iter().chain(std::env::split_paths(&path));
        let path = std::env::join_paths(paths).unwrap().into_string().unwrap();
        for (name, value) in [
            ("PATH", path.as_str()),
            ("CI", "1"),
            ("NEXT_TELEMETRY_DISABLED", "1"),
            ("ASTRO_TELEMETRY_DISABLED", "1"),
            ("NUXT_TELEMETRY_DISABLED", "1"),
            ("NG_CLI_ANALYTICS", "false"),
            ("STORYBOOK_DISABLE_TELEMETRY", "1"),
            ("TURBO_TELEMETRY_DISABLED", "1"),
            ("WRANGLER_SEND_METRICS", "false"),
            ("NPM_CONFIG_UPDATE_NOTIFIER", "false"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ] {
            env.variables.push((name.to_owned(), value.to_owned()));
        }
        let top = env.root().join("app");
        copy(&fixture(name), &top);
        fs::write(
            top.join(".gitignore"),
            "node_modules\n.next\n.nuxt\n.astro\n.angular\n.turbo\n.wrangler\n",
        )
        .unwrap();
        env.git(&top, ["init", "--quiet"]);
        env.git(&top, ["add", "."]);
        env.git(&top, ["commit", "--quiet", "-m", "app"]);
        let trees = ["one", "two"].map(|branch| {
            PathBuf::from(env.ok(&top, &format!("worktree create {branch} --print-path")).trim())
        });
        Self { env, trees }
    }

    /// Makes it with the packages of npm in each worktree.
    pub fn with_node_modules(name: &str, packages: Packages) -> Option<Self> {
        let modules = npm(name)?.join("node_modules");
        let app = Self::new(name, &node()?);
        for tree in &app.trees {
            let here = tree.join("node_modules");
            if packages == Packages::Linked {
                std::os::unix::fs::symlink(&modules, here).unwrap();
                continue;
            }
            // Hard links are quick; to another disk there are none.
            let copies = |how: &str| Command::new("cp").arg(how).arg(&modules).arg(&here).output().unwrap();
            if !copies("-al").status.success() {
                let _ = fs::remove_dir_all(&here);
                assert!(copies("-a").status.success());
            }
        }
        Some(app)
    }

    /// Takes what a template prints into both worktrees.
    pub fn takes_in(&self, template: &str, put: impl Fn(&Path, &str)) {
        for tree in &self.trees {
            put(tree, &self.env.ok(tree, &format!("template {template}")));
        }
    }

    /// Runs the server in both worktrees at once: each answers on its own port, is known, and ends.
    pub fn serves(&self, command: &str, page: &str) {
        self.serves_with(&["-v", "--"], command, page, false);
    }

    /// The same, with nothing but the variables: what tells the server its port is its own configuration.
    pub fn serves_by_itself(&self, command: &str, page: &str) {
        self.serves_with(&["-v", "--no-flags", "--"], command, page, false);
    }

    /// The same, one server after the other: some choose more ports of their own, and two that start in the
    /// same moment choose the same.
    pub fn serves_by_itself_in_turn(&self, command: &str, page: &str) {
        self.serves_with(&["-v", "--no-flags", "--"], command, page, true);
    }

    fn serves_with(&self, options: &[&str], command: &str, page: &str, in_turn: bool) {
        let mut servers = self.trees.each_ref().map(|tree| {
            let server = Running::start(&self.env, tree, options.iter().copied().chain(command.split(' ')));
            if in_turn {
                fetch(self.env.ok(tree, "url").trim(), page, &server);
            }
            server
        });
        for (tree, server) in self.trees.iter().zip(&mut servers) {
            fetch(self.env.ok(tree, "url").trim(), page, server);
            server.says("listening on http://");
            assert!(!server.log().contains(WARNING), "{}", server.log());
        }
        let ports: Vec<Value> = self.trees.iter().map(|tree| self.state(tree)["port"].clone()).collect();
        assert_ne!(ports[0], ports[1]);
        for tree in &self.trees {
            let seen = self.state(tree);
            assert_eq!((&seen["state"], &seen["status"]), (&"active".into(), &"active".into()), "{seen}");
            assert!(seen["process"]["pid"].is_u64() && seen["process"]["name"].is_string(), "{seen}");
        }
        let mut statuses = Vec::new();
        for (tree, server) in self.trees.iter().zip(&mut servers) {
            server.signal(Signal::TERM);
            statuses.push(server.status());
            wait_for("what it started to end", || (!server.has_left_something()).then_some(()));
            // A large one that is killed keeps its socket for a moment after it is nobody's process.
            wait_for("its port to be free", || {
                let seen = self.state(tree);
                (seen["state"] == "allocated" && seen["status"] == "allocated").then_some(())
            });
        }
        println!("{command}: ended with {statuses:?}; {}", servers[0].log().lines().next().unwrap_or("-"));
    }

    /// Runs the server while its port is taken, by a process of its worktree for which a run is not refused:
    /// it ends, or it is told that it went elsewhere.
    pub fn keeps_to_its_port(&self, command: &str, is_strict: bool) {
        self.keeps_to_its_port_with(&["--"], command, is_strict);
    }

    /// The same, with nothing but the variables.
    pub fn keeps_to_its_port_by_itself(&self, command: &str, is_strict: bool) {
        self.keeps_to_its_port_with(&["--no-flags", "--"], command, is_strict);
    }

    fn keeps_to_its_port_with(&self, options: &[&str], command: &str, is_strict: bool) {
        let tree = &self.trees[0];
        let _server = Server::start(tree, &format!("[::]:{}", self.state(tree)["port"]));
        let mut run = Running::start(&self.env, tree, options.iter().copied().chain(command.split(' ')));
        if is_strict {
            assert_ne!(run.status(), 0, "{}", run.log());
            assert!(!run.log().contains(WARNING), "{}", run.log());
        } else {
            run.says(WARNING);
        }
    }

    pub fn state(&self, tree: &Path) -> Value {
        self.env.json(tree, "list --worktree")["allocations"][0].clone()
    }
}

/// Asks until the server answers with its page.
pub fn fetch(url: &str, page: &str, server: &Running) -> String {
    let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut last = String::new();
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        write!(stream, "GET / HTTP/1.0\r\nHost: {address}\r\nAccept: text/html\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        std::io::Result::Ok(text)
    };
    wait_long_for(&format!("{page} at {url}"), COLD, || {
        last = ask().unwrap_or_else(|error| error.to_string());
        assert!(!server.has_ended(), "it ended: {}", server.log());
        last.contains(page).then(|| last.clone())
    })
}
