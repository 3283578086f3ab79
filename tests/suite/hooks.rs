//! The hook, with a real git and the hooks that other tools write.
#![cfg(unix)]

mod lab;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use lab::{GIT_LFS, LEFTHOOK, Lab, PRE_COMMIT, PRE_COMMIT_PROGRAM, USER, ZEROS, snapshot, write};

const BLOCK_START: &str = "# >>> git-port >>>";

#[test]
fn every_kind_of_hook_still_runs_and_comes_back_as_it_was() {
    let echo = fs::read("/bin/echo").unwrap();
    let cases: &[(&str, Option<&[u8]>, i32)] = &[
        ("none", None, 0),
        ("sh", Some(USER.as_bytes()), 0),
        ("no final newline", Some(USER.trim_end().as_bytes()), 0),
        ("bash, exit 3", Some(b"#!/usr/bin/env bash\necho user >>\"$HOOK_LOG\"\nexit 3\n"), 3),
        ("strict", Some(b"#!/bin/sh -eu\necho user >>\"$HOOK_LOG\"\nfalse\n"), 1),
        ("exec", Some(b"#!/bin/sh\nexec sh -c 'echo user >>\"$HOOK_LOG\"' x \"$@\"\n"), 0),
        ("python", Some(b"#!/usr/bin/env python3\nimport os\nprint('user', file=open(os.environ['HOOK_LOG'], 'a'))\nraise SystemExit(7)\n"), 7),
        ("no shebang", Some(b"echo user >>\"$HOOK_LOG\"\n"), 0),
        ("carriage returns below", Some(b"#!/bin/sh\necho user >>\"$HOOK_LOG\" #\r\n#\r\n"), 0),
        ("binary", Some(&echo), 0),
        ("pre-commit", Some(PRE_COMMIT.as_bytes()), 0),
        ("git-lfs", Some(GIT_LFS.as_bytes()), 0),
        ("lefthook", Some(LEFTHOOK.as_bytes()), 0),
    ];
    for (case, hook, exit) in cases {
        let lab = Lab::new();
        lab.program("pre-commit", PRE_COMMIT_PROGRAM);
        lab.program("git-lfs", USER);
        lab.program("lefthook", "#!/bin/sh\n[ \"$1\" = -h ] || echo user >>\"$HOOK_LOG\"\n");
        if let Some(hook) = hook {
            write(&lab.hooks().join("post-checkout"), hook, 0o751);
        }
        let before = snapshot(&lab.hooks());
        assert!(lab.install().starts_with("new HookFile("), "{case}");
        let installed = snapshot(&lab.hooks());
        assert!(lab.install().starts_with("same "), "{case}");
        assert_eq!(snapshot(&lab.hooks()), installed, "{case}");
        assert!(hook.is_none() || installed[&lab.hooks().join("post-checkout")].0 & 0o777 == 0o751, "{case}");
        assert!(lab.status().starts_with("fires [HookFile("), "{case}: {}", lab.status());

        assert_eq!(lab.add("new"), *exit, "{case}");
        let log = lab.log();
        assert!(log.starts_with(&format!("port hook post-checkout {ZEROS} ")), "{case}: {log}");
        assert_eq!(log.contains("user"), hook.is_some() && *case != "binary", "{case}: {log}");
        if *case == "binary" {
            let output = lab.try_git(&lab.repo, &["checkout", "-q", "-b", "other"]);
            assert!(String::from_utf8(output.stderr).unwrap().ends_with(" 1\n"), "echo is still echo");
        }

        assert!(lab.uninstall().starts_with("1 "), "{case}");
        assert_eq!(snapshot(&lab.hooks()), before, "{case}");
        assert!(lab.uninstall().starts_with("0 "), "{case}");
        assert_eq!(snapshot(&lab.hooks()), before, "{case}");
    }
}

