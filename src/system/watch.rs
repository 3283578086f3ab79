//! Notices that folders change. What it says is a hint to look, never evidence.
//!
//! The system's queue overflows, an unmounted disk says nothing, and a rename further up is not seen:
//! whoever uses this looks again from time to time, whatever it says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::SystemError;

/// Why one should look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// Something appeared in, or vanished from, a watched folder.
    Changed,
    /// Something may have been missed.
    Doubt,
    /// Somebody asked this process to end.
    Stop,
}

/// Folders under watch.
pub struct Watch {
    /// The system may refuse even the first one; then one looks from time to time only.
    watcher: Result<RecommendedWatcher, String>,
    receiver: Receiver<Nudge>,
    watched: BTreeSet<PathBuf>,
    interest: Arc<Mutex<Interest>>,
}

/// What of the many changes in a folder matters.
#[derive(Default)]
struct Interest {
    /// These entries alone: worktrees beside whatever else lies in their folder.
    entries: BTreeSet<PathBuf>,
    /// Every entry of these folders.
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    /// Returns a watch over nothing yet, which also notices SIGINT and SIGTERM.
    pub fn start() -> Result<Self, SystemError> {
        let (sender, receiver) = channel();
        let interest = Arc::new(Mutex::new(Interest::default()));
        let watcher = notify::recommended_watcher(handler(sender.clone(), Arc::clone(&interest)))
            .map_err(|error| error.to_string());
        stop_on_signals(sender)?;
        Ok(Self { watcher, receiver, watched: BTreeSet::new(), interest })
    }

    /// Watches these folders for any of their entries, and the folders around these paths for the paths
    /// alone; nothing else any more. Returns the folders that cannot be watched, with the reason.
    pub fn set(&mut self, folders: BTreeSet<PathBuf>, entries: BTreeSet<PathBuf>) -> Vec<(PathBuf, String)> {
        let around = entries.iter().filter_map(|entry| entry.parent()).map(Path::to_owned);
        let wanted: BTreeSet<PathBuf> =
            folders.iter().cloned().chain(around).filter(|path| path.is_dir()).collect();
        *self.interest.lock().unwrap_or_else(PoisonError::into_inner) = Interest { entries, folders };
        let watcher = match &mut self.watcher {
            Ok(watcher) => watcher,
            Err(why) => return wanted.into_iter().map(|folder| (folder, why.clone())).collect(),
        };
        for gone in self.watched.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        let mut refused = Vec::new();
        // A folder that was removed and made again has another watch, so all are set anew.
        for folder in &wanted {
            if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive)
                // One that vanished meanwhile is no trouble.
                && folder.is_dir()
            {
                // Without its path: the reason is the same for all.
                refused.push((folder.clone(), notify::Error::new(error.kind).to_string()));
            }
        }
        self.watched = wanted;
        refused
    }

    /// Waits at most this long for a reason to look. Nudges that came together are one.
    pub fn wait(&self, timeout: Duration) -> Option<Nudge> {
        let first = match self.receiver.recv_timeout(timeout) {
            Ok(nudge) => nudge,
            Err(RecvTimeoutError::Timeout) => return None,
            Err(RecvTimeoutError::Disconnected) => return Some(Nudge::Stop),
        };
        let rank = |nudge: &Nudge| match nudge {
            Nudge::Changed => 0,
            Nudge::Doubt => 1,
            Nudge::Stop => 2,
        };
        self.receiver.try_iter().chain([first]).max_by_key(rank)
    }

    /// Returns how many folders are watched.
    pub fn len(&self) -> usize {
        self.watched.len()
    }

    /// Says whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }
}

fn handler(sender: Sender<Nudge>, interest: Arc<Mutex<Interest>>) -> impl FnMut(notify::Result<Event>) {
    move |event| {
        let nudge = match event {
            Err(_) => Nudge::Doubt,
            Ok(event) if event.need_rescan() => Nudge::Doubt,
            // Reading and writing files is not appearing or vanishing.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => return,
            Ok(event) => {
                let interest = interest.lock().unwrap_or_else(PoisonError::into_inner);
                let matters = event.paths.iter().any(|path| {
                    interest.entries.contains(path)
                        || interest.folders.contains(path)
                        || path.parent().is_some_and(|folder| interest.folders.contains(folder))
                });
                if !matters {
                    return;
                }
                Nudge::Changed
            }
        };
        // Nobody listens any more when the program is about to end.
        let _ = sender.send(nudge);
    }
}

#[cfg(unix)]
fn stop_on_signals(sender: Sender<Nudge>) -> Result<(), SystemError> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let signals = signal_hook::iterator::Signals::new([SIGHUP, SIGINT, SIGTERM]);
    let mut signals = signals.map_err(SystemError::file("watch", Path::new(".")))?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            let _ = sender.send(Nudge::Stop);
        }
    });
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn stop_on_signals(_sender: Sender<Nudge>) -> Result<(), SystemError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(list: &[&Path]) -> BTreeSet<PathBuf> {
        list.iter().map(|path| path.to_path_buf()).collect()
    }

    const LONG: Duration = Duration::from_secs(10);
    const SHORT: Duration = Duration::from_millis(100);

    #[test]
    fn what_vanishes_nudges_and_its_neighbours_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let worktree = root.join("worktree");
        std::fs::create_dir(&worktree).unwrap();
        let mut watch = Watch::start().unwrap();
        assert!(watch.set(BTreeSet::new(), paths(&[&worktree])).is_empty());
        assert_eq!(watch.len(), 1);
        std::fs::create_dir(root.join("neighbour")).unwrap();
        assert_eq!(watch.wait(SHORT), None);
        std::fs::remove_dir(&worktree).unwrap();
        assert_eq!(watch.wait(LONG), Some(Nudge::Changed));
    }

    #[test]
    fn a_folder_made_again_is_watched_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap().join("worktrees");
        std::fs::create_dir(&folder).unwrap();
        let mut watch = Watch::start().unwrap();
        watch.set(paths(&[&folder]), BTreeSet::new());
        std::fs::remove_dir(&folder).unwrap();
        assert!(watch.wait(LONG).is_some());
        std::fs::create_dir(&folder).unwrap();
        watch.set(paths(&[&folder]), BTreeSet::new());
        while watch.wait(SHORT).is_some() {}
        std::fs::create_dir(folder.join("one")).unwrap();
        assert_eq!(watch.wait(LONG), Some(Nudge::Changed));
    }
}
