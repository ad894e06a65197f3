//! Going back: undos in reverse order, what stays, failed undos, and procedures.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, do_it, fail, failure, satisfied, undo_it};
use runbook_exec::dispatcher::{Input, UnitFound};
use runbook_exec::graph::Frozen;
use runbook_exec::rollback::{self, Scope};
use runbook_exec::world::{Behaviour, Ending, Sketch, World};
use runbook_model::event::{AttemptEnd, Purpose, StopReason};
use runbook_model::plan::Part;
use runbook_model::step::{Hold, HoldOnFailure};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{Command, FailureKind, NodeIx, RunResult, RunState};

fn done() -> AttemptEnd {
    AttemptEnd::Completed {
        outputs: Default::default(),
    }
}

fn is_undoing(bench: &Bench, node: NodeIx) -> bool {
    bench.state().undos.contains_key(&node)
}

/// Steps on two hosts: `a` on both, then `b` on the first, then `c` on both; the last one fails.
fn failed() -> (Bench, [NodeIx; 5]) {
    let mut sketch = Sketch::new();
    let a1 = sketch.ordinary("a", "h1");
    let a2 = sketch.also_on(a1, "h2");
    let b = sketch.ordinary("b", "h1");
    let c1 = sketch.ordinary("c", "h1");
    let c2 = sketch.also_on(c1, "h2");
    for (from, to) in [(a1, b), (a2, b), (b, c1), (b, c2)] {
        sketch.requires(from, to);
    }
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    do_it(&mut bench, a1);
    do_it(&mut bench, a2);
    do_it(&mut bench, b);
    do_it(&mut bench, c1);
    fail(&mut bench, c2);
    assert_eq!(bench.end(), Some(RunResult::Failed));
    (bench, [a1, a2, b, c1, c2])
}

fn going_back() -> (Bench, [NodeIx; 5]) {
    let (bench, nodes) = failed();
    let mut bench = bench.roll_back(None);
    bench.ready("h1");
    bench.ready("h2");
    (bench, nodes)
}

#[test]
fn what_was_done_last_is_taken_back_first_on_all_hosts() {
    let (mut bench, [a1, a2, b, c1, c2]) = going_back();
    assert!(
        is_undoing(&bench, c1) && is_undoing(&bench, c2),
        "half of it may be there"
    );
    undo_it(&mut bench, c1);
    assert!(
        !is_undoing(&bench, b),
        "`c` is still there on the other host"
    );
    undo_it(&mut bench, c2);
    assert!(is_undoing(&bench, b) && !is_undoing(&bench, a1));
    undo_it(&mut bench, b);
    undo_it(&mut bench, a2);
    assert_eq!(bench.end(), None);
    undo_it(&mut bench, a1);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
    assert!(RunResult::RolledBack.is_final());
}

#[test]
fn a_failed_undo_stops_the_way_back_and_is_tried_again_on_resume() {
    let (mut bench, [a1, a2, b, c1, c2]) = going_back();
    let unit = bench.undoing(c1);
    bench.undo_ended(&unit, failure(FailureKind::Apply));
    undo_it(&mut bench, c2);
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.state().stopping, Some(StopReason::Undo(c1)));
    assert!(bench.state().undos[&c1].failure.is_some());
    assert!(!is_undoing(&bench, b));
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.ready("h2");
    for node in [c1, b, a1, a2] {
        undo_it(&mut bench, node);
    }
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
}

#[test]
fn a_controller_that_dies_on_the_way_back_is_followed_by_one_that_goes_on() {
    let (mut bench, [_, _, b, c1, c2]) = going_back();
    undo_it(&mut bench, c2);
    let unit = bench.undoing(c1);
    bench.send(Input::Launched { unit: unit.clone() });
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.ready("h2");
    assert!(bench.attended(&unit));
    bench.ended(&unit, done());
    bench.undo_looked(c1, differs());
    assert!(is_undoing(&bench, b));
}

#[test]
fn ctrl_c_stops_the_way_back_and_resume_goes_on_back() {
    let (mut bench, [_, _, b, c1, c2]) = going_back();
    bench.send(Input::Interrupt);
    undo_it(&mut bench, c1);
    undo_it(&mut bench, c2);
    assert_eq!(bench.end(), Some(RunResult::Stopped));
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.ready("h2");
    assert!(is_undoing(&bench, b));
}

