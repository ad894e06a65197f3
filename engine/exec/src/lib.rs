//! Dispatcher, journal, resume: what runs a plan.

pub mod journal;
pub mod store;

pub mod dispatcher;
pub mod graph;
pub mod preview;
pub mod rules;
pub mod world;
pub mod desk;
pub mod driver;
pub mod meaning;
mod outputs;
