//! What `get` and `env` answer from the worktree's own copy, and when they do not.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::support::{Run, TestEnv};

/// A worktree and what is kept about it.
struct Lab {
    env: TestEnv,
    repo: PathBuf,
    copy: PathBuf,
    seal: PathBuf,
}

impl Lab {
    fn main() -> Self {
        let env = TestEnv::new();
        let repo = env.repo("shop");
        let ours = repo.join(".git/git-port");
        Self { env, repo, copy: ours.join("main.json"), seal: ours.join("main-seal") }
    }

    fn linked() -> Self {
        let env = TestEnv::new();
        let main = env.repo("shop");
        env.ok(&main, "worktree create topic ../topic");
        let admin_dir = main.join(".git/worktrees/topic");
        let repo = env.root().join("topic");
        Self { env, repo, copy: admin_dir.join("git-port.json"), seal: admin_dir.join("git-port-seal") }
    }

    /// Lets what was written rest, as if some time had passed.
    fn rest(&self) {
        let registry = self.env.registry();
        let log = registry.with_extension("db-wal");
        let moment = SystemTime::now() - Duration::from_secs(5);
        for path in [&registry, &log, &self.copy] {
            // As often as not nobody has written since, and then the time is to stay what it is.
            let Ok(file) = OpenOptions::new().append(true).open(path) else { continue };
            if file.metadata().unwrap().modified().unwrap() > moment {
                file.set_modified(moment).unwrap();
            }
        }
    }

    /// Has the copy sealed.
    fn seal(&self) -> String {
        let _ = self.get(&["get"]);
        self.rest();
        let port = self.get(&["get"]).stdout;
        assert!(self.seal.exists());
        port
    }

    /// Changes a number in the copy so that the system cannot tell.
    fn forge(&self, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        let text = fs::read_to_string(&self.copy).unwrap();
        assert!(text.contains(from), "{text}");
        let modified = fs::metadata(&self.copy).unwrap().modified().unwrap();
        let mut file = File::options().write(true).open(&self.copy).unwrap();
        file.write_all(text.replace(from, to).as_bytes()).unwrap();
        file.set_modified(modified).unwrap();
    }

    fn get(&self, words: &[&str]) -> Run {
        self.env.git_port(&self.repo, words).success()
    }
}

#[test]
fn a_sealed_copy_is_the_answer() {
    for lab in [Lab::main(), Lab::linked()] {
        let port = lab.env.ok(&lab.repo, "get");
        assert!(!lab.seal.exists(), "a copy that was just written may be written again");
        assert_eq!(lab.seal(), port);
        let (port, forged) = (port.trim(), "31999");
        lab.forge(&format!("\"port\":{port}"), &format!("\"port\":{forged}"));
        // The registry would know better, and is not asked.
        assert_eq!(lab.get(&["get"]).stdout.trim(), forged);
        let below = lab.repo.join("a/b");
        fs::create_dir_all(&below).unwrap();
        assert_eq!(lab.env.ok(&below, "get").trim(), forged);
        let variables = lab.get(&["env"]).stdout;
        assert!(variables.contains(&format!("PORT='{forged}'")) || variables.contains(forged), "{variables}");
        // The object has more in it than a copy has.
        assert_eq!(lab.env.one(&lab.repo, "get")["port"].to_string(), port);
    }
}

#[test]
fn whatever_changes_the_registry_breaks_the_seal() {
    let lab = Lab::linked();
    let main = lab.env.root().join("shop");
    for change in [
        "allocate other --project elsewhere",
        "allocate shop-topic --new",
        "update 0 --description x",
        "release --worktree",
        "reserve 31000",
        "cleanup",
    ] {
        let port = lab.seal();
        lab.forge(&format!("\"port\":{}", port.trim()), "\"port\":31999");
        let change = change.replace("update 0", &format!("update {}", port.trim()));
        let dir = if change.contains("elsewhere") { &main } else { &lab.repo };
        let _ = lab.env.git_port(dir, change.split(' ')).success();
        let answer = lab.get(&["get"]).stdout;
        assert_eq!(answer, format!("{}\n", lab.env.one(&lab.repo, "get")["port"]), "after {change}");
    }
}

#[test]
fn a_copy_that_was_written_anew_is_not_believed() {
    let lab = Lab::main();
    let port = lab.seal();
    let text = fs::read_to_string(&lab.copy).unwrap();
    fs::remove_file(&lab.copy).unwrap();
    fs::write(&lab.copy, text.replace(port.trim(), "31999")).unwrap();
    assert_eq!(lab.get(&["get"]).stdout, port);
    // A wrong one is put right, and sealed when it has rested.
    lab.rest();
    let _ = lab.get(&["get"]);
    assert_eq!(fs::read_to_string(&lab.copy).unwrap(), text);
    assert_eq!(lab.seal(), port);
}

