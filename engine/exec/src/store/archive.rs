//! A run in one file, to be taken elsewhere: a tar archive of its directory. What is of this
//! controller alone, its lock and its inbox, is left out; secrets are in no run's directory.
//!
//! ```text
//! ID/plan.json  ID/plan.json.sha256  ID/logs/ATTEMPT.out …  ID/record.json …  ID/journal.jsonl
//! ```
//!
//! The journal comes last: an archive that was cut short has none, and is refused.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use runbook_model::RunId;
use runbook_model::text::printable;
use tar::EntryType;

use super::plan_file::{PLAN, SUM};
use super::run::{JOURNAL, LOGS};
use super::{Home, MAX_LOG, MAX_PLAN, Seen, StoreError};
use crate::journal::MAX_JOURNAL;

/// Files of an archive; writing and reading alike.
pub const MAX_FILES: u64 = 1_000_000;
/// Bytes of all files of an archive; writing and reading alike.
pub const MAX_ARCHIVE: u64 = 16 << 30;
/// Bytes of a file that is none of those known.
const MAX_OTHER: u64 = 64 << 20;
/// Bytes of a log: what is kept, and the note that there was more.
const MAX_LOG_FILE: u64 = MAX_LOG + (1 << 10);
/// Bytes of the checksum of the plan.
const MAX_SUM: u64 = 1 << 10;
/// Characters of a file's name.
const MAX_NAME: usize = 90;

/// Why a run cannot be exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive cannot be read or written.
    #[error("the archive cannot be {doing}: {source}")]
    Io {
        /// A participle: `read`, `written`, `unpacked`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else, was cut short, or was made to do harm.
    #[error("this is not the archive of a run: {0}")]
    Bad(String),
    /// The run has more than an archive takes.
    #[error("the run is too large for an archive: {0}")]
    TooLarge(String),
    /// A run of this id is here, and the copy is not a later state of it.
    #[error("run {run} is here already, and {problem}")]
    Parted {
        /// The run.
        run: RunId,
        /// What keeps them apart, for people.
        problem: String,
    },
}

/// What went into an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Number of the last event.
    pub seq: u64,
}

/// Writes a run as it is now. One that goes on meanwhile is written up to a whole record.
///
/// # Errors
/// The run is damaged, larger than an archive may be, or something cannot be read or written.
pub fn export(
    home: &Home,
    seen: &Seen,
    logs: bool,
    out: impl Write,
) -> Result<Exported, ArchiveError> {
    let mut archive = Writer {
        builder: tar::Builder::new(out),
        run: seen.id.clone(),
        exported: Exported {
            files: 0,
            bytes: 0,
            seq: seen.journal.tail.seq,
        },
    };
    let dir = home.dir();
    let mut last = Vec::new();
    for (name, path) in files(dir)? {
        match name.as_str() {
            JOURNAL => {}
            PLAN | SUM => archive.add(&name, &path, None)?,
            _ => last.push((name, path)),
        }
    }
    if logs {
        for (name, path) in files(&dir.join(LOGS))? {
            archive.add(&format!("{LOGS}/{name}"), &path, None)?;
        }
    }
    for (name, path) in last {
        archive.add(&name, &path, None)?;
    }
    let journal = seen.journal.tail.good_bytes;
    archive.add(JOURNAL, &dir.join(JOURNAL), Some(journal))?;
    archive
        .builder
        .into_inner()
        .and_then(|mut out| out.flush())
        .map_err(written)?;
    Ok(archive.exported)
}

struct Writer<W: Write> {
    builder: tar::Builder<W>,
    run: RunId,
    exported: Exported,
}

impl<W: Write> Writer<W> {
    /// Adds a file, or the first `len` bytes of it.
    fn add(&mut self, name: &str, path: &Path, len: Option<u64>) -> Result<(), ArchiveError> {
        let file = File::open(path).map_err(StoreError::io("open", path))?;
        let found = file.metadata().map_err(StoreError::io("look at", path))?;
        let len = len.unwrap_or(found.len());
        let Exported { files, bytes, .. } = &mut self.exported;
        (*files, *bytes) = (*files + 1, *bytes + len);
        if *files > MAX_FILES || *bytes > MAX_ARCHIVE {
            return Err(ArchiveError::TooLarge(format!(
                "at most {MAX_FILES} files with {MAX_ARCHIVE} bytes"
            )));
        }
        if len > limit(name).unwrap_or(0) {
            return Err(ArchiveError::TooLarge(format!("{name} has {len} bytes")));
        }
        let mut header = tar::Header::new_ustar();
        let mut set = || {
            header.set_path(format!("{}/{name}", self.run))?;
            header.set_entry_type(EntryType::Regular);
            header.set_mode(0o600);
            header.set_size(len);
            header.set_mtime(modified(&found));
            header.set_cksum();
            io::Result::Ok(())
        };
        set().map_err(written)?;
        let mut source = Whole {
            source: file.take(len),
            left: len,
        };
        self.builder.append(&header, &mut source).map_err(written)
    }
}

/// Bytes that must all be there: an archive says how many come before they come.
struct Whole<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.left = self.left.saturating_sub(read as u64);
        match read == 0 && self.left > 0 && !buffer.is_empty() {
            true => Err(io::Error::other("a file became shorter while it was read")),
            false => Ok(read),
        }
    }
}

