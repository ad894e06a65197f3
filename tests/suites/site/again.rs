//! A second run of every runbook.

use crate::{changed, difference, operator, run, site};

#[test]
fn a_second_run_changes_nothing_and_restarts_nothing() {
    let site = site();
    let before = site.identities();
    for runbook in ["site"] {
        let operator = operator(&site, runbook);
        let text = run(&operator);
        let none: Vec<String> = Vec::new();
        assert_eq!(changed(&operator), none, "{runbook}:\n{text}");
        assert_eq!(difference(&before, &site.identities()), none, "{runbook}");
    }
}