#[test]
fn a_host_that_is_needed_to_go_back_is_reached_before_anything_is_taken_back() {
    let (bench, [.., c1, _]) = failed();
    let mut bench = bench.roll_back(None);
    bench.ready("h1");
    bench.unusable("h2");
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert!(!is_undoing(&bench, c1));
}

#[test]
fn what_cannot_be_taken_back_stays() {
    let mut sketch = Sketch::new();
    let a = sketch.ordinary("a", "h1");
    let mail = sketch.instance("mail", "h1", TypeKind::Always, InDoubt::Ask);
    let kept = sketch.ordinary("kept", "h1");
    let last = sketch.ordinary("last", "h1");
    sketch.requires(a, mail);
    sketch.requires(mail, kept);
    sketch.requires(kept, last);
    sketch.step(kept).undo_none = true;
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    do_it(&mut bench, a);
    let unit = bench.launched(mail);
    bench.ended(&unit, done());
    do_it(&mut bench, kept);
    fail(&mut bench, last);
    let mut bench = bench.roll_back(None);
    bench.ready("h1");
    undo_it(&mut bench, last);
    undo_it(&mut bench, a);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
    assert!(!is_undoing(&bench, mail) && !is_undoing(&bench, kept));
}

/// Two phases of one step each; the second one has failed.
fn phases() -> (Bench, [NodeIx; 2]) {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let begin = sketch.phase("two", false);
    let b = sketch.ordinary("b", "h1");
    sketch.order(a, begin);
    sketch.order(begin, b);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    do_it(&mut bench, a);
    fail(&mut bench, b);
    (bench, [a, b])
}

#[test]
fn going_back_to_a_phase_leaves_it_and_goes_forward_again() {
    let (bench, [a, b]) = phases();
    let mut bench = bench.roll_back(Some("one"));
    bench.ready("h1");
    undo_it(&mut bench, b);
    assert_eq!(bench.end(), Some(RunResult::SteppedBack));
    assert!(!is_undoing(&bench, a));
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(bench.looking(b), Some(Purpose::Before));
    do_it(&mut bench, b);
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

/// The second phase is taken back, and its step begins anew.
fn stepped_back() -> (Bench, [NodeIx; 2]) {
    let (bench, [a, b]) = phases();
    let mut bench = bench.roll_back(Some("one"));
    bench.ready("h1");
    undo_it(&mut bench, b);
    assert_eq!(bench.end(), Some(RunResult::SteppedBack));
    (bench, [a, b])
}

#[test]
fn what_was_taken_back_before_it_was_looked_at_begins_anew() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let begin = sketch.phase("two", false);
    let b = sketch.ordinary("b", "h1");
    sketch.order(a, begin);
    sketch.order(begin, b);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    do_it(&mut bench, a);
    bench.looked(b, differs());
    let unit = bench.launched(b);
    let mut bench = bench.crash().roll_back(Some("one"));
    bench.ready("h1");
    // It had its effect, and no check has seen that.
    bench.ended(&unit, done());
    undo_it(&mut bench, b);
    assert_eq!(bench.end(), Some(RunResult::SteppedBack));
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(bench.looking(b), Some(Purpose::Before));
    do_it(&mut bench, b);
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_was_taken_back_and_not_done_again_is_not_taken_back_again() {
    let (bench, [a, b]) = stepped_back();
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.send(Input::Interrupt);
    bench.looked(b, differs());
    assert_eq!(bench.end(), Some(RunResult::Stopped));
    let mut bench = bench.roll_back(None);
    bench.ready("h1");
    undo_it(&mut bench, a);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
    assert_eq!(bench.words().iter().filter(|w| **w == "undone").count(), 2);
}

#[test]
fn what_was_taken_back_and_done_again_is_taken_back_again() {
    let (bench, [a, b]) = stepped_back();
    let mut bench = bench.resume();
    bench.ready("h1");
    fail(&mut bench, b);
    let mut bench = bench.roll_back(None);
    bench.ready("h1");
    undo_it(&mut bench, b);
    undo_it(&mut bench, a);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
}

#[test]
fn an_undo_that_an_ending_began_keeps_nobody_from_stopping_on_the_way_back() {
    let mut sketch = Sketch::new();
    let freeze = sketch.ordinary("freeze", "h1");
    let work = sketch.ordinary("work", "h2");
    sketch.requires(freeze, work);
    sketch.step(freeze).hold = Some(Hold {
        release: Vec::new(),
        on_failure: HoldOnFailure::Release,
        max_ms: None,
    });
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    let released = bench.undoing(freeze);
    let mut bench = bench.crash().roll_back(None);
    bench.ready("h1");
    bench.ready("h2");
    bench.undo_ended(&released, done());
    let unit = bench.undoing(work);
    bench.undo_ended(&unit, failure(FailureKind::Apply));
    // The way back ends here, and this ending releases what the other one has begun to.
    bench.undo_looked(freeze, differs());
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.resume();
    bench.ready("h2");
    undo_it(&mut bench, work);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
}

#[test]
fn a_run_that_has_succeeded_in_the_meantime_is_not_taken_back() {
    let mut world = World::new(one_step(), vec![Behaviour::default()], 0);
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    let events = world.journal.len();
    let ending = world.roll_back(None);
    assert!(matches!(ending, Ending::Fault(text) if text.contains("has succeeded")));
    assert_eq!(world.journal.len(), events);
}

#[test]
fn a_run_without_records_has_nothing_to_take_back() {
    let plan = one_step();
    let graph = Frozen::new(&plan).unwrap();
    let scope = rollback::scope(&plan, &graph, &RunState::default(), None).unwrap();
    assert_eq!(scope, Scope::default());
}

#[test]
fn a_procedure_replaces_the_undos() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let begin = sketch.phase("back", false);
    sketch.last_phase().part = Part::Rollback;
    let restore = sketch.ordinary("restore", "h1");
    let start = sketch.ordinary("start", "h1");
    sketch.order(begin, restore);
    sketch.requires(restore, start);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    fail(&mut bench, a);
    assert_eq!(bench.stage(restore), Stage::Waiting);
    let mut bench = bench.roll_back(None);
    bench.ready("h1");
    do_it(&mut bench, restore);
    fail(&mut bench, start);
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.resume();
    bench.ready("h1");
    do_it(&mut bench, start);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
    assert!(!is_undoing(&bench, a));
}

