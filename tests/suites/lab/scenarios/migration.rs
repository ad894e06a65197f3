//! The migration takes too long, or fails, or must not begin.

use runbook_model::Event;
use runbook_tests::lab::{Container, Lab, NODES};
use runbook_tests::operator::Operator;

use super::{attempts, happened, is_done};
use crate::assert_says;

const LIMIT: &str = "timeout: 30m\n        with:\n          name: 'quay-migrate-";

fn migration(lab: &Lab) -> Container {
    let mut all = lab.containers(NODES[0]).into_iter();
    let found = all.find(|c| c.name.starts_with("quay-migrate-"));
    found.expect("there is a container that migrates")
}

#[test]
fn a_migration_over_its_limit_runs_on_and_the_screen_says_where() {
    let lab = Lab::fresh();
    lab.fault("slow-migration", "");
    let operator = Operator::of_upgrade(&lab).with(&[(LIMIT, &LIMIT.replace("30m", "5s"))]);
    let mut night = operator.run();
    let text = night.ends_with(1);
    let id = operator.runs()[0].clone();
    assert_says(
        &text,
        &[
            "a critical step takes longer than its limit",
            "still runs, or may\n  migrate@quay01 on quay01",
            "left running",
            &format!("runbook resume {id}"),
        ],
    );
    let running = migration(&lab);
    assert_eq!(running.status, "running");
    assert_eq!(happened(&lab, "migrate", "migrate_end"), [""; 0]);

    // The next controller waits for the same one, and does not begin another.
    let mut night = operator.resume();
    night.until("the migration has ended", |record, node| {
        matches!(record.event, Event::Ended { .. }) && node.starts_with("migrate@")
    });
    night.terminal.interrupt();
    night.ends_with(4);
    let ended = migration(&lab);
    assert_eq!((&ended.id, &ended.started), (&running.id, &running.started));
    assert_eq!(happened(&lab, "migrate", "migrate_begin"), [NODES[0]]);
    assert_eq!(happened(&lab, "migrate", "migrate_end"), [NODES[0]]);
    assert_eq!(
        happened(&lab, "migrate", "stop"),
        [NODES[0]],
        "it ended by itself"
    );
    assert_eq!(attempts(&operator, "migrate@"), 1);
}

#[test]
fn a_migration_that_fails_half_way_is_not_tried_again() {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    // What is there already cannot be created.
    lab.on(
        "db01",
        "su postgres -c \"psql -qd quaydb -c 'create table namespacequota ()'\"",
    );
    let text = operator.run().ends_with(1);
    assert_says(&text, &["migrate@quay01 failed", "clients are cut off"]);
    // A resume does not repeat it either: a person has to look.
    let text = operator.resume().ends_with(1);
    assert_says(&text, &["migrate@quay01 failed"]);
    assert_eq!(happened(&lab, "migrate", "migrate_begin"), [NODES[0]]);
    assert_eq!(happened(&lab, "migrate", "migrate_failed"), [NODES[0]]);
    assert!(
        happened(&lab, "registry", "start").is_empty(),
        "nothing starts on half a schema"
    );
}

/// Everything was proven to be stopped, the dump is made, the controller is gone, and hours later
/// somebody goes on.
#[test]
fn an_old_container_started_after_none_ran_is_found_before_anything_migrates() {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    let mut night = operator.run();
    let mut silent = 0;
    night.until("none runs, and the dump is away", |record, node| {
        silent += usize::from(is_done("none_runs@")(record, node));
        silent >= 3 && is_done("dump_away@")(record, node)
    });
    night.terminal.kill();
    lab.fault("old-container", NODES[2]);
    let text = operator.resume().ends_with(1);
    let id = operator.runs()[0].clone();
    assert_says(
        &text,
        &[
            "none_runs@quay03 failed",
            "old-by-hand",
            &format!("runbook resume {id}"),
        ],
    );
    assert_eq!(attempts(&operator, "unfence@"), 0, "the fence stays");
    assert_eq!(attempts(&operator, "migrate@"), 0);
    let new = lab.events().into_iter().filter(|e| e.version == "v3.8.0");
    assert_eq!(new.count(), 0, "{}", lab.run(&["events"]));
}
