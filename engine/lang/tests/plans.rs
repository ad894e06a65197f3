//! What plans hold: where instances run and what they are called, for runbooks that use the
//! language and for generated ones.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use runbook_lang::compile::lost_edges;
use runbook_lang::diagnostic::Code;
use runbook_model::plan::Order;
use runbook_model::step::OnFailure;
use runbook_model::{Account, NodeKind, Plan};
use support::compiled;

mod support;

const INVENTORY: &str = "
hosts:
  db01: { vars: { gateway: lb02 } }
  lb01:
  lb02:
  q1: { vars: { region: a, owner: quay, gateway: lb01 } }
  q2: { vars: { region: b, owner: root, gateway: lb02 } }
  q3: { vars: { region: a, owner: quay, gateway: lb01 } }
groups:
  quay: { hosts: [q1, q2, q3] }
  lb: { hosts: [lb01, lb02] }
";

fn plan(text: &str) -> Plan {
    let case = compiled("plan.yaml", text, INVENTORY);
    let why = case.diagnostics.render(&case.sources);
    case.plan.unwrap_or_else(|| panic!("{why}"))
}

fn ids(plan: &Plan, step: &str) -> Vec<String> {
    let (ix, _) = plan.step(step).unwrap();
    plan.instances_of(ix)
        .map(|(node, _)| plan.nodes[node.at()].id.clone())
        .collect()
}

#[test]
fn a_step_goes_through_other_hosts() {
    let plan = plan(
        "
runbook: r
phases:
  - phase: one
    on: quay
    steps:
      - { step: all, uses: test.state, on: 'quay[0]', via: lb }
      - { step: own, uses: test.state, via: '{{host.gateway}}' }
      - { step: back, uses: test.state, on: q2, via: control }
",
    );
    assert_eq!(ids(&plan, "all"), ["all@q1/lb01", "all@q1/lb02"]);
    assert_eq!(
        ids(&plan, "own"),
        ["own@q1/lb01", "own@q2/lb02", "own@q3/lb01"]
    );
    assert_eq!(ids(&plan, "back"), ["back@q2/control"]);
    let node = plan.node("own@q2/lb02").unwrap();
    assert_eq!(plan.runs_on(node).unwrap().as_str(), "lb02");
    assert_eq!(plan.instance(node).unwrap().1.as_str(), "q2");
}

#[test]
fn an_account_is_one_of_the_host() {
    let plan = plan(
        "
runbook: r
inputs: { who: { type: string, default: postgres } }
steps:
  - { step: a, uses: test.state, on: 'q1, q2', as: '{{host.owner}}', chdir: '/srv/{{host.name}}' }
  - { step: b, uses: test.state, on: q1, as: '{{inputs.who}}' }
  - { step: c, uses: test.state, on: q1, as: login }
  - { step: d, uses: test.state, on: q1 }
",
    );
    let account = |id: &str| match &plan.nodes[plan.node(id).unwrap().at()].kind {
        NodeKind::Instance { account, .. } => account.clone(),
        _ => None,
    };
    let sudo = |name: &str| Some(Account::Sudo(name.to_owned()));
    assert_eq!(account("a@q1"), sudo("quay"));
    assert_eq!(account("a@q2"), sudo("root"));
    assert_eq!(account("b@q1"), sudo("postgres"));
    assert_eq!(account("c@q1"), Some(Account::Login));
    assert_eq!(account("d@q1"), None);
    let (_, step) = plan.step("a").unwrap();
    assert_eq!(step.chdir.as_ref().unwrap().text, "/srv/{{host.name}}");
}

