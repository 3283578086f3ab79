//! The copies of its allocations that each worktree carries: one for git-port in the administrative
//! directory, and the file of variables for programs at its top.
//!
//! They follow the commit, so a copy may lag behind the registry for a moment, never run ahead of it.
//! Reading works from them where the registry cannot be opened, as in a sandbox, and a lost registry can
//! be rebuilt from them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::env;
use super::followers;
use super::standing::Standing;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{Worktree, identity, index};
use crate::registry::{Allocation, EnvironmentName, Status, Token, WorktreeRecord};
use crate::store::{self, Filter};
use crate::system::files::{self, Access};
use crate::template::dotenv;

/// The file of variables at the top of a worktree, unless another name is configured.
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
    // Without the note, the next command here puts right what would have been told.
    let _ = followers::note(ctx, token, &followers::followed(standing));
    match write_env_file(ctx, standing, token, &allocations) {
        Ok(notice) => warnings.extend(notice),
        Err(error) => {
            warnings.push(format!("{} is not up to date: {error}", standing.settings.worktree.env_file));
        }
    }
    warnings
}

/// Brings the copies of another worktree up to date, if it can be reached.
pub fn refresh(ctx: &mut Context, token: &Token) -> Vec<String> {
    let found = ctx.store().and_then(|store| Ok(store::read(store, |rows| rows.worktree(token))?));
    let Ok(Some(record)) = found else { return Vec::new() };
    match Standing::of_record(ctx, record) {
        Ok(None) => Vec::new(),
        Ok(Some(standing)) if standing.worktree.path.is_dir() => deliver(ctx, &standing, token),
        // Its folder is gone: what is left of it must not go on promising ports.
        Ok(Some(standing)) => {
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
    Ok(identity::write_copy(worktree, &copy_text(token, allocations))?)
}

fn copy_text(token: &Token, allocations: &[Allocation]) -> Vec<u8> {
    let copy = Copy {
        version: 1,
        worktree: token.to_string(),
        allocations: allocations.iter().map(CopiedAllocation::from).collect(),
    };
    let mut text = serde_json::to_vec(&copy).unwrap_or_default();
    text.push(b'\n');
    text
}

/// Returns a worktree's allocations from its own copy; none if there is no copy, or it is not this
/// worktree's.
pub fn load(worktree: &Worktree) -> Option<Vec<Allocation>> {
    load_of(worktree, &identity::find_token(worktree).ok().flatten()?)
}

/// As [`load`], of a worktree whose token is known.
pub(super) fn load_of(worktree: &Worktree, token: &Token) -> Option<Vec<Allocation>> {
    let text = files::load(&identity::copy_file(worktree)).ok().flatten()?;
    let copy: Copy = serde_json::from_slice(&text).ok()?;
    if copy.worktree != token.as_str() {
        return None;
    }
    copy.allocations.into_iter().map(|copied| copied.restore(token)).collect()
}

/// Says whether a worktree's copy says what the registry says. One that does not is written anew.
pub(super) fn is_right(ctx: &mut Context, worktree: &Worktree) -> bool {
    let Ok(Some(token)) = identity::find_token(worktree) else { return false };
    let Ok(allocations) = live(ctx, &token) else { return false };
    let there = files::load(&identity::copy_file(worktree)).ok().flatten();
    if there.as_deref() == Some(&copy_text(&token, &allocations)) {
        return true;
    }
    // A new one proves nothing yet: another may have been about to write an older one.
    let _ = write_copy(worktree, &token, &allocations);
    false
}

/// Says whether a worktree's file of variables, if it is git-port's, is this worktree's own.
pub(super) fn is_own_env_file(standing: &Standing, token: &Token) -> bool {
    found_identity(standing).is_none_or(|found| found.token == token.as_str())
}

/// How a worktree's file of variables stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvFile {
    /// It says what the registry says; or there is none, and nothing to say.
    Current,
    /// There is none.
    Missing,
    /// It says something else.
    Outdated,
    /// It was written for another worktree.
    OfAnother,
    /// git-port did not write it.
    NotOurs,
}

/// Returns how a worktree's file of variables stands.
pub fn env_file(
    ctx: &mut Context,
    standing: &Standing,
    token: &Token,
    allocations: &[Allocation],
) -> Result<EnvFile> {
    let existing = files::load(&standing.env_file())?;
    let text = existing.as_ref().map(|bytes| std::str::from_utf8(bytes));
    let found = match &text {
        Some(Ok(text)) => dotenv::identity(text),
        _ => None,
    };
    let wanted = env_file_text(ctx, standing, token, allocations)?;
    Ok(match (&text, found) {
        (None, _) if wanted.is_some() => EnvFile::Missing,
        (None, _) => EnvFile::Current,
        (Some(Ok("")), _) => EnvFile::Outdated,
        (Some(_), None) => EnvFile::NotOurs,
        (Some(_), Some(identity)) if identity.token != token.as_str() => EnvFile::OfAnother,
        (Some(text), Some(_)) if text.ok() == wanted.as_deref() => EnvFile::Current,
        (Some(_), Some(_)) => EnvFile::Outdated,
    })
}

/// Notices a file of variables that was copied here from another worktree, with that one's ports in it:
/// it is replaced by this worktree's own, and the user is told. One that names ports of other projects is
/// brought up to date.
pub fn mend(ctx: &mut Context, standing: &Standing) {
    let Some(found) = found_identity(standing) else { return };
    let token = identity::find_token(&standing.worktree).ok().flatten();
    if let Some(token) = token.as_ref().filter(|token| token.as_str() == found.token) {
        let followed = followers::followed(standing);
        if !followed.is_empty() {
            // Whoever asks for the values is told himself why there are none.
            let _ = followers::note(ctx, token, &followed);
            let _ = live(ctx, token).and_then(|live| write_env_file(ctx, standing, token, &live));
        }
        return;
    }
    let written = match &token {
        Some(token) => live(ctx, token).and_then(|live| write_env_file(ctx, standing, token, &live)),
        None => drop_copied(standing, &found).map(Some),
    };
    let notice = written.unwrap_or_else(|error| {
        let (file, path) = (&standing.settings.worktree.env_file, &found.path);
        Some(format!("'{file}' was copied from '{path}' and holds its ports: {}", error.full_message()))
    });
    if let Some(notice) = notice {
        ctx.note(notice);
    }
}

fn found_identity(standing: &Standing) -> Option<dotenv::Identity> {
    let file = standing.env_file();
    // A link or a pipe is not ours; to open one may take for ever.
    if !file.symlink_metadata().ok()?.is_file() {
        return None;
    }
    dotenv::identity(std::str::from_utf8(&files::load(&file).ok().flatten()?).ok()?)
}

/// Removes a copied file from a worktree that has no ports to write in its place.
fn drop_copied(standing: &Standing, found: &dotenv::Identity) -> Result<String> {
    let name = &standing.settings.worktree.env_file;
    refuse_tracked(standing)?;
    files::remove(&standing.env_file())?;
    Ok(format!("'{name}' was copied from '{}' and is removed: it held that worktree's ports", found.path))
}

fn refuse_tracked(standing: &Standing) -> Result<()> {
    let name = &standing.settings.worktree.env_file;
    if !index::is_tracked(&standing.worktree, Path::new(name))? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, format!("'{name}' is tracked by git, so it is left alone"))
        .hint(format!("let go of it: git rm --cached -- {name}")))
}

