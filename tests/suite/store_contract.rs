//! What every store promises, each clause once, for each backend there is.

mod full_parts;
mod labs;
mod runs;
mod samples;
mod team;

use git_port::registry::{
    Allocation, EnvironmentName, Event, EventKind, Place, Protocol, RangeRecord, Reservation, Status,
    WorktreeRecord,
};
use git_port::store::{Filter, PortRecord, Rows, StoreError, Transaction, read, write};

use full_parts::what_is_full_is_full_whatever_happens;
use labs::{Lab, PostgresLab, SqliteLab};
use runs::{
    a_run_comes_back_as_it_was_stored_and_is_replaced, looks_come_newest_first_and_only_the_last_are_kept,
    what_hangs_on_an_allocation_goes_with_it,
};
use samples::{
    Failure, event, full, odd_path, plain, port, ports_of, range, refused, released, time, token, worktree,
};

use team::{
    a_port_of_a_shared_range_has_one_owner_on_all_machines, a_production_port_has_one_owner_on_all_machines,
    a_public_host_name_leads_to_one_allocation, machines_are_told_and_allocations_found_by_their_user,
    the_ranges_of_projects_do_not_overlap,
};

/// Makes a module with a test for each clause.
macro_rules! store_contract {
    ($backend:ident, $lab:expr) => {
        store_contract!($backend, $lab,
            an_allocation_comes_back_as_it_was_stored
            each_allocation_has_a_number_of_its_own_for_good
            an_update_replaces_the_row_with_its_number_alone
            a_deleted_allocation_is_gone
            each_part_of_a_filter_must_hold
            allocations_come_by_port_then_newest_first
            a_worktree_comes_back_as_it_was_stored
            a_worktree_is_replaced_by_its_token
            worktrees_are_those_of_one_machine
            ports_says_who_is_there_and_when_it_was_last_given_back
            ports_stays_in_its_range_machine_and_protocol
            what_is_full_is_full_whatever_happens
            a_live_port_has_one_owner
            a_port_has_an_owner_on_each_machine_and_for_each_protocol
            a_service_of_a_worktree_has_one_port
            a_service_outside_git_has_one_port
            a_worktree_has_one_primary_port_in_each_environment
            what_was_released_breaks_no_promise
            a_row_revived_onto_a_taken_port_is_refused
            an_error_leaves_nothing_behind
            read_and_write_return_what_the_closure_returned
            a_view_sees_one_state_while_others_write
            two_stores_see_what_the_other_committed
            a_transaction_sees_what_it_wrote
            ranges_keep_their_order_and_are_replaced_whole
            reservations_are_ordered_and_replaced
            events_come_newest_first_and_no_more_than_asked_for
            an_event_comes_back_as_it_was_stored
            notes_and_names_of_machines_are_replaced
            a_run_comes_back_as_it_was_stored_and_is_replaced
            looks_come_newest_first_and_only_the_last_are_kept
            what_hangs_on_an_allocation_goes_with_it
            a_question_makes_no_registry
            a_production_port_has_one_owner_on_all_machines
            a_port_of_a_shared_range_has_one_owner_on_all_machines
            a_public_host_name_leads_to_one_allocation
            the_ranges_of_projects_do_not_overlap
            machines_are_told_and_allocations_found_by_their_user
        );
    };
    ($backend:ident, $lab:expr, $($clause:ident)+) => {
        mod $backend {
            use super::*;

            $(#[test]
            fn $clause() {
                if let Some(lab) = $lab {
                    super::$clause(&lab);
                }
            })+
        }
    };
}

store_contract!(sqlite, Some(SqliteLab::new()));
store_contract!(postgresql, PostgresLab::find());

fn change<T>(
    lab: &dyn Lab,
    work: impl FnMut(&mut dyn Transaction) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    write(lab.open().as_mut(), work)
}

fn ask<T>(lab: &dyn Lab, work: impl FnMut(&mut dyn Rows) -> Result<T, StoreError>) -> T {
    read(lab.open().as_mut(), work).unwrap()
}

/// Stores allocations in a transaction of their own and returns them with their numbers.
fn insert(lab: &dyn Lab, allocations: &[Allocation]) -> Result<Vec<Allocation>, StoreError> {
    change(lab, |tx| {
        let stored = |allocation: &Allocation| {
            let id = tx.insert_allocation(allocation)?;
            Ok(Allocation { id, ..allocation.clone() })
        };
        allocations.iter().map(stored).collect()
    })
}

