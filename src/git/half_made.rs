//! What a `git worktree add` leaves that was killed. git clears up after signals it can catch; after the
//! one it cannot, an administrative directory may stay without a `HEAD`. The worktree can neither be used
//! nor removed, and `prune` keeps it, because it is locked while it is being made; and if its `commondir`
//! is empty, every `git worktree add` and `list` of the repository fails.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::Duration;

use super::worktree::{link_target, recorded_path};
use crate::system::files;

/// A git that is alive writes these files one after the other, without a pause.
const DEAD: Duration = Duration::from_secs(3);

/// What may stand in such a directory, and nothing else.
const FILES: &[&str] = &["locked", "gitdir", "commondir", "HEAD.lock"];

/// The folders that git makes before it writes `HEAD`, with the one file that may stand in each.
const FOLDERS: &[(&str, &str)] = &[("refs", ""), ("logs", "HEAD")];

/// Removes such directories, with the folder of the worktree if nothing but its link is in it. Returns
/// whether there was one.
pub fn clear(common_dir: &Path) -> bool {
    let mut cleared = false;
    let Ok(entries) = fs::read_dir(common_dir.join("worktrees")) else { return cleared };
    for entry in entries.flatten() {
        let admin_dir = entry.path();
        if is_half_made(&admin_dir) {
            remove(&admin_dir);
            cleared = true;
        }
    }
    cleared
}

fn is_half_made(admin_dir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(admin_dir) else { return false };
    let names: Vec<_> = entries.flatten().map(|entry| entry.file_name()).collect();
    // While it is in the hands of git, something in it is younger than that.
    let is_old = |path: &Path| {
        let modified = fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age >= DEAD))
    };
    !names.is_empty()
        && names
            .iter()
            .all(|name| FILES.iter().any(|known| name == known) || is_unused_folder(admin_dir, name))
        && is_old(admin_dir)
        && names.iter().all(|name| is_old(&admin_dir.join(name)))
}

fn is_unused_folder(admin_dir: &Path, name: &OsStr) -> bool {
    let Some((_, file)) = FOLDERS.iter().find(|(folder, _)| name == *folder) else { return false };
    let Ok(mut entries) = fs::read_dir(admin_dir.join(name)) else { return false };
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == *file))
}

fn remove(admin_dir: &Path) {
    if let Ok(Some(tree)) = recorded_path(admin_dir)
        && fs::read_dir(&tree).is_ok_and(|entries| entries.count() == 1)
        && is_its_link(&tree, admin_dir)
    {
        let _ = files::remove(&tree.join(".git"));
        let _ = fs::remove_dir(&tree);
    }
    for (folder, file) in FOLDERS {
        let folder = admin_dir.join(folder);
        if !file.is_empty() {
            let _ = files::remove(&folder.join(file));
        }
        let _ = fs::remove_dir(folder);
    }
    // What protects it goes last, so that it never looks finished.
    for name in ["HEAD.lock", "commondir", "gitdir", "locked"] {
        let _ = files::remove(&admin_dir.join(name));
    }
    // Only if nothing came into it meanwhile.
    let _ = fs::remove_dir(admin_dir);
}

/// Whether the tree's link leads to `admin_dir`, or is the empty file that git was killed over.
fn is_its_link(tree: &Path, admin_dir: &Path) -> bool {
    let is_empty = |link: fs::Metadata| link.is_file() && link.len() == 0;
    link_target(tree).is_some_and(|target| target == admin_dir)
        || fs::symlink_metadata(tree.join(".git")).is_ok_and(is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};
    use std::time::SystemTime;

    /// An administrative directory with these files, which were written so long ago.
    fn made(common_dir: &Path, name: &str, contents: &[(&str, &[u8])], age: Duration) -> std::path::PathBuf {
        let admin_dir = common_dir.join("worktrees").join(name);
        fs::create_dir_all(&admin_dir).unwrap();
        for (file, bytes) in contents {
            files::create(&admin_dir.join(file), bytes, files::Access::Public).unwrap();
        }
        #[expect(clippy::disallowed_methods, reason = "files carry the system's time")]
        let then = FileTimes::new().set_modified(SystemTime::now() - age);
        for path in contents.iter().map(|(file, _)| admin_dir.join(file)).chain([admin_dir.clone()]) {
            File::open(path).unwrap().set_times(then).unwrap();
        }
        admin_dir
    }

    #[test]
    fn only_what_a_dead_git_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let common_dir = dir.path().canonicalize().unwrap();
        let minute = Duration::from_mins(1);
        let half: &[(&str, &[u8])] = &[("locked", b"initializing\n"), ("commondir", b"")];
        let dead = made(&common_dir, "dead", half, minute);
        let alive = made(&common_dir, "alive", half, Duration::ZERO);
        let whole: &[(&str, &[u8])] = &[("locked", b"initializing\n"), ("HEAD", b"ref: refs/heads/one\n")];
        let whole = made(&common_dir, "whole", whole, minute);
        let known: &[(&str, &[u8])] = &[("commondir", b""), ("HEAD", b"ref: refs/heads/topic\n")];
        let known = made(&common_dir, "known", known, minute);
        let empty = made(&common_dir, "empty", &[], minute);
        let nearly = made(&common_dir, "nearly", half, minute);
        let used = made(&common_dir, "used", half, minute);
        for (admin_dir, folder) in [(&nearly, "refs"), (&nearly, "logs"), (&used, "refs")] {
            fs::create_dir(admin_dir.join(folder)).unwrap();
        }
        File::create(nearly.join("logs/HEAD")).unwrap();
        File::create(used.join("refs/kept")).unwrap();
        #[expect(clippy::disallowed_methods, reason = "files carry the system's time")]
        let then = FileTimes::new().set_modified(SystemTime::now() - minute);
        for path in ["nearly/refs", "nearly/logs", "nearly", "used/refs", "used"] {
            File::open(common_dir.join("worktrees").join(path)).unwrap().set_times(then).unwrap();
        }
        clear(&common_dir);
        assert!(!dead.exists() && !nearly.exists());
        assert!(used.join("refs/kept").exists());
        assert!(alive.exists() && whole.exists() && known.exists() && empty.exists());
    }

    #[test]
    fn a_folder_goes_with_it_if_only_its_link_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let common_dir = dir.path().canonicalize().unwrap();
        for (name, is_used) in [("unused", false), ("torn", false), ("used", true), ("foreign", true)] {
            let tree = common_dir.join(format!("{name}-tree"));
            fs::create_dir(&tree).unwrap();
            let gitdir = format!("{}/.git\n", tree.display());
            let contents: &[(&str, &[u8])] = &[("locked", b"initializing\n"), ("gitdir", gitdir.as_bytes())];
            let admin_dir = made(&common_dir, name, contents, Duration::from_mins(1));
            let link = match name {
                "torn" => String::new(),
                "foreign" => format!("gitdir: {}\n", common_dir.display()),
                _ => format!("gitdir: {}\n", admin_dir.display()),
            };
            files::create(&tree.join(".git"), link.as_bytes(), files::Access::Public).unwrap();
            if name == "used" {
                File::create(tree.join("notes")).unwrap();
            }
            clear(&common_dir);
            assert!(!admin_dir.exists());
            assert_eq!(tree.exists(), is_used, "{name}");
        }
    }
}