fn written(source: io::Error) -> ArchiveError {
    ArchiveError::Io {
        doing: "written",
        source,
    }
}

fn modified(found: &fs::Metadata) -> u64 {
    let since = |at: std::time::SystemTime| at.duration_since(std::time::UNIX_EPOCH).ok();
    let at = found.modified().ok().and_then(since);
    at.map_or(0, |at| at.as_secs())
}

/// The files of a directory that belong into an archive, by name.
fn files(dir: &Path) -> Result<BTreeMap<String, PathBuf>, StoreError> {
    let io = |e| StoreError::io("list", dir)(e);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let is_file = entry.file_type().map_err(io)?.is_file();
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_file && limit(&name).is_some() {
            found.insert(name, entry.path());
        }
    }
    Ok(found)
}

/// The most bytes of a file of a run's directory, by its name there; none for what has no place in
/// an archive.
fn limit(name: &str) -> Option<u64> {
    let plain = |name: &str| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        !name.is_empty()
            && name.len() <= MAX_NAME
            && !name.starts_with('.')
            && name.bytes().all(fine)
    };
    match name {
        PLAN => Some(MAX_PLAN),
        SUM => Some(MAX_SUM),
        JOURNAL => Some(MAX_JOURNAL),
        super::run::LOCK => None,
        _ => match name.split_once('/') {
            Some((LOGS, log)) if plain(log) => Some(MAX_LOG_FILE),
            None if plain(name) => Some(MAX_OTHER),
            _ => None,
        },
    }
}

/// The run of an archive, as its first entry says.
///
/// # Errors
/// It cannot be read, or is no archive of a run.
pub fn run_in(archive: impl Read) -> Result<RunId, ArchiveError> {
    let read = |source| ArchiveError::Io {
        doing: "read",
        source,
    };
    let mut archive = tar::Archive::new(archive);
    let entry = archive.entries().map_err(read)?.raw(true).next();
    let path = match entry {
        Some(entry) => entry.map_err(read)?.path_bytes().into_owned(),
        None => return Err(ArchiveError::Bad("there is nothing in it".into())),
    };
    let text = String::from_utf8_lossy(&path);
    RunId::new(text.split('/').next().unwrap_or_default())
        .map_err(|_| ArchiveError::Bad("its first file is not of a run".into()))
}

/// Puts the files of an archive into a new directory of a run, and says which run it is.
pub(super) fn unpack(archive: impl Read, dir: &Path) -> Result<RunId, ArchiveError> {
    let read = |source| ArchiveError::Io {
        doing: "read",
        source,
    };
    let bad = |problem: &str, name: &[u8]| {
        let name = String::from_utf8_lossy(name);
        let name: String = name.chars().take(200).collect();
        ArchiveError::Bad(format!("`{}` {problem}", printable(&name)))
    };
    let mut archive = tar::Archive::new(archive);
    let mut run: Option<RunId> = None;
    let (mut files, mut bytes) = (0u64, 0u64);
    // Raw: no entry changes the name or the size of another one, or has any length in memory.
    for entry in archive.entries().map_err(read)?.raw(true) {
        let mut entry = entry.map_err(read)?;
        let path = entry.path_bytes().into_owned();
        files += 1;
        if files > MAX_FILES {
            return Err(ArchiveError::Bad(format!(
                "it has more than {MAX_FILES} files"
            )));
        }
        let text = std::str::from_utf8(&path).unwrap_or_default();
        let (top, name) = text.split_once('/').unwrap_or((text, ""));
        let id = RunId::new(top).map_err(|_| bad("is not of a run", &path))?;
        if run.get_or_insert_with(|| id.clone()) != &id {
            return Err(bad("is of another run than what came before", &path));
        }
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory && matches!(name.trim_end_matches('/'), "" | LOGS) {
            continue;
        }
        if kind != EntryType::Regular {
            return Err(bad("is not a regular file", &path));
        }
        let size = entry.size();
        bytes = bytes.saturating_add(size);
        match limit(name) {
            None => return Err(bad("has no place in a run", &path)),
            Some(limit) if size > limit || bytes > MAX_ARCHIVE => {
                return Err(bad("is larger than it may be", &path));
            }
            Some(_) => {}
        }
        let target = dir.join(name);
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&target);
        let mut file = match created {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(bad("is there twice", &path));
            }
            other => other.map_err(StoreError::io("create", &target))?,
        };
        let copied = io::copy(&mut entry, &mut file).map_err(|source| ArchiveError::Io {
            doing: "unpacked",
            source,
        })?;
        if copied != size {
            return Err(bad("is cut short", &path));
        }
        // Logs are for people, here as where they were written.
        if !name.starts_with(LOGS) {
            file.sync_all().map_err(StoreError::io("sync", &target))?;
        }
    }
    let run = run.ok_or_else(|| ArchiveError::Bad("there is nothing in it".into()))?;
    match dir.join(JOURNAL).exists() && dir.join(PLAN).exists() {
        true => Ok(run),
        false => Err(ArchiveError::Bad("it is cut short".into())),
    }
}
