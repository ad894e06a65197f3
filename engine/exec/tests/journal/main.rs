//! The journal and the store of runs, against damage, failing disks and other controllers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod book;
mod copies;
mod damage;
mod disk;
mod events;
mod faults;
mod format;
mod inspect;
mod pairs;
mod refusals;
mod runs;
mod sample;
mod store;
