//! What an import would do: computed first, shown by `--dry-run`, then carried out as it stands.

use std::collections::{HashMap, HashSet};

use super::allocation::Allocation;
use super::port::{Port, Protocol};
use super::ranges::{RangeRecord, Ranges, Reservation};
use super::scope::EnvironmentName;

/// What to do with a row that would take what somebody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Import nothing.
    #[default]
    Fail,
    /// Leave the row out.
    Skip,
    /// Take it, unless a worktree that is alive has it.
    Replace,
}

/// A row as the registry would hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The line it came from.
    pub line: Option<usize>,
    /// The allocation.
    pub allocation: Allocation,
}

/// A row, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The row.
    pub candidate: Candidate,
    /// What is to be said.
    pub reason: String,
}

/// What an import does with each row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportPlan {
    /// To be stored.
    pub added: Vec<Candidate>,
    /// There already.
    pub same: Vec<Candidate>,
    /// In the way of somebody; with any of them nothing is imported.
    pub conflicts: Vec<Noted>,
    /// To be stored, though they lie outside the ranges of their environment, or are reserved.
    pub out_of_range: Vec<Noted>,
    /// Left out, because they conflict and that was asked for.
    pub skipped: Vec<Noted>,
    /// Live allocations that give way.
    pub replaced: Vec<Allocation>,
    /// Reservations to be stored.
    pub reservations: Vec<Reservation>,
    /// Ranges to be stored.
    pub ranges: Vec<RangeRecord>,
    /// Ranges and reservations that are there already and say otherwise.
    pub unclear: Vec<String>,
}

impl ImportPlan {
    /// Says whether it can be carried out.
    pub fn is_clear(&self) -> bool {
        self.conflicts.is_empty() && self.unclear.is_empty()
    }

    /// Returns the rows to be stored, in the order of their ports.
    pub fn stored(&self) -> Vec<&Candidate> {
        let noted = self.out_of_range.iter().map(|noted| &noted.candidate);
        let mut stored: Vec<&Candidate> = self.added.iter().chain(noted).collect();
        stored.sort_by_key(|candidate| (candidate.allocation.port, candidate.line));
        stored
    }
}

/// What a plan is made from.
pub struct ImportFacts<'a> {
    /// The rows.
    pub candidates: Vec<Candidate>,
    /// Ranges to import.
    pub ranges: Vec<RangeRecord>,
    /// Reservations to import.
    pub reservations: Vec<Reservation>,
    /// Every allocation there is, live and released.
    pub existing: &'a [Allocation],
    /// The ranges that the registry holds.
    pub recorded_ranges: &'a [RangeRecord],
    /// The reservations that the registry holds.
    pub recorded_reservations: &'a [Reservation],
    /// All ranges and reservations in force.
    pub in_force: &'a Ranges,
    /// What to do about conflicts.
    pub on_conflict: OnConflict,
    /// Whether a port for production may lie where others get theirs.
    pub force: bool,
}

/// Who has a port: the first part is the machine.
type PortKey = (String, Protocol, Port);
/// A service has one port: that of its worktree, or, outside git, of its project on a machine.
type ServiceKey = (Option<String>, Option<String>, String, String, Protocol);

fn port_key(one: &Allocation) -> PortKey {
    (one.host.clone(), one.protocol, one.port)
}

fn service_key(one: &Allocation) -> ServiceKey {
    let outside = || format!("{}\n{}", one.host, one.project);
    let worktree = one.worktree.as_ref().map(ToString::to_string);
    let project = worktree.is_none().then(outside);
    (worktree, project, one.environment.to_string(), one.service.to_string(), one.protocol)
}

