//! Which allocations there are, and how they stand.

use std::collections::HashMap;
use std::path::PathBuf;

use super::copies;
use super::machine::{self, Machine, Seen};
use super::standing::{self, Standing};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::Worktree;
use crate::registry::{Allocation, EnvironmentName, Port, ProjectName, State};
use crate::store::{self, Filter};
use crate::system::process::Process;

/// Which allocations to list. Every part that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct ListRequest {
    /// Of this worktree; of the one stood in, if the path is empty.
    pub worktree: Option<PathBuf>,
    /// Of this project; of the one stood in, if none is named.
    pub project: Option<Option<ProjectName>>,
    /// In this environment.
    pub environment: Option<EnvironmentName>,
    /// On this port.
    pub port: Option<Port>,
    /// In this state.
    pub state: Option<State>,
    /// Asked for by this session.
    pub session: Option<String>,
    /// On this machine, by its name or its key.
    pub host: Option<String>,
    /// Of the user who asks.
    pub mine: bool,
    /// Of all projects.
    pub all: bool,
    /// Released ones too.
    pub released: bool,
}

/// An allocation, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The allocation.
    pub allocation: Allocation,
    /// How it stands.
    pub state: State,
    /// Whether any socket listens on its port; none if that cannot be told, or was not asked.
    pub in_use: Option<bool>,
    /// Who listens on it.
    pub process: Option<Process>,
    /// What people call the machine it is on.
    pub host: String,
}

/// Returns the allocations that are asked for: of the worktree's project if nothing is said, of all
/// projects outside a repository.
pub fn list(ctx: &mut Context, request: &ListRequest) -> Result<Vec<Listed>> {
    let mut filter = Filter {
        environment: request.environment.clone(),
        session: request.session.clone(),
        port: request.port,
        live: if request.released || request.state == Some(State::Released) { None } else { Some(true) },
        ..Filter::default()
    };
    let mut path = None;
    match (&request.worktree, &request.project) {
        (Some(top), _) => {
            let top = if top.as_os_str().is_empty() {
                Standing::here(ctx)?.worktree.path
            } else {
                standing::top_of(top)
            };
            path = Some(top);
        }
        (None, Some(Some(project))) => filter.project = Some(project.clone()),
        (None, Some(None)) => filter.project = Some(project_here(ctx)?),
        (None, None) if !request.all && request.session.is_none() => {
            filter.project = find_project_here(ctx)?;
        }
        (None, None) => {}
    }
    if request.mine {
        filter.user = Some(ctx.user.clone().ok_or_else(|| {
            Error::new(ErrorKind::Config, "it is not known who you are").hint("set the variable 'USER'")
        })?);
    }
    let of_path = |allocation: &Allocation| path.is_none() || allocation.path == path;
    let asked = match &request.host {
        Some(host) => on_host(ctx, &filter, host),
        None => ctx.store().and_then(|store| Ok(store::read(store, |rows| rows.allocations(&filter))?)),
    };
    let mut listed = match asked {
        Ok(mut allocations) => {
            allocations.retain(of_path);
            states(ctx, allocations)?
        }
        Err(error) if error.kind.is_retryable() => from_copies(ctx, &filter, &of_path, error)?,
        Err(error) => return Err(error),
    };
    if let Some(state) = request.state {
        listed.retain(|listed| listed.state == state);
    }
    Ok(listed)
}

/// Returns the allocations of the machines that have this name or this key.
fn on_host(ctx: &mut Context, filter: &Filter, host: &str) -> Result<Vec<Allocation>> {
    let here = ctx.host.clone();
    store::read(ctx.store()?, |rows| {
        let mut known = rows.hosts()?;
        known.push((here.key.clone(), here.name.clone()));
        let mut keys: Vec<String> =
            known.into_iter().filter(|(key, name)| host == key || host == name).map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no machine '{host}' in the registry"),
            )
            .hint("see which there are: git port list --all --json"));
        }
        let mut found = Vec::new();
        for key in keys {
            found.extend(rows.allocations(&Filter { host: Some(key), ..filter.clone() })?);
        }
        Ok(found)
    })
}

