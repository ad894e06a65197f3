//! Runs in the store: which ones there are, which one is meant, and what it looks like.

use runbook_exec::store::{LAST, RunStatus, RunSummary, Seen, Store};
use runbook_model::RunId;
use runbook_model::text::printable;
use runbook_report::{RunRow, RunStanding};

use crate::args::Cli;
use crate::error::Error;

/// The store of this command.
pub(crate) fn store(cli: &Cli) -> Result<Store, Error> {
    Ok(Store::open(&cli.state_dir()?)?)
}

/// All runs, the newest first.
pub(crate) fn list(store: &Store) -> Result<Vec<RunRow>, Error> {
    Ok(store.list()?.into_iter().map(row).collect())
}

/// The run that is meant; the newest where none is named.
pub(crate) fn look(store: &Store, wanted: Option<&str>) -> Result<Seen, Error> {
    let id = store.resolve(wanted.unwrap_or(LAST))?;
    Ok(store.look(&id)?)
}

/// The run to go on with; the newest that can go on where none is named.
pub(crate) fn to_resume(store: &Store, wanted: Option<&str>) -> Result<RunId, Error> {
    if let Some(wanted) = wanted {
        return Ok(store.resolve(wanted)?);
    }
    let runs = store.list()?;
    let can = |run: &&RunSummary| standing(&run.status).can_resume();
    runs.iter()
        .find(can)
        .map(|run| run.id.clone())
        .ok_or_else(|| Error::Typed {
            message: "there is no run that could go on".into(),
            hint: Some("list them: runbook runs".into()),
        })
}

/// The run that an order is for where none is named: the newest that runs or can go on.
pub(crate) fn under_way(store: &Store) -> Result<RunId, Error> {
    let runs = store.list()?;
    let is = |run: &&RunSummary| {
        let standing = standing(&run.status);
        standing == RunStanding::Running || standing.can_resume()
    };
    runs.iter()
        .find(is)
        .map(|run| run.id.clone())
        .ok_or_else(|| Error::Typed {
            message: "no run is under way".into(),
            hint: Some("name one with --run; list them: runbook runs".into()),
        })
}

/// What an event that this engine does not know means for those who look.
pub(crate) fn opaque(seen: &Seen) -> Option<String> {
    let opaque = seen.opaque()?;
    Some(format!(
        "event {} is `{}`, which this engine does not know; what came after it is not shown, and resume refuses\n",
        opaque.seq,
        printable(&opaque.kind)
    ))
}

fn row(run: RunSummary) -> RunRow {
    RunRow {
        run: run.id.to_string(),
        runbook: run.runbook.unwrap_or_default(),
        created: run.created.unwrap_or_default(),
        last: run.last.or(run.created).unwrap_or_default(),
        standing: standing(&run.status),
        hosts: run
            .hosts
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn standing(status: &RunStatus) -> RunStanding {
    match status {
        RunStatus::Running(_) => RunStanding::Running,
        RunStatus::Closed(result) => RunStanding::Ended(result.clone()),
        RunStatus::Left => RunStanding::Unfinished,
        RunStatus::Empty => RunStanding::NeverBegan,
        RunStatus::Unknown(problem) => RunStanding::Damaged(problem.clone()),
    }
}