/// Returns what an import would do. `is_alive` says of a live allocation whether its worktree may be alive:
/// from that one nothing is taken, whatever was asked for.
pub fn plan(
    facts: ImportFacts<'_>,
    is_alive: &mut dyn FnMut(&Allocation) -> bool,
    describe: &dyn Fn(&Allocation) -> String,
) -> ImportPlan {
    let mut plan = ImportPlan::default();
    settings(&facts, &mut plan);
    let live = || facts.existing.iter().filter(|one| one.status.is_live());
    let ports: HashMap<PortKey, &Allocation> = live().map(|one| (port_key(one), one)).collect();
    let services: HashMap<ServiceKey, &Allocation> = live().map(|one| (service_key(one), one)).collect();
    let mut primaries: HashSet<(String, String)> = live().filter_map(primary_key).collect();
    let mut past: HashMap<PortKey, Vec<&Allocation>> = HashMap::new();
    for one in facts.existing.iter().filter(|one| !one.status.is_live()) {
        past.entry(port_key(one)).or_default().push(one);
    }
    let mut taken_ports: HashMap<PortKey, (ServiceKey, Option<usize>)> = HashMap::new();
    let mut taken_services: HashMap<ServiceKey, Option<usize>> = HashMap::new();
    let mut replaced: HashSet<i64> = HashSet::new();
    let mut memories: HashSet<(PortKey, ServiceKey, Option<jiff::Timestamp>)> = HashSet::new();

    for mut candidate in facts.candidates {
        let one = &candidate.allocation;
        let (port, service) = (port_key(one), service_key(one));
        if !one.status.is_live() {
            let known = past.get(&port).into_iter().flatten().any(|past| is_same_past(past, one));
            if known || !memories.insert((port, service, one.released_at)) {
                plan.same.push(candidate);
            } else {
                plan.added.push(candidate);
            }
            continue;
        }
        let (by_port, by_service) = (ports.get(&port), services.get(&service));
        if let Some((first, line)) = taken_ports.get(&port) {
            if *first == service {
                plan.same.push(candidate);
            } else {
                let reason = twice(&format!("port {}", one.port), *line);
                conflict(&mut plan, facts.on_conflict, candidate, reason);
            }
            continue;
        }
        if let Some(line) = taken_services.get(&service) {
            let reason = twice(&format!("'{}'", one.owner()), *line);
            conflict(&mut plan, facts.on_conflict, candidate, reason);
            continue;
        }
        let kept = |existing: &&&Allocation| !replaced.contains(&existing.id);
        if by_port.filter(kept).is_some_and(|existing| service_key(existing) == service) {
            taken_ports.insert(port, (service.clone(), candidate.line));
            taken_services.insert(service, candidate.line);
            plan.same.push(candidate);
            continue;
        }
        let refused = outside_production(facts.in_force, one).filter(|_| !facts.force);
        if let Some(reason) = refused {
            conflict(&mut plan, facts.on_conflict, candidate, reason);
            continue;
        }
        let mut others: Vec<&Allocation> = Vec::new();
        for existing in [by_port, by_service].into_iter().flatten().filter(kept) {
            if others.iter().all(|other| other.id != existing.id) {
                others.push(existing);
            }
        }
        if let Some(existing) = others.first() {
            let reason = if existing.port == one.port {
                format!("port {} belongs to {}", one.port, describe(existing))
            } else {
                format!("'{}' has port {} already", one.owner(), existing.port)
            };
            let alive = facts.on_conflict == OnConflict::Replace && others.iter().any(|one| is_alive(one));
            if facts.on_conflict != OnConflict::Replace || alive {
                let reason = if alive { format!("{reason}, whose worktree is alive") } else { reason };
                conflict(&mut plan, facts.on_conflict, candidate, reason);
                continue;
            }
            for existing in others {
                replaced.insert(existing.id);
                if let Some(key) = primary_key(existing) {
                    primaries.remove(&key);
                }
                plan.replaced.push(existing.clone());
            }
        }
        taken_ports.insert(port, (service.clone(), candidate.line));
        taken_services.insert(service, candidate.line);
        let one = &mut candidate.allocation;
        // `PORT` stands for one service of a worktree: the one that has it keeps it.
        if one.primary {
            one.primary = primary_key(one).is_some_and(|key| primaries.insert(key));
        }
        match unusual(facts.in_force, one) {
            Some(reason) => plan.out_of_range.push(Noted { candidate, reason }),
            None => plan.added.push(candidate),
        }
    }
    plan
}

