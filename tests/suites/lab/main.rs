//! The shipped upgrade on real hosts: done at once, killed, refused, broken, stopped, cut off.
//!
//! It needs the lab (`tests/lab/lab up`); `LAB`, `LAB_NET` and `LAB_BRIDGE` name another one. A test
//! has a lab for itself and begins with its reset; with `LABS=2` two of them run side by side, the
//! second one in the lab that `LAB_NUMBER=1` names.

mod burnt;
mod canary;
mod faults;
mod features;
mod frozen;
mod going_back;
mod kills;
mod link;
mod made;
mod once;
mod overlap;
mod refusals;
mod scenarios;
mod signals;
mod trials;
mod upgrade;

use runbook_model::{Event, Outcome, Record};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::proof;

/// What is typed to show that the last dump was restored somewhere.
const PROOF: &str = "done\n12\nC-17";

/// A date, so far from now, as `date` reads it.
fn date(from_now: &str) -> String {
    let args = ["-u", "-d", from_now, "+%FT%TZ"];
    let said = std::process::Command::new("date").args(args).output();
    let said = said.expect("the system has date");
    assert!(said.status.success(), "{from_now}");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// Whether this step has ended well.
fn is_done(step: &str) -> impl FnMut(&Record, &str) -> bool {
    move |record, node| {
        let well = |outcome: &Outcome| outcome.is_success();
        matches!(&record.event, Event::Finished { outcome, .. } if well(outcome))
            && node.starts_with(step)
    }
}

/// The upgrade is done, once and in order.
#[track_caller]
fn assert_upgraded(lab: &Lab, operator: &Operator) {
    let seen = operator.seen();
    let mut wrong = proof::of_database(&lab.events_at_rest());
    wrong.extend(proof::of_journal(
        &seen.plan,
        &seen.journal.records,
        &seen.state,
    ));
    wrong.extend(proof::of_containers(lab));
    assert!(
        wrong.is_empty(),
        "{}\n{}",
        wrong.join("\n"),
        lab.run(&["events"])
    );
}

/// Nothing of the old version has been stopped, nothing of the new one started.
#[track_caller]
fn assert_all_serve(lab: &Lab) {
    let events = lab.run(&["events"]);
    assert_eq!(events.lines().count(), 1, "{events}");
    for node in NODES {
        let containers = lab.containers(node);
        let running = containers.iter().filter(|c| c.status == "running");
        let wanted = if node == NODES[0] { 2 } else { 1 };
        assert_eq!(running.count(), wanted, "{node}: {containers:?}");
    }
}

/// All of these are in the text.
#[track_caller]
fn assert_says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "nothing says `{wanted}`:\n{text}");
    }
}
