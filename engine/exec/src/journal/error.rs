//! What can be wrong with a journal.

use std::io;
use std::path::PathBuf;

use runbook_model::text::printable;

use super::{FORMAT, MAX_JOURNAL, MAX_LINE, MAX_NESTING};

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused.
    #[error("cannot {doing} {}: {source}", shown(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// A verb: `open`, `write`, `sync`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// An earlier write failed, and nothing is written any more.
    #[error("{} is closed for writing since this failed: {because}", shown(path))]
    Poisoned {
        /// The file.
        path: PathBuf,
        /// The first failure.
        because: String,
    },
    /// What was once recorded is not there any more as it was.
    #[error("{} is damaged at byte {offset}: {what}", shown(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the first line that is not whole begins, in bytes from 0.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// Another version of the engine wrote it.
    #[error(
        "{} has journal format {found} at byte {offset}; this engine knows format {FORMAT}",
        shown(path)
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Where the line begins, in bytes from 0.
        offset: u64,
        /// The format that it names.
        found: u64,
    },
    /// A whole record holds an event that this engine does not know.
    #[error(
        "{}: event {seq} is `{}`, which this engine does not know; resume with the engine that wrote it",
        shown(path),
        printable(kind)
    )]
    Opaque {
        /// The file.
        path: PathBuf,
        /// Number of the event.
        seq: u64,
        /// What it calls itself.
        kind: String,
    },
    /// The journal is longer than any that this engine writes.
    #[error("{} would be longer than {MAX_JOURNAL} bytes", shown(path))]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// A record does not follow the last one. Nothing was written.
    #[error("event {got} cannot follow event {after} in {}", shown(path))]
    Order {
        /// The file.
        path: PathBuf,
        /// The last number in the journal.
        after: u64,
        /// The number of the record.
        got: u64,
    },
    /// A record is longer than a line may be. Nothing was written.
    #[error("event {seq} takes {len} bytes; a line of the journal has at most {MAX_LINE}")]
    TooLong {
        /// Number of the event.
        seq: u64,
        /// Its length in bytes.
        len: usize,
    },
    /// A record nests deeper than could be read again. Nothing was written.
    #[error("event {seq} nests {depth} levels deep; the journal takes {MAX_NESTING}")]
    TooDeep {
        /// Number of the event.
        seq: u64,
        /// Its depth.
        depth: usize,
    },
    /// A record cannot be put into words. Nothing was written.
    #[error("event {seq} cannot be written as JSON: {problem}")]
    Unwritable {
        /// Number of the event.
        seq: u64,
        /// Why.
        problem: String,
    },
}

fn shown(path: &std::path::Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}
