//! git's own worktree commands, after which the registry follows.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::attempt::Add;
use super::lock;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::git::observe;
use crate::git::program::git;
use crate::git::{Repo, Worktree, identity, worktree};
use crate::ops::allocate::{self, AllocateRequest, Allocated, Placed};
use crate::ops::standing::{self, Standing};
use crate::ops::{cleanup, copies, pending};
use crate::registry::liveness::{Verdict, judge};
use crate::registry::{Allocation, Token, WorktreeRecord};
use crate::store::{self, Filter};
use crate::system::command::exit_code;
use crate::system::files;
use crate::system::lock::Lock;

/// A command of `git worktree` that is passed on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `git worktree add`
    Add,
    /// `git worktree move`
    Move,
    /// `git worktree lock`
    Lock,
    /// `git worktree unlock`
    Unlock,
    /// `git worktree prune`
    Prune,
    /// `git worktree repair`
    Repair,
}

impl Verb {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Add, Self::Move, Self::Lock, Self::Unlock, Self::Prune, Self::Repair];

    /// Returns git's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Move => "move",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::Prune => "prune",
            Self::Repair => "repair",
        }
    }
}

/// What git did, and what the registry made of it.
#[derive(Clone, Debug, Default)]
pub struct PassedThrough {
    /// git's own exit status.
    pub status: u8,
    /// The worktrees that are new.
    pub made: Vec<Worktree>,
    /// The ports they got.
    pub placed: Vec<Placed>,
    /// The ports that were given back.
    pub released: Vec<Allocation>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Runs `git worktree <verb>` with these very arguments, and lets the registry follow. Its status is
/// git's; port trouble is told, never an error. `on_stderr` keeps git's output off standard output.
pub fn pass_through(
    ctx: &mut Context,
    verb: Verb,
    arguments: &[OsString],
    on_stderr: bool,
) -> Result<PassedThrough> {
    let repo = ctx.repo().ok();
    let before = repo.as_ref().map(strangers).unwrap_or_default();
    let words = [OsString::from("worktree"), OsString::from(verb.name())];
    let words: Vec<OsString> = words.into_iter().chain(arguments.iter().cloned()).collect();
    // Until what is new has its ports: nobody is to find a worktree without any and give it others.
    let _lock = repo.as_ref().map(lock).transpose()?.flatten();
    let status = {
        if verb == Verb::Add {
            let stands = || repo.as_ref().is_some_and(|repo| !made(repo, &before).is_empty());
            let (repo, stdout_on_stderr) = (repo.as_ref(), on_stderr);
            Add {
                repo,
                folder: None,
                arguments: words,
                stdout_on_stderr,
                keep_words: false,
                leave_no_branch: false,
            }
            .run(&stands)?
            .0
        } else {
            let command = git().args(words).inherit_stdin();
            exit_code(if on_stderr { command.status_on_stderr()? } else { command.status()? })
        }
    };
    let mut passed = PassedThrough { status, ..PassedThrough::default() };
    let Some(repo) = repo else { return Ok(passed) };
    // Also after a failure: a hook that fails makes `git worktree add` fail although the tree is made.
    let followed = if verb == Verb::Add {
        give_ports(ctx, &repo, &before, &mut passed)
    } else {
        reconcile(ctx, &repo).map(|followed| {
            passed.released = followed.released;
            passed.warnings = followed.warnings;
        })
    };
    if let Err(error) = followed {
        passed.warnings.push(match verb {
            Verb::Add => pending::describe(&error),
            _ => format!("ports: {error}"),
        });
    }
    Ok(passed)
}

/// Returns the worktrees that stand and have no token: they are not new, and were not asked about. Any
/// other name may be used again at once, by a worktree that has no token yet.
fn strangers(repo: &Repo) -> HashSet<PathBuf> {
    let worktrees = repo.worktrees().unwrap_or_default();
    worktrees
        .into_iter()
        .filter(|worktree| super::token_of(worktree).is_none() && worktree.is_connected())
        .map(|worktree| worktree.admin_dir)
        .collect()
}

/// Returns the worktrees that are complete, have no token yet and were not there before.
fn made(repo: &Repo, before: &HashSet<PathBuf>) -> Vec<Worktree> {
    let newcomers = newcomers(repo).unwrap_or_default();
    newcomers.into_iter().filter(|worktree| !before.contains(&worktree.admin_dir)).collect()
}

fn give_ports(
    ctx: &mut Context,
    repo: &Repo,
    before: &HashSet<PathBuf>,
    passed: &mut PassedThrough,
) -> Result<()> {
    for worktree in made(repo, before) {
        let standing = Standing::of(ctx, repo.clone(), worktree.clone())?;
        let allocated = allocate::allocate_in(ctx, &standing, AllocateRequest::default())?;
        passed.made.push(worktree);
        passed.placed.extend(allocated.placed);
        passed.warnings.extend(allocated.warnings);
    }
    Ok(())
}

/// Gives ports to the linked worktrees of a repository that nobody has given any, whoever made them and
/// however, and returns what each got. None while somebody else makes one: it is his to give it ports.
pub fn welcome(ctx: &mut Context, repo: &Repo) -> Result<Vec<(Worktree, Allocated)>> {
    if newcomers(repo)?.is_empty() {
        return Ok(Vec::new());
    }
    let Some(_lock) = identity::lock_file(&repo.common_dir).ok().and_then(|file| Lock::try_acquire(&file))
    else {
        return Ok(Vec::new());
    };
    let (mut welcomed, mut failure) = (Vec::new(), None);
    for worktree in newcomers(repo)? {
        let allocated = Standing::of(ctx, repo.clone(), worktree.clone())
            .and_then(|standing| allocate::allocate_in(ctx, &standing, AllocateRequest::default()));
        match allocated {
            Ok(allocated) => welcomed.push((worktree, allocated)),
            // One with a broken configuration does not keep the others from their ports.
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(error) if welcomed.is_empty() => Err(error),
        _ => Ok(welcomed),
    }
}

/// Returns the linked worktrees of a repository that are complete, have no token yet and are its own: a
/// copy of a repository lists the original's worktrees.
pub fn newcomers(repo: &Repo) -> Result<Vec<Worktree>> {
    let is_new = |worktree: &Worktree| {
        // git holds this lock while it makes the worktree; the hook may still come.
        let lock = files::load(&worktree.admin_dir.join("locked")).ok().flatten();
        let in_the_making = lock.is_some_and(|reason| reason.starts_with(b"initializing"));
        !worktree.main
            && !in_the_making
            && (matches!(identity::find_token(worktree), Ok(None)) || identity::pending_file(worktree).exists())
            && worktree.is_connected()
            // What a killed git left is cleared away one day; a token would keep it.
            && worktree.has_head()
    };
    Ok(repo.worktrees()?.into_iter().filter(is_new).collect())
}

/// Brings registry and repository together before a command looks at either: hooks are missed, other
/// tools make and remove worktrees without any. Never fails; the command itself will say what is wrong.
///
/// Only where git-port was used before: one who merely asks must not have every worktree changed.
pub fn look_around(ctx: &mut Context) {
    let Ok(Some(repo)) = ctx.find_repo() else { return };
    if !matches!(identity::find_repository_token(&repo.common_dir), Ok(Some(_))) {
        return;
    }
    let Ok(settings) = ctx.settings(Some(&repo), repo.worktree.as_deref()) else { return };
    // One who stands in a copy of a worktree is told.
    let _ = standing::current(ctx, &repo);
    let _ = if settings.cleanup.auto { reconcile(ctx, &repo).map(|_| ()) } else { follow_moves(ctx, &repo) };
    let _ = welcome(ctx, &repo);
}

/// What changed in the registry when it was compared with a repository.
#[derive(Clone, Debug, Default)]
pub struct Reconciled {
    /// The ports that were given back.
    pub released: Vec<Allocation>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Brings what the registry knows of a repository's worktrees up to date: where they are, and which of
/// them git has removed. Reads administrative directories, starts no program.
pub fn reconcile(ctx: &mut Context, repo: &Repo) -> Result<Reconciled> {
    let (removed, mut warnings) = follow(ctx, repo)?;
    if removed.is_empty() {
        return Ok(Reconciled { released: Vec::new(), warnings });
    }
    let tokens: HashSet<Token> = removed.iter().map(|(record, _)| record.token.clone()).collect();
    let plan = cleanup::release_gone(ctx, &removed, &tokens)?;
    let kept = plan.keep.iter();
    warnings.extend(kept.map(|kept| format!("port {} is kept: {}", kept.allocation.port, kept.reason)));
    Ok(Reconciled { released: plan.release, warnings })
}

/// Follows the worktrees of a repository to where they are, and releases nothing.
pub fn follow_moves(ctx: &mut Context, repo: &Repo) -> Result<()> {
    follow(ctx, repo).map(|_| ())
}

/// Worktrees that are gone, with what became of them.
type Gone = Vec<(WorktreeRecord, Verdict)>;

/// Follows what has moved. Returns what git has removed, and what the user should know.
fn follow(ctx: &mut Context, repo: &Repo) -> Result<(Gone, Vec<String>)> {
    let (mut removed, mut warnings) = (Vec::new(), Vec::new());
    if identity::find_repository_token(&repo.common_dir)?.is_none() {
        return Ok((removed, warnings));
    }
    // A copy brings the token of the original along, whose worktrees are none of its business.
    let repository = identity::repository_token(&repo.common_dir)?;
    let host = ctx.host.key.clone();
    let recorded = store::read(ctx.store()?, |rows| rows.worktrees(&host))?;
    for record in recorded.into_iter().filter(|record| record.repository == repository) {
        match judge(observe::observe(&moved_with(repo, &record))) {
            Verdict::Live => warnings.extend(follow_move(ctx, repo, record)?),
            Verdict::Removed => removed.push((record, Verdict::Removed)),
            _ => {}
        }
    }
    Ok((removed, warnings))
}

/// Returns the record as it is to be looked for in a repository that was moved with all that is in it.
fn moved_with(repo: &Repo, record: &WorktreeRecord) -> WorktreeRecord {
    let admin_dir = match record.admin_dir.strip_prefix(&record.common_dir) {
        Ok(inside) if !record.main => repo.common_dir.join(inside),
        _ => repo.common_dir.clone(),
    };
    // One who stands in it has found it, whatever git has noted: a folder may be moved by hand.
    let path = stood_in(repo, &admin_dir).unwrap_or_else(|| record.path.clone());
    WorktreeRecord { common_dir: repo.common_dir.clone(), admin_dir, path, ..record.clone() }
}

/// Returns the top folder one stands in, if it is that of the linked worktree with this administrative
/// directory, and not a copy of it.
fn stood_in(repo: &Repo, admin_dir: &Path) -> Option<PathBuf> {
    if repo.is_main() || repo.git_dir != admin_dir {
        return None;
    }
    let worktree = repo.current().ok()?;
    worktree.original().is_none().then_some(worktree.path)
}

/// A worktree that stands elsewhere than recorded keeps its ports; its labels follow.
fn follow_move(ctx: &mut Context, repo: &Repo, record: WorktreeRecord) -> Result<Vec<String>, Error> {
    let admin_dir = if record.main {
        Some(repo.common_dir.clone())
    } else {
        identity::find_admin_dir(&repo.common_dir, &record.token)?
    };
    let Some(admin_dir) = admin_dir else { return Ok(Vec::new()) };
    let path = if record.main {
        repo.main_worktree()
    } else {
        // What git has noted counts where it holds: it may be torn, or out of date.
        let noted = worktree::recorded_path(&admin_dir)?;
        let holds = |path: &PathBuf| worktree::link_target(path).as_ref() == Some(&admin_dir);
        stood_in(repo, &admin_dir).or(noted.filter(holds)).or_else(|| Some(record.path.clone()))
    };
    let Some(path) = path else { return Ok(Vec::new()) };
    if path == record.path && admin_dir == record.admin_dir && repo.common_dir == record.common_dir {
        return Ok(Vec::new());
    }
    let worktree = Worktree { admin_dir, path, main: record.main, locked: false };
    let standing = Standing::of(ctx, repo.clone(), worktree)?;
    let moved = standing.record(ctx)?;
    let filter = Filter { worktree: Some(record.token.clone()), ..Filter::live() };
    store::write(ctx.store()?, |tx| -> Result<(), store::StoreError> {
        tx.put_worktree(&moved)?;
        for mut allocation in tx.allocations(&filter)? {
            allocation.path = Some(moved.path.clone());
            allocation.branch.clone_from(&moved.branch);
            tx.update_allocation(&allocation)?;
        }
        Ok(())
    })?;
    Ok(copies::deliver(ctx, &standing, &record.token))
}
