//! Tests that are data: of step types, against commands that only pretend, and of runbooks, against
//! a world that only pretends.
//!
//! ```text
//! a test of a type ──► scratch directory, stand-ins for commands ──► the real scripts in a real `sh`
//! a scenario       ──► the real plan, the real dispatcher        ──► a simulated world
//! both             ──► what came of it ──► mismatches, all of them
//! ```
//!
//! Nothing outside the scratch directory is touched, as long as the scripts of a type go to paths
//! that they are given: they really run, as whoever runs the test.

mod act;
mod case;
mod judge;
mod real;
mod scene;
mod scratch;
mod standin;
mod suite;
mod without;

use std::time::Duration;

use runbook_model::text::printable;

pub use real::run_real;
pub use scene::run_scenario;
pub use scratch::Tools;
pub use suite::run_type;

/// What was expected, and what came instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Of what: `check`, `outputs: id`, `migrate@quay01`.
    pub what: String,
    /// What the test says.
    pub expected: String,
    /// What came; not yet made printable.
    pub found: String,
}

impl Mismatch {
    pub(crate) fn new(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

/// What came of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The step type, or the file of a scenario.
    pub group: String,
    /// What the test shows.
    pub title: String,
    /// Everything that is not as it should be; nothing if it passed.
    pub mismatches: Vec<Mismatch>,
}

impl Tried {
    /// Whether everything was as it should be.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }
}

/// Why a test could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The scratch directory.
    #[error("the directory of a test cannot be used: {0}")]
    Scratch(#[from] std::io::Error),
    /// The path of the scratch directory has characters that no shell word takes as they are.
    #[error("tests need a temporary directory whose path is plain: {0}")]
    Path(String),
    /// No such shell.
    #[error("there is no shell `{}` here", printable(.0))]
    NoShell(String),
    /// The shell, or the host.
    #[error("{0}")]
    Host(#[from] runbook_remote::RemoteError),
    /// The plan of a scenario.
    #[error("the plan cannot be run: {0}")]
    Plan(String),
}

/// No check of a test may take longer.
const LIMIT: Duration = Duration::from_secs(20);
