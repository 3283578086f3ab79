//! Makes a worktree and gives it its ports.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Described, attempt, describe, lock, os};
use crate::config::Fill;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::{Repo, Worktree, branches, checkout, identity};
use crate::ops::allocate::{self, AllocateRequest, Placed, ServiceRequest};
use crate::ops::init::CONFIG_FILE;
use crate::ops::pending;
use crate::ops::standing::{self, Standing};
use crate::registry::EnvironmentName;
use crate::registry::scope::folder_slug;
use crate::system::files;
use crate::template::dev_command;

/// What worktree to make.
#[derive(Clone, Debug, Default)]
pub struct CreateRequest {
    /// The branch; with `detach`, any commit.
    pub branch: OsString,
    /// Where; else as configured.
    pub path: Option<PathBuf>,
    /// What a new branch starts from.
    pub from: Option<OsString>,
    /// Without a branch.
    pub detach: bool,
    /// With an empty tree.
    pub no_checkout: bool,
    /// Services it is to have besides the configured ones.
    pub services: Vec<ServiceRequest>,
    /// The environment of its ports.
    pub environment: Option<EnvironmentName>,
    /// Make the worktree alone.
    pub no_ports: bool,
    /// Which conversation or agent asks.
    pub session: Option<String>,
    /// Keep git's own words for the error message instead of passing them on.
    pub keep_words: bool,
    /// Let git say less.
    pub quiet: bool,
}

/// A new worktree.
#[derive(Clone, Debug)]
pub struct Created {
    /// The worktree.
    pub described: Described,
    /// Its ports.
    pub placed: Vec<Placed>,
    /// How to start its dev server: `PORT=8124 npm run dev`; none without a primary port.
    pub usage: Option<String>,
    /// What the user should know: above all, why it has no ports.
    pub warnings: Vec<String>,
    /// git's exit status: not 0 if a hook failed once the worktree was made.
    pub status: u8,
}

/// Makes a worktree with `git worktree add`, and allocates its ports.
///
/// Once git has made the worktree, nothing that goes wrong with its ports is an error.
pub fn create(ctx: &mut Context, request: &CreateRequest) -> Result<Created> {
    if request.branch.is_empty() || request.branch.as_encoded_bytes().starts_with(b"-") {
        return Err(Error::usage(format!("'{}' is not a branch name", request.branch.to_string_lossy())));
    }
    let repo = ctx.repo()?;
    let (settings, broken) = ctx.settings_or_default(&repo, repo.worktree.as_deref())?;
    if let (Some(environment), None) = (&request.environment, &broken) {
        standing::environment(&settings, Some(environment))?;
    }
    let path = match &request.path {
        Some(path) => files::canonical(path),
        None => default_path(
            &repo,
            &settings.worktree.path,
            &standing::project_name(&settings, &repo),
            &request.branch,
        )?,
    };
    let (mut arguments, warning) = arguments(&repo, request, &path)?;
    if settings.worktree.fill == Fill::Auto && !request.no_checkout {
        // The variable is for tests, whose repositories are small.
        let fewest = ctx.environment.text("GIT_PORT_FILL_FROM")?.and_then(|text| text.parse().ok());
        if let Some(workers) = checkout::workers(&repo, fewest.unwrap_or(checkout::WORTHWHILE)) {
            arguments.splice(0..0, [os("-c"), os(&format!("checkout.workers={workers}"))]);
        }
    }
    let mut warnings: Vec<String> = warning.into_iter().collect();
    if let (Some(error), None) = (&broken, &request.path) {
        warnings.push(format!("the path is the usual one, for the configuration cannot be read: {error}"));
    }
    let mut status = 0;
    let stood = find_made(&repo, &path).is_some();
    // Until it has its ports: nobody is to find a worktree without any and give it others.
    let lock = lock(&repo)?;
    let stands = || !stood && find_made(&repo, &path).is_some_and(|worktree| !worktree.locked);
    let ran = attempt::add(&repo, ctx.folder(), arguments, request.keep_words, &stands);
    let worktree = match (ran, find_made(&repo, &path)) {
        (Ok(()), Some(worktree)) => worktree,
        (Ok(()), None) => {
            let message = format!("git made no worktree at '{}'", path.display());
            return Err(Error::new(ErrorKind::Worktree, message));
        }
        // A hook that fails makes git fail although the worktree is made.
        (Err(error), Some(worktree)) if !stood && !worktree.locked => {
            status = error.exit_status();
            warnings.push(format!("git ended with status {status}, but it made the worktree: see its hooks"));
            worktree
        }
        (Err(error), _) if lock.is_none() => return Err(error.hint(crate::error::OUTSIDE)),
        (Err(error), _) => return Err(advise(&repo, &path, error)),
    };
    let mut created = Created {
        described: describe(ctx, &repo, worktree.clone())?,
        placed: Vec::new(),
        usage: None,
        warnings,
        status,
    };
    if request.no_ports {
        // With a token it counts as known, and nobody gives it ports unasked.
        identity::token(&created.described.worktree)?;
    } else if let Err(error) = give_ports(ctx, &repo, worktree, request, &mut created) {
        created.warnings.push(pending::describe(&error));
        created.warnings.extend(error.hints.iter().cloned());
    }
    Ok(created)
}

