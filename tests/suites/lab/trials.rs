//! The tests of shipped types that are for real hosts.

use std::ffi::OsString;

use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;

#[test]
fn types_do_on_a_real_host_what_their_tests_say() {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    let words = ["test", "--on", NODES[0], "-i"].map(OsString::from);
    let words: Vec<OsString> = words
        .into_iter()
        .chain([lab.inventory.clone().into()])
        .collect();
    let ended = operator.alone(&words);
    let out = String::from_utf8_lossy(&ended.stdout);
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{out}\n{err}");
    assert!(out.contains("all passed"), "{out}");
    assert_eq!(
        lab.on(NODES[0], "ls -d /tmp/runbook-test.* 2>/dev/null | wc -l")
            .trim(),
        "0"
    );
}
