//! `git port list`

use serde_json::json;

use crate::support::{TestEnv, shape};

fn ports(env: &TestEnv, indexes: &[u16]) -> Vec<u64> {
    indexes.iter().map(|index| u64::from(env.port(*index))).collect()
}

#[test]
fn the_object_has_every_promised_field() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    assert_eq!(env.json(&repo, "list"), json!({"version": 1, "allocations": [], "warnings": []}));
    env.ok(&repo, "allocate web");
    env.ok(&repo, "allocate edge production");
    env.ok(&repo, "release web");
    let answer = env.json(&repo, "list --released");
    let allocations = shape::lists(&answer, &["allocations"]);
    assert_eq!(allocations.len(), 2);
    for one in allocations {
        shape::has(one, shape::ALLOCATION);
    }
    let released = allocations.iter().find(|one| one["service"] == "web").unwrap();
    assert_eq!((&released["state"], &released["status"]), (&json!("released"), &json!("released")));
    assert!(released["released_at"].is_string());
}

#[test]
fn nothing_is_an_answer_too() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let run = env.git_port(&repo, ["list"]).success();
    assert_eq!((run.stdout.as_str(), run.stderr.lines().next()), ("", Some("No ports are allocated.")));
    assert!(run.stderr.contains("git port allocate <service>"), "{run:?}");
    assert_eq!(env.git_port(&repo, ["list", "-q"]).success().stderr, "");
}

#[test]
fn filters_hold_together_wherever_they_stand() {
    let env = TestEnv::new();
    let (shop, other) = (env.repo("shop"), env.repo("other"));
    env.ok(&shop, "allocate web --session s1"); // 0
    env.ok(&shop, "allocate api --session s2"); // 1
    env.ok(&other, "allocate web --session s1"); // 2
    env.ok(&shop, "allocate web test"); // 100
    env.ok(&shop, "allocate edge production"); // 150
    env.ok(&shop, "allocate old"); // 3
    env.ok(&shop, "release old");
    let shop_path = shop.display().to_string();
    let cases: &[(&str, &[u16])] = &[
        ("", &[0, 1, 100, 150]),
        ("-a", &[0, 1, 2, 100, 150]),
        ("--all", &[0, 1, 2, 100, 150]),
        ("-e dev", &[0, 1]),
        ("-e test", &[100]),
        ("--environment=production", &[150]),
        ("-e dev --all", &[0, 1, 2]),
        ("--worktree", &[0, 1, 100]),
        ("-w -e dev", &[0, 1]),
        ("-e dev -w", &[0, 1]),
        ("--project", &[0, 1, 100, 150]),
        ("--project -e dev", &[0, 1]),
        ("-p other", &[2]),
        ("-p nobody", &[]),
        ("--session s1", &[0, 2]),
        ("--session s1 -p", &[0]),
        ("--session nobody", &[]),
        ("--state allocated", &[0, 1, 100, 150]),
        ("-s released", &[3]),
        ("-s active", &[]),
        ("-s foreign", &[]),
        ("-s orphaned", &[]),
        ("-s unknown", &[]),
        ("--released", &[0, 1, 3, 100, 150]),
        ("--released -e dev", &[0, 1, 3]),
    ];
    for (words, expected) in cases {
        assert_eq!(env.listed(&shop, words), ports(&env, expected), "list {words}");
    }
    assert_eq!(env.listed(&env.root(), ""), ports(&env, &[0, 1, 2, 100, 150]), "outside: all");
    assert_eq!(env.listed(&other, &format!("-w {shop_path}")), ports(&env, &[0, 1, 100]));
    assert_eq!(env.listed(&env.root(), "-w shop -e dev"), ports(&env, &[0, 1]), "a relative path");
    assert_eq!(env.listed(&env.root(), &format!("-C {shop_path} -p")), ports(&env, &[0, 1, 100, 150]));
}

