//! `kill -9` of the controller at random moments of the upgrade, then `resume`, until it is done.
//! Nothing may happen twice, nothing may be missing.
//!
//! `RUNBOOK_KILLS` is how many kills there are in all (5), at most five in one upgrade; `RUNBOOK_SEED`
//! repeats the moments of an earlier run. Fifty, with their figures:
//!
//! ```text
//! RUNBOOK_KILLS=50 cargo test -p runbook-tests --test lab kills -- --nocapture
//! ```

use std::time::{Duration, Instant};

use runbook_model::{Event, RunResult};
use runbook_tests::chance::{Chance, number};
use runbook_tests::lab::Lab;
use runbook_tests::operator::{Operator, Session};
use runbook_tests::terminal::{MOMENT, say};

use crate::assert_upgraded;

/// Kills in one upgrade at most.
const MOST: u64 = 5;
/// Roughly how many events an upgrade has. Where it has fewer, the last kills find it done.
const EVENTS: u64 = 540;
/// Roughly how long an upgrade takes, in milliseconds. Where it takes less, the same.
const LENGTH: u64 = 75_000;

/// When the controller is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// Right after the event of this number was written.
    Event(u64),
    /// After this time.
    Delay(Duration),
}

/// What came of an upgrade.
#[derive(Default)]
struct Figures {
    kills: u64,
    upgrades: u64,
    /// Kills while an attempt was on its way.
    in_flight: u64,
}

#[test]
fn kills_at_random_moments_repeat_nothing_and_lose_nothing() {
    let (mut chance, seed) = Chance::of_environment();
    let wanted = number("RUNBOOK_KILLS").unwrap_or(MOST);
    println!("RUNBOOK_SEED={seed} RUNBOOK_KILLS={wanted}");
    let mut figures = Figures::default();
    let begin = Instant::now();
    while figures.kills < wanted {
        upgrade(&mut chance, wanted - figures.kills, &mut figures);
        figures.upgrades += 1;
        assert!(
            figures.upgrades <= wanted.max(1) + 5,
            "upgrades end before they are killed"
        );
    }
    println!(
        "{} kills, {} of them while something ran on a host, {} upgrades, {} seconds (RUNBOOK_SEED={seed})",
        figures.kills,
        figures.in_flight,
        figures.upgrades,
        begin.elapsed().as_secs()
    );
}

fn upgrade(chance: &mut Chance, left: u64, figures: &mut Figures) {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    let kills = left.min(MOST);
    for done in 0..kills {
        let moment = moment(chance, written(&operator), kills - done);
        let mut session = begin(&operator);
        if !lives_until(&mut session, moment) {
            session.ends_with(0);
            break;
        }
        session.terminal.kill();
        figures.kills += 1;
        let (at, in_flight) = where_it_is(&operator);
        figures.in_flight += u64::from(in_flight);
        say(&format!("  kill {}: {moment:?}, {at}", figures.kills));
    }
    let finished = operator
        .runs()
        .first()
        .is_some_and(|_| operator.seen().state.result == Some(RunResult::Succeeded));
    if !finished {
        begin(&operator).ends_with(0);
    }
    say(&format!(
        "  upgrade {}: {} events",
        figures.upgrades + 1,
        operator.seen().state.seq
    ));
    assert_upgraded(&lab, &operator);
}

/// The first controller of an upgrade, or the next one. One that was killed before it wrote
/// anything has left nothing to resume.
fn begin(operator: &Operator) -> Session {
    let begun = operator
        .runs()
        .first()
        .is_some_and(|_| operator.seen().state.run.is_some());
    if begun {
        operator.resume()
    } else {
        operator.run()
    }
}

/// How many events the journals have.
fn written(operator: &Operator) -> u64 {
    operator
        .runs()
        .first()
        .map_or(0, |_| operator.seen().state.seq)
}

/// The next of so many moments, which shall be spread over what is left of the upgrade.
fn moment(chance: &mut Chance, written: u64, kills: u64) -> Moment {
    let left = EVENTS.saturating_sub(written);
    let part = |whole: u64| 2 * whole / (kills + 1);
    if chance.below(2) == 0 {
        Moment::Event(written + 1 + chance.below(part(left)))
    } else {
        Moment::Delay(Duration::from_millis(
            chance.below(part(LENGTH * left / EVENTS)),
        ))
    }
}

/// Whether the moment came before the end; gates that ask are answered with yes.
fn lives_until(session: &mut Session, moment: Moment) -> bool {
    let begin = Instant::now();
    loop {
        let over = !session.terminal.runs();
        let newest = session.records().last().map(|(record, _)| record.seq);
        let now = match moment {
            Moment::Event(seq) => newest.is_some_and(|newest| newest >= seq),
            Moment::Delay(delay) => begin.elapsed() >= delay,
        };
        if over || now {
            return !over;
        }
        if session.terminal.asks() {
            session.terminal.send("yes\n");
        }
        std::thread::sleep(MOMENT);
    }
}

/// Where the run stands, for people, and whether something runs on a host.
fn where_it_is(operator: &Operator) -> (String, bool) {
    if operator.runs().is_empty() {
        return ("before the run was created".into(), false);
    }
    let seen = operator.seen();
    let last = seen
        .journal
        .records
        .last()
        .map(|record| match &record.event {
            Event::Finished { node, .. } => format!("finished {}", seen.plan.nodes[node.at()].id),
            event => format!("{event:?}")
                .chars()
                .take_while(|c| c.is_alphanumeric())
                .collect(),
        });
    let open: Vec<_> = seen
        .state
        .open_attempts()
        .map(|(_, a)| seen.plan.nodes[a.node.at()].id.as_str())
        .collect();
    let text = format!(
        "at event {} ({}), in flight: [{}]",
        seen.state.seq,
        last.unwrap_or_default(),
        open.join(" ")
    );
    (text, !open.is_empty())
}
