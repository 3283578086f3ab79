//! Hook files: where git looks for them, and how ours is put beside what is there.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::block::{self, Interpreter};
use super::config::{Place, path};
use super::{GitError, HookStatus, Installed, Mechanism, REINSTALL};
use crate::git::program::{git_in, read};
use crate::system::{SystemError, files};

pub(super) const HOOK: &str = "post-checkout";
const ORIGINAL: &str = "post-checkout.git-port-orig";

/// Where our lines may be: other tools rename the hook they find. pre-commit calls `.legacy`; lefthook
/// does not call `.old`.
const NAMES: &[&str] = &[HOOK, "post-checkout.legacy", "post-checkout.old", ORIGINAL];

/// The folders of a repository's hooks.
#[derive(Debug)]
pub(super) struct Hooks {
    /// `core.hooksPath`, as it is written.
    configured: Option<PathBuf>,
    /// The folder in the common git directory, which bare repositories and linked worktrees use alike.
    own: PathBuf,
    /// The folder that git reads: the same, unless `core.hooksPath` names another.
    pub(super) read: PathBuf,
}

/// Returns the folders that hold, for a git that stands here.
pub(super) fn hooks_of(dir: &Path) -> Result<Hooks, GitError> {
    let ask = |what: &str| -> Result<PathBuf, GitError> {
        let mut answer = read(git_in(dir).args(["rev-parse", what])).map_err(|error| match error {
            GitError::Failed { stderr, .. } => GitError::NotARepository { message: stderr },
            error => error,
        })?;
        answer.pop_if(|byte| *byte == b'\n');
        Ok(dir.join(path(answer)))
    };
    let own = files::canonical(&ask("--git-common-dir")?.join("hooks"));
    let configured = Place::Effective(dir).find_path("core.hooksPath")?;
    let read = match &configured {
        None => own.clone(),
        // git resolves it against the folder in which the hook is going to run (git-config(1)).
        Some(configured) => {
            let top = ask("--show-toplevel").or_else(|_| ask("--git-dir"))?;
            files::canonical(&top.join(configured))
        }
    };
    Ok(Hooks { configured, own, read })
}

impl Hooks {
    fn folders(&self) -> impl Iterator<Item = &Path> {
        let shadowed = (self.own != self.read).then_some(self.own.as_path());
        std::iter::once(self.read.as_path()).chain(shadowed)
    }

    /// Returns the tool whose folder this is.
    fn manager(&self) -> Option<&'static str> {
        let configured = self.configured.as_ref()?;
        let named = |word| configured.components().any(|part| part.as_os_str() == word);
        let holds = |name: &str, word| load(&self.read.join(name)).is_ok_and(|hook| contains(&hook, word));
        if named(".husky") || holds("husky.sh", "husky") {
            Some("husky")
        } else if named(".lefthook")
            || named("lefthook")
            || holds(HOOK, "lefthook")
            || holds("pre-commit", "lefthook")
        {
            Some("lefthook")
        } else {
            None
        }
    }

    /// Returns the file that husky's own hook calls: since version 9 it is beside the folder git reads.
    fn husky_hook(&self) -> PathBuf {
        match self.read.parent() {
            Some(dir) if self.read.ends_with("_") => dir.join(HOOK),
            _ => self.read.join(HOOK),
        }
    }

    /// Fails if git reads its hooks from a folder that is not ours to change.
    fn refuse_foreign(&self) -> Result<(), GitError> {
        let Some(configured) = self.configured.as_ref().map(|configured| configured.display()) else {
            // `.git/hooks` may itself be a link into a worktree.
            return refuse_worktree(&self.read);
        };
        match self.manager() {
            Some("husky") => {
                return refuse_with(
                    format!("core.hooksPath is '{configured}', a folder that husky rewrites"),
                    format!("add this line to '{}': {}", self.husky_hook().display(), block::BY_HAND),
                );
            }
            Some(manager) => {
                return refuse(format!("core.hooksPath is '{configured}', a folder that {manager} rewrites"));
            }
            None => (),
        }
        if fs::metadata(&self.read).is_ok_and(|metadata| !metadata.is_dir()) {
            return refuse_with(
                format!("core.hooksPath is '{configured}', so git runs no hooks here"),
                "git config --unset core.hooksPath".to_owned(),
            );
        }
        refuse_worktree(&self.read)?;
        if self.configured.as_ref().is_some_and(|configured| configured.is_relative()) {
            return refuse(format!("core.hooksPath is '{configured}', another folder in each worktree"));
        }
        Ok(())
    }
}

