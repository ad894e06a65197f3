//! A host that is out of the run: nothing there is opened again, whatever else is.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, fail, satisfied, undo_it};
use runbook_exec::dispatcher::Input;
use runbook_exec::world::Sketch;
use runbook_model::event::Purpose;
use runbook_model::plan::Part;
use runbook_model::step::{Hold, HoldOnFailure};
use runbook_model::transition::Stage;
use runbook_model::{Command, HostName, NodeIx, Outcome, RunResult};

fn exclude(bench: &mut Bench, host: &str) {
    let host = HostName::new(host).unwrap();
    assert_eq!(bench.order(Command::Exclude { host }), None);
}

fn is_excluded(bench: &Bench, node: NodeIx) -> bool {
    matches!(bench.outcome(node), Some(Outcome::Excluded { .. }))
}

#[test]
fn what_follows_on_every_ending_is_left_out_there_each_time() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    sketch.phase("finally", false);
    sketch.last_phase().part = Part::Finally;
    let last = sketch.ordinary("last", "h1");
    let there = sketch.also_on(last, "h2");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    exclude(&mut bench, "h2");
    fail(&mut bench, a);
    bench.looked(last, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.looked(a, satisfied());
    bench.looked(last, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert!(is_excluded(&bench, there));
}

#[test]
fn the_way_forward_after_a_way_back_goes_on_without_it() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let begin = sketch.phase("two", false);
    let b1 = sketch.ordinary("b", "h1");
    let b2 = sketch.also_on(b1, "h2");
    for (from, to) in [(a, begin), (begin, b1), (begin, b2)] {
        sketch.order(from, to);
    }
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    exclude(&mut bench, "h2");
    bench.looked(a, satisfied());
    fail(&mut bench, b1);
    let mut bench = bench.roll_back(Some("one"));
    bench.ready("h1");
    undo_it(&mut bench, b1);
    assert_eq!(bench.end(), Some(RunResult::SteppedBack));
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.looked(b1, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert!(is_excluded(&bench, b2));
}

#[test]
fn a_procedure_of_going_back_goes_on_without_it() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    sketch.phase("back", false);
    sketch.last_phase().part = Part::Rollback;
    let back = sketch.ordinary("back", "h1");
    let there = sketch.also_on(back, "h2");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    exclude(&mut bench, "h2");
    fail(&mut bench, a);
    let mut bench = bench.roll_back(None);
    bench.ready("h1");
    bench.looked(back, satisfied());
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
    assert!(is_excluded(&bench, there));
}

#[test]
fn what_was_seen_there_stays_seen() {
    let mut sketch = Sketch::new();
    let seen = sketch.probe("seen", "h2");
    sketch.step(seen).fresh_ms = Some(0);
    let a = sketch.ordinary("a", "h1");
    sketch.requires(seen, a);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(seen, satisfied());
    exclude(&mut bench, "h2");
    let mut bench = bench.crash();
    bench.ready("h1");
    assert_eq!(bench.stage(seen), Stage::Done);
    assert_eq!(bench.looking(a), Some(Purpose::Before));
}

#[test]
fn what_ended_well_there_is_not_done_again_by_order() {
    let mut sketch = Sketch::new();
    let there = sketch.ordinary("there", "h2");
    sketch.ordinary("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(there, satisfied());
    exclude(&mut bench, "h2");
    let what = "there@h2".to_owned();
    assert_eq!(
        bench.order(Command::Rerun { what }).unwrap(),
        "the host of `there@h2` is excluded"
    );
}

#[test]
fn what_was_released_there_is_not_held_again() {
    let mut sketch = Sketch::new();
    let freeze = sketch.ordinary("freeze", "h2");
    let a = sketch.ordinary("a", "h1");
    sketch.requires(freeze, a);
    sketch.step(freeze).hold = Some(Hold {
        release: Vec::new(),
        on_failure: HoldOnFailure::Release,
        max_ms: None,
    });
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.apply(freeze);
    bench.looked(freeze, satisfied());
    fail(&mut bench, a);
    undo_it(&mut bench, freeze);
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.resume();
    exclude(&mut bench, "h2");
    bench.ready("h1");
    assert_eq!(bench.stage(freeze), Stage::Done);
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_comes_after_it_waits_for_what_came_before_it() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let two = sketch.phase("two", false);
    let b = sketch.ordinary("b", "h2");
    let end = sketch.barrier("end of two");
    let three = sketch.phase("three", false);
    let c = sketch.ordinary("c", "h1");
    for (from, to) in [(a, two), (two, b), (b, end), (end, three), (three, c)] {
        sketch.order(from, to);
    }
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    exclude(&mut bench, "h2");
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    assert_eq!(bench.stage(c), Stage::Waiting);
    assert!(!is_excluded(&bench, b), "its turn has not come");
    bench.looked(a, satisfied());
    assert!(is_excluded(&bench, b));
    bench.looked(c, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

/// A phase in two batches, with a pause between them; the first one has ended, save for the pause.
fn batches() -> (Bench, [NodeIx; 3]) {
    let mut sketch = Sketch::new();
    sketch.phase("roll", false);
    let hosts = ["h1", "h2", "h3"].map(|host| HostName::new(host).unwrap());
    let phase = sketch.last_phase();
    phase.hosts = hosts.to_vec();
    phase.batches = vec![hosts[..2].to_vec(), hosts[2..].to_vec()];
    phase.pause_ms = 1_000;
    let one = sketch.ordinary("a", "h1");
    let two = sketch.also_on(one, "h2");
    let three = sketch.also_on(one, "h3");
    let first = sketch.batch_end(0);
    for (from, to) in [(one, first), (two, first), (first, three)] {
        sketch.order(from, to);
    }
    let mut bench = Bench::open(sketch);
    for host in ["h1", "h2", "h3"] {
        bench.ready(host);
    }
    bench.looked(one, satisfied());
    bench.looked(two, satisfied());
    assert_eq!(bench.stage(first), Stage::Pausing);
    (bench, [one, three, first])
}

#[test]
fn a_batch_that_ends_again_pauses_again() {
    let (mut bench, [one, three, first]) = batches();
    let what = "a@h1".to_owned();
    assert_eq!(bench.order(Command::Rerun { what }), None);
    bench.now += 1_500;
    bench.send(Input::Tick);
    assert_eq!(bench.stage(first), Stage::Pausing, "it has not ended");
    bench.looked(one, satisfied());
    assert_eq!(bench.stage(three), Stage::Waiting);
    bench.wake();
    assert_eq!(bench.looking(three), Some(Purpose::Before));
}
