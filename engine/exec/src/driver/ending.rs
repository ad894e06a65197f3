//! How a controller's part ends, and what follows at once.

use runbook_model::{Epoch, HostName, RunResult, RunState};

use super::Drive;
use crate::dispatcher::Options;
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

impl Ending {
    /// What an earlier part of this controller could not remove, where this one could not either.
    pub(super) fn add_not_cleaned(&mut self, earlier: Vec<(HostName, String)>) {
        let known = |host: &HostName| self.not_cleaned.iter().any(|(of, _)| of == host);
        let more: Vec<_> = earlier
            .into_iter()
            .filter(|(host, _)| !known(host))
            .collect();
        self.not_cleaned.extend(more);
    }
}

impl Drive<'_> {
    /// One part; and where a gate has decided that the run is taken back, another one for that.
    pub(super) async fn parts(&mut self, options: Options) -> Result<Ending, DriveError> {
        let (first, goes_back) = self.control(options).await?;
        let epoch = self.epoch.0.checked_add(1).filter(|_| goes_back);
        let Some(epoch) = epoch else {
            return Ok(first);
        };
        self.epoch = Epoch(epoch);
        self.state = first.state;
        // What ends a part early was for the way forward.
        let options = Options {
            until: None,
            ..options
        };
        let (mut last, _) = self.control(options).await?;
        last.add_not_cleaned(first.not_cleaned);
        Ok(last)
    }
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