fn everything(lab: &dyn Lab) -> Vec<Allocation> {
    ask(lab, |rows| rows.allocations(&Filter::default()))
}

fn an_allocation_comes_back_as_it_was_stored(lab: &dyn Lab) {
    let given = [full(9), Allocation { worktree: None, ..plain(10, "web") }, released(full(11), -5)];
    assert_eq!(everything(lab), []);
    let stored = insert(lab, &given).unwrap();
    assert_eq!(everything(lab), stored);
    assert!(stored.iter().all(|allocation| allocation.id > 0));
}

fn each_allocation_has_a_number_of_its_own_for_good(lab: &dyn Lab) {
    let first = insert(lab, &[plain(1, "a"), plain(2, "b")]).unwrap();
    assert_ne!(first[0].id, first[1].id);
    change(lab, |tx| tx.delete_allocation(first[1].id)).unwrap();
    let second = insert(lab, &[plain(2, "b")]).unwrap();
    assert!(first.iter().all(|gone| gone.id != second[0].id), "a number is never used again");
}

fn an_update_replaces_the_row_with_its_number_alone(lab: &dyn Lab) {
    let stored = insert(lab, &[plain(1, "a"), plain(2, "b")]).unwrap();
    let changed = Allocation {
        id: stored[0].id,
        host: "there".to_owned(),
        project: "other".parse().unwrap(),
        worktree: Some(token(9)),
        service: "c".parse().unwrap(),
        ..full(3)
    };
    change(lab, |tx| tx.update_allocation(&changed)).unwrap();
    assert_eq!(everything(lab), [stored[1].clone(), changed.clone()]);
    let emptied = Allocation { id: changed.id, ..plain(1, "a") };
    change(lab, |tx| tx.update_allocation(&emptied)).unwrap();
    assert_eq!(everything(lab), stored, "what was set can be unset");
}

fn a_deleted_allocation_is_gone(lab: &dyn Lab) {
    let stored = insert(lab, &[plain(1, "a"), plain(2, "b")]).unwrap();
    change(lab, |tx| tx.delete_allocation(stored[0].id)).unwrap();
    assert_eq!(everything(lab), stored[1..]);
    change(lab, |tx| tx.delete_allocation(stored[0].id)).unwrap();
    assert_eq!(everything(lab), stored[1..], "what is gone may be deleted again");
}

fn each_part_of_a_filter_must_hold(lab: &dyn Lab) {
    // Each of the others differs from it in a part, and in what the promises ask for then.
    let base = Allocation { session: Some("s".to_owned()), ..plain(100, "web") };
    let others = [
        Allocation { host: "there".to_owned(), worktree: Some(token(3)), ..base.clone() },
        Allocation { protocol: Protocol::Udp, ..base.clone() },
        Allocation { port: port(103), service: "api".parse().unwrap(), ..base.clone() },
        Allocation { port: port(104), project: "other".parse().unwrap(), worktree: None, ..base.clone() },
        Allocation { port: port(105), worktree: Some(token(2)), ..base.clone() },
        Allocation { port: port(106), environment: EnvironmentName::test(), ..base.clone() },
        Allocation { port: port(107), service: "db".parse().unwrap(), session: None, ..base.clone() },
        released(base.clone(), 9),
    ];
    let base = insert(lab, &[base]).unwrap().remove(0);
    insert(lab, &others).unwrap();
    let found = |filter: &Filter| ask(lab, |rows| rows.allocations(filter));
    let whole = Filter {
        host: Some("here".to_owned()),
        protocol: Some(Protocol::Tcp),
        port: Some(port(100)),
        project: Some("shop".parse().unwrap()),
        worktree: Some(token(1)),
        service: Some("web".parse().unwrap()),
        environment: Some(EnvironmentName::dev()),
        session: Some("s".to_owned()),
        live: Some(true),
        ..Filter::default()
    };
    assert_eq!(found(&whole), [base], "all parts together leave one");
    assert_eq!(found(&Filter::default()).len(), 9, "no part leaves all");
    let alone = [
        Filter { host: whole.host.clone(), ..Filter::default() },
        Filter { protocol: whole.protocol, ..Filter::default() },
        Filter { port: whole.port, ..Filter::default() },
        Filter { project: whole.project.clone(), ..Filter::default() },
        Filter { worktree: whole.worktree.clone(), ..Filter::default() },
        Filter { service: whole.service.clone(), ..Filter::default() },
        Filter { environment: whole.environment.clone(), ..Filter::default() },
        Filter { session: whole.session.clone(), ..Filter::default() },
        Filter::live(),
    ];
    let counts = alone.map(|filter| found(&filter).len());
    assert_eq!(counts, [8, 8, 4, 8, 6, 7, 8, 8, 8], "each part alone");
    assert_eq!(found(&Filter { live: Some(false), ..Filter::default() }).len(), 1);
    assert_eq!(found(&Filter { session: Some("S".to_owned()), ..Filter::default() }), [], "letters count");
}

