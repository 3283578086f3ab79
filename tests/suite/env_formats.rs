//! What is written for shells and env file readers comes back from the real ones as it was, and nothing
//! in it is executed.
//!
//! Thousands of values go through one process of each program, as an environment that it prints.

use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};

use git_port::template::dotenv::{self, Identity};
use git_port::template::{Format, Variable, shell};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::dev_servers::lab;
use crate::support::TestEnv;

const HOSTILE: &[&str] = &[
    "",
    "`touch x`",
    "$(touch x)",
    "a'; touch x; '",
    "'; touch x #",
    "\"; touch x; \"",
    "'\"'\"'",
    "'",
    "''",
    "\\'",
    "'\\''$(touch x)'\\''",
    "\\",
    "\\\\",
    "a\\",
    "\\n",
    "\n",
    "a\nTOUCH=x\ntouch x\n",
    "a\r\nb",
    "\r",
    "\t",
    " ",
    " lead and trail ",
    "\u{1b}[31mred",
    "\u{9b}31m",
    "\u{85}",
    "\u{7f}",
    "\u{202e}evil",
    "\u{200b}",
    "\u{2028}",
    "\u{feff}x",
    "\u{2018}; touch x; \u{2019}",
    "\u{201c}$(touch x)\u{201d}",
    "%s%n",
    ";touch x",
    "& touch x &",
    "| touch x",
    "> x",
    "-n",
    "--",
    "-e x",
    "$HOME",
    "${HOME}",
    "$5",
    "\\$HOME",
    "$'touch x'",
    "(touch x)",
    "{a,b}",
    "~",
    "*",
    "?[a]",
    "!!",
    "!$",
    "#x",
    "a #b",
    "a=b",
    "<(touch x)",
    "feat/$(touch${IFS}x)",
    "été",
    "日本語",
    "e\u{301}",
    "😀",
    // fish keeps these for itself.
    "\u{f600}\u{f6ff}\u{e000}\u{fdd0}",
    "\u{10ffff}",
    "GIT_PORT_EOF",
];

fn values() -> Vec<String> {
    let strategy = prop_oneof![
        any::<String>(),
        "[ -~]{0,16}",
        "\\PC{0,8}",
        "['\"\\\\$`{}() \n\t!#;&|<>*?~=a-]{0,8}",
        "[$`(){} a-z\"#;|&*-]{1,12}",
    ];
    let mut runner = TestRunner::default();
    let random = (0..10_000).map(|_| strategy.new_tree(&mut runner).unwrap().current().replace('\0', ""));
    HOSTILE.iter().map(|value| (*value).to_owned()).chain(random).collect()
}

fn named(values: impl IntoIterator<Item = String>) -> Vec<Variable> {
    values.into_iter().enumerate().map(|(at, value)| Variable { name: format!("V{at}"), value }).collect()
}

/// Says whether the program can be started; where it must be there, it is an error that it is not.
fn is_there(what: &str, probe: &[&str]) -> bool {
    let status =
        Command::new(probe[0]).args(&probe[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if status.is_ok_and(|status| status.success()) {
        return true;
    }
    crate::support::herd::ignored_for_want_of(what);
    false
}

/// Runs the program on a file with this text, called `given`, and returns the environment that it
/// prints as `env -0` does.
fn environment(what: &str, command: &[&str], text: &str) -> HashMap<String, String> {
    let home = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("given"), text).unwrap();
    let output = Command::new(command[0])
        .args(&command[1..])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home.path())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{what}: {}: {stderr}", output.status);
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["given"], "{what} executed something");
    let entries = String::from_utf8(output.stdout).unwrap();
    let pair = |entry: &str| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    entries.split_terminator('\0').map(|entry| pair(entry).unwrap()).collect()
}

/// Holds that the program reads the text as these variables, and sets no other.
fn assert_reads(what: &str, command: &[&str], text: &str, expected: &[Variable]) {
    let mut read = environment(what, command, text);
    for Variable { name, value } in expected {
        assert_eq!(read.remove(name).as_deref(), Some(value.as_str()), "{what}: {name}");
    }
    let own = environment(what, command, "");
    read.retain(|name, _| !own.contains_key(name));
    assert!(read.is_empty(), "{what} has more: {read:?}");
}

#[test]
fn shells_get_every_value_back() {
    let variables = named(values());
    let sh = shell::render(Format::Sh, &variables).unwrap();
    let evaluated = "eval \"$(cat given)\" && exec env -0";
    let shells: &[(&str, &[&str])] = &[
        ("sh", &["sh", "-c", evaluated]),
        ("bash", &["bash", "--noprofile", "--norc", "-c", evaluated]),
        ("bash", &["bash", "--noprofile", "--norc", "-O", "extglob", "-o", "posix", "-c", evaluated]),
        ("zsh", &["zsh", "-f", "-c", evaluated]),
        ("zsh", &["zsh", "-f", "-o", "rcquotes", "-o", "extendedglob", "-o", "banghist", "-c", evaluated]),
    ];
    for (name, command) in shells {
        if is_there(name, &[name, "-c", "exit 0"]) {
            assert_reads(name, command, &sh, &variables);
        }
    }
    if is_there("fish", &["fish", "-c", "exit 0"]) {
        let fish = shell::render(Format::Fish, &variables).unwrap();
        let command = ["fish", "--no-config", "-c", "cat given | source; and exec env -0"];
        assert_reads("fish", &command, &fish, &variables);
    }
}

