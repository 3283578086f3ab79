//! Properties of the choice, over random landscapes, and the cases people meet.

use super::*;
use jiff::Timestamp;
use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

fn range(start: u16, end: u16) -> PortRange {
    PortRange::new(port(start), port(end)).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A landscape that owns its parts.
#[derive(Clone, Debug)]
struct World {
    used: Used,
    ranges: Vec<PortRange>,
    reserved: Ranges,
    strategy: Strategy,
    listening: BTreeSet<Port>,
    force: bool,
}

impl World {
    fn new(ranges: &[PortRange]) -> Self {
        Self {
            used: Used::default(),
            ranges: ranges.to_vec(),
            reserved: Ranges::default(),
            strategy: Strategy::Sequential,
            listening: BTreeSet::new(),
            force: false,
        }
    }

    fn choose(&self, wishes: &[Wish]) -> Result<Vec<Port>, Refusal> {
        let landscape = Landscape {
            used: &self.used,
            ranges: &self.ranges,
            reserved: &self.reserved,
            strategy: self.strategy,
            force: self.force,
            documents: false,
        };
        choose(wishes, &landscape, &mut |port| {
            if self.listening.contains(&port) { Probe::InUse } else { Probe::Free }
        })
    }

    fn any(&self, count: usize) -> Result<Vec<u16>, Refusal> {
        let ports = self.choose(&vec![Wish::default(); count])?;
        Ok(ports.into_iter().map(Port::number).collect())
    }
}

#[test]
fn the_lowest_port_comes_first_and_avoided_ones_are_passed_over() {
    assert_eq!(World::new(&[range(8000, 8999)]).any(1), Ok(vec![8001]));
    assert_eq!(World::new(&[range(8079, 8091)]).any(2), Ok(vec![8079, 8091]));
}

#[test]
fn what_nobody_had_comes_before_what_was_released_longest_ago() {
    let mut world = World::new(&[range(8101, 8104)]);
    world.used.insert(port(8101), PortUse::Released(at(200)));
    world.used.insert(port(8102), PortUse::Live);
    world.used.insert(port(8103), PortUse::Released(at(100)));
    assert_eq!(world.any(1), Ok(vec![8104]));
    world.used.insert(port(8104), PortUse::Live);
    assert_eq!(world.any(1), Ok(vec![8103]));
    assert_eq!(world.any(2), Ok(vec![8103, 8101]));
    assert_eq!(world.any(3), Err(Refusal::RangeFull { in_use: 0 }));
}

#[test]
fn services_that_ask_together_are_neighbours_where_there_is_room() {
    let mut world = World::new(&[range(8101, 8110)]);
    world.used.insert(port(8102), PortUse::Live);
    world.listening.insert(port(8104));
    assert_eq!(world.any(3), Ok(vec![8105, 8106, 8107]));
    // No room for six in a row: as they come.
    assert_eq!(world.any(7), Ok(vec![8101, 8103, 8105, 8106, 8107, 8108, 8109]));
}

#[test]
fn fallback_ranges_follow_in_their_order() {
    let mut world = World::new(&[range(8101, 8101), range(7501, 7502)]);
    world.listening.insert(port(8101));
    assert_eq!(world.any(1), Ok(vec![7501]));
    assert_eq!(world.any(3), Err(Refusal::RangeFull { in_use: 1 }));
}

#[test]
fn a_port_asked_for_by_number_is_given_or_refused_with_the_reason() {
    let mut world = World::new(&[range(8101, 8199)]);
    world.used.insert(port(8101), PortUse::Live);
    world.listening.insert(port(8102));
    world.reserved.reserved.push(Reservation { range: range(8103, 8103), reason: None });
    let ask =
        |world: &World, number| world.choose(&[Wish { exactly: Some(port(number)), ..Wish::default() }]);
    assert_eq!(ask(&world, 8101), Err(Refusal::Taken(port(8101))));
    assert_eq!(ask(&world, 8102), Err(Refusal::InUse(port(8102))));
    assert!(matches!(ask(&world, 8103), Err(Refusal::Reserved(..))));
    assert_eq!(ask(&world, 8080), Ok(vec![port(8080)]), "an avoided port is given when asked for");
    assert_eq!(ask(&world, 443), Ok(vec![port(443)]), "and one outside the ranges");
    world.force = true;
    assert_eq!(ask(&world, 8103), Ok(vec![port(8103)]));
    assert_eq!(ask(&world, 8101), Err(Refusal::Taken(port(8101))), "force never takes a neighbour's port");
    let twice = vec![Wish { exactly: Some(port(8150)), ..Wish::default() }; 2];
    assert_eq!(world.choose(&twice), Err(Refusal::AskedTwice(port(8150))));
}

#[test]
fn the_remembered_port_comes_before_the_preferred_one() {
    let mut world = World::new(&[range(8101, 8199)]);
    let wish = Wish { exactly: None, remembered: Some(port(8150)), prefer: Some(port(8160)) };
    assert_eq!(world.choose(std::slice::from_ref(&wish)), Ok(vec![port(8150)]));
    world.used.insert(port(8150), PortUse::Live);
    assert_eq!(world.choose(std::slice::from_ref(&wish)), Ok(vec![port(8160)]));
    world.listening.insert(port(8160));
    assert_eq!(world.choose(&[wish]), Ok(vec![port(8101)]));
}

#[test]
fn an_insisting_service_is_served_before_one_that_takes_any() {
    let world = World::new(&[range(8101, 8110)]);
    let wishes = [Wish::default(), Wish { exactly: Some(port(8101)), ..Wish::default() }];
    assert_eq!(world.choose(&wishes), Ok(vec![port(8102), port(8101)]));
}

fn worlds() -> impl Generator<Value = World> {
    let uses = proptest::collection::btree_map(
        7400u16..7460,
        prop_oneof![Just(None), (0i64..50).prop_map(Some)],
        0..50,
    );
    let listening = proptest::collection::btree_set(7400u16..7460, 0..20);
    let reserved = proptest::collection::btree_set(7400u16..7460, 0..10);
    let full = proptest::collection::vec((7400u16..7450, 0u16..15), 0..3);
    (uses, full, listening, reserved, any::<bool>(), any::<u64>()).prop_map(
        |(uses, full, listening, reserved, random, seed)| {
            let mut world = World::new(&[range(7400, 7419), range(7430, 7449)]);
            world.used = uses
                .into_iter()
                .map(|(number, released)| {
                    (port(number), released.map_or(PortUse::Live, |second| PortUse::Released(at(second))))
                })
                .collect();
            for (first, more) in full {
                world.used.insert_full(range(first, first + more));
            }
            world.listening = listening.into_iter().map(port).collect();
            world.reserved.reserved = reserved
                .into_iter()
                .map(|number| Reservation { range: PortRange::single(port(number)), reason: None })
                .collect();
            if random {
                world.strategy = Strategy::Random(seed);
            }
            world
        },
    )
}

proptest! {
    #[test]
    fn a_given_port_is_free_for_everybody(world in worlds(), count in 1usize..6) {
        let usable = |port: &Port| {
            !world.used.is_live(*port)
                && !world.listening.contains(port)
                && world.reserved.reservation(*port).is_none()
                && avoided::reason(*port).is_none()
        };
        let all: Vec<Port> = world.ranges.iter().flat_map(|range| range.ports()).filter(usable).collect();
        match world.choose(&vec![Wish::default(); count]) {
            Ok(ports) => {
                prop_assert_eq!(ports.len(), count);
                prop_assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), count, "all different");
                prop_assert!(ports.iter().all(usable));
                prop_assert!(ports.iter().all(|port| world.ranges.iter().any(|range| range.contains(*port))));
            }
            Err(refusal) => {
                prop_assert!(all.len() < count, "{refusal:?} although {all:?} are free");
                let full = matches!(refusal, Refusal::RangeFull { .. });
                prop_assert!(full);
            }
        }
    }

    #[test]
    fn in_one_range_a_fresh_port_is_never_passed_over_for_a_used_one(world in worlds()) {
        if let Ok(ports) = world.choose(&[Wish::default()]) {
            let range = world.ranges.iter().find(|range| range.contains(ports[0])).unwrap();
            let fresh_left = range.ports().any(|port| {
                world.used.of(port).is_none()
                    && !world.listening.contains(&port)
                    && world.reserved.reservation(port).is_none()
                    && avoided::reason(port).is_none()
            });
            prop_assert_eq!(fresh_left, world.used.of(ports[0]).is_none());
        }
    }

    #[test]
    fn the_same_question_has_the_same_answer(world in worlds(), count in 1usize..4) {
        let wishes = vec![Wish::default(); count];
        prop_assert_eq!(world.choose(&wishes), world.choose(&wishes));
    }
}
