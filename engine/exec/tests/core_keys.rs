//! What one resource sees: those that write it come one after the other.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, failure, satisfied, until};
use runbook_exec::dispatcher::{Input, UnitFound};
use runbook_exec::world::{Sketch, Tables};
use runbook_model::event::{AttemptEnd, Purpose};
use runbook_model::plan::Part;
use runbook_model::step::{Hold, HoldOnFailure};
use runbook_model::transition::Stage;
use runbook_model::{FailureKind, NodeIx, Outcome, RunResult};

fn texts(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn writes(t: &mut Tables, node: NodeIx, keys: &[&str]) {
    t.keys.entry(node).or_default().written = texts(keys);
}

fn reads(t: &mut Tables, node: NodeIx, keys: &[&str]) {
    t.keys.entry(node).or_default().read = texts(keys);
}

/// Two steps on one host that write the same file.
fn two(change: impl FnOnce(&mut Sketch, NodeIx)) -> (Bench, NodeIx, NodeIx) {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h1"));
    change(&mut sketch, a);
    let mut bench = Bench::with(sketch, |t| {
        writes(t, a, &["file:/f", "other"]);
        writes(t, b, &["file:/f"]);
    });
    bench.ready("h1");
    (bench, a, b)
}

fn done(bench: &mut Bench, node: NodeIx) {
    let unit = bench.launched(node);
    let outputs = Default::default();
    bench.ended(&unit, AttemptEnd::Completed { outputs });
    bench.looked(node, satisfied());
}

#[test]
fn who_writes_the_same_waits_from_the_first_look_to_the_end() {
    let (mut bench, a, b) = two(|_, _| {});
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    assert_eq!(bench.stage(b), Stage::Waiting);
    bench.looked(a, differs());
    done(&mut bench, a);
    assert_eq!(bench.looking(b), Some(Purpose::Before));
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_pause_does_not_let_go() {
    let (mut bench, a, b) = two(|sketch, a| {
        sketch.step(a).retry.attempts = 2;
        sketch.step(a).until = until(2, 10_000, false);
    });
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.ended(&unit, failure(FailureKind::Apply));
    assert_eq!(
        (bench.stage(a), bench.stage(b)),
        (Stage::Pausing, Stage::Waiting)
    );
    bench.wake();
    bench.looked(a, differs());
    done(&mut bench, a);
    assert_eq!(
        (bench.stage(a), bench.stage(b)),
        (Stage::Pausing, Stage::Waiting)
    );
    bench.wake();
    bench.looked(a, satisfied());
    assert_eq!(bench.looking(b), Some(Purpose::Before));
}

#[test]
fn a_failure_lets_go() {
    use runbook_model::step::OnFailure;
    let (mut bench, a, b) = two(|sketch, a| sketch.step(a).on_failure = OnFailure::Continue);
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.ended(&unit, failure(FailureKind::Apply));
    assert_eq!(bench.looking(b), Some(Purpose::Before));
}

#[test]
fn another_file_another_host_and_no_key_at_all_do_not_wait() {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    let others = [
        sketch.ordinary("b", "h1"),
        sketch.ordinary("c", "h2"),
        sketch.ordinary("d", "h1"),
    ];
    let mut bench = Bench::with(sketch, |t| {
        writes(t, a, &["file:/f"]);
        writes(t, others[0], &["file:/g"]);
        writes(t, others[1], &["file:/f"]);
    });
    bench.ready("h1");
    bench.ready("h2");
    for node in others {
        assert_eq!(bench.looking(node), Some(Purpose::Before));
    }
}

#[test]
fn it_is_the_machine_that_counts_where_it_runs() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "lb"), sketch.ordinary("b", "q1"));
    sketch.via(b, "lb");
    let (c, d) = (sketch.ordinary("c", "h1"), sketch.ordinary("d", "control"));
    let mut bench = Bench::with(sketch, |t| {
        for (node, key) in [(a, "pool"), (b, "pool"), (c, "file"), (d, "file")] {
            writes(t, node, &[key]);
        }
    });
    bench.ready("lb");
    bench.ready_as("h1", "this one");
    bench.ready_as("control", "this one");
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    assert_eq!(bench.stage(b), Stage::Waiting, "both run on lb");
    assert_eq!(bench.looking(c), Some(Purpose::Before));
    assert_eq!(bench.stage(d), Stage::Waiting, "the controller is h1");
    bench.looked(a, satisfied());
    bench.looked(c, satisfied());
    bench.looked(b, satisfied());
    bench.looked(d, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn who_waits_for_a_key_takes_no_slot() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h1"));
    let rest: Vec<_> = ["c", "d", "e"].map(|id| sketch.ordinary(id, "h1")).into();
    let mut bench = Bench::with(sketch, |t| {
        writes(t, a, &["k"]);
        writes(t, b, &["k"]);
    });
    bench.ready("h1");
    assert_eq!(bench.stage(b), Stage::Waiting);
    for node in rest {
        assert_eq!(bench.looking(node), Some(Purpose::Before), "four at a time");
    }
}

