//! What is done again, or left alone, when another controller comes, and what an ending does then.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, satisfied};
use runbook_exec::dispatcher::Input;
use runbook_exec::world::Sketch;
use runbook_model::event::{AttemptEnd, StopReason, Verdict};
use runbook_model::plan::{Part, Window};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{Event, FailureKind, HostName, NodeIx, Outcome, RunResult};

const HOSTS: [&str; 3] = ["h1", "h2", "h3"];

fn name(host: &str) -> HostName {
    HostName::new(host).unwrap()
}

fn done(bench: &mut Bench, node: NodeIx) {
    let unit = bench.launched(node);
    let outputs = Default::default();
    bench.ended(&unit, AttemptEnd::Completed { outputs });
    bench.looked(node, satisfied());
}

/// A phase that changes each of three hosts, one of which may fail, and a step on `h3` behind it.
fn three() -> (Sketch, [NodeIx; 3], NodeIx) {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("p", false);
    sketch.last_phase().max_failures = 1;
    let a = sketch.ordinary("a", "h1");
    let all = [a, sketch.also_on(a, "h2"), sketch.also_on(a, "h3")];
    let end = sketch.barrier("end of p");
    for node in all {
        sketch.order(begin, node);
        sketch.order(node, end);
    }
    let next = sketch.phase("next", false);
    sketch.order(end, next);
    let last = sketch.ordinary("last", "h3");
    sketch.order(next, last);
    (sketch, all, last)
}

#[test]
fn a_host_that_is_down_on_resume_is_borne_like_one_that_is_lost() {
    let (sketch, all, last) = three();
    let mut bench = Bench::open(sketch);
    HOSTS.iter().for_each(|host| bench.ready(host));
    bench.looked(all[0], differs());
    done(&mut bench, all[0]);
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.unusable("h2");
    bench.ready("h3");
    assert_eq!(bench.state().stopping, None);
    let left = bench.outcome(all[1]);
    let kind = left.and_then(|o| o.failure().map(|f| f.kind));
    assert_eq!(kind, Some(FailureKind::Unreachable));
    bench.looked(all[2], satisfied());
    // It has left, and is still down: that is nothing new.
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.unusable("h2");
    bench.ready("h3");
    assert_eq!(bench.state().stopping, None);
    bench.looked(last, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn before_the_first_effect_every_host_must_be_there() {
    let (sketch, all, _) = three();
    let mut bench = Bench::open(sketch);
    HOSTS.iter().for_each(|host| bench.ready(host));
    bench.looked(all[0], satisfied());
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.unusable("h2");
    bench.ready("h3");
    assert_eq!(bench.state().stopping, Some(StopReason::Host(name("h2"))));
}

#[test]
fn a_host_with_an_attempt_of_which_nothing_is_known_is_not_borne() {
    let (sketch, all, _) = three();
    let mut bench = Bench::open(sketch);
    HOSTS.iter().for_each(|host| bench.ready(host));
    bench.looked(all[1], differs());
    bench.launched(all[1]);
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.unusable("h2");
    bench.ready("h3");
    assert_eq!(bench.state().stopping, Some(StopReason::Host(name("h2"))));
}

#[test]
fn a_host_that_is_needed_later_is_not_borne() {
    let (sketch, all, _) = three();
    let mut bench = Bench::open(sketch);
    HOSTS.iter().for_each(|host| bench.ready(host));
    bench.looked(all[0], differs());
    done(&mut bench, all[0]);
    bench.looked(all[2], satisfied());
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.ready("h2");
    bench.unusable("h3");
    assert_eq!(bench.state().stopping, Some(StopReason::Host(name("h3"))));
}

/// The bench begins at this time.
const BEGIN: i64 = 10_000_000;

#[test]
fn nothing_follows_on_a_run_that_is_too_early() {
    let at = |ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
    let mut sketch = Sketch::new();
    sketch.phase("p", false);
    let a = sketch.ordinary("a", "h1");
    sketch.phase("finally", false);
    sketch.last_phase().part = Part::Finally;
    let last = sketch.ordinary("last", "h1");
    sketch.plan().window = Some(Window {
        opens: Some(at(BEGIN + 5_000)),
        ..Window::default()
    });
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    assert_eq!(bench.end(), Some(RunResult::Refused));
    assert_eq!(bench.stage(last), Stage::Waiting);
    assert!(!bench.words().contains(&"ending"));
    // Once it has changed something, an ending is an ending.
    bench.now = BEGIN * 2;
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.ended(&unit, core_bench::failure(FailureKind::Apply));
    assert!(bench.looking(last).is_some());
}

fn follows(conditional: bool) -> (Sketch, [NodeIx; 2]) {
    let mut sketch = Sketch::new();
    let first = sketch.phase("first", false);
    let a = sketch.probe("a", "h1");
    sketch.order(first, a);
    let second = sketch.phase("second", conditional);
    sketch.order(a, second);
    let b = sketch.probe("b", "h1");
    sketch.order(second, b);
    let mut ends = Vec::new();
    for (at, id) in [(0, "end_first"), (1, "end_second")] {
        let begin = sketch.phase(id, false);
        sketch.last_phase().part = Part::Finally;
        sketch.last_phase().follows = Some(at);
        let node = sketch.probe(&format!("of_{id}"), "h1");
        sketch.order(begin, node);
        ends.push(node);
    }
    (sketch, [ends[0], ends[1]])
}

fn skipped(bench: &Bench, node: NodeIx) -> bool {
    let reason = "what it follows on did not begin".to_owned();
    bench.outcome(node) == Some(Outcome::Skipped { reason })
}

#[test]
fn what_did_not_begin_has_no_end() {
    let (sketch, [first, second]) = follows(false);
    let a = NodeIx(1);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, Verdict::Differs(vec!["bad".into()]));
    assert!(bench.looking(first).is_some());
    assert!(skipped(&bench, second));
    bench.looked(first, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Failed));
    // The next ending sees what has begun by then.
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.looked(a, satisfied());
    bench.looked(NodeIx(3), satisfied());
    assert!(bench.looking(first).is_some() && bench.looking(second).is_some());
}

