//! A run that is over as it stands: written down, without reaching any host.

use runbook_model::event::Controller;
use runbook_model::{Event, Millis, Order, Record, RunResult, RunState};

use crate::driver::DriveError;
use crate::journal::Journal;
use crate::store::Run;

/// Writes into the journal of a run that somebody has taken that it is over. What it holds, and what
/// still runs on hosts, stays as it is.
///
/// # Errors
/// The journal cannot be written, or what is written does not follow what is there.
pub fn abandon(
    run: &mut Run,
    controller: Controller,
    order: Order,
    now: Millis,
) -> Result<RunState, DriveError> {
    let events = [
        Event::Opened { controller },
        Event::Ordered {
            order,
            nodes: Vec::new(),
        },
        Event::Closed {
            result: RunResult::Abandoned,
        },
    ];
    for event in events {
        let record = Record {
            seq: run.state.seq + 1,
            epoch: run.epoch,
            at: now,
            event,
        };
        run.state
            .apply(&record)
            .map_err(|error| DriveError::Fault(error.to_string()))?;
        run.journal.append(&record)?;
    }
    run.journal.sync()?;
    Ok(run.state.clone())
}
