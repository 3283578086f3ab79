//! What the tools do: arguments into a request, the outcome into the JSON of the same command.

use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

use super::arguments::{
    AllocatePort, AuditPorts, CheckPort, CleanupPorts, CreateWorktree, GetPort, ListPorts, PortSummary,
    ReleasePort, RemoveWorktree, Scope, UpdatePort,
};
use super::page::page;
use super::tools::absolute;
use crate::api::views::{
    AllocationView, AllocationsView, AuditView, CheckedView, CleanupView, CreatedView, RangeView,
    RemovedView, StatsView, WorktreeView,
};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::ops::allocate::{self, AllocateRequest, ServiceRequest};
use crate::ops::audit;
use crate::ops::check;
use crate::ops::cleanup::{self, CleanupRequest};
use crate::ops::env::{self, GetRequest};
use crate::ops::list::{self, ListRequest, Listed};
use crate::ops::release::{self, ReleaseRequest, Target};
use crate::ops::stats;
use crate::ops::update::{self, UpdateRequest};
use crate::ops::worktree::{self, CreateRequest, RemoveRequest};

/// What is told of a call that only looked.
const PREVIEW: &str = "nothing was changed; to do it, call again with confirm: true";

fn parse<T>(text: Option<&String>) -> Result<Option<T>>
where
    T: FromStr,
    Error: From<T::Err>,
{
    Ok(text.map(|text| text.parse()).transpose()?)
}

/// Returns the type that is asked for, whichever the request needs.
fn port<T>(number: u16) -> Result<T>
where
    T: FromStr,
    Error: From<T::Err>,
{
    Ok(number.to_string().parse()?)
}

fn session(given: Option<&String>, ctx: &Context) -> Result<Option<String>> {
    match given {
        Some(session) => Ok(Some(session.clone())),
        None => Ok(ctx.environment.text("GIT_PORT_SESSION")?.map(str::to_owned)),
    }
}

pub(super) fn get_port(ctx: &mut Context, input: &GetPort) -> Result<AllocationsView> {
    if input.worktree.is_some() && input.project.is_some() && input.service.is_none() {
        return Err(Error::usage("no service of the project is named").hint("give 'service'"));
    }
    let may_allocate = input.allocate.unwrap_or(true);
    let request = GetRequest {
        project: parse(input.project.as_ref())?,
        service: parse(input.service.as_ref())?,
        environment: parse(input.environment.as_ref())?,
        allocate: may_allocate,
        session: session(input.session.as_ref(), ctx)?,
    };
    if request.project.is_some() && request.service.is_none() {
        return Err(Error::usage("no service of the project is named").hint("give 'service', or 'worktree'"));
    }
    let host = ctx.host.name.clone();
    let view = |view| AllocationsView { allocations: vec![view], warnings: Vec::new() };
    match env::get(ctx, &request) {
        Ok(allocation) => Ok(view(AllocationView::recorded(&allocation, &host))),
        // Of a project that is named alone, the service is one without a worktree.
        Err(error)
            if error.kind == ErrorKind::NotFound
                && may_allocate
                && input.worktree.is_none()
                && request.project.is_some() =>
        {
            let allocated = allocate::allocate(
                ctx,
                AllocateRequest {
                    services: request.service.into_iter().map(ServiceRequest::any).collect(),
                    project: request.project,
                    environment: request.environment,
                    session: request.session,
                    ..AllocateRequest::default()
                },
            )?;
            let allocations = allocated.placed.iter().map(|one| AllocationView::placed(one, &host)).collect();
            Ok(AllocationsView { allocations, warnings: allocated.warnings })
        }
        Err(error) => Err(error.hint("allocate it: the tool allocate-port")),
    }
}

pub(super) fn allocate_port(ctx: &mut Context, input: &AllocatePort) -> Result<AllocationsView> {
    if input.services.len() != 1 && (input.port.is_some() || input.prefer.is_some()) {
        return Err(Error::usage("a port can be named for one service only").hint("name one service"));
    }
    let mut services = Vec::new();
    for name in &input.services {
        let exactly = input.port.map(port).transpose()?;
        let prefer = input.prefer.map(port).transpose()?;
        services.push(ServiceRequest { service: name.parse()?, exactly, prefer });
    }
    let request = AllocateRequest {
        services,
        environment: parse(input.environment.as_ref())?,
        project: if input.worktree.is_some() { None } else { parse(input.project.as_ref())? },
        protocol: parse(input.protocol.as_ref())?,
        description: input.description.clone(),
        service_type: input.service_type.clone(),
        public_hostname: hostname(input.public_hostname.as_ref())?,
        session: session(input.session.as_ref(), ctx)?,
        new: false,
        force: false,
    };
    let allocated = allocate::allocate(ctx, request)?;
    let host = &ctx.host.name;
    let allocations = allocated.placed.iter().map(|one| AllocationView::placed(one, host)).collect();
    Ok(AllocationsView { allocations, warnings: allocated.warnings })
}

