//! How git is to fill a new worktree: it can write files with several processes, and does with one unless
//! it is told otherwise (git-config(1), `checkout.workers`). The files are the same.

use std::fs::File;
use std::io::Read;

use super::Repo;
use super::program::{git_in, read};

/// Fewer files than this are written before more processes have started.
pub const WORTHWHILE: u32 = 1_000;
/// More processes than this wait for one another in the file system.
const MOST: usize = 8;

/// Returns how many processes are to write the files of a new worktree; none where git is to do as it does.
/// What the user has configured holds, and the new worktree is taken to be about as large as the one that
/// one stands in: one of fewer files than `fewest` is not worth it.
pub fn workers(repo: &Repo, fewest: u32) -> Option<usize> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if processors < 2 || count_files(repo)? < fewest {
        return None;
    }
    let folder = repo.worktree.as_ref().unwrap_or(&repo.common_dir);
    let configured = read(git_in(folder).args(["config", "--get", "checkout.workers"])).is_ok();
    (!configured).then_some(processors.min(MOST))
}

/// Returns how many files an index says it has (gitformat-index(5)).
fn count_files(repo: &Repo) -> Option<u32> {
    let mut header = [0; 12];
    File::open(repo.git_dir.join("index")).ok()?.read_exact(&mut header).ok()?;
    let count = header.strip_prefix(b"DIRC")?.get(4..)?;
    Some(u32::from_be_bytes(count.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_files_are_written_by_several_processes_unless_the_user_says_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        for words in [&["init", "-q"][..], &["commit", "-q", "--allow-empty", "-m", "x"]] {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
            read(git_in(dir.path()).args(identity).args(words)).unwrap();
        }
        let mut repo = Repo::at(dir.path()).unwrap();
        let several = std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1);
        File::create(dir.path().join("a")).unwrap();
        read(git_in(dir.path()).args(["add", "a"])).unwrap();
        assert_eq!(count_files(&repo), Some(1));
        assert_eq!(workers(&repo, 1).is_some(), several);
        assert_eq!(workers(&repo, 2), None);
        read(git_in(dir.path()).args(["config", "checkout.workers", "1"])).unwrap();
        assert_eq!(workers(&repo, 1), None);
        repo.git_dir = dir.path().join("none");
        assert_eq!(count_files(&repo), None, "as in a bare repository");
    }
}
