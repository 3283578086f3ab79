//! A registry that is newer, damaged, replaced, out of reach or on a full disk: the stated error and
//! status, never a panic, and nothing lost.

#[cfg(target_os = "linux")]
mod disk;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git_port::store::sqlite::SqliteStore;
use git_port::store::{Store, StoreError, read, write};
use git_port::system::lock::Lock;
use rusqlite::Connection;
use serde_json::Value;

use crate::support::{GIT_PORT, Run, TestEnv};

/// Does something to the registry's file.
type Harm = Box<dyn Fn(&Path)>;

/// A home with a registry that holds one allocation, of `web`.
fn with_registry() -> TestEnv {
    let env = TestEnv::new();
    env.ok(&env.root(), "allocate web --project p");
    // The log of a registry that was just made is folded into it; this one goes into the log.
    env.ok(&env.root(), "reserve 64999");
    env
}

/// Folds the log into the registry's file, so that the file alone is the registry.
fn fold(registry: &Path) {
    let connection = Connection::open(registry).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(())).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
}

fn beside(registry: &Path, ending: &str) -> PathBuf {
    let mut path = registry.to_owned().into_os_string();
    path.push(ending);
    path.into()
}

fn ports(env: &TestEnv) -> Vec<u64> {
    let listed = env.json(&env.root(), "list --all");
    listed["allocations"].as_array().unwrap().iter().map(|one| one["port"].as_u64().unwrap()).collect()
}

#[track_caller]
fn fails(run: &Run, code: &str, status: i32) -> Value {
    assert_eq!(run.status, status, "{run:#?}");
    let error = run.object()["error"].clone();
    assert_eq!(error["code"], code, "{run:#?}");
    assert!(!run.stderr.contains("panicked"), "{run:#?}");
    assert!(!error["hints"].as_array().unwrap().is_empty(), "{run:#?}");
    error
}

fn json(env: &TestEnv, words: &str) -> Run {
    env.git_port(&env.root(), std::iter::once("--json").chain(words.split_whitespace()))
}

/// Commands that ask, that change, and that do neither without a repository.
const COMMANDS: [&str; 4] =
    ["list --all", "allocate web --project p", "release web --project p", "cleanup --older-than 0s"];

fn set_version(env: &TestEnv, version: i64, reader: i64, writer: i64) {
    let connection = Connection::open(env.registry()).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
    for (key, value) in [("min_reader", reader), ("min_writer", writer)] {
        connection.execute("UPDATE notes SET value = ?2 WHERE key = ?1", (key, value.to_string())).unwrap();
    }
}

#[test]
fn a_newer_registry_that_lets_us_in_is_read_and_written() {
    let env = with_registry();
    set_version(&env, 99, 1, 1);
    env.ok(&env.root(), "allocate api --project p");
    assert_eq!(ports(&env).len(), 2);
    let version: i64 = Connection::open(env.registry())
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99, "and keeps its version");
}

#[test]
fn a_newer_registry_may_be_for_reading_only() {
    let env = with_registry();
    set_version(&env, 99, 1, 99);
    assert_eq!(ports(&env).len(), 1);
    for words in &COMMANDS[1..] {
        let error = fails(&json(&env, words), "registry_newer", 128);
        assert!(error["message"].as_str().unwrap().contains("99"), "{error}");
    }
    assert_eq!(ports(&env).len(), 1);
}

#[test]
fn a_newer_registry_that_keeps_to_itself_is_refused() {
    for (reader, writer) in [(98, 98), (99, 99)] {
        let env = with_registry();
        set_version(&env, 99, reader, writer);
        for words in COMMANDS {
            fails(&json(&env, words), "registry_newer", 128);
        }
    }
}

/// Takes away what says that there was a registry: what is damaged now may be anybody's file.
fn forget_it_was_made(registry: &Path) {
    fs::remove_file(beside(registry, ".initialised")).unwrap();
}

#[test]
fn a_file_that_may_be_anybodys_is_named_and_left_as_it_is() {
    let foreign = |application: i64, version: i64| {
        move |path: &Path| {
            fs::remove_file(path).unwrap();
            let connection = Connection::open(path).unwrap();
            connection.execute_batch("CREATE TABLE notes (key TEXT, value TEXT)").unwrap();
            connection.pragma_update(None, "application_id", application).unwrap();
            connection.pragma_update(None, "user_version", version).unwrap();
        }
    };
    let overwritten = |from: usize, to: usize| {
        move |path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            let to = to.min(bytes.len());
            bytes[from..to].fill(b'x');
            fs::write(path, bytes).unwrap();
        }
    };
    let cases: [(&str, Harm); 8] = [
        ("header overwritten", Box::new(overwritten(0, 100))),
        ("all but the header overwritten", Box::new(overwritten(100, usize::MAX))),
        ("not a database", Box::new(|path| fs::write(path, "this is a note of mine\n").unwrap())),
        ("two bytes", Box::new(|path| fs::write(path, "xx").unwrap())),
        (
            "cut short",
            Box::new(|path| {
                fs::File::options().write(true).open(path).unwrap().set_len(5_000).unwrap();
            }),
        ),
        ("another program's", Box::new(foreign(0x0f05_5112, 1))),
        ("another program's, unmarked", Box::new(foreign(0, 0))),
        ("ours, without a version", Box::new(foreign(0x6750_5254, -1))),
    ];
    for (name, damage) in cases {
        let env = with_registry();
        fold(&env.registry());
        damage(&env.registry());
        forget_it_was_made(&env.registry());
        let before = fs::read(env.registry()).unwrap();
        for words in COMMANDS {
            println!("{name}: {words}");
            fails(&json(&env, words), "registry_damaged", 128);
        }
        assert!(fs::read(env.registry()).unwrap() == before, "{name}: it was changed");
    }
}

