//! Branches and folders that are attacks: they are made, and nothing comes of them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use crate::support::{Run, TestEnv};

/// Everything that git accepts as a branch and a shell, a terminal or a page might not.
const BRANCHES: &[&str] = &[
    "`touch${IFS}owned`",
    "feat/$(touch${IFS}owned)",
    "a';touch${IFS}owned;'",
    "a\";touch${IFS}owned;\"",
    ";touch${IFS}owned",
    "&touch${IFS}owned&",
    "|touch${IFS}owned",
    "a>owned",
    "%s%n",
    "{b}",
    "{project}-{branch}",
    "=",
    "<script>alert(1)</script>",
    "<img/src=x/onerror=alert(1)>",
    "a\u{9b}31mb",
    "a\u{202e}b",
    "a\u{200b}b",
    "con",
    "nul.txt",
    "%2e%2e%2fx",
    "refs/heads/x",
    "#comment",
    "$PATH",
    "!owned",
    "日本語",
    "(touch${IFS}owned)",
];

/// Says whether a terminal would act on any of it.
fn is_raw(text: &str) -> bool {
    text.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{200b}' | '\u{202e}' | '\u{fffd}'))
}

/// Makes the worktree, uses what git-port wrote in a shell, and removes it again.
#[track_caller]
fn use_branch(env: &TestEnv, repo: &Path, branch: &OsStr) {
    let words = |words: &[&str]| -> Vec<OsString> { words.iter().map(OsString::from).collect() };
    let mut create = words(&["worktree", "create"]);
    create.push(branch.to_owned());
    let made = env.git_port(repo, &create).success();
    let lines: String = made.stdout.lines().skip(1).collect();
    // git's own words on standard error are git's.
    assert!(!is_raw(&lines), "{made:?}");
    let path = env.git_port(repo, [OsStr::new("worktree"), OsStr::new("path"), branch]).success().stdout;
    let path = Path::new(path.trim_end_matches('\n'));
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name}");
    assert_eq!(path.parent(), repo.parent(), "{name}");
    let scripts = [
        "eval \"$(git port env)\" && echo \"$PORT\"",
        "set -a; . ./.git-port.env && echo \"$PORT\"",
        "eval \"$(git-port env --format sh)\"; eval \"$(git-port env --format sh)\"; echo \"$PORT\"",
    ];
    for script in scripts {
        let run = Run::of(env.command("sh", path).args(["-c", script]).output().unwrap()).success();
        assert!(run.stdout.trim().parse::<u16>().is_ok(), "{branch}: {run:?}", branch = branch.display());
    }
    for command in
        [&["worktree", "list"][..], &["list"], &["--json", "list"], &["--json", "worktree", "list"]]
    {
        let told = env.git_port(path, command).success();
        assert!(!is_raw(&told.stdout), "{told:?}");
    }
    let found = fs::read_dir(path)
        .unwrap()
        .chain(fs::read_dir(repo).unwrap())
        .chain(fs::read_dir(env.root()).unwrap());
    assert!(
        found.map(|entry| entry.unwrap().file_name()).all(|name| name != "owned"),
        "{} was executed",
        branch.display()
    );
    let mut remove = words(&["worktree", "remove", "--delete-branch"]);
    remove.push(branch.to_owned());
    let removed = env.git_port(repo, &remove).success();
    assert!(!is_raw(&removed.stdout) && removed.stdout.contains("Released 1 port\n"), "{removed:?}");
    assert_eq!(env.git(repo, ["branch", "--format=%(refname:short)"]), "main\n");
}

#[test]
fn hostile_branches_are_harmless() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for branch in BRANCHES {
        use_branch(&env, &repo, OsStr::new(branch));
    }
    use_branch(&env, &repo, OsStr::new(&"x".repeat(200)));
}

