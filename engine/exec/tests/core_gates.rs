//! Gates with terms: several people, words, evidence, deadlines, and answers from elsewhere.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use std::collections::BTreeMap;

use core_bench::{Bench, order};
use runbook_exec::dispatcher::{Action, Input};
use runbook_exec::world::Sketch;
use runbook_model::gate::{Approve, Evidence, Follow, Said, Terms};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{Command, Event, FailureKind, NodeIx, Outcome, RunResult};
use serde_json::json;

fn gate(terms: Terms) -> (Bench, NodeIx) {
    let mut sketch = Sketch::new();
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let mut bench = Bench::with(sketch, |t| drop(t.terms.insert(gate, terms)));
    bench.ready("control");
    (bench, gate)
}

fn yes() -> Said {
    Said::Choice("yes".into())
}

fn answer(bench: &Bench, said: Said, by: &str) -> Input {
    let asked = bench.state().nodes.iter().find_map(|n| n.question.as_ref());
    let question = asked.map(|asked| asked.mark()).unwrap_or_default();
    let command = Command::Answer {
        what: "gate".into(),
        said,
        question,
        at: None,
    };
    let mut order = order(by, command);
    order.by = by.into();
    Input::Ordered(order)
}

fn refusals(bench: &Bench) -> usize {
    let is_one = |event: &&Event| matches!(event, Event::OrderRefused { .. });
    bench.events().iter().filter(is_one).count()
}

#[test]
fn two_people_are_two_people() {
    let (mut bench, gate) = gate(Terms::Approve(Approve {
        approvers: 2,
        ..Approve::default()
    }));
    bench.say(gate, yes(), "ann on desk");
    bench.say(gate, yes(), "ann on laptop");
    assert_eq!(bench.stage(gate), Stage::Asking);
    assert!(bench.did(&Action::Ask { node: gate }));
    let said = answer(&bench, yes(), "bob on desk");
    bench.send(said);
    assert_eq!(bench.outcome(gate), Some(Outcome::Passed));
    let by = bench.state().nodes[gate.at()].answer.clone().unwrap().by;
    assert_eq!(by, "ann on laptop, bob on desk");
}

#[test]
fn what_was_said_is_still_said_after_a_resume() {
    let (mut bench, gate) = gate(Terms::Approve(Approve {
        approvers: 2,
        ..Approve::default()
    }));
    bench.say(gate, yes(), "ann");
    let mut bench = bench.crash();
    bench.ready("control");
    assert_eq!(bench.stage(gate), Stage::Asking);
    bench.say(gate, yes(), "bob");
    assert_eq!(bench.outcome(gate), Some(Outcome::Passed));
}

#[test]
fn whoever_runs_it_may_only_refuse() {
    let terms = Terms::Approve(Approve {
        not_runner: true,
        ..Approve::default()
    });
    let (mut bench, node) = gate(terms.clone());
    let runner = bench.state().controller.clone().unwrap().user;
    bench.say(node, yes(), &runner);
    assert_eq!(bench.stage(node), Stage::Asking);
    let said = answer(&bench, yes(), &format!("{runner} on elsewhere"));
    bench.send(said);
    assert_eq!(bench.stage(node), Stage::Asking);
    assert_eq!(refusals(&bench), 1);
    let said = answer(&bench, yes(), "somebody-else");
    bench.send(said);
    assert_eq!(bench.outcome(node), Some(Outcome::Passed));
    let (mut bench, node) = gate(terms);
    bench.say(node, Said::Choice("no".into()), &runner);
    assert_eq!(bench.failed(node), Some(FailureKind::Refused));
    assert_eq!(bench.end(), Some(RunResult::Refused));
}

#[test]
fn a_word_is_that_word() {
    let (mut bench, gate) = gate(Terms::Confirm("open".into()));
    bench.say(gate, yes(), "ann");
    let said = answer(&bench, Said::Word("Open".into()), "bob");
    bench.send(said);
    assert_eq!((bench.stage(gate), refusals(&bench)), (Stage::Asking, 1));
    bench.say(gate, Said::Word("open".into()), "ann");
    assert_eq!(bench.outcome(gate), Some(Outcome::Passed));
}

#[test]
fn evidence_becomes_outputs() {
    let asked = BTreeMap::from([("minutes".to_owned(), Evidence::Int)]);
    let (mut bench, gate) = gate(Terms::Task(asked));
    let given = |value| Said::Evidence(BTreeMap::from([("minutes".to_owned(), value)]));
    bench.say(gate, given(json!("many")), "ann");
    assert_eq!(bench.stage(gate), Stage::Asking);
    bench.say(gate, given(json!(12)), "ann");
    assert_eq!(bench.outcome(gate), Some(Outcome::Passed));
    assert_eq!(bench.state().nodes[gate.at()].outputs["minutes"], json!(12));
}

