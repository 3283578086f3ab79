//! The ports that have or had an owner, as whoever chooses one looks at them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::port::{Port, PortRange};

/// A port that has an owner, or had one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortUse {
    /// Promised to somebody.
    Live,
    /// Given back at this time.
    Released(Timestamp),
}

/// The ports that have or had an owner, on one machine and for one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    ports: BTreeMap<Port, PortUse>,
    /// Ranges of which every port is promised, by their first, with their last: thousands of ports are
    /// passed over in one step.
    full: BTreeMap<Port, Port>,
}

impl Used {
    /// Notes what is known of a port.
    pub fn insert(&mut self, port: Port, used: PortUse) {
        self.ports.insert(port, used);
    }

    /// Notes that every port of the range is promised.
    pub fn insert_full(&mut self, range: PortRange) {
        let (mut first, mut last) = (range.start(), range.end());
        // No two share a port, so that of one port only the last that begins before it is looked at.
        while let Some((&start, &end)) =
            self.full.range(..=last).next_back().filter(|(_, end)| **end >= first)
        {
            self.full.remove(&start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.full.insert(first, last);
    }

    /// Returns what is known of a port; none if nobody ever had it.
    pub fn of(&self, port: Port) -> Option<PortUse> {
        let is_full = self.full.range(..=port).next_back().is_some_and(|(_, last)| port <= *last);
        if is_full { Some(PortUse::Live) } else { self.ports.get(&port).copied() }
    }

    /// Says whether the port is promised to somebody.
    pub fn is_live(&self, port: Port) -> bool {
        self.of(port) == Some(PortUse::Live)
    }

    /// Returns the parts of a range that are not known to be full, in ascending order.
    pub fn open(&self, range: PortRange) -> Vec<PortRange> {
        let mut open = Vec::new();
        let mut next = Some(range.start());
        for (first, last) in self.full.range(..=range.end()) {
            let Some(from) = next else { break };
            if *last < from {
                continue;
            }
            let before = first.number().checked_sub(1).and_then(Port::new);
            open.extend(before.and_then(|before| PortRange::new(from, before)));
            next = last.number().checked_add(1).and_then(Port::new);
        }
        open.extend(next.and_then(|from| PortRange::new(from, range.end())));
        open
    }
}

impl FromIterator<(Port, PortUse)> for Used {
    fn from_iter<T: IntoIterator<Item = (Port, PortUse)>>(ports: T) -> Self {
        Self { ports: ports.into_iter().collect(), full: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> PortRange {
        text.parse().unwrap()
    }

    #[test]
    fn full_ranges_are_left_out_however_they_lie() {
        let mut used = Used::default();
        let open = |used: &Used, text: &str| {
            let parts: Vec<String> = used.open(range(text)).iter().map(ToString::to_string).collect();
            parts.join(" ")
        };
        assert_eq!(open(&used, "1-65535"), "1-65535");
        for full in ["200-299", "300-399", "250-320", "1-9", "65000-65535"] {
            used.insert_full(range(full));
        }
        assert_eq!(open(&used, "1-65535"), "10-199 400-64999");
        assert_eq!(open(&used, "250-450"), "400-450");
        assert_eq!(open(&used, "100-250"), "100-199");
        assert_eq!(open(&used, "210-390"), "");
        assert_eq!(open(&used, "65535"), "");
        assert_eq!(open(&used, "400"), "400");
    }

    #[test]
    fn a_port_of_a_full_range_is_live_whatever_else_is_known() {
        let port = |number| Port::new(number).unwrap();
        let mut used = Used::default();
        used.insert_full(range("200-299"));
        used.insert_full(range("200-210"));
        used.insert(port(205), PortUse::Released(Timestamp::UNIX_EPOCH));
        used.insert(port(300), PortUse::Released(Timestamp::UNIX_EPOCH));
        for (number, live) in [(199, false), (200, true), (205, true), (299, true), (300, false)] {
            assert_eq!(used.is_live(port(number)), live, "{number}");
        }
        assert_eq!(used.of(port(300)), Some(PortUse::Released(Timestamp::UNIX_EPOCH)));
        assert_eq!(used.of(port(301)), None);
    }
}
