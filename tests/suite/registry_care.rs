//! The care of the registry: whatever happens to its file, no worktree loses its port.

mod harm;
mod killed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::support::{Run, TestEnv};

/// Does something to the registry's file.
type Harm = fn(&Path);

/// Ports by the worktree or owner that has them.
type Ports = BTreeMap<String, u64>;

fn beside(registry: &Path, ending: &str) -> PathBuf {
    let mut path = registry.to_owned().into_os_string();
    path.push(ending);
    path.into()
}

fn state(env: &TestEnv) -> PathBuf {
    env.registry().parent().unwrap().to_owned()
}

fn ports_of(run: &Run) -> Ports {
    let object = run.object();
    let allocations = object["allocations"].as_array().unwrap_or_else(|| panic!("{run:?}"));
    let ports: Ports = allocations
        .iter()
        .map(|one| {
            let owner = one["worktree"].as_str().or(one["service"].as_str()).unwrap();
            (format!("{owner} {}", one["service"]), one["port"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(ports.len(), allocations.len());
    ports
}

fn listed(env: &TestEnv) -> (Ports, Run) {
    let run = env.git_port(&env.root(), ["--json", "list", "--all"]).success();
    (ports_of(&run), run)
}

/// A home with three repositories and this many linked worktrees, each with a port.
fn with_worktrees(count: usize) -> (TestEnv, Ports) {
    let mut env = TestEnv::new();
    let first = 25_000 + 1_000 * u16::try_from(std::process::id() % 7).unwrap();
    env.set("GIT_PORT_RANGES_DEV", format!("{first}-{}", first + 999));
    for (index, name) in ["one", "two", "three"].into_iter().enumerate() {
        let repo = env.repo(name);
        env.ok(&repo, "get");
        for number in (0..count).filter(|number| number % 3 == index) {
            let path = format!("../w{number}");
            env.git(&repo, ["worktree", "add", "--quiet", "--no-checkout", "--detach", &path]);
        }
        env.ok(&repo, "list");
    }
    let (ports, _) = listed(&env);
    assert_eq!(ports.len(), count + 3);
    (env, ports)
}

fn is_sound(registry: &Path) -> bool {
    let connection = Connection::open(registry).unwrap();
    connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap() == "ok"
}

fn backups(env: &TestEnv) -> Vec<PathBuf> {
    let entries = fs::read_dir(state(env).join("backups")).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "db"));
    paths.sort();
    paths
}

#[test]
fn whatever_happens_to_the_file_every_port_comes_back() {
    let (env, ports) = with_worktrees(200);
    assert!(!backups(&env).is_empty(), "so many changes are backed up");
    let quarantine = state(&env).join("quarantine");
    for with_backups in [true, false] {
        for (name, harm) in harm::cases() {
            if !with_backups {
                let _ = fs::remove_dir_all(state(&env).join("backups"));
            }
            harm(&env.registry());
            let (now, run) = listed(&env);
            assert_eq!(now, ports, "{name}, backups: {with_backups}: {}", run.stderr);
            assert!(run.stderr.contains("the registry was damaged"), "{name}: {}", run.stderr);
            assert!(is_sound(&env.registry()), "{name}");
            let (again, quiet) = listed(&env);
            assert_eq!((again, quiet.stderr.as_str()), (ports.clone(), ""), "{name}");
        }
    }
    assert!(fs::read_dir(quarantine).unwrap().count() >= 10, "what was damaged is kept");
    // A new worktree gets a port that nobody else has.
    env.ok(&env.root().join("one"), "worktree create another");
    let (now, _) = listed(&env);
    let different: std::collections::BTreeSet<_> = now.values().collect();
    assert_eq!(different.len(), ports.len() + 1);
}

#[test]
fn a_deleted_log_is_noticed() {
    let (env, ports) = with_worktrees(6);
    // The file itself is whole, and holds what was folded into it.
    assert!(fs::metadata(beside(&env.registry(), "-wal")).unwrap().len() > 0);
    fold(&env.registry());
    let repo = env.root().join("one");
    env.git(&repo, ["worktree", "add", "--quiet", "--no-checkout", "--detach", "../late"]);
    env.ok(&repo, "list");
    let (with_late, _) = listed(&env);
    assert_eq!(with_late.len(), ports.len() + 1);
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(&env.registry(), ending));
    }
    let (now, run) = listed(&env);
    assert_eq!(now, with_late, "{}", run.stderr);
    assert!(run.stderr.contains("is gone") || run.stderr.contains("are gone"), "{}", run.stderr);
}