fn allocations_come_by_port_then_newest_first(lab: &dyn Lab) {
    let given = [
        plain(300, "a"),
        released(plain(20, "b"), 1),
        plain(3, "c"),
        released(plain(20, "d"), 2),
        plain(20, "e"),
    ];
    insert(lab, &given).unwrap();
    let found = everything(lab);
    assert_eq!(ports_of(&found), [3, 20, 20, 20, 300]);
    let services: Vec<_> = found[1..4].iter().map(|allocation| allocation.service.as_str()).collect();
    assert_eq!(services, ["e", "d", "b"]);
}

fn a_worktree_comes_back_as_it_was_stored(lab: &dyn Lab) {
    let mut bare = worktree(2);
    (bare.branch, bare.main, bare.missing_since) = (None, false, None);
    bare.place = Place::default();
    for given in [worktree(1), bare] {
        change(lab, |tx| tx.put_worktree(&given)).unwrap();
        assert_eq!(ask(lab, |rows| rows.worktree(&given.token)), Some(given));
    }
    assert_eq!(ask(lab, |rows| rows.worktree(&token(77))), None);
}

fn a_worktree_is_replaced_by_its_token(lab: &dyn Lab) {
    let moved = WorktreeRecord { path: odd_path(99), missing_since: None, ..worktree(1) };
    change(lab, |tx| tx.put_worktree(&worktree(1)).and_then(|()| tx.put_worktree(&worktree(2)))).unwrap();
    change(lab, |tx| tx.put_worktree(&moved)).unwrap();
    assert_eq!(ask(lab, |rows| rows.worktrees("here")), [worktree(2), moved]);
    change(lab, |tx| tx.delete_worktree(&token(1))).unwrap();
    change(lab, |tx| tx.delete_worktree(&token(1))).unwrap();
    assert_eq!(ask(lab, |rows| rows.worktrees("here")), [worktree(2)]);
}

fn worktrees_are_those_of_one_machine(lab: &dyn Lab) {
    let there = WorktreeRecord { host: "there".to_owned(), ..worktree(1) };
    change(lab, |tx| tx.put_worktree(&there).and_then(|()| tx.put_worktree(&worktree(2)))).unwrap();
    assert_eq!(ask(lab, |rows| rows.worktrees("there")), [there]);
    assert_eq!(ask(lab, |rows| rows.worktrees("nowhere")), []);
}

fn ports_says_who_is_there_and_when_it_was_last_given_back(lab: &dyn Lab) {
    let given = [
        plain(12, "a"),
        released(plain(11, "b"), 50),
        released(plain(11, "c"), 90),
        released(plain(11, "d"), 70),
        Allocation { status: Status::Active, ..plain(10, "e") },
        released(plain(10, "f"), 30),
    ];
    insert(lab, &given).unwrap();
    let found = ask(lab, |rows| rows.ports("here", Protocol::Tcp, range(1, 65535)));
    let record =
        |number, live, at: Option<i64>| PortRecord { port: port(number), live, released_at: at.map(time) };
    assert_eq!(found, [record(10, true, Some(30)), record(11, false, Some(90)), record(12, true, None)]);
}