/// Fails if the hooks in this folder are files of a worktree, which others may share.
fn refuse_worktree(folder: &Path) -> Result<(), GitError> {
    let Some(dir) = folder.ancestors().find(|dir| dir.is_dir()) else { return Ok(()) };
    // A git directory may lie inside its own worktree (core.worktree), and still is not part of it.
    let place = read(git_in(dir).args(["rev-parse", "--is-inside-work-tree", "--is-inside-git-dir"]));
    if !place.is_ok_and(|place| place == b"true\nfalse\n") {
        return Ok(());
    }
    let hook = folder.join(HOOK);
    if is_tracked(&hook) {
        return refuse(format!("'{}' is tracked by git", hook.display()));
    }
    refuse(format!("the hooks in '{}' are part of a worktree", folder.display()))
}

/// Says whether git has this file in the index of some worktree.
fn is_tracked(hook: &Path) -> bool {
    let (Some(dir), Some(name)) = (hook.parent().filter(|dir| dir.is_dir()), hook.file_name()) else {
        return false;
    };
    read(git_in(dir).args(["ls-files", "--error-unmatch", "--"]).arg(name)).is_ok()
}

fn refuse<T>(message: String) -> Result<T, GitError> {
    refuse_with(message, format!("add this line to that hook by hand: {}", block::BY_HAND))
}

fn refuse_with<T>(message: String, hint: String) -> Result<T, GitError> {
    Err(GitError::HookRefused { message, hint })
}

/// Makes a refusal of what the system does not let us write.
fn writable<T>(path: &Path, result: Result<T, SystemError>) -> Result<T, GitError> {
    result.or_else(|error| match error.io_kind() {
        Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            refuse(format!("'{}' cannot be written", path.display()))
        }
        _ => Err(error.into()),
    })
}

fn malformed<T>(path: &Path) -> Result<T, GitError> {
    refuse_with(
        format!("the lines of git-port in '{}' have lost their start or their end", path.display()),
        format!("remove what is left of them from '{}', then try again", path.display()),
    )
}

