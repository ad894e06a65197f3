//! Directories for the sockets of ssh masters: short names, private, and swept when a controller was killed.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::{Fault, Options};

const PREFIX: &str = "rb-ssh-";
/// A socket path has at most 104 bytes on some systems; ssh adds a suffix of 17 while it binds.
const LONGEST: usize = 104 - 17 - "/rb-ssh-XXXXXX/master".len();
/// A directory without a socket that is older than this belonged to a controller that is gone.
const STALE: Duration = Duration::from_secs(600);

/// A new directory for one master.
pub(super) fn directory(options: &Options) -> Result<TempDir, Fault> {
    let base = base(options)?;
    sweep(&base);
    tempfile::Builder::new()
        .prefix(PREFIX)
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(&base)
        .map_err(|e| {
            Fault::local(
                &format!("cannot make a directory in {}", base.display()),
                &e,
            )
        })
}

fn base(options: &Options) -> Result<PathBuf, Fault> {
    if let Some(dir) = &options.control_dir {
        if !fits(dir) {
            return Err(Fault::Local(format!(
                "{} is too long a path for a socket",
                dir.display()
            )));
        }
        std::fs::create_dir_all(dir)
            .map_err(|e| Fault::local(&format!("cannot make {}", dir.display()), &e))?;
        return Ok(dir.clone());
    }
    let usable = |dir: &PathBuf| dir.is_absolute() && fits(dir) && dir.is_dir();
    Ok(options
        .runtime_dir
        .clone()
        .into_iter()
        .chain([std::env::temp_dir()])
        .find(usable)
        .unwrap_or_else(|| PathBuf::from("/tmp")))
}

fn fits(dir: &Path) -> bool {
    dir.as_os_str().len() <= LONGEST
}

/// Removes what killed controllers left: only directories that are ours, without a socket, and old.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else {
        return;
    };
    for entry in entries
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX))
    {
        let (path, Ok(meta)) = (entry.path(), entry.metadata()) else {
            continue;
        };
        let old = meta
            .modified()
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok())
            .is_some_and(|age| age > STALE);
        let ours = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == meta.uid());
        if meta.is_dir() && old && ours && !path.join("master").exists() {
            // another controller may be sweeping too
            drop(std::fs::remove_dir_all(path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let options = Options {
            control_dir: Some(PathBuf::from(format!("/{}", "x".repeat(90)))),
            ..Options::default()
        };
        assert!(matches!(directory(&options), Err(Fault::Local(_))));
    }

    #[test]
    fn directories_are_private() {
        let base = TempDir::new().unwrap();
        let options = Options {
            control_dir: Some(base.path().to_owned()),
            ..Options::default()
        };
        let dir = directory(&options).unwrap();
        assert_eq!(dir.path().metadata().unwrap().mode() & 0o777, 0o700);
    }
}
