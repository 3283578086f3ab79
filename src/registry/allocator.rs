//! Chooses ports.
//!
//! One function, [`choose`], over values: who asks, which ports are spoken for, which ranges and
//! reservations hold, and a probe that says what the machine thinks of a port. It runs inside the
//! exclusive transaction that will store its answer, so that what it read is still true when the row
//! goes in; the probe binds a socket for a moment and changes nothing.
//!
//! The order, for each service: the port asked for by number; the port this branch and service had
//! before; the preferred port; then the ranges in their order. In a range, ports nobody has had come
//! first; when there are none left, the one released longest ago, so that a wrong release stays harmless
//! for as long as possible and the cookies of one origin do not leak to the next. Services that ask
//! together get neighbours where the range has room for them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::avoided;
use super::port::{Port, PortRange};
use super::ranges::{Ranges, Reservation};
use super::used::{PortUse, Used};

/// What the machine says of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nobody has it, on any IPv4 or IPv6 address.
    Free,
    /// Some socket has it.
    InUse,
    /// This user may not use it (a privileged port, an excluded range).
    Denied,
    /// The machine does not let us ask, as in a sandbox.
    Unknown,
}

/// How ports are picked from a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The lowest first.
    #[default]
    Sequential,
    /// Any, with this seed.
    Random(u64),
}

/// What one service asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Must be this port.
    pub exactly: Option<Port>,
    /// The port this branch and service had before.
    pub remembered: Option<Port>,
    /// This port if it can be had.
    pub prefer: Option<Port>,
}

/// All that a choice depends on.
pub struct Landscape<'a> {
    /// The ports that have or had an owner, on this host and for this protocol.
    pub used: &'a Used,
    /// The ordered ranges to choose from.
    pub ranges: &'a [PortRange],
    /// Ranges and reservations; only the reservations are looked at.
    pub reserved: &'a Ranges,
    /// How to pick.
    pub strategy: Strategy,
    /// Give a reserved port, or one that somebody listens on, when it is asked for by number.
    pub force: bool,
    /// A port asked for by number may be one this user cannot bind or that is already running: the
    /// allocation documents a service rather than promising to start one.
    pub documents: bool,
}

/// Why there is no port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The port asked for is promised to somebody else.
    Taken(Port),
    /// The port asked for is reserved.
    Reserved(Port, Reservation),
    /// Somebody listens on the port asked for.
    InUse(Port),
    /// This user may not use the port asked for.
    Denied(Port),
    /// Two services ask for the same port.
    AskedTwice(Port),
    /// No port is left in the ranges; how many of the ports tried were in use on the machine.
    RangeFull {
        /// The ports the machine would not give.
        in_use: u32,
    },
}

/// Returns a port for each wish, in the same order, or why there is none.
///
/// All or nothing: when one wish cannot be met, none is. `probe` is asked only about ports that the
/// registry could give.
pub fn choose(
    wishes: &[Wish],
    landscape: &Landscape<'_>,
    probe: &mut dyn FnMut(Port) -> Probe,
) -> Result<Vec<Port>, Refusal> {
    let mut chooser = Chooser { landscape, probe, given: BTreeSet::new(), asked: BTreeMap::new(), in_use: 0 };
    let mut chosen: Vec<Option<Port>> = Vec::with_capacity(wishes.len());
    // Numbers first: a port somebody insists on must not go to a neighbour who would take any.
    for wish in wishes {
        chosen.push(match wish.exactly {
            Some(port) => Some(chooser.exactly(port)?),
            None => None,
        });
    }
    for (wish, chosen) in wishes.iter().zip(&mut chosen) {
        if chosen.is_none() {
            *chosen = [wish.remembered, wish.prefer]
                .into_iter()
                .flatten()
                .find(|port| chooser.take_if_usable(*port));
        }
    }
    let missing = chosen.iter().filter(|port| port.is_none()).count();
    let mut picked = chooser.pick(missing)?.into_iter();
    Ok(chosen.into_iter().filter_map(|port| port.or_else(|| picked.next())).collect())
}

struct Chooser<'a> {
    landscape: &'a Landscape<'a>,
    probe: &'a mut dyn FnMut(Port) -> Probe,
    given: BTreeSet<Port>,
    asked: BTreeMap<Port, Probe>,
    in_use: u32,
}

