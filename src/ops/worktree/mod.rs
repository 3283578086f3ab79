//! Making, removing and finding worktrees. `git` changes them; the registry follows.

mod attempt;
mod create;
mod follow;
mod remove;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::list::{self, Listed};
use super::standing;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{GitError, Repo, Worktree, identity};
use crate::registry::{ProjectName, Token};
use crate::store::{self, Filter};
use crate::system::lock::{Lock, Patience};
use crate::system::{SystemError, files};

pub use create::{CreateRequest, Created, create};
pub use follow::{Verb, follow_moves, look_around, newcomers, pass_through, reconcile, welcome};
pub use remove::{RemoveRequest, Removed, remove};

/// The variable that tells the hook of a worktree that its maker gives it its ports.
pub const CREATE_VARIABLE: &str = "GIT_PORT_CREATE";

/// How long one waits for others who make or remove worktrees of the same repository; a large tree takes
/// its time.
const PATIENCE: Patience = Patience { standstill: Duration::from_mins(2), at_most: Duration::from_mins(15) };

/// A worktree, as it is shown.
#[derive(Clone, Debug)]
pub struct Described {
    /// The worktree.
    pub worktree: Worktree,
    /// The project.
    pub project: ProjectName,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// The commit that is checked out.
    pub head: Option<String>,
}

impl Described {
    fn of(worktree: Worktree, project: ProjectName) -> Self {
        let (branch, head) = (worktree.branch(), worktree.head());
        Self { worktree, project, branch, head }
    }
}

/// A worktree with its ports.
#[derive(Clone, Debug)]
pub struct WithPorts {
    /// The worktree.
    pub described: Described,
    /// Whether one stands in it.
    pub current: bool,
    /// Its live allocations.
    pub allocations: Vec<Listed>,
}

/// Returns the worktrees of the repository one stands in, each with its ports.
pub fn list(ctx: &mut Context) -> Result<Vec<WithPorts>> {
    let repo = ctx.repo()?;
    let settings = ctx.settings(Some(&repo), repo.worktree.as_deref())?;
    let project = standing::project_name(&settings, &repo);
    let mut found = Vec::new();
    for worktree in repo.worktrees()? {
        let token = identity::find_token(&worktree)?;
        found.push((worktree, token));
    }
    let recorded = ctx.store().and_then(|store| {
        Ok(store::read(store, |rows| -> Result<_, store::StoreError> {
            let mut allocations = Vec::new();
            for token in found.iter().filter_map(|(_, token)| token.clone()) {
                allocations.extend(rows.allocations(&Filter { worktree: Some(token), ..Filter::live() })?);
            }
            Ok(allocations)
        })?)
    });
    let mut listed = match recorded {
        // All at once: the machine is looked at once.
        Ok(allocations) => list::states(ctx, allocations)?,
        Err(error) if error.kind.is_retryable() => {
            let worktrees: Vec<Worktree> = found.iter().map(|(worktree, _)| worktree.clone()).collect();
            list::copied(ctx, &worktrees, &error)
        }
        Err(error) => return Err(error),
    };
    let mut worktrees = Vec::new();
    for (worktree, token) in found {
        let own = |listed: &mut Listed| token.is_some() && listed.allocation.worktree == token;
        let allocations = listed.extract_if(.., own).collect();
        let current = repo.worktree.as_ref() == Some(&worktree.path);
        worktrees.push(WithPorts {
            described: Described::of(worktree, project.clone()),
            current,
            allocations,
        });
    }
    Ok(worktrees)
}

/// Returns the worktree that is meant by a path, the name of its folder, the end of its path, or its
/// branch.
pub fn find(repo: &Repo, name: &OsStr) -> Result<Worktree> {
    let worktrees = repo.worktrees()?;
    let path = files::canonical(&PathBuf::from(name));
    if let Some(found) = worktrees.iter().find(|worktree| worktree.path == path) {
        return Ok(found.clone());
    }
    let text = name.to_string_lossy();
    let tests: [&dyn Fn(&Worktree) -> bool; 3] = [
        &|worktree| worktree.path.file_name() == Some(name),
        &|worktree| worktree.branch_name().as_deref() == Some(name),
        &|worktree| worktree.path.ends_with(name),
    ];
    for test in tests {
        let found: Vec<&Worktree> = worktrees.iter().filter(|worktree| test(worktree)).collect();
        match found.as_slice() {
            [] => {}
            [one] => return Ok((*one).clone()),
            several => {
                let paths: Vec<String> = several.iter().map(|one| one.path.display().to_string()).collect();
                return Err(Error::new(
                    ErrorKind::Worktree,
                    format!("'{text}' names {} worktrees", several.len()),
                )
                .hint(format!("say which: {}", paths.join(", "))));
            }
        }
    }
    Err(Error::new(ErrorKind::Worktree, format!("'{text}' is not a worktree"))
        .hint("see which there are: git port worktree list"))
}

/// Returns the path of a worktree.
pub fn path(ctx: &mut Context, name: &OsStr) -> Result<PathBuf> {
    Ok(find(&ctx.repo()?, name)?.path)
}

/// Takes the lock that serialises making and removing worktrees of a repository: git itself loses half
/// of forty at once. None if the repository cannot be written; git will say so better.
fn lock(repo: &Repo) -> Result<Option<Lock>> {
    let Ok(file) = identity::lock_file(&repo.common_dir) else { return Ok(None) };
    match Lock::acquire(&file, PATIENCE) {
        Ok(lock) => Ok(Some(lock)),
        Err(SystemError::Locked { .. }) => Err(Error::new(
            ErrorKind::Busy,
            "others are making worktrees of this repository, and do not come to an end",
        )
        .hint("try again in a moment")),
        Err(_) => Ok(None),
    }
}

fn failed(name: &str, status: u8, stderr: String) -> Error {
    GitError::Failed { command: name.to_owned(), status, stderr }.into()
}

fn describe(ctx: &mut Context, repo: &Repo, worktree: Worktree) -> Result<Described> {
    let (settings, _) = ctx.settings_or_default(repo, repo.worktree.as_deref())?;
    let project = standing::project_name(&settings, repo);
    Ok(Described::of(worktree, project))
}

fn token_of(worktree: &Worktree) -> Option<Token> {
    identity::find_token(worktree).ok().flatten()
}

fn os(text: &str) -> OsString {
    OsString::from(text)
}
