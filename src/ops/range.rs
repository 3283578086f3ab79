//! The ranges of environments and projects, and the reserved ports.

use crate::config::{Origin, Settings};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::registry::{
    EnvironmentName, Event, EventKind, Port, PortRange, ProjectName, RangeRecord, Reservation,
};
use crate::store::{self, Filter};

use super::allocate;

/// Ranges in force, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeInForce {
    /// Whose.
    pub record: RangeRecord,
    /// From where.
    pub origin: String,
}

/// All ranges and reservations in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RangesInForce {
    /// The ranges, environments first.
    pub ranges: Vec<RangeInForce>,
    /// The reserved ports.
    pub reserved: Vec<Reservation>,
}

/// Whose range is set: an environment's if that is known or said, else a project's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// An environment's or a project's, whichever has the name.
    Named(String),
    /// An environment's, which may be new.
    Environment(EnvironmentName),
    /// A project's.
    Project(ProjectName),
}

/// What came of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeChanged {
    /// The ranges as recorded now; empty if there are none any more.
    pub record: RangeRecord,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Returns all ranges and reservations in force.
pub fn list(ctx: &mut Context) -> Result<RangesInForce> {
    let settings = settings(ctx)?;
    let reservations = store::read(ctx.store()?, |rows| rows.reservations())?;
    Ok(in_force(&settings, reservations))
}

/// Returns all ranges and reservations in force, given these settings and what the registry reserves.
pub(super) fn in_force(settings: &Settings, reservations: Vec<Reservation>) -> RangesInForce {
    let origin = |key: String| settings.origin(&key).unwrap_or(&Origin::BuiltIn).to_string();
    let mut ranges = Vec::new();
    for (name, list) in &settings.ranges {
        let record = RangeRecord::Environment(name.clone(), list.clone());
        ranges.push(RangeInForce { record, origin: origin(format!("ranges.{name}")) });
    }
    for (name, list) in &settings.projects {
        let record = RangeRecord::Project(name.clone(), list.clone());
        ranges.push(RangeInForce { record, origin: origin(format!("projects.{name}.range")) });
    }
    RangesInForce { ranges, reserved: allocate::ranges(settings, reservations).reserved }
}

/// Sets the ordered ranges of an environment or project.
///
/// With `shared`, their ports are held for the whole team, on whatever machine they are.
pub fn set(ctx: &mut Context, whose: &Whose, ranges: &[PortRange], shared: bool) -> Result<RangeChanged> {
    let settings = settings(ctx)?;
    for (index, range) in ranges.iter().enumerate() {
        if let Some(other) = ranges[index + 1..].iter().find(|other| other.overlaps(*range)) {
            return Err(Error::usage(format!("'{range}' and '{other}' overlap")));
        }
    }
    let record = match resolve(&settings, whose)? {
        RangeRecord::Environment(name, _) => RangeRecord::Environment(name, ranges.to_vec()),
        RangeRecord::Project(name, _) => {
            let others = settings.projects.iter().map(|(other, theirs)| (other, theirs.as_slice()));
            refuse_overlap(others, &name, ranges)?;
            RangeRecord::Project(name, ranges.to_vec())
        }
    };
    let warnings = change(ctx, &settings, &record, EventKind::RangeSet, shared)?;
    Ok(RangeChanged { record, warnings })
}

/// Drops the ranges that were set for an environment or project.
pub fn unset(ctx: &mut Context, whose: &Whose) -> Result<RangeChanged> {
    let settings = settings(ctx)?;
    let record = resolve(&settings, whose)?;
    if !store::read(ctx.store()?, |rows| rows.ranges())?.iter().any(|other| is_same(other, &record)) {
        let name = name(&record);
        return Err(Error::new(ErrorKind::NotFound, format!("no range was set for '{name}'"))
            .hint("see where each comes from: git port range list"));
    }
    let warnings = change(ctx, &settings, &record, EventKind::RangeUnset, false)?;
    Ok(RangeChanged { record, warnings })
}

/// Reserves ports. Returns what the user should know.
pub fn reserve(ctx: &mut Context, range: PortRange, reason: Option<String>) -> Result<Vec<String>> {
    let here = Filter { host: Some(ctx.host.key.clone()), ..Filter::live() };
    let event = event(ctx, EventKind::Reserved, range.to_string(), only_port(range));
    let live = store::write(ctx.store()?, |tx| -> Result<_, store::StoreError> {
        tx.put_reservation(&Reservation { range, reason: reason.clone() })?;
        tx.append_event(&event)?;
        tx.allocations(&here)
    })?;
    let owners = live.iter().filter(|allocation| range.contains(allocation.port));
    Ok(owners.map(|owner| format!("port {} stays with {}", owner.port, allocate::describe(owner))).collect())
}

/// Lifts a reservation.
pub fn unreserve(ctx: &mut Context, range: PortRange) -> Result<()> {
    let settings = settings(ctx)?;
    let event = event(ctx, EventKind::Unreserved, range.to_string(), only_port(range));
    let found = store::write(ctx.store()?, |tx| -> Result<_, store::StoreError> {
        let found = tx.delete_reservation(range)?;
        if found {
            tx.append_event(&event)?;
        }
        Ok(found)
    })?;
    if found {
        return Ok(());
    }
    let error = Error::new(ErrorKind::NotFound, format!("'{range}' is not reserved in the registry"));
    let configured = settings.allocation.reserved.iter().any(|reserved| reserved.overlaps(range));
    Err(if configured {
        let origin = settings.origin("allocation.reserved").unwrap_or(&Origin::BuiltIn).to_string();
        error.hint(format!("it is reserved by the setting 'allocation.reserved' ({origin})"))
    } else {
        error.hint("see what is: git port range list")
    })
}

