//! Looks that must not be old when something is built on them.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, satisfied};
use runbook_exec::world::Sketch;
use runbook_model::event::Purpose;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{Outcome, RunResult};

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
