//! Answers from a worktree's own copy of its ports, where it is sure to say what the registry says.
//!
//! Every commit changes the registry's file or its log, so a copy that was compared with the registry is
//! right as long as neither has changed, and neither has the copy. What they looked like then is kept
//! beside the copy, as a *seal*. As with git's index, a file that was changed a moment ago proves nothing:
//! it may be changed again within one tick of the file system's clock.
//!
//! A missing, old or foreign seal means that the registry is asked, and a new seal is made.

use std::time::Duration;

use super::copies;
use super::standing::{self, Standing};
use crate::context::Context;
use crate::git::{Worktree, identity, nearby};
use crate::registry::Allocation;
use crate::system::files;

/// How long nothing must have changed for a seal. Some file systems count in steps of two seconds.
const REST: Duration = Duration::from_secs(3);

/// Returns the worktree one stands in and its live allocations, if its own copy is sure to be right. Opens
/// neither the repository nor the registry.
pub fn find(ctx: &mut Context) -> Option<(Standing, Vec<Allocation>)> {
    let (repo, worktree) = match ctx.folder() {
        Some(folder) => nearby::find(folder)?,
        None if ctx.is_redirected() => return None,
        None => nearby::find(".".as_ref())?,
    };
    let sealed = files::load(&identity::seal_file(&worktree)).ok()??;
    let settings = ctx.settings_without_registry(&repo, &worktree.path).ok()?;
    if sealed != seal(ctx, &worktree)?.0.as_bytes() {
        return None;
    }
    let token = identity::find_token(&worktree).ok()??;
    let allocations = copies::load_of(&worktree, &token)?;
    let is_here =
        |one: &Allocation| one.host == ctx.host.key && one.path.as_deref() == Some(worktree.path.as_path());
    if !allocations.iter().all(is_here) {
        return None;
    }
    let project = standing::project_name(&settings, &repo);
    let standing = Standing { repo, worktree, project, settings };
    // One that was copied here is told of and put right.
    copies::is_own_env_file(&standing, &token).then_some((standing, allocations))
}

/// Seals the copy of a worktree whose ports were read from the registry, for the next who asks. Where that
/// cannot be done, the next will ask the registry.
pub fn note(ctx: &mut Context, worktree: &Worktree) {
    let Some((seal, age)) = seal(ctx, worktree) else { return };
    let sealed = files::load(&identity::seal_file(worktree)).ok().flatten();
    if age.is_none_or(|age| age < REST) || sealed.as_deref() == Some(seal.as_bytes()) {
        return;
    }
    // Read after the traces: a commit in between makes them old.
    if copies::is_right(ctx, worktree) {
        let _ = identity::write_seal(worktree, seal.as_bytes());
    }
}

/// Returns what registry and copy look like now, and how long ago the youngest of them was changed.
fn seal(ctx: &mut Context, worktree: &Worktree) -> Option<(String, Option<Duration>)> {
    let store = ctx.store().ok()?;
    let location = store.location();
    let mut traces = store.traces()?;
    let copy = files::trace(&identity::copy_file(worktree))?;
    copy.age?;
    traces.push(copy);
    let age = traces.iter().filter_map(|trace| trace.age).min();
    let texts: Vec<&str> = traces.iter().map(|trace| trace.text.as_str()).collect();
    Some((format!("1 {} {location}\n", texts.join(",")), age))
}
