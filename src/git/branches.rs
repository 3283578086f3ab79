//! The branches there are. What libgit2 cannot read (reftable, names that are not UTF-8), git is asked.

use std::ffi::{OsStr, OsString};

use super::program::{git_in, read};
use super::{GitError, Repo};

/// Says whether there is a local branch of this name.
pub fn exists(repo: &Repo, branch: &OsStr) -> Result<bool, GitError> {
    if let (Some(name), Ok(repository)) = (branch.to_str(), git2::Repository::open(&repo.common_dir)) {
        return Ok(repository.find_reference(&format!("refs/heads/{name}")).is_ok());
    }
    let mut reference = OsString::from("refs/heads/");
    reference.push(branch);
    let asked = git_in(&repo.common_dir).args(["show-ref", "--verify", "--quiet", "--"]).arg(reference);
    Ok(asked.output()?.status.success())
}

/// Returns the remote-tracking branches of this name, `origin/feature`. `checkout.defaultRemote` decides
/// between several, as it does for git.
pub fn list_remote(repo: &Repo, branch: &OsStr) -> Result<Vec<OsString>, GitError> {
    let Some(name) = branch.to_str() else { return Ok(Vec::new()) };
    let names: Vec<String> = if let Ok(repository) = git2::Repository::open(&repo.common_dir) {
        let refused = |error: git2::Error| GitError::Failed {
            command: "remote".to_owned(),
            status: 128,
            stderr: error.message().to_owned(),
        };
        let remotes = repository.remotes().map_err(refused)?;
        let preferred =
            repository.config().ok().and_then(|config| config.get_string("checkout.defaultRemote").ok());
        let has = |remote: &str| repository.find_reference(&format!("refs/remotes/{remote}/{name}")).is_ok();
        let mut found: Vec<String> =
            remotes.iter().flatten().flatten().filter(|remote| has(remote)).map(str::to_owned).collect();
        if let Some(preferred) = preferred.filter(|preferred| found.contains(preferred)) {
            found = vec![preferred];
        }
        found.into_iter().map(|remote| format!("{remote}/{name}")).collect()
    } else {
        let pattern = format!("refs/remotes/*/{name}");
        let listed = git_in(&repo.common_dir)
            .args(["for-each-ref", "--format=%(refname:lstrip=2)", "--"])
            .arg(pattern);
        String::from_utf8_lossy(&read(listed)?).lines().map(str::to_owned).collect()
    };
    Ok(names.into_iter().map(OsString::from).collect())
}
