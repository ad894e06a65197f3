//! Each rule of the dispatcher, one by one: inputs by hand, and what it does about them.

mod core_bench;

use core_bench::{Bench, differs, failure, satisfied};
use runbook_exec::dispatcher::{Action, Input, UnitFound};
use runbook_exec::world::Sketch;
use runbook_model::event::{AttemptEnd, Purpose, StopReason, Verdict};
use runbook_model::step::{Expr, Until};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{Event, FailureKind, NodeIx, Outcome, RunResult};

fn some() -> Option<Expr> {
    Some(Expr { text: "outputs.ok".into(), place: Default::default() })
}

fn until(passes: u32, within_ms: u64, fatal: bool) -> Option<Until> {
    Some(Until { every_ms: 100, passes, within_ms, fatal: if fatal { some() } else { None } })
}

/// One ordinary step on one host.
fn one(change: impl FnOnce(&mut Sketch, NodeIx)) -> (Sketch, NodeIx) {
    let mut sketch = Sketch::new();
    let node = sketch.ordinary("a", "h1");
    change(&mut sketch, node);
    (sketch, node)
}

#[test]
fn an_ordinary_step_is_looked_at_changed_and_looked_at_again() {
    let (sketch, a) = one(|_, _| {});
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    bench.looked(a, differs());
    assert_eq!(bench.words()[2..], ["host_ready", "looking", "looked", "dispatched"]);
    let unit = bench.launched(a);
    assert_eq!(bench.state().nodes[0].before["was"], "old");
    bench.ended(&unit, AttemptEnd::Completed { outputs: Default::default() });
    assert_eq!(bench.looking(a), Some(Purpose::After));
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Changed));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_is_there_is_not_touched() {
    let (sketch, a) = one(|_, _| {});
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Satisfied));
    assert!(!bench.words().contains(&"dispatched"));
}

#[test]
fn what_differs_after_apply_did_not_converge() {
    let (sketch, a) = one(|_, _| {});
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.apply(a);
    bench.looked(a, differs());
    assert_eq!(bench.failed(a), Some(FailureKind::NotConverged));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn a_check_may_say_that_nothing_applies() {
    let (sketch, a) = one(|_, _| {});
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, Verdict::Skipped("no such tool".into()));
    assert_eq!(bench.outcome(a), Some(Outcome::Skipped { reason: "no such tool".into() }));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn nothing_happens_before_every_host_has_answered() {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    sketch.ordinary("b", "h2");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    assert_eq!(bench.looking(a), None);
    bench.ready("h2");
    assert_eq!(bench.looking(a), Some(Purpose::Before));
}

#[test]
fn one_unusable_host_stops_a_fresh_run_before_any_look() {
    let mut sketch = Sketch::new();
    sketch.ordinary("a", "h1");
    sketch.ordinary("b", "h2");
    let mut bench = Bench::open(sketch);
    bench.unusable("h1");
    assert_eq!(bench.end(), None, "the other host's answer belongs into the report");
    bench.ready("h2");
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.words()[2..], ["host_unusable", "host_ready", "stopping", "closed"]);
}

#[test]
fn two_names_of_one_machine_are_both_refused() {
    let mut sketch = Sketch::new();
    for (step, host) in [("a", "h1"), ("b", "h2"), ("c", "h3"), ("d", "control")] {
        sketch.ordinary(step, host);
    }
    let mut bench = Bench::open(sketch);
    bench.ready_as("h1", "m1");
    bench.ready_as("control", "m1");
    bench.ready_as("h2", "m2");
    bench.ready_as("h3", "m1");
    let refused = bench.problems();
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused["h1"].contains("h3") && refused["h3"].contains("h1"), "{refused:?}");
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn the_controller_may_be_one_of_the_hosts() {
    let mut sketch = Sketch::new();
    sketch.ordinary("a", "control");
    sketch.ordinary("b", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready_as("h1", "m1");
    bench.ready_as("control", "m1");
    assert!(bench.problems().is_empty());
}

#[test]
fn a_failed_attempt_is_repeated_after_a_pause_and_a_look() {
    let (sketch, a) = one(|s, a| s.step(a).retry.attempts = 2);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.ended(&unit, failure(FailureKind::Apply));
    assert_eq!(bench.stage(a), Stage::Pausing);
    bench.wake();
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    bench.looked(a, differs());
    let unit = bench.launched(a);
    assert_eq!(bench.state().attempts[&unit].number, 2);
    bench.ended(&unit, failure(FailureKind::Apply));
    assert_eq!(bench.failed(a), Some(FailureKind::Apply));
}

#[test]
fn a_critical_attempt_is_never_repeated_by_itself_but_by_a_resume() {
    let critical = |s: &mut Sketch, a| {
        s.step(a).retry.attempts = 3;
        s.step(a).critical = true;
    };
    let (sketch, a) = one(critical);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.ended(&unit, failure(FailureKind::Apply));
    assert_eq!(bench.failed(a), Some(FailureKind::Apply));
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    assert_eq!(bench.state().nodes[0].generation, 2);
}

#[test]
fn a_critical_attempt_over_its_time_runs_on_and_the_run_stops() {
    let (sketch, a) = one(|s, a| s.step(a).critical = true);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.send(Input::OverTime { unit: unit.clone() });
    assert_eq!(bench.state().stopping, Some(StopReason::OverTime(unit.clone())));
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.state().open_attempts().count(), 1);
    let mut bench = bench.resume();
    bench.ready("h1");
    assert!(bench.attended(&unit));
    bench.send(Input::UnitState { unit: unit.clone(), found: UnitFound::Running });
    bench.ended(&unit, AttemptEnd::Completed { outputs: Default::default() });
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn until_wants_as_many_passes_in_a_row() {
    let mut sketch = Sketch::new();
    let a = sketch.probe("a", "h1");
    sketch.step(a).until = until(2, 10_000, false);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    for verdict in [satisfied(), differs(), Verdict::Error(core_bench::problem()), satisfied()] {
        bench.looked(a, verdict);
        assert_eq!(bench.stage(a), Stage::Pausing);
        bench.wake();
    }
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Looked));
}

