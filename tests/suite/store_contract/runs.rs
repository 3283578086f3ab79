//! The clauses about what runs for an allocation and whether it answers.

use std::time::Duration;

use git_port::registry::{Health, HealthCheck, RunRecord};

use super::samples::{plain, time};
use super::{Lab, ask, change, insert};

fn run(allocation: i64) -> RunRecord {
    RunRecord {
        allocation,
        host: "here".to_owned(),
        pid: u32::MAX,
        started: u64::MAX,
        boot: String::new(),
        command: "npm run 'dev'\n\u{1f600}".to_owned(),
        at: time(-8),
    }
}

fn check(allocation: i64, health: Health, detail: &str) -> HealthCheck {
    let latency = Duration::from_micros(1_234_567);
    HealthCheck { allocation, at: time(8), health, latency, detail: detail.to_owned() }
}

pub(super) fn a_run_comes_back_as_it_was_stored_and_is_replaced(lab: &dyn Lab) {
    let there = RunRecord { host: "there".to_owned(), ..run(3) };
    change(lab, |tx| [run(1), run(2), there.clone()].iter().try_for_each(|run| tx.put_run(run))).unwrap();
    let again = RunRecord { pid: 1, started: 0, boot: "b".to_owned(), ..run(1) };
    change(lab, |tx| tx.put_run(&again)).unwrap();
    let mut found = ask(lab, |rows| rows.runs("here"));
    found.sort_by_key(|run| run.allocation);
    assert_eq!(found, [again, run(2)]);
    assert_eq!(ask(lab, |rows| rows.runs("there")), [there], "of one machine");
    change(lab, |tx| tx.delete_run(1)).unwrap();
    change(lab, |tx| tx.delete_run(1)).unwrap();
    assert_eq!(ask(lab, |rows| rows.runs("here")), [run(2)]);
}

pub(super) fn looks_come_newest_first_and_only_the_last_are_kept(lab: &dyn Lab) {
    let looks = [(Health::Up, "200 OK"), (Health::Failing, "503"), (Health::Down, ""), (Health::Up, "ok")];
    let looks = looks.map(|(health, detail)| check(1, health, detail));
    change(lab, |tx| {
        tx.append_health_check(&check(2, Health::Up, "another's"), 3)?;
        looks.iter().try_for_each(|look| tx.append_health_check(look, 3))
    })
    .unwrap();
    let [_, second, third, fourth] = looks;
    assert_eq!(ask(lab, |rows| rows.health_checks(1, 9)), [fourth.clone(), third, second]);
    assert_eq!(ask(lab, |rows| rows.health_checks(1, 1)), [fourth]);
    assert_eq!(ask(lab, |rows| rows.health_checks(2, 9)).len(), 1, "others keep theirs");
}

pub(super) fn what_hangs_on_an_allocation_goes_with_it(lab: &dyn Lab) {
    let stored = insert(lab, &[plain(1, "a"), plain(2, "b")]).unwrap();
    let (gone, kept) = (stored[0].id, stored[1].id);
    change(lab, |tx| {
        for id in [gone, kept] {
            tx.put_run(&run(id))?;
            tx.append_health_check(&check(id, Health::Up, ""), 9)?;
        }
        tx.delete_allocation(gone)
    })
    .unwrap();
    assert_eq!(ask(lab, |rows| rows.runs("here")), [run(kept)]);
    let looks = |id| ask(lab, |rows| rows.health_checks(id, 9)).len();
    assert_eq!((looks(gone), looks(kept)), (0, 1));
}
