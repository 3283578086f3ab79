//! Worktrees whose `[env]` names services of other projects: their files of variables follow when those
//! move.
//!
//! Who follows a project is a note in the registry, so that a move costs one look-up, and nobody else's
//! configuration is read. A note that was lost, with the registry, is made again by the next command in the
//! worktree that follows; that command also puts its file right by itself.

use std::collections::BTreeSet;

use super::copies;
use super::standing::Standing;
use crate::context::Context;
use crate::error::Result;
use crate::registry::{Allocation, ProjectName, Token};
use crate::store::{self, StoreError};
use crate::template::variables;

/// Returns the other projects whose services a worktree's values name.
pub fn followed(standing: &Standing) -> BTreeSet<ProjectName> {
    let named = variables::foreign_services(&standing.settings.derived);
    named.into_iter().map(|(project, _)| project).filter(|project| *project != standing.project).collect()
}

fn key(project: &ProjectName) -> String {
    format!("followers of {project}")
}

fn parse(note: Option<String>) -> BTreeSet<Token> {
    note.unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
}

/// Notes that a worktree follows these projects, unless that is noted already.
pub(super) fn note(ctx: &mut Context, token: &Token, projects: &BTreeSet<ProjectName>) -> Result<()> {
    if projects.is_empty() {
        return Ok(());
    }
    let is_noted = store::read(ctx.store()?, |rows| -> Result<bool, StoreError> {
        for project in projects {
            if !parse(rows.note(&key(project))?).contains(token) {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    if is_noted {
        return Ok(());
    }
    store::write(ctx.store()?, |tx| -> Result<(), StoreError> {
        for project in projects {
            let mut known = parse(tx.note(&key(project))?);
            known.insert(token.clone());
            let mut kept = String::new();
            for token in known {
                // Those that are gone follow nobody.
                if tx.worktree(&token)?.is_some() {
                    kept.push_str(token.as_str());
                    kept.push('\n');
                }
            }
            tx.put_note(&key(project), &kept)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Brings the files of variables up to date of those that follow the projects of these allocations, which
/// have just been made, moved or released. Returns what could not be written.
pub(super) fn tell<'a>(ctx: &mut Context, changed: impl IntoIterator<Item = &'a Allocation>) -> Vec<String> {
    let changed: Vec<&Allocation> = changed.into_iter().collect();
    let projects: BTreeSet<&ProjectName> = changed.iter().map(|one| &one.project).collect();
    let own: BTreeSet<&Token> = changed.iter().filter_map(|one| one.worktree.as_ref()).collect();
    if projects.is_empty() {
        return Vec::new();
    }
    let found = ctx.store().and_then(|store| {
        Ok(store::read(store, |rows| -> Result<_, StoreError> {
            let mut followers = BTreeSet::new();
            for project in &projects {
                followers.extend(parse(rows.note(&key(project))?));
            }
            let mut known = Vec::new();
            for token in followers {
                known.extend(rows.worktree(&token)?);
            }
            Ok(known)
        })?)
    });
    let mut warnings = Vec::new();
    for record in found.unwrap_or_default() {
        // Another machine's worktree is out of reach, and has ports of its own.
        if record.host == ctx.host.key && !own.contains(&record.token) {
            let told = copies::refresh(ctx, &record.token);
            warnings.extend(told.into_iter().map(|words| format!("in '{}': {words}", record.path.display())));
        }
    }
    warnings
}
