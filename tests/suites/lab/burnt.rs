//! A controller burns down with all that it had written: somebody takes its run over from the copy on another host.

use std::ffi::OsString;

use runbook_model::{Event, Record};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::{Operator, Session};
use runbook_tests::root;

use super::assert_says;
use super::overlap::{counted, lock, said};

/// Where effects are counted.
const PATH: &str = "/var/tmp/survive-effects";
/// Where the copy is.
const COPY: &str = "db01:/var/tmp/survive-mirror";

/// A run of this runbook that keeps its copy on a host.
fn begun(lab: &Lab, runbook: &str, inputs: &str) -> (Operator, Session) {
    for node in NODES.iter().chain([&"db01"]) {
        lab.on(node, "rm -rf /var/tmp/survive-*");
    }
    let file = root().join("tests/survive").join(runbook);
    let mut operator = Operator::new(&file, &lab.inventory);
    operator.inputs = Some(operator.file("inputs.yaml", inputs));
    let mut args = operator.run_args();
    args.extend(["--mirror".into(), COPY.into()]);
    let session = operator.session(&args);
    (operator, session)
}

/// The end of a controller: nothing of it is left.
fn burn(operator: &Operator, night: &mut Session) {
    night.terminal.kill();
    let state = operator.file("here", "").with_file_name("state");
    std::fs::remove_dir_all(state).expect("it was there");
}

/// Somebody else, and what they type.
fn colleague(lab: &Lab, operator: &Operator, id: &str) -> (Operator, Vec<OsString>) {
    let words = ["takeover", id, "--from", COPY, "--reason", "it burns", "-i"];
    let mut args: Vec<OsString> = words.map(Into::into).into();
    args.push((&lab.inventory).into());
    (Operator::new(&operator.runbook, &lab.inventory), args)
}

fn is_launched(record: &Record, node: &str) -> bool {
    matches!(record.event, Event::Launched { .. }) && node.starts_with("long")
}

#[test]
fn a_run_whose_controller_burnt_goes_on_from_its_copy() {
    let lab = Lab::fresh();
    let (operator, mut night) = begun(&lab, "burnt.yaml", "long: 40\n");
    // The copy is current before a gate asks; the long effects run on.
    night.terminal.wait_for("approve@control asks:");
    let before = operator.seen().state;
    let open: Vec<_> = before
        .open_attempts()
        .map(|(unit, _)| unit.clone())
        .collect();
    assert_eq!(open.len(), NODES.len(), "all long effects run: {open:?}");
    let id = operator.runs()[0].to_string();
    burn(&operator, &mut night);

    let (colleague, args) = colleague(&lab, &operator, &id);
    let mut theirs = colleague.session(&args);
    theirs.terminal.wait_for("approve@control asks:");
    theirs.ends_with(0);
    for node in NODES {
        let mut wanted = vec!["long", "one", "two"];
        wanted.extend((node == NODES[0]).then_some("short"));
        wanted.sort_unstable();
        assert_eq!(counted(&lab, node, PATH), wanted, "{node}");
        assert_eq!(lock(&lab, node), "", "{node}");
    }
    // What ran when it burnt was waited for, and not begun again.
    let seen = colleague.seen();
    for unit in &open {
        let attempt = &seen.state.attempts[unit];
        let of_node = seen
            .state
            .attempts
            .values()
            .filter(|a| a.node == attempt.node);
        assert_eq!(of_node.count(), 1, "{unit}");
    }
}

#[test]
fn a_copy_that_is_older_than_what_was_done_is_refused_by_the_hosts() {
    let lab = Lab::fresh();
    let (operator, mut night) = begun(&lab, "survive.yaml", "long: 20\n");
    // Begun after the phase began, which is when the copy was made.
    night.until("the long effect runs", is_launched);
    let id = operator.runs()[0].to_string();
    burn(&operator, &mut night);

    let (colleague, args) = colleague(&lab, &operator, &id);
    let refused = colleague.alone(&args);
    let text = said(&refused);
    assert_eq!(refused.status.code(), Some(6), "{text}");
    assert_says(&text, &["the journal does not know it", "an older copy"]);
    for node in NODES {
        let lines = counted(&lab, node, PATH);
        assert!(!lines.contains(&"three".to_owned()), "{node}: {lines:?}");
    }
    // What was begun is not theirs to judge; they can end the run, and free its hosts.
    let words = [
        "abandon",
        &id,
        "--reason",
        "its journal burnt",
        "--confirm",
        &id,
    ];
    let ended = colleague.alone(&words.map(Into::into));
    assert!(ended.status.success(), "{}", said(&ended));
    for node in NODES {
        assert_eq!(lock(&lab, node), "", "{node}");
    }
}
