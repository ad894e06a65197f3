//! The upgrade with one command, on a small screen, and a second time.

use runbook_tests::lab::Lab;
use runbook_tests::operator::Operator;

use crate::{PROOF, assert_says, assert_upgraded};

#[test]
fn one_command_upgrades_and_a_second_one_finds_it_done() {
    let lab = Lab::fresh();
    let mut operator = Operator::of_upgrade(&lab);
    operator.size = (12, 80);
    let mut night = operator.run();
    night.terminal.answer("restore_proof@control", PROOF);
    night.terminal.answer("approve@control", "yes");
    night.terminal.answer("approve_rest@control", "go");
    night.terminal.answer("last_word@control", "open");
    let text = night.ends_with(0);
    assert_says(&text, &["succeeded"]);
    assert_upgraded(&lab, &operator);

    // What is drawn over is never higher than the screen: a line of it that had left the screen
    // at its top would stay there for ever.
    let history = night.terminal.history();
    assert!(
        history.len() > 20,
        "a screen of 12 rows scrolled: {history:#?}"
    );
    let drawn: Vec<_> = history
        .iter()
        .filter(|line| line.starts_with('[') || line.contains("instances active"))
        .collect();
    assert!(drawn.is_empty(), "{drawn:#?}\n{history:#?}");

    let (containers, events) = (lab.all_containers(), lab.events());
    let text = operator.run().ends_with(0);
    assert_says(&text, &["everything is there already"]);
    assert_eq!(lab.all_containers(), containers);
    assert_eq!(lab.events(), events);
}
