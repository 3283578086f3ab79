//! The hook that gives a new worktree its ports: installs it, removes it, says whether it runs.
//!
//! Nothing depends on it: `git worktree add --no-checkout` and others run no hook (githooks(5)), so the
//! registry is brought up to date by every command. The hook makes that quicker.

mod block;
mod config;
mod file;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::GitError;
use super::program::{self, Version};
use crate::system::{SystemError, files};
use config::Place;

/// The first git that runs hooks named in its configuration ([`Mechanism::ConfigHook`]).
pub const CONFIG_HOOKS_SINCE: Version = config::HOOKS_SINCE;

/// What to run where a hook got lost.
const REINSTALL: &str = "git port hook install";

/// Whose hooks.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Those of the repository that has this folder in a worktree or in its git directory.
    Repository(PathBuf),
    /// Those of all the user's repositories.
    Global {
        /// Where git-port may keep a template for new repositories (`init.templateDir`), for gits that
        /// have no hooks in their configuration.
        template_dir: PathBuf,
    },
}

/// How git comes to run the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `hook.git-port.command` in git's configuration: beside every hook manager (git 2.54 and newer).
    ConfigHook,
    /// Marked lines in this file.
    HookFile(PathBuf),
    /// A hook file in this folder, which git copies into every new repository.
    Template(PathBuf),
}

/// What [`install`] did.
#[derive(Clone, Debug)]
pub struct Installed {
    /// How git comes to run the hook now.
    pub mechanism: Mechanism,
    /// False if it was so before.
    pub changed: bool,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// What [`uninstall`] did.
#[derive(Clone, Debug)]
pub struct Uninstalled {
    /// The files and settings that are changed or gone. Empty if there was nothing of ours.
    pub removed: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Whether git runs the hook.
#[derive(Clone, Debug, Default)]
pub struct HookStatus {
    /// Where it is installed.
    pub installed: Vec<Mechanism>,
    /// Whether the git on `PATH` starts one of them (for [`Scope::Global`]: in new repositories at least).
    pub fires: bool,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Something wrong with an installed hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What git told the hook (githooks(5), post-checkout).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookEvent {
    /// There was no commit before: a new worktree, a clone, or a first commit checked out by force.
    pub new_worktree: bool,
    /// A branch or commit was checked out, not single files.
    pub branch_checkout: bool,
}

impl HookStatus {
    fn add_problem(&mut self, message: String, hint: &str) {
        self.problems.push(Problem { message, hint: hint.to_owned() });
    }

