//! What every test here needs: a plan from text, a run in a store, and controllers that work on it.

mod bench;
mod controller;
mod plan;

pub(crate) use bench::Bench;
pub(crate) use controller::{Hook, Left, Shift, block_on, me};
pub(crate) use plan::{plan, secrets_of};
