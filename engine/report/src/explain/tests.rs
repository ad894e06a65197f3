//! Tests of what is said about a step.

use runbook_model::step::Place;
use runbook_model::trace::{From, Known, Read, Text};
use serde_json::json;

use super::*;
use crate::sample;

fn read(path: &str, from: From, value: Known) -> Read {
    Read {
        path: path.into(),
        hosts: Vec::new(),
        from,
        place: Some(Place {
            line: 7,
            ..Place::default()
        }),
        value,
        reads: Vec::new(),
    }
}

fn trace(plan: &Plan, step: StepIx) -> Trace {
    let nodes: Vec<NodeIx> = plan.instances_of(step).map(|(node, _)| node).collect();
    let (first, rest) = nodes.split_at(nodes.len().min(1));
    let mut var = read(
        "vars.target",
        From::Variable,
        Known::Value(json!("a@sha256:0")),
    );
    var.reads = vec![
        read("inputs.image", From::Default, Known::Value(json!("a"))),
        read(
            "inputs.token",
            From::Secret(runbook_model::secret::SecretSource::Prompt),
            Known::Secret,
        ),
    ];
    let mut host = read(
        "host.container",
        From::Group("quay\u{1b}".into()),
        Known::Value(json!("q1")),
    );
    host.hosts = vec![sample::host("quay01"), sample::host("quay02")];
    Trace {
        selectors: vec![Text {
            what: "on".into(),
            written: json!("quay, !{{inputs.first}}"),
            place: None,
            values: Vec::new(),
            reads: Vec::new(),
        }],
        arguments: vec![
            Text {
                what: "name".into(),
                written: json!("{{host.container}}"),
                place: Some(Place {
                    line: 9,
                    ..Place::default()
                }),
                values: vec![
                    (first.to_vec(), Known::Value(json!("q1"))),
                    (rest.to_vec(), Known::Later),
                ],
                reads: vec![host, var],
            },
            Text {
                what: "token".into(),
                written: json!("{{inputs.token}}"),
                place: None,
                values: vec![(nodes.clone(), Known::Secret)],
                reads: vec![read(
                    "steps.cert.outputs.x",
                    From::Output("cert".into()),
                    Known::Later,
                )],
            },
        ],
        conditions: vec![Text {
            what: "phase when".into(),
            written: json!("inputs.all"),
            place: None,
            values: vec![(nodes, Known::Value(json!(true)))],
            reads: vec![read("inputs.all", From::Option, Known::Value(json!(true)))],
        }],
    }
}

fn explained(id: &str, only: &[&str]) -> String {
    let plan = sample::full();
    let (step, _) = plan.step(id).unwrap();
    let only: Vec<NodeIx> = only.iter().map(|id| plan.node(id).unwrap()).collect();
    let trace = trace(&plan, step);
    let explained = Explained {
        plan: &plan,
        step,
        only: &only,
        trace: &trace,
    };
    explain_text(&explained, &Style::plain(90))
}

#[test]
fn a_step_that_goes_through_other_hosts() {
    insta::assert_snapshot!(explained("drain", &[]));
}

#[test]
fn one_instance_of_many() {
    insta::assert_snapshot!(explained("users", &["users:blue@quay02"]));
}

#[test]
fn a_gate_as_written() {
    insta::assert_snapshot!(explained("word", &[]));
}

#[test]
fn a_step_without_hosts() {
    insta::assert_snapshot!(explained("mirror", &[]));
}

#[test]
fn no_line_is_wider_than_the_screen() {
    let plan = sample::full();
    for (step, id) in (0u32..).map(StepIx).zip(&plan.steps) {
        let trace = trace(&plan, step);
        let explained = Explained {
            plan: &plan,
            step,
            only: &[],
            trace: &trace,
        };
        for line in explain_text(&explained, &Style::plain(60)).lines() {
            assert!(line.chars().count() <= 60, "{}: {line}", id.id);
        }
        assert!(explain_json(&explained)["waits_for"].is_array());
    }
}

