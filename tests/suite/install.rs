//! `install.sh`: what it installs is found by man, git and the shells, and what it removes is all of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{GIT_PORT, Run, TestEnv};

/// The script, told to install the program under test.
fn script(env: &TestEnv, dir: &Path) -> Command {
    let mut command = env.command(concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh"), dir);
    command.env("GIT_PORT_BINARY", GIT_PORT).env("PREFIX", prefix(env));
    command
}

fn prefix(env: &TestEnv) -> PathBuf {
    env.root().join("prefix")
}

fn installed() -> (TestEnv, PathBuf) {
    let env = TestEnv::new();
    let _ = Run::of(script(&env, &env.root()).output().unwrap()).success();
    let prefix = prefix(&env);
    (env, prefix)
}

/// Returns the paths below this folder, folders with a `/` at the end.
fn tree(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                found.insert(format!("{name}/"));
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, "", &mut found);
    found
}

/// Says whether the program can be started; where it must be there, it is an error that it is not.
fn is_there(program: &str, probe: &[&str]) -> bool {
    if Command::new(program).args(probe).output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    crate::support::herd::ignored_for_want_of(program);
    false
}

#[test]
fn it_installs_what_it_says_and_removes_all_of_it() {
    let env = TestEnv::new();
    let prefix = prefix(&env);
    let run = Run::of(script(&env, &env.root()).output().unwrap()).success();
    assert!(run.stdout.starts_with("Installed git-port "), "{run:?}");
    assert!(run.stdout.contains(&format!("export PATH=\"{}/bin:$PATH\"", prefix.display())), "{run:?}");
    let files = tree(&prefix);
    for file in [
        "bin/git-port",
        "share/man/man1/git-port.1",
        "share/man/man1/git-port-worktree-create.1",
        "share/bash-completion/completions/git-port",
        "share/zsh/site-functions/_git-port",
        "share/fish/vendor_completions.d/git-port.fish",
    ] {
        assert!(files.contains(file), "{file} is not in {files:#?}");
    }
    assert!(!files.iter().any(|file| file.contains("git-port-new")), "{files:#?}");

    // Once more changes nothing, but for what an older version had.
    fs::write(prefix.join("share/man/man1/git-port-old.1"), "").unwrap();
    let manifest = prefix.join("share/git-port/installed");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text + "file share/man/man1/git-port-old.1\n").unwrap();
    let _ = Run::of(script(&env, &env.root()).output().unwrap()).success();
    assert_eq!(tree(&prefix), files);

    let run = Run::of(script(&env, &env.root()).arg("--uninstall").output().unwrap()).success();
    assert!(run.stdout.starts_with("Removed git-port from "), "{run:?}");
    assert!(!prefix.exists(), "{:#?}", tree(&prefix));
    let run = Run::of(script(&env, &env.root()).arg("--uninstall").output().unwrap()).success();
    assert!(run.stdout.starts_with("git-port is not installed in "), "{run:?}");
}

#[test]
fn it_leaves_alone_what_was_there_before() {
    let env = TestEnv::new();
    // A name that has to be quoted.
    let prefix = env.root().join("a 'prefix' *");
    let script = |env: &TestEnv, dir: &Path| {
        let mut command = script(env, dir);
        command.env("PREFIX", &prefix);
        command
    };
    fs::create_dir_all(prefix.join("share/man/man1")).unwrap();
    fs::create_dir_all(prefix.join("bin")).unwrap();
    fs::write(prefix.join("bin/other"), "").unwrap();
    let before = tree(&prefix);
    let _ = Run::of(script(&env, &env.root()).output().unwrap()).success();
    fs::write(prefix.join("share/zsh/site-functions/_other"), "").unwrap();
    let _ = Run::of(script(&env, &env.root()).arg("--uninstall").output().unwrap()).success();
    let kept = ["share/zsh/", "share/zsh/site-functions/", "share/zsh/site-functions/_other"];
    let expected = before.into_iter().chain(kept.map(str::to_owned)).collect::<BTreeSet<_>>();
    assert_eq!(tree(&prefix), expected);
}

#[test]
fn destdir_stands_in_front_of_the_prefix() {
    let env = TestEnv::new();
    let package = env.root().join("package");
    let _ = Run::of(script(&env, &env.root()).env("DESTDIR", &package).output().unwrap()).success();
    assert!(!prefix(&env).exists());
    let inside = package.join(prefix(&env).strip_prefix("/").unwrap());
    assert!(tree(&inside).contains("bin/git-port"));
    let mut command = script(&env, &env.root());
    let _ = Run::of(command.env("DESTDIR", &package).arg("--uninstall").output().unwrap()).success();
    assert!(!inside.exists());
}

#[test]
fn a_wrong_request_changes_nothing() {
    let env = TestEnv::new();
    let run = Run::of(script(&env, &env.root()).arg("--prefix=/x").output().unwrap()).exits_with(2);
    assert!(run.stderr.starts_with("error: unknown argument '--prefix=/x'\nusage: "), "{run:?}");
    let relative = Run::of(script(&env, &env.root()).env("PREFIX", "here").output().unwrap()).exits_with(1);
    assert!(relative.stderr.contains("must be an absolute path"), "{relative:?}");
    let missing = Run::of(script(&env, &env.root()).env("GIT_PORT_BINARY", "/nowhere").output().unwrap());
    assert!(missing.exits_with(1).stderr.contains("there is no program '/nowhere'"));
    assert!(!prefix(&env).exists() && !env.root().join("here").exists());
}

