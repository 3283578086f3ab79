//! What agents and the apps around them call as their hooks. Each has words of its own for the same things.

use std::io::{self, IsTerminal};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::api::json;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::ops::agent;
pub(super) use crate::ops::agent::PATIENCE;
use crate::ops::env::Environmental;
use crate::output::Output;
use crate::registry::Allocation;
use crate::system::files;

/// The hosts whose hooks we answer.
pub(super) const HOSTS: [&str; 9] =
    ["claude", "codex", "conductor", "cursor", "emdash", "gemini", "gtr", "worktrunk", "zed"];

/// What a hook says at most, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Event {
    /// An agent begins to work in a worktree, or goes on in another
    SessionStart,
    /// An agent has removed a worktree
    WorktreeRemove,
    /// The host has made the worktree one stands in
    Setup,
    /// The host puts the worktree one stands in away
    Archive,
}

/// Answers a hook. Nothing that happens here is a failure of the host's.
pub(super) fn answer(host: &str, event: Event, ctx: &mut Context, out: &Output) {
    let done = catch_unwind(AssertUnwindSafe(|| run(host, event, ctx, out)));
    ctx.take_notes().iter().for_each(|note| out.warning(note));
    let Ok(Err(error)) = done else { return };
    if event == Event::SessionStart {
        // The agent is told, for it would pick a port itself.
        let hints = error.hints.join("; ");
        let words = format!(
            "git-port could not look up the ports of this worktree: {} ({hints}). Do not pick a port yourself; \
             ask the user, or run 'git port get' where it may write.",
            error.full_message()
        );
        out.raw(format!("{}\n", json::render(&told(host, None, &words, &Map::new()))).as_bytes());
    }
    out.warning(&format!("git-port: {}", error.full_message()));
}

fn run(host: &str, event: Event, ctx: &mut Context, out: &Output) -> Result<()> {
    match event {
        Event::SessionStart => session_start(host, ctx, out),
        Event::WorktreeRemove => {
            stand(ctx, &input()?);
            report(out, "Released", &agent::worktree_removed(ctx)?);
            Ok(())
        }
        Event::Setup => {
            report(out, "Allocated", &agent::set_up(ctx)?);
            Ok(())
        }
        Event::Archive => {
            report(out, "Released", &agent::put_away(ctx)?);
            Ok(())
        }
    }
}

fn session_start(host: &str, ctx: &mut Context, out: &Output) -> Result<()> {
    let input = input()?;
    stand(ctx, &input);
    let env_file = ctx.environment.os("CLAUDE_ENV_FILE").filter(|file| host == "claude" && !file.is_empty());
    let env_file = env_file.map(PathBuf::from);
    let answer = match agent::session_start(ctx, env_file.as_deref())? {
        Some(found) if !found.allocations.is_empty() => {
            let variables = found.variables.iter();
            let variables =
                variables.map(|one| (one.name.clone(), Value::String(one.value.clone()))).collect();
            told(host, input["hook_event_name"].as_str(), &brief(&found), &variables)
        }
        _ => json!({}),
    };
    out.raw(format!("{}\n", json::render(&answer)).as_bytes());
    Ok(())
}

/// Returns what the host says of what has happened; nothing, where nobody says anything.
fn input() -> Result<Value> {
    if io::stdin().is_terminal() {
        return Ok(Value::Null);
    }
    let bytes = files::load_input(LARGEST)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::usage(format!("the hook's input is no JSON: {error}")))
}

/// Stands where the agent works: a hook is started anywhere.
fn stand(ctx: &mut Context, input: &Value) {
    let response = &input["tool_response"];
    let named = [
        &response["worktreePath"],
        &response["worktree_path"],
        &input["new_cwd"],
        &input["cwd"],
        &input["workspace_roots"][0],
    ];
    let folders = named.iter().filter_map(|path| path.as_str()).map(PathBuf::from);
    let folder = folders.into_iter().find(|path| path.is_absolute() && path.is_dir());
    if let Some(folder) = folder {
        *ctx = ctx.standing_in(Some(folder));
    }
}

/// Returns what an agent is told, in the form that its host understands.
fn told(host: &str, event: Option<&str>, words: &str, variables: &Map<String, Value>) -> Value {
    if host == "cursor" {
        return json!({ "env": variables, "additional_context": words });
    }
    let event = event.unwrap_or("SessionStart");
    json!({ "hookSpecificOutput": { "hookEventName": event, "additionalContext": words } })
}

fn brief(found: &Environmental) -> String {
    let variable = |one: &Allocation| {
        let port = one.port.to_string();
        let carries = |name: &str| found.variables.iter().any(|it| it.name == name && it.value == port);
        let own = found.variables.iter().find(|it| it.value == port).map(|it| it.name.clone());
        if one.primary && carries("PORT") { "PORT".to_owned() } else { own.unwrap_or_else(|| one.variable()) }
    };
    let ports: Vec<String> = found
        .allocations
        .iter()
        .map(|one| format!("{} = {} (${})", one.service, one.port, variable(one)))
        .collect();
    format!(
        "Ports of this worktree, from git-port: {}. Start servers with 'git port run -- <command>', or on \
         exactly these ports. Never pick another port, never use one of another worktree, and do not stop \
         processes you did not start. Another service: 'git port allocate <service>'.",
        ports.join(", ")
    )
}

fn report(out: &Output, verb: &str, allocations: &[Allocation]) {
    for one in allocations {
        out.status(&format!("{verb} Port: {} ({})", one.port, one.service));
    }
}