#[test]
fn what_a_copy_cannot_know_is_asked_of_the_registry() {
    let lab = Lab::linked();
    let port = lab.seal();
    lab.forge(&format!("\"port\":{}", port.trim()), "\"port\":31999");
    let registry = lab.env.root().join("elsewhere.db");
    let registry = registry.to_str().unwrap();
    // Another registry, another place, a repository named by a variable.
    assert_ne!(lab.get(&["--registry", registry, "get"]).stdout.trim(), "31999");
    let mut redirected = lab.env.command(crate::support::program(), &lab.env.root());
    let main = lab.env.root().join("shop");
    redirected.arg("get").env("GIT_DIR", main.join(".git")).env("GIT_WORK_TREE", &main);
    assert_ne!(Run::of(redirected.output().unwrap()).success().stdout.trim(), "31999");
    let moved = lab.env.root().join("moved");
    lab.env.git(&main, ["worktree", "move", "../topic", "../moved"]);
    assert_eq!(lab.env.ok(&moved, "get"), port);
    // A wrong configuration is an error as ever.
    fs::write(moved.join(".git-port.toml"), "nonsense = 1\n").unwrap();
    let refused = lab.env.git_port(&moved, ["get"]).exits_with(128);
    assert!(refused.stderr.contains("nonsense"), "{refused:?}");
}

#[test]
fn a_lost_registry_is_noticed_all_the_same() {
    let lab = Lab::main();
    let port = lab.seal();
    fs::remove_file(lab.env.registry()).unwrap();
    let told = lab.get(&["get"]);
    assert_eq!(told.stdout, port);
    assert!(told.stderr.contains("registry"), "{told:?}");
}

/// Says which of these names a command opens.
fn opened(lab: &Lab, words: &[&str], names: &[&str]) -> Option<Vec<String>> {
    let log = lab.env.root().join("strace");
    let mut command = lab.env.command("strace", &lab.repo);
    command.args(["-f", "-e", "trace=open,openat", "-o"]).arg(&log);
    command.arg(crate::support::program()).args(words);
    let Ok(output) = command.output() else {
        crate::support::herd::ignored_for_want_of("strace");
        return None;
    };
    let _ = Run::of(output).success();
    let text = fs::read_to_string(log).unwrap();
    let is_opened = |name: &&&str| text.lines().any(|line| line.contains(&format!("{name}\"")));
    Some(names.iter().filter(is_opened).map(|name| (*name).to_owned()).collect())
}

#[test]
fn nothing_is_opened_that_is_not_needed() {
    let lab = Lab::linked();
    let port = lab.seal();
    let registry = ["registry.db", "registry.db-wal", "registry.db.lock"];
    // libgit2 reads the user's configuration of git.
    let names = [&registry[..], &[".gitconfig"]].concat();
    let Some(found) = opened(&lab, &["get"], &names) else { return };
    assert!(found.is_empty(), "{found:?}");
    assert!(opened(&lab, &["env"], &names).unwrap().is_empty());
    assert!(!opened(&lab, &["get", "--json"], &names).unwrap().is_empty(), "the test sees what is opened");
    let (zeros, commit) = ("0".repeat(40), lab.env.git(&lab.repo, ["rev-parse", "HEAD"]));
    for hook in [
        ["hook", "post-checkout", &zeros, commit.trim(), "1"],
        ["hook", "post-checkout", commit.trim(), commit.trim(), "0"],
    ] {
        let config = [&names[..], &["config.toml", ".git-port.toml"]].concat();
        assert!(opened(&lab, &hook, &config).unwrap().is_empty());
    }
    assert_eq!(lab.env.ok(&lab.repo, "get"), port);
    // A repository that has no use for ports: no registry is made there, or asked.
    let other = lab.env.repo("other");
    let lab = Lab { repo: other, ..lab };
    let hook = ["hook", "post-checkout", &zeros, commit.trim(), "1"];
    assert!(opened(&lab, &hook, &registry).unwrap().is_empty());
}

/// Half of the commands change a port, the other half ask; an answer is never older than the last change.
#[test]
fn an_answer_is_never_older_than_the_last_change() {
    let lab = Lab::linked();
    let random: &Path = &lab.copy;
    let mut seed = random.as_os_str().len() as u64 * 7919 + u64::from(std::process::id());
    for step in 0..40 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match (seed >> 33) % 5 {
            0 => _ = lab.get(&["allocate", "shop-topic", "--new", "-q"]),
            // There may be nothing to release.
            1 => _ = lab.env.git_port(&lab.repo, ["release", "--worktree", "-q"]).status,
            2 => lab.rest(),
            _ => {
                let listed = lab.env.listed(&lab.repo, "--worktree");
                let answer = lab.env.git_port(&lab.repo, ["get", "--no-allocate"]);
                let known = listed.first().map_or(String::new(), |port| format!("{port}\n"));
                assert_eq!(answer.stdout, known, "at step {step}");
            }
        }
    }
}
