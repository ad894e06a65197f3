//! What follows on every ending, windows, pauses, waits, and instances that run elsewhere.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, fail, failure, satisfied};
use runbook_exec::dispatcher::{Action, Input};
use runbook_exec::world::Sketch;
use runbook_model::event::{AttemptEnd, Purpose, StopReason, Verdict};
use runbook_model::plan::{Part, Window};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{FailureKind, HostName, NodeIx, Outcome, RunResult};

/// A step, and two that follow on every ending.
fn ending() -> (Sketch, [NodeIx; 3]) {
    let mut sketch = Sketch::new();
    sketch.phase("work", false);
    let work = sketch.ordinary("work", "h1");
    let begin = sketch.phase("finally", false);
    sketch.last_phase().part = Part::Finally;
    let (tidy, tell) = (sketch.ordinary("tidy", "h1"), sketch.ordinary("tell", "h1"));
    sketch.order(begin, tidy);
    sketch.order(tidy, tell);
    (sketch, [work, tidy, tell])
}

fn opened() -> (Bench, [NodeIx; 3]) {
    let (sketch, nodes) = ending();
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    (bench, nodes)
}

#[test]
fn it_follows_a_success() {
    let (mut bench, [work, tidy, tell]) = opened();
    assert_eq!(bench.stage(tidy), Stage::Waiting);
    bench.looked(work, satisfied());
    bench.looked(tidy, satisfied());
    assert_eq!(bench.end(), None);
    bench.looked(tell, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn it_follows_a_failure_and_does_not_hide_it() {
    let (mut bench, [work, tidy, tell]) = opened();
    fail(&mut bench, work);
    assert_eq!(bench.end(), None);
    bench.looked(tidy, satisfied());
    bench.looked(tell, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn its_failures_hold_nothing_up_and_change_no_result() {
    let (mut bench, [work, tidy, tell]) = opened();
    bench.looked(work, satisfied());
    fail(&mut bench, tidy);
    assert!(matches!(bench.outcome(tidy), Some(Outcome::Left(_))));
    bench.looked(tell, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn it_follows_an_interrupt_and_a_second_one_leaves() {
    let (mut bench, [_, tidy, _]) = opened();
    bench.send(Input::Interrupt);
    assert_eq!(bench.end(), None, "what looks is waited for");
    bench.looked(NodeIx(1), differs());
    assert_eq!(bench.looking(tidy), Some(Purpose::Before));
    assert!(!bench.words().contains(&"interrupted"));
    bench.send(Input::Interrupt);
    assert_eq!(bench.end(), None);
    bench.send(Input::Interrupt);
    let said = bench.words().into_iter().filter(|w| *w == "interrupted");
    assert_eq!(said.count(), 1, "who waits is told, once");
    bench.send(Input::Detach);
    assert_eq!(bench.end(), Some(RunResult::Stopped));
}

#[test]
fn each_ending_has_it_done_again() {
    let (mut bench, [work, tidy, tell]) = opened();
    fail(&mut bench, work);
    bench.looked(tidy, satisfied());
    bench.looked(tell, satisfied());
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(bench.stage(tidy), Stage::Done, "not before the ending");
    bench.looked(work, satisfied());
    assert_eq!(bench.looking(tidy), Some(Purpose::Before));
    assert_eq!(bench.state().nodes[tidy.at()].generation, 2);
}

#[test]
fn a_resume_goes_on_with_it() {
    let (mut bench, [work, tidy, tell]) = opened();
    fail(&mut bench, work);
    bench.looked(tidy, satisfied());
    assert_eq!(bench.looking(tell), Some(Purpose::Before));
    let mut bench = bench.crash();
    bench.ready("h1");
    assert_eq!(
        bench.stage(tidy),
        Stage::Done,
        "it was done for this ending"
    );
    assert!(matches!(bench.outcome(work), Some(Outcome::Failed(_))));
    bench.looked(tell, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn who_has_not_begun_does_not_follow() {
    let (sketch, [_, tidy, _]) = ending();
    let mut bench = Bench::open(sketch);
    bench.unusable("h1");
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.stage(tidy), Stage::Waiting);
}

#[test]
fn going_back_is_not_run() {
    let mut sketch = Sketch::new();
    sketch.phase("work", false);
    let work = sketch.ordinary("work", "h1");
    sketch.phase("back", false);
    sketch.last_phase().part = Part::Rollback;
    let back = sketch.ordinary("back", "h9");
    let mut bench = Bench::open(sketch);
    let h9 = HostName::new("h9").unwrap();
    assert!(!bench.did(&Action::Ready { host: h9 }), "nobody needs it");
    bench.ready("h1");
    bench.looked(work, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert_eq!(bench.stage(back), Stage::Waiting);
}

/// The bench begins at this time.
const BEGIN: i64 = 10_000_000;

fn at(ms: i64) -> Option<String> {
    Some(jiff::Timestamp::from_millisecond(ms).unwrap().to_string())
}

fn in_window(window: Window) -> (Bench, NodeIx) {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    sketch.step(a).no_return = core_bench::some();
    sketch.plan().window = Some(window);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    (bench, a)
}

#[test]
fn nothing_is_changed_before_the_window_opens() {
    let opens = BEGIN + 5_000;
    let (mut bench, a) = in_window(Window {
        opens: at(opens),
        ..Window::default()
    });
    bench.looked(a, differs());
    assert_eq!(bench.state().stopping, Some(StopReason::NotOpen(opens)));
    assert_eq!(bench.end(), Some(RunResult::Refused));
    assert!(!bench.words().contains(&"dispatched"));
}

#[test]
fn nothing_new_starts_after_it_has_closed() {
    let closes = BEGIN + 5_000;
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h1"));
    sketch.requires(a, b);
    sketch.plan().window = Some(Window {
        closes: at(closes),
        ..Window::default()
    });
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    assert!(bench.did(&Action::Wake { at: closes }));
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.now = closes;
    bench.send(Input::Tick);
    assert_eq!(
        bench.state().stopping,
        Some(StopReason::WindowClosed(closes))
    );
    assert_eq!(bench.end(), None, "what runs is waited for");
    let outputs = Default::default();
    bench.ended(&unit, AttemptEnd::Completed { outputs });
    bench.looked(a, satisfied());
    assert_eq!(
        bench.end(),
        Some(RunResult::Refused),
        "nothing failed: it is outside of the window"
    );
    assert_eq!(bench.stage(b), Stage::Waiting);
}

#[test]
fn a_failure_weighs_more_than_a_window_that_has_closed() {
    let closes = BEGIN + 5_000;
    let (mut bench, a) = in_window(Window {
        closes: at(closes),
        ..Window::default()
    });
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.now = closes;
    bench.send(Input::Tick);
    bench.ended(&unit, failure(FailureKind::Apply));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn no_point_of_no_return_is_passed_when_it_is_too_late() {
    let (bench, a) = in_window(Window {
        no_return_before: at(BEGIN),
        ..Window::default()
    });
    assert_eq!(bench.failed(a), Some(FailureKind::Window));
    assert_eq!(bench.end(), Some(RunResult::Refused));
}

#[test]
fn a_pause_between_batches_goes_on_while_nobody_is_there() {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("roll", false);
    let phase = sketch.last_phase();
    phase.pause_ms = 12_000_000;
    let name = |host: &str| HostName::new(host).unwrap();
    phase.batches = vec![vec![name("h1")], vec![name("h2")]];
    let a = sketch.probe("a", "h1");
    let b = sketch.also_on(a, "h2");
    let point = sketch.batch_end(0);
    sketch.order(begin, a);
    sketch.order(a, point);
    sketch.order(point, b);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(a, satisfied());
    let until = bench.now + 12_000_000;
    assert_eq!(bench.stage(point), Stage::Pausing);
    assert!(bench.did(&Action::Wake { at: until }));
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.ready("h2");
    assert_eq!(bench.state().nodes[point.at()].pausing_until, Some(until));
    bench.wake();
    assert_eq!(bench.now, until);
    assert_eq!(bench.looking(b), Some(Purpose::Probe));
}

#[test]
fn a_wait_counts_from_its_first_start() {
    let mut sketch = Sketch::new();
    let wait = sketch.instance("wait", "control", TypeKind::Wait, InDoubt::Check);
    let mut bench = Bench::with(sketch, |t| {
        t.waits.insert(wait, 12_000_000);
    });
    bench.ready("control");
    let until = bench.now + 12_000_000;
    assert_eq!(bench.stage(wait), Stage::Pausing);
    let mut bench = bench.crash();
    bench.ready("control");
    assert_eq!(bench.state().nodes[wait.at()].pausing_until, Some(until));
    bench.wake();
    assert_eq!(bench.outcome(wait), Some(Outcome::Passed));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn an_instance_runs_where_it_goes_through_and_fails_for_its_own_host() {
    let mut sketch = Sketch::new();
    sketch.phase("p", false);
    sketch.last_phase().max_failures = 1;
    let drain = sketch.probe("drain", "q1");
    sketch.via(drain, "lb");
    let next = sketch.probe("next", "q1");
    sketch.order(drain, next);
    let mut bench = Bench::open(sketch);
    bench.ready("lb");
    assert_eq!(bench.looking(drain), None, "q1 has not answered");
    bench.ready("q1");
    bench.lost("lb");
    assert_eq!(bench.stage(drain), Stage::Looking);
    bench.ready("lb");
    bench.looked(drain, Verdict::Differs(vec!["bad".into()]));
    assert!(
        matches!(bench.outcome(next), Some(Outcome::LeftOut { reason }) if reason.starts_with("q1 "))
    );
}

#[test]
fn attempts_go_to_the_host_that_they_go_through() {
    let mut sketch = Sketch::new();
    let drain = sketch.ordinary("drain", "q1");
    sketch.via(drain, "lb");
    let mut bench = Bench::open(sketch);
    let q1 = HostName::new("q1").unwrap();
    assert!(
        !bench.did(&Action::Ready { host: q1 }),
        "nothing runs there"
    );
    bench.ready("lb");
    bench.looked(drain, differs());
    let attempt = bench.launched(drain);
    assert_eq!(bench.state().attempts[&attempt].host.as_str(), "lb");
}

#[test]
fn the_other_end_of_a_copy_is_reached_before_anything_starts() {
    let mut sketch = Sketch::new();
    let copy = sketch.instance("copy", "control", TypeKind::Copy, InDoubt::Check);
    let away = HostName::new("h1").unwrap();
    sketch.ordinary("a", "h1");
    sketch.plan().nodes.pop();
    let mut bench = Bench::with(sketch, |t| {
        t.reaches.insert(copy, vec![away.clone()]);
    });
    assert!(bench.did(&Action::Ready { host: away }));
    bench.ready("control");
    assert_eq!(bench.looking(copy), None);
    bench.unusable("h1");
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn a_look_that_was_cut_while_its_probe_is_taken_again_is_asked_afterwards() {
    let mut sketch = Sketch::new();
    let p = sketch.probe("p", "h2");
    sketch.step(p).fresh_ms = Some(10);
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h2"));
    sketch.requires(p, a);
    sketch.requires(p, b);
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    sketch.order(gate, b);
    let mut bench = Bench::open(sketch);
    for host in ["h1", "h2", "control"] {
        bench.ready(host);
    }
    bench.looked(p, satisfied());
    let before = bench.look_number(a);
    bench.lost("h1");
    bench.now += 1_000;
    bench.answered(gate, true);
    assert_eq!(bench.looking(p), Some(Purpose::Probe), "too old for `b`");
    bench.ready("h1");
    assert_eq!(bench.look_number(a), before, "what it reads is not there");
    bench.looked(p, satisfied());
    assert!(bench.look_number(a) > before);
    bench.looked(a, satisfied());
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}
