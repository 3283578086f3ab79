//! What `git port template --write` writes, and what it leaves alone.

use std::fs;

use super::write;
use crate::support::{GIT_PORT, Run, TestEnv, shape};

const BLOCK: &str = "# >>> git-port >>>\n";

#[test]
fn writing_twice_is_writing_once() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    for name in ["make", "vscode", "spring", "dotenv", "docker-compose"] {
        let object = env.json(&repo, &format!("template {name} --write"));
        let file = repo.join(object["file"].as_str().unwrap());
        // The variables are delivered with the ports, before anybody writes them.
        assert_eq!(object["written"], name != "dotenv", "{object}");
        let text = fs::read(&file).unwrap();
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        let object = env.json(&repo, &format!("template {name} --write"));
        assert_eq!((&object["written"], &object["diff"]), (&false.into(), &"".into()), "{object}");
        assert_eq!(fs::read(&file).unwrap(), text);
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
    }
    let run = env.git_port(&repo, ["template", "make", "--write"]).success();
    assert!(run.stdout.is_empty() && run.stderr.contains("'Makefile' is up to date"), "{run:?}");
}

#[test]
fn a_dry_run_and_a_diff_write_nothing() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let run = env.git_port(&repo, ["template", "make", "--write", "--dry-run"]).success();
    assert!(run.stdout.is_empty() && run.stderr.contains("+export PORT ?= 3000"), "{run:?}");
    let run = env.git_port(&repo, ["template", "make", "--diff"]).success();
    assert!(run.stdout.starts_with("--- a/Makefile\n+++ b/Makefile\n@@ "), "{run:?}");
    assert!(!repo.join("Makefile").exists());
    assert_eq!(env.json(&repo, "template make --write --dry-run")["written"], false);
}

#[test]
fn a_block_is_kept_in_a_file_of_the_users() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let file = repo.join(".env.local");
    // Not text, and with another line end.
    let theirs: &[u8] = b"SECRET='a b'\r\n# caf\xe9\nLAST=1";
    write(&file, theirs);
    env.ok(&repo, "template dotenv --write --into .env.local");
    let first = fs::read(&file).unwrap();
    assert!(first.starts_with(theirs), "{}", String::from_utf8_lossy(&first));
    let text = String::from_utf8_lossy(&first).into_owned();
    assert!(text.contains(&format!("PORT={}\r\n", env.port(0))), "{text}");

    // What the user adds behind it stays, too; the port in it follows.
    let mut longer = first.clone();
    longer.extend_from_slice(b"MORE=\xff\n");
    fs::write(&file, &longer).unwrap();
    env.ok(&repo, "template dotenv --write --into .env.local");
    assert_eq!(fs::read(&file).unwrap(), longer);
    let service = env.one(&repo, "get")["service"].as_str().unwrap().to_owned();
    env.ok(&repo, &format!("allocate {service} --new"));
    env.ok(&repo, "template dotenv --write --into .env.local");
    let second = fs::read(&file).unwrap();
    assert!(second.starts_with(theirs) && second.ends_with(b"MORE=\xff\n"));
    let (old, new) = (format!("PORT={}", env.port(0)), format!("PORT={}", env.port(1)));
    let text = String::from_utf8_lossy(&second).into_owned();
    assert!(text.contains(&new) && !text.contains(&old), "{text}");

    // Damaged marks are nobody's to mend.
    fs::write(&file, BLOCK).unwrap();
    let run = env.git_port(&repo, ["template", "dotenv", "--write", "--into", ".env.local"]).exits_with(4);
    assert!(run.stderr.contains("marks of git-port's block in '.env.local' are damaged"), "{run:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), BLOCK);
}

