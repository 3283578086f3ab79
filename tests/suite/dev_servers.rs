//! Real dev servers from npm, up at the same time in several worktrees.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::TestEnv;

/// Installs the packages of a fixture once, and returns the folder; none if there is no npm here.
fn installed(fixture: &str) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm").join(fixture);
    if target.join("node_modules/.bin").exists() {
        return Some(target);
    }
    fs::create_dir_all(&target).unwrap();
    fs::copy(source.join("package.json"), target.join("package.json")).unwrap();
    let npm = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"])
        .current_dir(&target)
        .stdin(Stdio::null())
        .status();
    if npm.is_ok_and(|status| status.success()) {
        return Some(target);
    }
    assert!(
        std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_none(),
        "npm is missing, or could not install {fixture}"
    );
    println!("ignored: npm is missing, or could not install {fixture}");
    None
}

fn copy(from: &Path, to: &Path) {
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

/// A server in a process group of its own, which ends with it.
struct Server(Child);

impl Server {
    fn start(env: &TestEnv, dir: &Path, line: &str) -> Self {
        let mut command = env.command("sh", dir);
        let log = fs::File::create(dir.join("server.log")).unwrap();
        command.args(["-c", line]).process_group(0).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// Asks until a server answers, and returns what it said.
fn fetch(url: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let started = Instant::now();
    loop {
        let answer = TcpStream::connect(address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            write!(stream, "GET / HTTP/1.0\r\nHost: {address}\r\nAccept: text/html\r\n\r\n")?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok(text)
        });
        match answer {
            Ok(text) if !text.is_empty() => return text,
            _ if started.elapsed() > Duration::from_mins(1) => panic!("nothing answers at {url}"),
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

#[test]
fn two_worktrees_of_a_vite_app_serve_at_the_same_time() {
    let Some(packages) = installed("vite-app") else { return };
    let env = TestEnv::new();
    let app = env.root().join("app");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vite-app"), &app);
    fs::write(app.join(".gitignore"), "node_modules\nserver.log\n").unwrap();
    env.git(&app, ["init", "--quiet"]);
    env.git(&app, ["add", "."]);
    env.git(&app, ["commit", "--quiet", "-m", "app"]);
    env.ok(&app, "init");
    env.git(&app, ["add", "."]);
    env.git(&app, ["commit", "--quiet", "-m", "ports"]);

    // One worktree by git-port, one by plain git through the hook.
    let created = env.json(&app, "worktree create feature-a");
    let one = env.root().join("app-feature-a");
    let two = env.root().join("plain");
    env.git(&app, ["worktree", "add", "--quiet", "-b", "plain", two.to_str().unwrap()]);
    for top in [&one, &two] {
        std::os::unix::fs::symlink(packages.join("node_modules"), top.join("node_modules")).unwrap();
    }
    let port_of = |top: &Path| env.ok(top, "get --no-allocate").trim().parse::<u16>().unwrap();
    assert_ne!(port_of(&one), port_of(&two));

    let usage = created["use"].as_str().unwrap().to_owned();
    assert_eq!(usage, format!("PORT={0} npm run dev -- --port {0} --strictPort", port_of(&one)));
    let line = format!("npm run dev -- --port {} --strictPort", port_of(&two));
    let servers = [Server::start(&env, &one, &usage), Server::start(&env, &two, &line)];
    for top in [&one, &two] {
        let answer = fetch(env.ok(top, "url").trim());
        assert!(answer.contains("<title>vite-app</title>"), "{answer}");
    }

    // While its server runs, the port of a removed worktree is kept; afterwards it is released.
    fs::remove_dir_all(&one).unwrap();
    let kept = env.json(&app, "cleanup --dry-run");
    assert_eq!(kept["released"].as_array().unwrap().len(), 0);
    assert_eq!(kept["kept"][0]["allocation"]["worktree"], one.to_str().unwrap());
    drop(servers);
    let planned = env.json(&app, "cleanup --dry-run");
    assert_eq!(planned["released"].as_array().unwrap().len(), 1, "{planned}");
    assert_eq!(env.json(&app, "cleanup")["released"][0]["branch"], "feature-a");
    let left = env.json(&app, "list --all");
    assert_eq!(left["allocations"].as_array().unwrap().len(), 2, "main and plain keep theirs: {left}");
}
