//! The shipped upgrade under kills. `RUNBOOK_KILLS` is how many there are in all (5), at most five in
//! one upgrade.

use std::time::Instant;

use runbook_model::RunResult;
use runbook_tests::chance::{Chance, number};
use runbook_tests::kills::{Figures, Length, Moment, Struck};
use runbook_tests::lab::Lab;
use runbook_tests::operator::{Operator, Session};
use runbook_tests::terminal::say;

use crate::assert_upgraded;

/// Kills in one upgrade at most.
const MOST: u64 = 5;
const LENGTH: Length = Length {
    events: 540,
    millis: 75_000,
};

#[test]
fn an_upgrade_that_is_killed_repeats_nothing_and_loses_nothing() {
    let (mut chance, seed) = Chance::of_environment();
    let wanted = number("RUNBOOK_KILLS").unwrap_or(MOST);
    println!("RUNBOOK_SEED={seed} RUNBOOK_KILLS={wanted}");
    let mut figures = Figures::default();
    let begin = Instant::now();
    while figures.kills < wanted {
        figures.runs += 1;
        upgrade(&mut chance, wanted - figures.kills, &mut figures);
        assert!(
            figures.runs <= wanted.max(1) + 5,
            "upgrades end before they are killed"
        );
    }
    let seconds = begin.elapsed().as_secs();
    println!("{figures}\n  {seconds} seconds (RUNBOOK_SEED={seed})");
}

fn upgrade(chance: &mut Chance, left: u64, figures: &mut Figures) {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    let kills = left.min(MOST);
    for done in 0..kills {
        let written = operator.begun().map_or(0, |seen| seen.state.seq);
        let moment = Moment::draw(chance, LENGTH, written, kills - done);
        let mut session = begin(&operator);
        if !moment.comes(&mut session) {
            session.ends_with(0);
            break;
        }
        session.terminal.kill();
        let struck = operator
            .begun()
            .map_or_else(Struck::nowhere, |seen| Struck::of(&seen));
        figures.kill(&struck);
        say(&format!("  kill {}: {moment:?}, {struck}", figures.kills));
    }
    let finished = operator
        .begun()
        .is_some_and(|seen| seen.state.result == Some(RunResult::Succeeded));
    if !finished {
        begin(&operator).ends_with(0);
    }
    let events = operator.seen().state.seq;
    say(&format!("  upgrade {}: {events} events", figures.runs));
    assert_upgraded(&lab, &operator);
}

/// The first controller of an upgrade, or the next one. One that was killed before it wrote
/// anything has left nothing to resume.
fn begin(operator: &Operator) -> Session {
    match operator.begun() {
        Some(_) => operator.resume(),
        None => operator.run(),
    }
}
