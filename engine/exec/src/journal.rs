//! The journal: what happened in a run, in order, in a form that tells by itself whether it is whole.
//!
//! One line is one [`Record`]. Each line has a checksum over itself, the checksum of the line
//! before it, and the number up to which the writer knew the journal to be durable. A reader can so
//! tell a write that a crash cut short (harmless: nothing was done on its account) from damage to
//! what was once acknowledged (refused). The format is described in the book, `design/journal.md`.
//!
//! ```text
//! append ──► buffer ──► file        sync ──► fdatasync ──► "durable up to N"
//! scan   ◄── file                   what is not whole is cut at the end, refused elsewhere
//! take   ◄── file ──► new file      fsync, rename, fsync: only then is it acted upon
//! ```

mod beginning;
mod error;
mod files;
mod inspect;
mod line;
mod memory;
mod reader;
mod writer;

pub use error::JournalError;
pub use files::{Disk, Files, RealFiles};
pub use inspect::{Condition, Inspection, inspect, lines};
pub use memory::MemoryJournal;
pub use reader::{Entry, Loaded, Opaque, Tail, Torn, read, read_from, scan};
pub use writer::FileJournal;

pub(crate) use line::nesting;

use runbook_model::Record;

/// Version of the format, written in every line.
pub const FORMAT: u32 = 1;
/// The longest line, in bytes with its newline; writing and reading alike.
pub const MAX_LINE: usize = 8 << 20;
/// The longest journal, in bytes; writing and reading alike.
pub const MAX_JOURNAL: u64 = 1 << 30;
/// How deep arrays and objects of a line may nest. The JSON reader gives up at 128.
pub const MAX_NESTING: usize = 100;

/// Where a run's records go. Narrow on purpose: a file today, another store later.
pub trait Journal: Send {
    /// Takes the next record. It is durable only after [`Journal::sync`].
    ///
    /// # Errors
    /// The record does not follow the last one, is out of bounds, or cannot be written. After a
    /// failed write every later call fails: the run must stop.
    fn append(&mut self, record: &Record) -> Result<(), JournalError>;

    /// Makes everything appended so far durable and says up to which number that is.
    ///
    /// # Errors
    /// It cannot be made durable. Every later call fails too: the system may have dropped what it
    /// could not write, so a second try that succeeds would prove nothing.
    fn sync(&mut self) -> Result<u64, JournalError>;
}
