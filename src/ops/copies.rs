//! The copies of its allocations that each worktree carries: one for git-port in the administrative
//! directory, and the file of variables for programs at its top.
//!
//! They follow the commit, so a copy may lag behind the registry for a moment, never run ahead of it.
//! Reading works from them where the registry cannot be opened, as in a sandbox, and a lost registry can
//! be rebuilt from them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::env;
use super::standing::Standing;
use crate::context::Context;
use crate::error::Result;
use crate::git::{Repo, Worktree, identity};
use crate::registry::{Allocation, EnvironmentName, Status, Token, WorktreeRecord};
use crate::store::{self, Filter};
use crate::system::files::{self, Access};
use crate::template::dotenv;

/// The file of variables at the top of a worktree.
pub const ENV_FILE: &str = ".git-port.env";

/// The copy in the administrative directory.
#[derive(Debug, Serialize, Deserialize)]
struct Copy {
    version: u32,
    worktree: String,
    allocations: Vec<CopiedAllocation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CopiedAllocation {
    host: String,
    user: Option<String>,
    protocol: String,
    port: u16,
    project: String,
    path: Option<PathBuf>,
    branch: Option<String>,
    service: String,
    environment: String,
    primary: bool,
    service_type: Option<String>,
    description: Option<String>,
    public_hostname: Option<String>,
    pinned: bool,
    session: Option<String>,
    allocated_at: jiff::Timestamp,
}

/// Writes both copies of a worktree's allocations. Returns what could not be written, in words: a
/// missing copy is a nuisance, no reason to fail.
pub fn deliver(ctx: &mut Context, standing: &Standing, token: &Token) -> Vec<String> {
    let mut warnings = Vec::new();
    let allocations = match live(ctx, token) {
        Ok(allocations) => allocations,
        Err(error) => return vec![format!("its copy of its ports is not up to date: {error}")],
    };
    if let Err(error) = write_copy(&standing.worktree, token, &allocations) {
        warnings.push(format!("its copy of its ports is not up to date: {error}"));
    }
    if let Err(error) = write_env_file(standing, token, &allocations) {
        warnings.push(format!("{ENV_FILE} is not up to date: {error}"));
    }
    warnings
}

/// Brings the copies of another worktree up to date, if it can be reached.
pub fn refresh(ctx: &mut Context, token: &Token) -> Vec<String> {
    let found = ctx.store().and_then(|store| Ok(store::read(store, |rows| rows.worktree(token))?));
    let Ok(Some(record)) = found else { return Vec::new() };
    let worktree =
        Worktree { admin_dir: record.admin_dir, path: record.path, main: record.main, locked: false };
    if !matches!(identity::find_token(&worktree), Ok(Some(found)) if found == *token) {
        return Vec::new();
    }
    let repo = Repo {
        common_dir: record.common_dir,
        git_dir: worktree.admin_dir.clone(),
        worktree: Some(worktree.path.clone()),
    };
    match Standing::of(ctx, repo, worktree) {
        Ok(standing) if standing.worktree.path.is_dir() => deliver(ctx, &standing, token),
        // Its folder is gone: what is left of it must not go on promising ports.
        Ok(standing) => {
            match live(ctx, token).and_then(|live| write_copy(&standing.worktree, token, &live)) {
                Ok(()) => Vec::new(),
                Err(error) => vec![format!("a copy of its ports is not up to date: {error}")],
            }
        }
        Err(error) => vec![format!("its copy of its ports is not up to date: {error}")],
    }
}

/// Removes the copy that a missing worktree left in its administrative directory.
pub fn withdraw(record: &WorktreeRecord) -> Option<String> {
    let worktree = Worktree {
        admin_dir: record.admin_dir.clone(),
        path: record.path.clone(),
        main: record.main,
        locked: false,
    };
    files::remove(&identity::copy_file(&worktree)).err().map(|error| error.to_string())
}

fn live(ctx: &mut Context, token: &Token) -> Result<Vec<Allocation>> {
    let filter = Filter { worktree: Some(token.clone()), ..Filter::live() };
    Ok(store::read(ctx.store()?, |rows| rows.allocations(&filter))?)
}

fn write_copy(worktree: &Worktree, token: &Token, allocations: &[Allocation]) -> Result<()> {
    let copy = Copy {
        version: 1,
        worktree: token.to_string(),
        allocations: allocations.iter().map(CopiedAllocation::from).collect(),
    };
    let mut text = serde_json::to_vec(&copy).unwrap_or_default();
    text.push(b'\n');
    Ok(identity::write_copy(worktree, &text)?)
}

/// Returns a worktree's allocations from its own copy; none if there is no copy, or it is not this
/// worktree's.
pub fn load(worktree: &Worktree) -> Option<Vec<Allocation>> {
    let text = files::load(&identity::copy_file(worktree)).ok().flatten()?;
    let copy: Copy = serde_json::from_slice(&text).ok()?;
    let token = identity::find_token(worktree).ok().flatten()?;
    if copy.worktree != token.as_str() {
        return None;
    }
    copy.allocations.into_iter().map(|copied| copied.restore(&token)).collect()
}

fn write_env_file(standing: &Standing, token: &Token, allocations: &[Allocation]) -> Result<()> {
    let top = &standing.worktree.path;
    let file = top.join(ENV_FILE);
    let existing = files::load(&file)?;
    let ours = existing.as_ref().is_none_or(|bytes| {
        std::str::from_utf8(bytes).is_ok_and(|text| text.is_empty() || dotenv::identity(text).is_some())
    });
    if !ours {
        let why = "was not written by git-port, so it is left alone";
        return Err(crate::system::SystemError::Unsafe { path: file, why }.into());
    }
    let dev: Vec<Allocation> = allocations
        .iter()
        .filter(|allocation| allocation.environment == EnvironmentName::dev())
        .cloned()
        .collect();
    if dev.is_empty() {
        return Ok(files::remove(&file)?);
    }
    let variables = env::variables(standing, &EnvironmentName::dev(), &dev)?;
    let identity = dotenv::Identity { path: top.to_string_lossy().into_owned(), token: token.to_string() };
    let text = dotenv::render(&identity, &variables)?;
    if existing.as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    // Excluded first: an untracked file would make `git worktree remove` refuse.
    exclude(&standing.repo.common_dir)?;
    Ok(files::replace(&file, text.as_bytes(), Access::Public)?)
}

fn exclude(common_dir: &Path) -> Result<()> {
    let file = common_dir.join("info/exclude");
    files::ensure_line(&file, &format!("/{ENV_FILE}"))?;
    // What a process leaves that was killed while it wrote the file.
    Ok(files::ensure_line(&file, &format!("/{}", files::TEMPORARY))?)
}

impl From<&Allocation> for CopiedAllocation {
    fn from(allocation: &Allocation) -> Self {
        Self {
            host: allocation.host.clone(),
            user: allocation.user.clone(),
            protocol: allocation.protocol.to_string(),
            port: allocation.port.number(),
            project: allocation.project.to_string(),
            path: allocation.path.clone().filter(|path| path.to_str().is_some()),
            branch: allocation.branch.clone(),
            service: allocation.service.to_string(),
            environment: allocation.environment.to_string(),
            primary: allocation.primary,
            service_type: allocation.service_type.clone(),
            description: allocation.description.clone(),
            public_hostname: allocation.public_hostname.clone(),
            pinned: allocation.pinned,
            session: allocation.session.clone(),
            allocated_at: allocation.allocated_at,
        }
    }
}

impl CopiedAllocation {
    fn restore(self, token: &Token) -> Option<Allocation> {
        Some(Allocation {
            id: 0,
            host: self.host,
            user: self.user,
            protocol: self.protocol.parse().ok()?,
            port: crate::registry::Port::new(self.port)?,
            project: self.project.parse().ok()?,
            worktree: Some(token.clone()),
            path: self.path,
            branch: self.branch,
            service: self.service.parse().ok()?,
            environment: self.environment.parse().ok()?,
            primary: self.primary,
            status: Status::Allocated,
            service_type: self.service_type,
            description: self.description,
            public_hostname: self.public_hostname,
            pinned: self.pinned,
            session: self.session,
            allocated_at: self.allocated_at,
            last_used_at: None,
            last_checked_at: None,
            released_at: None,
        })
    }
}
