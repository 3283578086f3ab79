//! Rows that somebody is in the way of, under each policy.

use std::fs;
use std::path::PathBuf;

use super::{import, rows};
use crate::support::{TestEnv, shape};

/// A service outside git, one of a worktree that is alive, and one of a worktree that is gone.
fn occupied() -> (TestEnv, PathBuf) {
    let mut env = TestEnv::new();
    env.set("PORT_AUTO_CLEANUP", "false");
    let repo = env.repo("shop");
    env.git_port(&env.root(), ["allocate", "outside", "--project", "edge"]).success();
    env.ok(&repo, "allocate alive");
    env.ok(&repo, "worktree create gone --service gone");
    fs::remove_dir_all(env.root().join("shop-gone")).unwrap();
    (env, repo)
}

fn document(env: &TestEnv) -> String {
    let row = |index: u16, name: &str| format!("{},{name},new\n", env.port(index));
    format!("port,service,project\n{}{}{}{}", row(0, "a"), row(1, "b"), row(2, "c"), row(9, "free"))
}

#[test]
fn by_default_nothing_is_imported() {
    let (env, _) = occupied();
    let books = env.books();
    for words in ["", "--dry-run", "--on-conflict fail"] {
        let run = import(&env, &env.root(), "a.csv", &document(&env), words).exits_with(4);
        assert!(
            run.stdout.contains(&format!("~ {} new/a (dev): port {0} belongs to edge/outside", env.port(0))),
            "{run:?}"
        );
        assert!(run.stdout.ends_with("+ 1 new, ~ 3 conflicts\n"), "{run:?}");
        let tense = if words == "--dry-run" { "would be" } else { "was" };
        assert!(
            run.stderr.starts_with(&format!("error: 3 conflicts: nothing {tense} imported\n")),
            "{run:?}"
        );
        assert_eq!(env.books(), books);
    }
    let run = import(&env, &env.root(), "a.csv", &document(&env), "--json").exits_with(4);
    let object = run.object();
    assert_eq!(shape::error(&object, "conflict"), "3 conflicts: nothing was imported");
    assert_eq!(object["conflicts"].as_array().unwrap().len(), 3);
    assert_eq!(object["conflicts"][0]["line"], 2);
    assert!(object["conflicts"][0]["reason"].as_str().unwrap().contains("edge/outside"));
    assert_eq!(run.stdout.lines().count(), 1);
}

#[test]
fn skipped_they_leave_the_rest() {
    let (env, _) = occupied();
    let run = import(&env, &env.root(), "a.csv", &document(&env), "--on-conflict skip --json").success();
    let object = run.object();
    assert_eq!(rows(&object, "added"), [format!("{} new/free dev", env.port(9))]);
    assert_eq!(object["skipped"].as_array().unwrap().len(), 3);
    assert_eq!(object["conflicts"].as_array().unwrap().len(), 0);
    assert_eq!(env.listed(&env.root(), "--project new"), [u64::from(env.port(9))]);
}

#[test]
fn replacing_takes_nothing_from_a_worktree_that_is_alive() {
    let (env, repo) = occupied();
    let books = env.books();
    let run = import(&env, &env.root(), "a.csv", &document(&env), "--on-conflict replace").exits_with(4);
    assert!(run.stdout.contains(&format!("~ {} new/b (dev)", env.port(1))), "{run:?}");
    assert!(run.stdout.contains("whose worktree is alive"), "{run:?}");
    assert!(run.stdout.ends_with("+ 3 new, ~ 1 conflict\n"), "{run:?}");
    assert_eq!(env.books(), books, "all or nothing");

    let text = document(&env).replace(&format!("{},b,new\n", env.port(1)), "");
    let run = import(&env, &env.root(), "a.csv", &text, "--on-conflict replace --json").success();
    let object = run.object();
    assert_eq!(object["replaced"].as_array().unwrap().len(), 2, "{object}");
    let listed: Vec<u64> = [0, 2, 9].map(|index| u64::from(env.port(index))).to_vec();
    assert_eq!(env.listed(&env.root(), "--project new"), listed);
    assert_eq!(env.listed(&env.root(), "--project edge").len(), 0);
    assert_eq!(env.one(&repo, "get alive --no-allocate")["port"], env.port(1));
}

#[test]
fn a_service_that_has_another_port_is_a_conflict() {
    let env = TestEnv::new();
    let root = env.root();
    env.ok(&root, "allocate web --project edge");
    let text = format!("port,service,project\n{},web,edge\n", env.port(5));
    let run = import(&env, &root, "a.csv", &text, "").exits_with(4);
    assert!(run.stdout.contains(&format!("'edge/web' has port {} already", env.port(0))), "{run:?}");
    import(&env, &root, "a.csv", &text, "--on-conflict replace").success();
    assert_eq!(env.listed(&root, "--project edge"), [u64::from(env.port(5))]);
}

#[test]
fn what_stands_twice_in_a_document_is_a_conflict() {
    let env = TestEnv::new();
    let text =
        format!("port,service,project\n{0},web,edge\n{0},api,edge\n{1},web,edge\n", env.port(0), env.port(1));
    for words in ["", "--on-conflict replace"] {
        let run = import(&env, &env.root(), "a.csv", &text, words).exits_with(4);
        assert!(
            run.stdout.contains(&format!("port {} stands in it twice, first on line 2", env.port(0))),
            "{run:?}"
        );
        assert!(run.stdout.contains("'edge/web' stands in it twice, first on line 2"), "{run:?}");
    }
    import(&env, &env.root(), "a.csv", &text, "--on-conflict skip").success();
    assert_eq!(env.listed(&env.root(), "--all"), [u64::from(env.port(0))]);
}

#[test]
fn a_row_that_fails_at_the_end_leaves_nothing_behind() {
    let env = TestEnv::new();
    let root = env.root();
    env.ok(&root, "reserve 1");
    let books = env.books();
    // A trigger stands for a disk that is full at the last row.
    let registry = rusqlite::Connection::open(env.registry()).unwrap();
    let trigger = "CREATE TRIGGER full BEFORE INSERT ON allocations WHEN NEW.service = 'last' \
        BEGIN SELECT RAISE(ABORT, 'no room'); END";
    registry.execute_batch(trigger).unwrap();
    drop(registry);
    let mut text = "port,service,project\n".to_owned();
    for index in 0..50 {
        text += &format!("{},s{index},edge\n", env.port(index));
    }
    text += &format!("{},last,edge\n", env.port(60));
    let run = import(&env, &root, "a.csv", &text, "");
    assert!(run.status >= 4 && run.stderr.contains("no room"), "{run:?}");
    assert_eq!(env.books(), books);
}