#[test]
fn until_ends_when_its_time_is_over() {
    let mut sketch = Sketch::new();
    let a = sketch.probe("a", "h1");
    sketch.step(a).until = until(1, 250, false);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    let begun = bench.now;
    for _ in 0..3 {
        bench.looked(a, differs());
        bench.wake();
    }
    assert_eq!(bench.now, begun + 250, "the last look is at the end, not after it");
    bench.looked(a, differs());
    assert_eq!(bench.failed(a), Some(FailureKind::Within));
}

#[test]
fn fatal_ends_an_until_at_once() {
    let mut sketch = Sketch::new();
    let a = sketch.probe("a", "h1");
    sketch.step(a).until = until(1, 10_000, true);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    assert_eq!(bench.stage(a), Stage::Pausing, "an output that is not there yet is not fatal");
    bench.wake();
    bench.looked_with(a, differs(), &[("fatal", true)]);
    assert_eq!(bench.failed(a), Some(FailureKind::Fatal));
}

#[test]
fn expect_must_hold_and_under_until_is_waited_for() {
    let mut sketch = Sketch::new();
    let a = sketch.probe("a", "h1");
    let b = sketch.probe("b", "h1");
    sketch.step(a).expect = some();
    sketch.step(b).expect = some();
    sketch.step(b).until = until(2, 10_000, false);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    for ok in [true, false, true] {
        bench.looked_with(b, satisfied(), &[("ok", ok)]);
        assert_eq!(bench.stage(b), Stage::Pausing);
        bench.wake();
    }
    bench.looked_with(b, satisfied(), &[("ok", true)]);
    assert_eq!(bench.outcome(b), Some(Outcome::Looked));
    bench.looked_with(a, satisfied(), &[("ok", false)]);
    assert_eq!(bench.failed(a), Some(FailureKind::Expect));
}

#[test]
fn a_finding_of_a_probe_is_a_failure() {
    let mut sketch = Sketch::new();
    let a = sketch.probe("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    assert_eq!(bench.failed(a), Some(FailureKind::Finding));
}

#[test]
fn an_until_after_apply_is_not_answered_by_another_attempt() {
    let (sketch, a) = one(|s, a| s.step(a).until = until(1, 10_000, false));
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.apply(a);
    bench.looked(a, differs());
    assert_eq!(bench.stage(a), Stage::Pausing);
    let mut bench = bench.crash();
    bench.ready("h1");
    assert_eq!(bench.looking(a), Some(Purpose::After), "the attempt was completed");
    bench.looked(a, differs());
    assert_eq!(bench.stage(a), Stage::Pausing);
    bench.wake();
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Changed));
    assert_eq!(bench.words().iter().filter(|w| **w == "dispatched").count(), 1);
}

#[test]
fn a_failure_lets_what_runs_finish_and_starts_nothing() {
    let mut sketch = Sketch::new();
    let (a, b, c) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h2"), sketch.ordinary("c", "h2"));
    sketch.requires(b, c);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(b, differs());
    let unit = bench.launched(b);
    bench.looked(a, Verdict::Error(core_bench::problem()));
    assert_eq!(bench.end(), None);
    bench.ended(&unit, AttemptEnd::Completed { outputs: Default::default() });
    assert_eq!(bench.looking(b), Some(Purpose::After));
    bench.looked(b, satisfied());
    assert_eq!(bench.outcome(b), Some(Outcome::Changed));
    assert_eq!(bench.stage(c), Stage::Waiting);
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn a_look_that_ends_after_a_stop_starts_no_effect() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h1"));
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.send(Input::Interrupt);
    bench.looked(a, differs());
    bench.looked(b, satisfied());
    assert_eq!((bench.stage(a), bench.outcome(b)), (Stage::Judging, Some(Outcome::Satisfied)));
    assert_eq!(bench.end(), Some(RunResult::Stopped));
}

