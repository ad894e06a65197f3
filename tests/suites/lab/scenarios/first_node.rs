//! The first node does not come up.

use std::time::{Duration, Instant};

use runbook_model::Outcome;
use runbook_tests::lab::{Container, Lab, LabEvent, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::terminal::DEADLINE;

use super::{attempts, happened, impatient, is_done, said};
use crate::assert_says;

/// Everything that must stay: containers, what happened in them, dumps.
type World = (Vec<Vec<Container>>, Vec<LabEvent>, String);

fn world(lab: &Lab) -> World {
    let list = "find /var/backups/quay /var/lib/quay-dumps -type f -printf '%p %s %T@\\n' 2>/dev/null | sort";
    let dumps = ["db01", NODES[1]].map(|host| lab.on(host, list));
    assert!(dumps[0].contains(".dump"), "there is a dump: {}", dumps[0]);
    (lab.all_containers(), lab.events(), dumps.concat())
}

/// Nobody starts the night again, and nobody waves the first node through: not from the same place and
/// not from another one.
#[test]
fn past_the_migration_a_fresh_run_and_a_skip_of_the_first_node_touch_nothing() {
    let lab = Lab::fresh();
    let operator = impatient(&lab, "every: 2s, within: 6s");
    lab.fault("never-healthy", NODES[0]);
    let text = operator.run().ends_with(1);
    let id = operator.runs()[0].clone();
    assert_says(
        &text,
        &["healthy_first@quay01 failed", "clients are cut off"],
    );
    let before = world(&lab);

    let fresh = operator.run_alone();
    let text = said(&fresh);
    assert_eq!(fresh.status.code(), Some(5), "{text}");
    assert_says(&text, &[&format!("runbook resume {id}")]);
    assert_eq!(operator.runs().len(), 1, "a refused run leaves nothing");
    let colleague = Operator::of_upgrade(&lab);
    let fresh = colleague.run_alone();
    let text = said(&fresh);
    assert_eq!(fresh.status.code(), Some(6), "{text}");
    assert_says(&text, &[id.as_str()]);

    let skip = [
        "resume",
        "--skip",
        "healthy_first",
        "--reason",
        "it is late",
    ];
    let skipped = operator.alone(&skip.map(Into::into));
    let text = said(&skipped);
    assert_eq!(skipped.status.code(), Some(2), "{text}");
    assert_says(
        &text,
        &["`healthy_first@quay01` is a probe: passing it needs a second person"],
    );
    let seen = operator.seen();
    let node = seen
        .plan
        .node("healthy_first@quay01")
        .expect("it is in the plan");
    let outcome = &seen.state.nodes[node.at()].outcome;
    assert!(matches!(outcome, Some(Outcome::Failed(_))), "{outcome:?}");
    assert_eq!(happened(&lab, "registry", "start"), [NODES[0]]);
    assert_eq!(world(&lab), before);
}

/// A node that dies at each start, with `--restart=always`.
#[test]
fn a_first_node_that_crash_loops_migrates_once() {
    let lab = Lab::fresh();
    let operator = impatient(&lab, "every: 1s, within: 15m");
    let mut night = operator.run();
    night.until("the first node starts", is_done("start_first@"));
    let crash =
        "kill -KILL \"$(podman inspect --format '{{.State.Pid}}' quay01)\" 2>/dev/null || true";
    let begin = Instant::now();
    while happened(&lab, "registry", "start").len() < 5 {
        assert!(begin.elapsed() < DEADLINE, "it never crash-looped");
        lab.on(NODES[0], crash);
        std::thread::sleep(Duration::from_millis(500));
    }
    let text = night.ends_with(1);
    assert_says(&text, &["healthy_first@quay01 failed"]);
    assert_eq!(happened(&lab, "migrate", "migrate_begin"), [NODES[0]]);
    assert!(happened(&lab, "registry", "migrate_begin").is_empty());
    assert!(
        happened(&lab, "registry", "start")
            .iter()
            .all(|node| node == NODES[0])
    );
    assert_eq!(attempts(&operator, "migrate@"), 1);
    assert_eq!(attempts(&operator, "start_rest@"), 0);
}