#[test]
fn files_of_others_are_left_alone_and_the_snippet_is_printed() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    write(repo.join("Makefile"), "all:\n");
    write(repo.join("tracked.env"), "A=1\n");
    write(repo.join("gone.env"), "");
    write(repo.join("marked.env"), format!("{BLOCK}A=1\n# <<< git-port <<<\n"));
    write(repo.join("marked.mk"), format!("a:\n{BLOCK}A=1\n# <<< git-port <<<\n"));
    env.git(&repo, ["add", "--all"]);
    env.git(&repo, ["commit", "--quiet", "-m", "files"]);
    fs::remove_file(repo.join("gone.env")).unwrap();
    write(repo.join("justfile"), "default:\n");
    fs::create_dir(repo.join("folder.env")).unwrap();
    let status = || env.git(&repo, ["status", "--short"]);
    let before = status();
    for (line, why) in [
        ("make --write", "'Makefile' is tracked by git and has no block"),
        ("just --write", "'justfile' was not written by git-port"),
        ("dotenv --write --into tracked.env", "'tracked.env' is tracked by git"),
        ("dotenv --write --into gone.env", "'gone.env' is tracked by git"),
        ("dotenv --write --into marked.env", "'marked.env' is tracked by git"),
        ("dotenv --write --into folder.env", "'folder.env' cannot be a file"),
        ("just --diff", "'justfile' was not written by git-port"),
    ] {
        let words: Vec<&str> = std::iter::once("template").chain(line.split(' ')).collect();
        let run = env.git_port(&repo, &words).exits_with(4);
        assert!(run.stderr.contains(why), "{line}: {run:?}");
        assert!(run.stdout.contains("PORT"), "the snippet is printed: {line}: {run:?}");
        assert!(run.stderr.contains("hint: "), "{run:?}");
        let run = env.git_port(&repo, words.iter().chain(&["--json"])).exits_with(4);
        shape::error(&run.object(), "conflict");
    }
    assert_eq!(status(), before);
    // Whoever has put the marks into a file that git tracks has asked for it.
    env.ok(&repo, "template make --write --into marked.mk");
    let text = fs::read_to_string(repo.join("marked.mk")).unwrap();
    assert!(text.starts_with("a:\n# >>> git-port >>>\n") && text.contains("export PORT ?="), "{text}");
}

