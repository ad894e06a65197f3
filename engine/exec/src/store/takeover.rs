//! A run that is taken over: its new controller must be above the old one wherever that may still be.
//!
//! An epoch is one more than the last that the journal knows. Whoever goes on from a copy does not know
//! what the old controller has written since, and both would have the same next epoch. So a take-over
//! leaps: beyond any number that an old controller can reach by resuming, and to a place of its own among
//! those that others may leap to from the same copy.

use runbook_model::event::Controller;
use runbook_model::{Epoch, Event, Millis, Order, Record};

use super::{Run, StoreError};
use crate::driver::DriveError;
use crate::journal::Journal as _;

/// How far a take-over leaps at least; fewer controllers than this resume from one copy.
const LEAP: u32 = 1_000;
/// The highest epoch of a take-over; hosts keep nine digits.
pub const MAX_EPOCH: u32 = 999_000_000;

/// The epoch of a take-over from a journal that ends in this one.
///
/// # Errors
/// The system gives no random numbers.
pub fn leap(from: Epoch) -> Result<Epoch, StoreError> {
    let mut bytes = [0u8; 4];
    getrandom::fill(&mut bytes).map_err(|e| StoreError::Entropy {
        problem: e.to_string(),
    })?;
    let place = u32::from_le_bytes(bytes) % LEAP;
    let begin = (from.0 / LEAP).saturating_add(1).saturating_mul(LEAP);
    Ok(Epoch(begin.saturating_add(place).min(MAX_EPOCH)))
}

/// Writes into the journal of a run that somebody has taken that it is theirs from this epoch on, and
/// why. A run without any event is nobody's yet.
///
/// # Errors
/// The epoch is not above that of the journal, or the journal cannot be written.
pub fn take_over(
    run: &mut Run,
    epoch: Epoch,
    controller: Controller,
    order: Order,
    now: Millis,
) -> Result<(), DriveError> {
    if run.state.run.is_none() {
        return Ok(());
    }
    if epoch <= run.state.epoch {
        return Err(DriveError::Fault(format!(
            "epoch {epoch} is not above {}, which the journal knows",
            run.state.epoch
        )));
    }
    run.epoch = epoch;
    let events = [
        Event::Opened { controller },
        Event::Ordered {
            order,
            nodes: Vec::new(),
        },
    ];
    for event in events {
        let record = Record {
            seq: run.state.seq + 1,
            epoch,
            at: now,
            event,
        };
        run.state
            .apply(&record)
            .map_err(|error| DriveError::Fault(error.to_string()))?;
        run.journal.append(&record)?;
    }
    run.journal.sync()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leap_is_beyond_what_resuming_reaches() {
        for from in [0, 1, 7, 999, 1_000, 1_999, 123_456] {
            for _ in 0..50 {
                let Epoch(to) = leap(Epoch(from)).unwrap();
                assert!(
                    to > from && to >= (from / LEAP + 1) * LEAP && to < from + 2 * LEAP,
                    "{from} {to}"
                );
            }
        }
        assert!(leap(Epoch(u32::MAX)).unwrap() <= Epoch(MAX_EPOCH));
        let places: std::collections::BTreeSet<_> =
            (0..20).map(|_| leap(Epoch(1)).unwrap()).collect();
        assert!(
            places.len() > 1,
            "two that take over from the same copy have the same epoch"
        );
    }
}
