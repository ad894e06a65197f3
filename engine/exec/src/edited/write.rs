//! A change is made: the new plan is durable first, then the journal names it. A crash before that
//! leaves the run with its old plan, one after it with the new one.

use runbook_model::event::Controller;
use runbook_model::{Epoch, Event, Millis, Record};

use super::Edit;
use crate::driver::DriveError;
use crate::journal::Journal as _;
use crate::store::{Run, StoreError};

/// Writes into a run that somebody has taken that it goes on with another plan. After that it is ready
/// to be gone on with, in an epoch of its own.
///
/// # Errors
/// The plan or the journal cannot be written, or the run is another one than the change was made for.
pub fn write(
    run: &mut Run,
    edit: Edit,
    controller: Controller,
    by: String,
    now: Millis,
) -> Result<(), DriveError> {
    let mut state = run.state.clone();
    let event = Event::Edited {
        by,
        edit: Box::new(edit.event),
    };
    let number = state.plan_number + 1;
    let mut records = Vec::new();
    for event in [Event::Opened { controller }, event] {
        let record = Record {
            seq: state.seq + 1,
            epoch: run.epoch,
            at: now,
            event,
        };
        let applied = state.apply(&record);
        applied.map_err(|error| DriveError::Fault(error.to_string()))?;
        records.push(record);
    }
    let next = run.epoch.0.checked_add(1).map(Epoch);
    let next = next.ok_or_else(|| DriveError::Fault("there is no epoch after this one".into()))?;
    let put = run.put_plan(number, &edit.plan);
    put.map_err(|error: StoreError| DriveError::Fault(error.to_string()))?;
    for record in &records {
        run.journal.append(record)?;
    }
    run.journal.sync()?;
    run.plan = edit.plan;
    run.state = state;
    run.epoch = next;
    Ok(())
}
