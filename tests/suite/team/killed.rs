//! The server is killed while many allocate: what was acknowledged stays, and nothing is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::herd;
use crate::support::postgres::{self, Server};
use crate::support::{Run, TestEnv};

/// How many allocate at once.
const WORKERS: usize = 6;

/// What one worker was told.
#[derive(Default)]
struct Told {
    /// The port of each service that has one for sure.
    allocated: BTreeMap<String, u64>,
    /// Services of which it is not known: the last answer was that the registry cannot be reached.
    open: BTreeSet<String>,
    failures: usize,
}

/// Allocates and gives back, until it is told to stop. What fails is tried again, as its error says.
fn work(env: &TestEnv, worker: usize, stop: &AtomicBool) -> Told {
    let mut told = Told::default();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let service = format!("s{worker}-{number}");
        let allocate = format!("--json allocate {service} --project load");
        match insist(env, &allocate, stop, &mut told.failures) {
            Some(run) => {
                let port = run.object()["allocations"][0]["port"].as_u64().unwrap();
                told.allocated.insert(service.clone(), port);
            }
            None => {
                told.open.insert(service);
                continue;
            }
        }
        if number % 3 == 0 {
            let release = format!("--json release {service} --project load");
            told.allocated.remove(&service);
            if insist(env, &release, stop, &mut told.failures).is_none() {
                told.open.insert(service);
            }
        }
    }
    told
}

/// Runs it until it succeeds; none if it was stopped before.
fn insist(env: &TestEnv, words: &str, stop: &AtomicBool, failures: &mut usize) -> Option<Run> {
    loop {
        let run = env.git_port(&env.root(), words.split_whitespace());
        // A release whose answer was lost finds nothing left to release.
        if run.status == 0 || (run.status == 1 && words.contains("release")) {
            return Some(run);
        }
        assert_eq!(run.status, 6, "{words}: {run:?}");
        *failures += 1;
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A home with room for many ports, and the registry at this URL.
fn roomy(url: &str) -> (TestEnv, Vec<TestEnv>) {
    let blocks: Vec<TestEnv> = (0..5).map(|_| TestEnv::new()).collect();
    let ranges: Vec<String> =
        blocks.iter().map(|block| format!("{}-{}", block.first, block.first + 199)).collect();
    let mut env = TestEnv::new();
    env.set("GIT_PORT_REGISTRY", url);
    env.set("GIT_PORT_RANGES_DEV", ranges.join(","));
    (env, blocks)
}

/// Has workers at it while `trouble` happens, and compares what they were told with what is recorded.
fn under_load(url: &str, trouble: impl FnOnce()) {
    let (env, _blocks) = roomy(url);
    let stop = AtomicBool::new(false);
    let told: Vec<Told> = std::thread::scope(|scope| {
        let (env, stop) = (&env, &stop);
        let workers: Vec<_> =
            (0..WORKERS).map(|worker| scope.spawn(move || work(env, worker, stop))).collect();
        trouble();
        std::thread::sleep(Duration::from_secs(1));
        stop.store(true, Ordering::Relaxed);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let object = env.json(&env.root(), "list --all");
    let rows = object["allocations"].as_array().unwrap_or_else(|| panic!("{object}"));
    let recorded: Vec<(String, u64)> = rows
        .iter()
        .map(|row| (row["service"].as_str().unwrap().to_owned(), row["port"].as_u64().unwrap()))
        .collect();
    let by_service: BTreeMap<&String, u64> = recorded.iter().map(|(name, port)| (name, *port)).collect();
    let ports: BTreeSet<u64> = recorded.iter().map(|(_, port)| *port).collect();
    assert_eq!(ports.len(), recorded.len(), "a port is recorded twice");
    assert_eq!(by_service.len(), recorded.len(), "a service is recorded twice");
    let mut known = BTreeSet::new();
    let (mut acknowledged, mut failures) = (0, 0);
    for told in &told {
        acknowledged += told.allocated.len();
        failures += told.failures;
        for (service, port) in &told.allocated {
            assert_eq!(by_service.get(service), Some(port), "{service} was acknowledged");
            known.insert(service.clone());
        }
        known.extend(told.open.iter().cloned());
    }
    for (service, port) in &recorded {
        assert!(known.contains(service), "{service} has {port}, and was told otherwise");
    }
    println!("{acknowledged} acknowledged, {failures} told to try again");
    assert!(acknowledged > WORKERS, "there was no load");
}

fn killed(times: u32) {
    if !postgres::is_installed() {
        return;
    }
    let mut server = Server::new(&[]);
    let database = server.database();
    let url = database.url();
    under_load(&url, || {
        for _ in 0..times {
            std::thread::sleep(Duration::from_millis(700));
            server.kill_and_start();
        }
    });
}

#[test]
fn a_server_killed_under_load_loses_nothing() {
    killed(3);
}

#[test]
fn long_a_server_killed_fifty_times_under_load_loses_nothing() {
    if herd::is_long() {
        killed(50);
    }
}

#[test]
fn long_a_standby_that_takes_over_has_all_that_was_acknowledged() {
    if !herd::is_long() || !postgres::is_installed() {
        return;
    }
    for _ in 0..3 {
        let mut primary = Server::new(&[("wal_level", "replica"), ("max_wal_senders", "5")]);
        let database = primary.database();
        let standby = Server::standby_of(&primary, &[("hot_standby", "on")]);
        primary.psql("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'").unwrap();
        primary.psql("postgres", "SELECT pg_reload_conf()").unwrap();
        let since = Instant::now();
        while primary.psql("postgres", "SELECT sync_state FROM pg_stat_replication").unwrap() != "sync" {
            assert!(since.elapsed() < Duration::from_secs(20), "{}", standby.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        let socket = |server: &Server| server.folder.display().to_string().replace('/', "%2F");
        let url = format!(
            "postgres://postgres@{}:{},{}:{}/{}",
            socket(&primary),
            primary.port,
            socket(&standby),
            standby.port,
            database.name
        );
        under_load(&url, || {
            std::thread::sleep(Duration::from_secs(3));
            primary.kill();
            standby.promote();
            std::thread::sleep(Duration::from_secs(3));
        });
    }
}