#[test]
fn rows_that_cannot_be_ours_mean_damage() {
    for change in ["service = 'Not A Name'", "worktree = 'x'", "allocated_at = 9223372036854775807"] {
        let env = with_registry();
        let connection = Connection::open(env.registry()).unwrap();
        connection.execute(&format!("UPDATE allocations SET {change}"), []).unwrap();
        forget_it_was_made(&env.registry());
        fails(&json(&env, "list --all"), "registry_damaged", 128);
    }
}

/// A process that was killed between making the file and filling it leaves an empty one, so an empty file
/// is a registry in which nothing was recorded yet.
#[test]
fn an_empty_file_is_a_registry_yet_to_be_filled() {
    let env = TestEnv::new();
    fs::create_dir_all(env.registry().parent().unwrap()).unwrap();
    fs::write(env.registry(), "").unwrap();
    assert!(ports(&env).is_empty());
    assert_eq!(fs::metadata(env.registry()).unwrap().len(), 0, "a question does not fill it");
    env.ok(&env.root(), "allocate web --project p");
    assert_eq!(ports(&env).len(), 1);
}

/// The same one step later: it is a database, but its tables are not there yet.
#[test]
fn a_database_without_tables_is_a_registry_yet_to_be_filled() {
    let env = TestEnv::new();
    fs::create_dir_all(env.registry().parent().unwrap()).unwrap();
    let connection = Connection::open(env.registry()).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    drop(connection);
    assert!(fs::metadata(env.registry()).unwrap().len() > 0);
    assert!(ports(&env).is_empty());
    fails(&json(&env, "release web --project p"), "not_found", 1);
    env.ok(&env.root(), "allocate web --project p");
    assert_eq!(ports(&env).len(), 1);
}

#[test]
fn what_is_no_file_is_no_registry() {
    let makers: [(&str, Harm); 3] = [
        ("a folder", Box::new(|path| fs::create_dir(path).unwrap())),
        ("a link to itself", Box::new(|path| symlink(path, path).unwrap())),
        ("a link to nothing", Box::new(|path| symlink("nothing", path).unwrap())),
    ];
    for (name, make) in makers {
        let env = TestEnv::new();
        fs::create_dir_all(env.registry().parent().unwrap()).unwrap();
        make(&env.registry());
        for words in COMMANDS {
            println!("{name}: {words}");
            fails(&json(&env, words), "denied", 128);
        }
    }
}

#[test]
fn a_planted_link_is_not_written_through() {
    let env = TestEnv::new();
    let folder = env.registry().parent().unwrap().to_owned();
    fs::create_dir_all(&folder).unwrap();
    let victim = env.root().join("victim");
    fs::write(&victim, "").unwrap();
    symlink(&victim, env.registry()).unwrap();
    fails(&json(&env, "allocate web --project p"), "denied", 128);
    assert_eq!(fs::metadata(&victim).unwrap().len(), 0);
    fs::remove_file(env.registry()).unwrap();
    let unborn = env.root().join("unborn");
    symlink(&unborn, beside(&env.registry(), ".lock")).unwrap();
    fails(&json(&env, "allocate web --project p"), "denied", 128);
    assert!(!unborn.exists());
}

#[test]
fn the_folders_above_may_be_reached_through_links() {
    let env = TestEnv::new();
    let elsewhere = env.root().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, env.home().join(".local")).unwrap();
    env.ok(&env.root(), "allocate web --project p");
    assert!(elsewhere.join("state/git-port/registry.db").is_file());
    assert_eq!(ports(&env).len(), 1);
}

#[test]
fn everything_is_private_whatever_the_umask() {
    for umask in ["022", "000"] {
        let env = TestEnv::new();
        let script =
            format!("umask {umask}; \"$0\" allocate web --project p && exec \"$0\" allocate api --project p");
        let made = env.command("sh", &env.root()).args(["-c", &script, GIT_PORT]).status().unwrap();
        assert!(made.success());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let registry = env.registry();
        assert_eq!(mode(registry.parent().unwrap()), 0o700, "umask {umask}");
        let mut names = Vec::new();
        for entry in fs::read_dir(registry.parent().unwrap()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(mode(&entry.path()), 0o600, "{:?} with umask {umask}", entry.file_name());
            names.push(entry.file_name().into_string().unwrap());
        }
        names.sort_unstable();
        let companions =
            ["registry.db-shm", "registry.db-wal", "registry.db.initialised", "registry.db.lock"];
        assert_eq!(names, [&["registry.db"][..], &companions].concat());
    }
}

