//! Ensures that services have their ports.

mod attempt;
mod limits;

use std::cell::Cell;
use std::path::Path;

use attempt::Attempt;
pub(super) use limits::refuse_taken_hostname;

use super::standing::{self, Standing};
use super::{adopt, cleanup, copies, followers, pending};
use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::allocator::Strategy;
use crate::registry::{
    Allocation, EnvironmentName, Port, PortRange, PortUse, ProjectName, Protocol, Ranges, Reservation,
    ServiceName, Used, WorktreeRecord, check_hostname,
};
use crate::store::{self, Rows, StoreError};
use crate::system::{files, random_bytes};
use crate::template::dev_command;

/// What one service is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRequest {
    /// The service.
    pub service: ServiceName,
    /// It must be this port.
    pub exactly: Option<Port>,
    /// This port, or else the next free.
    pub prefer: Option<Port>,
}

impl ServiceRequest {
    /// Returns the request for any port.
    pub fn any(service: ServiceName) -> Self {
        Self { service, exactly: None, prefer: None }
    }
}

/// Which services are to get ports, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllocateRequest {
    /// The services; none means those the worktree is to have.
    pub services: Vec<ServiceRequest>,
    /// The environment; `dev` if none is named.
    pub environment: Option<EnvironmentName>,
    /// For this project, without a worktree.
    pub project: Option<ProjectName>,
    /// TCP or UDP; else as configured.
    pub protocol: Option<Protocol>,
    /// Free text.
    pub description: Option<String>,
    /// The kind of service.
    pub service_type: Option<String>,
    /// The name it is reached by from outside.
    pub public_hostname: Option<String>,
    /// Which conversation or agent asks.
    pub session: Option<String>,
    /// Move to another port, if there is one already.
    pub new: bool,
    /// Give a reserved port, or one in use, when it is asked for by number.
    pub force: bool,
}

/// An allocation, and whether this request made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The allocation.
    pub allocation: Allocation,
    /// Whether it is new, or moved.
    pub created: bool,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    /// One for each service, in the order of the request.
    pub placed: Vec<Placed>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Whose the ports are to be.
pub(super) struct Claim<'a> {
    project: ProjectName,
    worktree: Option<WorktreeRecord>,
    branch: Option<String>,
    environment: EnvironmentName,
    settings: &'a Settings,
    /// The service `PORT` stands for; any, where nothing is configured.
    primary: Option<ServiceName>,
    /// The ports that a host has given the worktree, in the order of its services.
    given: Vec<Port>,
}

/// Ensures the allocations that are asked for: in the worktree one stands in, or for a project.
pub fn allocate(ctx: &mut Context, request: AllocateRequest) -> Result<Allocated> {
    let standing = match &request.project {
        Some(_) => None,
        None => Standing::find(ctx)?,
    };
    match standing {
        Some(standing) => allocate_in(ctx, &standing, request),
        None => allocate_outside(ctx, request),
    }
}

/// Ensures the allocations that are asked for in the worktree with this top folder, which must be one
/// that the registry knows.
pub fn allocate_at(ctx: &mut Context, top: &Path, request: AllocateRequest) -> Result<Allocated> {
    let host = ctx.host.key.clone();
    let recorded = store::read(ctx.store()?, |rows| rows.worktrees(&host))?;
    let standing = match recorded.into_iter().find(|record| record.path == top) {
        Some(record) => Standing::of_record(ctx, record)?,
        None => None,
    };
    let standing = standing.filter(|standing| standing.worktree.path.is_dir()).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("'{}' is not a worktree that has ports", top.display()))
            .hint("go there, and allocate its first: git port allocate <service>")
    })?;
    allocate_in(ctx, &standing, request)
}

/// Ensures the allocations that are asked for in this worktree.
///
/// What the worktree was to have before, when the registry could not be reached, comes first.
pub fn allocate_in(ctx: &mut Context, standing: &Standing, request: AllocateRequest) -> Result<Allocated> {
    if let Some(pending) = pending::find(&standing.worktree) {
        ensure(ctx, standing, pending)?;
        pending::forget(&standing.worktree);
    }
    ensure(ctx, standing, request)
}

fn ensure(ctx: &mut Context, standing: &Standing, mut request: AllocateRequest) -> Result<Allocated> {
    let settings = &standing.settings;
    let environment = standing::environment(settings, request.environment.as_ref())?;
    if request.services.is_empty() {
        request.services = standing.default_services().into_iter().map(ServiceRequest::any).collect();
    }
    // A production service is not run from a worktree, and must not lose its port with one.
    let worktree = if environment.is_production() { None } else { Some(standing.record(ctx)?) };
    let given = if environment == EnvironmentName::dev() {
        adopt::given(ctx, &standing.worktree)
    } else {
        Vec::new()
    };
    let claim = Claim {
        given,
        project: standing.project.clone(),
        branch: worktree.as_ref().and_then(|worktree| worktree.branch.clone()),
        worktree,
        environment,
        settings,
        primary: settings.services.first().map(|service| service.name.clone()),
    };
    let mut allocated = place(ctx, &claim, &request)?;
    if let Some(worktree) = &claim.worktree {
        allocated.warnings.extend(copies::deliver(ctx, standing, &worktree.token));
    }
    Ok(allocated)
}

