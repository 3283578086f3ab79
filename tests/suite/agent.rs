//! What agents and the apps around them call as their hooks: a worktree has its ports, the agent is told, and
//! nothing ever fails.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::server::Server;
use crate::support::{GIT_PORT, Run, TestEnv};

/// Runs a hook with this on its standard input.
fn hook(env: &TestEnv, dir: &Path, words: &str, input: &[u8]) -> Run {
    let mut command = env.command(GIT_PORT, dir);
    let mut child = command
        .arg("hook")
        .args(words.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that does not listen is no failure.
    let _ = child.stdin.take().unwrap().write_all(input);
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(run.status, 0, "{words}: {run:?}");
    run
}

/// Runs a hook in which this is said, and returns its answer.
fn told(env: &TestEnv, dir: &Path, words: &str, input: &Value) -> Value {
    let run = hook(env, dir, words, input.to_string().as_bytes());
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

fn started(top: &Path) -> Value {
    json!({ "hook_event_name": "SessionStart", "source": "startup", "session_id": "1", "cwd": top })
}

#[test]
fn claude_is_told_its_ports_and_its_shells_have_them() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
    let file = env.root().join("session.sh");
    let before = "export NODE_ENV=development\nexport PORT=3000\nexport LAST=1";
    fs::write(&file, before).unwrap();
    env.set("CLAUDE_ENV_FILE", file.display());
    // The hook runs wherever the agent was started.
    let answer = told(&env, &env.root(), "claude session-start", &started(&repo));
    let output = &answer["hookSpecificOutput"];
    assert_eq!(output["hookEventName"], "SessionStart");
    let words = output["additionalContext"].as_str().unwrap();
    let (web, api) = (env.ok(&repo, "get web --no-allocate"), env.ok(&repo, "get api --no-allocate"));
    assert!(
        words.contains(&format!("web = {} ($PORT), api = {} ($API_PORT)", web.trim(), api.trim())),
        "{words}"
    );

    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("export NODE_ENV=development\nexport LAST=1\nexport PORT='"), "{text}");
    // A host may join what is in the file with the command by '&&'.
    let line = format!("{} && echo $NODE_ENV $LAST $PORT $API_PORT", text.trim_end());
    let shell = Run::of(env.command("sh", &env.root()).args(["-c", &line]).output().unwrap());
    assert_eq!(shell.stdout.trim(), format!("development 1 {} {}", web.trim(), api.trim()));
    told(&env, &repo, "claude session-start", &started(&repo));
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "twice is once");
}

#[test]
fn every_agent_is_told_in_its_own_form() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "get");
    let port = env.ok(&repo, "get").trim().to_owned();
    for host in ["claude", "codex", "gemini"] {
        let answer = told(&env, &repo, &format!("{host} session-start"), &started(&repo));
        assert!(answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap().contains(&port));
    }
    let input = json!({ "hook_event_name": "sessionStart", "workspace_roots": [repo] });
    let answer = told(&env, &env.root(), "cursor session-start", &input);
    assert_eq!(answer["env"]["PORT"], port);
    assert!(answer["additional_context"].as_str().unwrap().contains(&port));
    // A worktree that is entered in the middle of a session is another one.
    let top = env.root().join("other");
    env.git(&repo, ["worktree", "add", "--quiet", top.to_str().unwrap()]);
    let entered = json!({
        "hook_event_name": "PostToolUse", "tool_name": "EnterWorktree", "cwd": repo,
        "tool_response": { "worktreePath": top },
    });
    let answer = told(&env, &repo, "claude session-start", &entered);
    assert_eq!(answer["hookSpecificOutput"]["hookEventName"], "PostToolUse");
    let other = env.ok(&top, "get --no-allocate").trim().to_owned();
    assert_ne!(other, port);
    assert!(answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap().contains(&other));
}

