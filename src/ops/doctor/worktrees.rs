//! The worktrees of the repository one stands in: their tokens, and what they carry of their ports.

use std::collections::BTreeSet;

use super::{Diagnosis, Severity};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::git::{GitError, Repo, Worktree, identity};
use crate::ops::allocate::{self, AllocateRequest};
use crate::ops::copies::{self, ENV_FILE, EnvFile};
use crate::ops::recovery;
use crate::ops::standing::Standing;
use crate::ops::worktree::newcomers;
use crate::registry::{Allocation, Token};
use crate::store::{self, Filter};

/// Looks at all worktrees. `usable` says whether the registry can be asked.
pub(super) fn worktrees(ctx: &mut Context, diagnosis: &mut Diagnosis, repo: &Repo, usable: bool) {
    let before = diagnosis.findings.len();
    match identity::find_repository_token(&repo.common_dir) {
        Ok(Some(_)) => {}
        Ok(None) => {
            diagnosis.ok("worktrees", "git-port was not used in this repository yet");
            return;
        }
        Err(error) => {
            let file = repo.common_dir.join("git-port/repo-id");
            let hint = format!("rm '{}'", file.display());
            diagnosis.error("token", Error::from(error).full_message(), &hint);
            return;
        }
    }
    let worktrees = match repo.worktrees() {
        Ok(worktrees) => worktrees,
        Err(error) => return diagnosis.unknown("worktrees", &Error::from(error)),
    };
    for worktree in worktrees.iter().filter(|worktree| worktree.is_connected()) {
        token(diagnosis, worktree);
    }
    if usable {
        if let Err(error) = lost(ctx, diagnosis, repo) {
            diagnosis.unknown("lost", &error);
        }
        without_ports(ctx, diagnosis, repo);
    }
    for worktree in worktrees.iter().filter(|worktree| worktree.is_connected() && worktree.path.is_dir()) {
        if let Err(error) = carried(ctx, diagnosis, repo, worktree, usable) {
            diagnosis.unknown("copy", &error);
        }
    }
    if worktrees.iter().any(|one| one.path.join(ENV_FILE).exists())
        && !copies::is_excluded(&repo.common_dir, ENV_FILE)
    {
        let message = format!("git does not ignore {ENV_FILE} in this repository");
        let common_dir = &repo.common_dir;
        diagnosis.mend(Severity::Warning, "env-file", message, || copies::exclude(common_dir, ENV_FILE));
    }
    if diagnosis.findings.len() == before {
        let count = worktrees.len();
        let noun = if count == 1 { "worktree" } else { "worktrees" };
        diagnosis.ok("worktrees", format!("{count} {noun}, each with what belongs to it"));
    }
}

fn token(diagnosis: &mut Diagnosis, worktree: &Worktree) {
    let Err(error) = identity::find_token(worktree) else { return };
    let message = Error::from(error).full_message();
    match copies::token_of_copy(worktree) {
        Some(token) => diagnosis.mend(Severity::Error, "token", message, || {
            Ok::<_, GitError>(identity::replace_token(worktree, &token)?).map_err(Error::from)
        }),
        None => {
            let file = identity::token_file(worktree);
            diagnosis.error("token", message, &format!("rm '{}'", file.display()));
        }
    }
}

