//! The clauses about what holds for a team: ports and names that are held once, on whatever machine.

use git_port::registry::{Allocation, EnvironmentName, Protocol, RangeRecord};
use git_port::store::Filter;

use super::samples::{plain, port, ports_of, range, refused, released, token};
use super::{Lab, ask, change, insert};

fn there(allocation: &Allocation) -> Allocation {
    Allocation { host: "there".to_owned(), worktree: Some(token(9)), ..allocation.clone() }
}

fn production(number: u16) -> Allocation {
    Allocation { environment: EnvironmentName::production(), worktree: None, ..plain(number, "web") }
}

pub(super) fn a_production_port_has_one_owner_on_all_machines(lab: &dyn Lab) {
    let stored = insert(lab, &[production(443), released(production(80), 1)]).unwrap();
    refused(insert(lab, &[Allocation { host: "there".to_owned(), ..production(443) }]));
    let udp = Allocation { protocol: Protocol::Udp, host: "there".to_owned(), ..production(443) };
    let given_back = Allocation { host: "there".to_owned(), ..production(80) };
    insert(lab, &[udp, given_back, there(&plain(443, "web"))]).unwrap();
    let held = |protocol| ask(lab, |rows| rows.shared_ports(protocol, range(80, 443)));
    assert_eq!(held(Protocol::Udp), [port(443)]);
    let mut tcp = held(Protocol::Tcp);
    tcp.sort_unstable();
    assert_eq!(tcp, [port(80), port(443)]);
    let filter =
        Filter { shared: true, port: Some(port(443)), protocol: Some(Protocol::Tcp), ..Filter::live() };
    assert_eq!(ask(lab, |rows| rows.allocations(&filter)), stored[..1]);
}

pub(super) fn a_port_of_a_shared_range_has_one_owner_on_all_machines(lab: &dyn Lab) {
    let web = insert(lab, &[plain(20, "web")]).unwrap().remove(0);
    change(lab, |tx| tx.share(range(10, 30), true).and_then(|()| tx.share(range(10, 30), true))).unwrap();
    assert_eq!(ask(lab, |rows| rows.shared_ranges()), [range(10, 30)]);
    refused(insert(lab, &[there(&plain(20, "web"))]));
    insert(lab, &[there(&plain(21, "web")), there(&plain(31, "db")), plain(31, "db")]).unwrap();
    refused(change(lab, |tx| tx.update_allocation(&Allocation { port: port(21), ..web.clone() })));
    let held = ask(lab, |rows| rows.shared_ports(Protocol::Tcp, range(1, 65535)));
    assert_eq!(held.len(), 2);
    change(lab, |tx| tx.share(range(10, 30), false)).unwrap();
    assert_eq!(ask(lab, |rows| rows.shared_ranges()), []);
    insert(lab, &[Allocation { worktree: Some(token(8)), ..there(&plain(20, "web")) }]).unwrap();
    refused(change(lab, |tx| tx.share(range(10, 30), true)));
    assert_eq!(ask(lab, |rows| rows.shared_ranges()), [], "all or nothing");
}

pub(super) fn a_public_host_name_leads_to_one_allocation(lab: &dyn Lab) {
    let named = |allocation: Allocation, name: &str| Allocation {
        public_hostname: Some(name.to_owned()),
        ..allocation
    };
    let stored =
        insert(lab, &[named(plain(1, "a"), "App.example"), released(named(plain(2, "b"), "x.example"), 1)]);
    let app = stored.unwrap().remove(0);
    refused(insert(lab, &[named(there(&plain(3, "c")), "app.EXAMPLE")]));
    let other = insert(lab, &[named(there(&plain(3, "c")), "x.example")]).unwrap().remove(0);
    refused(change(lab, |tx| tx.update_allocation(&named(other.clone(), "app.example"))));
    change(lab, |tx| tx.update_allocation(&Allocation { description: Some("d".to_owned()), ..app.clone() }))
        .unwrap();
    let filter = Filter { public_hostname: Some("APP.example".to_owned()), ..Filter::live() };
    assert_eq!(ports_of(&ask(lab, |rows| rows.allocations(&filter))), [1]);
}

pub(super) fn the_ranges_of_projects_do_not_overlap(lab: &dyn Lab) {
    let project = |name: &str, ranges| RangeRecord::Project(name.parse().unwrap(), ranges);
    let put = |record: RangeRecord| change(lab, |tx| tx.put_range(&record));
    put(project("a", vec![range(10, 20), range(40, 65535)])).unwrap();
    refused(put(project("b", vec![range(20, 30)])));
    refused(put(project("b", vec![range(1, 5), range(50, 50)])));
    put(project("b", vec![range(21, 39)])).unwrap();
    put(project("a", vec![range(1, 20)])).unwrap();
    put(RangeRecord::Environment(EnvironmentName::dev(), vec![range(1, 65535)])).unwrap();
    assert_eq!(ask(lab, |rows| rows.ranges()).len(), 3);
}

pub(super) fn machines_are_told_and_allocations_found_by_their_user(lab: &dyn Lab) {
    change(lab, |tx| tx.put_host("k2", "two").and_then(|()| tx.put_host("k1", "one"))).unwrap();
    let pair = |key: &str, name: &str| (key.to_owned(), name.to_owned());
    assert_eq!(ask(lab, |rows| rows.hosts()), [pair("k1", "one"), pair("k2", "two")]);
    let mine = Allocation { user: Some("me".to_owned()), ..plain(1, "a") };
    let theirs = Allocation { user: Some("Me".to_owned()), ..plain(2, "b") };
    insert(lab, &[mine, theirs, plain(3, "c")]).unwrap();
    let filter = Filter { user: Some("me".to_owned()), ..Filter::live() };
    assert_eq!(ports_of(&ask(lab, |rows| rows.allocations(&filter))), [1]);
}
