//! All that is in a registry.

use std::collections::{BTreeSet, HashMap};

use crate::registry::{
    Allocation, Event, HealthCheck, PortRange, RangeRecord, Reservation, RunRecord, WorktreeRecord,
};
use crate::store::{Filter, Rows, StoreError, Transaction};

/// All that is in a registry. Instead of a row number, which differs from one registry to the other, an
/// allocation has its place in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Everything {
    /// Keys and names.
    pub(super) hosts: Vec<(String, String)>,
    pub(super) worktrees: Vec<WorktreeRecord>,
    pub(super) allocations: Vec<Allocation>,
    ranges: Vec<RangeRecord>,
    shared: Vec<PortRange>,
    reservations: Vec<Reservation>,
    /// The oldest first.
    pub(super) events: Vec<Event>,
    runs: Vec<RunRecord>,
    checks: Vec<HealthCheck>,
}

impl Everything {
    pub(super) fn read<R: Rows + ?Sized>(rows: &mut R) -> Result<Self, StoreError> {
        let mut hosts = rows.hosts()?;
        let mut allocations = rows.allocations(&Filter::default())?;
        allocations.sort_by_key(|allocation| allocation.id);
        let named: BTreeSet<String> = hosts.iter().map(|(key, _)| key.clone()).collect();
        let nameless: BTreeSet<&String> = allocations.iter().map(|allocation| &allocation.host).collect();
        let nameless: Vec<_> = nameless.into_iter().filter(|key| !named.contains(*key)).cloned().collect();
        hosts.extend(nameless.into_iter().map(|key| (key.clone(), key)));
        hosts.sort_unstable();
        let places: HashMap<i64, i64> = allocations.iter().map(|one| one.id).zip(0..).collect();
        let mut all = Self {
            ranges: rows.ranges()?,
            shared: rows.shared_ranges()?,
            reservations: rows.reservations()?,
            events: rows.events(None, u32::MAX)?,
            ..Self::default()
        };
        all.events.reverse();
        for (key, _) in &hosts {
            all.worktrees.extend(rows.worktrees(key)?);
            all.runs.extend(rows.runs(key)?);
        }
        for (allocation, place) in allocations.iter().zip(0..) {
            let mut checks = rows.health_checks(allocation.id, u32::MAX)?;
            checks.reverse();
            all.checks.extend(checks.into_iter().map(|check| HealthCheck { allocation: place, ..check }));
        }
        all.runs.retain(|run| places.contains_key(&run.allocation));
        for run in &mut all.runs {
            run.allocation = places[&run.allocation];
        }
        all.runs.sort_by_key(|run| run.allocation);
        all.worktrees.sort_by(|one, two| one.token.as_str().cmp(two.token.as_str()));
        for (allocation, place) in allocations.iter_mut().zip(0..) {
            allocation.id = place;
        }
        all.allocations = allocations;
        all.hosts = hosts;
        Ok(all)
    }

    pub(super) fn write(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        for (key, name) in &self.hosts {
            tx.put_host(key, name)?;
        }
        for worktree in &self.worktrees {
            tx.put_worktree(worktree)?;
        }
        let known = tx.ranges()?;
        for range in self.ranges.iter().filter(|range| !known.contains(range)) {
            tx.put_range(range)?;
        }
        for range in &self.shared {
            tx.share(*range, true)?;
        }
        for reservation in &self.reservations {
            tx.put_reservation(reservation)?;
        }
        let mut numbers = Vec::with_capacity(self.allocations.len());
        for allocation in &self.allocations {
            numbers.push(tx.insert_allocation(allocation)?);
        }
        let number = |place: i64| usize::try_from(place).ok().and_then(|place| numbers.get(place)).copied();
        for event in &self.events {
            tx.append_event(event)?;
        }
        for run in &self.runs {
            tx.put_run(&RunRecord { allocation: number(run.allocation).unwrap_or_default(), ..run.clone() })?;
        }
        for check in &self.checks {
            let allocation = number(check.allocation).unwrap_or_default();
            tx.append_health_check(&HealthCheck { allocation, ..check.clone() }, u32::MAX)?;
        }
        Ok(())
    }

    /// Removes from a registry what is of these machines; all of it, if it knows no others.
    pub(super) fn remove(&self, tx: &mut dyn Transaction) -> Result<(), StoreError> {
        for (key, _) in &self.hosts {
            for allocation in tx.allocations(&Filter { host: Some(key.clone()), ..Filter::default() })? {
                tx.delete_allocation(allocation.id)?;
            }
            for worktree in tx.worktrees(key)? {
                tx.delete_worktree(&worktree.token)?;
            }
        }
        if tx.allocations(&Filter::default())?.is_empty() {
            for range in self.shared.clone() {
                tx.share(range, false)?;
            }
            for range in tx.ranges()? {
                tx.put_range(&match range {
                    RangeRecord::Environment(name, _) => RangeRecord::Environment(name, Vec::new()),
                    RangeRecord::Project(name, _) => RangeRecord::Project(name, Vec::new()),
                })?;
            }
            for reservation in tx.reservations()? {
                tx.delete_reservation(reservation.range)?;
            }
            tx.trim_events(0)?;
        }
        Ok(())
    }

    /// Says whether all of the other is in this one, in number and in content. A team's registry holds more.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let mut own = self.clone();
        let is_moved = |key: &String| other.hosts.iter().any(|(host, _)| host == key);
        let mut places = HashMap::new();
        own.hosts.retain(|(key, _)| is_moved(key));
        own.worktrees.retain(|worktree| is_moved(&worktree.host));
        own.allocations.retain(|allocation| is_moved(&allocation.host));
        for (allocation, place) in own.allocations.iter_mut().zip(0..) {
            places.insert(allocation.id, place);
            allocation.id = place;
        }
        own.events.retain(|event| is_moved(&event.host));
        own.runs.retain(|run| places.contains_key(&run.allocation));
        own.checks.retain(|check| places.contains_key(&check.allocation));
        own.runs.iter_mut().for_each(|run| run.allocation = places[&run.allocation]);
        own.checks.iter_mut().for_each(|check| check.allocation = places[&check.allocation]);
        own.ranges.retain(|range| other.ranges.contains(range));
        own.shared.retain(|range| other.shared.contains(range));
        own.reservations.retain(|reservation| other.reservations.contains(reservation));
        own == *other
    }
}