#[test]
fn leaving_at_once_names_what_runs() {
    let (sketch, a) = one(|_, _| {});
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.send(Input::Interrupt);
    assert_eq!(bench.end(), None);
    bench.send(Input::Detach);
    assert!(bench.events().iter().any(|e| matches!(e, Event::Detached { running } if *running == [unit.clone()])));
    assert_eq!(bench.end(), Some(RunResult::Stopped));
}

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
    sketch.plan().vars.insert("v".into(), runbook_model::plan::Var::Literal(7.into()));
    let mut bench = Bench::with(sketch, |t| t.vars.push(("v".into(), 7.into(), vec![a])));
    bench.ready("h1");
    assert!(bench.state().vars.is_empty());
    bench.looked(a, satisfied());
    assert_eq!(bench.words()[bench.words().len() - 3..], ["finished", "var_taken", "looking"]);
}

#[test]
fn an_old_probe_is_looked_at_again_before_it_is_built_on() {
    let mut sketch = Sketch::new();
    let (p, slow, x) = (sketch.probe("p", "h1"), sketch.ordinary("slow", "h2"), sketch.ordinary("x", "h1"));
    sketch.step(p).fresh_ms = Some(1000);
    sketch.requires(p, x);
    sketch.requires(slow, x);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(p, satisfied());
    bench.now += 5000;
    bench.looked(slow, satisfied());
    assert_eq!((bench.looking(p), bench.looking(x)), (Some(Purpose::Probe), None));
    bench.looked(p, satisfied());
    assert_eq!(bench.looking(x), Some(Purpose::Before));
}

#[test]
fn an_old_probe_that_now_finds_something_stops_the_run() {
    let mut sketch = Sketch::new();
    let (p, slow, x) = (sketch.probe("p", "h1"), sketch.ordinary("slow", "h2"), sketch.ordinary("x", "h1"));
    sketch.step(p).fresh_ms = Some(0);
    sketch.requires(p, x);
    sketch.requires(slow, x);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(p, satisfied());
    bench.now += 1;
    bench.looked(slow, satisfied());
    bench.looked(p, differs());
    assert_eq!(bench.stage(x), Stage::Waiting);
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn a_young_probe_is_not_looked_at_again() {
    let mut sketch = Sketch::new();
    let (p, x) = (sketch.probe("p", "h1"), sketch.ordinary("x", "h1"));
    sketch.step(p).fresh_ms = Some(1000);
    sketch.requires(p, x);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(p, satisfied());
    assert_eq!(bench.looking(x), Some(Purpose::Before));
}

#[test]
fn a_resume_looks_at_fresh_probes_again_but_never_at_a_record() {
    let mut sketch = Sketch::new();
    let (p, once, x) = (sketch.probe("p", "h1"), sketch.probe("once", "h1"), sketch.ordinary("x", "h1"));
    sketch.step(p).fresh_ms = Some(1_000_000);
    sketch.step(once).fresh_ms = Some(0);
    sketch.step(once).once = true;
    sketch.requires(p, x);
    sketch.requires(once, x);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(p, satisfied());
    bench.looked(once, satisfied());
    assert_eq!(bench.looking(x), Some(Purpose::Before));
    let mut bench = bench.crash();
    bench.ready("h1");
    assert_eq!((bench.looking(p), bench.looking(once), bench.looking(x)), (Some(Purpose::Probe), None, None));
    bench.looked(p, satisfied());
    assert_eq!(bench.looking(x), Some(Purpose::Before));
}

#[test]
fn an_old_assert_takes_its_probes_with_it() {
    let mut sketch = Sketch::new();
    let (p, x) = (sketch.probe("p", "h1"), sketch.ordinary("x", "h1"));
    let assert = sketch.instance("all", "control", TypeKind::Assert, InDoubt::Check);
    sketch.step(assert).fresh_ms = Some(1_000_000);
    sketch.requires(p, assert);
    sketch.requires(assert, x);
    let mut bench = Bench::open(sketch);
    bench.ready("control");
    bench.ready("h1");
    bench.looked(p, satisfied());
    assert_eq!((bench.outcome(assert), bench.looking(x)), (Some(Outcome::Passed), Some(Purpose::Before)));
    let mut bench = bench.crash();
    bench.ready("control");
    bench.ready("h1");
    assert_eq!((bench.looking(p), bench.stage(assert)), (Some(Purpose::Probe), Stage::Waiting));
    bench.looked(p, satisfied());
    assert_eq!((bench.outcome(assert), bench.looking(x)), (Some(Outcome::Passed), Some(Purpose::Before)));
}

#[test]
fn an_assert_that_does_not_hold_stops_the_run() {
    let mut sketch = Sketch::new();
    let assert = sketch.instance("all", "control", TypeKind::Assert, InDoubt::Check);
    let mut bench = Bench::with(sketch, |t| {
        t.asserts.insert(assert, runbook_model::Failure::new(FailureKind::Assert, "no"));
    });
    bench.ready("control");
    assert_eq!(bench.failed(assert), Some(FailureKind::Assert));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}
