//! How a controller's part ends.

use runbook_model::{HostName, RunResult, RunState};

use crate::graph::GraphError;
use crate::journal::JournalError;

/// How a controller's part ended.
#[derive(Debug)]
pub struct Ending {
    /// How.
    pub result: RunResult,
    /// What was reached.
    pub state: RunState,
    /// Hosts whose lock could not be given back, each with why, for people: the next run is refused there.
    pub still_locked: Vec<(HostName, String)>,
    /// Hosts where what old runs have left could not be removed, each with why, for people.
    pub not_cleaned: Vec<(HostName, String)>,
}

/// Why a run could not go on, other than by a failure of a step.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal cannot be written: nothing more was started.
    #[error("the journal cannot be written, so nothing more was started: {0}")]
    Journal(#[from] JournalError),
    /// The plan is not consistent in itself, or is not the plan of this run.
    #[error("the stored plan cannot be run: {0}")]
    Plan(#[from] GraphError),
    /// Decisions that this run cannot take: nothing was recorded, and no host was reached.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The engine contradicted itself: nothing more was started.
    #[error("the engine contradicted itself, so nothing more was started: {0}")]
    Fault(String),
}
