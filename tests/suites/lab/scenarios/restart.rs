//! A step restarts its host: it is waited for, also by whoever goes on meanwhile, and it is restarted once.

use std::path::Path;
use std::time::Duration;

use runbook_model::{Outcome, Value};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;

use super::age::boot;
use super::{attempts, is_launched, operator};

/// The restart begins two seconds after its step.
const AWAY: Duration = Duration::from_secs(3);

/// How a step of the newest run ended.
fn outcome(operator: &Operator, id: &str) -> Option<Outcome> {
    let seen = operator.seen();
    let node = seen.plan.node(id).expect("the plan has this step");
    seen.state.nodes[node.at()].outcome.clone()
}

/// The file that was brought to the controller.
fn brought(operator: &Operator) -> String {
    let seen = operator.seen();
    let node = seen.plan.node("brought@quay03").expect("it is in the plan");
    let file = &seen.state.nodes[node.at()].outputs["file"];
    let path = file
        .as_str()
        .and_then(|file| file.split_once(':'))
        .map_or(file.as_str().unwrap_or_default(), |(_, path)| path);
    std::fs::read_to_string(Path::new(path)).expect("the file is there")
}

#[test]
fn a_host_that_a_step_restarts_is_waited_for_and_restarted_once() {
    let lab = Lab::fresh();
    let mut operator = operator(&lab, "restart.yaml", "word: one\n");
    let first = boot(&lab, NODES[2]);
    let mut night = operator.run();
    night.until("the restart is begun", is_launched("again@quay03"));
    night.terminal.kill();
    // By then it is going down, or away.
    std::thread::sleep(AWAY);
    operator.resume().ends_with(0);
    let second = boot(&lab, NODES[2]);
    assert_ne!(first, second);
    assert_eq!(attempts(&operator, "again"), 1);
    assert_eq!(outcome(&operator, "again@quay03"), Some(Outcome::Changed));
    assert_eq!(
        brought(&operator),
        "# quay03 of quay01 quay02 quay03 \nword = one\n"
    );

    // Nothing has changed since.
    operator.run().ends_with(0);
    assert_eq!(boot(&lab, NODES[2]), second);
    assert_eq!(attempts(&operator, "again"), 0);

    // Something has.
    operator.inputs = Some(operator.file("inputs.yaml", "word: two\n"));
    operator.run().ends_with(0);
    let third = boot(&lab, NODES[2]);
    assert_ne!(second, third);
    assert_eq!(attempts(&operator, "again"), 1);
    let seen = operator.seen();
    let node = seen.plan.node("again@quay03").expect("it is in the plan");
    assert_eq!(
        seen.state.nodes[node.at()].outputs["boot"],
        Value::from(third)
    );
    assert!(brought(&operator).ends_with("word = two\n"));

    // A host that restarted itself is lost and comes back like every other.
    lab.run(&["kill", NODES[2]]);
    lab.run(&["boot", NODES[2]]);
}