#[test]
fn items_are_named_by_what_they_are() {
    let plan = plan(
        "
runbook: r
inputs: { ports: { type: list, of: string, default: [443/tcp, 80/tcp] } }
vars:
  twice: { cel: 'inputs.ports' }
  named: { b: { port: 1 }, a: { port: 2 } }
steps:
  - { step: hosts, uses: test.look, on: control, for_each: groups.quay, with: { name: '{{item.region}}' } }
  - { step: ports, uses: test.look, on: q1, for_each: '{{inputs.ports}}', with: { name: '{{item}}' } }
  - { step: vars, uses: test.look, on: q1, via: lb, for_each: vars.twice }
  - { step: named, uses: test.look, on: q1, for_each: vars.named, when: item.port == 2 }
  - { step: literal, uses: test.look, on: q1, for_each: ['{{inputs.ports.0}}', 7] }
  - { step: nobody, uses: test.look, on: q1, for_each: [] }
  - { step: reader, uses: test.look, on: q1, when: 'steps.ports.items[\"443/tcp\"].outputs.count > 0 && steps.vars.items[\"80/tcp/lb02\"].finished && !steps.nobody.started' }
",
    );
    assert_eq!(
        ids(&plan, "hosts"),
        ["hosts:q1@control", "hosts:q2@control", "hosts:q3@control"]
    );
    assert_eq!(ids(&plan, "ports"), ["ports:443/tcp@q1", "ports:80/tcp@q1"]);
    assert_eq!(ids(&plan, "vars").len(), 4);
    assert!(ids(&plan, "vars").contains(&"vars:80/tcp@q1/lb02".to_owned()));
    assert_eq!(ids(&plan, "named"), ["named:a@q1", "named:b@q1"]);
    assert_eq!(
        ids(&plan, "literal"),
        ["literal:443/tcp@q1", "literal:7@q1"]
    );
    assert_eq!(ids(&plan, "nobody"), [""; 0]);
    assert!(plan.step("ports").unwrap().1.for_each);
}

#[test]
fn a_rolling_phase_keeps_to_its_hosts_and_budgets() {
    let plan = plan(
        "
runbook: r
phases:
  - phase: roll
    on: quay
    rolling: { batch: [1, 100%], by: region, max_failures: 1, min_ok: 1, pause: 5m }
    steps:
      - { step: a, uses: test.state }
      - { step: part, uses: test.state, on: 'q2, q3' }
      - { step: ok, uses: assert, with: { all: [{ check: 'host.name != \"\"', message: none }] } }
      - { step: rest, uses: wait, with: { for: 1m } }
      - { step: drain, uses: test.state, via: 'lb[0]' }
  - phase: look
    on: quay
    on_failure: continue
    max_failures: 2
    steps: [{ step: see, uses: test.look, on_failure: continue }]
",
    );
    let roll = &plan.phases[0];
    let batches: Vec<Vec<&str>> = roll
        .batches
        .iter()
        .map(|batch| batch.iter().map(runbook_model::HostName::as_str).collect())
        .collect();
    assert_eq!(batches, [vec!["q1"], vec!["q3"], vec!["q2"]]);
    assert_eq!(roll.by.as_deref(), Some("region"));
    assert_eq!(
        (
            roll.max_failures,
            roll.min_ok,
            roll.pause_ms,
            roll.on_failure
        ),
        (1, 1, 300_000, OnFailure::Continue)
    );
    assert_eq!(ids(&plan, "part"), ["part@q3", "part@q2"]);
    assert_eq!(ids(&plan, "ok"), ["ok@q1", "ok@q3", "ok@q2"]);
    assert_eq!(ids(&plan, "rest").len(), 3);
    assert_eq!(ids(&plan, "drain")[0], "drain@q1/lb01");
    let look = &plan.phases[1];
    assert_eq!(
        (look.on_failure, look.max_failures),
        (OnFailure::Continue, 2)
    );
    assert_eq!(plan.step("see").unwrap().1.on_failure, OnFailure::Continue);
}

