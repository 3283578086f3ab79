//! `packaging/package.sh`: what it makes is installed once in a clean folder, and works from there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::herd::ignored_for_want_of;
use crate::support::{GIT_PORT, Run, TestEnv};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn package(env: &TestEnv, arguments: &[&str]) -> Run {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/package.sh");
    let mut command = env.command(script, &env.root());
    command.env("GIT_PORT_BINARY", GIT_PORT).env("SOURCE_DATE_EPOCH", "1767225600").args(arguments);
    Run::of(command.output().unwrap())
}

/// Makes a package, unpacks it into a clean folder, and returns the prefix in there.
fn unpacked(env: &TestEnv, kind: &str, unpack: &[&str]) -> PathBuf {
    let clean = env.root().join("clean");
    fs::create_dir(&clean).unwrap();
    let made = package(env, &[kind, "packages"]).success();
    let (program, before) = unpack.split_first().unwrap();
    let mut command = env.command(program, &clean);
    let _ = Run::of(command.args(before).arg(made.stdout.trim_end()).arg(&clean).output().unwrap()).success();
    clean
}

/// It makes a worktree with a port, has its manual where git looks for it, and its completions.
#[track_caller]
fn works(env: &TestEnv, prefix: &Path, zsh: &str) {
    let program = prefix.join("bin/git-port");
    let repo = env.repo("shop");
    let run = Run::of(
        env.command(program.to_str().unwrap(), &repo)
            .args(["worktree", "create", "feature-api"])
            .output()
            .unwrap(),
    );
    assert!(run.success().stdout.contains("Allocated Port: "));
    let page = |name: &str| {
        let page = prefix.join("share/man/man1").join(name);
        page.is_file() || page.with_extension("1.gz").is_file()
    };
    assert!(page("git-port.1") && page("git-port-worktree-create.1"));
    for file in ["bash-completion/completions/git-port", "fish/vendor_completions.d/git-port.fish", zsh] {
        assert!(prefix.join("share").join(file).is_file(), "{file}");
    }
    for document in ["README.md", "NOTICE"] {
        assert!(prefix.join("share/doc/git-port").join(document).is_file(), "{document}");
    }
    assert!(!prefix.join("share/git-port").exists(), "its own notes are those of an installation by hand");
}

#[test]
fn an_archive_is_unpacked_and_works() {
    let env = TestEnv::new();
    let clean = unpacked(&env, "archive", &["sh", "-c", "tar -xzf \"$0\" --strip-components=1 -C \"$1\""]);
    works(&env, &clean, "zsh/site-functions/_git-port");
    for license in ["LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md"] {
        assert!(clean.join("share/doc/git-port").join(license).is_file());
    }
}

#[test]
fn a_debian_package_is_unpacked_and_works() {
    if Command::new("dpkg-shlibdeps").arg("--version").output().is_err() {
        return ignored_for_want_of("dpkg-shlibdeps");
    }
    let env = TestEnv::new();
    let clean = unpacked(&env, "deb", &["dpkg-deb", "--extract"]);
    works(&env, &clean.join("usr"), "zsh/vendor-completions/_git-port");
    let package = fs::read_dir(env.root().join("packages")).unwrap().next().unwrap().unwrap();
    let field = |name: &str| {
        let command = env.command("dpkg-deb", &env.root()).arg("-f").arg(package.path()).arg(name).output();
        Run::of(command.unwrap()).success().stdout.trim_end().to_owned()
    };
    assert_eq!(field("Version"), format!("{VERSION}-1"));
    assert!(field("Depends").starts_with("git (>= 1:2.17), libc6 (>= "), "{}", field("Depends"));
}

#[test]
fn what_is_refused() {
    let env = TestEnv::new();
    for (arguments, named) in [
        (&[] as &[&str], "archive or deb?"),
        (&["rpm"], "'rpm'"),
        (&["--fast"], "'--fast'"),
        (&["deb", "a", "b"], "'b'"),
    ] {
        let run = package(&env, arguments).exits_with(2);
        assert!(run.stderr.starts_with("error: ") && run.stderr.contains(named), "{run:?}");
    }
}

#[test]
fn versions_and_the_changelog_are_in_step() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let changelog = fs::read_to_string(root.join("CHANGELOG.md")).unwrap();
    let mut headings = changelog.lines().filter(|line| line.starts_with("## ["));
    assert_eq!(headings.next(), Some("## [Unreleased]"));
    if let Some(released) = headings.next() {
        assert!(released.starts_with(&format!("## [{VERSION}] - ")), "{released}");
    }
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
    assert!(lock.contains(&format!("name = \"git-port\"\nversion = \"{VERSION}\"\n")));
}