/// An empty text removes what was noted, so it is no name to check.
fn hostname(given: Option<&String>) -> Result<Option<String>> {
    if let Some(name) = given.filter(|name| !name.is_empty()) {
        update::check_hostname(name)?;
    }
    Ok(given.cloned())
}

/// A page of allocations.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct ListPortsView {
    allocations: Vec<AllocationView>,
    total: usize,
    next_cursor: Option<String>,
}

pub(super) fn list_ports(ctx: &mut Context, input: &ListPorts) -> Result<ListPortsView> {
    let project = parse(input.project.as_ref())?;
    let request = ListRequest {
        port: None,
        worktree: (input.scope == Scope::Worktree && project.is_none()).then(PathBuf::new),
        project: match input.scope {
            Scope::All => None,
            _ if project.is_some() => Some(project),
            Scope::Project => Some(None),
            Scope::Worktree => None,
        },
        environment: parse(input.environment.as_ref())?,
        state: parse(input.state.as_ref())?,
        session: input.session.clone(),
        all: input.scope == Scope::All,
        released: input.released,
        ..ListRequest::default()
    };
    let page = page(list::list(ctx, &request)?, input.limit, input.cursor.as_deref())?;
    let allocations = page.items.iter().map(AllocationView::from).collect();
    Ok(ListPortsView { allocations, total: page.total, next_cursor: page.next })
}

/// How registry and machine agree, with a page of what is wrong.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct AuditPortsView {
    #[serde(flatten)]
    audit: AuditView,
    findings: usize,
    next_cursor: Option<String>,
}

pub(super) fn audit_ports(ctx: &mut Context, input: &AuditPorts) -> Result<AuditPortsView> {
    let mut audited = audit::audit(ctx)?;
    let conflicts = audited.conflicts.iter().map(|conflict| conflict.listed.clone());
    let found = conflicts.chain(audited.orphaned.iter().cloned()).collect();
    let page = page(found, input.limit, input.cursor.as_deref())?;
    let is_shown = |listed: &Listed| page.items.iter().any(|one| one.allocation.id == listed.allocation.id);
    audited.conflicts.retain(|conflict| is_shown(&conflict.listed));
    audited.orphaned.retain(is_shown);
    Ok(AuditPortsView { audit: AuditView::from(&audited), findings: page.total, next_cursor: page.next })
}

/// How full the ranges are, in short.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct PortSummaryView {
    project: Option<String>,
    /// How many ports the project has.
    allocated: Option<usize>,
    ranges: Vec<RangeView>,
    warnings: Vec<String>,
}

pub(super) fn port_summary(ctx: &mut Context, input: &PortSummary) -> Result<PortSummaryView> {
    let environment = parse(input.environment.as_ref())?;
    let (mut project, mut allocated, mut own) = (None, None, Vec::new());
    if input.worktree.is_some() || input.project.is_some() {
        let named = parse(input.project.as_ref())?;
        let summary = stats::summary(ctx, named.as_ref())?;
        project = Some(summary.project.to_string());
        allocated = Some(summary.services.len());
        own = summary.ranges;
    }
    // A project without a range of its own takes its ports from the environments'.
    if own.is_empty() || environment.is_some() {
        own = stats::stats(ctx, environment.as_ref())?;
        own.retain(|range| project.is_none() || range.project.is_none());
    }
    let StatsView { ranges, warnings } = StatsView::from(own.as_slice());
    Ok(PortSummaryView { project, allocated, ranges, warnings })
}

/// What was released, or would be.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct ReleasePortView {
    dry_run: bool,
    released: Vec<AllocationView>,
    warnings: Vec<String>,
}

