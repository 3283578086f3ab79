//! Ensures that services have their ports.

use std::collections::BTreeMap;

use super::standing::{self, Standing};
use super::{cleanup, copies};
use crate::config::Settings;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::allocator::{self, Landscape, PortUse, Refusal, Strategy, Wish};
use crate::registry::{
    Allocation, EnvironmentName, Event, EventKind, Port, PortRange, ProjectName, Protocol, Ranges,
    Reservation, ServiceName, Status, WorktreeRecord, avoided,
};
use crate::store::{self, Filter, Transaction};
use crate::system::{files, probe, random_bytes};
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

/// Ensures the allocations that are asked for in this worktree.
pub fn allocate_in(
    ctx: &mut Context,
    standing: &Standing,
    mut request: AllocateRequest,
) -> Result<Allocated> {
    let settings = &standing.settings;
    let environment = standing::environment(settings, request.environment.as_ref())?;
    if request.services.is_empty() {
        request.services = standing.default_services().into_iter().map(ServiceRequest::any).collect();
    }
    // A production service is not run from a worktree, and must not lose its port with one.
    let worktree = if environment.is_production() { None } else { Some(standing.record(ctx)?) };
    let claim = Claim {
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
    let claim =
        Claim { project, worktree: None, branch: None, environment, settings: &settings, primary: None };
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
    cleanup::automatic(ctx, claim.settings);
    let attempt = Attempt {
        claim,
        request,
        host: ctx.host.key.clone(),
        user: ctx.user.clone(),
        now: ctx.clock.now(),
        strategy: if claim.settings.allocation.random {
            let bytes = random_bytes()?;
            Strategy::Random(bytes.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte)))
        } else {
            Strategy::Sequential
        },
    };
    let host = ctx.host.clone();
    let placed = store::write(ctx.store()?, |tx| {
        if let Some(worktree) = &claim.worktree {
            tx.put_host(&host.key, &host.name)?;
            tx.put_worktree(worktree)?;
        }
        attempt.run(tx)
    })?;
    let warnings =
        placed.iter().filter(|placed| placed.created).filter_map(|placed| attempt.warning(placed)).collect();
    Ok(Allocated { placed, warnings })
}

struct Attempt<'a> {
    claim: &'a Claim<'a>,
    request: &'a AllocateRequest,
    host: String,
    user: Option<String>,
    now: jiff::Timestamp,
    strategy: Strategy,
}

