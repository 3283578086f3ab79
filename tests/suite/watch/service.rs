//! `git port watch --install` and `--uninstall`, with a `systemctl` that only notes how it was called.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::{GIT_PORT, Run, TestEnv};

struct Place {
    env: TestEnv,
    unit: PathBuf,
    log: PathBuf,
}

/// A configuration folder, and a `systemctl` that ends with this status; none at all without one.
fn place(status: Option<i32>) -> Place {
    let mut env = TestEnv::new();
    let (bin, config, log) = (env.root().join("bin"), env.root().join("config"), env.root().join("log"));
    fs::create_dir(&bin).unwrap();
    if let Some(status) = status {
        let program = bin.join("systemctl");
        fs::write(&program, format!("#!/bin/sh\necho \"$@\" >>'{}'\nexit {status}\n", log.display()))
            .unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in ["sh", "git"] {
        let path = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
            .unwrap();
        std::os::unix::fs::symlink(path, bin.join(name)).unwrap();
    }
    let variable = |name: &str, path: &std::path::Path| (name.to_owned(), path.to_str().unwrap().to_owned());
    env.variables.extend([variable("PATH", &bin), variable("XDG_CONFIG_HOME", &config)]);
    Place { unit: config.join("systemd/user/git-port-watch.service"), env, log }
}

impl Place {
    fn run(&self, words: &[&str]) -> Run {
        self.env.git_port(&self.env.root(), words).success()
    }

    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        fs::write(&self.log, "").unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

const START: [&str; 2] = ["--user daemon-reload", "--user enable --now git-port-watch.service"];

#[test]
fn it_is_installed_and_removed_and_twice_is_once() {
    let place = place(Some(0));
    let run = place.run(&["watch", "--install"]);
    assert_eq!(run.stdout, format!("Installed: {}\n", place.unit.display()));
    assert!(run.stderr.contains("loginctl enable-linger"), "{run:?}");
    let unit = fs::read_to_string(&place.unit).unwrap();
    assert!(unit.contains(&format!("\nExecStart=\"{GIT_PORT}\" watch\n")), "{unit}");
    assert_eq!(place.calls(), START);
    let run = place.run(&["watch", "--install"]);
    assert_eq!(run.stdout, format!("Already installed: {}\n", place.unit.display()));
    assert_eq!(fs::read_to_string(&place.unit).unwrap(), unit);
    assert_eq!(place.calls(), START, "one that was stopped is started");
    let run = place.run(&["watch", "--uninstall"]);
    assert_eq!(run.stdout, format!("Removed: {}\n", place.unit.display()));
    assert!(!place.unit.exists());
    let calls = place.calls();
    assert_eq!(calls[0], "--user disable --now git-port-watch.service");
    let run = place.run(&["watch", "--uninstall"]);
    assert_eq!(run.stdout, "Nothing was installed\n");
    assert!(place.calls().is_empty());
}

#[test]
fn programs_are_told_the_same() {
    let place = place(Some(0));
    let object = |words: &[&str]| place.run(words).object();
    for (words, changed) in
        [("--install", true), ("--install", false), ("--uninstall", true), ("--uninstall", false)]
    {
        let done = object(&["--json", "watch", words]);
        assert_eq!((&done["version"], &done["changed"]), (&1.into(), &changed.into()), "{done}");
        assert_eq!(done["path"].as_str(), place.unit.to_str());
        assert!(done["notes"].is_array());
    }
}

#[test]
fn without_a_manager_it_says_what_to_run() {
    for status in [None, Some(1)] {
        let place = place(status);
        let run = place.run(&["watch", "--install"]);
        assert!(place.unit.exists());
        let advice = "start it yourself: systemctl --user enable --now git-port-watch.service";
        assert!(run.stderr.contains(advice), "{run:?}");
        let run = place.run(&["watch", "--uninstall"]);
        assert!(run.stderr.contains("could not be stopped"), "{run:?}");
        assert!(!place.unit.exists());
    }
}

#[test]
fn an_older_file_is_replaced() {
    let place = place(Some(0));
    fs::create_dir_all(place.unit.parent().unwrap()).unwrap();
    fs::write(&place.unit, "[Service]\nExecStart=/an/older/git-port watch\n").unwrap();
    let run = place.run(&["watch", "--install"]);
    assert!(run.stdout.starts_with("Installed: "), "{run:?}");
    assert!(fs::read_to_string(&place.unit).unwrap().contains(GIT_PORT));
}
