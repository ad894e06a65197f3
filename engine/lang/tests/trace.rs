//! Where values come from: every kind of origin, and that secrets and what comes later stay so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use runbook_lang::trace::{Given, step};
use runbook_model::trace::{From, Known, Read, Text, Trace};
use runbook_model::{NodeIx, Plan};
use serde_json::json;

mod support;

const RUNBOOK: &str = "runbook: traced
inputs:
  to: { type: version, default: v3.8 }
  image: { type: string, required: true }
  password: { type: secret, required: true }
x-texts: { image: quay }
x-secrets: [password]
groups:
  quay: { min: 1, vars: { port: { type: int, default: 443 } } }
vars:
  target: '{{inputs.image}}:{{inputs.to}}'
  again: '{{vars.target}}'
  late: { cel: 'steps.look.on.all(h, true)' }
phases:
  - phase: act
    on: quay
    steps:
      - { step: look, uses: test.look }
      - step: traced
        uses: test.state
        when: host.port > 1
        with:
          name: '{{vars.again}} {{host.name}} {{host.color}} {{host.port}} {{host.zone}} {{host.size}}'
          password: 'x{{inputs.password}}'
          env: { COUNT: '{{steps.look.outputs.count}}' }
";

const INVENTORY: &str = "hosts:
  q1: { address: 192.0.2.1, vars: { color: red } }
  q2: { address: 192.0.2.2 }
groups:
  quay: { hosts: [q1, q2] }
  site: { children: [quay], vars: { color: blue } }
  inner: { hosts: [q1, q2], vars: { zone: near } }
  outer: { children: [inner], vars: { zone: far } }
vars: { size: large }
";

fn plan() -> Plan {
    let case = support::compiled("traced.yaml", RUNBOOK, INVENTORY);
    assert_eq!(case.diagnostics.render(&case.sources), "");
    case.plan.unwrap()
}

fn traced(only: &[&str]) -> (Plan, Trace) {
    let plan = plan();
    let (at, _) = plan.step("traced").unwrap();
    let only: Vec<NodeIx> = only.iter().map(|id| plan.node(id).unwrap()).collect();
    let given = Given {
        options: ["image".to_owned()].into(),
        file: None,
    };
    let trace = step(&plan, at, &only, &given);
    (plan, trace)
}

fn text<'t>(all: &'t [Text], what: &str) -> &'t Text {
    all.iter().find(|t| t.what == what).unwrap()
}

fn read<'t>(all: &'t [Read], path: &str) -> Vec<&'t Read> {
    all.iter().filter(|r| r.path == path).collect()
}

#[test]
fn a_value_is_led_back_to_who_says_it() {
    let (_, trace) = traced(&[]);
    let name = text(&trace.arguments, "name");
    let again = read(&name.reads, "vars.again")[0];
    assert_eq!(
        (&again.from, again.place.unwrap().line),
        (&From::Variable, 12)
    );
    let target = read(&again.reads, "vars.target")[0];
    assert_eq!(target.value, Known::Value(json!("quay:3.8")));
    let image = read(&target.reads, "inputs.image")[0];
    assert_eq!((&image.from, image.place.unwrap().line), (&From::Option, 4));
    let to = read(&target.reads, "inputs.to")[0];
    assert_eq!((&to.from, to.place.unwrap().line), (&From::Default, 3));
}

#[test]
fn variables_of_hosts_name_the_nearest_that_says_them() {
    let (_, trace) = traced(&[]);
    let reads = &text(&trace.arguments, "name").reads;
    let colors: Vec<_> = read(reads, "host.color")
        .into_iter()
        .map(|r| {
            (
                r.hosts[0].to_string(),
                r.from.clone(),
                r.place.unwrap().line,
            )
        })
        .collect();
    assert_eq!(
        colors,
        [
            ("q1".to_owned(), From::Host, 2),
            ("q2".to_owned(), From::Group("site".into()), 6),
        ]
    );
    let zone = read(reads, "host.zone");
    assert_eq!(zone.len(), 1, "both hosts have it from one place");
    assert_eq!(zone[0].from, From::Group("inner".into()));
    assert_eq!(zone[0].hosts.len(), 2);
    assert_eq!(read(reads, "host.size")[0].from, From::All);
    assert_eq!(
        read(reads, "host.port")[0].from,
        From::GroupDefault("quay".into())
    );
    assert_eq!(read(reads, "host.name")[1].from, From::Itself);
}

#[test]
fn each_instance_has_its_value() {
    let (plan, trace) = traced(&[]);
    let values = &text(&trace.arguments, "name").values;
    let of = |id: &str| {
        let node = plan.node(id).unwrap();
        values
            .iter()
            .find(|(nodes, _)| nodes.contains(&node))
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(
        of("traced@q1"),
        Known::Value(json!("quay:3.8 q1 red 443 near large"))
    );
    assert_eq!(
        of("traced@q2"),
        Known::Value(json!("quay:3.8 q2 blue 443 near large"))
    );
    let when = text(&trace.conditions, "when");
    assert_eq!(when.values.len(), 1);
    assert_eq!(when.values[0].1, Known::Value(json!(true)));
}

#[test]
fn secrets_stay_secret_and_what_comes_later_is_not_made_up() {
    let (_, trace) = traced(&[]);
    let password = text(&trace.arguments, "password");
    assert!(password.values.iter().all(|(_, v)| *v == Known::Secret));
    assert_eq!(password.reads[0].value, Known::Secret);
    let state = text(&trace.arguments, "env");
    assert!(state.values.iter().all(|(_, v)| *v == Known::Later));
    assert_eq!(state.reads[0].from, From::Output("look".into()));
    let shown = serde_json::to_string(&trace).unwrap();
    assert!(!shown.contains("hunter2"));
}

#[test]
fn selectors_are_those_of_the_phase_where_the_step_has_none() {
    let (_, trace) = traced(&[]);
    let on = text(&trace.selectors, "phase on");
    assert_eq!(
        (on.written.as_str(), on.place.unwrap().line),
        (Some("quay"), 16)
    );
}

#[test]
fn one_instance_is_traced_alone() {
    let (_, trace) = traced(&["traced@q2"]);
    let name = text(&trace.arguments, "name");
    assert_eq!(name.values.len(), 1);
    assert_eq!(read(&name.reads, "host.color")[0].hosts.len(), 1);
}
