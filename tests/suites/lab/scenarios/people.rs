//! A run changes hands, and somebody edits the inventory.

use runbook_model::event::{Event, ReleasedBy};
use runbook_model::{Epoch, Value};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::{Operator, replaced};

use super::{counted, operator, said};
use crate::assert_says;

/// The epochs in which something about a node is in the journal.
fn epochs(operator: &Operator, node: &str, is_it: impl Fn(&Event) -> bool) -> Vec<Epoch> {
    let seen = operator.seen();
    let at = seen.plan.node(node).expect("it is in the plan");
    let about = |event: &Event| match event {
        Event::Asked { node, .. }
        | Event::Answered { node, .. }
        | Event::Finished { node, .. }
        | Event::Held { node, .. }
        | Event::Released { node, .. } => *node == at,
        Event::Dispatched { instances, .. } => instances.iter().any(|i| i.node == at),
        _ => false,
    };
    let records = seen.journal.records.iter();
    records
        .filter(|record| about(&record.event) && is_it(&record.event))
        .map(|record| record.epoch)
        .collect()
}

#[test]
fn a_colleague_takes_over_at_the_second_gate_and_the_laptop_that_wakes_up_is_refused() {
    let lab = Lab::fresh();
    let operator = operator(&lab, "handed.yaml", "{}\n");
    let copy = format!("{}:/var/tmp/survive-mirror", NODES[2]);
    let mut args = operator.run_args();
    args.extend(["--mirror".into(), copy.as_str().into()]);
    let mut night = operator.session(&args);
    night.terminal.answer("approve@control", "yes");
    night.terminal.wait_for("approve_rest@control asks:");
    let id = operator.runs()[0].clone();
    night.terminal.sleep();
    let made = lab.on(NODES[0], "ls -d /var/tmp/survive-dump-*");

    let colleague = Operator::new(&operator.runbook, &lab.inventory);
    let words = [
        "takeover",
        id.as_str(),
        "--from",
        &copy,
        "--reason",
        "a laptop is gone",
        "-i",
    ];
    let mut args: Vec<std::ffi::OsString> = words.map(Into::into).into();
    args.push((&lab.inventory).into());
    let mut theirs = colleague.session(&args);
    theirs.terminal.wait_for("approve_rest@control asks:");
    theirs.terminal.wait_for(made.trim());
    // The laptop is opened again while they read, and somebody says yes there.
    night.terminal.wake();
    night.terminal.send("yes\n");
    let old = night.terminal.end();
    assert_ne!(old.code, Some(0), "{}", old.text);
    assert_says(&old.text, &["another controller"]);
    let frozen = |more: &[&str]| {
        let mut wanted = vec!["frozen"];
        wanted.extend(more);
        for node in NODES {
            assert_eq!(counted(&lab, node), wanted, "{node}");
        }
    };
    frozen(&[]);
    theirs.terminal.send("yes\n");
    theirs.ends_with(0);
    frozen(&["thawed"]);

    // What was approved is not asked again, what was made is known, what was held is released by them.
    let (first, second) = (Epoch(1), colleague.seen().state.epoch);
    assert!(second > first);
    let any = |_: &Event| true;
    assert!(
        epochs(&colleague, "approve@control", any)
            .iter()
            .all(|e| *e == first)
    );
    assert!(
        epochs(&colleague, "dump@quay01", any)
            .iter()
            .all(|e| *e == first)
    );
    assert_eq!(
        epochs(&colleague, "approve_rest@control", |e| matches!(
            e,
            Event::Answered { .. }
        )),
        [second]
    );
    let seen = colleague.seen();
    let file = seen
        .journal
        .records
        .iter()
        .find_map(|record| match &record.event {
            Event::Finished { outputs, .. } => outputs.get("file").cloned(),
            _ => None,
        });
    assert_eq!(file, Some(Value::from(made.trim())));
    assert_eq!(lab.on(NODES[0], "cat /var/tmp/survive-dump-*"), "known\n");
    for node in NODES {
        let freeze = format!("freeze@{node}");
        assert_eq!(
            epochs(&colleague, &freeze, |e| matches!(e, Event::Held { .. })),
            [first]
        );
        let by_step = |e: &Event| {
            matches!(
                e,
                Event::Released {
                    by: ReleasedBy::Step(_),
                    ..
                }
            )
        };
        assert_eq!(epochs(&colleague, &freeze, by_step), [second]);
    }

    // And the morning after.
    let text = operator.resume().ends_with(6);
    assert_says(&text, &["cannot be used"]);
    frozen(&["thawed"]);
}

#[test]
fn a_host_added_above_the_first_one_does_not_become_the_first_one() {
    let lab = Lab::fresh();
    let mut operator = operator(&lab, "first.yaml", "{}\n");
    let text = std::fs::read_to_string(&lab.inventory).expect("the lab has an inventory");
    operator.inventory = operator.file("hosts.yaml", &text);
    let text = replaced(text, &[("quay: { hosts: [", "quay: { hosts: [db01, ")]);
    let stopped = operator.run_alone();
    assert_eq!(stopped.status.code(), Some(1), "{}", said(&stopped));
    lab.on(NODES[0], "touch /var/tmp/survive-door");
    std::fs::write(&operator.inventory, text).expect("there is room for a file");
    let resumed = operator.alone(&["resume".into()]);
    assert_eq!(resumed.status.code(), Some(0), "{}", said(&resumed));
    assert_eq!(counted(&lab, NODES[0]), ["first", "stopped"]);
    assert_eq!(counted(&lab, NODES[1]), ["rest", "stopped"]);
    assert_eq!(counted(&lab, NODES[2]), ["rest", "stopped"]);
    assert_eq!(counted(&lab, "db01"), [""; 0]);

    // For a run that begins now it is the first one.
    lab.on("db01", "touch /var/tmp/survive-door");
    let fresh = operator.run_alone();
    assert_eq!(fresh.status.code(), Some(0), "{}", said(&fresh));
    assert_eq!(counted(&lab, "db01"), ["first", "stopped"]);
}
