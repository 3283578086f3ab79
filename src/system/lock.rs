//! A lock held across processes, on a file of its own. It goes with the process that holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::SystemError;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock if nobody has it.
    pub fn try_acquire(path: &Path) -> Option<Self> {
        let file = open(path).ok()?;
        file.try_lock().ok().map(|()| Self { file })
    }

    /// Takes the lock, waiting in line at most this long.
    ///
    /// The system queues those who wait, so that forty at once are served in turn; polling would starve
    /// some of them. The file is not inherited by programs started while the lock is held.
    pub fn acquire(path: &Path, patience: Duration) -> Result<Self, SystemError> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => return Ok(Self { file }),
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
            Ok(Ok(file)) => Ok(Self { file }),
            Ok(Err(error)) => Err(SystemError::file("lock", path)(error)),
            Err(_) => Err(SystemError::Locked { path: path.to_owned() }),
        }
    }

    /// Leaves a number in the lock's file, for whoever holds it next. It may be lost with the power.
    pub fn leave(&self, number: u64) {
        let mut file = &self.file;
        // As many digits as any number has, so that the one before is written over in one piece.
        let _ =
            file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(format!("{number:020}\n").as_bytes()));
    }

    /// Returns the number that was left last; none if there is none.
    pub fn left(&self) -> Option<u64> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0)).ok()?;
        number(file)
    }

    /// Returns the number that was left last in this file, without taking the lock.
    pub fn left_in(path: &Path) -> Option<u64> {
        number(&File::open(path).ok()?)
    }
}

fn number(file: &File) -> Option<u64> {
    let mut text = String::new();
    file.take(21).read_to_string(&mut text).ok()?;
    text.strip_suffix('\n')?.parse().ok()
}

fn open(path: &Path) -> Result<File, SystemError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A link planted in its place would make a file wherever it leads.
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    }
    options.open(path).map_err(SystemError::file("open", path))
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
        assert_eq!((held.left(), Lock::left_in(&path)), (None, None));
        held.leave(7);
        held.leave(9);
        assert_eq!((held.left(), Lock::left_in(&path)), (Some(9), Some(9)));
        assert!(Lock::try_acquire(&path).is_none());
        drop(held);
        Lock::acquire(&path, Duration::from_secs(5)).unwrap();
    }
}