#[test]
fn where_nobody_wants_ports_nothing_happens() {
    let mut env = TestEnv::new();
    let root = env.root();
    assert_eq!(told(&env, &root, "claude session-start", &started(&root)), json!({}));
    let repo = env.repo("stranger");
    assert_eq!(told(&env, &repo, "claude session-start", &started(&repo)), json!({}));
    assert!(!repo.join(".git-port.env").exists() && !repo.join(".git/git-port").exists());
    // A project whose settings name the hook wants it, also in a fresh clone.
    fs::create_dir(repo.join(".claude")).unwrap();
    fs::write(repo.join(".claude/settings.json"), r#"{"hooks":"git-port hook claude session-start"}"#)
        .unwrap();
    assert!(told(&env, &repo, "claude session-start", &started(&repo))["hookSpecificOutput"].is_object());
    env.set("GIT_PORT_DISABLE", 1);
    assert_eq!(told(&env, &repo, "claude session-start", &started(&repo)), json!({}));
}

#[test]
fn a_hook_never_fails() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "get");
    for input in [
        &b""[..],
        b"junk",
        b"[1,2]",
        b"{\"cwd\":7}",
        b"{\"cwd\":\"/nowhere\"}",
        b"\xff\xfe",
        &vec![b'['; 100_000][..],
    ] {
        let run = hook(&env, &repo, "claude session-start", input);
        let _: Value = serde_json::from_str(&run.stdout).unwrap();
    }
    for words in ["claude no-such-event", "claude", "gemini session-start extra", "claude worktree-remove"] {
        hook(&env, &repo, words, b"{}");
    }
    fs::write(repo.join(".git-port.toml"), "nonsense = [\n").unwrap();
    let run = hook(&env, &repo, "claude session-start", started(&repo).to_string().as_bytes());
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    let words = answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap();
    assert!(words.contains(".git-port.toml") && words.contains("Do not pick a port yourself"), "{words}");
    assert!(run.stderr.contains("warning"), "{run:?}");
}

#[test]
fn an_agent_that_removes_a_worktree_gives_its_ports_back() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "get");
    env.ok(&repo, "worktree create topic");
    let top = env.root().join("shop-topic");
    let input = json!({ "hook_event_name": "WorktreeRemove", "cwd": repo, "worktree_path": top });
    hook(&env, &repo, "claude worktree-remove", input.to_string().as_bytes());
    assert_eq!(env.listed(&repo, "").len(), 2, "it is still there");
    env.git(&repo, ["worktree", "remove", top.to_str().unwrap()]);
    hook(&env, &repo, "claude worktree-remove", input.to_string().as_bytes());
    assert_eq!(env.listed(&repo, "--released").len(), 2);
    assert_eq!(env.listed(&repo, "").len(), 1);
}

#[test]
fn the_ports_of_a_host_are_adopted() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "--quiet", "-m", "services"]);
    let [one, two] = ["one", "two"].map(|name| {
        let top = env.root().join(name);
        env.git(&repo, ["worktree", "add", "--quiet", top.to_str().unwrap()]);
        top
    });
    let before = env.ok(&one, "get web").trim().to_owned();
    let base = env.port(150);
    let plain = env.variables.len();
    env.set("CONDUCTOR_PORT", base);
    env.set("CONDUCTOR_WORKSPACE_PATH", one.display());
    // What is recorded is not moved by the way, only when the host sets the worktree up.
    assert_eq!(env.ok(&one, "get web").trim(), before);
    let run = hook(&env, &one, "conductor setup", b"");
    assert!(
        run.stdout.is_empty() && run.stderr.contains(&format!("Allocated Port: {base} (web)")),
        "{run:?}"
    );
    assert_eq!(env.ok(&one, "get web").trim(), base.to_string());
    assert_eq!(env.ok(&one, "get api").trim(), (base + 1).to_string());
    let variables = fs::read_to_string(one.join(".git-port.env")).unwrap();
    assert!(variables.contains(&format!("PORT={base}\n")), "{variables}");
    // They are of that worktree, whoever asks in its terminal.
    assert!(env.ok(&two, "get web").trim().parse::<u16>().unwrap() < base);
    let created = env.json(&one, "worktree create three");
    assert!(created["allocations"][0]["port"].as_u64().unwrap() < u64::from(base), "{created}");

    // A server keeps its port when the host puts its worktree away; the other one is released.
    let server = Server::start(&one, &format!("[::]:{base}"));
    let run = hook(&env, &one, "conductor archive", b"");
    assert!(run.stderr.contains(&format!("port {base} is kept")), "{run:?}");
    server.stop();
    hook(&env, &one, "conductor archive", b"");
    assert!(env.listed(&repo, "--all").iter().all(|port| *port < u64::from(base)));

    // Another host, which says only which port.
    env.variables.truncate(plain);
    env.set("EMDASH_PORT", base + 20);
    let top = env.root().join("four");
    env.git(&repo, ["worktree", "add", "--quiet", top.to_str().unwrap()]);
    assert_eq!(env.ok(&top, "get web").trim(), (base + 20).to_string());
    env.variables.truncate(plain);
    env.set("EMDASH_PORT", "nonsense");
    assert_eq!(env.ok(&top, "get web").trim(), (base + 20).to_string(), "it is recorded");
}