#[test]
fn an_order_that_needs_has_taken_away_is_known() {
    let plan = plan(
        "
runbook: r
phases:
  - phase: one
    on: quay
    steps:
      - { step: a, uses: test.state }
      - { step: b, uses: test.state, needs: ['a@host'] }
      - { step: c, uses: test.state, needs: [] }
      - { step: d, uses: test.state }
  - phase: two
    on: quay
    order: graph
    steps:
      - { step: e, uses: test.state }
      - { step: f, uses: test.state }
",
    );
    let lost: Vec<(&str, &str)> = lost_edges(&plan)
        .iter()
        .map(|edge| {
            let id = |at: runbook_model::StepIx| plan.steps[at.at()].id.as_str();
            (id(edge.step), id(edge.earlier))
        })
        .collect();
    assert_eq!(lost, [("b", "a"), ("c", "a"), ("c", "b")]);
    assert_eq!(plan.phases[1].order, Order::Graph);
}

#[test]
fn an_input_that_nobody_gives_is_no_reason_to_run_nowhere() {
    let text = "
runbook: r
inputs: { ports: { type: list, of: string }, who: { type: string } }
steps:
  - { step: a, uses: test.look, on: q1, for_each: [x] }
  - { step: b, uses: test.look, on: q1, for_each: inputs.ports }
";
    let case = compiled("plan.yaml", text, INVENTORY);
    let found = case.diagnostics.render(&case.sources);
    assert!(case.plan.is_none());
    assert!(
        found.contains("`inputs.ports` has no value here"),
        "{found}"
    );
}

/// A generated step: its hosts, what it needs, what it reads, and how it is spread.
#[derive(Debug, Clone)]
struct Step {
    on: usize,
    via: bool,
    items: bool,
    needs: Option<Vec<(usize, bool)>>,
    reads: Option<usize>,
}

#[derive(Debug, Clone)]
struct Phase {
    order: usize,
    rolling: Option<u32>,
    steps: Vec<Step>,
}

const SELECTORS: [&str; 5] = ["quay", "all", "control", "other", "'quay, other, !o1'"];
const ORDERS: [&str; 3] = ["steps", "per_host", "graph"];

fn step() -> impl Strategy<Value = Step> {
    let needs = proptest::collection::vec((0..8_usize, any::<bool>()), 0..3);
    (
        0..SELECTORS.len(),
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.2),
        proptest::option::weighted(0.3, needs),
        proptest::option::weighted(0.3, 0..8_usize),
    )
        .prop_map(|(on, via, items, needs, reads)| Step {
            on,
            via,
            items,
            needs,
            reads,
        })
}

fn phases() -> impl Strategy<Value = Vec<Phase>> {
    let phase = (
        0..ORDERS.len(),
        proptest::option::weighted(0.3, 1..4_u32),
        proptest::collection::vec(step(), 1..4),
    );
    let phase = phase.prop_map(|(order, rolling, steps)| Phase {
        order,
        rolling,
        steps,
    });
    proptest::collection::vec(phase, 1..4)
}

/// Mostly a step that comes before, so that many of the runbooks are good.
fn earlier(wanted: usize, at: usize) -> usize {
    if wanted == 7 || at == 0 {
        wanted
    } else {
        wanted % at
    }
}

fn written(phases: &[Phase], more: &str) -> String {
    let mut text = format!("runbook: generated\n{more}phases:\n");
    let mut at = 0;
    for (number, phase) in phases.iter().enumerate() {
        text += &format!(
            "  - phase: p{number}\n    on: quay\n    order: {}\n",
            ORDERS[phase.order]
        );
        if let Some(batch) = phase.rolling {
            text += &format!("    rolling: {{ batch: {batch} }}\n");
        }
        text += "    steps:\n";
        for step in &phase.steps {
            text += &format!("      - step: s{at}\n        uses: test.look\n");
            if phase.rolling.is_none() {
                text += &format!("        on: {}\n", SELECTORS[step.on]);
            }
            if step.via {
                text += "        via: other\n";
            }
            if step.items {
                text += "        for_each: [x, y]\n";
            }
            if let Some(needs) = &step.needs {
                let needs: Vec<String> = needs
                    .iter()
                    .map(|(step, same)| {
                        format!(
                            "s{}{}",
                            earlier(*step, at),
                            if *same { "@host" } else { "" }
                        )
                    })
                    .collect();
                text += &format!("        needs: [{}]\n", needs.join(", "));
            }
            if let Some(read) = step.reads {
                let read = earlier(read, at);
                text += &format!("        when: 'steps.s{read}.finished'\n");
            }
            at += 1;
        }
    }
    text
}

