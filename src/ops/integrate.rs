//! Tells the tools that work in worktrees about git-port, each in its own file.

use std::path::{Path, PathBuf};

use crate::config::nearest;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::diff;
use crate::system::SystemError;
use crate::system::files::{self, Access};
use crate::template::agents::{INTEGRATIONS, Integration, Part};
use crate::template::merge::merge;

/// What to do with the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Show what is to stand in them.
    Show,
    /// Say how they would change.
    DryRun,
    /// Write them.
    Write,
}

/// A tool that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name on the command line.
    pub name: &'static str,
    /// What people call it, and what it gets.
    pub about: &'static str,
}

/// What came of one file.
#[derive(Debug)]
pub struct Merged {
    /// The file, from the top of the worktree.
    pub file: String,
    /// What it is for.
    pub about: &'static str,
    /// The text that is to stand in it: all of a file that is made for it.
    pub text: String,
    /// How the file changes; empty if it does not.
    pub diff: String,
    /// Whether it was written now.
    pub written: bool,
    /// Why it cannot be written; the text is to be put in by hand.
    pub conflict: Option<Error>,
}

/// Returns the tools that are known.
pub fn list() -> Vec<Known> {
    INTEGRATIONS.iter().map(|one| Known { name: one.name, about: one.about }).collect()
}

/// Puts into the tool's files what is to stand there, or shows it.
pub fn integrate(ctx: &Context, tool: &str, act: Act) -> Result<Vec<Merged>> {
    let Some(Integration { files, .. }) =
        INTEGRATIONS.iter().find(|one| one.name == tool || one.also.contains(&tool))
    else {
        let error = Error::new(ErrorKind::NotFound, format!("there is no integration for '{tool}'"));
        let known = INTEGRATIONS.iter().flat_map(|one| one.also.iter().copied().chain([one.name]));
        let error = match nearest(tool, known) {
            Some(near) => error.hint(format!("did you mean '{near}'? git port integrate {near}")),
            None => error,
        };
        return Err(error
            .hint("see which there are: git port integrate --list")
            .hint("for every other agent: git port integrate agents-md"));
    };
    let top = match act {
        Act::Show => ctx.find_repo()?.and_then(|repo| repo.worktree),
        Act::DryRun | Act::Write => Some(ctx.repo()?.current()?.path),
    };
    files.iter().map(|part| put(top.as_deref(), part, act)).collect()
}

fn put(top: Option<&Path>, part: &Part, act: Act) -> Result<Merged> {
    let text = merge("", part.edits)?;
    let names = || std::iter::once(&part.file).chain(part.others);
    let there = top.and_then(|top| names().find(|name| top.join(name).is_file()));
    let file = (*there.unwrap_or(&part.file)).to_owned();
    let mut merged =
        Merged { about: part.about, text, diff: String::new(), written: false, conflict: None, file };
    let (Some(top), true) = (top, act != Act::Show) else { return Ok(merged) };
    if let Err(error) = change(top, part, act, &mut merged) {
        if error.kind != ErrorKind::Conflict {
            return Err(error);
        }
        merged.conflict = Some(error);
    }
    Ok(merged)
}

fn change(top: &Path, part: &Part, act: Act, merged: &mut Merged) -> Result<()> {
    let file = merged.file.clone();
    let conflict = |why: &str| Error::new(ErrorKind::Conflict, format!("'{file}' is left alone: {why}"));
    let path = resolve(top, &file).map_err(|why| conflict(why).hint("put the text in by hand"))?;
    let old = files::load(&path)?;
    let text =
        String::from_utf8(old.clone().unwrap_or_default()).map_err(|_| conflict("it is not UTF-8 text"))?;
    let new = merge(&text, part.edits)
        .map_err(|error| Error { hints: error.hints.clone(), ..conflict(&error.message) })?;
    merged.diff = diff::unified(Path::new(&file), text.as_bytes(), new.as_bytes())?;
    if new == text && old.is_some() || act == Act::DryRun {
        return Ok(());
    }
    if old.is_some() {
        files::rewrite(&path, new.as_bytes())?;
    } else {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(SystemError::file("create", folder))?;
        }
        files::replace(&path, new.as_bytes(), Access::Public)?;
    }
    merged.written = true;
    Ok(())
}

/// Returns where the file really is. Instructions of one agent are often a link to those of another; one that
/// leads out of the worktree is nobody's to follow.
fn resolve(top: &Path, file: &str) -> Result<PathBuf, &'static str> {
    let path = top.join(file);
    let there = path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(top);
    let Ok(real) = there.canonicalize() else { return Err("it is a link that leads nowhere") };
    let top = top.canonicalize().unwrap_or_else(|_| top.to_owned());
    if !real.starts_with(&top) || real.starts_with(top.join(".git")) {
        return Err("it leads out of the worktree");
    }
    let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
    let real = if rest.as_os_str().is_empty() { real } else { real.join(rest) };
    if real.exists() && !real.is_file() {
        return Err("something else is in its place");
    }
    Ok(real)
}
