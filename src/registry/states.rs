//! How an allocation stands, from what is recorded, what became of its worktree, and who listens.

use std::path::Path;

use super::allocation::{State, Status};

/// Who listens on a port, as far as can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// Nobody.
    Nobody,
    /// A process of the worktree the port belongs to.
    Ours,
    /// Somebody else's process.
    Foreign,
    /// Somebody, but it cannot be told who: another user's process, or one that stands in for others.
    Somebody,
    /// The machine does not let us look, as in a sandbox.
    Hidden,
}

impl Listening {
    /// Says whether any socket listens; none if that cannot be told.
    pub fn in_use(self) -> Option<bool> {
        match self {
            Self::Nobody => Some(false),
            Self::Ours | Self::Foreign | Self::Somebody => Some(true),
            Self::Hidden => None,
        }
    }
}

/// Returns how an allocation stands.
///
/// What may not be read is unknown, not free; but a worktree that is gone is known to be gone, even
/// where nobody can be seen.
pub fn state(status: Status, gone: bool, listening: Listening) -> State {
    match (status, gone, listening) {
        (Status::Released, _, _) => State::Released,
        (_, _, Listening::Ours) => State::Active,
        (_, _, Listening::Foreign) => State::Foreign,
        (_, true, Listening::Nobody | Listening::Hidden) => State::Orphaned,
        (_, _, Listening::Somebody | Listening::Hidden) => State::Unknown,
        // Recorded as active or not: it was when it was recorded.
        (_, false, Listening::Nobody) => State::Allocated,
    }
}

/// Returns what is recorded, as a state: for an allocation of another machine, which is not asked.
pub fn recorded(status: Status) -> State {
    match status {
        Status::Allocated => State::Allocated,
        Status::Active => State::Active,
        Status::Released => State::Released,
    }
}

/// A process that holds a listening socket, as far as the rule needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// Its name.
    pub name: &'a str,
    /// The folder it runs in; none if that may not be read.
    pub cwd: Option<&'a Path>,
    /// Whether it was started by `git port run` in the worktree, or by what that started.
    pub recorded: bool,
}

impl Holder<'_> {
    /// Says whether it is a process of this worktree, among the others that there are. What `git port
    /// run` started counts wherever it runs.
    pub fn is_of(&self, worktree: &Path, others: &[&Path]) -> bool {
        self.recorded || self.cwd.is_some_and(|cwd| belongs(cwd, worktree, others))
    }
}

/// Returns who listens, given the processes that hold a port's sockets (none, if none of them may be
/// read), the worktree the port belongs to, and all worktrees.
///
/// One process of the worktree is enough. Without a worktree there is nothing to tell a process by:
/// whoever listens is the service.
pub fn listening(holders: &[Holder<'_>], worktree: Option<&Path>, others: &[&Path]) -> Listening {
    let Some(worktree) = worktree else { return Listening::Ours };
    if holders.iter().any(|holder| holder.is_of(worktree, others)) {
        return Listening::Ours;
    }
    if holders.iter().any(|holder| holder.cwd.is_some() && !is_stand_in(holder.name)) {
        return Listening::Foreign;
    }
    Listening::Somebody
}

/// Says whether a process that runs in `cwd` runs in this worktree, and not in another that lies within
/// it.
pub fn belongs(cwd: &Path, worktree: &Path, others: &[&Path]) -> bool {
    cwd.starts_with(worktree)
        && !others
            .iter()
            .any(|other| *other != worktree && other.starts_with(worktree) && cwd.starts_with(other))
}

/// Says whether processes of this name listen in the place of others, so that where they run says
/// nothing: forwarders of containers and virtual machines.
pub fn is_stand_in(name: &str) -> bool {
    const STAND_INS: &[&str] = &[
        "com.docker.backend",
        "docker-proxy",
        "gvproxy",
        "limactl",
        "OrbStack Helper",
        "pasta",
        "pasta.avx2",
        "passt",
        "passt.avx2",
        "rootlesskit",
        "rootlessport",
        "slirp4netns",
        "vpnkit",
        "wslrelay",
        "wslrelay.exe",
    ];
    STAND_INS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENINGS: [Listening; 5] =
        [Listening::Nobody, Listening::Ours, Listening::Foreign, Listening::Somebody, Listening::Hidden];

    #[test]
    fn every_state() {
        use State::{Active, Allocated, Foreign, Orphaned, Released, Unknown};
        for (status, gone, wanted) in [
            (Status::Allocated, false, [Allocated, Active, Foreign, Unknown, Unknown]),
            (Status::Active, false, [Allocated, Active, Foreign, Unknown, Unknown]),
            (Status::Allocated, true, [Orphaned, Active, Foreign, Unknown, Orphaned]),
            (Status::Active, true, [Orphaned, Active, Foreign, Unknown, Orphaned]),
            (Status::Released, false, [Released; 5]),
            (Status::Released, true, [Released; 5]),
        ] {
            for (listening, wanted) in LISTENINGS.into_iter().zip(wanted) {
                assert_eq!(state(status, gone, listening), wanted, "{status:?} {gone} {listening:?}");
            }
        }
    }

    #[test]
    fn a_process_belongs_to_the_innermost_worktree() {
        let (main, inner, beside) =
            (Path::new("/src/shop"), Path::new("/src/shop/.trees/api"), Path::new("/src/shop-api"));
        let all = [main, inner, beside];
        for (cwd, owner) in [
            ("/src/shop", Some(main)),
            ("/src/shop/web", Some(main)),
            ("/src/shop/.trees", Some(main)),
            ("/src/shop/.trees/api", Some(inner)),
            ("/src/shop/.trees/api/web", Some(inner)),
            ("/src/shop/.trees/api-2", Some(main)),
            ("/src/shop-api/web", Some(beside)),
            ("/src", None),
            ("/", None),
        ] {
            for worktree in all {
                assert_eq!(
                    belongs(Path::new(cwd), worktree, &all),
                    owner == Some(worktree),
                    "{cwd} in {worktree:?}"
                );
            }
        }
    }

    #[test]
    fn who_listens() {
        let worktree = Path::new("/src/shop");
        let holder =
            |name, cwd: Option<&'static str>| Holder { name, cwd: cwd.map(Path::new), recorded: false };
        let judge = |holders: &[Holder<'_>]| listening(holders, Some(worktree), &[worktree]);
        let (inside, outside) = (holder("node", Some("/src/shop/web")), holder("node", Some("/src")));
        assert_eq!(judge(&[inside]), Listening::Ours);
        assert_eq!(judge(&[outside]), Listening::Foreign);
        assert_eq!(judge(&[outside, inside]), Listening::Ours);
        assert_eq!(judge(&[]), Listening::Somebody);
        assert_eq!(judge(&[holder("node", None)]), Listening::Somebody);
        assert_eq!(judge(&[holder("docker-proxy", Some("/"))]), Listening::Somebody);
        assert_eq!(judge(&[holder("docker-proxy", Some("/")), outside]), Listening::Foreign);
        assert_eq!(judge(&[Holder { recorded: true, ..outside }]), Listening::Ours);
        assert_eq!(listening(&[outside], None, &[]), Listening::Ours);
    }
}
