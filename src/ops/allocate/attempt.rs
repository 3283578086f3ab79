//! What happens in the transaction: read, choose, probe, insert. It may run twice, so it changes nothing
//! but rows.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

use super::limits::refuse_taken_hostname;
use super::{AllocateRequest, Claim, Placed, ServiceRequest, describe, noted, ranges};
use crate::error::{Error, ErrorKind, Result};
use crate::ops::machine::Machine;
use crate::registry::allocator::{self, Landscape, Probe, Refusal, Strategy, Wish};
use crate::registry::{
    Allocation, Event, EventKind, Port, PortRange, Protocol, Ranges, Reservation, ServiceName, Status,
    avoided, import,
};
use crate::store::{Filter, Transaction};
use crate::system::{listeners, probe};

/// One request, with all that does not change from one run to the next.
pub(super) struct Attempt<'a> {
    pub(super) claim: &'a Claim<'a>,
    pub(super) request: &'a AllocateRequest,
    pub(super) host: String,
    pub(super) user: Option<String>,
    pub(super) now: jiff::Timestamp,
    pub(super) strategy: Strategy,
    /// The port that was refused because somebody listens on it.
    pub(super) in_use: Cell<Option<(Port, Protocol)>>,
}

impl Attempt<'_> {
    pub(super) fn run(&self, tx: &mut dyn Transaction) -> Result<Vec<Placed>> {
        self.in_use.set(None);
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
        self.check_limits(tx, missing.values().map(Vec::len).sum())?;
        let mut has_primary = live.iter().any(|allocation| allocation.primary);
        for (protocol, indexes) in missing {
            let wishes: Vec<Wish> = indexes
                .iter()
                .map(|index| {
                    let service = &self.request.services[*index];
                    let given = self.given(&service.service, !has_primary && *index == 0);
                    self.wish(tx, service, protocol, given)
                })
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
        if let Some(name) = noted(self.request.public_hostname.as_ref()) {
            refuse_taken_hostname(tx, &name, Some(existing.id))?;
        }
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

    /// Returns the port that a host has given the worktree for this service. Without configuration there is
    /// one for the primary one, which `first` stands for.
    fn given(&self, service: &ServiceName, first: bool) -> Option<Port> {
        let services = &self.claim.settings.services;
        let place = services.iter().position(|one| one.name == *service);
        self.claim.given.get(place.or((services.is_empty() && first).then_some(0))?).copied()
    }

    fn wish(
        &self,
        tx: &mut dyn Transaction,
        wanted: &ServiceRequest,
        protocol: Protocol,
        given: Option<Port>,
    ) -> Result<Wish> {
        let configured = self.claim.settings.service(&wanted.service).and_then(|service| service.prefer);
        let remembered =
            if self.request.new { None } else { self.remembered(tx, &wanted.service, protocol)? };
        let remembered = given.filter(|_| wanted.prefer.is_none() && !self.request.new).or(remembered);
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
        if claim.environment.is_production() && !self.request.force {
            let mut named = wishes.iter().filter_map(|wish| wish.exactly);
            if let Some(reason) = named.find_map(|port| import::in_range_of_others(ranges, port)) {
                return Err(Error::new(ErrorKind::Conflict, reason)
                    .hint("take a port outside of it, or leave it out for the next free one")
                    .hint("take it all the same: --force"));
            }
        }
        let own = ranges.of(&claim.project, &claim.environment);
        let named = wishes.iter().flat_map(|wish| [wish.exactly, wish.remembered, wish.prefer]).flatten();
        let asked: Vec<PortRange> = own.iter().copied().chain(named.map(PortRange::single)).collect();
        let used = super::used(tx, &self.host, protocol, &claim.environment, asked)?;
        let landscape = Landscape {
            used: &used,
            ranges: own,
            reserved: ranges,
            strategy: self.strategy,
            force: self.request.force,
            documents: claim.environment.is_production(),
        };
        // One look tells of every listener, so that a range full of them costs no bind for each. The probe
        // has the last word: it also sees sockets that are bound and do not listen.
        let machine = OnceCell::new();
        let mut ask = |port| match machine.get_or_init(listeners::listeners).on(port, protocol).next() {
            Some(_) => Probe::InUse,
            None => probe::probe(port, protocol),
        };
        match allocator::choose(wishes, &landscape, &mut ask) {
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
        let public_hostname = self.public_hostname(tx, service, old)?;
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
            public_hostname,
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
        forget_predecessors(tx, &allocation)?;
        allocation.id = tx.insert_allocation(&allocation)?;
        tx.append_event(&event)?;
        Ok(Placed { allocation, created: true })
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
                let mut owners = tx.allocations(&at)?;
                if owners.is_empty() {
                    owners = tx.allocations(&Filter { host: None, shared: true, ..at })?;
                }
                let owner = match owners.first() {
                    Some(owner) if owner.host == self.host => describe(owner),
                    Some(owner) => {
                        let host = tx.host_name(&owner.host)?.unwrap_or_else(|| owner.host.clone());
                        let user = owner.user.as_ref().map(|user| format!("{user} on ")).unwrap_or_default();
                        format!("{}, of {user}'{host}'", describe(owner))
                    }
                    None => "somebody else".to_owned(),
                };
                Error::new(ErrorKind::Conflict, format!("port {port} belongs to {owner}"))
                    .hint("take the next free one: leave out the port")
                    .hint(format!("or give it back first: git port release {port}"))
            }
            Refusal::Reserved(port, reservation) => reserved(port, &reservation),
            Refusal::InUse(port) => {
                self.in_use.set(Some((port, protocol)));
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

    /// Says which process has the port that was refused. It is looked for when the transaction is over,
    /// because others wait for that.
    pub(super) fn name_process(&self, error: Error) -> Error {
        let Some((port, protocol)) = self.in_use.get() else { return error };
        let machine = Machine::look([(port, protocol)]);
        let Some(process) = machine.processes(port, protocol).first().copied() else { return error };
        let (name, pid) = (&process.name, process.id.pid);
        Error { message: format!("port {port} is in use by '{name}' (pid {pid})"), ..error }
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
    pub(super) fn warning(&self, placed: &Placed) -> Option<String> {
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

/// A service that gets its old port back needs no memory of having had it.
fn forget_predecessors(tx: &mut dyn Transaction, allocation: &Allocation) -> Result<()> {
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
