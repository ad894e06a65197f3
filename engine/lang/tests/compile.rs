//! What is said about mistakes that only the whole shows: runbooks and a snapshot of each,
//! against one inventory.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::collections::BTreeSet;

use runbook_model::Plan;
use support::compiled;

mod support;

#[test]
fn every_mistake_is_explained() {
    for name in support::names("compile") {
        let case = support::read("compile", &name);
        let warns = name.starts_with("warning_");
        assert_eq!(case.plan.is_some(), warns, "{name}: is there a plan?");
        let rendered = case.diagnostics.render(&case.sources);
        assert!(
            !rendered.contains("hunter2") || name == "secret_leak",
            "{name}: a secret is shown"
        );
        insta::assert_snapshot!(name, rendered);
    }
}

const GOOD: &str = "
runbook: good
inputs:
  to: { type: version, default: v3.8 }
  first: { type: host, in: quay, default: q2 }
  password: { type: secret, required: true }
x-secrets: [password]
vars:
  state: { cel: 'steps.look.on.all(h, steps.look.on[h].outputs.count == 0) ? \"done\" : \"before\"' }
done_when: vars.state == \"done\"
groups:
  quay: { min: 2 }
  mirror: { min: 0 }
phases:
  - phase: look
    order: per_host
    steps:
      - { step: look, uses: test.look, on: quay, once: true }
  - phase: act
    steps:
      - { step: stop, uses: test.state, on: quay, outage: begin, with: { password: '{{inputs.password}}' } }
      - { step: nobody, uses: test.state, on: mirror }
      - { step: first, uses: test.state, on: '{{inputs.first}}', needs: [nobody], outage: end }
  - phase: rest
    on: 'quay, !{{inputs.first}}'
    rolling: { batch: [1, 50%] }
    steps:
      - { step: start, uses: test.state }
      - { step: healthy, uses: test.look, needs: ['start@host'], until: { every: 1s, within: 1m } }
";

fn planned(text: &str, inventory: &str) -> Plan {
    let case = compiled("good.yaml", text, inventory);
    let why = case.diagnostics.render(&case.sources);
    case.plan.unwrap_or_else(|| panic!("{why}"))
}

fn plan(inventory: &str) -> Plan {
    planned(GOOD, inventory)
}

fn instances(plan: &Plan) -> BTreeSet<&str> {
    plan.instances()
        .map(|(node, ..)| plan.nodes[node.at()].id.as_str())
        .collect()
}

/// Hosts of the group in this order.
fn inventory(names: &[&str]) -> String {
    let hosts: String = names
        .iter()
        .map(|name| format!("  {name}: {{ address: {name}.example }}\n"))
        .collect();
    format!(
        "hosts:\n{hosts}groups:\n  quay: {{ hosts: [{}] }}\n",
        names.join(", ")
    )
}

#[test]
fn the_same_files_give_the_same_plan() {
    let text = inventory(&["q1", "q2", "q3"]);
    let (one, two) = (plan(&text), plan(&text));
    assert_eq!(one, two);
    assert_eq!(
        serde_json::to_string(&one).unwrap(),
        serde_json::to_string(&two).unwrap()
    );
}

#[test]
fn neither_order_nor_number_of_hosts_renames_an_instance() {
    let (one, turned) = (
        plan(&inventory(&["q1", "q2", "q3"])),
        plan(&inventory(&["q3", "q2", "q1"])),
    );
    assert_eq!(instances(&one), instances(&turned));
    let more = plan(&inventory(&["q0", "q1", "q2", "q3", "q4"]));
    assert!(instances(&more).is_superset(&instances(&one)));
}

#[test]
fn the_digest_covers_what_runs() {
    let digest = |text: &str, hosts: &str| planned(text, hosts).digest;
    let hosts = inventory(&["q1", "q2"]);
    let base = digest(GOOD, &hosts);
    let others = [
        digest(&GOOD.replace("1m", "2m"), &hosts),
        digest(&GOOD.replace("v3.8", "v3.9"), &hosts),
        digest(GOOD, &inventory(&["q2", "q1"])),
        digest(GOOD, &hosts.replace("q1.example", "q9.example")),
    ];
    let all: BTreeSet<_> = others.iter().chain([&base]).collect();
    assert_eq!(all.len(), others.len() + 1);
}

#[test]
fn a_plan_holds_no_secret_and_can_be_read_again() {
    let plan = plan(&inventory(&["q1", "q2"]));
    assert_eq!(plan.inputs["password"].value, None);
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}
