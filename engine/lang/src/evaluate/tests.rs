//! Tests of the module beside this file.

use runbook_model::event::{Event, NodeSummary};
use runbook_model::{Epoch, Outcome, Record, RunId};

use super::*;

fn plan() -> Plan {
    let look = json!({
        "name": "look", "summary": "", "origin": "shipped", "kind": "probe",
        "params": {
            "name": { "type": "string" }, "count": { "type": "int", "default": 3 },
            "password": { "type": "string", "secret": true, "default": "" },
        },
        "check_timeout_ms": 1, "apply_timeout_ms": 1,
    });
    let place = json!({ "source": 0, "line": 1, "column": 1, "offset": 0, "length": 0 });
    let expr = |text: &str| json!({ "text": text, "place": place });
    let step = |id: &str, with: Value| {
        json!({
            "id": id, "uses": "look", "phase": 0, "with": with, "with_places": {}, "when": null, "expect": null,
            "retry": { "attempts": 1, "delay_ms": 0, "backoff": 1.0, "max_delay_ms": 0 }, "until": null,
            "timeout_ms": null, "critical": false, "fresh_ms": null, "once": false, "outage": null,
            "no_return": null, "undo_none": false, "tags": [], "place": place,
        })
    };
    let mut when = step(
        "act",
        json!({ "name": "{{steps.look.outputs.revision}} {{vars.state}}", "password": "x{{inputs.password}}" }),
    );
    when["when"] = expr("vars.state == \"a\"");
    let host = |name: &str| json!({ "name": name, "connection": { "address": name }, "account": "login", "vars": { "name": name }, "groups": [] });
    let instance = |id: &str, step: u32, host: &str| json!({ "id": id, "kind": { "instance": { "step": step, "host": host, "batch": 0 } } });
    serde_json::from_value(json!({
        "format": 1, "runbook": "r", "version": "", "summary": "", "digest": "", "sources": [],
        "inputs": {
            "to": { "kind": "version", "value": "3.8.1" },
            "password": { "kind": "secret", "value": null, "secret": { "env": "P" } },
        },
        "vars": {
            "plain": { "literal": [1] },
            "state": { "cel": expr("steps.look.on.all(h, steps.look.on[h].outputs.revision == \"r1\") ? \"a\" : \"b\"") },
            "deep": { "template": expr("{{vars.state}}-{{inputs.to}}") },
            "none": { "cel": expr("steps.nobody.on.all(h, false)") },
        },
        "hosts": { "q1": host("q1"), "q2": host("q2") }, "groups": { "quay": ["q1", "q2"] },
        "types": { "look": look }, "done_when": expr("vars.deep == \"a-3.8.1\""), "phases": [],
        "steps": [step("look", json!({})), when, step("nobody", json!({})), step("one", json!({ "name": "{{steps.one.only.host}}" }))],
        "nodes": [
            instance("look@q1", 0, "q1"), instance("look@q2", 0, "q2"),
            instance("act@q1", 1, "q1"), instance("one@q1", 3, "q1"),
        ],
        "edges": [],
    }))
    .unwrap()
}

fn evaluator() -> Evaluator {
    let secrets = BTreeMap::from([("password".to_owned(), "hunter2".to_owned())]);
    Evaluator::new(Arc::new(plan()), &secrets, "r1", "/tmp/r1").unwrap()
}

struct Run(RunState);

impl Run {
    fn new() -> Self {
        let mut run = Self(RunState::default());
        let nodes = plan()
            .nodes
            .iter()
            .map(|n| NodeSummary {
                id: n.id.clone(),
                phase: String::new(),
                host: None,
            })
            .collect();
        run.event(Event::RunCreated {
            run: RunId::new("r1").unwrap(),
            runbook: "r".into(),
            plan: String::new(),
            nodes,
        });
        run
    }

    fn event(&mut self, event: Event) {
        let record = Record {
            seq: self.0.seq + 1,
            epoch: Epoch(1),
            at: 0,
            event,
        };
        self.0.apply(&record).unwrap();
    }

    fn finish(&mut self, node: u32, outcome: Outcome, outputs: Value) {
        let outputs = outputs.as_object().unwrap().clone().into_iter().collect();
        self.event(Event::Finished {
            node: NodeIx(node),
            outcome,
            outputs,
        });
    }

    /// Takes every variable that can be taken, as the dispatcher does.
    fn take(&mut self, evaluator: &Evaluator) -> Vec<String> {
        let mut taken = Vec::new();
        loop {
            let new: Vec<_> = evaluator
                .new_vars(&self.0)
                .into_iter()
                .filter_map(|(n, v)| Some((n, v.ok()?)))
                .collect();
            if new.is_empty() {
                return taken;
            }
            for (name, value) in new {
                taken.push(name.clone());
                self.event(Event::VarTaken { name, value });
            }
        }
    }
}

fn looked(run: &mut Run, revision: &str) {
    run.finish(0, Outcome::Looked, json!({ "revision": revision }));
    run.finish(1, Outcome::Looked, json!({ "revision": revision }));
}