fn ports_stays_in_its_range_machine_and_protocol(lab: &dyn Lab) {
    let udp = Allocation { protocol: Protocol::Udp, ..plain(12, "u") };
    let there = Allocation { host: "there".to_owned(), ..plain(12, "t") };
    insert(lab, &[plain(10, "a"), plain(11, "b"), plain(13, "c"), plain(14, "d"), udp, there]).unwrap();
    let ports = |host: &str, protocol, range| {
        let found = ask(lab, |rows| rows.ports(host, protocol, range));
        found.into_iter().map(|record| record.port.number()).collect::<Vec<_>>()
    };
    assert_eq!(ports("here", Protocol::Tcp, range(11, 13)), [11, 13], "both ends belong to a range");
    assert_eq!(ports("here", Protocol::Udp, range(1, 65535)), [12]);
    assert_eq!(ports("there", Protocol::Tcp, range(1, 65535)), [12]);
}

fn a_live_port_has_one_owner(lab: &dyn Lab) {
    let other = Allocation { worktree: Some(token(2)), status: Status::Active, ..plain(1, "b") };
    let stored = insert(lab, &[plain(1, "a")]).unwrap();
    refused(insert(lab, &[other]));
    assert_eq!(everything(lab), stored);
}

fn a_port_has_an_owner_on_each_machine_and_for_each_protocol(lab: &dyn Lab) {
    let there = Allocation { host: "there".to_owned(), worktree: Some(token(2)), ..plain(1, "a") };
    let udp = Allocation { protocol: Protocol::Udp, ..plain(1, "a") };
    insert(lab, &[plain(1, "a"), there, udp]).unwrap();
    assert_eq!(everything(lab).len(), 3);
}

fn a_service_of_a_worktree_has_one_port(lab: &dyn Lab) {
    let test = Allocation { environment: EnvironmentName::test(), ..plain(3, "a") };
    insert(lab, &[plain(1, "a"), test]).unwrap();
    refused(insert(lab, &[plain(2, "a")]));
    insert(lab, &[Allocation { worktree: Some(token(2)), ..plain(2, "a") }]).unwrap();
}

fn a_service_outside_git_has_one_port(lab: &dyn Lab) {
    let outside = |number, project: &str| Allocation {
        worktree: None,
        project: project.parse().unwrap(),
        ..plain(number, "a")
    };
    insert(lab, &[outside(1, "shop"), outside(2, "other")]).unwrap();
    refused(insert(lab, &[outside(3, "shop")]));
    insert(lab, &[Allocation { host: "there".to_owned(), ..outside(3, "shop") }]).unwrap();
}

fn a_worktree_has_one_primary_port_in_each_environment(lab: &dyn Lab) {
    let primary = |number, service| Allocation { primary: true, ..plain(number, service) };
    let test = Allocation { environment: EnvironmentName::test(), ..primary(2, "b") };
    insert(lab, &[primary(1, "a"), test]).unwrap();
    refused(insert(lab, &[primary(3, "c")]));
    insert(lab, &[Allocation { worktree: Some(token(2)), ..primary(3, "c") }]).unwrap();
}

fn what_was_released_breaks_no_promise(lab: &dyn Lab) {
    let primary = Allocation { primary: true, ..plain(1, "a") };
    let given =
        [released(primary.clone(), 1), released(primary.clone(), 1), primary.clone(), released(primary, 2)];
    insert(lab, &given).unwrap();
    assert_eq!(everything(lab).len(), 4);
}

fn a_row_revived_onto_a_taken_port_is_refused(lab: &dyn Lab) {
    let stored = insert(lab, &[plain(1, "a"), released(plain(1, "b"), 1)]).unwrap();
    let revived = Allocation { status: Status::Allocated, released_at: None, ..stored[1].clone() };
    refused(change(lab, |tx| tx.update_allocation(&revived)));
    assert_eq!(ask(lab, |rows| rows.allocations(&Filter::live())), stored[..1]);
}

fn an_error_leaves_nothing_behind(lab: &dyn Lab) {
    let stored = insert(lab, &[plain(1, "a")]).unwrap();
    let failed: Result<(), Failure> = write(lab.open().as_mut(), |tx| {
        tx.insert_allocation(&plain(2, "b")).unwrap();
        tx.update_allocation(&Allocation { port: port(3), ..stored[0].clone() }).unwrap();
        tx.put_worktree(&worktree(1)).unwrap();
        tx.put_host("here", "name").unwrap();
        tx.put_note("key", "value").unwrap();
        tx.append_event(&event(None, "why")).unwrap();
        tx.put_reservation(&Reservation { range: range(1, 2), reason: None }).unwrap();
        tx.put_range(&RangeRecord::Environment(EnvironmentName::dev(), vec![range(1, 2)])).unwrap();
        Err(Failure::Rule("no"))
    });
    assert!(matches!(failed, Err(Failure::Rule("no"))), "{failed:?}");
    assert_eq!(everything(lab), stored);
    let left = ask(lab, |rows| {
        Ok((
            rows.worktree(&token(1))?,
            rows.host_name("here")?,
            rows.note("key")?,
            (rows.events(None, 9)?, rows.reservations()?, rows.ranges()?),
        ))
    });
    assert_eq!(left, (None, None, None, (vec![], vec![], vec![])));
}

