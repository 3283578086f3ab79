//! Moves the registry: from a file to a server that a team shares, and back.
//!
//! All is copied, read back and compared before the old one is marked as moved; from then on it refuses
//! whoever comes to it. It is kept as it was.

mod everything;

use everything::Everything;

use crate::config;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::store::postgres::is_url;
use crate::store::{self, Filter, Store, StoreError};

/// Where to move the registry.
#[derive(Clone, Debug)]
pub struct MoveRequest {
    /// A URL, or a path.
    pub to: String,
    /// Also if other machines use it: they are refused from then on.
    pub force: bool,
}

/// A registry that was moved.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
    /// How many allocations it has, live and released.
    pub allocations: usize,
    /// How many worktrees it knows.
    pub worktrees: usize,
    /// How many events of its history came along.
    pub events: usize,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Moves the registry with all that is in it, and has the user's configuration name the new one.
pub fn move_to(ctx: &mut Context, request: &MoveRequest) -> Result<Moved> {
    let to = if is_url(&request.to) {
        ctx.refuse_password(&request.to)?;
        request.to.clone()
    } else {
        std::path::absolute(&request.to).unwrap_or_else(|_| request.to.clone().into()).display().to_string()
    };
    let mut target = ctx.registry_at(Some(&to))?;
    let here = ctx.host.key.clone();
    let _going_on = ctx.going_on(|| format!("moving the registry to '{}'", target.location()));
    let source = ctx.store()?;
    let (from, place) = (source.location(), target.location());
    if from == place {
        return Err(Error::usage(format!("the registry is at '{place}' already")));
    }
    let copy = store::read(source, |rows| Everything::read(rows))?;
    let others = copy.hosts.iter().filter(|(key, _)| *key != here).map(|(_, name)| name.as_str());
    let others: Vec<&str> = others.collect();
    if !others.is_empty() && !request.force {
        let message = format!("other machines use this registry, too: {}", others.join(", "));
        return Err(Error::new(ErrorKind::Refused, message)
            .hint("they would be refused from then on; to move it all the same: --force"));
    }
    fill(target.as_mut(), &copy)?;
    let arrived = store::read(target.as_mut(), |rows| Everything::read(rows))?;
    if !arrived.holds(&copy) {
        return Err(Error::new(
            ErrorKind::Internal,
            format!("'{place}' does not hold what was written to it"),
        )
        .hint(format!("nothing was changed in '{from}'; please report this")));
    }
    // While nobody else writes: what came in meanwhile would be left behind.
    store::write(source, |tx| -> Result<()> {
        if Everything::read(tx)? != copy {
            return Err(Error::new(ErrorKind::Busy, "the registry was changed while it was moved")
                .hint("try again when nobody uses it"));
        }
        Ok(store::note_move(tx, Some(&place))?)
    })
    .inspect_err(|_| {
        // Not to be taken for a registry that somebody uses.
        let _ = store::write_anyway(target.as_mut(), |tx| copy.remove(tx));
    })?;
    let warnings = name_it(ctx, &to)?;
    Ok(Moved {
        from,
        to: place,
        allocations: copy.allocations.len(),
        worktrees: copy.worktrees.len(),
        events: copy.events.len(),
        warnings,
    })
}

/// Writes everything to a registry that has nothing of these machines yet.
fn fill(target: &mut dyn Store, copy: &Everything) -> Result<()> {
    let place = target.location();
    store::write_anyway(target, |tx| {
        if store::is_moved(tx)? {
            // It was moved away once, and what it had is where this comes from.
            Everything::read(tx)?.remove(tx)?;
            store::note_move(tx, None)?;
        }
        for (key, name) in &copy.hosts {
            let filter = Filter { host: Some(key.clone()), ..Filter::default() };
            if !tx.allocations(&filter)?.is_empty() {
                let message = format!("'{place}' has ports of the machine '{name}' already");
                return Err(Error::new(ErrorKind::Conflict, message)
                    .hint("use it as it is, and take over the rest: git port export, git port import"));
            }
        }
        copy.write(tx).map_err(|error| match error {
            StoreError::Constraint { why } => Error::new(
                ErrorKind::Conflict,
                format!("'{place}' holds otherwise what is to move there: {why}"),
            )
            .hint("see what it holds: git port list --all --registry <url>"),
            other => other.into(),
        })
    })
}

/// Has the user's file name the registry, unless something stronger does.
fn name_it(ctx: &mut Context, place: &str) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    let (file, _) = config::user_file(&ctx.dirs.config, &ctx.environment);
    config::set_registry(&file, place)?;
    if ctx.environment.os("GIT_PORT_REGISTRY").is_some() {
        warnings.push(format!(
            "the variable 'GIT_PORT_REGISTRY' names another registry than '{}', and wins",
            file.display()
        ));
    }
    Ok(warnings)
}
