//! An agent's session in a sandbox: neither the home nor `.git` can be written, and later not even read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::herd::ignored_for_want_of;
use crate::support::{GIT_PORT, Run, TestEnv};

const NOBODY: u32 = 65534;

/// A repository and a worktree that have their ports, handed to a user who may write nothing but the worktree.
struct Sandbox {
    env: TestEnv,
    /// The worktree the agent works in.
    top: PathBuf,
    /// The program, where that user may run it.
    program: PathBuf,
    root: bool,
}

fn each(path: &Path, act: &dyn Fn(&Path)) {
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            each(&entry.unwrap().path(), act);
        }
    }
    act(path);
}

fn set_mode(path: &Path, mode: u32) {
    if !path.is_symlink() {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Sandbox {
    fn new() -> Option<Self> {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
        env.git(&repo, ["add", "."]);
        env.git(&repo, ["commit", "--quiet", "-m", "services"]);
        let top = PathBuf::from(env.ok(&repo, "worktree create topic --print-path").trim());
        let program = env.root().join("git-port");
        fs::copy(GIT_PORT, &program).unwrap();
        let id = Command::new("id").arg("-u").output().unwrap();
        let root = id.stdout == b"0\n";
        if root {
            each(&env.root(), &|path| std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap());
            chown(&program, Some(0), Some(0)).unwrap();
        }
        for closed in [env.home(), repo.join(".git")] {
            each(&closed, &|path| set_mode(path, if path.is_dir() { 0o555 } else { 0o444 }));
        }
        let sandbox = Self { env, top, program, root };
        let may = sandbox.command().arg("--version").output().is_ok_and(|run| run.status.success());
        if !may {
            ignored_for_want_of("setpriv, or a folder that others may enter");
            return None;
        }
        Some(sandbox)
    }

    /// The program, as that user.
    fn command(&self) -> Command {
        if !self.root {
            return self.env.command(self.program.to_str().unwrap(), &self.top);
        }
        let mut command = self.env.command("setpriv", &self.top);
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&self.program);
        command
    }

    fn run(&self, words: &[&str]) -> Run {
        Run::of(self.command().args(words).output().unwrap())
    }

    /// What an agent does to start a server: get, env, run, and its hook.
    #[track_caller]
    fn reads(&self) {
        let get = |words: &[&str]| self.run(words).success().stdout.trim().parse::<u16>().unwrap();
        let (web, api) = (get(&["get"]), get(&["get", "api"]));
        assert_ne!(web, api);
        let env = self.run(&["env"]).success().stdout;
        assert!(env.contains(&format!("export PORT='{web}'")), "{env}");
        assert!(env.contains(&format!("export API_PORT='{api}'")), "{env}");
        let run = self.run(&["run", "--", "sh", "-c", "echo $PORT $API_PORT"]).success();
        assert_eq!(run.stdout.trim(), format!("{web} {api}"), "{run:?}");
        let url = self.run(&["url"]).success().stdout;
        assert!(url.trim().ends_with(&format!(":{web}")), "{url}");
        let told = self.run(&["hook", "claude", "session-start"]).success().stdout;
        let told: Value = serde_json::from_str(&told).unwrap();
        let words = told["hookSpecificOutput"]["additionalContext"].as_str().unwrap();
        assert!(words.contains(&format!("web = {web} ($PORT), api = {api}")), "{words}");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Whoever is not root could not remove it.
        set_mode(&self.env.home(), 0o755);
        each(&self.env.root(), &|path| {
            if path.is_dir() {
                set_mode(path, 0o755);
            }
        });
    }
}

#[test]
fn an_agent_reads_its_ports_and_is_told_what_to_do_about_a_write() {
    let Some(sandbox) = Sandbox::new() else { return };
    sandbox.reads();
    for words in [
        &["allocate", "docs"][..],
        &["get", "docs"],
        &["release", "web"],
        &["cleanup"],
        &["update", &sandbox.env.port(1).to_string(), "--description", "x"],
    ] {
        let run = sandbox.run(words);
        assert_eq!(run.status, 128, "{words:?}: {run:?}");
        assert!(run.stderr.contains("run outside") && run.stderr.contains("MCP tool"), "{words:?}: {run:?}");
        let object = sandbox.run(&[&["--json"], words].concat()).object();
        assert_eq!(object["error"]["code"], "denied", "{words:?}: {object}");
    }
    let made = sandbox.run(&["worktree", "create", "other"]);
    assert!(made.status != 0 && made.stderr.contains("run outside"), "{made:?}");
    assert!(made.stderr.matches("Preparing").count() <= 1, "it is no race: {made:?}");
    let explained = sandbox.run(&["explain", "denied"]).success().stdout;
    assert!(explained.contains("get-port"), "{explained}");
    sandbox.reads();
}

#[test]
fn an_agent_reads_its_ports_where_the_home_is_hidden() {
    let Some(sandbox) = Sandbox::new() else { return };
    set_mode(&sandbox.env.home(), 0o000);
    sandbox.reads();
    let run = sandbox.run(&["allocate", "docs"]);
    assert!(run.status == 128 && run.stderr.contains("run outside"), "{run:?}");
}

#[test]
fn a_server_in_the_sandbox_reads_and_says_what_to_do() {
    let Some(sandbox) = Sandbox::new() else { return };
    let mut command = sandbox.command();
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let call = |id: u64, tool: &str, arguments: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
    let lines = [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        call(2, "get-port", json!({ "worktree": sandbox.top })),
        call(3, "allocate-port", json!({ "worktree": sandbox.top, "services": ["docs"] })),
    ];
    let input = sandbox.env.root().join("input");
    fs::write(&input, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let run = Run::of(command.arg("mcp").stdin(fs::File::open(input).unwrap()).output().unwrap()).success();
    let answers: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answer = |id: u64| answers.iter().find(|one| one["id"] == id).unwrap()["result"].clone();
    assert_eq!(answer(2)["structuredContent"]["allocations"][0]["service"], "web", "{run:?}");
    let denied = answer(3)["content"][0]["text"].as_str().unwrap().to_owned();
    assert!(denied.contains("\"denied\"") && denied.contains("run outside"), "{denied}");
}
