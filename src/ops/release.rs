//! Gives ports back.

use std::path::PathBuf;

use jiff::Timestamp;

use super::standing::{self, Standing};
use super::{cleanup, copies, followers};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::git::identity;
use crate::registry::{
    Allocation, EnvironmentName, Event, EventKind, Port, ProjectName, Protocol, ServiceName, Status, Token,
};
use crate::store::{self, Filter};

/// One thing to release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Whatever has this port on this machine.
    Port(Port),
    /// This service of the worktree one stands in, or of the project named.
    Service(ServiceName),
}

/// What to release.
#[derive(Clone, Debug, Default)]
pub struct ReleaseRequest {
    /// These.
    pub targets: Vec<Target>,
    /// All of this worktree's; of the one stood in, if the path is empty.
    pub worktree: Option<PathBuf>,
    /// Services of this project outside git.
    pub project: Option<ProjectName>,
    /// In this environment only.
    pub environment: Option<EnvironmentName>,
    /// For this protocol only.
    pub protocol: Option<Protocol>,
}

/// What was released.
#[derive(Clone, Debug, Default)]
pub struct Released {
    /// The allocations, as they are now.
    pub released: Vec<Allocation>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Releases all that is named, or, if any of it cannot be found, nothing.
pub fn release(ctx: &mut Context, request: &ReleaseRequest) -> Result<Released> {
    let filters = filters(ctx, request)?;
    let now = ctx.clock.now();
    let released = store::write(ctx.store()?, |tx| -> Result<Vec<Allocation>> {
        let mut named: Vec<Allocation> = Vec::new();
        for (name, filter) in &filters {
            let found = tx.allocations(filter)?;
            if found.is_empty() {
                return Err(Error::new(ErrorKind::NotFound, format!("{name} has no allocation"))
                    .hint("see what there is: git port list --all"));
            }
            for allocation in found {
                if named.iter().all(|other| other.id != allocation.id) {
                    named.push(allocation);
                }
            }
        }
        for allocation in &named {
            cleanup::release(tx, allocation, now, "asked for")?;
        }
        Ok(named)
    })?;
    let mut warnings = refresh(ctx, &released);
    warnings.extend(followers::tell(ctx, &released));
    Ok(Released { released: after(released, now), warnings })
}

/// An allocation that stands again.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The allocation, as it is now.
    pub allocation: Allocation,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Takes back the release of this port that happened at this time. Fails where somebody has the port by
/// now, or the service has another.
pub fn undo(ctx: &mut Context, port: Port, protocol: Protocol, released_at: Timestamp) -> Result<Restored> {
    let now = ctx.clock.now();
    let here = Filter { host: Some(ctx.host.key.clone()), protocol: Some(protocol), ..Filter::default() };
    let allocation = store::write(ctx.store()?, |tx| -> Result<Allocation> {
        let of_port = tx.allocations(&Filter { port: Some(port), ..here.clone() })?;
        if let Some(owner) = of_port.iter().find(|one| one.status.is_live()) {
            let message = format!("port {port} belongs to {} by now", super::allocate::describe(owner));
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let Some(released) = of_port.into_iter().find(|one| one.released_at == Some(released_at)) else {
            return Err(Error::new(ErrorKind::NotFound, format!("port {port} was not released then"))
                .hint(format!("see what happened: git port history {port}")));
        };
        if let Some(token) = &released.worktree
            && tx.worktree(token)?.is_none()
        {
            return Err(Error::new(ErrorKind::NotFound, "its worktree is gone"));
        }
        let of_project = Filter {
            project: Some(released.project.clone()),
            environment: Some(released.environment.clone()),
            live: Some(true),
            ..here.clone()
        };
        let mut siblings = tx.allocations(&of_project)?;
        siblings.retain(|one| one.worktree == released.worktree);
        if let Some(other) = siblings.iter().find(|one| one.service == released.service) {
            let message = format!("'{}' has port {} by now", released.service, other.port);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let restored = Allocation {
            status: Status::Allocated,
            released_at: None,
            primary: released.primary && !siblings.iter().any(|one| one.primary),
            ..released
        };
        tx.update_allocation(&restored)?;
        tx.append_event(&Event::of(&restored, EventKind::Allocated, now, "its release was taken back"))?;
        Ok(restored)
    })?;
    let warnings = refresh(ctx, std::slice::from_ref(&allocation));
    Ok(Restored { allocation, warnings })
}

/// Releases all that belongs to this worktree, which is gone.
pub fn release_worktree(ctx: &mut Context, token: &Token, reason: &str) -> Result<Vec<Allocation>> {
    let now = ctx.clock.now();
    let filter = Filter { worktree: Some(token.clone()), ..Filter::live() };
    let released = store::write(ctx.store()?, |tx| -> Result<Vec<Allocation>> {
        let found = tx.allocations(&filter)?;
        for allocation in &found {
            cleanup::release(tx, allocation, now, reason)?;
        }
        tx.delete_worktree(token)?;
        Ok(found)
    })?;
    for warning in followers::tell(ctx, &released) {
        ctx.note(warning);
    }
    Ok(after(released, now))
}

fn after(released: Vec<Allocation>, now: jiff::Timestamp) -> Vec<Allocation> {
    use crate::registry::Status::Released;
    released
        .into_iter()
        .map(|allocation| Allocation { status: Released, released_at: Some(now), ..allocation })
        .collect()
}

fn filters(ctx: &mut Context, request: &ReleaseRequest) -> Result<Vec<(String, Filter)>> {
    let base = Filter {
        host: Some(ctx.host.key.clone()),
        environment: request.environment.clone(),
        protocol: request.protocol,
        ..Filter::live()
    };
    let mut filters = Vec::new();
    if let Some(path) = &request.worktree {
        let token = token_at(ctx, path)?;
        let name = if path.as_os_str().is_empty() {
            "this worktree".to_owned()
        } else {
            format!("'{}'", path.display())
        };
        filters.push((name, Filter { worktree: Some(token), ..base.clone() }));
    }
    for target in &request.targets {
        filters.push(match target {
            Target::Port(port) => (format!("port {port}"), Filter { port: Some(*port), ..base.clone() }),
            Target::Service(service) => {
                let service_filter = Filter { service: Some(service.clone()), ..base.clone() };
                let owned = match &request.project {
                    Some(project) => Filter { project: Some(project.clone()), ..service_filter },
                    None => owned_here(ctx, service_filter)?,
                };
                (format!("'{service}'"), owned)
            }
        });
    }
    Ok(filters)
}

/// A service named without a project is the worktree's own, or a production service of its project.
fn owned_here(ctx: &mut Context, filter: Filter) -> Result<Filter> {
    let standing = Standing::here(ctx)?;
    let token = identity::find_token(&standing.worktree)?;
    let in_worktree = Filter { worktree: token.clone(), ..filter.clone() };
    let has_own =
        token.is_some() && !store::read(ctx.store()?, |rows| rows.allocations(&in_worktree))?.is_empty();
    Ok(if has_own {
        in_worktree
    } else {
        Filter { project: Some(standing.project), environment: Some(EnvironmentName::production()), ..filter }
    })
}

fn token_at(ctx: &mut Context, path: &std::path::Path) -> Result<Token> {
    if path.as_os_str().is_empty() {
        let standing = Standing::here(ctx)?;
        return identity::find_token(&standing.worktree)?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "this worktree has no allocation"));
    }
    // The folder may be gone, so the registry is asked, not the disk.
    let wanted = standing::top_of(path);
    let host = ctx.host.key.clone();
    let recorded = store::read(ctx.store()?, |rows| rows.worktrees(&host))?;
    let found = recorded.into_iter().find(|record| record.path == wanted);
    found.map(|record| record.token).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("'{}' is not a worktree that has ports", path.display()))
            .hint("see which have: git port list --all")
    })
}

fn refresh(ctx: &mut Context, released: &[Allocation]) -> Vec<String> {
    let mut tokens: Vec<&Token> =
        released.iter().filter_map(|allocation| allocation.worktree.as_ref()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens.into_iter().flat_map(|token| copies::refresh(ctx, token)).collect()
}
