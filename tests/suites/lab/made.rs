//! An account that the run itself makes: nobody can be it when the run begins, and steps are it later.

use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::root;

use super::assert_says;

/// Who runs it, with or without the step that makes the account, to a good end or not.
fn operator(lab: &Lab, make: bool, go: bool) -> Operator {
    let mut operator = Operator::new(&root().join("tests/language/made.yaml"), &lab.inventory);
    operator.inputs = Some(operator.file("inputs.yaml", &format!("make: {make}\ngo: {go}\n")));
    operator
}

/// What is there of it on its host.
fn there(lab: &Lab) -> String {
    lab.on(
        NODES[0],
        "getent passwd runmade | cut -d: -f1; stat -c '%U %n' /home/runmade/own/note /var/tmp/made-before 2>/dev/null || true",
    )
}

fn clean(lab: &Lab) {
    lab.on(
        NODES[0],
        "pkill -u runmade; sleep 0.2; userdel -r runmade 2>/dev/null; rm -rf /home/runmade /var/tmp/made-before",
    );
}

#[test]
fn an_account_that_the_run_makes_is_there_when_steps_are_it() {
    let lab = Lab::fresh();
    clean(&lab);
    let makes = operator(&lab, true, true);
    let mut args = makes.run_args();
    args[0] = "plan".into();
    let plan = makes.alone(&args);
    assert_says(
        &String::from_utf8_lossy(&plan.stdout),
        &["`account@quay01` makes the account first"],
    );
    let first = makes.run_alone();
    assert!(first.status.success(), "{}", said(&first));
    assert_eq!(
        there(&lab),
        "runmade\nrunmade /home/runmade/own/note\nroot /var/tmp/made-before\n"
    );
    let second = makes.run_alone();
    assert!(second.status.success(), "{}", said(&second));
    assert!(!said(&second).contains(" changed"), "{}", said(&second));
    clean(&lab);
}

#[test]
fn what_nobody_makes_is_missed_before_anything_begins() {
    let lab = Lab::fresh();
    clean(&lab);
    let ended = operator(&lab, false, true).run_alone();
    assert_eq!(ended.status.code(), Some(6), "{}", said(&ended));
    assert_says(&said(&ended), &["there is no account `runmade`"]);
    assert_eq!(there(&lab), "");
}

fn said(ended: &std::process::Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned() + &String::from_utf8_lossy(&ended.stdout)
}
