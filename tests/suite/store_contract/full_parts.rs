//! Which parts of a range are told to be full.

use git_port::registry::{Allocation, Protocol};

use super::labs::Lab;
use super::samples::{plain, port, range, released};
use super::{ask, change, insert};

/// Stores that know nothing of full parts tell none; those that tell any must be right.
pub(super) fn what_is_full_is_full_whatever_happens(lab: &dyn Lab) {
    let known = |from: u16, to: u16| ask(lab, |rows| rows.full("here", Protocol::Tcp, range(from, to)));
    let of = |from: u16, to: u16| (from..=to).map(|number| plain(number, &format!("s{number}")));
    let stored = insert(lab, &of(19_990, 20_300).collect::<Vec<_>>()).unwrap();
    let knows = !known(19_900, 20_400).is_empty();
    let full = |from: u16, to: u16, wanted: &[(u16, u16)]| {
        let wanted: Vec<_> = wanted.iter().map(|(start, end)| range(*start, *end)).collect();
        assert_eq!(known(from, to), if knows { wanted } else { Vec::new() }, "{from}-{to}");
    };
    // The parts before and after it are not.
    let first = (20_096, 20_223);
    full(1, 65_535, &[first]);
    full(20_096, 20_223, &[first]);
    full(20_097, 20_223, &[]);
    full(20_096, 20_222, &[]);
    full(1, 100, &[]);
    assert_eq!(ask(lab, |rows| rows.full("there", Protocol::Tcp, range(1, 65_535))), []);
    assert_eq!(ask(lab, |rows| rows.full("here", Protocol::Udp, range(1, 65_535))), []);

    let at = |number: u16| stored.iter().find(|one| one.port == port(number)).unwrap().clone();
    let update = |row: &Allocation| change(lab, |tx| tx.update_allocation(row)).unwrap();
    // Released, and taken back; moved away, to another machine, another protocol; forgotten.
    update(&released(at(20_100), 5));
    full(1, 65_535, &[]);
    update(&at(20_100));
    full(1, 65_535, &[first]);
    update(&Allocation { description: Some("no matter".to_owned()), ..at(20_100) });
    full(1, 65_535, &[first]);
    for away in [
        Allocation { port: port(30_000), ..at(20_100) },
        Allocation { host: "there".to_owned(), ..at(20_100) },
        Allocation { protocol: Protocol::Udp, ..at(20_100) },
    ] {
        update(&away);
        full(1, 65_535, &[]);
        update(&at(20_100));
        full(1, 65_535, &[first]);
    }
    change(lab, |tx| tx.delete_allocation(at(20_223).id)).unwrap();
    full(1, 65_535, &[]);
    // A released row of a port beside the live one counts for nothing.
    insert(lab, &[released(at(20_223), 5)]).unwrap();
    full(1, 65_535, &[]);
    insert(lab, &[at(20_223)]).unwrap();
    full(1, 65_535, &[first]);
    update(&Allocation { port: port(65_535), ..at(20_300) });
    insert(lab, &of(65_408, 65_534).collect::<Vec<_>>()).unwrap();
    full(1, 65_535, &[first, (65_408, 65_535)]);
}
