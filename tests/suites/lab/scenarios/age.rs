//! What was seen grows old: a host boots, a clock is wrong, the controller sleeps.

use std::time::Duration;

use runbook_model::Event;
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;

use super::{counted, is_launched, operator};

/// How long the controller sleeps: longer than what was seen a moment ago counts, and longer than a
/// link lives.
const SLEEP: Duration = Duration::from_secs(20);

pub(super) fn boot(lab: &Lab, host: &str) -> String {
    let boot = lab.on(host, "cat /proc/sys/kernel/random/boot_id");
    boot.trim().to_owned()
}

/// Which boot was used in the end, for what was seen at each age.
#[track_caller]
fn assert_used(lab: &Lab, host: &str, wanted: &[(&str, &str)]) {
    let mut all: Vec<String> = wanted
        .iter()
        .map(|(age, boot)| format!("{age} {boot}"))
        .collect();
    all.push("long".to_owned());
    all.sort();
    assert_eq!(counted(lab, host), all, "{host}");
}

/// What was looked at again in the newest run, and why.
fn again(operator: &Operator) -> Vec<String> {
    let seen = operator.seen();
    let records = seen.journal.records.iter();
    records
        .filter_map(|record| match &record.event {
            Event::Reopened { node, reason } => {
                Some(format!("{} {reason}", seen.plan.nodes[node.at()].id))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn what_was_seen_before_a_reboot_is_seen_again_before_it_is_used() {
    let lab = Lab::fresh();
    let operator = operator(&lab, "aged.yaml", "long: 8\n");
    let before = boot(&lab, NODES[2]);
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay03"));
    lab.run(&["kill", NODES[2]]);
    lab.run(&["boot", NODES[2]]);
    let now = boot(&lab, NODES[2]);
    assert_ne!(before, now);
    night.ends_with(0);
    assert_used(
        &lab,
        NODES[2],
        &[
            ("record", &before),
            ("now", &now),
            ("soon", &now),
            ("young", &now),
        ],
    );
}

#[test]
fn whoever_goes_on_after_a_reboot_believes_nothing_but_records() {
    let lab = Lab::fresh();
    let operator = operator(&lab, "aged.yaml", "long: 8\n");
    let before = boot(&lab, NODES[2]);
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay03"));
    night.terminal.kill();
    lab.run(&["kill", NODES[2]]);
    lab.run(&["boot", NODES[2]]);
    let now = boot(&lab, NODES[2]);
    operator.resume().ends_with(0);
    assert_used(
        &lab,
        NODES[2],
        &[
            ("record", &before),
            ("now", &now),
            ("soon", &now),
            ("young", &now),
        ],
    );
}

#[test]
fn a_clock_that_is_an_hour_off_and_a_controller_that_sleeps_cost_only_time() {
    let lab = Lab::fresh();
    let operator = operator(&lab, "aged.yaml", "long: 8\n");
    let clock = |host: &str, by: &str| {
        lab.on(host, &format!(
            "printf '#!/bin/sh\\nexec /usr/bin/date -d \"{by}\" \"$@\"\\n' >/usr/local/bin/date && chmod 755 /usr/local/bin/date"
        ));
    };
    clock(NODES[0], "1 hour");
    clock(NODES[1], "1 hour ago");
    let boots = NODES.map(|node| boot(&lab, node));
    let mut night = operator.run();
    night.until("the long effect runs", is_launched("long@quay03"));
    night.terminal.sleep();
    for node in NODES {
        lab.run(&["cut", node]);
    }
    std::thread::sleep(SLEEP);
    for node in NODES {
        lab.run(&["heal", node]);
    }
    night.terminal.wake();
    let text = night.ends_with(0);
    for node in &NODES[..2] {
        lab.on(node, "rm /usr/local/bin/date");
    }
    for (node, word) in [(NODES[0], "ahead"), (NODES[1], "behind")] {
        let off = |line: &&str| line.contains(&format!("{node} ready, its clock is "));
        let line = text
            .lines()
            .find(off)
            .unwrap_or_else(|| panic!("nothing says so:\n{text}"));
        let hour = line.contains("is 1h") || line.contains("is 59m59s");
        assert!(hour && line.contains(word), "{line}");
    }
    for (node, boot) in NODES.iter().zip(&boots) {
        assert_used(
            &lab,
            node,
            &[
                ("record", boot),
                ("now", boot),
                ("soon", boot),
                ("young", boot),
            ],
        );
    }
    // What was seen just before is old now by the controller's clock, on every host alike.
    let again = again(&operator);
    for node in NODES {
        let old = |step: &str| {
            again
                .iter()
                .any(|line| *line == format!("{step}@{node} too old for `use_{step}@{node}`"))
        };
        assert!(old("now") && old("soon"), "{node}: {again:#?}");
        assert!(!old("young") && !old("record"), "{node}: {again:#?}");
    }
}
