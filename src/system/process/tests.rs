//! Real processes, and lines that hostile ones would leave in `/proc`.

use super::linux::{Stat, name, undeleted};
use super::*;
use std::path::Path;
use std::process::Child;

use crate::system::command::Command;

fn sleeper() -> Child {
    Command::new("sleep").arg("60").spawn_piped().unwrap()
}

const NUMBERS: &str = "S 41 42 43 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0";

#[test]
fn a_name_may_hold_anything() {
    for hostile in ["sh", "a b", "(sd-pam)", ") Z 1 1 1", "x\n)\n(", "", "é) S"] {
        let line = format!("4121 ({hostile}) {NUMBERS}\n");
        let stat = Stat::parse(line.as_bytes()).unwrap();
        assert_eq!((stat.name.as_str(), stat.state), (hostile, b'S'));
        assert_eq!((stat.parent, stat.group, stat.session, stat.started), (41, 42, 43, 987_654));
    }
    assert!(Stat::parse(b"4121 (\xff\x1b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 5").is_some());
    for damaged in ["", "4121", "4121 (", "4121 )(", "4121 (sh) S 1", "4121 (sh)"] {
        assert_eq!(Stat::parse(damaged.as_bytes()), None, "{damaged:?}");
    }
}

#[test]
fn a_process_is_called_by_its_program_where_its_thread_says_less() {
    let named = |thread: &str, program: &str| name(thread.to_owned(), &[program.to_owned()]);
    assert_eq!(named("node", "node"), "node");
    assert_eq!(named("MainThread", "/usr/bin/node"), "node");
    assert_eq!(named("node-MainThread", "node"), "node");
    assert_eq!(named("a-very-long-nam", "/opt/a-very-long-name-indeed"), "a-very-long-name-indeed");
    assert_eq!(named("nginx", "nginx: master process nginx"), "nginx");
    assert_eq!(name("kthreadd".to_owned(), &[]), "kthreadd");
}

#[test]
fn a_folder_that_is_gone_keeps_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("x (deleted)");
    std::fs::create_dir(&odd).unwrap();
    assert_eq!(undeleted(odd.clone()), odd);
    std::fs::remove_dir(&odd).unwrap();
    assert_eq!(undeleted(odd), folder.path().join("x"));
}

#[test]
fn a_process_lives_until_it_ends_not_until_it_is_waited_for() {
    let mut child = sleeper();
    // Its arguments are there a moment after its name.
    let mut looks = std::iter::repeat_with(|| find(child.id()).unwrap());
    let process = looks.find(|process| !process.command.is_empty()).unwrap();
    assert_eq!(process.name, "sleep");
    assert_eq!(process.command, ["sleep", "60"]);
    assert_eq!(process.cwd, std::env::current_dir().ok());
    assert_eq!(process.parent, Some(std::process::id()));
    assert!(is_alive(&process.id));
    // The same number with another start, or in another boot, is another process.
    assert!(!is_alive(&ProcessId { started: process.id.started + 1, ..process.id.clone() }));
    assert!(!is_alive(&ProcessId { boot: "another".to_owned(), ..process.id.clone() }));
    child.kill().unwrap();
    let stat = format!("/proc/{}/stat", child.id());
    while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
    assert!(!is_alive(&process.id), "a zombie");
    assert_eq!(find(child.id()), None, "a zombie");
    child.wait().unwrap();
    assert!(!is_alive(&process.id));
    assert!(!Path::new(&stat).exists());
}

#[test]
fn descent_is_followed_upwards_only() {
    let mut child = sleeper();
    let this = std::process::id();
    assert!(descends_from(child.id(), this));
    assert!(descends_from(this, this));
    assert!(!descends_from(this, child.id()));
    assert!(!descends_from(u32::MAX, this));
    child.kill().unwrap();
    child.wait().unwrap();
}
