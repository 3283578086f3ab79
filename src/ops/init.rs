//! Sets up a repository: its configuration, the hook, and the ports of the worktree one stands in.

use std::path::PathBuf;

use super::allocate::{self, AllocateRequest, Placed};
use super::hook;
use super::standing::Standing;
use super::suggest::{self, Market};
use super::wiring;
use crate::context::Context;
use crate::error::Result;
use crate::git::hooks::Mechanism;
use crate::registry::{EnvironmentName, Port, Protocol};
use crate::system::files::{self, Access};
use crate::template::detect::Found;
use crate::template::wiring::Gap;

/// The configuration file at a worktree's root.
pub const CONFIG_FILE: &str = ".git-port.toml";

/// A service to be configured.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// What was found.
    pub found: Found,
    /// The port that the first worktree is to get, where people know the service by its port.
    pub prefer: Option<Port>,
}

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
    pub proposed: Vec<Proposed>,
    /// Which of the project's tools do not take their ports yet.
    pub unwired: Vec<Gap>,
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
    let found = if standing.settings.configured { Vec::new() } else { wiring::find(&standing.worktree.path) };
    let prefer = preferred(ctx, &standing, &found);
    let proposed: Vec<Proposed> =
        found.into_iter().zip(prefer).map(|(found, prefer)| Proposed { found, prefer }).collect();
    let text = (!standing.settings.configured).then(|| configuration(standing.project.as_str(), &proposed));
    let mut initialized = Initialized {
        dry_run,
        config_file: config_file.clone(),
        written: text.clone(),
        unwired: unwired(&standing, &proposed),
        proposed,
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

/// Returns which tools do not take their ports, by the configuration that is there or is proposed.
fn unwired(standing: &Standing, proposed: &[Proposed]) -> Vec<Gap> {
    if standing.settings.configured {
        return wiring::gaps(standing, &wiring::configured(standing));
    }
    let carried = |one: &Proposed| wiring::carried(&one.found.service, &one.found.variables);
    wiring::gaps(standing, &proposed.iter().map(carried).collect::<Vec<_>>())
}

/// Suggests ports for what people know by its port: databases, caches, queues. The others take any.
fn preferred(ctx: &mut Context, standing: &Standing, found: &[Found]) -> Vec<Option<Port>> {
    let (settings, project) = (&standing.settings, &standing.project);
    let open = Market::open(ctx, settings, Some(project), &EnvironmentName::dev(), Protocol::Tcp);
    let Ok(market) = open else { return vec![None; found.len()] };
    let mut given: Vec<Port> = Vec::new();
    let mut prefer = |one: &Found| {
        let usual = match suggest::usual(&one.service, one.service_type) {
            None => return None,
            usual => one.usual.or(usual)?,
        };
        let port = market.near(usual).filter(|port| !given.contains(port))?;
        given.push(port);
        Some(port)
    };
    found.iter().map(&mut prefer).collect()
}

fn configuration(project: &str, proposed: &[Proposed]) -> String {
    let mut text = format!(
        "# Ports for each worktree: git-port reads this file. Commit it.\n\
         project = \"{project}\"\n\
         \n\
         # The first service is the primary one: PORT stands for it.\n"
    );
    for Proposed { found: one, prefer } in proposed {
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
        if let Some(prefer) = prefer {
            text.push_str(&format!("prefer = {prefer}   # or else the next free one\n"));
        }
    }
    if proposed.is_empty() {
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
