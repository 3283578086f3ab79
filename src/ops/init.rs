//! Sets up a repository: its configuration, the hook, and the ports of the worktree one stands in.

use std::path::{Path, PathBuf};

use super::allocate::{self, AllocateRequest, Placed};
use super::hook;
use super::standing::Standing;
use crate::context::Context;
use crate::error::Result;
use crate::git::hooks::Mechanism;
use crate::system::files::{self, Access};
use crate::template::detect::{self, Found, Tree};

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
    /// The services that were found, with the reason of each; empty if the file was there already.
    pub found: Vec<Found>,
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
    let found = if standing.settings.configured { Vec::new() } else { look(&standing.worktree.path) };
    let text = (!standing.settings.configured).then(|| configuration(standing.project.as_str(), &found));
    let mut initialized = Initialized {
        dry_run,
        config_file: config_file.clone(),
        written: text.clone(),
        found,
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

/// Looks for services in the files of a worktree.
fn look(top: &Path) -> Vec<Found> {
    let read = |name: &str| files::load_text(&top.join(name)).ok().flatten();
    let folders = |name: &str| {
        let entries = std::fs::read_dir(top.join(name)).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<String> =
            folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    };
    detect::find(&Tree { read: &read, folders: &folders })
}

fn configuration(project: &str, found: &[Found]) -> String {
    let mut text = format!(
        "# Ports for each worktree: git-port reads this file. Commit it.\n\
         project = \"{project}\"\n\
         \n\
         # The first service is the primary one: PORT stands for it.\n"
    );
    for one in found {
        // It stands in a comment, whatever a folder is called.
        let why: String = one.why.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        text.push_str(&format!("[services.{}]   # {why}\n", one.service));
        if !matches!(one.service_type, "web" | "other") {
            text.push_str(&format!("type = \"{}\"\n", one.service_type));
        }
        if !one.variables.is_empty() {
            let usual = format!("{}_PORT", one.service.variable_stem());
            let all: Vec<String> =
                one.variables.iter().chain([&usual]).map(|name| format!("\"{name}\"")).collect();
            text.push_str(&format!("variables = [{}]\n", all.join(", ")));
        }
    }
    if found.is_empty() {
        text.push_str("[services.web]\n");
    }
    text.push_str(&format!(
        "\n\
         # More services get <NAME>_PORT, here MAIL_PORT:\n\
         # [services.mail]\n\
         # prefer = 8425\n\
         \n\
         # Values made from ports, in the same file of variables:\n\
         # [env]\n\
         # DATABASE_URL = \"postgres://localhost:{{db.port}}/{project}\"\n"
    ));
    text
}
