//! Holds: who holds what, who releases it, and undos.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, do_it, fail, problem, satisfied};
use runbook_exec::world::{Behaviour, Ending, Sketch, World};
use runbook_model::event::{AttemptEnd, HeldHow, Purpose, ReleasedBy, Verdict};
use runbook_model::plan::Part;
use runbook_model::step::{Hold, HoldOnFailure};
use runbook_model::transition::Stage;
use runbook_model::{Event, FailureKind, NodeIx, Outcome, RunResult};

/// A freeze, a step in it, and its end.
fn freeze(on_failure: HoldOnFailure, by_step: bool) -> (Sketch, [NodeIx; 3]) {
    let mut sketch = Sketch::new();
    let freeze = sketch.ordinary("freeze", "h1");
    let work = sketch.ordinary("work", "h1");
    let open = sketch.ordinary("open", "h1");
    sketch.requires(freeze, work);
    sketch.requires(work, open);
    let release = by_step.then(|| sketch.step_ix(open)).into_iter().collect();
    sketch.step(freeze).hold = Some(Hold {
        release,
        on_failure,
        max_ms: Some(1_000),
    });
    (sketch, [freeze, work, open])
}

fn opened(on_failure: HoldOnFailure, by_step: bool) -> (Bench, [NodeIx; 3]) {
    let (sketch, nodes) = freeze(on_failure, by_step);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    (bench, nodes)
}

fn how(bench: &Bench, node: NodeIx) -> HeldHow {
    bench.state().holds[&node].how
}

fn released(bench: &Bench, node: NodeIx) -> Option<ReleasedBy> {
    bench.state().holds[&node].released.map(|(_, by)| by)
}

#[test]
fn a_step_releases_what_is_held() {
    let (mut bench, [freeze, work, open]) = opened(HoldOnFailure::Keep, true);
    do_it(&mut bench, freeze);
    assert_eq!(how(&bench, freeze), HeldHow::Changed);
    bench.looked(work, satisfied());
    assert_eq!(released(&bench, freeze), None);
    do_it(&mut bench, open);
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Step(open)));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert!(!bench.words().contains(&"undoing"));
}

#[test]
fn what_was_so_already_is_not_taken_back() {
    let (mut bench, [freeze, work, _]) = opened(HoldOnFailure::Release, true);
    bench.looked(freeze, satisfied());
    assert_eq!(how(&bench, freeze), HeldHow::Already);
    fail(&mut bench, work);
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert!(!bench.words().contains(&"undoing"));
}

#[test]
fn a_hold_is_kept_when_the_run_fails() {
    let (mut bench, [freeze, work, _]) = opened(HoldOnFailure::Keep, true);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.state().held().count(), 1);
}

#[test]
fn a_hold_is_taken_back_where_it_says_so() {
    let (mut bench, [freeze, work, _]) = opened(HoldOnFailure::Release, true);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    assert_eq!(bench.end(), None);
    let words = bench.words();
    assert_eq!(words[words.len() - 2..], ["ending", "undoing"]);
    let unit = bench.undoing(freeze);
    bench.undo_ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    assert_eq!(bench.state().undos[&freeze].stage, Stage::Looking);
    bench.undo_looked(freeze, differs());
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Undo));
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert!(
        matches!(bench.outcome(freeze), Some(Outcome::Changed)),
        "what happened stays"
    );
}

#[test]
fn an_undo_that_took_nothing_back_has_failed() {
    let (mut bench, [freeze, work, _]) = opened(HoldOnFailure::Release, true);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    let unit = bench.undoing(freeze);
    bench.undo_ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.undo_looked(freeze, satisfied());
    let undo = &bench.state().undos[&freeze];
    assert_eq!(
        undo.failure.as_ref().unwrap().kind,
        FailureKind::NotConverged
    );
    assert_eq!(bench.state().held().count(), 1, "it is listed");
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn an_undo_of_unknown_effect_is_looked_at_before_it_is_repeated() {
    let (mut bench, [freeze, work, _]) = opened(HoldOnFailure::Release, true);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    let unit = bench.undoing(freeze);
    bench.undo_ended(&unit, AttemptEnd::Lost);
    bench.undo_looked(freeze, satisfied());
    assert_ne!(bench.undoing(freeze), unit, "another attempt");
    let unit = bench.undoing(freeze);
    bench.undo_ended(&unit, AttemptEnd::Lost);
    bench.undo_looked(freeze, differs());
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Undo));
}

