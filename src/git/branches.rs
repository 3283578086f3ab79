//! The branches there are. What libgit2 cannot read (reftable, names that are not UTF-8), git is asked.

use std::ffi::{OsStr, OsString};

use super::program::{git_of, read};
use super::repo::path_from;
use super::{GitError, Repo};

/// Says whether there is a local branch of this name.
pub fn exists(repo: &Repo, branch: &OsStr) -> Result<bool, GitError> {
    if let (Some(name), Ok(repository)) = (branch.to_str(), git2::Repository::open(&repo.common_dir)) {
        return Ok(repository.find_reference(&format!("refs/heads/{name}")).is_ok());
    }
    let mut reference = OsString::from("refs/heads/");
    reference.push(branch);
    let asked = git_of(&repo.common_dir).args(["show-ref", "--verify", "--quiet", "--"]).arg(reference);
    Ok(asked.output()?.status.success())
}

/// Returns the remote-tracking branches of this name in full, as git writes them into the reflog.
/// `checkout.defaultRemote` decides between several, as it does for git.
pub fn list_remote(repo: &Repo, branch: &OsStr) -> Result<Vec<OsString>, GitError> {
    let full = |remote: &OsStr| {
        let mut reference = OsString::from("refs/remotes/");
        reference.push(remote);
        reference.push("/");
        reference.push(branch);
        reference
    };
    let library = branch.to_str().and_then(|_| git2::Repository::open(&repo.common_dir).ok());
    let (found, preferred) = if let Some(repository) = library {
        let refused = |error: git2::Error| GitError::Failed {
            command: "remote".to_owned(),
            status: 128,
            stderr: error.message().to_owned(),
        };
        let remotes = repository.remotes().map_err(refused)?;
        let config = repository.config().ok();
        let preferred = config.and_then(|config| config.get_string("checkout.defaultRemote").ok());
        let has = |reference: &OsString| {
            reference.to_str().is_some_and(|name| repository.find_reference(name).is_ok())
        };
        let references = remotes.iter().flatten().flatten().map(|remote| full(remote.as_ref()));
        (references.filter(has).collect(), preferred.map(OsString::from))
    } else {
        let about = || git_of(&repo.common_dir);
        let listed =
            read(about().args(["for-each-ref", "--format=%(refname)", "--"]).arg(full("*".as_ref())))?;
        let lines = listed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let found: Vec<OsString> = lines.map(|line| path_from(line.to_vec()).into_os_string()).collect();
        let preferred = read(about().args(["config", "--get", "checkout.defaultRemote"])).ok();
        (found, preferred.map(|name| path_from(name.trim_ascii_end().to_vec()).into_os_string()))
    };
    let preferred = preferred.map(|remote| full(&remote)).filter(|reference| found.contains(reference));
    Ok(preferred.map_or(found, |reference| vec![reference]))
}