#[test]
fn a_folder_that_everybody_may_write_is_not_written() {
    let env = with_registry();
    let folder = env.registry().parent().unwrap().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    fails(&json(&env, "allocate api --project p"), "denied", 128);
    assert_eq!(ports(&env).len(), 1, "it may be read");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o1777)).unwrap();
    env.ok(&env.root(), "allocate api --project p");
}

fn store(path: &Path) -> SqliteStore {
    SqliteStore::new(path, Duration::from_secs(10))
}

fn note(store: &mut dyn Store, value: &str) -> Result<(), StoreError> {
    write(store, |tx| tx.put_note("test", value))
}

#[test]
fn what_is_written_after_the_file_was_replaced_goes_into_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (path, other) = (dir.path().join("registry.db"), dir.path().join("other.db"));
    let mut open = store(&path);
    note(&mut open, "old").unwrap();
    note(&mut store(&other), "restored").unwrap();
    fold(&other);
    // As a backup is put back: with the old log, the new file would be damaged.
    for ending in ["-wal", "-shm"] {
        fs::remove_file(beside(&path, ending)).unwrap();
    }
    fs::rename(&other, &path).unwrap();
    let seen = read(&mut open, |rows| rows.note("test")).unwrap();
    assert_eq!(seen.as_deref(), Some("restored"), "reading sees the new one");
    note(&mut open, "new").unwrap();
    assert_eq!(read(&mut store(&path), |rows| rows.note("test")).unwrap().as_deref(), Some("new"));
}

#[test]
fn a_registry_deleted_under_an_open_store_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry.db");
    let mut open = store(&path);
    note(&mut open, "old").unwrap();
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(beside(&path, ending)).unwrap();
    }
    let refused = read(&mut open, |rows| rows.note("test"));
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    let refused = note(&mut open, "new");
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    // Without the mark that there was one, it is a registry yet to be made.
    forget_it_was_made(&path);
    assert_eq!(read(&mut open, |rows| rows.note("test")).unwrap(), None);
    note(&mut open, "new").unwrap();
    assert_eq!(read(&mut store(&path), |rows| rows.note("test")).unwrap().as_deref(), Some("new"));
}

/// Takes the registry's lock. It may have to be waited for: a program that another test is starting has
/// it too, from fork(2) to execve(2).
fn lock(path: &Path) -> Lock {
    Lock::acquire(&beside(path, ".lock"), Duration::from_secs(10)).unwrap()
}

/// Returns when some thread waits for this lock.
#[cfg(target_os = "linux")]
fn wait_until_somebody_waits_for(lock: &Path) {
    use std::os::unix::fs::MetadataExt;
    let inode = format!(":{} ", fs::metadata(lock).unwrap().ino());
    let waits = |line: &str| line.contains("-> FLOCK") && line.contains(&inode);
    while !fs::read_to_string("/proc/locks").unwrap().lines().any(waits) {
        std::thread::yield_now();
    }
}

/// Somebody who waits for the lock must not write into the file that was there when he began to wait.
#[cfg(target_os = "linux")]
#[test]
fn a_registry_deleted_while_somebody_waits_for_the_lock_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry.db");
    note(&mut store(&path), "old").unwrap();
    let lock = lock(&path);
    let waiting = std::thread::spawn({
        let path = path.clone();
        move || note(&mut store(&path), "new")
    });
    wait_until_somebody_waits_for(&beside(&path, ".lock"));
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(beside(&path, ending)).unwrap();
    }
    drop(lock);
    let refused = waiting.join().unwrap();
    assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{refused:?}");
    assert!(!path.exists());
}

#[test]
fn waiting_for_the_registry_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry.db");
    note(&mut store(&path), "old").unwrap();
    let _lock = lock(&path);
    let refused = note(&mut SqliteStore::new(&path, Duration::from_millis(20)), "new");
    assert!(matches!(refused, Err(StoreError::Busy { .. })), "{refused:?}");
    let seen = read(&mut store(&path), |rows| rows.note("test")).unwrap();
    assert_eq!(seen.as_deref(), Some("old"), "reading waits for nobody");
}

/// What is read must still be true when the row goes in, so nothing is read before writing is allowed.
#[test]
fn nothing_is_read_for_writing_while_another_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("registry.db");
    note(&mut store(&path), "old").unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut ran = false;
    let refused: Result<(), StoreError> =
        write(&mut SqliteStore::new(&path, Duration::from_millis(20)), |_| {
            ran = true;
            Ok(())
        });
    assert!(matches!(refused, Err(StoreError::Busy { .. })), "{refused:?}");
    assert!(!ran);
}
