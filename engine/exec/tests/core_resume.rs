//! What a controller does about attempts that another one left, and about links that break.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, failure, satisfied};
use runbook_exec::dispatcher::{Action, Input, UnitFound};
use runbook_exec::world::Sketch;
use runbook_model::event::{AttemptEnd, Purpose, StopReason};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{AttemptId, FailureKind, HostName, NodeIx, Outcome, RunResult};

/// A run whose controller died while an attempt of `a@h1` ran, and `b@h2` was still to do.
fn dead(kind: TypeKind, in_doubt: InDoubt, launched: bool) -> (Bench, AttemptId, NodeIx, NodeIx) {
    let mut sketch = Sketch::new();
    let a = sketch.instance("a", "h1", kind, in_doubt);
    let b = sketch.ordinary("b", "h2");
    sketch.requires(a, b);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    if bench.looking(a).is_some() {
        bench.looked(a, differs());
    }
    let unit = if launched {
        bench.launched(a)
    } else {
        bench.launching(a)
    };
    (bench.crash(), unit, a, b)
}

fn ordinary(launched: bool) -> (Bench, AttemptId, NodeIx, NodeIx) {
    dead(TypeKind::Ordinary, InDoubt::Check, launched)
}

fn ready(bench: &mut Bench) {
    bench.ready("h1");
    bench.ready("h2");
}

fn found(bench: &mut Bench, unit: &AttemptId, found: UnitFound) {
    bench.send(Input::UnitState {
        unit: unit.clone(),
        found,
    });
}

#[test]
fn nothing_starts_before_every_attempt_is_accounted_for() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h2"));
    let mut bench = Bench::open(sketch);
    ready(&mut bench);
    bench.looked(a, differs());
    let unit = bench.launched(a);
    let mut bench = bench.crash();
    ready(&mut bench);
    assert!(bench.attended(&unit));
    assert_eq!(bench.looking(b), None);
    found(&mut bench, &unit, UnitFound::Running);
    assert_eq!(bench.looking(b), Some(Purpose::Before));
}

#[test]
fn a_doubt_is_settled_before_anything_starts() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h2"));
    let mut bench = Bench::open(sketch);
    ready(&mut bench);
    bench.looked(a, differs());
    let unit = bench.launched(a);
    let mut bench = bench.crash();
    ready(&mut bench);
    found(&mut bench, &unit, UnitFound::Lost("killed".into()));
    assert_eq!(
        (bench.looking(a), bench.looking(b)),
        (Some(Purpose::Doubt), None)
    );
    bench.looked(a, satisfied());
    assert_eq!(
        (bench.outcome(a), bench.looking(b)),
        (Some(Outcome::Changed), Some(Purpose::Before))
    );
}

#[test]
fn what_ended_meanwhile_goes_on_as_if_it_had_come_live() {
    let (mut bench, unit, a, b) = ordinary(true);
    ready(&mut bench);
    found(
        &mut bench,
        &unit,
        UnitFound::Ended(AttemptEnd::Completed {
            outputs: Default::default(),
        }),
    );
    assert_eq!(bench.looking(a), Some(Purpose::After));
    bench.looked(a, satisfied());
    assert_eq!(
        (bench.outcome(a), bench.looking(b)),
        (Some(Outcome::Changed), Some(Purpose::Before))
    );
}

