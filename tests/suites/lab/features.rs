//! What the language promises about accounts, directories, hosts gone through, items, holds and
//! endings, on real hosts.

use std::ffi::OsString;

use runbook_model::Outcome;
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::root;

use super::assert_says;

const DB: &str = "db01";

/// Who runs the features with an input that says whether the last check holds.
fn operator(lab: &Lab, go: bool) -> Operator {
    let mut operator = Operator::new(&root().join("tests/language/features.yaml"), &lab.inventory);
    operator.inputs = Some(operator.file("inputs.yaml", &format!("go: {go}\n")));
    operator
}

/// What the features have left on a host, with the number of effects.
fn left(lab: &Lab, host: &str) -> String {
    lab.on(host, "cd /var/tmp && for f in features-*; do [ ! -e \"$f\" ] || echo \"$f $(wc -l <\"$f\")\"; done")
}

#[test]
fn features_hold_on_real_hosts() {
    let lab = Lab::fresh();
    clean(&lab);
    let fails = operator(&lab, false);
    let ended = fails.run_alone();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned()
        + &String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert_says(&said, &["it was not to go on", "freeze --reason"]);

    // Effects are where they belong, once each; what was drained is back.
    for node in NODES {
        assert_eq!(
            left(&lab, node),
            "features-room-1 1\nfeatures-room-2 1\n",
            "{node}"
        );
    }
    // What is kept on failure is held, what is released on failure is gone, and the ending came.
    assert_eq!(left(&lab, DB), "features-ended 1\nfeatures-freeze 1\n");

    let seen = fails.seen();
    let outcome = |id: &str| {
        let node = seen
            .plan
            .node(id)
            .unwrap_or_else(|| panic!("no node `{id}`"));
        seen.state.nodes[node.at()].outcome.clone()
    };
    assert!(
        matches!(outcome("lost@quay01"), Some(Outcome::Recorded(_))),
        "{:?}",
        outcome("lost@quay01")
    );
    assert_eq!(outcome("told@control"), Some(Outcome::Passed));
    assert_eq!(outcome("drain@quay02/db01"), Some(Outcome::Changed));
    assert_eq!(outcome("rooms:west@quay03"), Some(Outcome::Changed));

    let status = fails.alone(&["status".into()]);
    assert_says(&String::from_utf8_lossy(&status.stdout), &["freeze"]);
    let run = fails.runs()[0].to_string();
    let release: Vec<OsString> = ["release", &run, "freeze", "--reason", "the test is over"]
        .map(OsString::from)
        .into();
    let released = fails.alone(&release);
    assert!(
        released.status.success(),
        "{}{}",
        String::from_utf8_lossy(&released.stdout),
        String::from_utf8_lossy(&released.stderr)
    );
    assert_eq!(left(&lab, DB), "features-ended 1\n");

    // A run that failed may go on, so that it keeps its hosts until it is given up.
    let abandoned = fails.alone(
        &[
            "abandon",
            &run,
            "--reason",
            "the test is over",
            "--confirm",
            &run,
        ]
        .map(OsString::from),
    );
    assert!(
        abandoned.status.success(),
        "{}",
        String::from_utf8_lossy(&abandoned.stderr)
    );

    // A run that ends well releases what it holds until the end.
    let goes = operator(&lab, true);
    let ended = goes.run_alone();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned()
        + &String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert_eq!(left(&lab, DB), "features-ended 1\n");
    clean(&lab);
}

/// Takes away what the features have left, of an earlier run as well.
fn clean(lab: &Lab) {
    for host in NODES.iter().chain([&DB]) {
        lab.on(host, "rm -f /var/tmp/features-*");
    }
}
