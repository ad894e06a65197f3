//! Files and directories as they are named: read, told apart, and found beside each other.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use runbook_lang::source::MAX_BYTES;
use runbook_model::text::printable;

use crate::error::Error;

/// More entries of a directory are not looked at.
const MOST_ENTRIES: usize = 1_000;
/// Where a runbook says that it is one.
const BEGINNING: u64 = 64 * 1024;
/// Runbooks that a hint names.
const NAMED: usize = 8;

/// What stands beside a file under this name.
pub(super) fn beside(file: &Path, name: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(name)
}

/// The path without links and detours, by which a file is known again.
pub(super) fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A file, bounded: one byte more than a source may have, so that the source itself refuses it.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses a directory where a runbook is to be named, and says which ones are in it.
pub(super) fn no_directory(path: &Path) -> Result<(), Error> {
    if !path.is_dir() {
        return Ok(());
    }
    let shown = |path: &Path| printable(&path.to_string_lossy()).into_owned();
    let names: Vec<String> = runbooks_in(path).iter().map(|path| shown(path)).collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Error::Typed {
        message: format!("{} is a directory, not a runbook", shown(path)),
        hint: Some(match names.is_empty() {
            true => "name a file; no runbook is in this directory".to_owned(),
            false => {
                let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>();
                format!("name a file; runbooks here: {}{more}", first.join(", "))
            }
        }),
    })
}

/// The files in a directory that say that they are runbooks, sorted.
fn runbooks_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .take(MOST_ENTRIES)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "yaml") && says_runbook(path))
        .collect();
    files.sort();
    files
}

fn says_runbook(path: &Path) -> bool {
    let mut bytes = Vec::new();
    // A pipe would be waited for.
    let read = path.is_file()
        && File::open(path)
            .and_then(|file| file.take(BEGINNING).read_to_end(&mut bytes))
            .is_ok();
    read && bytes
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(b"runbook:"))
}