/// Answers from the copies that the worktrees of this repository carry, while the registry cannot be
/// reached.
fn from_copies(
    ctx: &mut Context,
    filter: &Filter,
    of_path: &dyn Fn(&Allocation) -> bool,
    error: Error,
) -> Result<Vec<Listed>> {
    let worktrees = ctx.find_repo()?.map(|repo| repo.worktrees()).transpose()?.unwrap_or_default();
    let mut listed = copied(ctx, &worktrees, &error);
    listed.retain(|one| filter.fits(&one.allocation) && of_path(&one.allocation));
    if listed.is_empty() { Err(error) } else { Ok(listed) }
}

/// Returns what these worktrees' own copies say. How it stands is told as far as the machine says.
pub(super) fn copied(ctx: &mut Context, worktrees: &[Worktree], error: &Error) -> Vec<Listed> {
    let mut allocations: Vec<Allocation> = worktrees.iter().filter_map(copies::load).flatten().collect();
    allocations.sort_by_key(|allocation| allocation.port);
    if !allocations.is_empty() {
        ctx.note(format!("{error}; these are the worktrees' own copies"));
    }
    let machine = Machine::look(allocations.iter().map(|one| (one.port, one.protocol)));
    let host = ctx.host.clone();
    let listed = allocations.into_iter().map(|allocation| {
        let in_use = machine.in_use(allocation.port, allocation.protocol);
        let state = if in_use == Some(false) { State::Allocated } else { State::Unknown };
        let host = if allocation.host == host.key { host.name.clone() } else { allocation.host.clone() };
        Listed { allocation, state, in_use, process: None, host }
    });
    listed.collect()
}

/// Returns the project one stands in; none outside a repository.
pub(super) fn find_project_here(ctx: &mut Context) -> Result<Option<ProjectName>> {
    Ok(match ctx.find_repo()? {
        Some(repo) => {
            let settings = ctx.settings(Some(&repo), repo.worktree.as_deref())?;
            Some(standing::project_name(&settings, &repo))
        }
        None => None,
    })
}

fn project_here(ctx: &mut Context) -> Result<ProjectName> {
    let repo = ctx.repo()?;
    let settings = ctx.settings(Some(&repo), repo.worktree.as_deref())?;
    Ok(standing::project_name(&settings, &repo))
}

/// Returns how each of these allocations stands, after one look at the machine.
pub fn states(ctx: &mut Context, allocations: Vec<Allocation>) -> Result<Vec<Listed>> {
    let seen = machine::look(ctx, &allocations)?;
    listed(ctx, allocations, seen)
}

/// Returns how each of these allocations stands, given a look at their ports.
pub fn states_on(
    ctx: &mut Context,
    machine: &mut Machine,
    allocations: Vec<Allocation>,
) -> Result<Vec<Listed>> {
    let seen = machine::judge_all(ctx, machine, &allocations)?;
    listed(ctx, allocations, seen)
}

fn listed(ctx: &mut Context, allocations: Vec<Allocation>, seen: Vec<Seen>) -> Result<Vec<Listed>> {
    let mut names: HashMap<String, String> = HashMap::from([(ctx.host.key.clone(), ctx.host.name.clone())]);
    if allocations.iter().any(|allocation| !names.contains_key(&allocation.host)) {
        store::read(ctx.store()?, |rows| -> Result<_, store::StoreError> {
            for Allocation { host, .. } in &allocations {
                if !names.contains_key(host) {
                    let name = rows.host_name(host)?.unwrap_or_else(|| host.clone());
                    names.insert(host.clone(), name);
                }
            }
            Ok(())
        })?;
    }
    let listed = allocations.into_iter().zip(seen).map(|(allocation, seen)| {
        let host = names.get(&allocation.host).cloned().unwrap_or_default();
        let Seen { state, in_use, process } = seen;
        Listed { allocation, state, in_use, process, host }
    });
    Ok(listed.collect())
}
