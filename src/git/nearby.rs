//! Finds the worktree one stands in by a handful of small files, without libgit2 and without git.
//!
//! What is asked at every prompt must cost next to nothing. Wherever these files leave a doubt, nothing is
//! found, and the library, or git, is asked as ever.

#[cfg(unix)]
use std::fs;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::Path;
#[cfg(unix)]
use std::path::PathBuf;

use super::repo::Repo;
use super::worktree::Worktree;
#[cfg(unix)]
use super::worktree::{link_target, recorded_path};
use crate::system::files;

/// Returns the worktree that this folder lies in; none where git might see it otherwise.
#[cfg(not(unix))]
pub fn find(_folder: &Path) -> Option<(Repo, Worktree)> {
    // Who owns a folder is harder to tell there.
    None
}

/// Returns the worktree that this folder lies in; none where git might see it otherwise.
#[cfg(unix)]
pub fn find(folder: &Path) -> Option<(Repo, Worktree)> {
    let folder = folder.canonicalize().ok()?;
    let device = fs::metadata(&folder).ok()?.dev();
    for top in folder.ancestors() {
        let here = fs::symlink_metadata(top).ok()?;
        // git does not look beyond a file system's edge, and takes a folder with this in it for a bare
        // repository.
        if here.dev() != device || fs::symlink_metadata(top.join("HEAD")).is_ok() {
            return None;
        }
        let Ok(link) = fs::symlink_metadata(top.join(".git")) else { continue };
        // git refuses what belongs to others (`safe.directory`).
        if !files::is_own(&here) || !files::is_own(&link) {
            return None;
        }
        let found = if link.is_dir() { main(top) } else { linked(top) };
        return found.filter(|(repo, _)| !folder.starts_with(&repo.git_dir));
    }
    None
}

#[cfg(unix)]
fn main(top: &Path) -> Option<(Repo, Worktree)> {
    let git_dir = top.join(".git");
    let is_whole = git_dir.join("HEAD").exists() && !git_dir.join("commondir").exists();
    (is_whole && is_usual(&git_dir)).then(|| described(top, git_dir.clone(), git_dir))
}

#[cfg(unix)]
fn linked(top: &Path) -> Option<(Repo, Worktree)> {
    let git_dir = link_target(top)?;
    let common_dir = git_dir.ancestors().nth(2)?.to_owned();
    let leads_back = files::load(&git_dir.join("commondir")).ok()??.trim_ascii_end() == b"../.."
        && recorded_path(&git_dir).ok()?.as_deref() == Some(top);
    (leads_back && is_usual(&common_dir)).then(|| described(top, git_dir, common_dir))
}

#[cfg(unix)]
fn described(top: &Path, git_dir: PathBuf, common_dir: PathBuf) -> (Repo, Worktree) {
    let main = git_dir == common_dir;
    let locked = !main && git_dir.join("locked").exists();
    let worktree = Worktree { admin_dir: git_dir.clone(), path: top.to_owned(), main, locked };
    (Repo { common_dir, git_dir, worktree: Some(top.to_owned()) }, worktree)
}

/// Says whether this common directory is surely that of a repository whose main worktree is the folder
/// around it: nothing in its configuration says otherwise, or something else that git must be asked about.
pub(super) fn is_usual(common_dir: &Path) -> bool {
    let Ok(Some(text)) = files::load(&common_dir.join("config")) else { return false };
    let mut says_so = false;
    for line in text.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line).to_ascii_lowercase();
        // A setting may stand on the line of its section.
        let (key, value) = line.split_once('=').unwrap_or((&line, ""));
        match key.rsplit(']').next().unwrap_or(key).trim() {
            "bare" if value.trim() == "false" => says_so = true,
            "bare" | "worktree" | "worktreeconfig" => return false,
            _ => {}
        }
    }
    says_so
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;
    use crate::git::program::{git_in, read};

    fn write(path: &Path, text: &str) {
        File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn it_finds_what_git_finds_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let git = |words: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
            read(git_in(&root).args(identity).args(words)).unwrap()
        };
        git(&["init", "-q", "shop"]);
        git(&["-C", "shop", "commit", "-q", "--allow-empty", "-m", "x"]);
        git(&["-C", "shop", "worktree", "add", "-q", "../topic"]);
        let (shop, topic) = (root.join("shop"), root.join("topic"));
        for top in [&shop, &topic] {
            fs::create_dir_all(top.join("a/b")).unwrap();
            for folder in [top.clone(), top.join("a/b")] {
                let (repo, worktree) = find(&folder).unwrap();
                assert_eq!(repo, Repo::at(&folder).unwrap());
                assert_eq!(worktree, repo.current().unwrap());
            }
        }
        assert_eq!(find(&root), None);
        assert_eq!(find(&shop.join(".git/refs")), None);
        // A copy of a linked worktree leads to the original's administrative directory.
        let copy = root.join("copy");
        fs::create_dir(&copy).unwrap();
        fs::copy(topic.join(".git"), copy.join(".git")).unwrap();
        assert_eq!(find(&copy), None);
        let config = shop.join(".git/config");
        for doubt in [
            "[core]\nbare = true\n",
            "[core] worktree = /elsewhere\n",
            "[extensions]\n\tworktreeConfig\n",
            "",
        ] {
            write(&config, &format!("[core]\n\tbare = false\n{doubt}"));
            assert_eq!(find(&shop).is_some(), doubt.is_empty(), "{doubt}");
            assert_eq!(find(&topic).is_some(), doubt.is_empty(), "{doubt}");
        }
    }
}
