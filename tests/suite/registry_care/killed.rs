//! Processes that are killed while they make, back up or mend a registry.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use super::{backups, beside, is_sound, listed, state, with_worktrees};
use crate::support::{GIT_PORT, TestEnv};

/// Starts the program with these words and kills it after so many milliseconds.
fn killed_after(env: &TestEnv, milliseconds: u64, words: &str) {
    let mut command = env.command(GIT_PORT, &env.root());
    command.args(words.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(milliseconds));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn while_a_registry_is_made() {
    for round in 0..30 {
        let env = TestEnv::new();
        killed_after(&env, round * 2, "allocate web --project p");
        assert!(listed(&env).0.len() <= 1);
        env.ok(&env.root(), "allocate web --project p");
        let (ports, run) = listed(&env);
        assert_eq!((ports.len(), run.stderr.as_str()), (1, ""), "round {round}");
        assert!(is_sound(&env.registry()));
    }
}

#[test]
fn while_a_backup_is_made() {
    let mut env = TestEnv::new();
    env.ok(&env.root(), "allocate web --project p");
    for round in 0..30_u64 {
        env.set("GIT_PORT_TIME", format!("2027-01-{:02}T00:00:00Z", round + 1));
        killed_after(&env, 10 + round * 2, &format!("allocate s{round} --project p"));
        let (_, run) = listed(&env);
        assert_eq!(run.stderr, "", "round {round}");
        for backup in backups(&env) {
            assert!(is_sound(&backup), "round {round}: {}", backup.display());
        }
    }
    env.set("GIT_PORT_TIME", "2027-03-01T00:00:00Z");
    env.ok(&env.root(), "allocate last --project p");
    let left: Vec<_> = fs::read_dir(state(&env).join("backups")).unwrap().collect();
    assert!(left.len() <= 4, "three backups and a lock: {left:?}");
}

#[test]
fn while_a_registry_is_mended() {
    let (env, ports) = with_worktrees(20);
    for round in 0..20 {
        fs::remove_file(env.registry()).unwrap();
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(beside(&env.registry(), ending));
        }
        if round % 2 == 0 {
            let _ = fs::remove_dir_all(state(&env).join("backups"));
        }
        killed_after(&env, 5 + round * 5, "list --all");
        let (now, run) = listed(&env);
        assert_eq!(now, ports, "round {round}: {}", run.stderr);
        assert!(is_sound(&env.registry()), "round {round}");
    }
}
