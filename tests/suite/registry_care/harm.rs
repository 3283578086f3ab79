//! What may happen to a registry's file.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::{Harm, beside, fold, is_sound, listed, state, with_worktrees};

fn companions(registry: &Path) {
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(registry, ending));
    }
}

fn fill(registry: &Path, contents: impl Fn(usize) -> u8) {
    fold(registry);
    companions(registry);
    let length = fs::metadata(registry).unwrap().len();
    let bytes: Vec<u8> = (0..usize::try_from(length).unwrap()).map(contents).collect();
    fs::write(registry, bytes).unwrap();
}

/// Every harm, each of which loses everything that is in the file.
pub(super) fn cases() -> [(&'static str, Harm); 9] {
    [
        ("deleted", |path| {
            fs::remove_file(path).unwrap();
            companions(path);
        }),
        ("deleted without its log", |path| fs::remove_file(path).unwrap()),
        ("cut in half", |path| {
            fold(path);
            let length = fs::metadata(path).unwrap().len();
            fs::File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
        }),
        ("zeros", |path| fill(path, |_| 0)),
        ("garbage", |path| fill(path, |index| u8::try_from(index * 7 % 251).unwrap())),
        ("emptied", |path| {
            fs::write(path, "").unwrap();
            companions(path);
        }),
        ("emptied as a database", |path| {
            fs::remove_file(path).unwrap();
            companions(path);
            let connection = Connection::open(path).unwrap();
            connection.execute_batch("VACUUM; CREATE TABLE t (x); DROP TABLE t").unwrap();
        }),
        ("another program's", |path| {
            fs::remove_file(path).unwrap();
            companions(path);
            let connection = Connection::open(path).unwrap();
            connection.execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
        }),
        ("rows that cannot be ours", |path| {
            let connection = Connection::open(path).unwrap();
            connection.execute("UPDATE allocations SET service = 'Not A Name'", []).unwrap();
        }),
    ]
}

/// A number that looks random, and is the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[test]
fn a_changed_byte_is_noticed_or_does_no_harm() {
    let long = std::env::var_os("GIT_PORT_TESTS_LONG").is_some_and(|value| value == "1");
    let rounds = if long { 3_000 } else { 120 };
    let (env, _) = with_worktrees(12);
    // With something in the file, and something in its log.
    fold(&env.registry());
    for number in 0..2 {
        env.ok(&env.root().join("one"), &format!("allocate late{number}"));
    }
    let (ports, _) = listed(&env);
    assert!(fs::metadata(beside(&env.registry(), "-wal")).unwrap().len() > 0);
    let kept = env.root().join("kept");
    fs::create_dir(&kept).unwrap();
    let names = ["registry.db", "registry.db-wal", "registry.db.lock", "registry.db.initialised"];
    for name in names {
        fs::copy(state(&env).join(name), kept.join(name)).unwrap();
    }
    let mut numbers = Numbers(1);
    let mut noticed = 0;
    for round in 0..rounds {
        let _ = fs::remove_file(beside(&env.registry(), "-shm"));
        for name in names {
            fs::copy(kept.join(name), state(&env).join(name)).unwrap();
        }
        let target = names[round % 2];
        let path = state(&env).join(target);
        let mut bytes = fs::read(&path).unwrap();
        let mut what = Vec::new();
        for _ in 0..=numbers.below(3) {
            let at = numbers.below(bytes.len());
            bytes[at] ^= 1 << numbers.below(8);
            what.push(at);
        }
        fs::write(&path, bytes).unwrap();
        // A writer checks everything; `doctor` does so at any time.
        let looked = env.git_port(&env.root(), ["--json", "doctor", "--fix"]);
        assert!(!looked.stderr.contains("panicked"), "round {round}, {target} {what:?}: {looked:?}");
        let run = env.git_port(&env.root(), ["--json", "list", "--all"]);
        assert!(!run.stderr.contains("panicked"), "round {round}, {target} {what:?}: {run:?}");
        noticed += usize::from(looked.stdout.contains("was damaged"));
        if run.status == 0 {
            let now: Vec<_> = super::ports_of(&run).into_values().collect();
            let before: Vec<_> = ports.values().copied().collect();
            assert_eq!(now, before, "round {round}, {target} {what:?}: {looked:?}");
        } else {
            assert_eq!(run.status, 128, "round {round}, {target} {what:?}: {run:?}");
        }
    }
    println!("{noticed} of {rounds} were noticed and mended");
    assert!(noticed > 0);
    for name in names {
        fs::copy(kept.join(name), state(&env).join(name)).unwrap();
    }
    assert_eq!(listed(&env).0, ports);
    assert!(is_sound(&env.registry()));
}