#[test]
fn who_reads_waits_for_who_writes_and_nobody_waits_for_who_reads() {
    let mut sketch = Sketch::new();
    let (a, p) = (sketch.ordinary("a", "h1"), sketch.probe("p", "h1"));
    let (q, b) = (sketch.probe("q", "h1"), sketch.ordinary("b", "h1"));
    sketch.order(a, q);
    sketch.order(a, b);
    let mut bench = Bench::with(sketch, |t| {
        writes(t, a, &["k"]);
        reads(t, p, &["k"]);
        reads(t, q, &["l"]);
        writes(t, b, &["l"]);
    });
    bench.ready("h1");
    assert_eq!(bench.stage(p), Stage::Waiting);
    bench.looked(a, satisfied());
    assert_eq!(bench.looking(p), Some(Purpose::Probe));
    let (b, q) = (bench.looking(b), bench.looking(q));
    assert_eq!(
        (b, q),
        (Some(Purpose::Before), None),
        "the longer one first"
    );
}

#[test]
fn a_look_that_a_writer_waits_for_does_not_wait_for_it() {
    let mut sketch = Sketch::new();
    let p = sketch.probe("p", "h1");
    let a = sketch.ordinary("a", "h1");
    sketch.requires(p, a);
    sketch.step(p).fresh_ms = Some(60_000);
    sketch.step(a).retry.attempts = 3;
    let mut bench = Bench::with(sketch, |t| {
        reads(t, p, &["k"]);
        writes(t, a, &["k"]);
    });
    bench.ready("h1");
    bench.looked(p, satisfied());
    bench.looked(a, differs());
    let unit = bench.launched(a);
    let mut bench = bench.crash();
    bench.ready("h1");
    let gone = UnitFound::Lost("killed".into());
    bench.send(Input::UnitState { unit, found: gone });
    bench.looked(a, differs());
    assert_eq!(
        bench.looking(p),
        Some(Purpose::Probe),
        "before another attempt"
    );
    bench.looked(p, satisfied());
    done(&mut bench, a);
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_an_earlier_controller_left_under_way_has_its_keys_first() {
    let (mut bench, a, b) = two(|_, _| {});
    bench.looked(a, differs());
    let unit = bench.launched(a);
    let mut bench = bench.crash();
    bench.ready("h1");
    let found = UnitFound::Running;
    bench.send(Input::UnitState {
        unit: unit.clone(),
        found,
    });
    assert_eq!(bench.stage(b), Stage::Waiting);
    let outputs = Default::default();
    bench.ended(&unit, AttemptEnd::Completed { outputs });
    assert_eq!(bench.stage(b), Stage::Waiting, "it is not looked at yet");
    bench.looked(a, satisfied());
    assert_eq!(bench.looking(b), Some(Purpose::Before));
}

/// What somebody holds is released while what follows on it is in its middle: it is held again first,
/// though both write the same.
#[test]
fn what_is_done_again_before_it_gets_the_keys_of_what_waits_for_it() {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("p", false);
    let (hold, a) = (sketch.ordinary("hold", "h1"), sketch.ordinary("a", "h1"));
    let bad = sketch.probe("bad", "h1");
    sketch.order(begin, hold);
    sketch.requires(hold, a);
    sketch.order(hold, bad);
    sketch.step(hold).hold = Some(Hold {
        release: Vec::new(),
        on_failure: HoldOnFailure::Release,
        max_ms: None,
    });
    sketch.step(a).retry.attempts = 2;
    let mut bench = Bench::with(sketch, |t| {
        writes(t, hold, &["k"]);
        writes(t, a, &["k"]);
    });
    bench.ready("h1");
    bench.looked(hold, differs());
    done(&mut bench, hold);
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.looked(bad, differs());
    bench.ended(&unit, failure(FailureKind::Apply));
    let undo = bench.undoing(hold);
    let outputs = Default::default();
    bench.undo_ended(&undo, AttemptEnd::Completed { outputs });
    bench.undo_looked(hold, differs());
    assert_eq!(bench.stage(a), Stage::Applied, "another attempt is due");
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(bench.looking(hold), Some(Purpose::Before));
    bench.looked(hold, differs());
    done(&mut bench, hold);
    bench.looked(bad, satisfied());
    bench.wake();
    bench.looked(a, satisfied());
    assert_eq!(bench.outcome(a), Some(Outcome::Changed));
}

#[test]
fn a_look_at_what_is_in_doubt_waits_for_nobody() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    sketch.phase("finally", false);
    sketch.last_phase().part = Part::Finally;
    let last = sketch.ordinary("last", "h1");
    let mut bench = Bench::with(sketch, |t| {
        writes(t, a, &["file:/f"]);
        writes(t, last, &["file:/f"]);
    });
    bench.ready("h1");
    bench.looked(a, differs());
    let unit = bench.launched(a);
    let mut bench = bench.crash().roll_back(Some("one"));
    bench.ready("h1");
    // Its phase stays: nobody looks at it on the way back.
    let found = UnitFound::Lost("it was killed".into());
    bench.send(Input::UnitState { unit, found });
    bench.looked(last, differs());
    let unit = bench.launched(last);
    let mut bench = bench.crash();
    bench.ready("h1");
    let outputs = Default::default();
    bench.ended(&unit, AttemptEnd::Completed { outputs });
    assert_eq!(bench.looking(a), Some(Purpose::Doubt));
    bench.looked(a, satisfied());
    bench.looked(last, satisfied());
    assert_eq!(bench.end(), Some(RunResult::SteppedBack));
}