#[test]
fn wrong_counts_are_noticed_and_counted_anew() {
    let (env, ports) = with_worktrees(3);
    let counts = |sql: &str| Connection::open(env.registry()).unwrap().execute(sql, []).unwrap();
    for wrong in
        ["UPDATE promised SET ports = 128", "DELETE FROM promised", "UPDATE promised SET part = part + 1"]
    {
        counts(wrong);
        let looked = env.git_port(&env.root(), ["doctor", "--fix"]);
        assert!(looked.stdout.contains("counted wrongly"), "{wrong}: {looked:?}");
        let (now, quiet) = listed(&env);
        assert_eq!((now, quiet.stderr.as_str()), (ports.clone(), ""), "{wrong}");
        env.git_port(&env.root(), ["doctor", "--fix"]).success();
    }
}

fn fold(registry: &Path) {
    let connection = Connection::open(registry).unwrap();
    for mode in ["delete", "wal"] {
        connection.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(())).unwrap();
    }
}

#[test]
fn of_several_that_find_the_damage_one_mends_it() {
    let (env, ports) = with_worktrees(30);
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(beside(&env.registry(), ending)).unwrap();
    }
    let all: Vec<_> = (0..8)
        .map(|_| {
            let mut command = env.command(crate::support::GIT_PORT, &env.root());
            command.args(["--json", "list", "--all"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    let runs: Vec<Run> = all.into_iter().map(|child| Run::of(child.wait_with_output().unwrap())).collect();
    for run in &runs {
        assert_eq!(run.status, 0, "{run:?}");
        assert_eq!(ports_of(run), ports);
    }
    let mended = runs.iter().filter(|run| run.stderr.contains("restored")).count();
    assert_eq!(mended, 1, "{runs:#?}");
}

#[test]
fn what_only_the_registry_knew_comes_from_the_backup() {
    let mut env = TestEnv::new();
    let root = env.root();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    env.ok(&root, "allocate web --project p");
    env.ok(&root, "reserve 9321");
    env.set("GIT_PORT_TIME", "2026-01-03T00:00:00Z");
    env.ok(&root, "allocate api --project p");
    assert_eq!(backups(&env).len(), 1, "a day has passed");
    let books = env.json(&root, "range list");
    let before = listed(&env).0;
    fs::remove_file(env.registry()).unwrap();
    let (after, run) = listed(&env);
    assert_eq!(after, before);
    assert!(run.stderr.contains("2 from the backup of 2026-01-03 00:00:00 UTC"), "{}", run.stderr);
    assert_eq!(env.json(&root, "range list"), books);
}

#[test]
fn a_worktree_on_a_disk_that_is_not_there_keeps_its_port() {
    let (env, ports) = with_worktrees(3);
    let away = env.root().join("away");
    fs::rename(env.root().join("w1"), &away).unwrap();
    fs::remove_file(env.registry()).unwrap();
    let (now, run) = listed(&env);
    assert_eq!(now, ports, "{}", run.stderr);
    fs::rename(&away, env.root().join("w1")).unwrap();
    assert_eq!(listed(&env).0, ports);
}

#[test]
fn with_nothing_to_restore_from_it_says_what_to_do() {
    let env = TestEnv::new();
    env.ok(&env.root(), "allocate web --project p");
    fs::write(env.registry(), "").unwrap();
    let run = env.git_port(&env.root(), ["list", "--all"]).success();
    assert!(run.stderr.contains("it is empty"), "{run:?}");
    assert!(run.stderr.contains("hint: run 'git port doctor --fix' in each repository"), "{run:?}");
}

#[test]
fn the_files_of_variables_are_the_last_source() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api-server]\n").unwrap();
    env.ok(&repo, "allocate web api-server");
    let before = listed(&env).0;
    for path in [env.registry(), beside(&env.registry(), "-wal"), repo.join(".git/git-port/main.json")] {
        fs::remove_file(path).unwrap();
    }
    let (after, run) = listed(&env);
    assert_eq!(after, before, "{}", run.stderr);
    assert!(run.stderr.contains("2 from files of variables"), "{}", run.stderr);
    assert!(repo.join(".git/git-port/main.json").exists(), "and the copy is there again");
}

#[test]
fn what_was_released_since_the_backup_stays_released() {
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    env.ok(&repo, "allocate web");
    env.set("GIT_PORT_TIME", "2026-01-03T00:00:00Z");
    env.ok(&repo, "allocate api");
    assert_eq!(backups(&env).len(), 1);
    env.ok(&repo, "release api");
    let before = listed(&env).0;
    fs::write(env.registry(), "garbage").unwrap();
    let (after, run) = listed(&env);
    assert_eq!(after, before, "{}", run.stderr);
}

#[test]
fn a_port_that_two_copies_promise_goes_to_the_later() {
    let env = TestEnv::new();
    let (one, two) = (env.repo("one"), env.repo("two"));
    let port = env.ok(&one, "get");
    env.ok(&two, "get");
    let copy = |repo: &Path| repo.join(".git/git-port/main.json");
    let text = fs::read_to_string(copy(&two)).unwrap();
    let mut object: serde_json::Value = serde_json::from_str(&text).unwrap();
    object["allocations"][0]["port"] = port.trim().parse::<u16>().unwrap().into();
    fs::write(copy(&two), object.to_string()).unwrap();
    fs::remove_file(env.registry()).unwrap();
    let run = env.git_port(&env.root(), ["--json", "list", "--all"]).success();
    assert!(run.stderr.contains("is another's now"), "{run:?}");
    assert_eq!(ports_of(&run).len(), 1);
    // The other one gets a new port when it next asks.
    let ports = [env.ok(&one, "get"), env.ok(&two, "get")];
    assert_ne!(ports[0], ports[1]);
    assert!(ports.contains(&port));
}

#[test]
fn backups_rotate() {
    let mut env = TestEnv::new();
    for day in 1..=9 {
        env.set("GIT_PORT_TIME", format!("2026-01-0{day}T12:00:00Z"));
        env.ok(&env.root(), &format!("allocate s{day} --project p"));
    }
    let names: Vec<String> =
        backups(&env).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let expected = [7, 8, 9].map(|day| format!("registry-2026010{day}T120000Z.db"));
    assert_eq!(names, expected);
    for backup in backups(&env) {
        assert!(is_sound(&backup));
    }
    // A clock that went back does not make the newest backup the first to go.
    env.set("GIT_PORT_TIME", "2025-06-01T00:00:00Z");
    env.ok(&env.root(), "allocate late --project p");
    assert!(backups(&env).iter().any(|path| path.ends_with("registry-20250601T000000Z.db")));
    assert_eq!(backups(&env).len(), 3);
}

#[test]
fn twenty_changes_are_backed_up() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    for number in 0..19 {
        env.ok(&env.root(), &format!("allocate s{number} --project p"));
    }
    assert!(backups(&env).is_empty());
    env.ok(&env.root(), "allocate last --project p");
    assert_eq!(backups(&env).len(), 1);
}

