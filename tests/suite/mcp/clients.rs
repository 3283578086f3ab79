//! The reference clients, from `PyPI` and npm: each lists and calls every tool, and holds the answers against
//! the schemas.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::text;
use crate::dev_servers::lab;
use crate::support::{Run, TestEnv, program};

/// Runs a client with a call of every tool; returns what it got.
fn session(env: &TestEnv, mut client: Command) -> Value {
    let repo = env.repo("shop");
    let top = env.root().join("shop-topic");
    let (here, there) = (text(&repo), text(&top));
    let calls = json!([
        ["get-port", { "worktree": here }],
        ["allocate-port", { "worktree": here, "services": ["web", "api"] }],
        ["create-worktree", { "worktree": here, "branch": "topic" }],
        ["list-ports", { "scope": "all" }],
        ["audit-ports", {}],
        ["port-summary", { "worktree": here }],
        ["update-port", { "worktree": here, "port": env.port(1), "description": "the shop" }],
        ["check-port", { "ports": [env.port(1), env.port(90)] }],
        ["release-port", { "worktree": here, "services": ["api"] }],
        ["release-port", { "worktree": here, "services": ["api"], "confirm": true }],
        ["remove-worktree", { "worktree": there }],
        ["remove-worktree", { "worktree": there, "confirm": true }],
        ["cleanup-ports", {}],
        ["cleanup-ports", { "confirm": true }],
        ["get-port", {}],
    ]);
    let plan = json!({ "command": program(), "arguments": ["mcp"], "calls": calls });
    let mut child =
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(plan.to_string().as_bytes()).unwrap();
    let run = Run::of(child.wait_with_output().unwrap()).success();
    let got: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    let results = got["results"].as_array().unwrap();
    assert_eq!(results.len(), calls.as_array().unwrap().len());
    let (last, done) = results.split_last().unwrap();
    for one in done {
        assert_eq!(one[1], false, "{one}");
    }
    assert_eq!((&last[1], &last[2]["error"]["code"]), (&json!(true), &json!("usage")));
    let mut tools: Vec<&str> =
        got["tools"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    tools.sort_unstable();
    let mut called: Vec<&str> = results.iter().map(|one| one[0].as_str().unwrap()).collect();
    called.sort_unstable();
    called.dedup();
    assert_eq!(tools, called, "every tool was called");
    assert_eq!((&got["templates"], &got["resource"]["version"]), (&json!(1), &json!(1)));
    got
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn the_client_from_pypi_calls_every_tool() {
    for (name, protocol) in [("mcp-python", "2026-07-28"), ("mcp-python-1", "2025-11-25")] {
        let Some(bin) = lab::python(name) else { return };
        let env = TestEnv::new();
        let mut client = env.command(text(&bin.join("python")), &env.root());
        client.arg(script(&format!("{name}/client.py")));
        assert_eq!(session(&env, client)["protocol"], protocol);
    }
}

#[test]
fn the_clients_from_npm_call_every_tool() {
    let (Some(packages), Some(node)) = (lab::npm("mcp-node"), lab::node()) else { return };
    for (name, protocol) in [("client", json!("2026-07-28")), ("sdk", json!(null))] {
        let env = TestEnv::new();
        let path = node.join("node");
        let program = if path.is_file() { text(&path).to_owned() } else { "node".to_owned() };
        let mut client = env.command(&program, &packages);
        client.arg(script("mcp-node/client.mjs")).arg(name);
        let got = session(&env, client);
        assert_eq!(got["complaints"], json!([]), "a validator does not know something");
        assert_eq!(got["protocol"], protocol);
    }
}