fn settings(ctx: &mut Context) -> Result<Settings> {
    let repo = ctx.find_repo()?;
    let top = repo.as_ref().and_then(|repo| repo.worktree.clone());
    ctx.settings(repo.as_ref(), top.as_deref())
}

fn resolve(settings: &Settings, whose: &Whose) -> Result<RangeRecord> {
    Ok(match whose {
        Whose::Environment(name) => RangeRecord::Environment(name.clone(), Vec::new()),
        Whose::Project(name) => RangeRecord::Project(name.clone(), Vec::new()),
        Whose::Named(name) => match name.parse::<EnvironmentName>() {
            Ok(environment) if settings.ranges.contains_key(&environment) => {
                RangeRecord::Environment(environment, Vec::new())
            }
            _ => RangeRecord::Project(name.parse()?, Vec::new()),
        },
    })
}

fn name(record: &RangeRecord) -> String {
    match record {
        RangeRecord::Environment(name, _) => name.to_string(),
        RangeRecord::Project(name, _) => name.to_string(),
    }
}

fn is_same(one: &RangeRecord, two: &RangeRecord) -> bool {
    match (one, two) {
        (RangeRecord::Environment(one, _), RangeRecord::Environment(two, _)) => one == two,
        (RangeRecord::Project(one, _), RangeRecord::Project(two, _)) => one == two,
        _ => false,
    }
}

fn ranges_of(record: &RangeRecord) -> &[PortRange] {
    match record {
        RangeRecord::Environment(_, ranges) | RangeRecord::Project(_, ranges) => ranges,
    }
}

/// Refuses to share a range in which two machines have the same port.
fn refuse_held_twice(tx: &mut dyn store::Transaction, range: PortRange) -> Result<()> {
    let mut held = tx.allocations(&Filter::live())?;
    held.retain(|allocation| range.contains(allocation.port));
    for pair in held.windows(2) {
        if pair[0].port == pair[1].port && pair[0].protocol == pair[1].protocol {
            let (one, two) = (allocate::describe(&pair[0]), allocate::describe(&pair[1]));
            let message = format!("port {} belongs to {one} and, on another machine, to {two}", pair[0].port);
            return Err(Error::new(ErrorKind::Conflict, message)
                .hint("give one of them back first, or share other ports"));
        }
    }
    Ok(())
}

fn refuse_overlap<'a>(
    others: impl Iterator<Item = (&'a ProjectName, &'a [PortRange])>,
    project: &ProjectName,
    ranges: &[PortRange],
) -> Result<()> {
    for (other, theirs) in others.filter(|(other, _)| *other != project) {
        for range in ranges {
            if let Some(taken) = theirs.iter().find(|theirs| theirs.overlaps(*range)) {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    format!("'{range}' overlaps {taken} of project '{other}'"),
                )
                .hint("see all ranges: git port range list"));
            }
        }
    }
    Ok(())
}

fn change(
    ctx: &mut Context,
    settings: &Settings,
    record: &RangeRecord,
    kind: EventKind,
    shared: bool,
) -> Result<Vec<String>> {
    let (key, ranges) = match record {
        RangeRecord::Environment(name, ranges) => (format!("ranges.{name}"), ranges),
        RangeRecord::Project(name, ranges) => (format!("projects.{name}.range"), ranges),
    };
    let list: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    let event = event(ctx, kind, format!("{} {}", name(record), list.join(", ")).trim_end().to_owned(), None);
    store::write(ctx.store()?, |tx| -> Result<()> {
        let known = tx.ranges()?;
        if let RangeRecord::Project(name, ranges) = record {
            // Somebody may have set another since the settings were read.
            let others = known.iter().filter_map(|other| match other {
                RangeRecord::Project(other, theirs) => Some((other, theirs.as_slice())),
                RangeRecord::Environment(..) => None,
            });
            refuse_overlap(others, name, ranges)?;
        }
        let was = known.iter().filter(|other| is_same(other, record)).flat_map(ranges_of);
        for range in was.filter(|range| !ranges.contains(range) || !shared) {
            tx.share(*range, false)?;
        }
        tx.put_range(record)?;
        for range in ranges.iter().filter(|_| shared) {
            refuse_held_twice(tx, *range)?;
            tx.share(*range, true)?;
        }
        Ok(tx.append_event(&event)?)
    })?;
    let overruled =
        settings.origin(&key).filter(|origin| !matches!(origin, Origin::BuiltIn | Origin::Registry));
    Ok(overruled
        .map(|origin| format!("'{key}' is set by {origin}, which wins over the registry"))
        .into_iter()
        .collect())
}

fn only_port(range: PortRange) -> Option<Port> {
    (range.size() == 1).then(|| range.start())
}

fn event(ctx: &Context, kind: EventKind, reason: String, port: Option<Port>) -> Event {
    Event::of_nobody(&ctx.host.key, kind, ctx.clock.now(), port, reason)
}
