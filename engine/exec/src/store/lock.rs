//! The lock of a run: held as long as a process lives and has it, with that process's name in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use runbook_model::event::Controller;

use super::StoreError;

/// Those who only look hold a lock for microseconds; who wants it waits them out.
pub(super) const LOOKERS: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(10);
/// More than any holder writes, in bytes.
const MAX_HOLDER: u64 = 16 << 10;

/// A lock that is held. Dropping it, or the end of the process by any means, frees it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Creates the file of a lock, which stays. A lock that is not there is never made anew by
    /// [`Lock::take`]: somebody may hold the one that was removed.
    pub(super) fn create(path: &Path) -> Result<(), StoreError> {
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path);
        made.map(drop).map_err(StoreError::io("create", path))
    }

    /// Takes a lock, waiting at most `patience`; else says who has it, if it said so.
    pub(super) fn take(
        path: &Path,
        patience: Duration,
    ) -> Result<Result<Self, Option<Controller>>, StoreError> {
        let io = StoreError::io("lock", path);
        let since = Instant::now();
        let locked = || -> io::Result<Result<Self, Option<Controller>>> {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(Ok(Self { file })),
                    Err(TryLockError::WouldBlock) if since.elapsed() < patience => {
                        thread::sleep(PAUSE)
                    }
                    Err(TryLockError::WouldBlock) => return Ok(Err(named(&file))),
                    Err(TryLockError::Error(e)) => return Err(e),
                }
            }
        };
        locked().map_err(io)
    }

    /// Writes the holder's name into the lock, for whoever finds it held.
    pub(super) fn sign(&mut self, holder: &Controller) -> io::Result<()> {
        let name = serde_json::to_vec(holder).map_err(io::Error::other)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&name)
    }

    /// Whether somebody holds the lock, and who, if it said so. Nobody is kept from anything.
    pub(super) fn held(path: &Path) -> io::Result<Option<Option<Controller>>> {
        let file = File::open(path)?;
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(named(&file))),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

/// The name in a lock. It is for people only, so one that cannot be read is none.
fn named(mut file: &File) -> Option<Controller> {
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(MAX_HOLDER).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        Lock::create(&path).unwrap();
        let me = Controller {
            host: "h".into(),
            pid: 7,
            user: "u".into(),
            engine: "0".into(),
        };
        let mut lock = Lock::take(&path, Duration::ZERO).unwrap().unwrap();
        assert_eq!(
            Lock::take(&path, Duration::ZERO).unwrap().unwrap_err(),
            None
        );
        lock.sign(&me).unwrap();
        assert_eq!(
            Lock::take(&path, Duration::ZERO).unwrap().unwrap_err(),
            Some(me.clone())
        );
        assert_eq!(Lock::held(&path).unwrap(), Some(Some(me)));
        drop(lock);
        assert_eq!(Lock::held(&path).unwrap(), None);
        assert!(Lock::take(&path, Duration::ZERO).unwrap().is_ok());
    }

    #[test]
    fn a_shorter_name_leaves_nothing_of_a_longer_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        Lock::create(&path).unwrap();
        let mut me = Controller {
            host: "long".repeat(9),
            pid: 7,
            user: "u".into(),
            engine: "0".into(),
        };
        let mut lock = Lock::take(&path, Duration::ZERO).unwrap().unwrap();
        lock.sign(&me).unwrap();
        me.host = "h".into();
        lock.sign(&me).unwrap();
        assert_eq!(Lock::held(&path).unwrap(), Some(Some(me)));
    }
}
