//! What has happened to people in real nights, made to happen again. Each test is one such story, and
//! is named after it.

mod accounts;
mod age;
mod first_node;
mod migration;
mod people;
mod restart;
mod row;

use runbook_model::{Event, Record};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;
use runbook_tests::root;

use super::is_done;

/// Where the small runbooks count effects.
const PATH: &str = "/var/tmp/survive-effects";
/// The check of the upgrade that the first node has to pass, as far as it says how long it is waited for.
const HEALTHY: &str =
    "log_free_of: [Traceback] }, until: { passes: 3, every: 5s, within: 15m, fatal: 'outputs.restarts > 0' } }
      - { step: others_silent";

/// Who runs one of the small runbooks, on hosts where nothing has been counted yet.
fn operator(lab: &Lab, runbook: &str, inputs: &str) -> Operator {
    for host in NODES.iter().chain([&"db01"]) {
        lab.on(host, "rm -rf /var/tmp/survive-*");
    }
    let file = root().join("tests/survive").join(runbook);
    let mut operator = Operator::new(&file, &lab.inventory);
    operator.inputs = Some(operator.file("inputs.yaml", inputs));
    operator
}

/// Who upgrades, and waits so long for the first node to be healthy.
fn impatient(lab: &Lab, within: &str) -> Operator {
    let changed = HEALTHY.replace("every: 5s, within: 15m", within);
    Operator::of_upgrade(lab).with(&[(HEALTHY, &changed)])
}

/// What was counted on a host, sorted.
fn counted(lab: &Lab, host: &str) -> Vec<String> {
    let text = lab.on(host, &format!("sort {PATH} 2>/dev/null || true"));
    text.lines().map(str::to_owned).collect()
}

/// Whether an attempt of this step has been launched.
fn is_launched(step: &str) -> impl FnMut(&Record, &str) -> bool {
    move |record, node| matches!(record.event, Event::Launched { .. }) && node.starts_with(step)
}

/// How often an effect of this step was dispatched in the newest run.
fn attempts(operator: &Operator, step: &str) -> usize {
    let seen = operator.seen();
    let id = |attempt: &runbook_model::state::AttemptState| &seen.plan.nodes[attempt.node.at()].id;
    let all = seen.state.attempts.values();
    all.filter(|attempt| id(attempt).starts_with(step)).count()
}

/// What a command without a terminal has said.
fn said(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// What the stand-ins have done of this kind.
fn happened(lab: &Lab, mode: &str, event: &str) -> Vec<String> {
    let all = lab.events().into_iter();
    all.filter(|e| e.version == "v3.8.0" && e.mode == mode && e.event == event)
        .map(|e| e.node)
        .collect()
}