/// Writes the file of variables. Returns what is to be told if it was another worktree's.
fn write_env_file(
    ctx: &mut Context,
    standing: &Standing,
    token: &Token,
    allocations: &[Allocation],
) -> Result<Option<String>> {
    let file = standing.env_file();
    // A link is refused when it is written; a pipe would keep us waiting for what is in it.
    if file.exists() && !file.is_file() {
        let why = "is not a file";
        return Err(crate::system::SystemError::Unsafe { path: file, why }.into());
    }
    files::refuse_symlink(&file)?;
    let existing = files::load(&file)?;
    let found = existing.as_ref().and_then(|bytes| dotenv::identity(std::str::from_utf8(bytes).ok()?));
    if existing.as_ref().is_some_and(|bytes| !bytes.is_empty()) && found.is_none() {
        let why = "was not written by git-port, so it is left alone";
        return Err(crate::system::SystemError::Unsafe { path: file, why }.into());
    }
    let known = found.as_ref().is_some_and(|found| found.token == token.as_str());
    if existing.is_some() && !known {
        refuse_tracked(standing)?;
    }
    let foreign = found.filter(|_| !known);
    let Some(text) = env_file_text(ctx, standing, token, allocations)? else {
        if let Some(found) = &foreign {
            return drop_copied(standing, found).map(Some);
        }
        files::remove(&file)?;
        return Ok(None);
    };
    if existing.as_deref() == Some(text.as_bytes()) {
        return Ok(None);
    }
    // Excluded first: an untracked file would make `git worktree remove` refuse.
    exclude(&standing.repo.common_dir, &standing.settings.worktree.env_file)?;
    // git does not wait either until the files beside it are on the disk.
    let folder = file.parent().unwrap_or(&standing.worktree.path);
    files::replace_unsynced(folder, &file, text.as_bytes(), Access::Public)?;
    forget_former(standing, token);
    let name = &standing.settings.worktree.env_file;
    Ok(foreign.map(|found| {
        format!("'{name}' was copied from '{}' and held its ports; it holds this worktree's now", found.path)
    }))
}