#[test]
fn an_option_says_what_follows() {
    let options = [
        ("go".to_owned(), Follow::Continue),
        ("hold".to_owned(), Follow::Stop),
    ];
    let terms = Terms::Approve(Approve {
        options: options.into(),
        ..Approve::default()
    });
    let (mut bench, node) = gate(terms.clone());
    bench.say(node, yes(), "ann");
    assert_eq!(bench.stage(node), Stage::Asking);
    bench.say(node, Said::Choice("go".into()), "ann");
    assert_eq!(bench.outcome(node), Some(Outcome::Passed));
    let (mut bench, node) = gate(terms);
    bench.say(node, Said::Choice("hold".into()), "ann");
    assert_eq!(bench.end(), Some(RunResult::Refused));
}

#[test]
fn a_deadline_ends_the_run_and_a_wait_lets_it_go_on() {
    let mut sketch = Sketch::new();
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let late = Terms::Approve(Approve {
        deadline: Some(i64::MAX / 4),
        ..Approve::default()
    });
    let mut bench = Bench::with(sketch, |t| drop(t.terms.insert(gate, late)));
    bench.ready("control");
    assert_eq!(bench.stage(gate), Stage::Asking);
    bench.wake();
    assert_eq!(bench.failed(gate), Some(FailureKind::Refused));
    assert_eq!(bench.end(), Some(RunResult::Refused));

    let mut sketch = Sketch::new();
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let mut bench = Bench::with(sketch, |t| {
        t.terms.insert(gate, Terms::Wait(0));
        t.waits.insert(gate, 60_000);
    });
    bench.ready("control");
    assert_eq!(bench.stage(gate), Stage::Asking);
    bench.wake();
    assert_eq!(bench.outcome(gate), Some(Outcome::Passed));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_gate_that_is_not_asked_takes_no_answer() {
    let mut sketch = Sketch::new();
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let a = sketch.ordinary("a", "h1");
    sketch.requires(gate, a);
    let mut bench = Bench::open(sketch);
    bench.ready("control");
    bench.ready("h1");
    let late = answer(&bench, yes(), "bob");
    bench.say(gate, yes(), "ann");
    bench.send(late);
    assert_eq!(refusals(&bench), 1);
    assert_eq!(bench.state().nodes[gate.at()].votes.len(), 1);
}

#[test]
fn an_answer_is_for_the_question_that_was_read() {
    let (mut bench, gate) = gate(Terms::Approve(Approve {
        approvers: 2,
        ..Approve::default()
    }));
    let old = answer(&bench, yes(), "bob");
    bench.say(gate, yes(), "ann");
    let mut bench = bench.crash();
    bench.tables(|t| drop(t.terms.insert(gate, Terms::Confirm("erase".into()))));
    // What comes before anything is asked waits for it, and is for another question then.
    bench.send(old);
    bench.ready("control");
    assert_eq!((bench.stage(gate), refusals(&bench)), (Stage::Asking, 1));
    assert!(bench.state().nodes[gate.at()].votes.is_empty());
}

#[test]
fn an_answer_that_was_left_counts_when_its_question_is_asked_again() {
    let (bench, gate) = gate(Terms::default());
    let left = answer(&bench, yes(), "bob");
    let mut bench = bench.crash();
    bench.send(left);
    bench.ready("control");
    assert_eq!(bench.outcome(gate), Some(Outcome::Passed));
    assert_eq!(refusals(&bench), 0);
}

#[test]
fn nothing_is_answered_after_a_stop() {
    let mut sketch = Sketch::new();
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let a = sketch.ordinary("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("control");
    bench.ready("h1");
    let late = answer(&bench, yes(), "bob");
    // What is under way keeps the run open.
    bench.send(Input::Interrupt);
    assert!(bench.looking(a).is_some());
    bench.send(late);
    assert_eq!((bench.stage(gate), refusals(&bench)), (Stage::Asking, 1));
}

#[test]
fn capitals_make_nobody_another_person() {
    let (mut bench, gate) = gate(Terms::Approve(Approve {
        not_runner: true,
        ..Approve::default()
    }));
    let runner = bench.state().controller.clone().unwrap().user;
    bench.say(gate, yes(), &runner.to_uppercase());
    assert_eq!(bench.stage(gate), Stage::Asking);
}