impl Chooser<'_> {
    fn exactly(&mut self, port: Port) -> Result<Port, Refusal> {
        if self.given.contains(&port) {
            return Err(Refusal::AskedTwice(port));
        }
        if self.landscape.used.is_live(port) {
            return Err(Refusal::Taken(port));
        }
        if !self.landscape.force {
            if let Some(reservation) = self.landscape.reserved.reservation(port) {
                return Err(Refusal::Reserved(port, reservation.clone()));
            }
            if !self.landscape.documents {
                match self.ask(port) {
                    Probe::InUse => return Err(Refusal::InUse(port)),
                    Probe::Denied => return Err(Refusal::Denied(port)),
                    Probe::Free | Probe::Unknown => {}
                }
            }
        }
        self.given.insert(port);
        Ok(port)
    }

    /// A remembered or preferred port is given although it is avoided: somebody named it once.
    fn take_if_usable(&mut self, port: Port) -> bool {
        let usable = !self.landscape.used.is_live(port)
            && !self.given.contains(&port)
            && self.landscape.reserved.reservation(port).is_none()
            && self.is_free(port);
        if usable {
            self.given.insert(port);
        }
        usable
    }

    fn pick(&mut self, count: usize) -> Result<Vec<Port>, Refusal> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let landscape = self.landscape;
        // An earlier range comes before neighbours in a later one.
        for range in landscape.ranges {
            if let Some(run) = self.neighbours(*range, count) {
                return Ok(run);
            }
            if let Some(scattered) = self.scattered(std::slice::from_ref(range), count) {
                return Ok(scattered);
            }
        }
        if let Some(scattered) = self.scattered(landscape.ranges, count) {
            return Ok(scattered);
        }
        Err(Refusal::RangeFull { in_use: self.in_use })
    }

    /// Returns the first `count` ports of these ranges, wherever they are; none if there are not as many.
    fn scattered(&mut self, ranges: &[PortRange], count: usize) -> Option<Vec<Port>> {
        let mut picked = Vec::with_capacity(count);
        for range in ranges {
            let (fresh, released) = self.candidates(*range);
            for port in fresh.into_iter().chain(released) {
                if picked.len() == count {
                    break;
                }
                if self.is_free(port) {
                    picked.push(port);
                }
            }
        }
        (picked.len() == count).then(|| {
            self.given.extend(&picked);
            picked
        })
    }

    /// Returns ports of the range in the order in which they are offered: those nobody has had, then
    /// those given back, longest ago first.
    fn candidates(&self, range: PortRange) -> (Vec<Port>, Vec<Port>) {
        let mut fresh = Vec::new();
        let mut released = Vec::new();
        let open = self.landscape.used.open(range).into_iter().flat_map(PortRange::ports);
        for port in open.filter(|port| self.may_offer(*port)) {
            match self.landscape.used.of(port) {
                None => fresh.push(port),
                Some(PortUse::Released(at)) => released.push((at, port)),
                Some(PortUse::Live) => {}
            }
        }
        released.sort_unstable();
        if let Strategy::Random(seed) = self.landscape.strategy {
            shuffle(&mut fresh, seed);
        }
        (fresh, released.into_iter().map(|(_, port)| port).collect())
    }

    fn may_offer(&self, port: Port) -> bool {
        !self.given.contains(&port)
            && self.landscape.reserved.reservation(port).is_none()
            && avoided::reason(port).is_none()
    }

    /// Returns the first run of `count` neighbouring ports that nobody has had; the strategy decides
    /// which is first.
    fn neighbours(&mut self, range: PortRange, count: usize) -> Option<Vec<Port>> {
        let Strategy::Random(seed) = self.landscape.strategy else {
            return self.first_neighbours(range, count);
        };
        let (mut fresh, _) = self.candidates(range);
        fresh.sort_unstable();
        let mut starts: Vec<usize> = (0..(fresh.len() + 1).saturating_sub(count)).collect();
        shuffle(&mut starts, seed);
        for start in starts {
            let run = &fresh[start..start + count];
            let unbroken = usize::from(run[count - 1].number() - run[0].number()) == count - 1;
            if unbroken && run.iter().all(|port| self.is_free(*port)) {
                self.given.extend(run);
                return Some(run.to_vec());
            }
        }
        None
    }

    /// Looks no further than to the first run, for there may be tens of thousands of ports.
    fn first_neighbours(&mut self, range: PortRange, count: usize) -> Option<Vec<Port>> {
        let mut run: VecDeque<Port> = VecDeque::with_capacity(count);
        for part in self.landscape.used.open(range) {
            run.clear();
            for port in part.ports() {
                if self.landscape.used.of(port).is_some() || !self.may_offer(port) {
                    run.clear();
                    continue;
                }
                run.push_back(port);
                if run.len() < count {
                    continue;
                }
                if run.iter().all(|port| self.is_free(*port)) {
                    self.given.extend(&run);
                    return Some(run.into());
                }
                run.pop_front();
            }
        }
        None
    }

    /// What the machine cannot be asked about is given: the registry still keeps it apart, and a
    /// sandbox that forbids binding would otherwise have no ports at all.
    fn is_free(&mut self, port: Port) -> bool {
        matches!(self.ask(port), Probe::Free | Probe::Unknown)
    }

    fn ask(&mut self, port: Port) -> Probe {
        if let Some(answer) = self.asked.get(&port) {
            return *answer;
        }
        let answer = (self.probe)(port);
        if matches!(answer, Probe::InUse | Probe::Denied) {
            self.in_use += 1;
        }
        self.asked.insert(port, answer);
        answer
    }
}

/// Shuffles in place (Fisher and Yates), driven by SplitMix64; the same seed gives the same order.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for last in (1..items.len()).rev() {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let bound = last as u64 + 1;
        items.swap(last, usize::try_from(mixed % bound).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests;
