//! Which accounts may be missing when a run begins.

use runbook_model::event::NodeSummary;
use runbook_model::transition::Stage;
use runbook_model::{Epoch, Event, Record, RunId};

use super::*;
use crate::remaining::tests::compiled;

const INVENTORY: &str =
    "hosts: { a: {}, b: {} }\ngroups: { web: { hosts: [a, b] } }\nbecome: sudo\n";
const TYPES: [(&str, &str); 2] = [
    (
        "demo.user",
        "type: demo.user\nsummary: An account\nparams: { name: { type: string, required: true }, state: { type: enum, values: [present, absent], default: present } }\nwrites: ['user:{{name}}']\ncheck: 'true'\napply: 'true'\n",
    ),
    (
        "demo.thing",
        "type: demo.thing\nsummary: A thing\nparams: {}\ncheck: 'true'\napply: 'true'\n",
    ),
];

/// What may be missing, as `maker account@host`, where the makers named in `ended` have ended.
fn missing(steps: &str, ended: &[&str]) -> Vec<String> {
    let text = format!(
        "runbook: demo\nversion: 1\ninputs: {{ name: {{ type: string, default: eve }}, make: {{ type: bool, default: true }} }}\n{steps}"
    );
    let plan = compiled(&text, INVENTORY, &TYPES, &[]);
    let evaluator = Evaluator::new(plan.clone(), &std::collections::BTreeMap::new(), "r", "/r");
    let evaluator = evaluator.expect("the plan can be evaluated");
    let nodes = plan.nodes.iter().map(|node| NodeSummary {
        id: node.id.clone(),
        phase: String::new(),
        host: None,
    });
    let event = Event::RunCreated {
        run: RunId::new("r").expect("a letter is a run id"),
        runbook: plan.runbook.clone(),
        plan: plan.digest.clone(),
        nodes: nodes.collect(),
    };
    let mut state = RunState::default();
    let first = Record {
        seq: 1,
        epoch: Epoch(1),
        at: 0,
        event,
    };
    state.apply(&first).expect("a run begins so");
    for id in ended {
        let node = plan.node(id).expect("the plan has it");
        state.nodes[node.at()].stage = Stage::Done;
    }
    let found = made(&plan, &evaluator, &state);
    let told = found.into_iter().map(|((host, account), maker)| {
        let maker = plan.nodes[maker.at()].id.as_str();
        match account {
            Account::Sudo(name) => format!("{maker} {name}@{host}"),
            Account::Login => format!("{maker} the one that logs in@{host}"),
        }
    });
    told.collect()
}

const STEPS: &str = "\
steps:
  - { step: account, uses: demo.user, on: web, with: { name: '{{inputs.name}}' } }
  - { step: own, uses: demo.thing, on: web, as: '{{inputs.name}}' }
";

#[test]
fn an_account_that_is_made_first_may_be_missing() {
    assert_eq!(missing(STEPS, &[]), ["account@a eve@a", "account@b eve@b"]);
}

#[test]
fn once_its_maker_has_ended_it_must_be_there() {
    assert_eq!(missing(STEPS, &["account@a"]), ["account@b eve@b"]);
}

#[test]
fn an_account_that_somebody_is_before_must_be_there() {
    let early = "phases:\n  - phase: one\n    order: graph\n    steps:\n\
        \x20     - { step: account, uses: demo.user, on: web, with: { name: eve } }\n\
        \x20     - { step: own, uses: demo.thing, on: web, as: eve, needs: ['account@host'] }\n\
        \x20     - { step: early, uses: demo.thing, on: a, as: eve }\n";
    assert_eq!(missing(early, &[]), ["account@b eve@b"]);
    let at_the_end =
        format!("{STEPS}finally:\n  - {{ step: last, uses: demo.thing, on: b, as: eve }}\n");
    assert_eq!(missing(&at_the_end, &[]), ["account@a eve@a"]);
}

#[test]
fn what_is_not_made_must_be_there() {
    let other = STEPS.replace("{{inputs.name}}' } }", "adam' } }");
    assert_eq!(missing(&other, &[]), Vec::<String>::new());
    let elsewhere = STEPS.replace("on: web, with", "on: b, with");
    assert_eq!(missing(&elsewhere, &[]), ["account@b eve@b"]);
    let skipped = STEPS.replace("demo.user,", "demo.user, when: '!inputs.make',");
    assert_eq!(missing(&skipped, &[]), Vec::<String>::new());
    let removed = STEPS.replace("name}}' } }", "name}}', state: absent } }");
    assert_eq!(missing(&removed, &[]), Vec::<String>::new());
}