#[test]
fn variables_are_taken_when_their_references_have_ended_and_once() {
    let (evaluator, mut run) = (evaluator(), Run::new());
    assert_eq!(
        run.take(&evaluator),
        ["none", "plain"],
        "what reads nothing, or nobody, is known at once"
    );
    assert_eq!(run.0.vars["none"], true, "of nobody everything is true");
    run.finish(0, Outcome::Looked, json!({ "revision": "r1" }));
    assert_eq!(
        run.take(&evaluator),
        [""; 0],
        "one host of two is not enough"
    );
    run.finish(1, Outcome::Looked, json!({ "revision": "r1" }));
    assert_eq!(run.take(&evaluator), ["state", "deep"]);
    assert_eq!(run.0.vars["deep"], "a-3.8.1");
    run.event(Event::Reopened {
        node: NodeIx(0),
        reason: "old".into(),
    });
    run.finish(0, Outcome::Looked, json!({ "revision": "r2" }));
    assert_eq!(run.take(&evaluator), [""; 0]);
    assert_eq!(run.0.vars["state"], "a", "one value per run");
}

#[test]
fn the_same_state_gives_the_same_answer_to_another_controller() {
    let mut run = Run::new();
    looked(&mut run, "r1");
    let (one, two) = (evaluator(), evaluator());
    assert_eq!(one.new_vars(&run.0).len(), two.new_vars(&run.0).len());
    run.take(&one);
    let plan = plan();
    let act = plan.step("act").unwrap().1;
    let q1 = HostName::new("q1").unwrap();
    assert_eq!(
        one.arguments(act, &q1, &run.0).unwrap(),
        two.arguments(act, &q1, &run.0).unwrap()
    );
    assert_eq!(
        two.truth(
            "done_when",
            "vars.deep == \"a-3.8.1\"",
            Context::default(),
            &run.0
        ),
        Ok(true)
    );
}

#[test]
fn arguments_are_rendered_typed_and_hidden() {
    let (evaluator, mut run) = (evaluator(), Run::new());
    looked(&mut run, "r1");
    run.take(&evaluator);
    let plan = plan();
    let arguments = evaluator
        .arguments(
            plan.step("act").unwrap().1,
            &HostName::new("q1").unwrap(),
            &run.0,
        )
        .unwrap();
    let text = |name: &str| {
        arguments
            .iter()
            .find(|a| a.name == name)
            .unwrap()
            .value
            .clone()
    };
    assert_eq!(text("name"), ParamValue::Text("r1 a".into()));
    assert_eq!(
        text("count"),
        ParamValue::Text("3".into()),
        "the default of the type"
    );
    assert_eq!(text("password"), ParamValue::Text("xhunter2".into()));
    assert!(!format!("{arguments:?}").contains("hunter2"));
}

#[test]
fn what_is_not_there_yet_is_missing_and_says_what() {
    let (evaluator, mut run) = (evaluator(), Run::new());
    let plan = plan();
    let act = plan.step("act").unwrap().1;
    let error = evaluator
        .arguments(act, &HostName::new("q1").unwrap(), &run.0)
        .unwrap_err();
    assert!(error.missing);
    assert_eq!(
        error.to_string(),
        "with: name: `steps.look.outputs.revision` has no value here"
    );
    // A step that ended without the output: the variable has no value, and the reader says why.
    looked(&mut run, "r1");
    run.event(Event::Reopened {
        node: NodeIx(1),
        reason: "old".into(),
    });
    run.finish(
        1,
        Outcome::Skipped {
            reason: "not here".into(),
        },
        json!({}),
    );
    assert!(!run.take(&evaluator).contains(&"state".to_owned()));
    let error = evaluator
        .truth("when", "vars.state == \"a\"", Context::default(), &run.0)
        .unwrap_err();
    assert!(
        error.message.contains("vars.state: ") && error.message.contains("revision"),
        "{error}"
    );
}

#[test]
fn outputs_of_other_hosts_are_not_those_of_this_one() {
    let (evaluator, mut run) = (evaluator(), Run::new());
    run.finish(1, Outcome::Looked, json!({ "revision": "of q2" }));
    let (q1, q2) = (HostName::new("q1").unwrap(), HostName::new("q2").unwrap());
    let text = "{{steps.look.outputs.revision}} {{vars.state}}";
    let at = |host| {
        evaluator
            .render(
                "x",
                text,
                Context {
                    host: Some(host),
                    ..Context::default()
                },
                &run.0,
            )
            .unwrap_err()
            .message
    };
    assert!(at(&q1).contains("steps.look"), "{}", at(&q1));
    assert!(at(&q2).contains("vars.state"), "{}", at(&q2));
}

#[test]
fn only_is_the_single_instance() {
    let (evaluator, run) = (evaluator(), Run::new());
    let value = evaluator.render("x", "{{steps.one.only.host}}", Context::default(), &run.0);
    assert_eq!(value.unwrap(), "q1");
}

#[test]
fn a_text_that_is_not_of_the_plan_is_refused() {
    let (evaluator, run) = (evaluator(), Run::new());
    assert!(
        evaluator
            .truth("when", "true", Context::default(), &run.0)
            .is_err()
    );
    assert!(
        evaluator
            .render("x", "{{inputs.to}}", Context::default(), &run.0)
            .is_err()
    );
}
