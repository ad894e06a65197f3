//! Why the store cannot do what it is asked.

use std::io;
use std::path::{Path, PathBuf};

use runbook_model::RunId;
use runbook_model::event::Controller;
use runbook_model::plan::PLAN_FORMAT;
use runbook_model::state::FoldError;
use runbook_model::text::printable;

use super::{MAX_PLAN, RunSummary};
use crate::journal::JournalError;

/// Why the store cannot do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {doing} {}: {source}", shown(path))]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// A verb: `create`, `write`.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The state directory is something else.
    #[error("{} is not a directory", shown(path))]
    NoDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Whole records that make no sense together.
    #[error("the journal of run {run} cannot be followed: {source}")]
    Fold {
        /// The run.
        run: RunId,
        /// The first one that does not fit.
        source: FoldError,
    },
    /// Another controller has the run.
    #[error("run {run} is held by {}", holder(by.as_ref()))]
    Held {
        /// The run.
        run: RunId,
        /// Who, if it said so.
        by: Option<Controller>,
    },
    /// Another controller has been creating a run for a long time.
    #[error("another controller holds {} and does not let go", shown(path))]
    Busy {
        /// The lock.
        path: PathBuf,
    },
    /// Runs that are not finished touch what a new one would.
    #[error("{}", unfinished(runs))]
    Unfinished {
        /// Which.
        runs: Vec<RunSummary>,
    },
    /// No run has this id, or one that begins so.
    #[error("there is no run `{}`", printable(wanted))]
    NoRun {
        /// What was given.
        wanted: String,
    },
    /// There is no run at all.
    #[error("there are no runs")]
    NoRuns,
    /// Several runs begin so.
    #[error("`{}` can be any of {}", printable(wanted), listed(ids))]
    Ambiguous {
        /// What was given.
        wanted: String,
        /// Which runs.
        ids: Vec<RunId>,
    },
    /// The plan of a run is not what was stored.
    #[error("{} is damaged: {problem}", shown(path))]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Another version of the engine wrote the plan.
    #[error(
        "{} has plan format {found}; this engine knows format {PLAN_FORMAT}",
        shown(path)
    )]
    PlanFormat {
        /// The file.
        path: PathBuf,
        /// The format that it names.
        found: u64,
    },
    /// The plan is larger than the store takes.
    #[error("the plan takes {len} bytes; the store takes at most {MAX_PLAN}")]
    PlanTooLarge {
        /// Its length in bytes.
        len: usize,
    },
    /// The plan cannot be stored so that it could be read again.
    #[error("the plan cannot be stored: {problem}")]
    PlanUnwritable {
        /// Why.
        problem: String,
    },
    /// Plan and journal are not of one run.
    #[error("plan and journal of run {run} do not belong together: {problem}")]
    Mismatch {
        /// The run.
        run: RunId,
        /// What differs.
        problem: String,
    },
    /// An order has too many words.
    #[error("an order has at most {limit} bytes")]
    LargeOrder {
        /// Bytes.
        limit: u64,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {problem}")]
    Entropy {
        /// What it said.
        problem: String,
    },
}

impl StoreError {
    /// For `map_err`: the system refused to do this to this file.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |source| Self::Io {
            path,
            doing,
            source,
        }
    }
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

fn holder(by: Option<&Controller>) -> String {
    match by {
        Some(Controller {
            host, pid, user, ..
        }) => {
            format!(
                "process {pid} of {} on {}",
                printable(user),
                printable(host)
            )
        }
        None => "another controller".into(),
    }
}

fn listed(ids: &[RunId]) -> String {
    ids.iter().map(RunId::as_str).collect::<Vec<_>>().join(", ")
}

fn unfinished(runs: &[RunSummary]) -> String {
    let named = |run: &RunSummary| match &run.runbook {
        Some(name) => format!("{} ({})", run.id, printable(name)),
        None => run.id.to_string(),
    };
    let names: Vec<_> = runs.iter().map(named).collect();
    match names.as_slice() {
        [one] => format!("run {one} is not finished"),
        _ => format!("runs {} are not finished", names.join(", ")),
    }
}