#[test]
fn hostile_branches_of_a_remote_are_tracked() {
    let env = TestEnv::new();
    let origin = env.repo("origin");
    let hostile = ["feat/$(touch${IFS}owned)", "<script>alert(1)</script>", "a\u{202e}b"];
    for branch in hostile {
        env.git(&origin, ["branch", branch]);
    }
    env.git(&env.root(), ["clone", "-q", "origin", "shop"]);
    let repo = env.root().join("shop");
    for branch in hostile {
        let _ = env.git_port(&repo, ["worktree", "create", branch]).success();
        let upstream = env.git(&repo, ["rev-parse", "--abbrev-ref", &format!("{branch}@{{upstream}}")]);
        assert_eq!(upstream, format!("origin/{branch}\n"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn branches_and_paths_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let env = TestEnv::new();
    let repo = env.repo("shop");
    use_branch(&env, &repo, OsStr::from_bytes(b"caf\xe9"));
    let folder = OsStr::from_bytes(b"../tree-\xff");
    let create = [OsStr::new("worktree"), OsStr::new("create"), OsStr::new("x"), folder];
    let _ = env.git_port(&repo, create).success();
    let path = env.root().join(OsStr::from_bytes(b"tree-\xff"));
    assert!(path.join(".git-port.env").exists());
    // The other branch had the first one, and may want it back.
    assert_eq!(env.ok(&path, "get"), format!("{}\n", env.port(1)));
    let printed =
        env.command(crate::support::GIT_PORT, &repo).args(["worktree", "path", "x"]).output().unwrap();
    assert_eq!(printed.stdout, [path.as_os_str().as_bytes(), b"\n"].concat());
    let listed = env.git_port(&repo, ["worktree", "list"]).success();
    assert!(!is_raw(&listed.stdout), "{listed:?}");
    let removed = env.git_port(&repo, [OsStr::new("worktree"), OsStr::new("remove"), folder]).success();
    assert!(removed.stdout.contains("Released 1 port\n"), "{removed:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_remote_branch_need_not_be_utf_8() {
    use std::os::unix::ffi::OsStrExt;
    let env = TestEnv::new();
    let origin = env.repo("origin");
    let branch = OsStr::from_bytes(b"caf\xe9");
    env.git(&origin, [OsStr::new("branch"), branch]);
    env.git(&env.root(), ["clone", "-q", "origin", "shop"]);
    let repo = env.root().join("shop");
    let _ = env.git_port(&repo, [OsStr::new("worktree"), OsStr::new("create"), branch]).success();
    let upstreams = env.git(&repo, ["for-each-ref", "--format=%(upstream)", "refs/heads/caf*"]);
    assert!(upstreams.starts_with("refs/remotes/origin/caf"), "{upstreams}");
}

#[test]
fn a_project_folder_may_be_called_anything() {
    for name in ["a shop", "it's a \"shop\"", "shop\nnew line", "$(touch owned)", "-shop", ".shop", "a;b&c"] {
        let env = TestEnv::new();
        let repo = env.repo(name);
        let made = env.git_port(&repo, ["worktree", "create", "x", "--print-path"]).success();
        let path = Path::new(made.stdout.strip_suffix('\n').unwrap());
        let folder = path.file_name().unwrap().to_str().unwrap();
        assert!(folder.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{folder}");
        let script =
            "eval \"$(git port env)\"; one=$PORT; . ./.git-port.env; test \"$one\" = \"$PORT\" && echo $one";
        let run = Run::of(env.command("sh", path).args(["-c", script]).output().unwrap()).success();
        assert_eq!(run.stdout, format!("{}\n", env.port(0)), "{name:?}");
        assert!(!is_raw(&env.ok(&repo, "worktree list")), "{name:?}");
        let inside = env.git_port(&repo, ["worktree", "create", "y", &format!("../{name} y")]).success();
        assert!(inside.stdout.contains("Allocated Port: "), "{inside:?}");
        let y = env.root().join(format!("{name} y"));
        let run = Run::of(env.command("sh", &y).args(["-c", script]).output().unwrap()).success();
        assert_eq!(run.stdout, format!("{}\n", env.port(1)), "{name:?}");
        assert!(!is_raw(&env.ok(&repo, "worktree remove x")));
        assert!(!y.join("owned").exists() && !path.join("owned").exists());
    }
}