#[test]
fn a_phase_that_was_skipped_did_not_begin() {
    let (sketch, [first, second]) = follows(true);
    let mut bench = Bench::with(sketch, |t| {
        t.phase_when.insert(1, Ok(false));
    });
    bench.ready("h1");
    bench.looked(NodeIx(1), satisfied());
    bench.looked(first, satisfied());
    assert!(skipped(&bench, second));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn the_pause_behind_a_batch_counts_from_its_last_end() {
    const PAUSE: i64 = 60_000_000;
    let mut sketch = Sketch::new();
    let begin = sketch.phase("roll", false);
    let phase = sketch.last_phase();
    phase.pause_ms = 60_000_000;
    phase.max_failures = 1;
    phase.batches = vec![vec![name("h1"), name("h2")], vec![name("h3")]];
    let a = sketch.probe("a", "h1");
    let (a2, b) = (sketch.also_on(a, "h2"), sketch.also_on(a, "h3"));
    let point = sketch.batch_end(0);
    for node in [a, a2] {
        sketch.order(begin, node);
        sketch.order(node, point);
    }
    sketch.order(point, b);
    let mut bench = Bench::open(sketch);
    HOSTS.iter().for_each(|host| bench.ready(host));
    bench.looked(a, satisfied());
    bench.looked(a2, Verdict::Differs(vec!["bad".into()]));
    assert_eq!(bench.stage(point), Stage::Pausing);
    let mut bench = bench.crash();
    HOSTS.iter().for_each(|host| bench.ready(host));
    // The one that has left the batch is tried again.
    bench.now += 5_000;
    bench.looked(a2, satisfied());
    let until = bench.now + PAUSE;
    assert_eq!(bench.state().nodes[point.at()].pausing_until, Some(until));
    assert!(bench.looking(b).is_none());
}

#[test]
fn whoever_stops_a_run_that_is_done_by_then_has_stopped_nothing() {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.send(Input::Interrupt);
    assert_eq!(bench.end(), None);
    let outputs = Default::default();
    bench.ended(&unit, AttemptEnd::Completed { outputs });
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_stop_that_leaves_something_undone_is_one() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h1"));
    sketch.requires(a, b);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.send(Input::Interrupt);
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Stopped));
}

#[test]
fn what_is_looked_at_again_because_of_a_resume_says_so() {
    let mut sketch = Sketch::new();
    let p = sketch.probe("p", "h1");
    sketch.step(p).fresh_ms = Some(3_600_000_000);
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    let a = sketch.ordinary("a", "h1");
    sketch.requires(p, a);
    sketch.order(gate, a);
    let why = |bench: &Bench| {
        let events = bench.events().into_iter().rev();
        let mut reasons = events.filter_map(|event| match event {
            Event::Reopened { reason, .. } => Some(reason),
            _ => None,
        });
        reasons.next()
    };
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("control");
    bench.looked(p, satisfied());
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.ready("control");
    bench.answered(gate, true);
    assert_eq!(
        why(&bench).as_deref(),
        Some("looked at again after the resume")
    );
    bench.looked(p, satisfied());
    bench.now += 4_000_000_000;
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}
