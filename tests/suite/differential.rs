//! git against git-port, to the byte: the same repository, at the same path, in the same environment, once
//! under `git worktree`, once under `git port worktree`.

mod cases;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{GIT_PORT, Run, TestEnv};

/// What git-port may leave behind that git does not, and nothing else: this file in the worktree, ...
const ENV_FILE: &str = ".git-port.env";
/// ... these lines in `info/exclude`, ...
const EXCLUDED: &[u8] = b"/.git-port.env\n/.git-port-*.tmp\n";
/// ... files of this beginning in administrative directories, and the folder of this name in the common
/// one. The hooks see [`CREATE`] besides, and how many processes fill the worktree.
const OURS: &str = "git-port";
const CREATE: &str = "GIT_PORT_CREATE=";

/// A repository, and a worktree to make of it.
struct Case {
    /// A shell script that makes the repository in the current folder; see [`PRELUDE`].
    script: &'static str,
    /// Where one stands, in that folder.
    cwd: &'static str,
    /// The new worktree, in that folder.
    tree: &'static str,
    /// What `git worktree add` is given, and `git port worktree add` too.
    add: &'static [&'static str],
    /// What `git port worktree create` is given, where it can express the same.
    create: Option<&'static [&'static str]>,
    /// More environment; `{work}` is the folder.
    env: &'static [(&'static str, &'static str)],
    /// git's exit status.
    status: i32,
}

/// A repository `shop` beside the worktree `wt`, with nothing special.
const PLAIN: Case = Case {
    script: "base shop",
    cwd: "shop",
    tree: "wt",
    add: &["-b", "new", "../wt"],
    create: None,
    env: &[],
    status: 0,
};

const PRELUDE: &str = r#"set -e
hook() {
    mkdir -p "$1"
    for name in post-checkout reference-transaction; do
        printf '%s\n' '#!/bin/sh' '{ echo "$(basename "$0") $*"; pwd; env | grep ^GIT_ | grep -v -e ^GIT_PORT_CREATE= -e checkout.workers | sort' \
            'test "$(basename "$0")" = post-checkout || cat; } >>"$HOOK_LOG"' \
            "test \"\$(basename \"\$0\")\" != post-checkout || exit ${2:-0}" >"$1/$name"
        chmod +x "$1/$name"
    done
}
files() {
    mkdir -p sub/deep
    printf 'one\ntwo\n' >a.txt; echo b >sub/b.txt; echo c >sub/deep/c.txt
    echo 'echo hi' >run.sh; chmod +x run.sh; ln -s a.txt link
    git add .; git commit -qm first
    echo three >>a.txt; git commit -qam second
    git branch topic HEAD~1
}
base() { name=$1; shift; git init -q "$@" "$name"; cd "$name"; files; hook "$(git rev-parse --git-path hooks)"; }
origin() { (base origin; git branch feature HEAD~1; git branch other); }
"#;

/// Everything that is to be the same.
type Snapshot = BTreeMap<String, String>;

impl Case {
    /// Runs both programs, and compares what they say and what they leave: after making the worktree,
    /// and after removing it.
    #[track_caller]
    fn check(&self) {
        let env = TestEnv::new();
        let work = env.root().join("work");
        fs::create_dir(&work).unwrap();
        let script = format!("{PRELUDE}{}", self.script);
        let _ = Run::of(self.command(&env, "sh", &work).args(["-c", &script]).output().unwrap()).success();
        fs::rename(&work, env.root().join("saved")).unwrap();
        let git = self.run(&env, "git", &[], self.add, false);
        assert_eq!(git[0].get("status").unwrap(), &self.status.to_string(), "{}", git[0]["stderr"]);
        let silent = self.status != 0 || !self.script.contains("base shop");
        assert!(silent || git[0]["hook log"].contains("HEAD"), "{git:#?}");
        self.compare(&git, &self.run(&env, GIT_PORT, &[], self.add, false), "add");
        if let Some(create) = self.create {
            let created = self.run(&env, GIT_PORT, &[], create, true);
            self.compare(&git, &created, "create");
        }
    }

    fn run(
        &self,
        env: &TestEnv,
        program: &str,
        before: &[&str],
        words: &[&str],
        create: bool,
    ) -> [Snapshot; 2] {
        let work = env.root().join("work");
        let _ = fs::remove_dir_all(&work);
        let copied = Command::new("cp").arg("-a").arg(env.root().join("saved")).arg(&work).status().unwrap();
        assert!(copied.success());
        let run = |verb: &str, words: &[&str]| {
            let _ = fs::remove_file(env.root().join("hook.log"));
            let mut command = self.command(env, program, &work.join(self.cwd));
            let run = Run::of(command.args(before).args(["worktree", verb]).args(words).output().unwrap());
            self.snapshot(env, &work, run)
        };
        let made = run(if create { "create" } else { "add" }, words);
        let tree = work.join(self.tree);
        [made, run("remove", &[tree.to_str().unwrap()])]
    }

    fn command(&self, env: &TestEnv, program: &str, dir: &Path) -> Command {
        let mut command = env.command(program, dir);
        command.env("HOOK_LOG", env.root().join("hook.log")).env("GIT_OPTIONAL_LOCKS", "0");
        if program != "sh" {
            let work = env.root().join("work");
            command.envs(
                self.env.iter().map(|(name, value)| (name, value.replace("{work}", work.to_str().unwrap()))),
            );
        }
        command
    }