#[test]
fn a_resume_settles_the_undo_that_its_controller_left() {
    let (mut bench, [freeze, work, _]) = opened(HoldOnFailure::Release, true);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    let unit = bench.undoing(freeze);
    let mut bench = bench.crash();
    bench.ready("h1");
    assert!(bench.attended(&unit));
    bench.undo_ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.undo_looked(freeze, differs());
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Undo));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn what_was_released_is_held_again_by_a_resume() {
    let (mut bench, [freeze, work, open]) = opened(HoldOnFailure::Release, true);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    let unit = bench.undoing(freeze);
    bench.undo_ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.undo_looked(freeze, differs());
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(bench.looking(freeze), Some(Purpose::Before));
    assert_eq!(bench.stage(work), Stage::Waiting);
    do_it(&mut bench, freeze);
    assert_eq!(how(&bench, freeze), HeldHow::Changed);
    assert_eq!(released(&bench, freeze), None);
    bench.looked(work, satisfied());
    do_it(&mut bench, open);
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn nothing_is_released_while_something_runs() {
    let (mut sketch, [freeze, work, _]) = freeze(HoldOnFailure::Release, true);
    sketch.step(work).critical = true;
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    do_it(&mut bench, freeze);
    bench.looked(work, differs());
    let unit = bench.launched(work);
    bench.send(runbook_exec::dispatcher::Input::OverTime { unit });
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert!(!bench.words().contains(&"undoing"));
}

#[test]
fn a_hold_until_the_end_ends_with_a_success() {
    let (mut bench, [freeze, work, open]) = opened(HoldOnFailure::Keep, false);
    do_it(&mut bench, freeze);
    bench.looked(work, satisfied());
    bench.looked(open, satisfied());
    let unit = bench.undoing(freeze);
    bench.undo_ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.undo_looked(freeze, differs());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_a_host_holds_that_is_away_after_a_success_is_listed() {
    let (mut bench, [freeze, work, open]) = opened(HoldOnFailure::Keep, false);
    do_it(&mut bench, freeze);
    bench.looked(work, satisfied());
    bench.looked(open, satisfied());
    bench.undoing(freeze);
    let mut bench = bench.crash();
    bench.unusable("h1");
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert_eq!(released(&bench, freeze), None);
    let state = bench.state();
    assert_eq!(
        (state.held().count(), state.open_attempts().count()),
        (1, 1),
        "what is held, and how far its undo came, is on record for a release by hand"
    );
}

#[test]
fn a_step_that_failed_after_it_began_may_hold() {
    let (mut bench, [freeze, ..]) = opened(HoldOnFailure::Keep, true);
    fail(&mut bench, freeze);
    assert_eq!(how(&bench, freeze), HeldHow::Partly);
}

#[test]
fn a_hold_that_lasts_too_long_is_said_once() {
    let (mut bench, [freeze, ..]) = opened(HoldOnFailure::Keep, true);
    do_it(&mut bench, freeze);
    bench.now += 5_000;
    bench.send(runbook_exec::dispatcher::Input::Tick);
    bench.send(runbook_exec::dispatcher::Input::Tick);
    let said = bench.words().iter().filter(|w| **w == "hold_over").count();
    assert_eq!(said, 1);
    assert!(bench.state().holds[&freeze].over);
}

/// A freeze and a step in it; what releases it follows on every ending.
fn freeze_to_the_ending(on_failure: HoldOnFailure) -> (Bench, [NodeIx; 3]) {
    let mut sketch = Sketch::new();
    sketch.phase("work", false);
    let freeze = sketch.ordinary("freeze", "h1");
    let work = sketch.ordinary("work", "h1");
    sketch.requires(freeze, work);
    sketch.phase("finally", false);
    sketch.last_phase().part = Part::Finally;
    let open = sketch.ordinary("open", "h1");
    let release = vec![sketch.step_ix(open)];
    sketch.step(freeze).hold = Some(Hold {
        release,
        on_failure,
        max_ms: None,
    });
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    (bench, [freeze, work, open])
}

#[test]
fn a_step_of_the_ending_releases_what_is_held() {
    let (mut bench, [freeze, work, open]) = freeze_to_the_ending(HoldOnFailure::Keep);
    do_it(&mut bench, freeze);
    bench.looked(work, satisfied());
    assert_eq!(released(&bench, freeze), None);
    do_it(&mut bench, open);
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Step(open)));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert!(!bench.words().contains(&"undoing"));
}

#[test]
fn a_step_of_the_ending_releases_after_a_failure_too() {
    let (mut bench, [freeze, work, open]) = freeze_to_the_ending(HoldOnFailure::Keep);
    bench.looked(freeze, satisfied());
    assert_eq!(how(&bench, freeze), HeldHow::Already);
    fail(&mut bench, work);
    bench.looked(open, satisfied());
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Step(open)));
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.state().held().count(), 0);
}

#[test]
fn a_step_of_the_ending_that_fails_releases_nothing() {
    let (mut bench, [freeze, work, open]) = freeze_to_the_ending(HoldOnFailure::Keep);
    do_it(&mut bench, freeze);
    bench.looked(work, satisfied());
    fail(&mut bench, open);
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert_eq!(bench.state().held().count(), 1, "it is listed");
}