#[test]
fn env_file_readers_get_every_value_back() {
    let accepted = values().into_iter().filter(|value| dotenv::quote(value).is_some());
    let variables = named(accepted);
    assert!(variables.len() > 2_000, "{}", variables.len());
    let identity = Identity { path: "/tmp/a 'b'\n$(touch x) V0=1".to_owned(), token: "0".repeat(32) };
    let text = dotenv::render(&identity, &variables).unwrap();
    assert_eq!(dotenv::identity(&text), Some(identity));
    assert_eq!(dotenv::parse(&text), variables);

    for name in ["sh", "bash", "zsh"] {
        if is_there(name, &[name, "-c", "exit 0"]) {
            assert_reads(name, &[name, "-c", "set -a; . ./given; set +a; exec env -0"], &text, &variables);
        }
    }
    // Older ones (before 20.6) read no such file, and a distribution may have nothing newer.
    let node = is_there("node", &["node", "-e", "0"]);
    let reads = || Command::new("node").args(["--env-file=/dev/null", "-e", "0"]).output().unwrap().status;
    if node && reads().success() {
        let print =
            "process.stdout.write(Object.entries(process.env).map(([k, v]) => `${k}=${v}\\0`).join(''))";
        assert_reads("node", &["node", "--env-file=given", "-e", print], &text, &variables);
    }
    if let Some(folder) = lab::npm("dotenv").filter(|_| node) {
        let module = folder.join("node_modules/dotenv");
        let print = format!(
            "const all = require({:?}).parse(require('fs').readFileSync('given'));\n\
             process.stdout.write(Object.entries(all).map(([k, v]) => `${{k}}=${{v}}\\0`).join(''))",
            module.to_str().unwrap()
        );
        assert_reads("dotenv", &["node", "-e", &print], &text, &variables);
    }
    if is_there("python3 with python-dotenv", &["python3", "-c", "import dotenv"]) {
        let print = "import dotenv, sys\n\
                     for name, value in dotenv.dotenv_values('given').items():\n    \
                     sys.stdout.buffer.write(f'{name}={value}\\0'.encode())";
        assert_reads("python-dotenv", &["python3", "-c", print], &text, &variables);
    }
}

/// The same values, through the program: it reads them from a configuration, and what it prints is
/// evaluated.
#[test]
fn what_the_program_prints_is_evaluated_and_every_value_is_back() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let shells: Vec<&str> =
        ["sh", "bash", "zsh"].into_iter().filter(|shell| is_there(shell, &[shell, "-c", "exit 0"])).collect();
    let fish = is_there("fish", &["fish", "-c", "exit 0"]);
    // A configuration holds nothing that a terminal obeys, and may be 256 KiB long.
    let is_obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let plain = |value: String| value.replace(is_obeyed, "");
    let values: Vec<String> = values().into_iter().map(plain).collect();
    for part in values.chunks(500) {
        let variables = named(part.to_vec());
        let entries = variables.iter().map(|Variable { name, value }| format!("{name} = {}\n", toml(value)));
        let config = "[services.web]\n[env]\n".to_owned() + &entries.collect::<String>();
        fs::write(repo.join(".git-port.toml"), config).unwrap();
        let printed = |format: &str| {
            let run = env.git_port(&repo, ["env", "--format", format]);
            assert_eq!(run.status, 0, "{}", run.stderr.lines().next().unwrap_or_default());
            run.stdout
        };
        let object: serde_json::Value = serde_json::from_str(&printed("json")).unwrap();
        let own = object["variables"].as_object().unwrap().iter();
        let own: Vec<Variable> = own
            .map(|(name, value)| Variable { name: name.clone(), value: value.as_str().unwrap().to_owned() })
            .collect();
        assert!(variables.iter().all(|one| own.contains(one)));
        let sh = printed("sh");
        for shell in &shells {
            assert_reads(shell, &[shell, "-c", "eval \"$(cat given)\" && exec env -0"], &sh, &own);
        }
        if fish {
            let command = ["fish", "--no-config", "-c", "cat given | source; and exec env -0"];
            assert_reads("fish", &command, &printed("fish"), &own);
        }
    }
}

/// Returns the text as a string of TOML, the braces of placeholders doubled.
fn toml(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '{' | '}' => format!("{c}{c}"),
        'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
