//! Probes, `until`, `expect` and `fatal`.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, one, problem, satisfied, some, until};
use runbook_exec::world::Sketch;
use runbook_model::event::{Purpose, Verdict};
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
