//! What is decided on the way: conditions, variables, gates, asserts.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, one, satisfied, some};
use runbook_exec::dispatcher::{Action, Input};
use runbook_exec::world::Sketch;
use runbook_model::event::Purpose;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{FailureKind, Outcome, RunResult};

#[test]
fn a_gate_waits_for_its_answer() {
    let mut sketch = Sketch::new();
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let a = sketch.ordinary("a", "h1");
    sketch.requires(gate, a);
    let mut bench = Bench::open(sketch);
    bench.ready("control");
    bench.ready("h1");
    assert!(bench.did(&Action::Ask { node: gate }));
    bench.answered(gate, true);
    assert_eq!(bench.outcome(gate), Some(Outcome::Passed));
    assert_eq!(bench.looking(a), Some(Purpose::Before));
}

#[test]
fn a_refused_gate_is_asked_again_by_a_resume() {
    let mut sketch = Sketch::new();
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let mut bench = Bench::open(sketch);
    bench.ready("control");
    bench.answered(gate, false);
    assert_eq!(bench.failed(gate), Some(FailureKind::Refused));
    assert_eq!(bench.end(), Some(RunResult::Refused));
    let mut bench = bench.resume();
    bench.ready("control");
    assert!(bench.did(&Action::Ask { node: gate }));
    bench.answered(gate, true);
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn an_interrupt_drops_the_question() {
    let mut sketch = Sketch::new();
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let mut bench = Bench::open(sketch);
    bench.ready("control");
    bench.send(Input::Interrupt);
    assert_eq!(bench.end(), Some(RunResult::Stopped));
    assert_eq!(bench.stage(gate), Stage::Asking);
}

#[test]
fn a_when_is_decided_once() {
    let (sketch, a) = one(|s, a| s.step(a).when = some());
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    assert!(bench.state().nodes[0].decided);
    let mut bench = bench.crash();
    bench.tables(|t| {
        t.when.insert(a, Ok(false));
    });
    bench.ready("h1");
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    assert_eq!(bench.words().iter().filter(|w| **w == "decided").count(), 1);
}

#[test]
fn what_is_skipped_counts_as_done() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h1"));
    sketch.step(a).when = some();
    sketch.requires(a, b);
    let mut bench = Bench::with(sketch, |t| {
        t.when.insert(a, Ok(false));
    });
    bench.ready("h1");
    assert!(matches!(bench.outcome(a), Some(Outcome::Skipped { .. })));
    assert_eq!(bench.looking(b), Some(Purpose::Before));
}

#[test]
fn a_skipped_phase_skips_its_steps_and_no_others() {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("one", true);
    let a = sketch.ordinary("a", "h1");
    let end = sketch.barrier("end");
    let next = sketch.phase("two", false);
    let b = sketch.ordinary("b", "h1");
    for (from, to) in [(begin, a), (a, end), (end, next), (next, b)] {
        sketch.order(from, to);
    }
    let mut bench = Bench::with(sketch, |t| {
        t.phase_when.insert(0, Ok(false));
    });
    bench.ready("h1");
    assert!(matches!(bench.outcome(a), Some(Outcome::Skipped { .. })));
    assert_eq!(bench.looking(b), Some(Purpose::Before));
}

#[test]
fn done_when_ends_the_run_and_is_remembered() {
    let mut sketch = Sketch::new();
    let done = sketch.done_when();
    let a = sketch.ordinary("a", "h1");
    sketch.order(done, a);
    let mut bench = Bench::with(sketch, |t| t.done_when = Some(Ok(true)));
    bench.ready("h1");
    assert_eq!(bench.end(), Some(RunResult::AlreadyThere));
    assert_eq!(bench.stage(a), Stage::Waiting);
    // The controller dies after the decision: the next one does not ask again.
    let mut bench = bench.crash_after("finished");
    bench.tables(|t| t.done_when = Some(Ok(false)));
    bench.ready("h1");
    assert_eq!(bench.end(), Some(RunResult::AlreadyThere));
}

#[test]
fn variables_are_taken_before_those_that_need_them_start() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.probe("a", "h1"), sketch.ordinary("b", "h1"));
    sketch.requires(a, b);
    sketch
        .plan()
        .vars
        .insert("v".into(), runbook_model::plan::Var::Literal(7.into()));
    let mut bench = Bench::with(sketch, |t| t.vars.push(("v".into(), 7.into(), vec![a])));
    bench.ready("h1");
    assert!(bench.state().vars.is_empty());
    bench.looked(a, satisfied());
    assert_eq!(
        bench.words()[bench.words().len() - 3..],
        ["finished", "var_taken", "looking"]
    );
}

#[test]
fn an_assert_that_does_not_hold_stops_the_run() {
    let mut sketch = Sketch::new();
    let assert = sketch.instance("all", "control", TypeKind::Assert, InDoubt::Check);
    let mut bench = Bench::with(sketch, |t| {
        t.asserts.insert(
            assert,
            runbook_model::Failure::new(FailureKind::Assert, "no"),
        );
    });
    bench.ready("control");
    assert_eq!(bench.failed(assert), Some(FailureKind::Assert));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}