#[test]
fn man_and_git_help_find_the_pages() {
    // Minimal images have another program of this name, which only says that it is none.
    let is_man = |output: std::process::Output| output.stdout.starts_with(b"man ");
    if !is_there("man", &["--version"]) || !is_man(Command::new("man").arg("--version").output().unwrap()) {
        return;
    }
    let (env, prefix) = installed();
    let with_path = |program: &str| {
        let mut command = env.command(program, &env.root());
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", prefix.join("bin").display()));
        command
    };
    // What stands beside a folder of PATH is found by itself.
    let found = Run::of(with_path("man").args(["-w", "git-port"]).output().unwrap()).success();
    let page = prefix.join("share/man/man1/git-port.1");
    assert_eq!(found.stdout.trim_end(), page.to_str().unwrap());

    for arguments in [&["port", "--help"][..], &["help", "port"]] {
        let mut command = with_path("git");
        command.env("MANPATH", prefix.join("share/man")).env("MANPAGER", "cat").env("TERM", "dumb");
        let shown = Run::of(command.args(arguments).output().unwrap()).success();
        assert!(shown.stdout.contains("git port worktree create"), "{shown:?}");
    }
}

/// Lines, and the word that each must become.
const LINES: &[(&str, &str)] = &[
    ("git port wor", "worktree"),
    ("git-port wor", "worktree"),
    ("git -C / port worktree cr", "create"),
    ("git port list --rel", "--released"),
    ("git po", "port"),
];

fn shell(env: &TestEnv, prefix: &Path, shell: &str) -> Command {
    let mut command = env.command("timeout", &env.root());
    let path = std::env::var("PATH").unwrap();
    command
        .env("PATH", format!("{}:{path}", prefix.join("bin").display()))
        .env("XDG_DATA_HOME", prefix.join("share"))
        .env("TERM", "dumb")
        .args(["60", shell]);
    command
}

#[test]
fn bash_completes() {
    if !is_there("bash", &["-c", "[ -f /usr/share/bash-completion/bash_completion ]"]) {
        return;
    }
    let (env, prefix) = installed();
    // What bash does on a tab: it loads the completion, then calls its function with the line.
    let ask = r#"
        . /usr/share/bash-completion/bash_completion
        COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
        read -ra COMP_WORDS <<<"$1"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        if [ "$(type -t _comp_load)" = function ]; then _comp_load "$COMP_WORDS"; else _completion_loader "$COMP_WORDS"; fi
        function=$(complete -p "$COMP_WORDS" | sed 's/.*-F \([^ ]*\) .*/\1/')
        $function "$COMP_WORDS" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    for (line, word) in LINES {
        let mut command = shell(&env, &prefix, "bash");
        let run = Run::of(command.args(["--norc", "-c", ask, "bash", line]).output().unwrap());
        assert_eq!(run.stdout.lines().map(str::trim_end).collect::<Vec<_>>(), [*word], "{line}: {run:?}");
        assert!(run.stderr.is_empty(), "{line}: {run:?}");
    }
}

#[test]
fn zsh_completes() {
    if !is_there("zsh", &["-f", "-c", "zmodload zsh/zpty"]) {
        return;
    }
    let (env, prefix) = installed();
    // A line editor wants a terminal: a second zsh behind a pseudo-terminal. Control-A goes to the
    // beginning of the completed line, so that 'echo' prints it.
    let ask = r#"
        zmodload zsh/zpty
        zpty inner zsh -f -i
        zpty -w inner "PS1= RPS1= fpath=(\"$2\" \$fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy"
        zpty -r inner output '*ready*'
        zpty -w -n inner "$1"$'\t\x01echo answer: \n'
        zpty -r inner output $'*\nanswer:*\n'
        print -r -- "${${output##*$'\n'answer: }%%$'\r'*}"
        zpty -d inner
    "#;
    for (line, word) in LINES {
        let mut command = shell(&env, &prefix, "zsh");
        let functions = prefix.join("share/zsh/site-functions");
        command.args(["-f", "-c", ask, "zsh", line]).arg(functions);
        let run = Run::of(command.output().unwrap()).success();
        let expected = format!("{} {word}", line.rsplit_once(' ').unwrap().0);
        assert_eq!(run.stdout.trim_end(), expected, "{line}: {run:?}");
    }
}

#[test]
fn fish_completes() {
    if !is_there("fish", &["--no-config", "-c", "exit 0"]) {
        return;
    }
    let (env, prefix) = installed();
    for (line, word) in LINES {
        let mut command = shell(&env, &prefix, "fish");
        let run = Run::of(command.args(["-c", "complete -C $argv[1]", line]).output().unwrap()).success();
        let words: Vec<_> = run.stdout.lines().filter_map(|answer| answer.split('\t').next()).collect();
        assert!(words.contains(word), "{line}: {run:?}");
        assert!(*line == "git po" || words == [*word], "{line}: {run:?}");
    }
}