#[test]
fn what_failed_meanwhile_is_a_failure() {
    let (mut bench, unit, a, _) = ordinary(true);
    ready(&mut bench);
    found(
        &mut bench,
        &unit,
        UnitFound::Ended(failure(FailureKind::Apply)),
    );
    assert_eq!(bench.failed(a), Some(FailureKind::Apply));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn a_doubt_that_differs_is_done_again() {
    let (mut bench, unit, a, _) = ordinary(true);
    ready(&mut bench);
    found(&mut bench, &unit, UnitFound::Lost("killed".into()));
    bench.looked(a, differs());
    let second = bench.launched(a);
    assert_ne!(unit, second);
    assert_eq!(bench.state().attempts[&unit].end, Some(AttemptEnd::Lost));
    assert_eq!(bench.state().attempts[&second].number, 2);
}

#[test]
fn only_a_person_settles_what_no_check_can_tell() {
    for (kind, in_doubt) in [
        (TypeKind::Always, InDoubt::Check),
        (TypeKind::Ordinary, InDoubt::Ask),
    ] {
        let (mut bench, unit, a, b) = dead(kind, in_doubt, true);
        ready(&mut bench);
        found(&mut bench, &unit, UnitFound::Lost("killed".into()));
        assert_eq!(bench.failed(a), Some(FailureKind::InDoubt));
        assert_eq!(bench.end(), Some(RunResult::Failed));
        let mut bench = bench.resume();
        ready(&mut bench);
        assert_eq!(bench.state().stopping, Some(StopReason::Failure(a)));
        assert_eq!(bench.end(), Some(RunResult::Failed));
        assert_eq!(bench.stage(b), Stage::Waiting);
        assert!(!bench.attended(&unit));
    }
}

#[test]
fn no_trace_under_the_same_boot_and_without_a_launch_never_began() {
    let (mut bench, unit, a, _) = ordinary(false);
    ready(&mut bench);
    found(&mut bench, &unit, UnitFound::NoTrace);
    assert_eq!(
        bench.state().attempts[&unit].end,
        Some(AttemptEnd::NeverBegan)
    );
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    bench.looked(a, satisfied());
    assert_eq!(
        bench.outcome(a),
        Some(Outcome::Satisfied),
        "nothing was changed"
    );
}

#[test]
fn no_trace_after_a_launch_is_a_doubt() {
    let (mut bench, unit, a, _) = ordinary(true);
    ready(&mut bench);
    found(&mut bench, &unit, UnitFound::NoTrace);
    assert_eq!(bench.looking(a), Some(Purpose::Doubt));
}

#[test]
fn no_trace_under_another_boot_is_a_doubt() {
    let (mut bench, unit, a, _) = ordinary(false);
    bench.ready_with("h1", "another boot", "m1");
    bench.ready("h2");
    found(&mut bench, &unit, UnitFound::NoTrace);
    assert_eq!(bench.looking(a), Some(Purpose::Doubt));
}

#[test]
fn an_always_step_that_never_began_is_launched() {
    let (mut bench, unit, a, _) = dead(TypeKind::Always, InDoubt::Check, false);
    ready(&mut bench);
    found(&mut bench, &unit, UnitFound::NoTrace);
    let second = bench.launched(a);
    bench.ended(
        &second,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    assert_eq!(bench.outcome(a), Some(Outcome::Changed));
}

#[test]
fn what_the_engine_was_doing_itself_is_looked_at() {
    let mut sketch = Sketch::new();
    let copy = sketch.instance("copy", "control", TypeKind::Copy, InDoubt::Check);
    let mut bench = Bench::open(sketch);
    bench.ready("control");
    bench.looked(copy, differs());
    let attempt = bench.performing(copy);
    let mut bench = bench.crash();
    bench.ready("control");
    assert!(!bench.attended(&attempt), "there is nobody to ask");
    assert_eq!(bench.looking(copy), Some(Purpose::Doubt));
    bench.looked(copy, differs());
    let attempt = bench.performing(copy);
    bench.send(Input::Performed {
        node: copy,
        attempt,
        end: AttemptEnd::Completed {
            outputs: Default::default(),
        },
    });
    bench.looked(copy, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn an_unusable_host_with_an_open_attempt_ends_a_resume_before_it_begins() {
    let (mut bench, unit, _, b) = ordinary(true);
    bench.unusable("h1");
    bench.ready("h2");
    assert_eq!(
        bench.state().stopping,
        Some(StopReason::Host(HostName::new("h1").unwrap()))
    );
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.stage(b), Stage::Waiting);
    assert_eq!(bench.state().attempts[&unit].end, None);
}

#[test]
fn a_resume_does_not_need_a_host_that_is_done() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h2"));
    let mut bench = Bench::open(sketch);
    ready(&mut bench);
    bench.looked(a, satisfied());
    let mut bench = bench.crash();
    bench.unusable("h1");
    bench.ready("h2");
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_failed_step_is_tried_again_by_a_resume() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.probe("a", "h1"), sketch.probe("b", "h2"));
    sketch.requires(a, b);
    let mut bench = Bench::open(sketch);
    ready(&mut bench);
    bench.looked(a, differs());
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.resume();
    ready(&mut bench);
    assert_eq!(bench.state().nodes[0].generation, 2);
    bench.looked(a, satisfied());
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_look_that_a_broken_link_took_is_taken_again_and_an_old_answer_is_ignored() {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    let old = bench.look_number(a);
    bench.lost("h1");
    bench.ready("h1");
    assert_ne!(bench.look_number(a), old);
    bench.looked_as(old, a, satisfied(), &[]);
    assert_eq!(bench.stage(a), Stage::Looking);
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn an_attempt_behind_a_broken_link_is_asked_for() {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    let unit = bench.launching(a);
    bench.lost("h1");
    assert!(!bench.attended(&unit));
    bench.ready("h1");
    assert!(bench.attended(&unit));
    found(&mut bench, &unit, UnitFound::Running);
    assert_eq!(bench.stage(a), Stage::Running);
}

#[test]
fn a_host_that_does_not_come_back_stops_the_run_and_leaves_its_attempts_open() {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    bench.launched(a);
    bench.lost("h1");
    bench.unusable("h1");
    assert_eq!(
        bench.state().stopping,
        Some(StopReason::Host(HostName::new("h1").unwrap()))
    );
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.state().open_attempts().count(), 1);
}

#[test]
fn another_machine_behind_the_same_name_is_refused() {
    let mut sketch = Sketch::new();
    sketch.ordinary("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready_as("h1", "m1");
    bench.lost("h1");
    bench.ready_as("h1", "m2");
    assert!(bench.problems().contains_key("h1"));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn an_effect_that_takes_its_host_down_each_time_is_given_up() {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    let mut attempts = 0;
    while bench.end().is_none() {
        let unit = bench.launched(a);
        attempts += 1;
        assert!(attempts < 10, "for ever");
        bench.lost("h1");
        bench.ready_with("h1", &format!("boot {attempts}"), "machine of h1");
        found(
            &mut bench,
            &unit,
            UnitFound::Lost("it has booted since".into()),
        );
        bench.looked(a, differs());
    }
    assert_eq!(attempts, 4);
    assert_eq!(bench.failed(a), Some(FailureKind::Unreachable));
}

#[test]
fn limits_hold_for_each_host_and_in_all() {
    let mut sketch = Sketch::new();
    for at in 0..6 {
        sketch.ordinary(&format!("a{at}"), "h1");
        sketch.ordinary(&format!("b{at}"), "h2");
    }
    let mut bench = Bench::limited(sketch, 2, 3);
    ready(&mut bench);
    let looks = bench
        .actions()
        .iter()
        .filter(|a| matches!(a, Action::Look { .. }))
        .count();
    assert_eq!(looks, 3);
    let first = (0..12)
        .map(NodeIx)
        .find(|n| bench.looking(*n).is_some())
        .unwrap();
    bench.looked(first, satisfied());
    let looks = bench
        .actions()
        .iter()
        .filter(|a| matches!(a, Action::Look { .. }))
        .count();
    assert_eq!(looks, 4);
}

#[test]
fn the_longest_path_goes_first() {
    let mut sketch = Sketch::new();
    let short = sketch.ordinary("short", "h1");
    let long = sketch.ordinary("long", "h1");
    let after = sketch.ordinary("after", "h1");
    sketch.requires(long, after);
    let mut bench = Bench::limited(sketch, 1, 1);
    bench.ready("h1");
    assert_eq!(
        (bench.looking(long), bench.looking(short)),
        (Some(Purpose::Before), None)
    );
}

#[test]
fn a_doubt_that_waits_for_a_slot_holds_up_everything_else() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h1"));
    let c = sketch.ordinary("c", "h2");
    let mut bench = Bench::open(sketch);
    ready(&mut bench);
    bench.looked(a, differs());
    bench.looked(b, differs());
    let (first, second) = (bench.launched(a), bench.launched(b));
    let mut bench = bench.crash_into_limits(1, 8);
    ready(&mut bench);
    found(&mut bench, &first, UnitFound::Running);
    found(&mut bench, &second, UnitFound::Lost("killed".into()));
    assert_eq!((bench.looking(b), bench.looking(c)), (None, None));
    bench.ended(&first, failure(FailureKind::Apply));
    assert_eq!(bench.looking(b), Some(Purpose::Doubt));
}

#[test]
fn a_stop_waits_for_the_link_that_a_last_look_needs() {
    let mut sketch = Sketch::new();
    let copy = sketch.instance("copy", "h1", TypeKind::Copy, InDoubt::Check);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(copy, differs());
    let attempt = bench.performing(copy);
    bench.send(Input::Interrupt);
    bench.lost("h1");
    let end = AttemptEnd::Completed {
        outputs: Default::default(),
    };
    bench.send(Input::Performed {
        node: copy,
        attempt,
        end,
    });
    assert_eq!(bench.end(), None);
    bench.ready("h1");
    bench.looked(copy, satisfied());
    assert_eq!(bench.outcome(copy), Some(Outcome::Changed));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}
