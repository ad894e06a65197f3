//! Everything that touches a host: the connection, the shells on it, and what runs there.
//!
//! ```text
//! Host ── Transport (OpenSSH master, or a local `sh`)
//!   ├── control shell   one request at a time, milliseconds each: prepare, launch, look, read, cancel
//!   ├── worker shells   checks, each with a limit of its own; a hung one is killed through the control shell
//!   ├── watch           one line for each attempt that ends
//!   └── file channels   one per transfer
//! ```
//!
//! A run takes the lock of each host before it changes anything there; of two runs, one is refused and told who has it.
//!
//! An attempt is detached: it outlives the shell, the connection and the controller. It is claimed by hard link,
//! so it runs once however often it is launched, and its result appears whole or not at all. The status of an
//! `ssh` command is never anybody's result.
//!
//! A chain is one attempt that does the work of several: it looks, changes what differs, looks again, and goes on with
//! the next member, for as long as a controller says that it is there.
//!
//! Everything that a host says is bounded here, and made printable before it gets into a message. What a script
//! printed is handed on as it is: whoever shows it makes it printable and takes known secrets out.

mod chain;
mod channel;
mod control;
mod error;
mod excerpt;
mod file;
mod frame;
mod hello;
mod host;
mod job;
mod kept;
mod quote;
mod report;
mod script;
mod shell;
mod spec;
mod transport;
mod watch;
mod worker;

pub use chain::{
    Chain, ChainOffsets, ChainPoll, ChainReader, HEARTBEAT, MEMBERS, Member, News, StopWord, Stream,
};
pub use error::{Fault, RemoteError};
pub use excerpt::Excerpt;
pub use file::{Copied, Rights};
pub use hello::Hello;
pub use host::{Bounds, Holder, Host, Says};
pub use job::{Ended, Job, JobState, Offsets, Poll, Why};
pub use kept::{InvalidKept, Kept};
pub use report::{Report, Verdict};
pub use script::{InvalidScript, Param, Script};
pub use spec::{HostSpec, Options};
