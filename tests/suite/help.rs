//! The help and the manual pages: readable in a terminal of 80 columns, complete, well formed.

use std::fs;
use std::process::Command;

use crate::support::{GIT_PORT, Run, TestEnv};

/// Returns the command lines of all commands, as words, the program's own first.
fn commands(env: &TestEnv) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut waiting = vec![Vec::new()];
    while let Some(command) = waiting.pop() {
        let help = help(env, &command);
        if let Some(list) = help.split("Commands:\n").nth(1) {
            let lines = list.lines().take_while(|line| !line.is_empty());
            let names = lines
                .filter(|line| !line.starts_with("   "))
                .filter_map(|line| line.split_whitespace().next());
            for name in names.filter(|name| *name != "help" && !(command == ["worktree"] && is_gits(name))) {
                waiting.push(command.iter().cloned().chain([name.to_owned()]).collect());
            }
        }
        found.push(command);
    }
    assert!(found.len() > 25, "{found:?}");
    found
}

/// git answers for its own verbs.
pub(super) fn is_gits(verb: &str) -> bool {
    ["add", "move", "lock", "unlock", "prune", "repair"].contains(&verb)
}

fn help(env: &TestEnv, command: &[String]) -> String {
    let mut process = env.command(GIT_PORT, &env.root());
    Run::of(process.env("COLUMNS", "80").args(command).arg("-h").output().unwrap()).success().stdout
}

#[test]
fn help_fits_eighty_columns_and_has_no_full_stops() {
    let env = TestEnv::new();
    for command in commands(&env) {
        let help = help(&env, &command);
        let name = format!("git port {}", command.join(" "));
        assert!(help.contains(&format!("Usage: {}", name.trim_end())), "{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
        let first = help.lines().next().unwrap();
        assert!(first.starts_with(char::is_uppercase) && !first.ends_with('.'), "{name}: {first}");
        // Names of values are written as in git's own help.
        assert!(!help.contains("<BRANCH>") && !help.contains("[PATH]") && !help.contains("<PORT>"), "{help}");
    }
}

#[test]
fn every_command_has_a_manual_page_that_groff_reads_without_a_word() {
    let env = TestEnv::new();
    let folder = env.root().join("man");
    env.ok(&env.root(), "man --dir man");
    for command in commands(&env) {
        let name = std::iter::once("git-port").chain(command.iter().map(String::as_str));
        let page = folder.join(format!("{}.1", name.collect::<Vec<_>>().join("-")));
        let text = fs::read_to_string(&page).unwrap();
        for section in [".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", ".SH \"SEE ALSO\""] {
            assert!(text.contains(section), "{section} in {}:\n{text}", page.display());
        }
        assert!(text.is_ascii());
    }
    if Command::new("groff").arg("--version").output().is_ok_and(|output| output.status.success()) {
        for page in fs::read_dir(&folder).unwrap() {
            let page = page.unwrap().path();
            let run =
                Run::of(Command::new("groff").args(["-man", "-ww", "-Tutf8"]).arg(&page).output().unwrap());
            assert!(run.status == 0 && run.stderr.is_empty(), "{}: {}", page.display(), run.stderr);
        }
    }
}