fn read_and_write_return_what_the_closure_returned(lab: &dyn Lab) {
    let mut store = lab.open();
    assert_eq!(write(store.as_mut(), |_| Ok::<_, StoreError>(7)).unwrap(), 7);
    assert_eq!(read(store.as_mut(), |_| Ok::<_, StoreError>(8)).unwrap(), 8);
    let refused: Result<(), Failure> = write(store.as_mut(), |_| Err(Failure::Rule("written")));
    assert!(matches!(refused, Err(Failure::Rule("written"))), "{refused:?}");
    let refused: Result<(), Failure> = read(store.as_mut(), |_| Err(Failure::Rule("read")));
    assert!(matches!(refused, Err(Failure::Rule("read"))), "{refused:?}");
    let refused: Result<(), Failure> = write(store.as_mut(), |tx| {
        tx.insert_allocation(&plain(1, "a"))?;
        Ok(tx.insert_allocation(&plain(1, "b")).map(|_| ())?)
    });
    assert!(matches!(refused, Err(Failure::Store(StoreError::Constraint { .. }))), "{refused:?}");
    assert_eq!(everything(lab), [], "what went before the refusal is undone");
    write(store.as_mut(), |tx| tx.insert_allocation(&plain(1, "a"))).unwrap();
    assert_eq!(everything(lab).len(), 1, "the store works on after an error");
}

fn a_view_sees_one_state_while_others_write(lab: &dyn Lab) {
    insert(lab, &[plain(1, "a")]).unwrap();
    let (mut reader, mut writer) = (lab.open(), lab.open());
    let (before, after) = read(reader.as_mut(), |rows| {
        let before = rows.allocations(&Filter::default())?;
        write(writer.as_mut(), |tx| {
            tx.put_note("key", "value")?;
            tx.insert_allocation(&plain(2, "b"))
        })?;
        let after = (rows.allocations(&Filter::default())?, rows.note("key")?);
        Ok::<_, StoreError>((before, after))
    })
    .unwrap();
    assert_eq!(after, (before, None));
    let now = read(reader.as_mut(), |rows| rows.allocations(&Filter::default())).unwrap();
    assert_eq!(ports_of(&now), [1, 2], "the next view sees it");
}

fn two_stores_see_what_the_other_committed(lab: &dyn Lab) {
    let (mut one, mut other) = (lab.open(), lab.open());
    let all = |rows: &mut dyn Rows| rows.allocations(&Filter::default());
    assert_eq!(read(one.as_mut(), all).unwrap(), []);
    for number in 1..=6 {
        let service = format!("s{number}");
        let (writer, reader) = if number % 2 == 0 { (&mut one, &mut other) } else { (&mut other, &mut one) };
        write(writer.as_mut(), |tx| tx.insert_allocation(&plain(number, &service))).unwrap();
        assert_eq!(read(reader.as_mut(), all).unwrap().len(), usize::from(number));
        let seen = write(reader.as_mut(), |tx| tx.allocations(&Filter::default())).unwrap();
        assert_eq!(seen.len(), usize::from(number));
    }
}

fn a_transaction_sees_what_it_wrote(lab: &dyn Lab) {
    let seen = change(lab, |tx| {
        tx.insert_allocation(&plain(1, "a"))?;
        tx.put_note("key", "value")?;
        Ok((tx.allocations(&Filter::live())?.len(), tx.note("key")?))
    });
    assert_eq!(seen.unwrap(), (1, Some("value".to_owned())));
}

