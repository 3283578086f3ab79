//! Puts a rendered text into its file: one that is not there yet, or the block that git-port wrote itself.
//! Everything else is somebody else's, and is left alone.

use std::path::{Component, Path, PathBuf};

use super::{Act, Outcome, Templated};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{diff, identity, index};
use crate::ops::copies;
use crate::ops::env;
use crate::ops::standing::Standing;
use crate::registry::EnvironmentName;
use crate::system::files::{self, Access};
use crate::template::block::{self, Comment, Found};
use crate::template::dotenv;
use crate::template::frameworks::Place;

/// How a text is to be put into its file.
pub(super) struct Delivery {
    /// Whether to write, or only to say what would be written.
    pub(super) act: Act,
    /// What kind of file it is.
    pub(super) place: Place,
    /// How the file begins a comment.
    pub(super) comment: Comment,
    /// The block may be put behind what the user has written.
    pub(super) append: bool,
    /// The whole file is git-port's: the file of variables.
    pub(super) whole: bool,
}

/// A file, and what it would hold.
struct Planned {
    path: PathBuf,
    name: String,
    old: Option<Vec<u8>>,
    new: Vec<u8>,
}

/// Writes the text, or says what would be written. What stands in the way is an outcome, not an error:
/// the text is still of use.
pub(super) fn deliver(
    ctx: &mut Context,
    standing: &Standing,
    delivery: &Delivery,
    templated: &mut Templated,
) -> Result<()> {
    let Some(name) = templated.file.clone() else {
        templated.outcome = Outcome::ByHand("nothing says which file it belongs in; name one: --into <file>");
        return Ok(());
    };
    let path = inside(&standing.worktree.path, &name)?;
    if delivery.place == Place::ByHand {
        templated.outcome = Outcome::ByHand("it belongs into code or a command, so it is not written");
        return Ok(());
    }
    let planned = if delivery.whole {
        whole(ctx, standing, path, name)
    } else {
        plan(standing, delivery, path, name, &templated.text)
    };
    let planned = match planned {
        Ok(planned) => planned,
        Err(error) if error.kind == ErrorKind::Conflict => {
            templated.outcome = Outcome::Conflict(error);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let old = planned.old.as_deref().unwrap_or_default();
    templated.diff = Some(diff::unified(Path::new(&planned.name), old, &planned.new)?);
    templated.outcome = match delivery.act {
        _ if planned.old.as_deref() == Some(&planned.new[..]) => Outcome::Unchanged,
        Act::Write => {
            write(standing, delivery, &planned)?;
            Outcome::Written
        }
        Act::DryRun => Outcome::WouldBeWritten,
        Act::Show | Act::Compare => Outcome::Shown,
    };
    Ok(())
}

/// Returns the path of a file in the worktree; an error if it lies elsewhere or in git's own folder.
pub(super) fn inside(top: &Path, name: &str) -> Result<PathBuf> {
    let plain = !name.is_empty()
        && !name.contains(['\\', '\0', ':'])
        && !name.chars().any(char::is_control)
        && Path::new(name).components().all(|component| match component {
            Component::Normal(part) => !part.eq_ignore_ascii_case(".git"),
            _ => false,
        });
    if !plain || name.ends_with('/') {
        return Err(Error::usage(format!("'{name}' is not the path of a file in the worktree"))
            .hint("write it as it is seen from the top of the worktree: .env.local"));
    }
    Ok(top.join(name))
}

fn conflict(message: String, hint: &str) -> Error {
    Error::new(ErrorKind::Conflict, message).hint(hint)
}

/// Fails if a part of the path is a link: what it leads to need not be in the worktree.
fn refuse_links(top: &Path, path: &Path, name: &str) -> Result<()> {
    let below: Vec<&Path> = path.ancestors().take_while(|part| *part != top).collect();
    for part in below.into_iter().rev() {
        let Ok(metadata) = part.symlink_metadata() else { return Ok(()) };
        let fits = if part == path { metadata.is_file() } else { metadata.is_dir() };
        if metadata.file_type().is_symlink() {
            let shown = part.strip_prefix(top).unwrap_or(part).display().to_string();
            let hint = "write into a file of the worktree's own, or put the text in by hand";
            return Err(conflict(format!("'{shown}' is a symbolic link, so '{name}' is not written"), hint));
        }
        if !fits {
            let hint = "put the text in by hand";
            return Err(conflict(format!("'{name}' cannot be a file: something else is in its place"), hint));
        }
    }
    Ok(())
}

fn plan(
    standing: &Standing,
    delivery: &Delivery,
    path: PathBuf,
    name: String,
    text: &str,
) -> Result<Planned> {
    refuse_links(&standing.worktree.path, &path, &name)?;
    let tracked = || index::is_tracked(&standing.worktree, Path::new(&name));
    let block = block::wrap(delivery.comment, text)?;
    let old = files::load(&path)?;
    let by_hand = "put the text in by hand, or name another file: --into <file>";
    let new = match &old {
        None if tracked()? => {
            return Err(conflict(format!("'{name}' is tracked by git, though it is not there now"), by_hand));
        }
        None => block.into_bytes(),
        Some(old) => match block::find(delivery.comment, old) {
            Found::Block(_) if delivery.append && tracked()? => {
                return Err(conflict(
                    format!("'{name}' is tracked by git, so no ports are written into it"),
                    by_hand,
                ));
            }
            Found::Block(place) => block::replace(old, place, &block),
            Found::Damaged => {
                let hint = "leave one pair of '>>> git-port >>>' and '<<< git-port <<<', or none";
                return Err(conflict(format!("the marks of git-port's block in '{name}' are damaged"), hint));
            }
            // A file that has no comments can still be found to hold the very text.
            Found::Nothing if *old == block.as_bytes() => block.into_bytes(),
            Found::Nothing if tracked()? => {
                return Err(conflict(
                    format!("'{name}' is tracked by git and has no block of git-port's"),
                    by_hand,
                ));
            }
            Found::Nothing if delivery.append => block::append(old, &block),
            Found::Nothing => {
                return Err(conflict(
                    format!("'{name}' was not written by git-port, so it is left alone"),
                    by_hand,
                ));
            }
        },
    };
    Ok(Planned { path, name, old, new })
}

/// The file of variables has a header of its own, by which a copy is told.
fn whole(ctx: &mut Context, standing: &Standing, path: PathBuf, name: String) -> Result<Planned> {
    refuse_links(&standing.worktree.path, &path, &name)?;
    let old = files::load(&path)?;
    let text = old.as_deref().map(|old| String::from_utf8_lossy(old).into_owned()).unwrap_or_default();
    if !text.is_empty() && dotenv::identity(&text).is_none() {
        let hint = "write into a block of it: git port template dotenv --write --into <file>";
        return Err(conflict(format!("'{name}' was not written by git-port, so it is left alone"), hint));
    }
    if index::is_tracked(&standing.worktree, Path::new(&name))? {
        let hint = format!("let go of it: git rm --cached -- {name}");
        return Err(conflict(format!("'{name}' is tracked by git, so it is left alone"), &hint));
    }
    let allocations = env::allocations(ctx, standing, &EnvironmentName::dev())?;
    let token = identity::token(&standing.worktree)?;
    let new = copies::env_file_text(ctx, standing, &token, &allocations)?.unwrap_or_default().into_bytes();
    Ok(Planned { path, name, old, new })
}

fn write(standing: &Standing, delivery: &Delivery, planned: &Planned) -> Result<()> {
    // Excluded first: an untracked file would make `git worktree remove` refuse.
    if delivery.place == Place::Local && !index::is_tracked(&standing.worktree, Path::new(&planned.name))? {
        copies::exclude(&standing.repo.common_dir, &planned.name)?;
    }
    if planned.old.is_some() {
        return Ok(files::rewrite(&planned.path, &planned.new)?);
    }
    if let Some(folder) = planned.path.parent() {
        std::fs::create_dir_all(folder).map_err(crate::system::SystemError::file("create", folder))?;
    }
    Ok(files::replace(&planned.path, &planned.new, Access::Public)?)
}