#[test]
fn hooks_that_are_not_ours_to_change_are_refused() {
    let lab = Lab::new();
    let hook = lab.hooks().join("post-checkout");
    lab.hook("#!/bin/sh\r\necho\r\n");
    lab.refused("carriage return");
    write(&hook, USER, 0o644);
    lab.refused("not executable");
    lab.hook(&format!("{USER}{BLOCK_START}\n"));
    lab.refused("lost their start or their end");
    assert!(lab.uninstall().starts_with("refused: "));
    assert!(lab.status().contains("lost their start or their end"));
    lab.hook("#!/usr/bin/env ruby\n# Overcommit\n");
    lab.refused("overcommit");
    lab.hook("#!/usr/bin/env python3\n");
    write(&lab.hooks().join("post-checkout.git-port-orig"), "x", 0o755);
    lab.refused("post-checkout.git-port-orig' exists already");
    fs::remove_dir_all(lab.hooks()).unwrap();

    write(&lab.repo.join("tools/post-checkout"), USER, 0o755);
    lab.git(&lab.repo, &["add", "tools"]);
    fs::create_dir(lab.hooks()).unwrap();
    symlink("../../tools/post-checkout", &hook).unwrap();
    lab.refused("is a symbolic link");
    fs::remove_dir_all(lab.hooks()).unwrap();
    symlink("../tools", lab.hooks()).unwrap();
    lab.refused("is tracked by git");
    fs::remove_file(lab.hooks()).unwrap();

    let path = |value: &str| _ = lab.git(&lab.repo, &["config", "core.hooksPath", value]);
    path(lab.repo.join("tools").to_str().unwrap());
    lab.refused("is tracked by git");
    path(lab.repo.join("new/folder").to_str().unwrap());
    lab.refused("part of a worktree");
    path("../outside");
    lab.refused("another folder in each worktree");
    path("/dev/null");
    lab.refused("runs no hooks");
    path(".husky/_");
    lab.refused("husky");
    write(&lab.root.join("shared/post-checkout"), LEFTHOOK, 0o755);
    path(lab.root.join("shared").to_str().unwrap());
    lab.refused("lefthook");
}

#[test]
fn a_hooks_folder_outside_every_worktree_is_used_and_told() {
    let lab = Lab::new();
    lab.git(&lab.repo, &["config", "--global", "core.hooksPath", lab.root.join("shared").to_str().unwrap()]);
    let answer = lab.install();
    assert!(answer.starts_with("new ") && answer.contains("every repository that shares it"), "{answer}");
    assert!(lab.status().starts_with("fires "));
    assert_eq!((lab.add("new"), lab.log().contains("port ")), (0, true));
    assert!(lab.uninstall().starts_with("1 "));
    assert!(snapshot(&lab.root.join("shared")).is_empty());
}