    fn has_config_hook(&self) -> bool {
        self.installed.contains(&Mechanism::ConfigHook)
    }
}

/// Installs the hook in the way that disturbs least, and only if that harms nothing that is there.
///
/// `program` is the absolute path of git-port, for when `PATH` does not have it: graphical programs start
/// git with a short one. Fails with [`GitError::HookRefused`] where a person has to decide.
pub fn install(scope: &Scope, program: &Path) -> Result<Installed, GitError> {
    install_with(program::version()?, scope, program)
}

fn install_with(git: Version, scope: &Scope, program: &Path) -> Result<Installed, GitError> {
    match scope {
        Scope::Repository(dir) => {
            let hooks = file::hooks_of(dir)?;
            if git < config::HOOKS_SINCE {
                return file::install(&hooks, program);
            }
            install_config(Place::Repository(dir), program)
        }
        Scope::Global { .. } if git >= config::HOOKS_SINCE => install_config(Place::User, program),
        Scope::Global { template_dir } => install_template(template_dir, program, git),
    }
}

fn install_config(place: Place<'_>, program: &Path) -> Result<Installed, GitError> {
    let changed = place.install(program)?;
    let notes = place.find_switch()?.map(|key| format!("{key} is false, so git does not run the hook"));
    Ok(Installed { mechanism: Mechanism::ConfigHook, changed, notes: notes.into_iter().collect() })
}

/// What git's own template has, but for its sample hooks: ours takes its place, and there are programs
/// that expect `info` to exist.
const TEMPLATE: &[(&str, &[u8])] = &[
    ("info/exclude", b"# git ls-files --others --exclude-from=.git/info/exclude\n"),
    ("description", b"Unnamed repository; edit this file 'description' to name the repository.\n"),
];

fn install_template(dir: &Path, program: &Path, git: Version) -> Result<Installed, GitError> {
    const KEY: &str = "init.templateDir";
    for place in [Place::User, Place::Machine] {
        if let Some(other) = place.find_path(KEY)?
            && files::canonical(&other) != files::canonical(dir)
        {
            return Err(GitError::HookRefused {
                message: format!("{KEY} is '{}' already", other.display()),
                hint: format!("run '{REINSTALL}' in each repository"),
            });
        }
    }
    let (mut changed, _) = file::install_at(&dir.join("hooks").join(file::HOOK), program)?;
    for (name, contents) in TEMPLATE {
        let path = dir.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(SystemError::file("create", folder))?;
        }
        changed |= files::create(&path, contents, files::Access::Public)?;
    }
    if Place::User.find_path(KEY)?.is_none() {
        Place::User.set(KEY, dir.as_os_str())?;
        changed = true;
    }
    let mut notes = vec![format!(
        "git {git} copies the hook into new repositories only: run '{REINSTALL}' in each one that exists"
    )];
    if let Some(hooks) = Place::User.find_path("core.hooksPath")? {
        notes.push(format!("core.hooksPath is '{}', so git reads no other hooks", hooks.display()));
    }
    Ok(Installed { mechanism: Mechanism::Template(dir.to_owned()), changed, notes })
}

/// Removes the hook wherever it may have come to be; every file is again what it was without it.
pub fn uninstall(scope: &Scope) -> Result<Uninstalled, GitError> {
    match scope {
        Scope::Repository(dir) => {
            let hooks = file::hooks_of(dir)?;
            let (mut removed, mut notes) = file::Removal::of(&hooks)?.carry_out()?;
            if Place::Repository(dir).uninstall()? {
                removed.push("hook.git-port in the repository's configuration".to_owned());
            }
            if Place::Effective(dir).has_hook()? {
                notes
                    .push("a hook for all repositories is left: git port hook uninstall --global".to_owned());
            }
            Ok(Uninstalled { removed, notes })
        }
        Scope::Global { template_dir } => uninstall_global(template_dir),
    }
}

fn uninstall_global(dir: &Path) -> Result<Uninstalled, GitError> {
    const KEY: &str = "init.templateDir";
    let hooks = dir.join("hooks");
    let (mut removed, mut notes) = file::Removal::plan(std::iter::once(hooks.as_path()))?.carry_out()?;
    if !removed.is_empty() {
        notes.push("repositories made from the template keep their hook: git port hook uninstall".to_owned());
    }
    for (name, contents) in TEMPLATE {
        let path = dir.join(name);
        if files::load(&path)?.is_some_and(|file| file == *contents) {
            files::remove(&path)?;
        }
    }
    // Only empty folders go; what a user put there stays.
    for folder in [hooks, dir.join("info"), dir.to_owned()] {
        let _ = fs::remove_dir(folder);
    }
    if Place::User.find_path(KEY)?.is_some_and(|path| files::canonical(&path) == files::canonical(dir)) {
        if dir.exists() {
            notes.push(format!("{KEY} is left: '{}' is not empty", dir.display()));
        } else {
            Place::User.unset(KEY)?;
            removed.push(format!("{KEY} in your configuration"));
        }
    }
    if Place::User.uninstall()? {
        removed.push("hook.git-port in your configuration".to_owned());
    }
    Ok(Uninstalled { removed, notes })
}

/// Says where the hook is and whether git runs it. Starts no hook.
pub fn status(scope: &Scope) -> Result<HookStatus, GitError> {
    status_with(program::version()?, scope)
}

/// Returns the program that a repository's hook starts where `PATH` has no git-port, if that is gone.
pub fn find_gone_program(dir: &Path) -> Result<Option<PathBuf>, GitError> {
    let configured = Place::Effective(dir).find_command()?;
    let hook = files::load(&file::hooks_of(dir)?.read.join(file::HOOK)).ok().flatten();
    let mut programs = [configured, hook].into_iter().flatten();
    let gone = programs.find_map(|lines| {
        let program = config::path(block::recorded_program(&lines)?);
        (!program.exists()).then_some(program)
    });
    Ok(gone)
}

fn status_with(git: Version, scope: &Scope) -> Result<HookStatus, GitError> {
    let mut status = HookStatus::default();
    let (place, hooks) = match scope {
        Scope::Repository(dir) => (Place::Effective(dir), Some(file::hooks_of(dir)?)),
        Scope::Global { .. } => (Place::User, None),
    };
    if place.has_hook()? {
        status.installed.push(Mechanism::ConfigHook);
        if git < config::HOOKS_SINCE {
            let since = config::HOOKS_SINCE;
            status.add_problem(
                format!("git {git} ignores hook.git-port (git {since} and newer do not)"),
                REINSTALL,
            );
        } else if let Some(key) = place.find_switch()? {
            status.add_problem(
                format!("{key} is false, so git does not run the hook"),
                &format!("git config {key} true"),
            );
        } else {
            status.fires = true;
        }
    }
    match (scope, hooks) {
        (Scope::Global { template_dir }, _) => inspect_template(template_dir, &mut status)?,
        (Scope::Repository(_), Some(hooks)) => file::inspect(&hooks, &mut status)?,
        (Scope::Repository(_), None) => (),
    }
    Ok(status)
}

fn inspect_template(dir: &Path, status: &mut HookStatus) -> Result<(), GitError> {
    let set = Place::User.find_path("init.templateDir")?;
    let set = set.is_some_and(|path| files::canonical(&path) == files::canonical(dir));
    let there = file::find_ours(&dir.join("hooks").join(file::HOOK), status)?.is_some();
    if there {
        status.installed.push(Mechanism::Template(dir.to_owned()));
    }
    if set && there {
        status.fires = true;
    } else if set || there {
        let message =
            format!("'{}' is not the template with the hook that init.templateDir names", dir.display());
        status.add_problem(message, "git port hook install --global");
    }
    Ok(())
}

/// Reads the arguments of the hook. Both answers are "no" if they are not git's.
pub fn parse_event(args: &[OsString]) -> HookEvent {
    let words: Vec<&[u8]> = args.iter().map(|word| word.as_encoded_bytes()).collect();
    let [old, new, flag @ (b"0" | b"1")] = words[..] else { return HookEvent::default() };
    if [old, new].iter().any(|id| id.is_empty() || !id.iter().all(u8::is_ascii_hexdigit)) {
        return HookEvent::default();
    }
    HookEvent { new_worktree: old.iter().all(|byte| *byte == b'0'), branch_checkout: flag == b"1" }
}

#[cfg(test)]
mod tests {
    use super::program::{git, git_in, read};
    use super::*;