/// Returns the text of the file of variables; none where there is nothing to write.
pub fn env_file_text(
    ctx: &mut Context,
    standing: &Standing,
    token: &Token,
    allocations: &[Allocation],
) -> Result<Option<String>> {
    let dev: Vec<Allocation> = allocations
        .iter()
        .filter(|allocation| allocation.environment == EnvironmentName::dev())
        .cloned()
        .collect();
    if dev.is_empty() {
        return Ok(None);
    }
    let variables = env::variables(ctx, standing, &EnvironmentName::dev(), &dev)?;
    let path = standing.worktree.path.to_string_lossy().into_owned();
    let identity = dotenv::Identity { path, token: token.to_string() };
    Ok(Some(dotenv::render(&identity, &variables)?))
}

/// Removes the file that this worktree had before the configuration gave it another name: it would go on
/// promising ports.
fn forget_former(standing: &Standing, token: &Token) {
    let former = standing.worktree.path.join(ENV_FILE);
    if former == standing.env_file() || !former.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return;
    }
    let text = files::load_text(&former).ok().flatten().unwrap_or_default();
    if dotenv::identity(&text).is_some_and(|found| found.token == token.as_str()) {
        let _ = files::remove(&former);
    }
}

/// Says whether git ignores a file of each worktree, by the list that [`exclude`] keeps.
pub fn is_excluded(common_dir: &Path, name: &str) -> bool {
    let line = pattern(name);
    let text = files::load(&common_dir.join("info/exclude")).ok().flatten().unwrap_or_default();
    text.split(|byte| *byte == b'\n').any(|one| one.trim_ascii_end() == line.as_bytes())
}

/// Returns the token that a worktree's own copy was written for, whatever the token's file says.
pub fn token_of_copy(worktree: &Worktree) -> Option<Token> {
    let text = files::load(&identity::copy_file(worktree)).ok().flatten()?;
    let copy: Copy = serde_json::from_slice(&text).ok()?;
    copy.worktree.parse().ok()
}

/// Returns the live allocations of a worktree, as the registry has them.
pub fn registered(ctx: &mut Context, token: &Token) -> Result<Vec<Allocation>> {
    live(ctx, token)
}

/// Has git ignore a file of each worktree, in this clone alone.
pub fn exclude(common_dir: &Path, name: &str) -> Result<()> {
    let file = common_dir.join("info/exclude");
    files::ensure_line(&file, &pattern(name))?;
    // What a process leaves that was killed while it wrote the file.
    Ok(files::ensure_line(&file, &format!("/{}", files::TEMPORARY))?)
}

/// Returns the pattern for a file at the top of a worktree (gitignore(5)).
fn pattern(name: &str) -> String {
    let mut pattern = String::from("/");
    for c in name.chars() {
        if matches!(c, '*' | '?' | '[' | '\\' | ' ') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
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
