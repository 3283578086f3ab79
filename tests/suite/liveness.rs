//! What becomes of the ports of a worktree to which something happens.
//!
//! Each scenario is looked at in three ways, each time from the start: by `cleanup`, by a watch that is on
//! while it happens, and in passing, by another command in the same repository. Whatever is alive, locked,
//! not mounted or not readable keeps its ports; that git calls it "prunable" proves nothing.

mod again;
mod copies;
mod lab;
mod newcomers;
mod scenarios;

use lab::{Lab, is_root};
use serde_json::Value;

/// What is expected of a port.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Nothing is even worth mentioning.
    Live,
    /// It is kept, and these words are in the reason.
    Kept(&'static str),
    /// It is released.
    Released,
}

use Fate::{Kept, Live, Released};

const BROKEN: Fate = Kept("something else stands where its worktree was");
const UNREACHABLE: Fate = Kept("cannot be reached");
const LOCKED: Fate = Kept("locked");

/// Whose port it is.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Main,
    Tree,
}

/// What a scenario needs of the machine.
#[derive(Clone, Copy, Debug)]
enum Need {
    Nothing,
    /// A mount namespace of its own.
    Mounts,
    /// Somebody who may not read everything.
    Users,
    /// strace, which makes system calls fail.
    Strace,
}

type Step = fn(&mut Lab);

/// What happens to a worktree, and what is expected of each way of looking at it.
struct Scenario {
    needs: Need,
    /// Makes the worktree, and gives it a port.
    prepare: Step,
    /// Comes before anybody looks.
    ready: Step,
    /// What happens.
    act: Step,
    /// For `cleanup`, the watch, and the look in passing.
    expected: Vec<(Whose, [Fate; 3])>,
}

impl Scenario {
    /// What happens to the linked worktree, and what each way of looking makes of it.
    fn new(expected: [Fate; 3], act: Step) -> Self {
        let expected = vec![(Whose::Tree, expected)];
        Self { needs: Need::Nothing, prepare: Lab::populate, ready: |_| {}, act, expected }
    }

    /// What happens to the linked worktree, which is kept, whoever looks.
    fn kept(fate: Fate, act: Step) -> Self {
        Self::new([fate; 3], act)
    }

    /// What is expected of the main worktree, too.
    fn and_main(mut self, expected: [Fate; 3]) -> Self {
        self.expected.push((Whose::Main, expected));
        self
    }

    fn needs(self, needs: Need) -> Self {
        Self { needs, ..self }
    }

    fn prepared(self, prepare: Step) -> Self {
        Self { prepare, ..self }
    }

    fn ready(self, ready: Step) -> Self {
        Self { ready, ..self }
    }

    /// Looks in all three ways.
    fn run(&self) {
        self.clean_up();
        self.watch();
        self.look_in_passing();
    }

    /// Returns what it happens to, and another worktree; none if this machine does not allow it.
    fn lab(&self) -> Option<(Lab, Canary)> {
        let mut lab = Lab::new();
        let possible = match self.needs {
            Need::Nothing => true,
            Need::Mounts => lab.isolate(),
            Need::Users => !is_root() || lab.has("setpriv"),
            Need::Strace => lab.has("strace"),
        };
        if !possible {
            let complete = std::env::var_os("GIT_PORT_TESTS_COMPLETE").is_some();
            assert!(!complete, "{:?} cannot be had here", self.needs);
            println!("ignored: {:?} cannot be had here", self.needs);
            return None;
        }
        (self.prepare)(&mut lab);
        let canary = lab.canary();
        if matches!(self.needs, Need::Users) {
            lab.step_down();
        }
        (self.ready)(&mut lab);
        Some((lab, canary))
    }

    fn clean_up(&self) {
        let Some((mut lab, _)) = self.lab() else { return };
        (self.act)(&mut lab);
        let root = lab.env.root();
        for words in ["cleanup --dry-run", "cleanup"] {
            self.check_plan(&lab, &lab.look(&root, words));
            if words.ends_with("--dry-run") {
                self.check(&lab, words, |_| Live);
            }
        }
        self.check(&lab, "cleanup", |fates| fates[0]);
    }

    fn watch(&self) {
        let Some((mut lab, canary)) = self.lab() else { return };
        let mut watcher = lab.watch();
        (self.act)(&mut lab);
        // What is released with it was gone for at least as long as the other worktree.
        std::fs::remove_dir_all(&canary.0).unwrap();
        let port = canary.1;
        watcher.wait_for("released", |told| told["allocations"][0]["port"] == port);
        for (whose, fates) in &self.expected {
            if matches!(fates[1], Released) && lab.is_live(lab.port(*whose)) {
                let port = lab.port(*whose);
                watcher.wait_for("released", |told| told["allocations"][0]["port"] == port);
            }
        }
        self.check(&lab, "watch", |fates| fates[1]);
    }

    fn look_in_passing(&self) {
        let Some((mut lab, _)) = self.lab() else { return };
        (self.act)(&mut lab);
        // To say what would be done changes nothing, also where more can be known than from outside.
        let _ = lab.look(&lab.from, "cleanup --dry-run");
        self.check(&lab, "cleanup --dry-run", |_| Live);
        let _ = lab.look(&lab.from, "list");
        self.check(&lab, "list", |fates| fates[2]);
    }

    /// A plan must name each port where it belongs.
    #[track_caller]
    fn check_plan(&self, lab: &Lab, cleaned: &Value) {
        for (whose, fates) in &self.expected {
            let port = lab.port(*whose);
            let released = cleaned["released"].as_array().unwrap_or_else(|| panic!("{cleaned:#}"));
            let released = released.iter().any(|one| one["port"] == port);
            let kept = cleaned["kept"].as_array().unwrap();
            let kept = kept.iter().find(|kept| kept["allocation"]["port"] == port);
            let reason = kept.map_or("", |kept| kept["reason"].as_str().unwrap());
            match fates[0] {
                Released => assert!(released, "{whose:?}: {cleaned:#}"),
                Live => assert!(!released && kept.is_none(), "{whose:?}: {cleaned:#}"),
                Kept(words) => {
                    assert!(!released && reason.contains(words), "{whose:?}: {cleaned:#}");
                }
            }
        }
    }

    #[track_caller]
    fn check(&self, lab: &Lab, how: &str, fate: impl Fn(&[Fate; 3]) -> Fate) {
        for (whose, fates) in &self.expected {
            let expected = !matches!(fate(fates), Released);
            assert_eq!(lab.is_live(lab.port(*whose)), expected, "{how}: {whose:?}, {:?}", fate(fates));
        }
    }
}

type Canary = (std::path::PathBuf, u16);