    const NEW: Version = Version::new(2, 54);

    fn repository() -> (tempfile::TempDir, Scope) {
        let dir = tempfile::Builder::new().prefix("it's $x ").tempdir().unwrap();
        read(git().args(["init", "-q", "--template="]).arg(dir.path())).unwrap();
        let scope = Scope::Repository(dir.path().to_owned());
        (dir, scope)
    }

    #[test]
    fn a_git_that_has_hooks_in_its_configuration_gets_it_there() {
        let (dir, scope) = repository();
        let config = dir.path().join(".git/config");
        let before = fs::read(&config).unwrap();
        let first = install_with(NEW, &scope, Path::new("/it's/git-port")).unwrap();
        assert_eq!((first.mechanism, first.changed), (Mechanism::ConfigHook, true));
        assert!(!install_with(NEW, &scope, Path::new("/it's/git-port")).unwrap().changed);
        assert!(install_with(NEW, &scope, Path::new("/other/git-port")).unwrap().changed);
        assert!(!dir.path().join(".git/hooks").exists());
        let event = read(git_in(dir.path()).args(["config", "--get-all", "hook.git-port.event"])).unwrap();
        assert_eq!(event, b"post-checkout\n");

        let status = status_with(NEW, &scope).unwrap();
        assert!(status.fires && status.problems.is_empty() && status.has_config_hook());
        assert_eq!(uninstall(&scope).unwrap().removed.len(), 1);
        assert_eq!(uninstall(&scope).unwrap().removed.len(), 0);
        assert_eq!(fs::read(&config).unwrap(), before);
    }

    #[test]
    fn a_hook_in_the_configuration_may_be_out_of_force() {
        let (dir, scope) = repository();
        install_with(NEW, &scope, Path::new("/git-port")).unwrap();
        let old = status_with(Version::new(2, 47), &scope).unwrap();
        assert!(!old.fires && old.problems[0].message.contains("git 2.47 ignores"));
        read(git_in(dir.path()).args(["config", "hook.git-port.enabled", "off"])).unwrap();
        let status = status_with(NEW, &scope).unwrap();
        assert!(!status.fires && status.problems[0].message.starts_with("hook.git-port.enabled is false"));
        assert_eq!(install_with(NEW, &scope, Path::new("/git-port")).unwrap().notes.len(), 1);
    }

    #[test]
    fn only_what_git_passes_is_an_event() {
        let parse = |words: &[&str]| parse_event(&words.iter().map(OsString::from).collect::<Vec<_>>());
        let zeros = "0".repeat(40);
        let event = parse(&[&zeros, "abc1", "1"]);
        assert!(event.new_worktree && event.branch_checkout);
        let event = parse(&["abc1", "abc1", "0"]);
        assert!(!event.new_worktree && !event.branch_checkout);
        for words in [
            &[][..],
            &["", "abc1", "1"],
            &["0", "abc1"],
            &["0", "abc1", "2"],
            &["0", "x y", "1"],
            &["0", "1", "1", "1"],
        ] {
            assert_eq!(parse(words), HookEvent::default(), "{words:?}");
        }
    }
}
