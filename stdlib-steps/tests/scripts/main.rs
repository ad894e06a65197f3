//! The scripts of the shipped types: what holds for all of them, and what some do with a `podman` that only pretends.

mod bench;
mod container;
mod rules;