    fn snapshot(&self, env: &TestEnv, work: &Path, run: Run) -> Snapshot {
        let mut seen = Snapshot::new();
        seen.insert("status".to_owned(), run.status.to_string());
        seen.insert("stdout".to_owned(), run.stdout);
        seen.insert("stderr".to_owned(), run.stderr);
        let log = fs::read_to_string(env.root().join("hook.log")).unwrap_or_default();
        assert!(!log.contains(CREATE));
        seen.insert("hook log".to_owned(), log);
        walk(work, work, &mut seen);
        let views: [(&str, &str); 6] = [
            (self.tree, "status --porcelain=v2 --branch"),
            (self.tree, "ls-files --stage --debug -v"),
            (self.tree, "reflog show HEAD"),
            (self.cwd, "status --porcelain=v2 --branch"),
            (self.cwd, "worktree list --porcelain -z"),
            (self.cwd, "for-each-ref --format=%(refname)|%(objectname)|%(upstream)|%(symref)"),
        ];
        for (dir, words) in views.into_iter().filter(|(dir, _)| work.join(dir).exists()) {
            let mut command = if dir == self.cwd {
                self.command(env, "git", &work.join(dir))
            } else {
                env.command("git", &work.join(dir))
            };
            let told = Run::of(command.args(words.split(' ')).output().unwrap());
            let stable = |line: &&str| {
                !["  ctime:", "  mtime:", "  dev:", "  uid:"].iter().any(|stat| line.starts_with(stat))
            };
            let lines: Vec<&str> = told.stdout.lines().filter(stable).collect();
            seen.insert(
                format!("{dir}: git {words}"),
                format!("{}\n{}{}", told.status, lines.join("\n"), told.stderr),
            );
        }
        seen
    }

    #[track_caller]
    fn compare(&self, git: &[Snapshot; 2], port: &[Snapshot; 2], form: &str) {
        let made = git[0].contains_key(&format!("{}/.git", self.tree));
        let acts = if made { &[form, "remove"][..] } else { &[form] };
        for ((act, git), port) in acts.iter().copied().zip(git).zip(port) {
            let mut report = String::new();
            let git_all = format!("{}{}", git["stdout"], git["stderr"]);
            let keys: std::collections::BTreeSet<&String> = git.keys().chain(port.keys()).collect();
            for key in keys {
                let (git, port) = (git.get(key).cloned(), port.get(key).cloned());
                let same = match (key.as_str(), act) {
                    // `add` says git's words and no other on standard output; the others answer there
                    // themselves, and pass on to standard error what git says.
                    ("stdout", "create" | "remove") => true,
                    ("stderr", "create") => {
                        let mut git_said: Vec<&str> = git_all.lines().collect();
                        let mut port_said = said(port.as_deref().unwrap_or_default());
                        git_said.sort_unstable();
                        port_said.sort_unstable();
                        git_said == port_said
                    }
                    ("stderr", _) => said(git.as_deref().unwrap()) == said(port.as_deref().unwrap()),
                    _ => git == port,
                };
                if !same {
                    let shown = |text: Option<String>| text.unwrap_or_else(|| "(absent)".to_owned());
                    let _ = write!(report, "\n--- {key}\ngit:  {}\nport: {}", shown(git), shown(port));
                }
            }
            assert!(report.is_empty(), "after {act} {:?}:{report}", self.add);
        }
    }
}

/// git's own words, without what git-port adds after them.
fn said(stderr: &str) -> Vec<&str> {
    let ours = ["Allocated Port: ", "error: git worktree ", "hint: ", "warning: git ended with"];
    stderr.lines().filter(|line| !ours.iter().any(|beginning| line.starts_with(beginning))).collect()
}

/// Notes the kind, the mode and the contents of everything below a folder.
fn walk(root: &Path, dir: &Path, seen: &mut Snapshot) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let metadata = path.symlink_metadata().unwrap();
        if name == "objects" || name == ENV_FILE || is_ours(&path) {
            continue;
        }
        let key = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let mut value = format!("{:o} ", metadata.mode());
        if metadata.is_symlink() {
            value.push_str(&fs::read_link(&path).unwrap().to_string_lossy());
        } else if metadata.is_dir() {
            // The names of reftables are random, and their contents is seen through git.
            if name != "reftable" {
                walk(root, &path, seen);
            }
            // It comes with the lines in `info/exclude`.
            if name == "info" && is_git_dir(dir) {
                continue;
            }
        } else {
            let bytes = fs::read(&path).unwrap();
            match name.as_str() {
                // Stat data is in it; the rest is seen through git.
                "index" => value = format!("{value}{} bytes, header {:?}", bytes.len(), &bytes[..12]),
                _ if name.starts_with("sharedindex.") => {
                    seen.insert("sharedindex".to_owned(), format!("{value}{} bytes", bytes.len()));
                    continue;
                }
                "exclude" => {
                    let kept = bytes.strip_suffix(EXCLUDED).unwrap_or(&bytes);
                    if kept.is_empty() {
                        continue;
                    }
                    value.push_str(&kept.escape_ascii().to_string());
                }
                _ => value.push_str(&bytes.escape_ascii().to_string()),
            }
        }
        seen.insert(key, value);
    }
}

/// Says whether it is a file of git-port beside git's own.
fn is_ours(path: &Path) -> bool {
    let parent = path.parent().unwrap();
    path.file_name().unwrap().as_bytes().starts_with(OURS.as_bytes()) && is_git_dir(parent)
}

fn is_git_dir(dir: &Path) -> bool {
    let head: PathBuf = dir.join("HEAD");
    head.exists() || dir.parent().is_some_and(|parent| parent.ends_with("worktrees"))
}