fn give_ports(
    ctx: &mut Context,
    repo: &Repo,
    worktree: Worktree,
    request: &CreateRequest,
    created: &mut Created,
) -> Result<()> {
    let standing = Standing::of(ctx, repo.clone(), worktree)?;
    created.described.project = standing.project.clone();
    // Easily overlooked after `init`: git does not have the file yet, or not on this branch.
    let has_file = |top: &Path| top.join(CONFIG_FILE).exists();
    if !has_file(&standing.worktree.path) && repo.main_worktree().is_some_and(|main| has_file(&main)) {
        created.warnings.push(format!(
            "'{CONFIG_FILE}' is in the main worktree and not in this one: commit it, so that each has its services"
        ));
    }
    let mut services: Vec<ServiceRequest> =
        if standing.settings.services.is_empty() && !request.services.is_empty() {
            Vec::new()
        } else {
            standing.default_services().into_iter().map(ServiceRequest::any).collect()
        };
    for wanted in &request.services {
        match services.iter_mut().find(|service| service.service == wanted.service) {
            Some(service) => service.clone_from(wanted),
            None => services.push(wanted.clone()),
        }
    }
    let request = AllocateRequest {
        services,
        environment: request.environment.clone(),
        session: request.session.clone(),
        ..AllocateRequest::default()
    };
    let allocated = allocate::allocate_in(ctx, &standing, request.clone()).inspect_err(|error| {
        if error.kind.is_retryable() {
            // Should that fail, too, it gets what every worktree gets.
            let _ = pending::note(&standing.worktree, &request);
        }
    })?;
    created.placed = allocated.placed;
    created.warnings.extend(allocated.warnings);
    created.usage = usage(&standing.worktree.path, &created.placed);
    Ok(())
}

fn usage(top: &Path, placed: &[Placed]) -> Option<String> {
    let primary = placed.iter().map(|placed| &placed.allocation).find(|allocation| allocation.primary);
    let port = primary.or_else(|| placed.first().map(|placed| &placed.allocation))?.port;
    Some(dev_command::usage(port, allocate::dev_command(top).as_deref()))
}

/// Says what to do about a worktree in the way that was never finished.
fn advise(repo: &Repo, path: &Path, error: Error) -> Error {
    let path = files::canonical(path);
    let is_in_the_way = |worktree: &Worktree| !worktree.main && worktree.locked && worktree.path == path;
    let found = repo.worktrees().unwrap_or_default().into_iter().find(is_in_the_way);
    let has = |name: &str| found.as_ref().is_none_or(|worktree| worktree.admin_dir.join(name).exists());
    // git writes the index when the tree is filled, and lifts its lock then.
    if has("index") {
        return error;
    }
    let error = error.hint("the worktree there was never finished; whoever made it was killed");
    if !has("HEAD") {
        return error.hint("try again in a few seconds: it is cleared away then");
    }
    error.hint(format!("to clear it away: git worktree remove --force --force '{}'", path.display()))
}

