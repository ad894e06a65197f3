//! The seam to the engine: files become a plan, runs are found in the store, a plan runs on hosts.
//! Commands call only this.

pub(crate) mod live;
pub(crate) mod load;
pub(crate) mod runs;
