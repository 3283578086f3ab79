//! A PostgreSQL server of the tests' own: one for each test binary, a database for each test.
//!
//! It ends with the process that started it, however that ends: a shell waits for its standard input to be
//! closed and then stops the server.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use git_port::store::postgres::{Address, PostgresStore, Surroundings};
use rustix::process::{Pid, Signal, kill_process};

/// Whom the server runs as, if the tests run as root: it refuses to be root.
const NOBODY: u32 = 65534;

/// The password of the user who connects by TCP. It must never be seen anywhere.
pub const CANARY: &str = "canary:p@ss w/rd%";

/// A server.
pub struct Server {
    bin: PathBuf,
    /// Where the data and the socket are.
    pub folder: PathBuf,
    pub port: u16,
    /// The shell that stops the server when its input is closed.
    keeper: Child,
}

impl Server {
    /// Makes a server with these settings, and starts it.
    pub fn new(settings: &[(&str, &str)]) -> Self {
        let server = Self::unmade();
        let passwords = server.folder.join("password");
        fs::write(&passwords, CANARY).unwrap();
        own(&passwords);
        let data = server.data();
        let status = server
            .program("initdb")
            .args(["--no-sync", "--encoding=UTF8", "--no-locale", "--username=postgres"])
            .args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile"])
            .args([&passwords, Path::new("-D"), &data])
            .status()
            .unwrap();
        assert!(status.success(), "initdb failed");
        server.configure(settings);
        server.started()
    }

    /// Makes a standby of another server, which waits for it at each commit, and starts it.
    pub fn standby_of(primary: &Self, settings: &[(&str, &str)]) -> Self {
        let server = Self::unmade();
        let status = server
            .program("pg_basebackup")
            .args(["-R", "-X", "stream", "-c", "fast", "-U", "postgres", "-h"])
            .arg(&primary.folder)
            .args(["-p", &primary.port.to_string(), "-D"])
            .arg(server.data())
            .status()
            .unwrap();
        assert!(status.success(), "pg_basebackup failed");
        server.configure(settings);
        server.started()
    }

    fn unmade() -> Self {
        let folder = tempfile::Builder::new().prefix("git-port-pg-").tempdir().unwrap().keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        own(&folder);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let keeper = Command::new("true").spawn().unwrap();
        Self { bin: bin(), folder, port, keeper }
    }

    fn configure(&self, settings: &[(&str, &str)]) {
        let mut text = format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n\
             max_connections = 200\nfsync = off\nshared_buffers = 32MB\nlog_min_messages = warning\n\
             logging_collector = off\n",
            self.port,
            self.folder.display()
        );
        for (name, value) in settings {
            text.push_str(&format!("{name} = '{value}'\n"));
        }
        let file = self.data().join("postgresql.conf");
        let mut whole = fs::read_to_string(&file).unwrap();
        whole.push_str(&text);
        fs::write(&file, whole).unwrap();
    }

    fn started(mut self) -> Self {
        self.start();
        self
    }

    /// Starts the server, and waits until it answers.
    pub fn start(&mut self) {
        // The folder goes when nobody wants it any more. The shell asks how the server ended, or it would
        // seem to be there still, and the next would not start.
        let script = "exec 3<&0; \"$1\"/postgres -D \"$2\"/data >>\"$2\"/log 2>&1 3<&- & server=$!; \
            { read -r _ <&3; kill -INT \"$server\" 2>/dev/null; } & \
            wait \"$server\"; [ -e \"$2\"/kept ] || rm -rf \"$2\"";
        let mut keeper = Command::new("sh");
        keeper.args(["-c", script, "sh"]).arg(&self.bin).arg(&self.folder).stdin(Stdio::piped());
        as_nobody(&mut keeper);
        let _ = fs::remove_file(self.folder.join("kept"));
        self.keeper = keeper.spawn().unwrap();
        let since = Instant::now();
        while !self.answers() {
            assert!(since.elapsed() < Duration::from_mins(1), "the server does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        self.psql("postgres", "SELECT 1").is_ok()
    }

    /// Kills the server and all that belongs to it at once, and starts it again.
    pub fn kill_and_start(&mut self) {
        self.kill();
        self.start();
    }

    /// Kills the server, and keeps what it wrote.
    pub fn kill(&mut self) {
        let pid = self.pid();
        let children = children(pid);
        fs::write(self.folder.join("kept"), "").unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        self.keeper.wait().unwrap();
        // They notice that their parent is gone, and a server does not start beside them.
        let is_left = |pid: &i32| Path::new("/proc").join(pid.to_string()).join("exe").exists();
        while children.iter().any(is_left) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn pid(&self) -> i32 {
        let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        self.psql("postgres", "SELECT pg_promote(true, 30)").unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A program of the server's, run by whom the server runs as.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.current_dir("/");
        as_nobody(&mut command);
        command
    }

    fn statement(&self, database: &str, sql: &str) -> Command {
        let mut command = self.program("psql");
        command
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-h"])
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-c", sql]);
        command
    }

    /// Runs a statement and returns what it printed.
    pub fn psql(&self, database: &str, sql: &str) -> Result<String, String> {
        let output =
            self.statement(database, sql).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Makes a database.
    pub fn database(&self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        Database {
            drop: self.statement("postgres", &format!("DROP DATABASE {name} WITH (FORCE)")),
            url: self.url(&name),
            name,
        }
    }

    /// The URL of a database by its socket.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{}/{database}", self.port)
    }

    /// The URL of a database by TCP, without the password.
    pub fn tcp_url(&self, database: &Database) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{}", self.port, database.name)
    }
}

/// A database. It is gone when nobody uses it any more.
pub struct Database {
    pub name: String,
    url: String,
    drop: Command,
}

impl Database {
    /// Its URL, by the server's socket.
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.drop.status();
    }
}

/// Says whether every test is to have its registry in PostgreSQL.
pub fn is_wanted() -> bool {
    std::env::var_os("GIT_PORT_TESTS_REGISTRY").is_some_and(|registry| registry == "postgresql")
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Returns the server that the tests of this binary share; none where PostgreSQL is not installed.
pub fn shared() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| is_installed().then(|| Server::new(&[]))).as_ref()
}

/// Says whether there is a server to start. Where there must be, it is a failure if there is none.
pub fn is_installed() -> bool {
    let found = find_bin().is_some();
    assert!(
        found || std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_none(),
        "PostgreSQL is not installed (package postgresql)"
    );
    if !found {
        println!("ignored: PostgreSQL is not installed");
    }
    found
}

/// Returns the store at this URL.
pub fn store(url: &str, host: &str) -> PostgresStore {
    let around = Surroundings { variable: &|_| None, home: None, user: None };
    PostgresStore::new(Address::resolve(url, &around).unwrap(), host, Duration::from_secs(20))
}

fn bin() -> PathBuf {
    find_bin().unwrap()
}

fn find_bin() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    debian
        .into_iter()
        .rev()
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").is_file())
}

/// Returns the processes that this one has started.
fn children(parent: i32) -> Vec<i32> {
    let is_child = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_whitespace().nth(1) == Some(parent.to_string().as_str())
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_child).collect()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn own(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn as_nobody(command: &mut Command) {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}
