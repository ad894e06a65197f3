//! The scripts of the shipped types: what holds for all of them, and what some do with a `podman` that only pretends.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
mod container;
mod one_shot;
mod rules;
