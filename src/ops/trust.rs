//! Which repositories' templates the user trusts. A repository cannot say so itself: it is kept in the
//! user's state folder, for this path and exactly this content.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::standing::Standing;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::system::files::{self, Access};
use crate::system::lock::Lock;

/// Where a repository keeps its templates, from the top of a worktree.
pub const FOLDER: &str = ".git-port/templates";

// The name of the file and its fields reach disk.
const FILE: &str = "trust.json";
const PATIENCE: Duration = Duration::from_secs(10);

/// More files than a repository has templates.
const MOST_FILES: usize = 200;

/// What is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    /// The path of the repository, as it may be shown.
    pub repository: String,
    /// The SHA-256 of that path's bytes, which need not be text.
    key: String,
    /// The SHA-256 of the templates.
    pub sha256: String,
    /// When it was trusted.
    pub trusted_at: jiff::Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    trusted: Vec<Trusted>,
}

/// A template of a repository, as it was read.
#[derive(Clone, Debug)]
pub struct RepositoryTemplate {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// The templates of a repository, and whether they may be used.
#[derive(Clone, Debug, Default)]
pub struct RepositoryTemplates {
    /// The templates, by name.
    pub templates: Vec<RepositoryTemplate>,
    /// The SHA-256 of them all.
    pub sha256: String,
    /// Whether the user trusts exactly these.
    pub trusted: bool,
    /// Whether the user trusts others of this repository, so that these have changed.
    pub changed: bool,
}

/// What `git port trust` did.
#[derive(Clone, Debug)]
pub struct TrustChanged {
    /// The repository, as it may be shown.
    pub repository: String,
    /// The names of the templates that are trusted now; none after a revocation.
    pub templates: Vec<String>,
    /// The SHA-256 of the templates.
    pub sha256: Option<String>,
    /// Whether anything is other than before.
    pub changed: bool,
}

/// Trusts the templates of the repository one stands in, as they are now.
pub fn trust(ctx: &mut Context) -> Result<TrustChanged> {
    let standing = Standing::here(ctx)?;
    let found = load(ctx, &standing)?;
    if found.templates.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "this repository has no templates of its own")
            .hint(format!("they are in '{FOLDER}', at the top of the worktree: <name>.j2")));
    }
    let one = Trusted {
        repository: standing.repo.common_dir.to_string_lossy().into_owned(),
        key: key(&standing.repo.common_dir),
        sha256: found.sha256.clone(),
        trusted_at: ctx.clock.now(),
    };
    let (repository, sha256) = (one.repository.clone(), Some(one.sha256.clone()));
    if !found.trusted {
        change(ctx, |kept| kept.push(one))?;
    }
    let templates = found.templates.into_iter().map(|template| template.name).collect();
    Ok(TrustChanged { repository, templates, sha256, changed: !found.trusted })
}

/// Trusts nothing of the repository one stands in any more.
pub fn revoke(ctx: &mut Context) -> Result<TrustChanged> {
    let repo = ctx.repo()?;
    let key = key(&repo.common_dir);
    let known = kept(ctx)?.iter().any(|one| one.key == key);
    if known {
        change(ctx, |kept| kept.retain(|one| one.key != key))?;
    }
    let repository = repo.common_dir.to_string_lossy().into_owned();
    Ok(TrustChanged { repository, templates: Vec::new(), sha256: None, changed: known })
}

/// Returns all that is trusted.
pub fn list(ctx: &Context) -> Result<Vec<Trusted>> {
    kept(ctx)
}

/// Returns the templates of a repository, read once: what was looked at is what is rendered.
pub fn load(ctx: &Context, standing: &Standing) -> Result<RepositoryTemplates> {
    let mut templates = list_folder(&standing.worktree.path)?;
    if templates.is_empty() {
        return Ok(RepositoryTemplates::default());
    }
    templates.sort_by(|one, other| one.name.cmp(&other.name));
    let mut hash = Sha256::new();
    for template in &templates {
        // With their lengths, so that no other names and texts give the same bytes.
        for part in [&template.name, &template.text] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    let sha256 = hexadecimal(&hash.finalize());
    let key = key(&standing.repo.common_dir);
    let kept = kept(ctx)?;
    let mut of_repository = kept.iter().filter(|one| one.key == key).peekable();
    let known = of_repository.peek().is_some();
    let trusted = of_repository.any(|one| one.sha256 == sha256);
    Ok(RepositoryTemplates { templates, sha256, trusted, changed: known && !trusted })
}

/// Returns the error for a template that may not be used yet.
pub fn refusal(found: &RepositoryTemplates, name: &str) -> Error {
    let message = if found.changed {
        format!(
            "the templates of this repository have changed since they were trusted, so '{name}' is not used"
        )
    } else {
        format!("the template '{name}' comes with this repository and is not trusted")
    };
    Error::new(ErrorKind::Refused, message).hint(format!("read what is in '{FOLDER}', then: git port trust"))
}

/// Says whether this may be the name of a template: `[a-z][a-z0-9-]*`.
pub fn is_template_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Only what lies in the worktree itself counts: a link could lead to any file of the user's, a pipe
/// could keep us waiting.
fn list_folder(top: &Path) -> Result<Vec<RepositoryTemplate>> {
    let folder = top.join(FOLDER);
    let is_dir = |path: &Path| path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
    if !folder.parent().is_some_and(is_dir) || !is_dir(&folder) {
        return Ok(Vec::new());
    }
    let failed = |source| crate::system::SystemError::file("read", &folder)(source);
    let mut templates = Vec::new();
    for (index, entry) in fs::read_dir(&folder).map_err(failed)?.enumerate() {
        if index == MOST_FILES {
            return Ok(Vec::new());
        }
        let path = entry.map_err(failed)?.path();
        let stem = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".j2"));
        let Some(name) = stem.filter(|name| is_template_name(name)).map(str::to_owned) else { continue };
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        // One that is not text cannot be rendered, and need not keep the others from it.
        let Ok(Some(text)) = files::load_text(&path) else { continue };
        templates.push(RepositoryTemplate { name, path, text });
    }
    Ok(templates)
}

fn kept(ctx: &Context) -> Result<Vec<Trusted>> {
    let file = ctx.dirs.state.join(FILE);
    let Some(bytes) = files::load(&file)? else { return Ok(Vec::new()) };
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(ErrorKind::Config, format!("'{}' is damaged: {error}", file.display()))
            .hint("remove it, and run 'git port trust' where it is wanted")
    })?;
    Ok(kept.trusted)
}

fn change(ctx: &Context, act: impl FnOnce(&mut Vec<Trusted>)) -> Result<()> {
    let folder = &ctx.dirs.state;
    files::create_private_dir(folder)?;
    let _lock = Lock::acquire(&folder.join("trust.lock"), PATIENCE)?;
    let mut trusted = kept(ctx)?;
    act(&mut trusted);
    let mut text = serde_json::to_vec(&Kept { version: 1, trusted }).unwrap_or_default();
    text.push(b'\n');
    Ok(files::replace(&folder.join(FILE), &text, Access::Private)?)
}

fn key(path: &Path) -> String {
    hexadecimal(&Sha256::digest(path.as_os_str().as_encoded_bytes()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