impl Attempt<'_> {
    fn run(&self, tx: &mut dyn Transaction) -> Result<Vec<Placed>> {
        let claim = self.claim;
        let live = tx.allocations(&self.owned(Some(true)))?;
        let ranges = ranges(claim.settings, tx.reservations()?);
        let mut placed: Vec<Option<Placed>> = vec![None; self.request.services.len()];
        let mut missing: BTreeMap<Protocol, Vec<usize>> = BTreeMap::new();
        for (index, wanted) in self.request.services.iter().enumerate() {
            let protocol = self.protocol(&wanted.service);
            let existing = find(&live, &wanted.service, protocol);
            match existing {
                Some(existing) if !self.request.new => {
                    placed[index] = Some(self.keep(tx, existing, wanted)?);
                }
                _ => missing.entry(protocol).or_default().push(index),
            }
        }
        let mut has_primary = live.iter().any(|allocation| allocation.primary);
        for (protocol, indexes) in missing {
            let wishes: Vec<Wish> = indexes
                .iter()
                .map(|index| self.wish(tx, &self.request.services[*index], protocol))
                .collect::<Result<_>>()?;
            let ports = self.choose(tx, &ranges, protocol, &wishes)?;
            for (index, port) in indexes.into_iter().zip(ports) {
                let service = &self.request.services[index].service;
                let old = find(&live, service, protocol);
                let primary = match (&claim.primary, old) {
                    _ if claim.worktree.is_none() => false,
                    (_, Some(old)) => old.primary,
                    (Some(primary), None) => primary == service && !has_primary,
                    (None, None) => !has_primary,
                };
                has_primary |= primary;
                placed[index] = Some(self.insert(tx, service, protocol, port, primary, old)?);
            }
        }
        Ok(placed.into_iter().flatten().collect())
    }

    /// The allocations of this worktree, or of this project outside git, in this environment.
    fn owned(&self, live: Option<bool>) -> Filter {
        let claim = self.claim;
        Filter {
            host: Some(self.host.clone()),
            project: claim.worktree.is_none().then(|| claim.project.clone()),
            worktree: claim.worktree.as_ref().map(|worktree| worktree.token.clone()),
            environment: Some(claim.environment.clone()),
            live,
            ..Filter::default()
        }
    }

    fn protocol(&self, service: &ServiceName) -> Protocol {
        let configured = self.claim.settings.service(service).map(|service| service.protocol);
        self.request.protocol.or(configured).unwrap_or_default()
    }

    /// The same worktree and service keep the same port, whoever listens on it.
    fn keep(
        &self,
        tx: &mut dyn Transaction,
        existing: &Allocation,
        wanted: &ServiceRequest,
    ) -> Result<Placed> {
        if let Some(port) = wanted.exactly.filter(|port| *port != existing.port) {
            let service = &existing.service;
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("'{service}' has port {} already", existing.port),
            )
            .hint(format!("to move it: git port allocate {service} --new --port {port}")));
        }
        let mut allocation = existing.clone();
        let replace = |field: &mut Option<String>, value: &Option<String>| {
            if value.is_some() {
                *field = noted(value.as_ref());
            }
        };
        replace(&mut allocation.description, &self.request.description);
        replace(&mut allocation.service_type, &self.request.service_type);
        replace(&mut allocation.public_hostname, &self.request.public_hostname);
        // Labels follow the worktree.
        if let Some(worktree) = &self.claim.worktree {
            allocation.path = Some(worktree.path.clone());
            allocation.branch.clone_from(&worktree.branch);
        }
        if allocation != *existing {
            tx.update_allocation(&allocation)?;
        }
        Ok(Placed { allocation, created: false })
    }

    fn wish(&self, tx: &mut dyn Transaction, wanted: &ServiceRequest, protocol: Protocol) -> Result<Wish> {
        let configured = self.claim.settings.service(&wanted.service).and_then(|service| service.prefer);
        let remembered =
            if self.request.new { None } else { self.remembered(tx, &wanted.service, protocol)? };
        Ok(Wish { exactly: wanted.exactly, remembered, prefer: wanted.prefer.or(configured) })
    }

    /// The port this worktree had, else the one this branch had; newest first.
    fn remembered(
        &self,
        tx: &mut dyn Transaction,
        service: &ServiceName,
        protocol: Protocol,
    ) -> Result<Option<Port>> {
        let claim = self.claim;
        let mut released = tx.allocations(&Filter {
            host: Some(self.host.clone()),
            protocol: Some(protocol),
            project: Some(claim.project.clone()),
            service: Some(service.clone()),
            environment: Some(claim.environment.clone()),
            live: Some(false),
            ..Filter::default()
        })?;
        let token = claim.worktree.as_ref().map(|worktree| &worktree.token);
        let path = claim.worktree.as_ref().map(|worktree| &worktree.path);
        let same_worktree = |had: &Allocation| had.worktree.as_ref() == token;
        released.retain(|had| {
            same_worktree(had)
                || (claim.branch.is_some() && had.branch == claim.branch)
                || (claim.branch.is_none() && had.branch.is_none() && had.path.as_ref() == path)
        });
        let newest = released.iter().max_by_key(|had| (same_worktree(had), had.released_at, had.id));
        Ok(newest.map(|had| had.port))
    }

    fn choose(
        &self,
        tx: &mut dyn Transaction,
        ranges: &Ranges,
        protocol: Protocol,
        wishes: &[Wish],
    ) -> Result<Vec<Port>> {
        let claim = self.claim;
        let own = ranges.of(&claim.project, &claim.environment);
        let named = wishes.iter().flat_map(|wish| [wish.exactly, wish.remembered, wish.prefer]).flatten();
        let asked: Vec<PortRange> = own.iter().copied().chain(named.map(PortRange::single)).collect();
        let mut used = BTreeMap::new();
        for range in asked {
            for record in tx.ports(&self.host, protocol, range)? {
                let released = record.released_at.map_or(PortUse::Live, PortUse::Released);
                used.insert(record.port, if record.live { PortUse::Live } else { released });
            }
        }
        let landscape = Landscape {
            used: &used,
            ranges: own,
            reserved: ranges,
            strategy: self.strategy,
            force: self.request.force,
            documents: claim.environment.is_production(),
        };
        match allocator::choose(wishes, &landscape, &mut |port| probe::probe(port, protocol)) {
            Ok(ports) => Ok(ports),
            Err(refusal) => Err(self.explain(tx, refusal, protocol, own)?),
        }
    }

    fn insert(
        &self,
        tx: &mut dyn Transaction,
        service: &ServiceName,
        protocol: Protocol,
        port: Port,
        primary: bool,
        old: Option<&Allocation>,
    ) -> Result<Placed> {
        let (claim, request) = (self.claim, self.request);
        let configured = claim.settings.service(service);
        let inherited = |text: fn(&Allocation) -> &Option<String>| old.and_then(|old| text(old).clone());
        let mut allocation = Allocation {
            id: 0,
            host: self.host.clone(),
            user: self.user.clone(),
            protocol,
            port,
            project: claim.project.clone(),
            worktree: claim.worktree.as_ref().map(|worktree| worktree.token.clone()),
            path: claim.worktree.as_ref().map(|worktree| worktree.path.clone()),
            branch: claim.branch.clone(),
            service: service.clone(),
            environment: claim.environment.clone(),
            primary,
            status: Status::Allocated,
            service_type: noted(request.service_type.as_ref())
                .or_else(|| inherited(|old| &old.service_type))
                .or_else(|| configured.and_then(|service| service.service_type.clone())),
            description: noted(request.description.as_ref())
                .or_else(|| inherited(|old| &old.description))
                .or_else(|| configured.and_then(|service| service.description.clone())),
            public_hostname: noted(request.public_hostname.as_ref())
                .or_else(|| inherited(|old| &old.public_hostname))
                .or_else(|| configured.and_then(|service| service.public_hostname.clone())),
            pinned: old.is_some_and(|old| old.pinned),
            session: request.session.clone(),
            allocated_at: self.now,
            last_used_at: None,
            last_checked_at: None,
            released_at: None,
        };
        let event = match old {
            Some(old) => {
                let released =
                    Allocation { status: Status::Released, released_at: Some(self.now), ..old.clone() };
                tx.update_allocation(&released)?;
                Event::of(&allocation, EventKind::Moved, self.now, format!("moved from {}", old.port))
            }
            None => Event::of(&allocation, EventKind::Allocated, self.now, "asked for"),
        };
        self.forget_predecessors(tx, &allocation)?;
        allocation.id = tx.insert_allocation(&allocation)?;
        tx.append_event(&event)?;
        Ok(Placed { allocation, created: true })
    }

    /// A service that gets its old port back needs no memory of having had it.
    fn forget_predecessors(&self, tx: &mut dyn Transaction, allocation: &Allocation) -> Result<()> {
        let same = Filter {
            host: Some(allocation.host.clone()),
            protocol: Some(allocation.protocol),
            port: Some(allocation.port),
            project: Some(allocation.project.clone()),
            service: Some(allocation.service.clone()),
            environment: Some(allocation.environment.clone()),
            live: Some(false),
            ..Filter::default()
        };
        for predecessor in tx.allocations(&same)? {
            if predecessor.branch == allocation.branch {
                tx.delete_allocation(predecessor.id)?;
            }
        }
        Ok(())
    }

    fn explain(
        &self,
        tx: &mut dyn Transaction,
        refusal: Refusal,
        protocol: Protocol,
        own: &[PortRange],
    ) -> Result<Error> {
        Ok(match refusal {
            Refusal::Taken(port) => {
                let at = Filter {
                    host: Some(self.host.clone()),
                    protocol: Some(protocol),
                    port: Some(port),
                    ..Filter::live()
                };
                let owner = tx.allocations(&at)?.first().map_or_else(|| "somebody else".to_owned(), describe);
                Error::new(ErrorKind::Conflict, format!("port {port} belongs to {owner}"))
                    .hint("take the next free one: leave out the port")
                    .hint(format!("or give it back first: git port release {port}"))
            }
            Refusal::Reserved(port, reservation) => reserved(port, &reservation),
            Refusal::InUse(port) => {
                Error::new(ErrorKind::Conflict, format!("port {port} is in use by a process on this machine"))
                    .hint(format!("see by which: git port check {port}"))
                    .hint("take it all the same, if it is this service's own: --force")
            }
            Refusal::Denied(port) => {
                Error::new(ErrorKind::Denied, format!("this user may not use port {port}"))
                    .hint("take one from 1024 up, or --force")
            }
            Refusal::AskedTwice(port) => Error::usage(format!("port {port} is asked for twice")),
            Refusal::RangeFull { in_use } => self.full(tx, in_use, protocol, own)?,
        })
    }

    fn full(
        &self,
        tx: &mut dyn Transaction,
        in_use: u32,
        protocol: Protocol,
        own: &[PortRange],
    ) -> Result<Error> {
        let names: Vec<String> = own.iter().map(ToString::to_string).collect();
        let of = format!("'{}'", self.claim.environment);
        let on_machine = if in_use > 0 {
            format!(" ({in_use} of them are in use on this machine)")
        } else {
            String::new()
        };
        let mut error = Error::new(
            ErrorKind::RangeFull,
            format!("no port is left for {of} in {}{on_machine}", names.join(", ")),
        );
        let mut holders = tx.allocations(&Filter {
            host: Some(self.host.clone()),
            protocol: Some(protocol),
            ..Filter::live()
        })?;
        holders.retain(|holder| own.iter().any(|range| range.contains(holder.port)));
        holders.sort_by_key(|holder| (holder.allocated_at, holder.port));
        for holder in holders.iter().take(5) {
            let since = holder.allocated_at.strftime("%Y-%m-%d");
            error = error.hint(format!("held since {since}: {} by {}", holder.port, describe(holder)));
        }
        let whose = if self.claim.settings.projects.contains_key(&self.claim.project) {
            self.claim.project.to_string()
        } else {
            self.claim.environment.to_string()
        };
        Ok(error.hint("see what can be released: git port cleanup --dry-run").hint(format!(
            "or widen the range: git port range set {whose} {},<first>-<last>",
            names.join(",")
        )))
    }

    /// What is given when asked for, but may surprise.
    fn warning(&self, placed: &Placed) -> Option<String> {
        let allocation = &placed.allocation;
        let asked = self.request.services.iter().any(|wanted| {
            wanted.service == allocation.service
                && (wanted.exactly.or(wanted.prefer)) == Some(allocation.port)
        });
        if !asked {
            return None;
        }
        let port = allocation.port;
        if let Some(reason) = avoided::reason(port).filter(|reason| reason.starts_with("browsers")) {
            return Some(format!("port {port}: {reason}"));
        }
        let ranges = ranges(self.claim.settings, Vec::new());
        let own = ranges.of(&self.claim.project, &self.claim.environment);
        let outside = !own.iter().any(|range| range.contains(port));
        (outside && !self.claim.environment.is_production()).then(|| {
            let names: Vec<String> = own.iter().map(ToString::to_string).collect();
            format!(
                "port {port} lies outside the range of '{}' ({})",
                self.claim.environment,
                names.join(", ")
            )
        })
    }
}

/// An empty text is none, as `update` has it.
fn noted(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn find<'a>(live: &'a [Allocation], service: &ServiceName, protocol: Protocol) -> Option<&'a Allocation> {
    live.iter().find(|allocation| allocation.service == *service && allocation.protocol == protocol)
}

/// Returns the error for a reserved port.
fn reserved(port: Port, reservation: &Reservation) -> Error {
    let why = reservation.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    Error::new(ErrorKind::Reserved, format!("port {port} is reserved{why}"))
        .hint("take it all the same: --force")
        .hint(format!("or lift the reservation: git port unreserve {}", reservation.range))
}

/// Returns all ranges and reservations in force.
pub fn ranges(settings: &Settings, mut reserved: Vec<Reservation>) -> Ranges {
    let configured = settings.allocation.reserved.iter();
    reserved.extend(
        configured.map(|range| Reservation { range: *range, reason: Some("configuration".to_owned()) }),
    );
    Ranges { environments: settings.ranges.clone(), projects: settings.projects.clone(), reserved }
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