pub(super) fn release_port(ctx: &mut Context, input: &ReleasePort) -> Result<ReleasePortView> {
    if input.ports.is_empty() && input.services.is_empty() && !input.all {
        return Err(
            Error::usage("nothing is named to release").hint("give 'ports', 'services', or all: true")
        );
    }
    let mut own = owned(ctx, input.project.as_ref().filter(|_| input.worktree.is_none()))?;
    if let Some(environment) = &input.environment {
        own.retain(|one| one.allocation.environment.as_str() == environment);
    }
    for port in &input.ports {
        if own.iter().all(|one| one.allocation.port.number() != *port) {
            return Err(not_owned(ctx, *port));
        }
    }
    for service in &input.services {
        if own.iter().all(|one| one.allocation.service.as_str() != service) {
            let message = format!("'{}' has no port there", service.escape_debug());
            return Err(
                Error::new(ErrorKind::NotFound, message).hint("see what there is: the tool list-ports")
            );
        }
    }
    own.retain(|one| {
        input.all
            || input.ports.contains(&one.allocation.port.number())
            || input.services.iter().any(|service| one.allocation.service.as_str() == service)
    });
    if let Some(one) = own.iter().find(|one| one.state.name() == "active") {
        let (port, service) = (one.allocation.port, &one.allocation.service);
        return Err(Error::new(
            ErrorKind::Refused,
            format!("a server of this worktree listens on port {port} ('{service}')"),
        )
        .hint("stop your own server first; it needs its port as long as it runs"));
    }
    if !input.confirm {
        let warnings = vec![PREVIEW.to_owned()];
        let released = own.iter().map(AllocationView::from).collect();
        return Ok(ReleasePortView { dry_run: true, released, warnings });
    }
    let (mut released, mut warnings) = (Vec::new(), Vec::new());
    for one in own {
        let request = ReleaseRequest {
            targets: vec![Target::Port(one.allocation.port)],
            environment: Some(one.allocation.environment),
            protocol: Some(one.allocation.protocol),
            ..ReleaseRequest::default()
        };
        let done = release::release(ctx, &request)?;
        released.extend(done.released.iter().map(|one| AllocationView::recorded(one, &ctx.host.name)));
        warnings.extend(done.warnings);
    }
    warnings.dedup();
    Ok(ReleasePortView { dry_run: false, released, warnings })
}

/// Returns the live allocations of the worktree one stands in, or of a project's services without one, on
/// this machine: an agent changes nothing of anybody else's.
fn owned(ctx: &mut Context, project: Option<&String>) -> Result<Vec<Listed>> {
    let project = parse(project)?;
    let here = ctx.host.key.clone();
    let request = ListRequest {
        worktree: project.is_none().then(PathBuf::new),
        project: project.clone().map(Some),
        ..ListRequest::default()
    };
    let mut listed = list::list(ctx, &request)?;
    listed.retain(|one| {
        one.allocation.host == here && (project.is_none() || one.allocation.worktree.is_none())
    });
    Ok(listed)
}

/// Says whose the port is.
fn not_owned(ctx: &mut Context, port: u16) -> Error {
    let all = ListRequest { all: true, ..ListRequest::default() };
    let listed = list::list(ctx, &all).unwrap_or_default();
    match listed.iter().find(|one| one.allocation.port.number() == port) {
        Some(one) => Error::new(
            ErrorKind::Refused,
            format!("port {port} belongs to {}", allocate::describe(&one.allocation)),
        )
        .hint("leave it to its owner; get a port of your own: the tool get-port"),
        None => Error::new(ErrorKind::NotFound, format!("port {port} has no allocation"))
            .hint("see what there is: the tool list-ports"),
    }
}

pub(super) fn update_port(ctx: &mut Context, input: &UpdatePort) -> Result<AllocationsView> {
    let own = owned(ctx, input.project.as_ref().filter(|_| input.worktree.is_none()))?;
    let protocol = parse(input.protocol.as_ref())?.unwrap_or_default();
    let is_it =
        |one: &&Listed| one.allocation.port.number() == input.port && one.allocation.protocol == protocol;
    let Some(port) = own.iter().find(is_it).map(|one| one.allocation.port) else {
        return Err(not_owned(ctx, input.port));
    };
    let request = UpdateRequest {
        description: input.description.clone(),
        service_type: input.service_type.clone(),
        public_hostname: hostname(input.public_hostname.as_ref())?,
        service: parse(input.service.as_ref())?,
        pinned: input.pinned,
    };
    let updated = update::update(ctx, port, protocol, &request)?;
    let allocations = vec![AllocationView::recorded(&updated.allocation, &ctx.host.name)];
    Ok(AllocationsView { allocations, warnings: updated.warnings })
}

