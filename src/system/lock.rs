//! A lock held across processes, on a file of its own. It goes with the process that holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::SystemError;

/// How long one waits in line.
///
/// A long line is no reason to give up while it moves: of a thousand at once the last waits for all the
/// others. One that does not move is: somebody holds the lock and does not come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// While the lock stays with the same holder.
    pub standstill: Duration,
    /// Altogether.
    pub at_most: Duration,
}

impl From<Duration> for Patience {
    /// This long, whether the line moves or not.
    fn from(at_most: Duration) -> Self {
        Self { standstill: at_most, at_most }
    }
}

/// How often those who wait look whether the line moves.
const LOOK: Duration = Duration::from_millis(500);

/// Where in its file the holder of a lock is noted: behind the number that a holder may leave.
const HOLDER: u64 = 21;

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
    pub fn acquire(path: &Path, patience: impl Into<Patience>) -> Result<Self, SystemError> {
        let patience = patience.into();
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => return Ok(Self::held(file)),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(SystemError::file("lock", path)(error)),
        }
        let (sender, receiver) = mpsc::channel();
        // A thread waits, because the system has no lock with a time limit. If the limit passes, the
        // thread takes the lock later, finds nobody listening, and drops it again.
        let wait = move || {
            let taken = file.lock().map(|()| file);
            let _ = sender.send(taken);
        };
        let waiting = std::thread::Builder::new().spawn(wait);
        waiting.map_err(SystemError::file("lock", path))?;
        let since = Instant::now();
        let (mut holder, mut moved) = (holder(path), since);
        loop {
            let left = patience.standstill.saturating_sub(moved.elapsed());
            let left = left.min(patience.at_most.saturating_sub(since.elapsed()));
            match receiver.recv_timeout(left.min(LOOK)) {
                Ok(Ok(file)) => return Ok(Self::held(file)),
                Ok(Err(error)) => return Err(SystemError::file("lock", path)(error)),
                Err(RecvTimeoutError::Disconnected) => return Err(locked(path)),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(locked(path)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let current = self::holder(path);
            if current != holder {
                (holder, moved) = (current, Instant::now());
            }
        }
    }

    /// Notes who holds it, for those who wait and for people. That may fail, as on a full disk; then the
    /// line only seems to stand still.
    fn held(mut file: File) -> Self {
        let note = format!("{:<10}\n", std::process::id());
        let _ = file.seek(SeekFrom::Start(HOLDER)).and_then(|_| file.write_all(note.as_bytes()));
        Self { file }
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

fn locked(path: &Path) -> SystemError {
    SystemError::Locked { path: path.to_owned() }
}

/// Returns what the holder noted.
fn holder(path: &Path) -> Vec<u8> {
    let mut noted = Vec::new();
    let _ = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(HOLDER))?;
        file.take(64).read_to_end(&mut noted)
    });
    noted
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

    #[test]
    fn a_line_that_moves_is_waited_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let _held = Lock::acquire(&path, Duration::from_secs(1)).unwrap();
        let noted = path.clone();
        let (stop, stopped) = mpsc::channel::<()>();
        // As if one after the other held it.
        let line = std::thread::spawn(move || {
            let mut number = 0;
            while stopped.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                number += 1;
                let mut file = OpenOptions::new().write(true).open(&noted).unwrap();
                file.seek(SeekFrom::Start(HOLDER)).unwrap();
                file.write_all(format!("{number:<10}\n").as_bytes()).unwrap();
            }
        });
        let since = Instant::now();
        let patience = Patience { standstill: Duration::from_secs(1), at_most: Duration::from_secs(2) };
        Lock::acquire(&path, patience).unwrap_err();
        assert!(since.elapsed() >= Duration::from_secs(2), "{:?}", since.elapsed());
        drop(stop);
        line.join().unwrap();
        let since = Instant::now();
        Lock::acquire(&path, patience).unwrap_err();
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    }
}
