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
    assert_eq!(waits::lost(&plan, step, &[settle]), ["`drain`", "`users`"]);
}
