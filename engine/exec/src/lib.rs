//! Dispatcher, journal, resume: what runs a plan.

pub mod abandon;
pub mod journal;
pub mod store;

pub mod desk;
pub mod dispatcher;
pub mod driver;
pub mod edited;
pub mod graph;
pub mod meaning;
mod outputs;
pub mod preview;
pub mod probe;
pub mod rehearse;
pub mod remaining;
pub mod rollback;
pub mod rules;
pub mod secrets;
pub mod trial;
pub mod world;