fn twice(what: &str, line: Option<usize>) -> String {
    let first = line.map(|line| format!(", first on line {line}")).unwrap_or_default();
    format!("{what} stands in it twice{first}")
}

fn conflict(plan: &mut ImportPlan, policy: OnConflict, candidate: Candidate, reason: String) {
    let noted = Noted { candidate, reason };
    match policy {
        OnConflict::Skip => plan.skipped.push(noted),
        OnConflict::Fail | OnConflict::Replace => plan.conflicts.push(noted),
    }
}

fn primary_key(one: &Allocation) -> Option<(String, String)> {
    let token = one.worktree.as_ref().filter(|_| one.primary)?;
    Some((token.to_string(), one.environment.to_string()))
}

fn is_same_past(one: &Allocation, other: &Allocation) -> bool {
    service_key(one) == service_key(other)
        && one.project == other.project
        && one.branch == other.branch
        && one.released_at == other.released_at
}

fn settings(facts: &ImportFacts<'_>, plan: &mut ImportPlan) {
    let replaces = facts.on_conflict == OnConflict::Replace;
    let name = |record: &RangeRecord| match record {
        RangeRecord::Environment(name, _) => format!("environment '{name}'"),
        RangeRecord::Project(name, _) => format!("project '{name}'"),
    };
    for record in &facts.ranges {
        let known = facts.recorded_ranges.iter().find(|known| name(known) == name(record));
        match known {
            Some(known) if known == record => {}
            Some(_) if !replaces => {
                if facts.on_conflict == OnConflict::Fail {
                    plan.unclear.push(format!("{} has another range already", name(record)));
                }
            }
            _ => plan.ranges.push(record.clone()),
        }
    }
    for one in &facts.reservations {
        let known = facts.recorded_reservations.iter().find(|known| known.range == one.range);
        match known {
            Some(known) if known == one => {}
            Some(known) if !replaces => {
                if facts.on_conflict == OnConflict::Fail {
                    let reason = known.reason.as_deref().unwrap_or("no reason given");
                    plan.unclear.push(format!("{} is reserved already ({reason})", one.range));
                }
            }
            _ => plan.reservations.push(one.clone()),
        }
    }
}

/// Says why a port is no place for a production service: development and test ports come from there, so
/// that sooner or later another would be given it. None if it is no production service, or its port lies in
/// production's own ranges as well.
pub fn outside_production(in_force: &Ranges, one: &Allocation) -> Option<String> {
    if !one.environment.is_production() {
        return None;
    }
    in_range_of_others(in_force, one.port)
}

/// Says in which range that others get their ports from a port for production lies.
pub fn in_range_of_others(in_force: &Ranges, port: Port) -> Option<String> {
    let ranges = |name: &EnvironmentName| in_force.environments.get(name).into_iter().flatten();
    if ranges(&EnvironmentName::production()).any(|range| range.contains(port)) {
        return None;
    }
    [EnvironmentName::dev(), EnvironmentName::test()].iter().find_map(|name| {
        let range = ranges(name).find(|range| range.contains(port))?;
        Some(format!("port {port} lies in the range of '{name}' ({range}), where others are given theirs"))
    })
}

/// Says what is unusual about a port that is stored all the same.
fn unusual(in_force: &Ranges, one: &Allocation) -> Option<String> {
    if let Some(reservation) = in_force.reservation(one.port) {
        let why = reservation.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        return Some(format!("port {} is reserved{why}", one.port));
    }
    if one.environment.is_production() {
        return None;
    }
    let own = in_force.of(&one.project, &one.environment);
    if own.iter().any(|range| range.contains(one.port)) {
        return None;
    }
    let names: Vec<String> = own.iter().map(ToString::to_string).collect();
    Some(if names.is_empty() {
        format!("'{}' has no range", one.environment)
    } else {
        format!("port {} lies outside the range of '{}' ({})", one.port, one.environment, names.join(", "))
    })
}
