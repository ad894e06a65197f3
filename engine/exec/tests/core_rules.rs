//! Readiness, effects and endings, one rule at a time: inputs by hand, and what follows.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, failure, one, problem, satisfied};
use runbook_exec::dispatcher::{Input, UnitFound};
use runbook_exec::world::Sketch;
use runbook_model::event::{AttemptEnd, Purpose, StopReason, Verdict};
use runbook_model::transition::Stage;
use runbook_model::{Event, FailureKind, Outcome, RunResult};

#[test]
fn an_ordinary_step_is_looked_at_changed_and_looked_at_again() {
    let (sketch, a) = one(|_, _| {});
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    bench.looked(a, differs());
    assert_eq!(
        bench.words()[2..],
        ["host_ready", "looking", "looked", "dispatched"]
    );
    let unit = bench.launched(a);
    assert_eq!(bench.state().nodes[0].before["was"], "old");
    bench.ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
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
    assert_eq!(
        bench.outcome(a),
        Some(Outcome::Skipped {
            reason: "no such tool".into()
        })
    );
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn an_effect_is_not_skipped_afterwards() {
    let (sketch, a) = one(|_, _| {});
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.apply(a);
    bench.looked(a, Verdict::Skipped("no such tool".into()));
    assert_eq!(bench.failed(a), Some(FailureKind::NotConverged));
    assert_eq!(bench.end(), Some(RunResult::Failed));
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
    assert_eq!(
        bench.end(),
        None,
        "the other host's answer belongs into the report"
    );
    bench.ready("h2");
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(
        bench.words()[2..],
        ["host_unusable", "host_ready", "stopping", "closed"]
    );
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
    assert!(
        refused["h1"].contains("h3") && refused["h3"].contains("h1"),
        "{refused:?}"
    );
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
    assert_eq!(
        bench.state().stopping,
        Some(StopReason::OverTime(unit.clone()))
    );
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.state().open_attempts().count(), 1);
    let mut bench = bench.resume();
    bench.ready("h1");
    assert!(bench.attended(&unit));
    bench.send(Input::UnitState {
        unit: unit.clone(),
        found: UnitFound::Running,
    });
    bench.ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_failure_lets_what_runs_finish_and_starts_nothing() {
    let mut sketch = Sketch::new();
    let (a, b, c) = (
        sketch.ordinary("a", "h1"),
        sketch.ordinary("b", "h2"),
        sketch.ordinary("c", "h2"),
    );
    sketch.requires(b, c);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(b, differs());
    let unit = bench.launched(b);
    bench.looked(a, Verdict::Error(problem()));
    assert_eq!(bench.end(), None);
    bench.ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
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
    assert_eq!(
        (bench.stage(a), bench.outcome(b)),
        (Stage::Judging, Some(Outcome::Satisfied))
    );
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
    assert!(
        bench
            .events()
            .iter()
            .any(|e| matches!(e, Event::Detached { running } if *running == [unit.clone()]))
    );
    assert_eq!(bench.end(), Some(RunResult::Stopped));
}