pub(super) fn check_port(ctx: &mut Context, input: &CheckPort) -> Result<CheckedView> {
    if input.ports.is_empty() || input.ports.len() > 100 {
        return Err(Error::usage("name between 1 and 100 ports"));
    }
    let ports = input.ports.iter().map(|number| port(*number)).collect::<Result<Vec<_>>>()?;
    let protocol = parse(input.protocol.as_ref())?.unwrap_or_default();
    Ok(CheckedView::from(check::check(ctx, &ports, protocol)?.as_slice()))
}

pub(super) fn create_worktree(ctx: &mut Context, input: &CreateWorktree) -> Result<CreatedView> {
    let mut services = Vec::new();
    for name in &input.services {
        services.push(ServiceRequest::any(name.parse()?));
    }
    if input.branch.contains('\0') || input.from.as_ref().is_some_and(|from| from.contains('\0')) {
        return Err(Error::usage("a branch has no NUL in its name"));
    }
    if let Some(from) = input.from.as_ref().filter(|from| from.starts_with('-') || from.is_empty()) {
        return Err(Error::usage(format!("'{}' is not a commit", from.escape_debug())));
    }
    let request = CreateRequest {
        branch: input.branch.clone().into(),
        path: input.path.as_deref().map(absolute).transpose()?,
        from: input.from.clone().map(Into::into),
        services,
        environment: parse(input.environment.as_ref())?,
        session: session(input.session.as_ref(), ctx)?,
        keep_words: true,
        quiet: true,
        ..CreateRequest::default()
    };
    let created = worktree::create(ctx, &request)?;
    Ok(CreatedView::new(&created, &ctx.host.name))
}

/// What was removed, or would be.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct RemoveWorktreeView {
    dry_run: bool,
    worktree: WorktreeView,
    released: Vec<AllocationView>,
    deleted_branch: Option<String>,
    warnings: Vec<String>,
}

pub(super) fn remove_worktree(ctx: &mut Context, input: &RemoveWorktree) -> Result<RemoveWorktreeView> {
    let worktrees = worktree::list(ctx)?;
    let named = absolute(&input.worktree)?;
    let is_top = |top: &std::path::Path| {
        top.canonicalize().ok().zip(named.canonicalize().ok()).is_some_and(|(top, named)| top == named)
    };
    let Some(one) = worktrees.iter().find(|one| is_top(&one.described.worktree.path)) else {
        let message = format!("'{}' is not the top folder of a worktree", named.display());
        return Err(Error::new(ErrorKind::Worktree, message).hint("see which there are: git worktree list"));
    };
    if !input.confirm {
        let mut warnings = vec![PREVIEW.to_owned()];
        let running = one.allocations.iter().filter(|one| one.state.name() == "active");
        warnings.extend(running.map(|one| {
            format!("a server of this worktree listens on port {}; stop it first", one.allocation.port)
        }));
        return Ok(RemoveWorktreeView {
            dry_run: true,
            worktree: WorktreeView::from(&one.described),
            released: one.allocations.iter().map(AllocationView::from).collect(),
            deleted_branch: None,
            warnings,
        });
    }
    let request = RemoveRequest {
        worktree: Some(one.described.worktree.path.clone().into()),
        delete_branch: input.delete_branch,
        keep_words: true,
        ..RemoveRequest::default()
    };
    let removed = worktree::remove(ctx, &request)?;
    let RemovedView { worktree, released, deleted_branch, warnings } =
        RemovedView::new(&removed, &ctx.host.name);
    Ok(RemoveWorktreeView { dry_run: false, worktree, released, deleted_branch, warnings })
}

pub(super) fn cleanup_ports(ctx: &mut Context, input: &CleanupPorts) -> Result<CleanupView> {
    let request = CleanupRequest { dry_run: !input.confirm, older_than: None };
    let cleaned = cleanup::cleanup(ctx, &request)?;
    let mut view = CleanupView::new(&cleaned, &ctx.host.name);
    if view.dry_run {
        view.warnings.push(PREVIEW.to_owned());
    }
    Ok(view)
}
