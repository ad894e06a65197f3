//! Looks that must not be old when something is built on them.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, satisfied, until};
use runbook_exec::dispatcher::Input;
use runbook_exec::world::Sketch;
use runbook_model::event::Purpose;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{NodeIx, Outcome, RunResult};

#[test]
fn an_old_probe_is_looked_at_again_before_it_is_built_on() {
    let mut sketch = Sketch::new();
    let (p, slow, x) = (
        sketch.probe("p", "h1"),
        sketch.ordinary("slow", "h2"),
        sketch.ordinary("x", "h1"),
    );
    sketch.step(p).fresh_ms = Some(1000);
    sketch.requires(p, x);
    sketch.requires(slow, x);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(p, satisfied());
    bench.now += 5000;
    bench.looked(slow, satisfied());
    assert_eq!(
        (bench.looking(p), bench.looking(x)),
        (Some(Purpose::Probe), None)
    );
    bench.looked(p, satisfied());
    assert_eq!(bench.looking(x), Some(Purpose::Before));
}

#[test]
fn an_old_probe_that_now_finds_something_stops_the_run() {
    let mut sketch = Sketch::new();
    let (p, slow, x) = (
        sketch.probe("p", "h1"),
        sketch.ordinary("slow", "h2"),
        sketch.ordinary("x", "h1"),
    );
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
fn a_young_probe_of_a_host_that_has_booted_is_looked_at_again() {
    let mut sketch = Sketch::new();
    let (p, slow, x) = (
        sketch.probe("p", "h1"),
        sketch.ordinary("slow", "h2"),
        sketch.ordinary("x", "h1"),
    );
    sketch.step(p).fresh_ms = Some(1_000_000);
    sketch.requires(p, x);
    sketch.requires(slow, x);
    for (boot, wanted) in [("boot", None), ("another", Some(Purpose::Probe))] {
        let mut bench = Bench::open(sketch.clone());
        bench.ready("h1");
        bench.ready("h2");
        bench.looked(p, satisfied());
        bench.lost("h1");
        bench.ready_with("h1", boot, "machine of h1");
        bench.looked(slow, satisfied());
        assert_eq!(bench.looking(p), wanted, "{boot}");
        if wanted.is_some() {
            bench.looked(p, satisfied());
        }
        assert_eq!(bench.looking(x), Some(Purpose::Before));
    }
}

#[test]
fn a_resume_looks_at_fresh_probes_again_but_never_at_a_record() {
    let mut sketch = Sketch::new();
    let (p, once, x) = (
        sketch.probe("p", "h1"),
        sketch.probe("once", "h1"),
        sketch.ordinary("x", "h1"),
    );
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
    assert_eq!(
        (bench.looking(p), bench.looking(once), bench.looking(x)),
        (Some(Purpose::Probe), None, None)
    );
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
    assert_eq!(
        (bench.outcome(assert), bench.looking(x)),
        (Some(Outcome::Passed), Some(Purpose::Before))
    );
    let mut bench = bench.crash();
    bench.ready("control");
    bench.ready("h1");
    assert_eq!(
        (bench.looking(p), bench.stage(assert)),
        (Some(Purpose::Probe), Stage::Waiting)
    );
    bench.looked(p, satisfied());
    assert_eq!(
        (bench.outcome(assert), bench.looking(x)),
        (Some(Outcome::Passed), Some(Purpose::Before))
    );
}

/// `p` is looked at again for `x` while `y`, which comes after it, is being looked at.
fn overlapping(edge: fn(&mut Sketch, NodeIx, NodeIx)) -> (Bench, [NodeIx; 4]) {
    let mut sketch = Sketch::new();
    let p = sketch.probe("p", "h1");
    let slow = sketch.ordinary("slow", "h2");
    let x = sketch.ordinary("x", "h1");
    let y = sketch.probe("y", "h1");
    sketch.step(p).fresh_ms = Some(0);
    sketch.step(y).until = until(2, 10_000, false);
    sketch.requires(p, x);
    sketch.requires(slow, x);
    edge(&mut sketch, p, y);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(p, satisfied());
    if bench.looking(p).is_some() {
        bench.looked(p, satisfied());
    }
    bench.now += 1;
    bench.looked(slow, satisfied());
    assert_eq!(bench.looking(p), Some(Purpose::Probe));
    assert_eq!(bench.looking(y), Some(Purpose::Probe));
    (bench, [p, slow, x, y])
}

#[test]
fn nothing_follows_from_a_look_while_what_it_refers_to_is_looked_at_again() {
    let (mut bench, [p, _, _, y]) = overlapping(Sketch::requires);
    bench.looked(y, satisfied());
    assert_eq!(bench.stage(y), Stage::Judging);
    bench.looked(p, satisfied());
    assert_eq!(bench.stage(y), Stage::Pausing);
}

#[test]
fn a_look_counts_once_as_a_pass() {
    let (mut bench, [p, _, _, y]) = overlapping(Sketch::order);
    bench.send(Input::Interrupt);
    bench.looked(y, satisfied());
    bench.looked(p, satisfied());
    assert_eq!(bench.outcome(y), None);
    assert_eq!(bench.end(), Some(RunResult::Stopped));
}

#[test]
fn a_clock_that_is_set_back_does_not_make_looks_old_for_ever() {
    let mut sketch = Sketch::new();
    let (p, x) = (sketch.probe("p", "h1"), sketch.ordinary("x", "h1"));
    sketch.step(p).fresh_ms = Some(0);
    sketch.requires(p, x);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.now += 5;
    bench.looked(p, satisfied());
    bench.now -= 3_600_000;
    bench.looked(p, satisfied());
    assert_eq!(bench.looking(x), Some(Purpose::Before));
}

/// A probe that finds what `x` itself brings about, as *none runs* finds the node that was started.
fn own_effect() -> (Bench, NodeIx, NodeIx) {
    let mut sketch = Sketch::new();
    let (p, x) = (sketch.probe("p", "h1"), sketch.ordinary("x", "h1"));
    sketch.step(p).fresh_ms = Some(0);
    sketch.requires(p, x);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(p, satisfied());
    if bench.looking(p).is_some() {
        bench.looked(p, satisfied());
    }
    (bench, p, x)
}

#[test]
fn an_effect_that_happened_is_looked_at_before_what_it_was_built_on() {
    let (mut bench, p, x) = own_effect();
    bench.apply(x);
    assert_eq!(bench.looking(x), Some(Purpose::After));
    let mut bench = bench.crash();
    bench.ready("h1");
    assert_eq!(
        (bench.looking(p), bench.looking(x)),
        (None, Some(Purpose::After))
    );
    bench.looked(x, satisfied());
    assert_eq!(bench.outcome(x), Some(Outcome::Changed));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_failed_effect_is_looked_at_first_and_another_attempt_needs_a_fresh_look() {
    let (mut bench, p, x) = own_effect();
    bench.apply(x);
    bench.looked(x, differs());
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(
        (bench.looking(p), bench.looking(x)),
        (None, Some(Purpose::Before))
    );
    bench.looked(x, differs());
    assert_eq!(bench.looking(p), Some(Purpose::Probe));
    bench.looked(p, differs());
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.state().attempts.len(), 1);
}