/// Looks for what worktrees promise and the registry has never heard of.
fn lost(ctx: &mut Context, diagnosis: &mut Diagnosis, repo: &Repo) -> Result<()> {
    let found = recovery::carried(ctx, &BTreeSet::from([repo.common_dir.clone()]));
    let mut unknown = Vec::new();
    for one in &found {
        let filter = Filter { worktree: Some(one.record.token.clone()), ..Filter::default() };
        let rows = store::read(ctx.store()?, |rows| rows.allocations(&filter))?;
        let is_known = |claim: &Allocation| {
            rows.iter().any(|row| row.service == claim.service && row.environment == claim.environment)
        };
        unknown.extend(one.allocations.iter().filter(|claim| !is_known(claim)).map(|claim| claim.port));
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let noun = if unknown.len() == 1 { "port" } else { "ports" };
    let shown: Vec<String> = unknown.iter().take(10).map(ToString::to_string).collect();
    let more = if unknown.len() > shown.len() { ", …" } else { "" };
    let message = format!(
        "the registry does not know {} {noun} of worktrees: {}{more}",
        unknown.len(),
        shown.join(", ")
    );
    diagnosis.mend(Severity::Error, "lost", message, || {
        let merged = recovery::merge(ctx, &found, false)?;
        for token in &merged.outdated {
            copies::refresh(ctx, token);
        }
        Ok(())
    });
    Ok(())
}

fn without_ports(ctx: &mut Context, diagnosis: &mut Diagnosis, repo: &Repo) {
    for worktree in newcomers(repo).unwrap_or_default() {
        let message = format!("the worktree '{}' has no ports yet", worktree.path.display());
        diagnosis.mend(Severity::Warning, "no-ports", message, || {
            let standing = Standing::of(ctx, repo.clone(), worktree)?;
            allocate::allocate_in(ctx, &standing, AllocateRequest::default()).map(|_| ())
        });
    }
}

fn carried(
    ctx: &mut Context,
    diagnosis: &mut Diagnosis,
    repo: &Repo,
    worktree: &Worktree,
    usable: bool,
) -> Result<()> {
    let shown = worktree.path.display();
    if worktree.tracks(ENV_FILE) {
        diagnosis.warn(
            "env-file",
            format!("'{shown}/{ENV_FILE}' is tracked by git, so that every worktree gets the same ports"),
            &format!("git -C '{shown}' rm --cached {ENV_FILE}"),
        );
    }
    let Ok(Some(token)) = identity::find_token(worktree) else { return Ok(()) };
    let copied = copies::load(worktree);
    let allocations =
        if usable { copies::registered(ctx, &token)? } else { copied.clone().unwrap_or_default() };
    let standing = Standing::of(ctx, repo.clone(), worktree.clone())?;
    if usable && (copied.is_some() || !allocations.is_empty()) {
        let message = match copied {
            None => Some(format!("'{shown}' has no copy of its ports")),
            Some(copied) if !is_same(&copied, &allocations) => {
                Some(format!("the copy of its ports that '{shown}' has is out of date"))
            }
            Some(_) => None,
        };
        if let Some(message) = message {
            diagnosis.mend(Severity::Warning, "copy", message, || deliver(ctx, &standing, &token));
        }
    }
    let name = standing.settings.worktree.env_file.clone();
    let state = copies::env_file(ctx, &standing, &token, &allocations)?;
    let message = match state {
        EnvFile::Current => return Ok(()),
        EnvFile::Missing => format!("'{shown}' has no {name}"),
        EnvFile::Outdated => format!("'{shown}/{name}' is out of date"),
        EnvFile::OfAnother => format!("'{shown}/{name}' was copied from another worktree"),
        EnvFile::NotOurs => {
            diagnosis.warn(
                "env-file",
                format!("'{shown}/{name}' was not written by git-port, so it is left alone"),
                &format!("mv '{shown}/{name}' '{shown}/.env.local'"),
            );
            return Ok(());
        }
    };
    if usable {
        diagnosis.mend(Severity::Warning, "env-file", message, || deliver(ctx, &standing, &token));
    } else {
        diagnosis.warn("env-file", message, super::FIX);
    }
    Ok(())
}

fn deliver(ctx: &mut Context, standing: &Standing, token: &Token) -> Result<()> {
    // The first time it may tell what it put right; what is still wrong then, it tells again.
    let _ = copies::deliver(ctx, standing, token);
    match copies::deliver(ctx, standing, token).into_iter().next() {
        None => Ok(()),
        Some(warning) => Err(Error::new(crate::error::ErrorKind::Denied, warning)),
    }
}

/// Says whether a copy promises what the registry does.
fn is_same(copied: &[Allocation], registered: &[Allocation]) -> bool {
    let key = |one: &Allocation| {
        let names = (one.service.to_string(), one.environment.to_string(), one.host.clone());
        (one.port, one.protocol.name(), names, one.primary)
    };
    let keys = |all: &[Allocation]| all.iter().map(key).collect::<BTreeSet<_>>();
    keys(copied) == keys(registered)
}