fn inventory(hosts: &[String]) -> String {
    let names: String = hosts.iter().map(|host| format!("  {host}:\n")).collect();
    format!(
        "hosts:\n{names}  o1:\n  o2:\ngroups:\n  quay: {{ hosts: [{}] }}\n  other: {{ hosts: [o1, o2] }}\n",
        hosts.join(", ")
    )
}

fn all_ids(plan: &Plan) -> BTreeSet<String> {
    let ids: Vec<String> = plan
        .instances()
        .map(|(node, ..)| plan.nodes[node.at()].id.clone())
        .collect();
    let unique: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(unique.len(), ids.len(), "an id is there twice");
    unique
}

/// Takes away nodes that wait for nobody until there are none.
fn is_acyclic(plan: &Plan) -> bool {
    let mut waits: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for edge in &plan.edges {
        waits
            .entry(edge.to.at())
            .or_default()
            .insert(edge.from.at());
    }
    let mut open: BTreeSet<usize> = (0..plan.nodes.len()).collect();
    loop {
        let ready: Vec<usize> = open
            .iter()
            .copied()
            .filter(|node| waits.get(node).is_none_or(|of| of.is_disjoint(&open)))
            .collect();
        if ready.is_empty() {
            return open.is_empty();
        }
        ready.iter().for_each(|node| {
            open.remove(node);
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn generated_runbooks(
        phases in phases(),
        names in proptest::sample::subsequence(vec!["h1", "h2", "h3", "h4"], 1..4).prop_shuffle(),
    ) {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let text = written(&phases, "");
        let hosts = inventory(&names);
        let case = compiled("g.yaml", &text, &hosts);
        let Some(plan) = case.plan else {
            // Refused, with reasons; of a circle every edge is named, by instances.
            prop_assert!(case.diagnostics.has_errors());
            for circle in case.diagnostics.iter().filter(|d| d.code == Code::Cycle) {
                let walk: Vec<&str> = circle.message.split('`').skip(1).step_by(2).collect();
                prop_assert!(walk.len() > 1, "{}", circle.message);
                prop_assert_eq!(walk.first(), walk.last(), "{}", &circle.message);
            }
            return Ok(());
        };
        prop_assert!(is_acyclic(&plan));
        let ids = all_ids(&plan);
        let again = compiled("g.yaml", &text, &hosts).plan.unwrap();
        prop_assert_eq!(serde_json::to_string(&plan).unwrap(), serde_json::to_string(&again).unwrap());
        // The order of hosts in the inventory names nobody.
        let mut turned = names.clone();
        turned.reverse();
        let turned = compiled("g.yaml", &text, &inventory(&turned)).plan.unwrap();
        prop_assert_eq!(&all_ids(&turned), &ids);
        // Another variable and another step at the end rename nobody.
        let edited = written(&phases, "vars: { unrelated: 1 }\n")
            + "  - { phase: more, steps: [{ step: more, uses: test.look, on: o1 }] }\n";
        let edited = compiled("g.yaml", &edited, &hosts).plan.unwrap();
        prop_assert!(all_ids(&edited).is_superset(&ids));
        // Nor does another host.
        let mut more = names.clone();
        more.insert(0, "h0".to_owned());
        if let Some(more) = compiled("g.yaml", &text, &inventory(&more)).plan {
            prop_assert!(all_ids(&more).is_superset(&ids));
        }
    }
}
