//! The driver, content, secrets and forecasts with real shells on this machine: its hosts are directories of their own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod claims;
mod content;
mod driver;
mod preview;
mod scripts;
mod secrets;
mod support;
mod until;
