//! Why an event cannot be folded in.

use crate::Epoch;
use crate::transition::{Stage, Trigger};

/// An event that cannot follow what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// Numbers have a gap.
    #[error("event {got} follows event {after}")]
    Gap {
        /// The last number.
        after: u64,
        /// The number found.
        got: u64,
    },
    /// An event of an older controller follows one of a newer.
    #[error("event {seq} is of epoch {got}, after epoch {have}")]
    OldEpoch {
        /// The event.
        seq: u64,
        /// Its epoch.
        got: Epoch,
        /// The epoch that was reached.
        have: Epoch,
    },
    /// The event names a node or attempt that does not exist.
    #[error("event {seq} names {what}, which the run does not have")]
    Unknown {
        /// The event.
        seq: u64,
        /// What it names.
        what: String,
    },
    /// The table has no such transition.
    #[error("event {seq}: `{node}` cannot go from {stage:?} by {trigger:?}")]
    Illegal {
        /// The event.
        seq: u64,
        /// The node.
        node: String,
        /// Where it stands.
        stage: Stage,
        /// What came.
        trigger: Trigger,
    },
    /// The run begins twice, or not at all.
    #[error("event {seq}: the first event, and only it, creates the run")]
    Creation {
        /// The event.
        seq: u64,
    },
}