#[test]
fn a_read_only_folder_is_refused() {
    let lab = Lab::new();
    fs::set_permissions(lab.hooks(), fs::Permissions::from_mode(0o555)).unwrap();
    // The superuser may write everywhere.
    if fs::write(lab.hooks().join("probe"), "").is_err() {
        lab.refused("cannot be written");
    }
    fs::set_permissions(lab.hooks(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn tools_that_come_after_us_keep_their_hooks() {
    let lab = Lab::new();
    let hook = lab.hooks().join("post-checkout");
    let aside = |name: &str| lab.hooks().join(format!("post-checkout.{name}"));

    // pre-commit moves our hook aside and calls it.
    lab.install();
    lab.program("pre-commit", PRE_COMMIT_PROGRAM);
    fs::rename(&hook, aside("legacy")).unwrap();
    lab.hook(PRE_COMMIT);
    assert!(lab.status().starts_with("fires "), "{}", lab.status());
    assert_eq!(lab.add("one"), 0);
    assert!(lab.log().starts_with("port hook"));
    assert!(lab.uninstall().starts_with("1 "));
    assert_eq!(snapshot(&lab.hooks()), BTreeMap::from([(hook.clone(), (0o100_750, PRE_COMMIT.into()))]));

    // lefthook moves it aside and forgets it.
    fs::remove_file(&hook).unwrap();
    lab.install();
    fs::rename(&hook, aside("old")).unwrap();
    lab.hook(LEFTHOOK);
    assert!(lab.status().starts_with("dead ") && lab.status().contains("is run by nobody"));
    assert!(lab.install().contains("'lefthook install'"));
    assert!(lab.status().starts_with("fires "));
    assert!(lab.uninstall().starts_with("2 "));
    assert_eq!(snapshot(&lab.hooks()), BTreeMap::from([(hook.clone(), (0o100_750, LEFTHOOK.into()))]));

    // git-branchless adds to the end.
    lab.hook(USER);
    lab.install();
    let more =
        "## START BRANCHLESS CONFIG\ngit branchless hook-post-checkout \"$@\"\n## END BRANCHLESS CONFIG\n";
    fs::write(&hook, fs::read_to_string(&hook).unwrap() + more).unwrap();
    lab.uninstall();
    assert_eq!(fs::read_to_string(&hook).unwrap(), format!("{USER}{more}"));

    // A wrapper moved aside gives the original back where it is.
    lab.hook("#!/usr/bin/env python3\n");
    lab.install();
    fs::rename(&hook, aside("legacy")).unwrap();
    lab.hook(PRE_COMMIT);
    assert!(lab.uninstall().starts_with("1 "));
    assert_eq!(fs::read_to_string(aside("legacy")).unwrap(), "#!/usr/bin/env python3\n");
    assert_eq!(snapshot(&lab.hooks()).len(), 2);
}

#[test]
fn husky_after_us_is_noticed_and_a_line_by_hand_counts() {
    let lab = Lab::new();
    lab.install();
    write(
        &lab.repo.join(".husky/_/h"),
        "#!/usr/bin/env sh\ns=$(dirname \"$(dirname \"$0\")\")/post-checkout\n[ ! -f \"$s\" ] && exit 0\nsh -e \"$s\" \"$@\"\n",
        0o644,
    );
    write(&lab.repo.join(".husky/_/post-checkout"), "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"", 0o755);
    lab.git(&lab.repo, &["config", "core.hooksPath", ".husky/_"]);
    let status = lab.status();
    assert!(status.starts_with("dead ") && status.contains("(husky), so git does not run"), "{status}");
    let refusal = lab.install();
    let (_, line) = refusal.split_once(".husky/post-checkout': ").unwrap();
    write(&lab.repo.join(".husky/post-checkout"), format!("{line}\n"), 0o644);
    assert!(lab.status().starts_with("fires "));
    lab.log();
    assert_eq!((lab.add("one"), lab.log().starts_with("port hook")), (0, true));
    lab.git(&lab.repo, &["checkout", "-q", "--", "f"]);
    assert_eq!(lab.log(), "");
    assert!(lab.uninstall().starts_with("1 "));
    assert!(snapshot(&lab.hooks()).is_empty());
}

#[test]
fn bare_repositories_and_linked_worktrees_use_the_common_folder() {
    let lab = Lab::new();
    lab.add("linked");
    let hook = lab.hooks().join("post-checkout");
    assert!(lab.act("install", lab.root.join("linked").to_str().unwrap()).starts_with("new "));
    assert!(hook.exists());
    fs::create_dir(lab.repo.join("sub")).unwrap();
    assert!(lab.act("install", lab.repo.join("sub").to_str().unwrap()).starts_with("same "));

    let project = lab.root.join("project");
    let bare = project.join(".bare");
    lab.git(&lab.root, &["clone", "-q", "--bare", lab.repo.to_str().unwrap(), bare.to_str().unwrap()]);
    fs::write(project.join(".git"), "gitdir: ./.bare\n").unwrap();
    assert!(lab.act("install", project.to_str().unwrap()).starts_with("new "));
    assert!(lab.act("install", bare.to_str().unwrap()).starts_with("same "));
    assert!(bare.join("hooks/post-checkout").exists());
    lab.log();
    lab.git(&project, &["worktree", "add", "-q", "main"]);
    assert!(lab.log().starts_with("port hook"));
    assert!(lab.act("install", lab.root.to_str().unwrap()).starts_with("error: not a git repository"));
}

#[test]
fn the_program_is_started_for_a_new_worktree_only() {
    let lab = Lab::new();
    lab.install();
    assert_eq!(lab.add("one"), 0);
    assert!(lab.log().starts_with(&format!("port hook post-checkout {ZEROS} ")));
    lab.git(&lab.repo, &["commit", "-q", "--allow-empty", "-m", "two"]);
    for args in [
        &["checkout", "-q", "-b", "b", "HEAD~1"][..],
        &["commit", "-q", "--allow-empty", "-m", "three"],
        &["switch", "-q", "main"],
        &["checkout", "-q", "--detach"],
        &["checkout", "-q", "--", "f"],
        &["restore", "f"],
        &["checkout", "-q", "b"],
        &["rebase", "-q", "main"],
        &["stash", "list"],
    ] {
        lab.git(&lab.repo, args);
        assert_eq!(lab.log(), "", "{args:?}");
    }
    for (name, value) in [("GIT_PORT_DISABLE", "1"), ("GIT_PORT_CREATE", "nonce"), ("GIT_PORT_CREATE", "")] {
        let mut git = lab.command("git");
        git.env(name, value).arg("-C").arg(&lab.repo).args(["worktree", "add", "-q", "--detach"]);
        let path = lab.root.join(format!("{name}{value}"));
        assert!(git.arg(path).status().unwrap().success());
        assert_eq!(lab.log(), "", "{name}");
    }
    assert!(lab.try_git(&lab.repo, &["worktree", "add", "-q", "--no-checkout", "../two"]).status.success());
    assert_eq!(lab.log(), "");
}

#[test]
fn git_never_fails_for_us() {
    let lab = Lab::new();
    lab.install();
    lab.program("git-port", "#!/bin/sh\necho port >>\"$HOOK_LOG\"\nexit 1\n");
    assert_eq!((lab.add("one"), lab.log().as_str()), (0, "port\n"));
    // Not on PATH, but where it was when the hook was installed.
    let program = lab.root.join("bin/git-port");
    let add = |name: &str| {
        let mut git = lab.command("git");
        git.env("PATH", "/usr/local/bin:/usr/bin:/bin").arg("-C").arg(&lab.repo);
        git.args(["worktree", "add", "-q"]).arg(format!("../{name}")).output().unwrap()
    };
    assert!(add("two").status.success());
    assert_eq!(lab.log(), "port\n");
    fs::remove_file(program).unwrap();
    let output = add("three");
    assert!(output.status.success() && output.stderr.is_empty() && lab.log().is_empty());
}

#[test]
fn a_hook_of_another_version_is_told_and_renewed() {
    let lab = Lab::new();
    lab.hook(&USER.replace('\n', "\n# >>> git-port >>>\n:\n# <<< git-port <<<\n"));
    assert!(lab.uninstall().starts_with("refused: "), "two blocks are not one");
    lab.hook(&USER.replacen('\n', "\n# >>> git-port >>>\n:\n# <<< git-port <<<\n", 1));
    assert!(lab.status().contains("of another version"));
    assert!(lab.install().starts_with("new "));
    assert!(lab.status().ends_with("] "), "{}", lab.status());
    lab.uninstall();
    assert_eq!(fs::read_to_string(lab.hooks().join("post-checkout")).unwrap(), USER);
}

#[test]
fn new_repositories_get_the_hook_from_a_template() {
    let lab = Lab::new();
    let template = lab.root.join("home/tem plate");
    let scope = format!("global:{}", template.display());
    assert!(lab.act("status", &scope).starts_with("dead [] "));
    let answer = lab.act("install", &scope);
    assert!(answer.starts_with("new Template(") && answer.contains("in each one that exists"), "{answer}");
    assert!(lab.act("install", &scope).starts_with("same "));
    assert!(lab.act("status", &scope).starts_with("fires [Template("));
    let clone = lab.root.join("clone");
    lab.git(&lab.root, &["clone", "-q", lab.repo.to_str().unwrap(), clone.to_str().unwrap()]);
    lab.log();
    lab.git(&clone, &["worktree", "add", "-q", "../from-clone"]);
    assert!(lab.log().starts_with("port hook"));
    assert!(clone.join(".git/info/exclude").exists());
    assert!(lab.act("uninstall", &scope).starts_with("2 "));
    assert!(lab.act("uninstall", &scope).starts_with("0 "));
    assert!(!template.exists());
    assert_eq!(fs::read_to_string(lab.root.join("home/.gitconfig")).unwrap(), "");

    lab.git(&lab.repo, &["config", "--global", "init.templateDir", "~/mine"]);
    assert!(lab.act("install", &scope).starts_with("refused: init.templateDir is '"));
    assert!(!template.exists());
}

#[test]
fn a_new_git_gets_the_hook_in_the_users_configuration() {
    let lab = Lab::new();
    lab.pretend("2.54.0");
    write(&lab.root.join("home/.gitconfig"), "[user]\n\tname = a\n", 0o600);
    let scope = format!("global:{}", lab.root.join("unused").display());
    assert!(lab.act("install", &scope).starts_with("new ConfigHook"));
    assert!(lab.act("install", &scope).starts_with("same ConfigHook"));
    assert!(lab.act("status", &scope).starts_with("fires [ConfigHook]"));
    assert!(lab.status().starts_with("fires [ConfigHook]"));

    // As git runs it (hook.<name>.command in git-config(1)).
    let command = lab.git(&lab.repo, &["config", "hook.git-port.command"]).stdout;
    let command = String::from_utf8(command).unwrap();
    let run = |args: &[&str]| {
        let mut shell = lab.command("sh");
        let output =
            shell.arg("-ec").arg(format!("{} \"$@\"", command.trim_end())).arg("x").args(args).output();
        assert!(output.as_ref().unwrap().status.success());
        (lab.log(), output.unwrap().stdout.is_empty())
    };
    assert_eq!(run(&[ZEROS, "abc", "1"]), (format!("port hook post-checkout {ZEROS} abc 1\n"), true));
    assert_eq!(run(&["abc", "abc", "1"]), (String::new(), true));
    assert_eq!(run(&[]), (String::new(), true));

    assert!(lab.uninstall().contains("git port hook uninstall --global"));
    assert!(lab.act("uninstall", &scope).starts_with("1 "));
    assert!(lab.act("uninstall", &scope).starts_with("0 "));
    assert_eq!(fs::read_to_string(lab.root.join("home/.gitconfig")).unwrap(), "[user]\n\tname = a\n");
}

#[test]
fn every_shell_runs_it_silently_and_keeps_nothing_of_it() {
    let lab = Lab::new();
    lab.program("git-port", "#!/bin/sh\nexit 9\n");
    let names = |text: &str| -> Vec<String> {
        let names = text.lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned()));
        names.filter(|name| name != "_" && name != "PIPESTATUS" && !name.starts_with("BASH_")).collect()
    };
    lab.hook("#!/bin/sh\nset >\"$HOOK_LOG\"\necho \"status $?\"\n");
    lab.install();
    let hook = lab.hooks().join("post-checkout");
    let text = fs::read_to_string(&hook).unwrap().replacen('\n', "\nset >\"$HOOK_LOG.before\"\n", 1);
    write(&hook, text, 0o755);
    let mut ran = 0;
    for shell in ["dash", "bash", "bash --posix", "busybox sh", "ksh", "mksh", "zsh"] {
        for args in [&[ZEROS, "abc", "1"][..], &["abc", "abc", "1"], &[ZEROS, "abc", "0"], &[]] {
            let mut words = shell.split(' ');
            let mut command = lab.command(words.next().unwrap());
            let Ok(output) = command.args(words).arg("-eu").arg(&hook).args(args).output() else { continue };
            ran += 1;
            assert!(output.status.success(), "{shell} {args:?}");
            assert_eq!(String::from_utf8(output.stdout).unwrap(), "status 0\n", "{shell} {args:?}");
            assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{shell} {args:?}");
            let before = fs::read_to_string(lab.root.join("log.before")).unwrap();
            assert_eq!(names(&lab.log()), names(&before), "{shell} {args:?}");
        }
    }
    assert!(ran >= 4);
    lab.uninstall();
    fs::remove_file(&hook).unwrap();
    lab.install();
    let embedded = concat!(env!("CARGO_MANIFEST_DIR"), "/hooks/post-checkout");
    // SC2016 is about the `$x` in the path of this lab, which must not be expanded.
    for arguments in [&[embedded][..], &["--exclude=SC2016", hook.to_str().unwrap()]] {
        if let Ok(output) = lab.command("shellcheck").args(arguments).output() {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
    }
}
