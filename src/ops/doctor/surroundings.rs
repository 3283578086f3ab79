//! What holds around every repository: the variables, the programs, the settings.

use std::path::PathBuf;

use super::Diagnosis;
use crate::context::Context;
use crate::error::Error;
use crate::git::program::{self, Version};
use crate::ops::standing::Standing;
use crate::registry::scope::folder_slug;
use crate::system::files;

/// Looks at the variables that change what git-port does.
pub(super) fn variables(ctx: &mut Context, diagnosis: &mut Diagnosis) {
    if ctx.environment.os("GIT_PORT_DISABLE").is_some_and(|value| value == "1") {
        diagnosis.warn(
            "variables",
            "GIT_PORT_DISABLE is 1, so plain git gives new worktrees no ports",
            "unset GIT_PORT_DISABLE",
        );
    }
    let named = ctx.environment.os("GIT_PORT_WORKTREE").map(|name| name.to_string_lossy().into_owned());
    let Some(named) = named else { return };
    let Some(worktree) = ctx.find_repo().ok().flatten().and_then(|repo| repo.current().ok()) else { return };
    let project = ctx.environment.os("GIT_PORT_PROJECT").map(|name| name.to_string_lossy().into_owned());
    let own = Standing::find(ctx).ok().flatten().map(|standing| standing.project.to_string());
    let is_others = project.is_some() && own.is_some() && project != own;
    // A shell that was set up in one worktree and then went to another still has the ports of the first.
    if named != folder_slug(&worktree.name()) || is_others {
        let of = project.filter(|_| is_others).map(|name| format!(" of '{name}'")).unwrap_or_default();
        let message = format!("the variables of this shell are those of the worktree '{named}'{of}");
        diagnosis.warn("variables", message, "eval \"$(git port env)\"");
    }
}

/// Looks at the gits on `PATH`. Returns the oldest version of them, for hooks that not every git runs.
pub(super) fn git(ctx: &mut Context, diagnosis: &mut Diagnosis) -> Option<Version> {
    let version = match program::version() {
        Ok(version) => version,
        Err(error) => {
            diagnosis.unknown("git", &Error::from(error));
            return None;
        }
    };
    let mut found = Vec::new();
    for folder in ctx.environment.os("PATH").into_iter().flat_map(std::env::split_paths) {
        let candidate = files::canonical(&folder.join("git"));
        if candidate.is_file() && !found.contains(&candidate) {
            found.push(candidate);
        }
    }
    // Several are quite usual: the system's, and a newer one beside it.
    let others: Vec<(Version, &PathBuf)> = found
        .iter()
        .take(8)
        .filter_map(|program| Some((program::version_of(program)?, program)))
        .filter(|(other, _)| *other != version)
        .collect();
    let mut message = format!("git {version}");
    for (other, program) in &others {
        message.push_str(&format!("; also on PATH: {other} ('{}')", program.display()));
    }
    diagnosis.ok("git", message);
    others.into_iter().map(|(other, _)| other).chain([version]).min()
}

/// Looks at the settings that hold here.
pub(super) fn settings(ctx: &mut Context, diagnosis: &mut Diagnosis) {
    let repo = ctx.find_repo().ok().flatten();
    let top = repo.as_ref().and_then(|repo| repo.worktree.clone());
    match ctx.settings(repo.as_ref(), top.as_deref()) {
        Ok(settings) if settings.warnings.is_empty() => diagnosis.ok("settings", "the settings agree"),
        Ok(settings) => {
            for warning in settings.warnings {
                diagnosis.warn("settings", warning, "git port range list");
            }
        }
        Err(error) => diagnosis.unknown("settings", &error),
    }
}
