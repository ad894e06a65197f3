//! Tests of the module beside this file.

use runbook_model::event::{AttemptEnd, Event, Intent, NodeSummary};
use runbook_model::{AttemptId, Epoch, Outcome, Record, RunId};

use super::*;
use crate::steptype::ParamValue;
use runbook_model::NodeKind;

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

/// `act@q1` of the plan.
const ACT: NodeIx = NodeIx(2);

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
    assert_eq!(
        one.arguments(ACT, &run.0).unwrap(),
        two.arguments(ACT, &run.0).unwrap()
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
    let arguments = evaluator.arguments(ACT, &run.0).unwrap();
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
    let error = evaluator.arguments(ACT, &run.0).unwrap_err();
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

/// A step for two items on two hosts, one through two hosts, and what reads them.
fn spread_plan() -> Plan {
    let mut plan = plan();
    let step = |id: &str, for_each: bool| Step {
        for_each,
        via: !for_each,
        ..Step::new(runbook_model::StepId::new(id).unwrap(), "look", 0)
    };
    plan.steps = vec![
        step("each", true),
        step("through", false),
        step("both", true),
    ];
    plan.steps[0].chdir = Some(Expr {
        text: "/srv/{{item.dir}}".to_owned(),
        place: runbook_model::step::Place::default(),
    });
    plan.steps[0].with = BTreeMap::from([("name".to_owned(), json!("{{item.dir}}"))]);
    plan.vars = BTreeMap::from([(
        "seen".to_owned(),
        Var::Template(Expr {
            text: "{{steps.each.on.q1.items.a.outputs.n}} {{steps.both.on.q2.items.[b/q1].host}} {{steps.each.finished}}".to_owned(),
            place: runbook_model::step::Place::default(),
        }),
    )]);
    plan.nodes.clear();
    let host = |name: &str| HostName::new(name).unwrap();
    let mut add = |at: u32, on: &str, via: Option<&str>, item: Option<&str>| {
        let item = item.map(|name| runbook_model::Item {
            name: name.to_owned(),
            value: json!({ "dir": name }),
        });
        let kind = NodeKind::Instance {
            step: StepIx(at),
            host: host(on),
            via: via.map(host),
            item,
            account: None,
            batch: 0,
        };
        let id = format!("{at}{on}{via:?}{}", plan.nodes.len());
        plan.nodes.push(runbook_model::Node { id, kind });
    };
    for on in ["q1", "q2"] {
        add(0, on, None, Some("a"));
        add(0, on, None, Some("b"));
    }
    add(1, "q1", Some("q1"), None);
    add(1, "q1", Some("q2"), None);
    for via in ["q1", "q2"] {
        add(2, "q2", Some(via), Some("b"));
    }
    plan.window = Some(runbook_model::plan::Window {
        opens: Some("2026-11-28T22:00:00+01:00".to_owned()),
        ..Default::default()
    });
    plan.done_when = Some(Expr {
        text: "steps.through.on.q1.items[\"q2\"].outputs.n == 5 && window.opens + duration(\"1h\") > window.opens".to_owned(),
        place: runbook_model::step::Place::default(),
    });
    plan
}

#[test]
fn an_instance_among_several_of_its_host_has_a_key() {
    let plan = Arc::new(spread_plan());
    let evaluator = Evaluator::new(Arc::clone(&plan), &BTreeMap::new(), "r1", "/tmp/r1").unwrap();
    let mut state = RunState::default();
    let summary = |node: &runbook_model::Node| NodeSummary {
        id: node.id.clone(),
        phase: String::new(),
        host: None,
    };
    let mut run = |seq: u64, event: Event| {
        let record = Record {
            seq,
            epoch: Epoch(1),
            at: 0,
            event,
        };
        state.apply(&record).unwrap();
    };
    run(
        1,
        Event::RunCreated {
            run: RunId::new("r1").unwrap(),
            runbook: "r".into(),
            plan: String::new(),
            nodes: plan.nodes.iter().map(summary).collect(),
        },
    );
    for node in 0..u32::try_from(plan.nodes.len()).unwrap() {
        let outputs = BTreeMap::from([("n".to_owned(), json!(node))]);
        run(
            u64::from(node) + 2,
            Event::Finished {
                node: NodeIx(node),
                outcome: Outcome::Looked,
                outputs,
            },
        );
    }
    let vars = evaluator.new_vars(&state);
    assert_eq!(vars[0].1, Ok(json!("0 q2 true")));
    let done = plan.done_when.as_ref().unwrap();
    let truth = evaluator.truth("done_when", &done.text, Context::default(), &state);
    assert_eq!(truth, Ok(true));
    let arguments = evaluator.arguments(NodeIx(1), &state).unwrap();
    let name = arguments.iter().find(|a| a.name == "name").unwrap();
    assert_eq!(name.value, ParamValue::Text("b".into()));
    assert_eq!(
        evaluator.chdir(NodeIx(3), &state),
        Ok(Some("/srv/b".to_owned()))
    );
    assert_eq!(evaluator.chdir(NodeIx(4), &state), Ok(None));
    let context = evaluator.context(NodeIx(3));
    assert_eq!(context.host.unwrap().as_str(), "q2");
    assert_eq!(context.item, Some(&json!({ "dir": "b" })));
}

#[test]
fn what_was_passed_by_neither_started_nor_finished() {
    let (evaluator, mut run) = (evaluator(), Run::new());
    let truth = |run: &Run, text: &str| {
        let condition = crate::condition::Condition::parse(text).unwrap();
        let scope = evaluator.scope(condition.references(), Context::default(), &run.0, false);
        condition.truth(&scope).unwrap()
    };
    let reason = || "its `when` is false".to_owned();
    run.finish(0, Outcome::Skipped { reason: reason() }, json!({}));
    run.finish(1, Outcome::LeftOut { reason: reason() }, json!({}));
    run.finish(3, Outcome::Skipped { reason: reason() }, json!({}));
    for text in [
        "steps.look.started",
        "steps.look.finished",
        "steps.look.on[\"q1\"].started",
        "steps.look.on[\"q2\"].finished",
        "steps.one.only.started",
        "steps.one.only.finished",
    ] {
        assert!(!truth(&run, text), "{text}");
    }
}

#[test]
fn what_was_attempted_has_started_whatever_became_of_it() {
    let (evaluator, mut run) = (evaluator(), Run::new());
    let attempt = AttemptId::new("a1").unwrap();
    run.event(Event::Dispatched {
        unit: attempt.clone(),
        instances: vec![Intent {
            node: NodeIx(3),
            attempt: attempt.clone(),
            number: 1,
            before: BTreeMap::new(),
        }],
        host: HostName::new("q1").unwrap(),
        boot: "b".into(),
    });
    run.event(Event::Launched {
        unit: attempt.clone(),
    });
    run.event(Event::Ended {
        attempt,
        end: AttemptEnd::Lost,
    });
    let reason = "its host has left the phase".to_owned();
    run.finish(3, Outcome::LeftOut { reason }, json!({}));
    let condition =
        crate::condition::Condition::parse("steps.one.only.started && !steps.one.only.finished")
            .unwrap();
    let scope = evaluator.scope(condition.references(), Context::default(), &run.0, false);
    assert_eq!(condition.truth(&scope), Ok(true));
}
