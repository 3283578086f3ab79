//! Sets up a repository: its configuration, the hook, and the ports of the worktree one stands in.

use std::path::PathBuf;

use super::allocate::{self, AllocateRequest, Placed};
use super::hook;
use super::standing::Standing;
use crate::context::Context;
use crate::error::Result;
use crate::git::hooks::Mechanism;
use crate::system::files::{self, Access};

/// The configuration file at a worktree's root.
pub const CONFIG_FILE: &str = ".git-port.toml";

/// What was set up, or would be.
#[derive(Clone, Debug, Default)]
pub struct Initialized {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// The configuration file.
    pub config_file: PathBuf,
    /// Its text, if it is new.
    pub written: Option<String>,
    /// Whether the hook was installed, and where; none if it could not be.
    pub hook: Option<(Mechanism, bool)>,
    /// The ports of this worktree.
    pub placed: Vec<Placed>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Writes `.git-port.toml` unless there is one, installs the hook, and allocates. Twice is once.
pub fn init(ctx: &mut Context, dry_run: bool) -> Result<Initialized> {
    let standing = Standing::here(ctx)?;
    let config_file = standing.worktree.path.join(CONFIG_FILE);
    let text = (!standing.settings.configured).then(|| configuration(standing.project.as_str()));
    let mut initialized = Initialized {
        dry_run,
        config_file: config_file.clone(),
        written: text.clone(),
        ..Initialized::default()
    };
    if dry_run {
        return Ok(initialized);
    }
    if let Some(text) = text {
        files::replace(&config_file, text.as_bytes(), Access::Public)?;
    }
    match hook::install(ctx, false) {
        Ok(installed) => {
            initialized.hook = Some((installed.mechanism, installed.changed));
            initialized.warnings.extend(installed.notes);
        }
        // Every command allocates what is missing, so a repository works without the hook.
        Err(error) => {
            initialized.warnings.push(format!("the hook is not installed: {error}"));
            initialized.warnings.extend(error.hints);
        }
    }
    let standing = Standing::here(ctx)?;
    let allocated = allocate::allocate_in(ctx, &standing, AllocateRequest::default())?;
    initialized.placed = allocated.placed;
    initialized.warnings.extend(allocated.warnings);
    Ok(initialized)
}

fn configuration(project: &str) -> String {
    format!(
        "# Ports for each worktree: git-port reads this file. Commit it.\n\
         project = \"{project}\"\n\
         \n\
         # The first service is the primary one: PORT stands for it.\n\
         [services.web]\n\
         \n\
         # More services get <NAME>_PORT, here API_PORT and DB_PORT:\n\
         # [services.api]\n\
         # [services.db]\n\
         # prefer = 8432\n\
         \n\
         # Values made from ports, in the same file of variables:\n\
         # [env]\n\
         # DATABASE_URL = \"postgres://localhost:{{db.port}}/{project}\"\n"
    )
}
