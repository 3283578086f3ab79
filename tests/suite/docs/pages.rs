//! The pages as a book: each has its place in it, and what is made from the program is up to date.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::mcp::Session;
use crate::support::{GIT_PORT, Run, TestEnv};

use super::{is_as_made, read, root};

/// Returns the pages below a folder, by their paths from `docs`.
fn pages(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.insert(path.strip_prefix(root().join("docs")).unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn every_page_has_its_place_in_the_book() {
    let mut found = BTreeSet::new();
    pages(&root().join("docs"), &mut found);
    found.remove("SUMMARY.md");
    let summary = read("docs/SUMMARY.md");
    let listed: BTreeSet<String> =
        summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap().to_owned()).collect();
    assert_eq!(listed, found);
    let decisions = read("docs/design/README.md");
    for page in
        found.iter().filter_map(|page| page.strip_prefix("design/")).filter(|page| *page != "README.md")
    {
        assert!(decisions.contains(&format!("({page})")), "{page}");
    }
}

#[test]
fn the_book_is_built_where_mdbook_is() {
    if Command::new("mdbook").arg("--version").output().is_err() {
        println!("ignored: no mdbook");
        return;
    }
    let env = TestEnv::new();
    let book = env.root().join("book");
    let mut command = env.command("mdbook", root());
    let run = Run::of(command.args(["build", "docs", "--dest-dir"]).arg(&book).output().unwrap()).success();
    assert!(!run.stderr.contains("ERROR") && !run.stderr.contains("WARN"), "{run:?}");
    assert!(book.join("tutorial.html").is_file());
}

/// Appends the help of a command, and of those below it.
fn describe(env: &TestEnv, words: &[String], page: &mut String) {
    let mut command = env.command(GIT_PORT, &env.root());
    let help =
        Run::of(command.env("COLUMNS", "100").args(words).arg("-h").output().unwrap()).success().stdout;
    let name = std::iter::once("git port").chain(words.iter().map(String::as_str)).collect::<Vec<_>>();
    if !words.is_empty() {
        page.push_str(&format!("\n{} {}\n", "#".repeat(words.len() + 1), name.join(" ")));
    }
    // What holds for every command is said once.
    let own = if words.is_empty() {
        help.clone()
    } else {
        let (before, after) = help.split_once("Options of every command:\n").unwrap_or((&help, ""));
        let after = after.split_once("\n\n").map_or("", |(_, after)| after);
        format!("{}\n\n{after}", before.trim_end())
    };
    page.push_str(&format!("\n```text\n{}\n```\n", own.trim_end()));
    let Some(list) = help.split("Commands:\n").nth(1) else { return };
    let lines = list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    for name in lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        // git answers for its own verbs.
        if words != ["worktree"] || !super::super::help::is_gits(name) {
            describe(env, &[words, &[name.to_owned()]].concat(), page);
        }
    }
}

#[test]
fn the_reference_of_commands_is_what_they_say_themselves() {
    let mut page = String::from(
        "# Commands\n\nWhat `git port <command> -h` says, for all of them. The options of every command stand \
         with the first. Made from the program; a test compares.\n",
    );
    describe(&TestEnv::new(), &[], &mut page);
    is_as_made("docs/reference/commands.md", &page);
}

#[test]
fn the_schemas_are_those_of_the_tools() {
    let env = TestEnv::new();
    let mut session = Session::open(&env, &env.root(), "2025-11-25");
    let tools = session.ask("tools/list", &json!({}))["result"]["tools"].clone();
    let schema = |tool: &Value| {
        let name = tool["name"].as_str().unwrap().to_owned();
        (name, json!({ "input": tool["inputSchema"], "output": tool["outputSchema"] }))
    };
    let schemas: serde_json::Map<_, _> = tools.as_array().unwrap().iter().map(schema).collect();
    assert!(schemas.len() >= 11 && schemas.values().all(|schema| schema["output"].is_object()));
    let made = format!("{}\n", serde_json::to_string_pretty(&schemas).unwrap());
    is_as_made("docs/reference/schemas.json", &made);
}

#[test]
fn troubleshooting_names_what_the_program_says() {
    fn sources(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else {
                text.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap()));
            }
        }
    }
    let mut text = String::new();
    sources(&root().join("src"), &mut text);
    let page = read("docs/troubleshooting.md");
    let by_message = page.split("## By what one sees").next().unwrap();
    let headings: Vec<&str> =
        by_message.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    assert!(headings.len() >= 12);
    for heading in headings {
        for part in heading.split(['…', '\'']).filter(|part| part.len() > 3) {
            // A name in a message is a pair of braces in the source.
            let known = text.contains(part) || part.split("git worktree add").all(|part| text.contains(part));
            assert!(known, "nothing says '{part}'");
        }
    }
}