fn ranges_keep_their_order_and_are_replaced_whole(lab: &dyn Lab) {
    let dev = |ranges| RangeRecord::Environment(EnvironmentName::dev(), ranges);
    let project = |ranges| RangeRecord::Project("dev".parse().unwrap(), ranges);
    let put = |record: &RangeRecord| change(lab, |tx| tx.put_range(record)).unwrap();
    let three = vec![range(8000, 8999), range(1, 65535), range(20, 20)];
    put(&dev(three.clone()));
    put(&project(vec![range(5, 6)]));
    assert_eq!(ask(lab, |rows| rows.ranges()), [dev(three), project(vec![range(5, 6)])]);
    put(&dev(vec![range(7, 8)]));
    assert_eq!(ask(lab, |rows| rows.ranges()), [dev(vec![range(7, 8)]), project(vec![range(5, 6)])]);
    put(&dev(vec![]));
    assert_eq!(ask(lab, |rows| rows.ranges()), [project(vec![range(5, 6)])]);
}

fn reservations_are_ordered_and_replaced(lab: &dyn Lab) {
    let reserved = |start, end, reason: Option<&str>| Reservation {
        range: range(start, end),
        reason: reason.map(str::to_owned),
    };
    let given = [reserved(3000, 3000, None), reserved(20, 40, Some("lab")), reserved(20, 30, None)];
    change(lab, |tx| given.iter().try_for_each(|reservation| tx.put_reservation(reservation))).unwrap();
    let [one, two, three] = given;
    assert_eq!(ask(lab, |rows| rows.reservations()), [three, two, one.clone()]);
    change(lab, |tx| tx.put_reservation(&reserved(20, 40, Some("other")))).unwrap();
    assert!(change(lab, |tx| tx.delete_reservation(range(20, 30))).unwrap());
    assert!(!change(lab, |tx| tx.delete_reservation(range(20, 30))).unwrap(), "there is none any more");
    assert_eq!(ask(lab, |rows| rows.reservations()), [reserved(20, 40, Some("other")), one]);
}

fn events_come_newest_first_and_no_more_than_asked_for(lab: &dyn Lab) {
    change(lab, |tx| {
        for (number, reason) in [(Some(1), "a"), (Some(2), "b"), (None, "c"), (Some(1), "d")] {
            tx.append_event(&event(number, reason))?;
        }
        Ok(())
    })
    .unwrap();
    let told = |of: Option<u16>, limit| {
        let events = ask(lab, |rows| rows.events(of.map(port), limit));
        events.into_iter().map(|event| event.reason).collect::<String>()
    };
    assert_eq!(told(None, 9), "dcba", "newest first, also within a millisecond");
    assert_eq!(told(None, 2), "dc");
    assert_eq!(told(None, 0), "");
    assert_eq!(told(Some(1), 9), "da");
    assert_eq!(told(Some(1), 1), "d");
    assert_eq!(told(Some(3), u32::MAX), "");
}

fn an_event_comes_back_as_it_was_stored(lab: &dyn Lab) {
    let whole = |kind| Event::of(&full(9), kind, time(-3), "said 'why'\n");
    let mut given: Vec<Event> = EventKind::ALL.into_iter().map(whole).collect();
    given.push(event(None, ""));
    change(lab, |tx| given.iter().try_for_each(|event| tx.append_event(event))).unwrap();
    given.reverse();
    assert_eq!(ask(lab, |rows| rows.events(None, 99)), given);
}

fn notes_and_names_of_machines_are_replaced(lab: &dyn Lab) {
    for value in ["one", "", "three"] {
        change(lab, |tx| tx.put_note("key", value).and_then(|()| tx.put_host("k", value))).unwrap();
        let found = ask(lab, |rows| Ok((rows.note("key")?, rows.host_name("k")?)));
        assert_eq!(found, (Some(value.to_owned()), Some(value.to_owned())));
    }
    assert_eq!(ask(lab, |rows| Ok((rows.note("k")?, rows.host_name("key")?))), (None, None));
}

fn a_question_makes_no_registry(lab: &dyn Lab) {
    let mut store = lab.open();
    let found = read(store.as_mut(), |rows| {
        Ok::<_, StoreError>((rows.allocations(&Filter::default())?, rows.note("key")?, rows.ranges()?))
    });
    assert_eq!(found.unwrap(), (vec![], None, vec![]));
    assert!(!store.location().is_empty());
    if let Some(file) = store.file() {
        assert!(!file.exists());
        assert!(!file.parent().unwrap().exists(), "nor the folder it would be in");
    }
}
