//! Which front ends offer an operation, and what it does: the table is complete, and true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use git_port::ops::catalogue::{Effect, OPERATIONS, PARTS};

use crate::support::TestEnv;

/// Commands about the program itself, and front ends: no operations.
const NO_OPERATION: &[&str] = &["completions", "man", "mcp", "shell-init"];

/// Returns the names of the commands below this one.
fn commands(env: &TestEnv, command: &str) -> Vec<String> {
    let help = env.ok(&env.root(), &format!("{command} -h"));
    let Some(list) = help.split("Commands:\n").nth(1) else { return vec![command.to_owned()] };
    let names = list
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help");
    names.map(|name| format!("{command} {name}").trim().to_owned()).collect()
}

#[test]
fn every_command_is_one_operation() {
    let env = TestEnv::new();
    let mut offered: Vec<&str> = OPERATIONS.iter().flat_map(|one| one.cli).copied().collect();
    offered.sort_unstable();
    let mut known = Vec::new();
    for command in commands(&env, "") {
        let parts =
            if NO_OPERATION.contains(&command.as_str()) { Vec::new() } else { commands(&env, &command) };
        known.extend(parts);
    }
    known.sort();
    assert_eq!(offered, known);
}

#[test]
fn every_operation_is_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files.insert(name.trim_end_matches(".rs").to_owned());
    }
    files.remove("mod");
    let named = OPERATIONS.iter().map(|one| one.name.split(' ').next().unwrap());
    let named: BTreeSet<String> = named.chain(PARTS.iter().copied()).map(str::to_owned).collect();
    assert_eq!(named, files);
    let names: BTreeSet<&str> = OPERATIONS.iter().map(|one| one.name).collect();
    assert_eq!(names.len(), OPERATIONS.len(), "a name stands twice");
}

#[test]
fn what_only_asks_leaves_the_registry_as_it_is() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let arguments = |command: &str| match command {
        "suggest" => " web",
        "check" | "history" => " 1",
        "worktree path" => " shop",
        _ => "",
    };
    let books = env.books();
    for operation in OPERATIONS.iter().filter(|one| one.effect == Effect::Reads) {
        for command in operation.cli {
            let words = format!("{command}{}", arguments(command));
            let run = env.git_port(&repo, words.split(' '));
            assert!(run.status <= 1, "{words}: {run:?}");
            assert_eq!(env.books(), books, "{words}");
        }
    }
}
