//! The whole guide on nine hosts: built from nothing, run again, spoilt by hand and mended.
//!
//! It needs the lab of nine hosts (`LAB_NUMBER=3 LAB_SITE=1 tests/lab/lab up`); `LAB_SITE_NUMBER` names another one. The first
//! test that comes builds the site, and each leaves it as it found it.

mod again;
mod built;
mod drift;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicU8, Ordering};

use runbook_model::Outcome;
use runbook_tests::operator::Operator;
use runbook_tests::root;
use runbook_tests::site::Site;

/// The password of the first superuser.
const PASSWORD: &str = "a-password-of-the-lab-1";
/// The first superuser.
const SUPERUSER: &str = "quayadmin";

const NOT_YET: u8 = 0;
const BUILT: u8 = 1;
const FAILED: u8 = 2;
static STATE: AtomicU8 = AtomicU8::new(NOT_YET);

/// The site, built if no test before has done it.
fn site() -> Site {
    let site = Site::held();
    match STATE.load(Ordering::Relaxed) {
        BUILT => return site,
        FAILED => panic!("the site could not be built: see the test that came first"),
        _ => {}
    }
    STATE.store(FAILED, Ordering::Relaxed);
    site.reset();
    let operator = operator(&site, "site");
    let text = run(&operator);
    assert!(text.contains("succeeded"), "{text}");
    STATE.store(BUILT, Ordering::Relaxed);
    site
}

/// Who runs a shipped runbook there.
fn operator(site: &Site, runbook: &str) -> Operator {
    let path = root().join("runbooks").join(format!("{runbook}.yaml"));
    let mut operator = Operator::new(&path, &site.inventory);
    operator.inputs = Some(site.inputs.clone());
    operator
}

/// Runs to a good end; what was on the screen.
fn run(operator: &Operator) -> String {
    let password = operator.file("password", PASSWORD);
    set_private(&password);
    let mut place = OsString::from("superuser_password=file:");
    place.push(&password);
    let mut args = operator.run_args();
    args.extend(["--secret".into(), place]);
    operator.session(&args).ends_with(0)
}

fn set_private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("it is ours");
}

/// What the newest run changed, by instance, but for what runs each time.
fn changed(operator: &Operator) -> Vec<String> {
    let seen = operator.seen();
    let each_time = ["smoke"];
    let nodes = seen.plan.nodes.iter().zip(&seen.state.nodes);
    nodes
        .filter(|(_, state)| matches!(state.outcome, Some(Outcome::Changed)))
        .map(|(node, _)| node.id.to_string())
        .filter(|id| !each_time.iter().any(|step| id.contains(step)))
        .collect()
}

/// What is another than before, line by line.
fn difference(
    before: &BTreeMap<&'static str, String>,
    after: &BTreeMap<&'static str, String>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (host, was) in before {
        let is = &after[host];
        for line in was.lines().filter(|line| !is.lines().any(|l| l == *line)) {
            found.push(format!("{host}: - {line}"));
        }
        for line in is.lines().filter(|line| !was.lines().any(|l| l == *line)) {
            found.push(format!("{host}: + {line}"));
        }
    }
    found
}