#[test]
fn what_the_ending_released_is_held_again_by_a_resume_and_released_again() {
    let (mut bench, [freeze, work, open]) = freeze_to_the_ending(HoldOnFailure::Keep);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    do_it(&mut bench, open);
    assert_eq!(bench.state().held().count(), 0);
    let mut bench = bench.resume();
    // A clock that was set back makes nothing of the earlier ending count for this one.
    bench.now = 5;
    bench.ready("h1");
    assert_eq!(bench.looking(freeze), Some(Purpose::Before));
    assert_eq!(bench.stage(work), Stage::Waiting, "not without the hold");
    do_it(&mut bench, freeze);
    assert_eq!(released(&bench, freeze), None);
    bench.looked(work, satisfied());
    assert_eq!(released(&bench, freeze), None);
    do_it(&mut bench, open);
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Step(open)));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_release_by_the_ending_that_was_not_recorded_is_recorded_by_the_next_controller() {
    let (mut bench, [freeze, work, open]) = freeze_to_the_ending(HoldOnFailure::Keep);
    do_it(&mut bench, freeze);
    bench.looked(work, satisfied());
    do_it(&mut bench, open);
    let mut bench = bench.crash_before("released");
    bench.ready("h1");
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Step(open)));
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

/// A world in which the work in the freeze never succeeds.
fn failed(undo_fails_first: u32) -> (World, NodeIx) {
    let (sketch, [freeze, work, _]) = freeze(HoldOnFailure::Keep, true);
    let mut behaviours = vec![Behaviour::default(); 3];
    behaviours[work.at()].broken = true;
    behaviours[freeze.at()].undo_fails_first = undo_fails_first;
    let mut world = World::new(sketch.done(), behaviours, 1);
    assert_eq!(world.run(), Ending::Closed(RunResult::Failed));
    assert_eq!(world.state().unwrap().held().count(), 1);
    (world, freeze)
}

#[test]
fn a_person_releases_what_an_ended_run_holds() {
    let (mut world, freeze) = failed(0);
    assert_eq!(
        world.release(vec![freeze]),
        Ending::Closed(RunResult::Failed)
    );
    let state = world.state().unwrap();
    assert_eq!(state.held().count(), 0);
    assert!(!world.is_there(freeze));
    assert_eq!(state.release, None);
    let asked = |e: &Event| matches!(e, Event::ReleaseAsked { reason, .. } if reason == "because");
    assert!(world.journal.iter().any(|r| asked(&r.event)));
}

#[test]
fn a_release_that_failed_can_be_asked_for_again() {
    let (mut world, freeze) = failed(1);
    world.release(vec![freeze]);
    let state = world.state().unwrap();
    assert_eq!(state.held().count(), 1);
    assert!(state.undos[&freeze].failure.is_some());
    assert_eq!(
        world.release(vec![freeze]),
        Ending::Closed(RunResult::Failed)
    );
    let state = world.state().unwrap();
    assert_eq!(state.held().count(), 0);
    assert_eq!(state.undos[&freeze].failure, None);
}

#[test]
fn a_release_whose_controller_died_is_finished_by_the_next_one() {
    let (mut world, freeze) = failed(0);
    world.faults = runbook_exec::world::Faults {
        crash: 400,
        budget: 1,
        ..Default::default()
    };
    let mut endings = vec![world.release(vec![freeze])];
    while endings.last() == Some(&Ending::Crashed) {
        endings.push(match world.state().unwrap().result {
            Some(_) => world.release(vec![freeze]),
            None => world.run(),
        });
    }
    assert!(endings.contains(&Ending::Crashed));
    let state = world.state().unwrap();
    assert_eq!(
        (state.result, state.release),
        (Some(RunResult::Failed), None)
    );
}

#[test]
fn what_was_taken_back_is_not_taken_back_again_by_the_next_controller() {
    let (mut bench, [freeze, work, _]) = opened(HoldOnFailure::Release, true);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    let unit = bench.undoing(freeze);
    bench.undo_ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.undo_looked(freeze, differs());
    let mut bench = bench.crash_after("undone");
    assert_eq!(released(&bench, freeze), None);
    bench.ready("h1");
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Undo));
    let undos = bench.words().iter().filter(|w| **w == "undoing").count();
    assert_eq!(undos, 1);
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn what_was_taken_back_and_not_done_again_is_not_held_in_part() {
    let (mut bench, [freeze, work, _]) = opened(HoldOnFailure::Release, true);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    let unit = bench.undoing(freeze);
    let end = AttemptEnd::Completed {
        outputs: Default::default(),
    };
    bench.undo_ended(&unit, end);
    bench.undo_looked(freeze, differs());
    let mut bench = bench.resume();
    bench.ready("h1");
    // It is taken again, and that fails before it does anything.
    bench.looked(freeze, Verdict::Error(problem()));
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Undo));
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let undos = bench.words().iter().filter(|w| **w == "undoing").count();
    assert_eq!(undos, 1);
}

#[test]
fn what_an_ending_released_is_not_held_under_a_controller_that_leaves_at_once() {
    let (mut bench, [freeze, work, open]) = freeze_to_the_ending(HoldOnFailure::Keep);
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    do_it(&mut bench, open);
    let mut bench = bench.crash_before("released");
    bench.send(runbook_exec::dispatcher::Input::Interrupt);
    assert_eq!(bench.end(), Some(RunResult::Stopped));
    assert_eq!(released(&bench, freeze), Some(ReleasedBy::Step(open)));
}