#[test]
fn a_blocked_step_of_the_procedure_waits() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    sketch.phase("back", false);
    sketch.last_phase().part = Part::Rollback;
    let restore = sketch.ordinary("restore", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    let step = || "restore".to_owned();
    assert_eq!(bench.order(Command::Block { step: step() }), None);
    fail(&mut bench, a);
    let mut bench = bench.roll_back(None);
    bench.ready("h1");
    assert_eq!((bench.end(), bench.stage(restore)), (None, Stage::Waiting));
    assert_eq!(bench.order(Command::Unblock { step: step() }), None);
    do_it(&mut bench, restore);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
}

#[test]
fn what_is_in_doubt_is_not_done_again_on_the_way_forward() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let begin = sketch.phase("two", false);
    let mail = sketch.instance("mail", "h1", TypeKind::Always, InDoubt::Ask);
    sketch.order(a, begin);
    sketch.order(begin, mail);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    do_it(&mut bench, a);
    let unit = bench.launched(mail);
    let found = UnitFound::Lost("it was killed".into());
    bench.send(Input::UnitState { unit, found });
    assert_eq!(bench.failed(mail), Some(FailureKind::InDoubt));
    let mut bench = bench.roll_back(Some("one"));
    bench.ready("h1");
    assert_eq!(bench.end(), Some(RunResult::SteppedBack));
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(bench.end(), Some(RunResult::Failed), "a person has to tell");
    assert_eq!(bench.failed(mail), Some(FailureKind::InDoubt));
}

#[test]
fn a_rollback_takes_the_place_of_what_followed_on_an_ending() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let b = sketch.ordinary("b", "h1");
    sketch.requires(a, b);
    sketch.phase("finally", false);
    sketch.last_phase().part = Part::Finally;
    let last = sketch.ordinary("last", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    do_it(&mut bench, a);
    fail(&mut bench, b);
    assert_eq!(bench.looking(last), Some(Purpose::Before));
    let mut bench = bench.crash().roll_back(None);
    bench.ready("h1");
    undo_it(&mut bench, b);
    undo_it(&mut bench, a);
    bench.looked(last, satisfied());
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
}

#[test]
fn a_run_of_which_nothing_has_happened_is_not_taken_back() {
    let mut world = World::new(one_step(), vec![Behaviour::default()], 0);
    let ending = world.roll_back(None);
    assert!(matches!(ending, Ending::Fault(text) if text.contains("nothing to take back")));
}

fn one_step() -> runbook_model::Plan {
    let mut sketch = Sketch::new();
    sketch.ordinary("a", "h1");
    sketch.done()
}
