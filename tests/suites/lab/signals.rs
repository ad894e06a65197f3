//! A person who presses Ctrl-C, and a cable that is pulled.

use std::time::{Duration, Instant};

use runbook_model::Event;
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::terminal::DEADLINE;

use crate::{assert_says, assert_upgraded};

/// How long the cable is out: longer than a connection may be silent.
const CUT: Duration = Duration::from_secs(12);

#[test]
fn ctrl_c_stops_and_twice_detaches_and_resume_attaches() {
    let lab = Lab::fresh();
    let slow = lab.fault("slow-migration", "");
    let operator = Operator::of_upgrade(&lab);
    let mut night = operator.run();
    night.until("a node stops", |record, node| {
        matches!(record.event, Event::Launched { .. }) && node.starts_with("stop@")
    });
    night.terminal.interrupt();
    let text = night.ends_with(4);
    let id = operator.runs()[0].clone();
    assert_says(
        &text,
        &[
            "was interrupted",
            "clients are cut off",
            &format!("runbook resume {id}"),
        ],
    );
    let seen = operator.seen();
    assert_eq!(
        seen.state.open_attempts().count(),
        0,
        "what ran was waited for"
    );
    let stopping = |event: &Event| matches!(event, Event::Stopping { .. });
    let after = seen
        .journal
        .records
        .iter()
        .skip_while(|record| !stopping(&record.event));
    let begun: Vec<_> = after
        .filter(|record| matches!(record.event, Event::Dispatched { .. }))
        .collect();
    assert!(begun.is_empty(), "nothing new starts: {begun:?}");

    let mut night = operator.resume();
    night.until("the migration runs", |record, node| {
        matches!(record.event, Event::Launched { .. }) && node.starts_with("migrate@")
    });
    night.terminal.interrupt();
    night.until("it stops starting", |record, _| stopping(&record.event));
    night.terminal.interrupt();
    let text = night.ends_with(4);
    assert_says(
        &text,
        &[
            "what runs on hosts runs on",
            "still runs, or may\n  migrate@quay01 on quay01",
            &format!("runbook resume {id}"),
        ],
    );
    let migration = |at: &Lab| {
        at.containers(NODES[0])
            .into_iter()
            .find(|c| c.name.starts_with("quay-migrate-"))
    };
    assert_eq!(migration(&lab).unwrap().status, "running");

    operator.resume().ends_with(0);
    slow.off();
    assert_upgraded(&lab, &operator);
}

#[test]
fn a_cable_pulled_while_an_attempt_runs_costs_only_time() {
    let lab = Lab::fresh();
    let slow = lab.fault("slow-migration", "");
    let operator = Operator::of_upgrade(&lab);
    let mut night = operator.run();
    night.until("the migration runs", |record, node| {
        matches!(record.event, Event::Launched { .. }) && node.starts_with("migrate@")
    });
    let begin = Instant::now();
    while !lab.events().iter().any(|e| e.event == "migrate_begin") {
        assert!(begin.elapsed() < DEADLINE, "the migration never began");
    }
    lab.run(&["cut", NODES[0]]);
    let heal = Instant::now() + CUT;
    while Instant::now() < heal {
        assert!(night.terminal.runs(), "a cut of some seconds ends no run");
        std::thread::sleep(Duration::from_millis(100));
    }
    lab.run(&["heal", NODES[0]]);
    night.ends_with(0);
    slow.off();
    assert_upgraded(&lab, &operator);
}
