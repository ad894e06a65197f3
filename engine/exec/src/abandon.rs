//! A run that is over as it stands: written down, without reaching any host.

use runbook_model::event::Controller;
use runbook_model::state::FoldError;
use runbook_model::{Epoch, Event, Millis, Order, Record, RunResult, RunState};

use crate::driver::DriveError;
use crate::journal::Journal;
use crate::store::Run;

/// What ends a run as it stands, and the state after that.
///
/// # Errors
/// It cannot follow what is there.
pub fn records(
    state: &RunState,
    epoch: Epoch,
    controller: Controller,
    order: Order,
    now: Millis,
) -> Result<(Vec<Record>, RunState), FoldError> {
    let mut state = state.clone();
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
    let mut records = Vec::new();
    for event in events {
        let record = Record {
            seq: state.seq + 1,
            epoch,
            at: now,
            event,
        };
        state.apply(&record)?;
        records.push(record);
    }
    Ok((records, state))
}

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
    let (records, state) = records(&run.state, run.epoch, controller, order, now)
        .map_err(|error| DriveError::Fault(error.to_string()))?;
    for record in &records {
        run.journal.append(record)?;
    }
    run.journal.sync()?;
    run.state.clone_from(&state);
    Ok(state)
}
