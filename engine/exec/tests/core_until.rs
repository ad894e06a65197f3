//! Probes, `until`, `expect` and `fatal`.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, one, problem, satisfied, some, until};
use runbook_exec::world::Sketch;
use runbook_model::event::{AttemptEnd, Purpose, Verdict};
use runbook_model::transition::Stage;
use runbook_model::{FailureKind, Outcome};

#[test]
fn until_wants_as_many_passes_in_a_row() {
    let mut sketch = Sketch::new();
    let a = sketch.probe("a", "h1");
    sketch.step(a).until = until(2, 10_000, false);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    for verdict in [
        satisfied(),
        differs(),
        Verdict::Error(problem()),
        satisfied(),
    ] {
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
    assert_eq!(
        bench.now,
        begun + 250,
        "the last look is at the end, not after it"
    );
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
    assert_eq!(
        bench.stage(a),
        Stage::Pausing,
        "an output that is not there yet is not fatal"
    );
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
    assert_eq!(
        bench.looking(a),
        Some(Purpose::After),
        "the attempt was completed"
    );
    bench.looked(a, differs());
    assert_eq!(bench.stage(a), Stage::Pausing);
    bench.wake();
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Changed));
    assert_eq!(
        bench.words().iter().filter(|w| **w == "dispatched").count(),
        1
    );
}

#[test]
fn a_first_look_that_is_satisfied_is_only_the_first_pass() {
    let (sketch, a) = one(|s, a| s.step(a).until = until(3, 10_000, false));
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    for _ in 0..2 {
        bench.looked(a, satisfied());
        assert_eq!(bench.stage(a), Stage::Pausing);
        bench.wake();
        assert_eq!(bench.looking(a), Some(Purpose::Before));
    }
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Satisfied));
    assert!(!bench.words().contains(&"dispatched"));
}

#[test]
fn what_does_not_last_is_applied_and_has_to_pass_as_often_again() {
    let (sketch, a) = one(|s, a| s.step(a).until = until(2, 10_000, false));
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, satisfied());
    bench.wake();
    bench.apply(a);
    bench.looked(a, satisfied());
    assert_eq!(
        bench.stage(a),
        Stage::Pausing,
        "a pass before it was applied does not count"
    );
    bench.wake();
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Changed));
}

#[test]
fn under_until_an_expect_that_is_false_differs() {
    let (sketch, a) = one(|s, a| {
        s.step(a).until = until(1, 10_000, false);
        s.step(a).expect = some();
    });
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked_with(a, satisfied(), &[("ok", false)]);
    let unit = bench.launched(a);
    bench.ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.looked_with(a, satisfied(), &[("ok", false)]);
    assert_eq!(bench.stage(a), Stage::Pausing, "it is waited for");
    bench.wake();
    bench.looked_with(a, satisfied(), &[("ok", true)]);
    assert_eq!(bench.outcome(a), Some(Outcome::Changed));
    let dispatched = bench.words().into_iter().filter(|w| *w == "dispatched");
    assert_eq!(dispatched.count(), 1);
}

#[test]
fn without_until_an_expect_that_is_false_fails_before_any_change() {
    let (sketch, a) = one(|s, a| s.step(a).expect = some());
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked_with(a, satisfied(), &[("ok", false)]);
    assert_eq!(bench.failed(a), Some(FailureKind::Expect));
    assert!(!bench.words().contains(&"dispatched"));
}

#[test]
fn under_until_an_expect_without_a_value_changes_nothing() {
    let (sketch, a) = one(|s, a| {
        s.step(a).until = until(1, 10_000, false);
        s.step(a).expect = some();
    });
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, satisfied());
    assert_eq!(bench.stage(a), Stage::Pausing, "the output may come");
    bench.wake();
    bench.looked_with(a, satisfied(), &[("ok", true)]);
    assert_eq!(bench.outcome(a), Some(Outcome::Satisfied));
}

#[test]
fn looks_before_an_attempt_end_by_fatal_and_within_too() {
    let (sketch, a) = one(|s, a| s.step(a).until = until(3, 10_000, true));
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked_with(a, satisfied(), &[("fatal", false)]);
    assert_eq!(bench.stage(a), Stage::Pausing);
    bench.wake();
    bench.looked_with(a, satisfied(), &[("fatal", true)]);
    assert_eq!(bench.failed(a), Some(FailureKind::Fatal));

    let (sketch, a) = one(|s, a| s.step(a).until = until(9, 150, false));
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    for _ in 0..2 {
        bench.looked(a, satisfied());
        bench.wake();
    }
    bench.looked(a, satisfied());
    assert_eq!(bench.failed(a), Some(FailureKind::Within));
}

#[test]
fn a_look_without_a_verdict_is_taken_again_under_until() {
    let (sketch, a) = one(|s, a| s.step(a).until = until(1, 10_000, false));
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, Verdict::Error(problem()));
    assert_eq!(bench.stage(a), Stage::Pausing);
    assert!(!bench.words().contains(&"dispatched"));
    bench.wake();
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Satisfied));
}

#[test]
fn another_controller_counts_passes_anew() {
    let (sketch, a) = one(|s, a| s.step(a).until = until(2, 10_000, false));
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, satisfied());
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.looked(a, satisfied());
    assert_eq!(bench.stage(a), Stage::Pausing);
    bench.wake();
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Satisfied));
}
