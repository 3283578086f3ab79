//! The real program, many times at once: every answer different, none lost. With
//! `GIT_PORT_TESTS_LONG=1` also in large.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::PipeWriter;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;

use crate::support::{Run, TestEnv, program};

/// Homes whose blocks of ports serve one registry together: at least `count` of them may be given.
struct Crowd {
    env: TestEnv,
    _blocks: Vec<TestEnv>,
    children: Vec<(Child, PathBuf)>,
    /// The children wait until this is closed.
    gate: Option<PipeWriter>,
    started: usize,
}

impl Crowd {
    fn with_ports(count: usize) -> Self {
        // A block has 200; some of them are avoided, and some may be in use by then.
        let blocks: Vec<TestEnv> = (0..count.div_ceil(180)).map(|_| TestEnv::new()).collect();
        let ranges: Vec<String> =
            blocks.iter().map(|block| format!("{}-{}", block.first, block.first + 199)).collect();
        let mut env = TestEnv::new();
        let aside = format!("{}-{}", env.first, env.first + 199);
        env.variables.push(("GIT_PORT_RANGES_DEV".to_owned(), ranges.join(",")));
        env.variables.push(("GIT_PORT_RANGES_TEST".to_owned(), aside));
        Self { env, _blocks: blocks, children: Vec::new(), gate: None, started: 0 }
    }

    fn root(&self) -> PathBuf {
        self.env.root()
    }

    /// Starts a shell that waits at the gate and then runs this script, in which `$0` is the program.
    fn wait_and_run(&mut self, children: impl IntoIterator<Item = String>) {
        let (reader, writer) = std::io::pipe().unwrap();
        self.gate = Some(writer);
        for script in children {
            let out = self.root().join(format!("out-{}", self.started));
            self.started += 1;
            // `exec`, so that who kills the child kills the program.
            let waiting = format!("read -r _; {script}");
            let child = self
                .env
                .command("sh", &self.root())
                .args(["-c", &waiting, program()])
                .stdin(reader.try_clone().unwrap())
                .stdout(File::create(&out).unwrap())
                .stderr(File::create(out.with_extension("err")).unwrap())
                .spawn()
                .unwrap();
            self.children.push((child, out));
        }
    }

    fn open_the_gate(&mut self) {
        self.gate = None;
    }

    /// Waits for all that were started and returns what they did.
    fn results(&mut self) -> Vec<Run> {
        self.open_the_gate();
        let ended = |(mut child, out): (Child, PathBuf)| Run {
            status: child.wait().unwrap().code().unwrap_or(-1),
            stdout: fs::read_to_string(&out).unwrap(),
            stderr: fs::read_to_string(out.with_extension("err")).unwrap(),
        };
        std::mem::take(&mut self.children).into_iter().map(ended).collect()
    }

    fn run_at_once(&mut self, children: impl IntoIterator<Item = String>) -> Vec<Run> {
        self.wait_and_run(children);
        self.results()
    }

    fn ok(&self, words: &str) -> String {
        self.env.ok(&self.root(), words)
    }

    /// Every live allocation, after making sure that no port has two owners.
    #[track_caller]
    fn live(&self) -> Vec<Value> {
        let listed = self.env.json(&self.root(), "list --all");
        let live = listed["allocations"].as_array().unwrap().clone();
        let ports: BTreeSet<u64> = live.iter().map(number).collect();
        assert_eq!(ports.len(), live.len(), "a port has two owners");
        live
    }