#[test]
fn columns_of_several_projects_and_of_one() {
    let env = TestEnv::new();
    let shop = env.repo("shop");
    env.ok(&shop, "allocate web");
    let row = |text: String| {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let port = env.port(0);
    let one = [
        "PORT SERVICE ENVIRONMENT STATE WORKTREE BRANCH".to_owned(),
        format!("{port} web * dev allocated shop main"),
    ];
    assert_eq!(row(env.ok(&shop, "list")), one);
    assert_eq!(row(env.ok(&shop, "ls")), one, "the alias");
    let verbose = env.ok(&shop, "list --verbose");
    assert!(verbose.contains(shop.to_str().unwrap()), "{verbose}");
    let several = row(env.ok(&shop, "list --all"));
    assert_eq!(several[0], "PORT PROJECT SERVICE ENVIRONMENT STATE WORKTREE BRANCH");
}

#[test]
fn an_orphan_is_shown_as_one() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "worktree create gone");
    std::fs::remove_dir_all(env.root().join("shop-gone")).unwrap();
    let one = env.one(&repo, "list");
    assert_eq!((&one["state"], &one["status"]), (&json!("orphaned"), &json!("allocated")));
    assert!(env.ok(&repo, "list").contains(" orphaned "));
}

#[test]
fn colour_only_where_it_is_wanted() {
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(&str, Variables<'_>, bool)] = &[
        ("list", &[], false),
        ("list --color auto", &[], false),
        ("list --color always", &[], true),
        ("--color always list", &[], true),
        ("list --color never", &[("CLICOLOR_FORCE", "1")], false),
        ("list", &[("CLICOLOR_FORCE", "1")], true),
        ("list", &[("CLICOLOR_FORCE", "0")], false),
        ("list", &[("NO_COLOR", "1")], false),
        ("list --color always", &[("NO_COLOR", "1")], true),
        ("list", &[("TERM", "dumb")], false),
    ];
    let mut env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    let plain = env.ok(&repo, "list");
    for (line, variables, coloured) in cases {
        env.variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let text = env.ok(&repo, line);
        assert_eq!(text.contains('\u{1b}'), *coloured, "{line} {variables:?}");
        let bare =
            ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m"].iter().fold(text, |text, code| text.replace(code, ""));
        assert_eq!(bare, plain, "the words are the same");
        assert!(!env.ok(&repo, &format!("{line} --json")).contains('\u{1b}'));
    }
}

/// `script` of util-linux gives the program a terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_has_colour_unless_it_is_unwanted() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "allocate web");
    for (line, variable, coloured) in [
        ("git-port list", ("TERM", "xterm"), true),
        ("git-port list", ("TERM", "dumb"), false),
        ("git-port list", ("NO_COLOR", "1"), false),
        ("git-port list", ("NO_COLOR", ""), true),
        ("git-port list --color never", ("TERM", "xterm"), false),
        ("git-port list --json", ("TERM", "xterm"), false),
        ("git-port get", ("TERM", "xterm"), false),
    ] {
        let mut command = env.command("script", &repo);
        command.args(["-qec", line, "/dev/null"]).env("TERM", "xterm").env(variable.0, variable.1);
        let Ok(output) = command.output() else { return };
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(&env.port(0).to_string()), "{line}: {text}");
        assert_eq!(text.contains('\u{1b}'), coloured, "{line} {variable:?}: {text:?}");
    }
}

#[test]
fn hostile_texts_are_shown_as_escapes() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let hostile = "a\u{1b}]0;x\u{7}\n\u{202e}\u{9b}2Jb";
    env.git_port(&repo, ["allocate", "web", "--description", hostile, "--session", hostile]).success();
    for line in ["list", "list --json", "list --released -v"] {
        let text = env.ok(&repo, line);
        let body = text.trim_end_matches('\n').replace('\n', "");
        assert!(!body.contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        assert_eq!(text.lines().count(), if line.contains("json") { 1 } else { 2 }, "{text:?}");
    }
    assert_eq!(env.one(&repo, "list")["description"], hostile, "a program gets it back as it was");
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    shape::refuses(
        &env,
        &repo,
        &[
            (&["list", "--state", "running"], 129, "usage", "'running'"),
            (&["list", "-e", "Dev"], 129, "usage", "'Dev'"),
            (&["list", "--project=../x"], 129, "usage", "'../x'"),
            (&["list", "-p", "a\u{1b}b"], 129, "usage", "'a\u{1b}b'"),
            (&["list", "web"], 129, "usage", "'web'"),
            (&["list", "--colour"], 129, "usage", "'--colour'"),
            (&["list", "--color", "sometimes"], 129, "usage", "'sometimes'"),
            (&["lst"], 129, "usage", "'lst'"),
            (&["-C", "nowhere", "list"], 128, "not_a_repository", "'nowhere'"),
        ],
    );
    for words in [["list", "--worktree"], ["list", "--project"]] {
        let run = env.git_port(&env.root(), words).exits_with(128);
        assert!(run.stderr.contains("not a git repository"), "{run:?}");
    }
}