fn allocate_outside(ctx: &mut Context, request: AllocateRequest) -> Result<Allocated> {
    let Some(project) = request.project.clone() else {
        return Err(Error::new(
            ErrorKind::NotARepository,
            "not in a worktree, so it cannot be told whose port it is",
        )
        .hint("name the project: git port allocate <service> --project <name>"));
    };
    let settings = ctx.settings(None, None)?;
    let environment = standing::environment(&settings, request.environment.as_ref())?;
    if request.services.is_empty() {
        return Err(Error::usage("no service is named").hint("git port allocate <service> --project <name>"));
    }
    let claim = Claim {
        project,
        worktree: None,
        branch: None,
        environment,
        settings: &settings,
        primary: None,
        given: Vec::new(),
    };
    place(ctx, &claim, &request)
}

/// Chooses and stores the ports in one exclusive transaction.
fn place(ctx: &mut Context, claim: &Claim<'_>, request: &AllocateRequest) -> Result<Allocated> {
    for (index, wanted) in request.services.iter().enumerate() {
        let service = &wanted.service;
        if request.services[..index].iter().any(|other| other.service == *service) {
            return Err(
                Error::usage(format!("'{service}' is asked for twice")).hint("name each service once")
            );
        }
    }
    if let Some(name) = request.public_hostname.as_deref().filter(|name| !name.is_empty()) {
        check_hostname(name)?;
    }
    cleanup::automatic(ctx, claim.settings);
    let attempt = Attempt {
        claim,
        request,
        host: ctx.host.key.clone(),
        user: ctx.user.clone(),
        now: ctx.clock.now(),
        in_use: Cell::new(None),
        strategy: if claim.settings.allocation.random {
            let bytes = random_bytes()?;
            Strategy::Random(bytes.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
        } else {
            Strategy::Sequential
        },
    };
    let host = ctx.host.clone();
    let placed = store::write(ctx.store()?, |tx| {
        tx.put_host(&host.key, &host.name)?;
        if let Some(worktree) = &claim.worktree {
            tx.put_worktree(worktree)?;
        }
        cleanup::begin(tx, &host.key, attempt.now)?;
        attempt.run(tx)
    })
    .map_err(|error| attempt.name_process(error))?;
    let created = || placed.iter().filter(|placed| placed.created);
    let mut warnings: Vec<String> = created().filter_map(|placed| attempt.warning(placed)).collect();
    warnings.extend(followers::tell(ctx, created().map(|placed| &placed.allocation)));
    Ok(Allocated { placed, warnings })
}

/// Returns all ranges and reservations in force.
pub fn ranges(settings: &Settings, mut reserved: Vec<Reservation>) -> Ranges {
    let configured = settings.allocation.reserved.iter();
    reserved.extend(
        configured.map(|range| Reservation { range: *range, reason: Some("configuration".to_owned()) }),
    );
    Ranges { environments: settings.ranges.clone(), projects: settings.projects.clone(), reserved }
}

/// Returns which ports of these ranges have or had an owner.
pub(super) fn used(
    rows: &mut dyn Rows,
    host: &str,
    protocol: Protocol,
    environment: &EnvironmentName,
    ranges: impl IntoIterator<Item = PortRange>,
) -> Result<Used, StoreError> {
    let mut used = Used::default();
    let shared = rows.shared_ranges()?;
    let is_shared =
        |port: &Port| environment.is_production() || shared.iter().any(|range| range.contains(*port));
    for range in ranges {
        // That every port of a part is promised is all there is to know of it.
        rows.full(host, protocol, range)?.into_iter().for_each(|part| used.insert_full(part));
        for part in used.open(range) {
            for record in rows.ports(host, protocol, part)? {
                let released = record.released_at.map_or(PortUse::Live, PortUse::Released);
                used.insert(record.port, if record.live { PortUse::Live } else { released });
            }
        }
        // What another machine holds for the whole team is taken, whatever was here before.
        if environment.is_production() || shared.iter().any(|shared| shared.overlaps(range)) {
            let held = rows.shared_ports(protocol, range)?;
            held.into_iter().filter(is_shared).for_each(|port| used.insert(port, PortUse::Live));
        }
    }
    Ok(used)
}

/// An empty text is none, as `update` has it.
fn noted(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// Returns how a project starts its dev server, by the files at the top of a worktree.
pub fn dev_command(top: &std::path::Path) -> Option<String> {
    dev_command::find(&|name| files::load_text(&top.join(name)).ok().flatten())
}

/// Returns an allocation's owner in words: `shop/web (branch 'main', /home/me/shop)`.
pub fn describe(allocation: &Allocation) -> String {
    let mut labels = Vec::new();
    if let Some(branch) = &allocation.branch {
        labels.push(format!("branch '{branch}'"));
    }
    if let Some(path) = &allocation.path {
        labels.push(format!("'{}'", path.display()));
    }
    if labels.is_empty() {
        return format!("{} ({})", allocation.owner(), allocation.environment);
    }
    format!("{} ({})", allocation.owner(), labels.join(", "))
}