    #[track_caller]
    fn is_sound(&self) {
        let registry = Connection::open(self.env.registry()).unwrap();
        let answer: String = registry.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(answer, "ok");
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for (child, _) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn is_long() -> bool {
    let long = crate::support::herd::is_long();
    if !long {
        println!("skipped: it takes minutes; GIT_PORT_TESTS_LONG=1 runs it");
    }
    long
}

fn number(allocation: &Value) -> u64 {
    allocation["port"].as_u64().unwrap()
}

/// The one allocation that was printed.
#[track_caller]
fn printed(run: &Run) -> Value {
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:#?}");
    run.object()["allocations"][0].clone()
}

fn allocate(service: &str) -> String {
    format!("exec \"$0\" --json allocate {service} --project p")
}

/// `count` processes ask for a service each; returns the ports they were told.
#[track_caller]
fn each_gets_its_own(crowd: &mut Crowd, count: usize, script: fn(&str) -> String) {
    let runs = crowd.run_at_once((0..count).map(|index| script(&format!("s{index}"))));
    let told: BTreeSet<u64> = runs.iter().map(|run| number(&printed(run))).collect();
    assert_eq!(told.len(), count, "two were told the same port");
    let listed: BTreeSet<u64> = crowd.live().iter().map(number).collect();
    assert_eq!(listed, told, "what was told is what is recorded");
    crowd.is_sound();
}

#[test]
fn two_hundred_services_at_once_get_two_hundred_ports() {
    let mut crowd = Crowd::with_ports(200);
    crowd.ok("allocate first --project q");
    crowd.ok("release first --project q");
    each_gets_its_own(&mut crowd, 200, allocate);
}

#[test]
fn two_hundred_at_once_may_be_the_first_to_open_the_registry() {
    let mut crowd = Crowd::with_ports(200);
    assert!(!crowd.env.registry().exists());
    each_gets_its_own(&mut crowd, 200, allocate);
}

#[test]
fn forty_that_ask_for_the_same_service_get_the_same_port() {
    let mut crowd = Crowd::with_ports(1);
    let runs = crowd.run_at_once((0..40).map(|_| allocate("web")));
    let told: Vec<Value> = runs.iter().map(printed).collect();
    let ports: BTreeSet<u64> = told.iter().map(number).collect();
    assert_eq!(ports.len(), 1, "{ports:?}");
    let created = told.iter().filter(|allocation| allocation["created"] == true).count();
    assert_eq!(created, 1, "exactly one made it");
    assert_eq!(crowd.live().len(), 1);
}

#[test]
fn whoever_only_asks_while_others_open_the_registry_is_answered() {
    for _ in 0..3 {
        let mut crowd = Crowd::with_ports(20);
        let scripts = (0..40).map(|index| match index % 2 {
            0 => allocate(&format!("s{index}")),
            _ => "exec \"$0\" --json list --all".to_owned(),
        });
        for run in crowd.run_at_once(scripts) {
            assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:#?}");
            assert!(run.object()["allocations"].is_array(), "{run:#?}");
        }
        assert_eq!(crowd.live().len(), 20);
    }
}

/// Between looking for the registry and looking whether there was one before, another process makes it.
#[cfg(target_os = "linux")]
#[test]
fn a_registry_that_is_made_meanwhile_is_not_taken_for_one_that_was_lost() {
    if Run::of(std::process::Command::new("strace").arg("-V").output().unwrap()).status != 0 {
        return crate::support::herd::ignored_for_want_of("strace");
    }
    for look in 1..=3 {
        let env = TestEnv::new();
        let mut marker = env.registry().into_os_string();
        marker.push(".initialised");
        let mut slow = env.command("strace", &env.root());
        slow.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(marker).args(["-e", "trace=statx", "-e"]);
        slow.arg(format!("inject=statx:delay_enter=1500000:when={look}"));
        slow.arg(program()).args(["allocate", "late", "--project", "p"]);
        let slow = slow.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let slow = slow.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(700));
        env.ok(&env.root(), "allocate early --project q");
        let slow = Run::of(slow.wait_with_output().unwrap());
        assert_eq!((slow.status, slow.stderr.as_str()), (0, ""), "look {look}: {slow:?}");
        assert_eq!(env.listed(&env.root(), "--all").len(), 2);
    }
}

#[test]
fn allocating_and_releasing_at_once_leaves_each_port_one_owner() {
    let mut crowd = Crowd::with_ports(60);
    let scripts = (0..16).map(|index| {
        format!(
            "set -e; for round in 1 2 3 4; do \"$0\" allocate a{index} b{index} shared{} --project p; \
             \"$0\" release a{index} --project p; done",
            index % 4
        )
    });
    for run in crowd.run_at_once(scripts) {
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:#?}");
    }
    let mut services: Vec<String> =
        crowd.live().iter().map(|allocation| allocation["service"].as_str().unwrap().to_owned()).collect();
    services.sort_unstable();
    let mut expected: Vec<String> = (0..16)
        .map(|index| format!("b{index}"))
        .chain((0..4).map(|index| format!("shared{index}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(services, expected);
    crowd.is_sound();
}

/// Starts `count` processes that allocate, kills every other one at a moment of its own, and looks at
/// what is left.
fn kill_while_allocating(count: usize) {
    let mut crowd = Crowd::with_ports(count + 1);
    crowd.wait_and_run((0..count).map(|index| allocate(&format!("s{index}"))));
    crowd.open_the_gate();
    let mut seed = 88_172_645_463_325_252_u64;
    for (child, _) in crowd.children.iter_mut().step_by(2) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        // The moment is what is tested; nothing is waited for.
        std::thread::sleep(Duration::from_micros(seed % 8_000));
        let _ = child.kill();
    }
    let runs = crowd.results();
    let acknowledged: BTreeSet<(u64, String)> = runs
        .iter()
        .enumerate()
        // The victims may have printed all, nothing or a part; a part is no answer.
        .filter(|(index, run)| index % 2 == 1 || serde_json::from_str::<Value>(&run.stdout).is_ok())
        .map(|(_, run)| owned(&run.object()["allocations"][0]))
        .collect();
    assert!(runs.iter().skip(1).step_by(2).all(|run| run.status == 0), "{runs:#?}");
    let listed: BTreeSet<(u64, String)> = crowd.live().iter().map(owned).collect();
    assert!(acknowledged.is_subset(&listed), "lost: {:?}", acknowledged.difference(&listed));
    crowd.is_sound();
    let next = owned(&printed(&crowd.run_at_once([allocate("next")])[0]));
    assert!(listed.iter().all(|(port, _)| *port != next.0));
    assert_eq!(crowd.live().len(), listed.len() + 1);
}

fn owned(allocation: &Value) -> (u64, String) {
    (number(allocation), allocation["service"].as_str().unwrap().to_owned())
}

#[test]
fn killing_some_loses_nothing_that_was_acknowledged() {
    kill_while_allocating(48);
}

#[test]
fn long_killing_three_hundred_loses_nothing_that_was_acknowledged() {
    if is_long() {
        kill_while_allocating(600);
    }
}

/// In a build without optimisation, or on a busy machine, the last of a thousand wait longer than a
/// writer is ready to; they are told to try again, and do.
#[test]
fn long_a_thousand_services_at_once_get_a_thousand_ports() {
    if is_long() {
        let retried = |service: &str| {
            format!(
                "until answer=$(\"$0\" --json allocate {service} --project p); do \
                 [ $? = 6 ] || break; done; echo \"$answer\""
            )
        };
        each_gets_its_own(&mut Crowd::with_ports(1_000), 1_000, retried);
    }
}

#[test]
fn long_a_hundred_processes_allocate_twenty_times_each() {
    if !is_long() {
        return;
    }
    for round in 1..=5 {
        let mut crowd = Crowd::with_ports(2_000);
        let waits = crowd.root().join("waits");
        let runs = crowd.run_at_once((0..100).map(|index| {
            format!(
                "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                 before=$(date +%s%N); \
                 \"$0\" --json allocate s{index}-$n --project p || exit; \
                 echo $((($(date +%s%N) - before) / 1000000)) >>waits; done"
            )
        }));
        let mut told = BTreeSet::new();
        for run in &runs {
            assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:#?}");
            for answer in serde_json::Deserializer::from_str(&run.stdout).into_iter::<Value>() {
                assert!(told.insert(owned(&answer.unwrap()["allocations"][0]).0), "told twice");
            }
        }
        assert_eq!(told.len(), 2_000);
        assert_eq!(crowd.live().len(), 2_000);
        crowd.is_sound();
        let waits = fs::read_to_string(waits).unwrap();
        let mut waits: Vec<u64> = waits.lines().map(|wait| wait.parse().unwrap()).collect();
        waits.sort_unstable();
        println!("round {round}: median {} ms, worst {} ms", waits[1_000], waits[1_999]);
    }
}

#[test]
fn the_log_stays_small_however_many_come_and_go() {
    let crowd = Crowd::with_ports(2);
    let mut log = crowd.env.registry().into_os_string();
    log.push("-wal");
    let mut largest = 0;
    for round in 0..60 {
        crowd.ok(&format!("allocate s{} --project p --new", round % 2));
        largest = largest.max(fs::metadata(&log).map_or(0, |metadata| metadata.len()));
    }
    assert!(largest < 512 * 1024, "{largest} bytes");
}
