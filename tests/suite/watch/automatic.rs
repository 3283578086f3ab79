//! The cleanup that comes with an allocation: rarely, never unasked for what is missing only just.

use std::fs;
use std::path::PathBuf;

use super::{is_live, worktree};
use crate::support::TestEnv;

/// A repository whose worktree is to go, and another in which ports are asked for.
struct Scene {
    env: TestEnv,
    repo: PathBuf,
    tree: PathBuf,
    port: u16,
    other: PathBuf,
    asked: u32,
}

impl Scene {
    fn new() -> Self {
        let mut env = TestEnv::new();
        env.variables.push(("GIT_PORT_TIME".to_owned(), "2030-01-01T00:00:00Z".to_owned()));
        let (repo, other) = (env.repo("shop"), env.repo("other"));
        let (tree, port) = worktree(&env, &repo, "one");
        Self { env, repo, tree, port, other, asked: 0 }
    }

    /// Asks for a port in the other repository at this time of the day.
    fn allocate(&mut self, time: &str) {
        self.asked += 1;
        let last = self.env.variables.iter_mut().find(|(name, _)| name == "GIT_PORT_TIME").unwrap();
        last.1 = format!("2030-01-01T{time}Z");
        self.env.ok(&self.other, &format!("allocate service{}", self.asked));
    }

    fn is_live(&self) -> bool {
        is_live(&self.env, self.port)
    }

    fn set(&mut self, name: &str, value: &str) {
        self.env.variables.push((name.to_owned(), value.to_owned()));
    }

    fn delete(&self) {
        fs::remove_dir_all(&self.tree).unwrap();
    }

    fn remove(&self) {
        self.env.git(&self.repo, ["worktree", "remove", self.tree.to_str().unwrap()]);
    }
}

#[test]
fn what_git_removed_is_released_at_once_when_it_is_time() {
    let mut scene = Scene::new();
    scene.remove();
    // The first allocation of all has looked already.
    scene.allocate("00:59:59");
    assert!(scene.is_live());
    scene.allocate("01:00:00");
    assert!(!scene.is_live());
}

#[test]
fn what_is_missing_is_released_after_ten_minutes_of_being_seen_so() {
    let mut scene = Scene::new();
    scene.set("GIT_PORT_CLEANUP_INTERVAL", "1m");
    scene.allocate("02:00:00");
    scene.delete();
    for time in ["02:01:00", "02:05:00", "02:10:59"] {
        scene.allocate(time);
        assert!(scene.is_live(), "{time}");
    }
    scene.allocate("02:12:00");
    assert!(!scene.is_live());
}

#[test]
fn what_was_missing_for_a_moment_starts_anew() {
    let mut scene = Scene::new();
    scene.set("GIT_PORT_CLEANUP_INTERVAL", "1m");
    let away = scene.env.root().join("work/away");
    scene.allocate("02:00:00");
    fs::rename(&scene.tree, &away).unwrap();
    scene.allocate("02:01:00");
    fs::rename(&away, &scene.tree).unwrap();
    scene.allocate("02:03:00");
    fs::rename(&scene.tree, &away).unwrap();
    for time in ["02:12:00", "02:21:00"] {
        scene.allocate(time);
        assert!(scene.is_live(), "{time}");
    }
    scene.allocate("02:23:00");
    assert!(!scene.is_live());
}

#[test]
fn it_looks_no_more_often_than_it_may() {
    let mut scene = Scene::new();
    scene.set("GIT_PORT_CLEANUP_INTERVAL", "30m");
    scene.allocate("02:00:00");
    scene.remove();
    scene.allocate("02:29:00");
    assert!(scene.is_live());
    scene.allocate("02:30:00");
    assert!(!scene.is_live());
}

#[test]
fn it_is_switched_off() {
    for name in ["PORT_AUTO_CLEANUP", "GIT_PORT_CLEANUP_AUTO"] {
        let mut scene = Scene::new();
        scene.set(name, "false");
        scene.remove();
        for time in ["02:00:00", "12:00:00", "23:00:00"] {
            scene.allocate(time);
            assert!(scene.is_live(), "{name}: {time}");
        }
        // One who asks for it gets it.
        scene.env.ok(&scene.env.root(), "cleanup");
        assert!(!scene.is_live(), "{name}");
    }
}

#[test]
fn other_releases_do_not_put_it_off() {
    let mut scene = Scene::new();
    scene.set("GIT_PORT_CLEANUP_INTERVAL", "30m");
    scene.allocate("02:00:00");
    let another = scene.env.repo("another");
    let (tree, _) = worktree(&scene.env, &another, "two");
    scene.remove();
    scene.env.git(&another, ["worktree", "remove", tree.to_str().unwrap()]);
    let last = scene.env.variables.iter_mut().find(|(name, _)| name == "GIT_PORT_TIME").unwrap();
    last.1 = "2030-01-01T02:20:00Z".to_owned();
    scene.env.ok(&another, "list");
    assert!(scene.is_live());
    scene.allocate("02:30:00");
    assert!(!scene.is_live());
}

#[test]
fn a_clock_that_goes_backwards_releases_nothing() {
    let mut scene = Scene::new();
    scene.set("GIT_PORT_CLEANUP_INTERVAL", "1m");
    scene.allocate("12:00:00");
    scene.delete();
    for time in ["12:01:00", "03:00:00", "12:02:00", "04:00:00"] {
        scene.allocate(time);
        assert!(scene.is_live(), "{time}");
    }
}
