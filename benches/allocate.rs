//! Choosing a port, and a whole durable allocation beside the least a durable write can cost.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use git_port::registry::allocator::{Landscape, Probe, Strategy, Wish, choose};
use git_port::registry::{
    Allocation, EnvironmentName, Event, EventKind, Port, PortRange, PortUse, Protocol, Ranges, Status, Used,
};
use git_port::store::sqlite::SqliteStore;
use git_port::store::{StoreError, write};
use jiff::Timestamp;

/// Of these, none is avoided.
const FIRST: u16 = 21_000;
const SIZE: u16 = 1_000;

fn range() -> PortRange {
    PortRange::new(Port::new(FIRST).unwrap(), Port::new(FIRST + SIZE - 1).unwrap()).unwrap()
}

fn choosing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choose one of 1,000");
    for taken in [0, 500, 999] {
        let used: Used = range().ports().take(taken).map(|port| (port, PortUse::Live)).collect();
        let (ranges, reserved) = ([range()], Ranges::default());
        let landscape = Landscape {
            used: &used,
            ranges: &ranges,
            reserved: &reserved,
            strategy: Strategy::Sequential,
            force: false,
            documents: false,
        };
        group.bench_function(format!("{taken} taken"), |bencher| {
            bencher.iter(|| choose(black_box(&[Wish::default()]), &landscape, &mut |_| Probe::Free).unwrap());
        });
    }
    group.finish();
}

fn allocation(index: u32) -> Allocation {
    Allocation {
        id: 0,
        host: format!("machine {}", index / 60_000),
        user: None,
        protocol: Protocol::Tcp,
        // Ports beyond the last begin again, on another machine.
        port: Port::new(u16::try_from(index % 60_000).unwrap() + 1).unwrap(),
        project: "bench".parse().unwrap(),
        worktree: None,
        path: None,
        branch: None,
        service: format!("s{index}").parse().unwrap(),
        environment: EnvironmentName::dev(),
        primary: false,
        status: Status::Allocated,
        service_type: None,
        description: None,
        public_hostname: None,
        pinned: false,
        session: None,
        allocated_at: Timestamp::UNIX_EPOCH,
        last_used_at: None,
        last_checked_at: None,
        released_at: None,
    }
}

fn durable(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("durable");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("line");
    group.bench_function("open a file, append a line, sync it (the base)", |bencher| {
        bencher.iter(|| {
            let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
            file.write_all(b"21000 bench s1\n").unwrap();
            file.sync_data().unwrap();
        });
    });
    let registry = dir.path().join("registry.db");
    let store = || SqliteStore::new(&registry, Duration::from_secs(10));
    let mut index = 0;
    group.bench_function("open the registry, read its ports, allocate one", |bencher| {
        bencher.iter_batched(
            || {
                index += 1;
                allocation(index)
            },
            |allocation| {
                write(&mut store(), |tx| {
                    black_box(tx.ports("here", Protocol::Tcp, range())?);
                    let event =
                        Event::of(&allocation, EventKind::Allocated, allocation.allocated_at, "asked for");
                    tx.append_event(&event)?;
                    tx.insert_allocation(&allocation)
                })
                .map_err(|error: StoreError| error.to_string())
                .unwrap()
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, choosing, durable);
criterion_main!(benches);