#[test]
fn lost_order_is_said() {
    let mut plan = sample::full();
    // `settle` no longer waits for anything in its phase.
    let settle = plan.node("settle@control").unwrap();
    plan.edges.retain(|e| e.to != settle);
    let (step, _) = plan.step("settle").unwrap();
    let lost = waits::lost(&plan, step, &[settle]);
    let lost: Vec<String> = lost.iter().map(ToString::to_string).collect();
    assert_eq!(lost, ["`drain`", "`users`"]);
}

#[test]
fn lost_order_is_that_of_other_hosts_where_the_own_one_is_waited_for() {
    let mut plan = sample::full();
    let (users, _) = plan.step("users").unwrap();
    let (drain, _) = plan.step("drain").unwrap();
    let of = |plan: &Plan, step: StepIx| -> Vec<(NodeIx, String)> {
        let all = plan.instances_of(step);
        all.map(|(node, host)| (node, host.to_string())).collect()
    };
    let (users_of, drains) = (of(&plan, users), of(&plan, drain));
    // As with `needs: [drain@host]`, in a phase without batches.
    let phase = plan.steps[users.at()].phase as usize;
    plan.phases[phase].batches.clear();
    plan.phases[phase].order = runbook_model::plan::Order::Steps;
    for node in &mut plan.nodes {
        if let runbook_model::NodeKind::Instance { batch, .. } = &mut node.kind {
            *batch = 0;
        }
    }
    plan.edges
        .retain(|edge| !users_of.iter().any(|(node, _)| *node == edge.to));
    for (to, here) in &users_of {
        for (from, _) in drains.iter().filter(|(_, there)| there == here) {
            plan.edges.push(runbook_model::Edge {
                from: *from,
                to: *to,
                kind: runbook_model::node::EdgeKind::Requires,
                origin: runbook_model::node::Origin::Needs,
            });
        }
    }
    let nodes: Vec<NodeIx> = users_of.iter().map(|(node, _)| *node).collect();
    let lost = waits::lost(&plan, users, &nodes);
    let lost: Vec<String> = lost.iter().map(ToString::to_string).collect();
    assert_eq!(lost, ["`drain` on other hosts"]);
    let trace = trace(&plan, users);
    let explained = Explained {
        plan: &plan,
        step: users,
        only: &[],
        trace: &trace,
    };
    let text = explain_text(&explained, &Style::plain(200));
    let (before, after) = text.split_once("who waits for it").unwrap();
    let line = "it does not wait for `drain` on other hosts, which stands before it in the phase";
    assert!(before.contains(line) && !after.contains(line), "{text}");
}

#[test]
fn what_a_step_writes_is_said_with_its_values_where_they_are_known() {
    let mut plan = sample::full();
    let (step, _) = plan.step("drain").unwrap();
    let uses = plan.steps[step.at()].uses.clone();
    let keys = ["a:{{name}}", "b", "c:{{token}}", "d:{{zone}}", "e:{{no}}"];
    let of_type = plan.types.get_mut(&uses).unwrap();
    of_type.writes = keys.map(str::to_owned).to_vec();
    let zone = serde_json::from_value(json!({ "type": "string", "default": "public" }));
    of_type.params.insert("zone".into(), zone.unwrap());
    plan.steps[step.at()].with.remove("zone");
    let mut trace = trace(&plan, step);
    for text in &mut trace.arguments {
        let all = text.values.iter().flat_map(|(nodes, _)| nodes.clone());
        let all: Vec<NodeIx> = all.collect();
        if text.what == "name" {
            text.values = vec![
                (all[..1].to_vec(), Known::Value(json!("x"))),
                (all[1..].to_vec(), Known::Value(json!("y"))),
            ];
        }
    }
    let explained = Explained {
        plan: &plan,
        step,
        only: &[],
        trace: &trace,
    };
    let text = explain_text(&explained, &Style::plain(200));
    let line = "writes a:x, a:y, b, c:{{token}}, d:public, e:{{no}}";
    assert!(text.contains(line), "{text}");
}