/// Returns the linked worktree that stands at this path, if there is one, and it can be seen.
fn find_made(repo: &Repo, path: &Path) -> Option<Worktree> {
    let path = files::canonical(path);
    let mut worktrees = repo.worktrees().ok()?.into_iter();
    worktrees.find(|worktree| !worktree.main && worktree.path == path && worktree.is_connected())
}

/// Returns the folder for a branch by the configured pattern, starting from the main worktree.
fn default_path(
    repo: &Repo,
    pattern: &str,
    project: &crate::registry::ProjectName,
    branch: &OsStr,
) -> Result<PathBuf> {
    let slug = branch_slug(branch);
    let expanded = pattern.replace("{project}", &folder_slug(project.as_str())).replace("{branch}", &slug);
    if let Some(rest) = expanded.split_once('{') {
        return Err(Error::new(
            ErrorKind::Config,
            format!("the setting 'worktree.path' has the unknown placeholder '{{{}'", rest.1),
        )
        .hint("known are {project} and {branch}"));
    }
    let path = files::canonical(&repo.base_folder().join(expanded));
    if path.starts_with(&repo.common_dir) {
        return Err(Error::new(
            ErrorKind::Config,
            format!("'{}' lies inside the repository's own folder", path.display()),
        )
        .hint("change the setting 'worktree.path', or name a path"));
    }
    Ok(path)
}

/// Branches are bytes; what is not UTF-8 is told apart by its hash.
fn branch_slug(branch: &OsStr) -> String {
    match branch.to_str() {
        Some(text) => folder_slug(text),
        None => {
            let hash = crate::registry::scope::fnv1a(branch.as_encoded_bytes());
            folder_slug(&format!(
                "{}-{hash:08x}",
                branch.to_string_lossy().replace(char::REPLACEMENT_CHARACTER, "-")
            ))
        }
    }
}

/// Returns the arguments for `git`, and what the user should know about the choice of the branch.
fn arguments(repo: &Repo, request: &CreateRequest, path: &Path) -> Result<(Vec<OsString>, Option<String>)> {
    let mut arguments = vec![os("worktree"), os("add")];
    if request.quiet {
        arguments.push(os("--quiet"));
    }
    if request.no_checkout {
        arguments.push(os("--no-checkout"));
    }
    let branch = request.branch.clone();
    let mut warning = None;
    let commit = if request.detach {
        if request.from.is_some() {
            return Err(Error::usage("--detach takes the commit in place of the branch, not --from"));
        }
        arguments.push(os("--detach"));
        Some(branch)
    } else if branches::exists(repo, &branch)? {
        if request.from.is_some() {
            let name = branch.to_string_lossy();
            return Err(Error::new(
                ErrorKind::Worktree,
                format!("the branch '{name}' exists already, so it cannot start from another commit"),
            )
            .hint("leave out --from to check it out"));
        }
        Some(branch)
    } else {
        let remotes = if request.from.is_some() { Vec::new() } else { branches::list_remote(repo, &branch)? };
        match remotes.as_slice() {
            [one] => {
                arguments.extend([os("--track"), os("-b"), branch]);
                Some(one.clone())
            }
            several => {
                if several.len() > 1 {
                    let names =
                        several.iter().map(|name| name.to_string_lossy().replace("refs/remotes/", ""));
                    let names: Vec<String> = names.collect();
                    warning = Some(format!(
                        "several remotes have this branch ({}), so a new one was made; to track one: --from <remote>/<branch>",
                        names.join(", ")
                    ));
                }
                arguments.extend([os("-b"), branch]);
                request.from.clone()
            }
        }
    };
    arguments.push(os("--"));
    // As it was given, so that git's messages name what the user named.
    arguments.push(request.path.as_deref().unwrap_or(path).as_os_str().to_owned());
    arguments.extend(commit);
    Ok((arguments, warning))
}