/// Returns a hook; one that is too large for a script is a binary and stands as empty.
fn load(path: &Path) -> Result<Vec<u8>, GitError> {
    match files::load(path) {
        Ok(file) => Ok(file.unwrap_or_default()),
        Err(SystemError::Unsafe { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn metadata(path: &Path) -> Result<Option<Metadata>, GitError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if files::is_absent(&error) => Ok(None),
        Err(error) => Err(SystemError::file("read", path)(error).into()),
    }
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    true
}

fn contains(file: &[u8], word: &str) -> bool {
    file.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// Puts our lines into the hooks of a repository.
pub(super) fn install(hooks: &Hooks, program: &Path) -> Result<Installed, GitError> {
    hooks.refuse_foreign()?;
    let path = hooks.read.join(HOOK);
    let (changed, mut notes) = install_at(&path, program)?;
    if hooks.own != hooks.read {
        let folder = hooks.read.display();
        notes.push(format!("core.hooksPath is '{folder}': every repository that shares it has the hook now"));
    }
    Ok(Installed { mechanism: Mechanism::HookFile(path), changed, notes })
}

/// Puts our lines into one hook file. Returns whether it changed, and what to tell.
pub(super) fn install_at(path: &Path, program: &Path) -> Result<(bool, Vec<String>), GitError> {
    let shown = path.display();
    let Some(metadata) = metadata(path)? else {
        if let Some(dir) = path.parent() {
            writable(dir, fs::create_dir_all(dir).map_err(SystemError::file("create", dir)))?;
        }
        let made = writable(path, files::create(path, &block::new_file(program), files::Access::Program))?;
        // Somebody else was quicker: perhaps another of us, perhaps another tool.
        return if made { Ok((true, Vec::new())) } else { install_at(path, program) };
    };
    if metadata.is_symlink() {
        return refuse(format!("'{shown}' is a symbolic link"));
    }
    if !metadata.is_file() {
        return refuse(format!("'{shown}' is not a file"));
    }
    if !is_executable(&metadata) {
        return refuse_with(
            format!("'{shown}' is switched off (it is not executable)"),
            format!("make it executable if it is to run, or remove it; or add this line: {}", block::BY_HAND),
        );
    }
    let file = load(path)?;
    let ours = block::block(program);
    let with = match (block::find(&file), block::interpreter(&file)) {
        (Err(block::Malformed), _) => return malformed(path),
        (Ok(Some(place)), _) => block::replace(&file, place, &ours),
        (Ok(None), Interpreter::Shell) => block::insert(&file, &ours),
        (Ok(None), Interpreter::UnusableShell) => {
            return refuse(format!("'{shown}' cannot run: its first line ends in a carriage return"));
        }
        (Ok(None), Interpreter::Other) => return wrap(path, &file, program),
    };
    if with == file {
        return Ok((false, Vec::new()));
    }
    writable(path, files::rewrite(path, &with))?;
    let mut notes = Vec::new();
    for manager in ["pre-commit", "lefthook"] {
        if contains(&file, manager) {
            notes.push(format!(
                "'{shown}' is written by {manager}: after '{manager} install', run '{REINSTALL}' again"
            ));
        }
    }
    Ok((true, notes))
}

/// Keeps a hook that is no shell script under another name and puts one before it that calls both.
fn wrap(path: &Path, file: &[u8], program: &Path) -> Result<(bool, Vec<String>), GitError> {
    let original = path.with_file_name(ORIGINAL);
    if metadata(&original)?.is_some() {
        return refuse(format!("'{}' exists already", original.display()));
    }
    if contains(file, "overcommit") {
        return refuse(format!("'{}' is overcommit's, which goes by the name of the file", path.display()));
    }
    let wrapper = block::wrapper(program);
    // With a second name there is a whole hook at every moment; not every file system has such names.
    if fs::hard_link(path, &original).is_ok() {
        let done = files::rewrite(path, &wrapper);
        if done.is_err() {
            let _ = fs::remove_file(&original);
        }
        writable(path, done)?;
    } else {
        writable(path, fs::rename(path, &original).map_err(SystemError::file("rename", path)))?;
        let done = files::create(path, &wrapper, files::Access::Program);
        if done.is_err() {
            let _ = fs::rename(&original, path);
        }
        writable(path, done)?;
    }
    Ok((true, vec![format!("the hook that was there is now '{}' and runs after ours", original.display())]))
}

/// What uninstalling does to one file.
#[derive(Debug)]
enum Step {
    Rewrite(PathBuf, Vec<u8>),
    Delete(PathBuf),
    Restore { original: PathBuf, at: PathBuf },
}

/// What uninstalling is going to do.
#[derive(Debug, Default)]
pub(super) struct Removal {
    steps: Vec<Step>,
    notes: Vec<String>,
}

impl Removal {
    /// Looks at everything first, so that nothing is changed if something is refused.
    pub(super) fn plan<'a>(folders: impl Iterator<Item = &'a Path>) -> Result<Self, GitError> {
        let mut removal = Self::default();
        for folder in folders {
            let mut original = Some(folder.join(ORIGINAL)).filter(|path| path.exists());
            for name in NAMES {
                removal.add(&folder.join(name), &mut original)?;
            }
        }
        Ok(removal)
    }

    pub(super) fn of(hooks: &Hooks) -> Result<Self, GitError> {
        Self::plan(hooks.folders())
    }

    fn add(&mut self, path: &Path, original: &mut Option<PathBuf>) -> Result<(), GitError> {
        let Some(metadata) = metadata(path)? else { return Ok(()) };
        if !metadata.is_file() && !metadata.is_symlink() {
            return Ok(());
        }
        let file = load(path)?;
        let Ok(place) = block::find(&file) else { return malformed(path) };
        if let Some(place) = place {
            if metadata.is_symlink() || is_tracked(path) {
                self.notes.push(format!("remove the lines of git-port from '{}' by hand", path.display()));
                return Ok(());
            }
            let rest = block::remove(&file, place);
            self.steps.push(if block::is_wrapper(&rest) {
                match original.take() {
                    Some(original) => Step::Restore { original, at: path.to_owned() },
                    None => Step::Delete(path.to_owned()),
                }
            } else if block::is_nothing(&rest) {
                Step::Delete(path.to_owned())
            } else {
                Step::Rewrite(path.to_owned(), rest)
            });
        } else if path.ends_with(ORIGINAL) && original.is_some() {
            // An installation broke off between its two steps, or somebody took our wrapper away.
            if load(&path.with_file_name(HOOK))? == file && !file.is_empty() {
                self.steps.push(Step::Delete(path.to_owned()));
            } else {
                self.notes.push(format!("'{}' is left: nothing calls it any more", path.display()));
            }
        }
        Ok(())
    }

    /// Does it. Returns the files that are changed or gone, and what to tell.
    pub(super) fn carry_out(self) -> Result<(Vec<String>, Vec<String>), GitError> {
        let mut removed = Vec::new();
        for step in self.steps {
            let path = match step {
                Step::Rewrite(path, rest) => {
                    writable(&path, files::rewrite(&path, &rest))?;
                    path
                }
                Step::Delete(path) => {
                    writable(&path, files::remove(&path))?;
                    path
                }
                Step::Restore { original, at } => {
                    writable(&at, fs::rename(original, &at).map_err(SystemError::file("restore", &at)))?;
                    at
                }
            };
            removed.push(path.display().to_string());
        }
        Ok((removed, self.notes))
    }
}

/// Adds to a status what the hook files of a repository say.
pub(super) fn inspect(hooks: &Hooks, status: &mut HookStatus) -> Result<(), GitError> {
    let current = load(&hooks.read.join(HOOK)).unwrap_or_default();
    for folder in hooks.folders() {
        for name in NAMES {
            let path = folder.join(name);
            let Some(block) = find_ours(&path, status)? else { continue };
            let shown = path.display();
            let runs = fs::metadata(&path).is_ok_and(|metadata| is_executable(&metadata));
            if folder != hooks.read {
                let configured = hooks.configured.as_deref().unwrap_or(folder).display();
                let owner = hooks.manager().map_or(String::new(), |manager| format!(" ({manager})"));
                status.add_problem(
                    format!("core.hooksPath is '{configured}'{owner}, so git does not run '{shown}'"),
                    &format!("add this line to the hook that git runs: {}", block::BY_HAND),
                );
            } else if !runs {
                status.add_problem(format!("'{shown}' is not executable, so git skips it"), REINSTALL);
            } else if *name == HOOK && block::interpreter(&current) != Interpreter::Shell {
                status.add_problem(
                    format!("the first line of '{shown}' does not name a shell"),
                    "correct the line: #!/bin/sh",
                );
            } else if *name == HOOK || (*name == "post-checkout.legacy" && contains(&current, "pre-commit")) {
                status.fires = true;
            } else if *name != ORIGINAL && !status.fires {
                // Once there is another that runs, nobody needs this one.
                status.add_problem(format!("'{shown}' is run by nobody: another tool renamed it"), REINSTALL);
            }
            if !block::same_but_program(&block, &block::block(Path::new(""))) {
                status.add_problem(
                    format!("the lines of git-port in '{shown}' are of another version"),
                    REINSTALL,
                );
            }
            status.installed.push(Mechanism::HookFile(path));
        }
    }
    let husky = (hooks.manager() == Some("husky")).then(|| hooks.husky_hook());
    let husky = husky.filter(|path| *path != hooks.read.join(HOOK));
    for path in std::iter::once(hooks.read.join(HOOK)).chain(husky) {
        let file = load(&path).unwrap_or_default();
        if block::find(&file) == Ok(None) && String::from_utf8_lossy(&file).contains(block::CALL) {
            status.fires = true;
            status.installed.push(Mechanism::HookFile(path));
        }
    }
    let relative = hooks.configured.as_ref().filter(|configured| configured.is_relative());
    if let Some(configured) = relative.filter(|_| status.fires && !status.has_config_hook()) {
        status.add_problem(
            format!(
                "core.hooksPath is '{}': a worktree without that folder runs no hooks",
                configured.display()
            ),
            "git port worktree create does not need them",
        );
    }
    Ok(())
}

/// Returns our lines in a file.
pub(super) fn find_ours(path: &Path, status: &mut HookStatus) -> Result<Option<Vec<u8>>, GitError> {
    let Some(metadata) = metadata(path)? else { return Ok(None) };
    if metadata.is_dir() {
        return Ok(None);
    }
    let file = load(path)?;
    if let Ok(place) = block::find(&file) {
        return Ok(place.map(|place| file[place].to_owned()));
    }
    let shown = path.display();
    let message = format!("the lines of git-port in '{shown}' have lost their start or their end");
    status
        .add_problem(message, &format!("remove what is left of them from '{shown}', then run '{REINSTALL}'"));
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_written_is_refused_with_the_line_to_add() {
        let path = Path::new("/x/post-checkout");
        let denied = SystemError::file("write", path)(io::ErrorKind::PermissionDenied.into());
        let Err(GitError::HookRefused { message, hint }) = writable::<()>(path, Err(denied)) else {
            panic!("not refused")
        };
        assert_eq!(message, "'/x/post-checkout' cannot be written");
        assert!(hint.ends_with(block::BY_HAND));
        let full = SystemError::file("write", path)(io::ErrorKind::StorageFull.into());
        assert!(matches!(writable::<()>(path, Err(full)), Err(GitError::System(_))));
    }
}