#[cfg(unix)]
#[test]
fn no_link_is_written_through() {
    use std::os::unix::fs::symlink;
    let env = TestEnv::new();
    let repo = env.repo("shop");
    let outside = env.root().join("outside");
    fs::create_dir(&outside).unwrap();
    write(outside.join("env"), "A=1\n");
    symlink(outside.join("env"), repo.join(".env.local")).unwrap();
    symlink(&outside, repo.join(".vscode")).unwrap();
    symlink(outside.join("nothing"), repo.join("Makefile")).unwrap();
    for (line, link) in [
        ("dotenv --write --into .env.local", ".env.local"),
        ("vscode --write", ".vscode"),
        ("make --write", "Makefile"),
    ] {
        let words = std::iter::once("template").chain(line.split(' '));
        let run = env.git_port(&repo, words).exits_with(4);
        assert!(run.stderr.contains(&format!("'{link}' is a symbolic link")), "{run:?}");
        assert!(run.stdout.contains("PORT"), "{run:?}");
    }
    assert_eq!(fs::read_to_string(outside.join("env")).unwrap(), "A=1\n");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_worktree_whose_path_is_not_text_has_its_templates() {
    use std::os::unix::ffi::OsStringExt;
    let env = TestEnv::new();
    let path = env.root().join(std::ffi::OsString::from_vec(b"caf\xe9".to_vec()));
    fs::create_dir(&path).unwrap();
    env.git(&path, ["init", "--quiet"]);
    let run = |words: &[&str]| Run::of(env.command(GIT_PORT, &path).args(words).output().unwrap());
    assert_eq!(run(&["template", "make", "--write"]).success().stdout, "Wrote Makefile\n");
    run(&["template", "docker-compose", "--write"]).success();
    assert!(run(&["template", "dotenv"]).success().stdout.contains("PORT="));
}

#[test]
fn a_copied_file_of_variables_is_noticed_once() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "get");
    env.ok(&repo, "worktree create other");
    let other = env.root().join("shop-other");
    let (from, to) = (repo.join(".git-port.env"), other.join(".git-port.env"));
    let own = fs::read(&to).unwrap();
    for words in [&["get"][..], &["env"], &["template", "dotenv"], &["url"], &["run", "--", "true"]] {
        fs::copy(&from, &to).unwrap();
        let run = env.git_port(&other, words).success();
        let notice = format!("'.git-port.env' was copied from '{}'", repo.display());
        assert_eq!(run.stderr.matches(&notice).count(), 1, "{words:?}: {run:?}");
        assert_eq!(fs::read(&to).unwrap(), own, "{words:?}");
        let run = env.git_port(&other, words).success();
        assert!(!run.stderr.contains("copied"), "{run:?}");
    }
    fs::copy(&from, &to).unwrap();
    let object = env.json(&other, "get");
    assert_eq!(object["warnings"].as_array().unwrap().len(), 1, "{object}");
    fs::copy(&from, &to).unwrap();
    let service = object["allocations"][0]["service"].as_str().unwrap();
    let object = env.json(&other, &format!("allocate {service}"));
    assert_eq!(object["warnings"].as_array().unwrap().len(), 1, "{object}");
    assert_eq!(fs::read(&to).unwrap(), own);

    // Into a worktree that has no ports yet.
    env.git(&repo, ["worktree", "add", "--quiet", "../plain"]);
    let plain = env.root().join("plain");
    fs::copy(&from, plain.join(".git-port.env")).unwrap();
    let run = env.git_port(&plain, ["get", "--no-allocate"]).exits_with(1);
    assert!(run.stderr.contains("was copied from"), "{run:?}");
    assert!(!plain.join(".git-port.env").exists());
}

#[test]
fn a_tracked_file_of_variables_is_left_alone() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "get");
    env.git(&repo, ["add", "--force", ".git-port.env"]);
    env.git(&repo, ["commit", "--quiet", "-m", "by mistake"]);
    env.ok(&repo, "worktree create other");
    let other = env.root().join("shop-other");
    let committed = fs::read(repo.join(".git-port.env")).unwrap();
    assert_eq!(fs::read(other.join(".git-port.env")).unwrap(), committed);
    let run = env.git_port(&other, ["get"]).success();
    assert!(run.stderr.contains("tracked by git"), "{run:?}");
    assert_eq!(run.stdout, format!("{}\n", env.port(1)));
    env.git_port(&other, ["template", "dotenv", "--write"]).exits_with(4);
    assert_eq!(env.git(&other, ["status", "--short"]), "");
}

#[test]
fn the_file_of_variables_may_have_another_name() {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    env.ok(&repo, "get");
    assert!(repo.join(".git-port.env").exists());
    write(repo.join(".git-port.toml"), "[worktree]\nenv_file = \".ports\"\n[services.web]\n");
    env.ok(&repo, "allocate web");
    assert!(fs::read_to_string(repo.join(".ports")).unwrap().contains("WEB_PORT="));
    assert!(!repo.join(".git-port.env").exists(), "nothing goes on promising ports");
    assert_eq!(env.git(&repo, ["status", "--short"]), "?? .git-port.toml\n");
    assert!(env.ok(&repo, "template mise").contains("_.file = \".ports\""));
    for name in ["../x", "a/b", ".git", ".gitignore", "", "-x", "a b", "..", "x.", ".GIT", "a\\\\b", "é"] {
        write(repo.join(".git-port.toml"), format!("[worktree]\nenv_file = \"{name}\"\n"));
        let run = env.git_port(&repo, ["get"]).exits_with(128);
        assert!(run.stderr.contains("worktree.env_file"), "{name}: {run:?}");
    }
}
