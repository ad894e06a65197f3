//! Consumers of events: whoever shows, logs or stores what happens.

use crate::{Plan, Record, RunState};

/// Sees every event after it is folded. A watcher that fails must not stop a run: it keeps its
/// error to itself, shows it once, and goes on or stays silent.
pub trait Watcher {
    /// One event; `state` includes it already.
    fn record(&mut self, record: &Record, plan: &Plan, state: &RunState);

    /// Output of a running attempt, as it comes; not part of the journal.
    fn output(&mut self, _node: crate::NodeIx, _plan: &Plan, _bytes: &[u8]) {}

    /// So many events were left out because it did not take them in time; `state` includes them.
    fn missed(&mut self, _events: u64, _plan: &Plan, _state: &RunState) {}

    /// Returns when everything so far is shown, or after `limit`.
    fn settle(&mut self, _limit: std::time::Duration) {}

    /// Time has passed; at most ten times a second.
    fn tick(&mut self, _now: crate::Millis, _plan: &Plan, _state: &RunState) {}
}