#[test]
fn the_history_is_kept_within_bounds() {
    let env = TestEnv::new();
    env.ok(&env.root(), "allocate web --project p");
    let connection = Connection::open(env.registry()).unwrap();
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10500) \
        INSERT INTO events (at, kind, host, protocol, reason) SELECT i, 'updated', 'h', 'tcp', 'x' FROM n";
    connection.execute_batch(sql).unwrap();
    drop(connection);
    env.ok(&env.root(), "cleanup");
    let connection = Connection::open(env.registry()).unwrap();
    let count: i64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 10_000);
}

#[test]
fn a_home_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let env = TestEnv::new();
    env.ok(&env.root(), "allocate web --project p");
    let above = env.home().join(".local");
    fs::set_permissions(&above, fs::Permissions::from_mode(0o777)).unwrap();
    let run = env.git_port(&env.root(), ["allocate", "api", "--project", "p"]).exits_with(128);
    assert!(run.stderr.contains(".local' may be written by everybody"), "{run:?}");
    env.ok(&env.root(), "list --all");
    fs::set_permissions(&above, fs::Permissions::from_mode(0o1777)).unwrap();
    env.ok(&env.root(), "allocate api --project p");
}

/// Reading goes on from the worktree's own copy, whatever keeps the registry from being opened.
#[test]
fn a_worktree_knows_its_ports_without_the_registry() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let port = env.ok(&repo, "get");
    let harms: [(&str, Harm); 3] = [
        ("no file", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("a link", |path| {
            fs::remove_dir(path).unwrap();
            std::os::unix::fs::symlink("/nowhere", path).unwrap();
        }),
        ("newer", |path| {
            fs::remove_file(path).unwrap();
            let connection = Connection::open(path).unwrap();
            connection.execute_batch("CREATE TABLE notes (key TEXT, value TEXT)").unwrap();
            connection.pragma_update(None, "application_id", 0x6750_5254).unwrap();
            connection.pragma_update(None, "user_version", 99).unwrap();
        }),
    ];
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(&env.registry(), ending));
    }
    for (name, harm) in harms {
        harm(&env.registry());
        println!("{name}");
        assert_eq!(env.ok(&repo, "get"), port);
        assert_eq!(env.ok(&repo, "url").trim(), format!("http://localhost:{}", port.trim()));
        assert!(env.ok(&repo, "env --format dotenv").contains(&format!("PORT={}", port.trim())));
        // A program that is over before it can be recorded is not missed.
        let words = ["run", "--", "sh", "-c", "echo $PORT; sleep 2"];
        let run = env.git_port(&repo, words).success();
        assert_eq!(run.stdout, port);
        assert_eq!(run.stderr.matches("not recorded").count(), 1, "{run:?}");
        let refused = env.git_port(&repo, ["allocate", "other"]);
        assert_eq!(refused.status, 128);
        assert!(refused.stderr.contains("hint: "), "{refused:?}");
    }
}
