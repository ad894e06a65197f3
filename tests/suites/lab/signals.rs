//! A person who presses Ctrl-C, and a cable that is pulled.

use std::time::{Duration, Instant};

use runbook_model::{Event, Record};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::terminal::DEADLINE;

use crate::{assert_says, assert_upgraded};

/// How long the cable is out. The database of the lab gives a session up after nine seconds of
/// silence, and that is the migration's own matter.
const CUT: Duration = Duration::from_secs(6);
/// Refuses ssh from here on for a while, which resets the connections that there are.
const REFUSE: &str = "rule='INPUT -p tcp --dport 22 -j REJECT --reject-with tcp-reset'; \
    setsid sh -c \"sleep 1; iptables -I $rule; sleep 10; iptables -D $rule\" </dev/null >/dev/null 2>&1 &";

#[test]
fn ctrl_c_stops_and_twice_detaches_and_resume_attaches() {
    let lab = Lab::fresh();
    let slow = lab.fault("slow-migration", "");
    // What sudo starts in a terminal of its own lives on without it, too.
    lab.fault("use-pty", NODES[0]);
    let operator = Operator::of_upgrade(&lab);
    let mut night = operator.run();
    night.until("a node stops", is_launched("stop@"));
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
    // The record is written on every ending, on the controller.
    let begins = |event: &Event| matches!(event, Event::Dispatched { host, .. } if host.as_str() != "control");
    let begun: Vec<_> = after.filter(|record| begins(&record.event)).collect();
    assert!(begun.is_empty(), "nothing new starts: {begun:?}");

    let mut night = operator.resume();
    night.until("the migration runs", is_launched("migrate@"));
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
fn a_link_that_breaks_while_an_attempt_runs_costs_only_time() {
    let lab = Lab::fresh();
    let slow = lab.fault("slow-migration", "");
    let operator = Operator::of_upgrade(&lab);
    let mut night = operator.run();
    night.until("the migration runs", is_launched("migrate@"));
    let begin = Instant::now();
    while !lab.events().iter().any(|e| e.event == "migrate_begin") {
        assert!(begin.elapsed() < DEADLINE, "the migration never began");
    }
    lab.run(&["cut", NODES[0]]);
    std::thread::sleep(CUT);
    lab.run(&["heal", NODES[0]]);
    lab.on(NODES[0], REFUSE);
    night.ends_with(0);
    slow.off();
    assert_upgraded(&lab, &operator);
    let is_back =
        |event: &Event| matches!(event, Event::HostReady { host, .. } if host.as_str() == NODES[0]);
    let seen = operator.seen();
    let times = seen
        .journal
        .records
        .iter()
        .filter(|record| is_back(&record.event))
        .count();
    assert!(times > 1, "the connection never broke");
}

/// Whether an attempt of this step has been launched.
fn is_launched(step: &str) -> impl FnMut(&Record, &str) -> bool {
    move |record, node| matches!(record.event, Event::Launched { .. }) && node.starts_with(step)
}
