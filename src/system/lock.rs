//! A lock held across processes, on a file of its own. It goes with the process that holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::SystemError;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, waiting in line at most this long.
    ///
    /// The system queues those who wait, so that forty at once are served in turn; polling would starve
    /// some of them. The file is not inherited by programs started while the lock is held.
    pub fn acquire(path: &Path, patience: Duration) -> Result<Self, SystemError> {
        let open = || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt;
                // A link planted in its place would make a file wherever it leads.
                options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
            }
            options.open(path).map_err(SystemError::file("open", path))
        };
        let file = open()?;
        match file.try_lock() {
            Ok(()) => return Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(SystemError::file("lock", path)(error)),
        }
        let (sender, receiver) = mpsc::channel();
        // A thread waits, because the system has no lock with a time limit. If the limit passes, the
        // thread takes the lock later, finds nobody listening, and drops it again.
        std::thread::spawn(move || {
            let taken = file.lock().map(|()| file);
            let _ = sender.send(taken);
        });
        match receiver.recv_timeout(patience) {
            Ok(Ok(file)) => Ok(Self { _file: file }),
            Ok(Err(error)) => Err(SystemError::file("lock", path)(error)),
            Err(_) => Err(SystemError::Locked { path: path.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::acquire(&path, Duration::from_secs(1)).unwrap();
        let refused = Lock::acquire(&path, Duration::from_millis(20)).unwrap_err();
        assert!(matches!(refused, SystemError::Locked { .. }));
        drop(held);
        Lock::acquire(&path, Duration::from_secs(5)).unwrap();
    }
}
