//! A rollback that follows a gate by itself: an answer or a deadline decides it, and whoever goes on
//! with the run goes back, wherever the controller before had died.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, do_it, order, satisfied, undo_it};
use runbook_exec::dispatcher::Input;
use runbook_exec::world::Sketch;
use runbook_model::event::AttemptEnd;
use runbook_model::gate::{Approve, Follow, Said, Terms};
use runbook_model::step::{Hold, HoldOnFailure};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{AttemptId, Command, Event, FailureKind, NodeIx, Outcome, RunResult};
use serde_json::json;

/// `a`, then the gate, then `b`; each in a phase of its own.
fn sketch() -> (Sketch, [NodeIx; 3]) {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let begin = sketch.phase("two", false);
    sketch.order(a, begin);
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    sketch.order(begin, gate);
    let begin = sketch.phase("three", false);
    sketch.order(gate, begin);
    let b = sketch.ordinary("b", "h1");
    sketch.order(begin, b);
    (sketch, [a, gate, b])
}

fn terms() -> Approve {
    let options = [("go", Follow::Continue), ("back", Follow::Rollback)];
    Approve {
        options: options.map(|(name, of)| (name.to_owned(), of)).into(),
        ..Approve::default()
    }
}

fn late() -> Approve {
    Approve {
        deadline: Some(4_000_000_000_000),
        on_deadline: Follow::Rollback,
        ..terms()
    }
}

/// The gate is asked, and `a` is done.
fn asked(terms: Approve) -> (Bench, [NodeIx; 3]) {
    let (sketch, nodes) = sketch();
    let terms = Terms::Approve(terms);
    let mut bench = Bench::with(sketch, |t| drop(t.terms.insert(nodes[1], terms)));
    ready(&mut bench);
    do_it(&mut bench, nodes[0]);
    assert_eq!(bench.stage(nodes[1]), Stage::Asking);
    (bench, nodes)
}

fn ready(bench: &mut Bench) {
    bench.ready("control");
    bench.ready("h1");
}

/// Its attempt is under way.
fn begin(bench: &mut Bench, node: NodeIx) -> AttemptId {
    bench.looked(node, differs());
    bench.launched(node)
}

fn end(bench: &mut Bench, node: NodeIx, unit: &AttemptId) {
    let outputs = Default::default();
    bench.ended(unit, AttemptEnd::Completed { outputs });
    bench.looked(node, satisfied());
}

fn back() -> Said {
    Said::Choice("back".into())
}

/// The order to go back that is in the journal: by whom, why, and which gate's.
fn begun(bench: &Bench) -> Option<(String, String, Option<String>)> {
    bench.events().iter().find_map(|event| match event {
        Event::Ordered { order, .. } => match &order.command {
            Command::RollBack { to: None, gate } => {
                Some((order.by.clone(), order.reason.clone(), gate.clone()))
            }
            _ => None,
        },
        _ => None,
    })
}

/// Whoever goes on takes back `a`, and `b` never begins.
fn goes_back(mut bench: Bench, [a, _, b]: [NodeIx; 3]) -> Bench {
    assert!(begun(&bench).is_some(), "{:?}", bench.words());
    bench.ready("h1");
    bench.ready("control");
    undo_it(&mut bench, a);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
    assert_eq!(bench.stage(b), Stage::Waiting);
    bench
}

#[test]
fn an_answer_takes_the_run_back() {
    let (mut bench, nodes) = asked(terms());
    bench.say(nodes[1], back(), "ann on desk");
    assert_eq!(bench.failed(nodes[1]), Some(FailureKind::Refused));
    assert_eq!(bench.end(), Some(RunResult::Refused));
    assert!(bench.goes_back() && begun(&bench).is_none());
    let bench = goes_back(bench.resume(), nodes);
    let (by, reason, gate) = begun(&bench).unwrap();
    assert_eq!(by, "ann on desk");
    assert_eq!(reason, "said `back` at gate@control");
    assert_eq!(gate.as_deref(), Some("gate@control"));
    assert!(!bench.goes_back());
    let over = bench.state().rolled_back.clone().unwrap();
    assert_eq!(over.gate, gate);
    assert_eq!(
        bench.state().nodes[nodes[1].at()].outputs["option"],
        json!("back")
    );
}

#[test]
fn a_deadline_takes_the_run_back() {
    let (mut bench, nodes) = asked(late());
    bench.wake();
    assert_eq!(bench.end(), Some(RunResult::Refused));
    assert!(bench.goes_back());
    assert!(bench.state().nodes[nodes[1].at()].outputs.is_empty());
    let bench = goes_back(bench.resume(), nodes);
    let (by, reason, _) = begun(&bench).unwrap();
    assert_eq!(by, "the clock");
    assert!(
        reason.starts_with("nobody had decided at gate@control by "),
        "{reason}"
    );
}

#[test]
fn a_deadline_that_stops_and_a_no_take_nothing_back() {
    let stops = Approve {
        on_deadline: Follow::Stop,
        ..late()
    };
    let (mut bench, _) = asked(stops);
    bench.wake();
    assert!(bench.end().is_some() && !bench.goes_back());
    let (mut bench, nodes) = asked(late());
    bench.say(nodes[1], Said::Choice("no".into()), "ann");
    assert!(bench.end().is_some() && !bench.goes_back());
    let mut bench = bench.resume();
    ready(&mut bench);
    assert_eq!(bench.stage(nodes[1]), Stage::Asking, "it is asked again");
    assert!(begun(&bench).is_none());
}

#[test]
fn one_of_many_is_enough_and_whoever_runs_it_may() {
    let (mut bench, nodes) = asked(Approve {
        approvers: 3,
        not_runner: true,
        ..terms()
    });
    bench.say(nodes[1], Said::Choice("go".into()), "ann");
    let runner = bench.state().controller.clone().unwrap().user;
    bench.say(nodes[1], back(), &runner);
    assert!(bench.goes_back());
    goes_back(bench.resume(), nodes);
}

#[test]
fn wherever_the_controller_dies_after_the_answer_the_next_one_goes_back() {
    for word in ["said", "answered", "stopping", "closed"] {
        let (mut bench, nodes) = asked(terms());
        bench.say(nodes[1], back(), "ann");
        let bench = bench.crash_after(word);
        assert_eq!(begun(&bench).unwrap().0, "ann", "{word}");
        goes_back(bench, nodes);
    }
    for word in ["answered", "stopping", "closed"] {
        let (mut bench, nodes) = asked(late());
        bench.wake();
        let bench = bench.crash_after(word);
        assert_eq!(begun(&bench).unwrap().0, "the clock", "{word}");
        goes_back(bench, nodes);
    }
}

#[test]
fn a_second_death_before_it_is_ordered_changes_nothing() {
    let (mut bench, nodes) = asked(terms());
    bench.say(nodes[1], back(), "ann");
    let bench = bench.resume();
    // The next controller has opened the run, and no more.
    goes_back(bench.crash_before("ordered"), nodes);
}

/// Somebody says `back` while another step is under way on another host.
fn said_beside() -> (Bench, [NodeIx; 3], NodeIx, AttemptId) {
    let (mut sketch, nodes) = sketch();
    let aside = sketch.ordinary("aside", "h2");
    let [_, gate, _] = nodes;
    let terms = Terms::Approve(terms());
    let mut bench = Bench::with(sketch, |t| drop(t.terms.insert(gate, terms)));
    ready(&mut bench);
    bench.ready("h2");
    do_it(&mut bench, nodes[0]);
    let unit = begin(&mut bench, aside);
    bench.say(gate, back(), "ann");
    (bench, nodes, aside, unit)
}

#[test]
fn what_is_under_way_ends_first() {
    let (mut bench, nodes, aside, unit) = said_beside();
    assert_eq!(bench.end(), None);
    end(&mut bench, aside, &unit);
    assert_eq!(bench.end(), Some(RunResult::Refused));
    let mut bench = bench.resume();
    ready(&mut bench);
    bench.ready("h2");
    undo_it(&mut bench, aside);
    undo_it(&mut bench, nodes[0]);
    assert_eq!(bench.end(), Some(RunResult::RolledBack));
}

#[test]
fn whoever_wants_to_stop_is_heard_and_a_resume_still_goes_back() {
    for stop in [
        Input::Interrupt,
        Input::Detach,
        Input::Ordered(order("p", Command::Pause { before: None })),
        Input::Ordered(order("c", Command::Cancel)),
    ] {
        let (mut bench, _, aside, unit) = said_beside();
        bench.send(stop.clone());
        if bench.end().is_none() {
            end(&mut bench, aside, &unit);
        }
        assert!(bench.end().is_some() && !bench.goes_back(), "{stop:?}");
        assert!(bench.state().due.is_some());
        assert!(begun(&bench.resume()).is_some());
    }
}

#[test]
fn a_person_may_take_back_a_part_instead_and_is_asked_again() {
    for word in ["said", "answered", "closed"] {
        let (mut bench, nodes) = asked(terms());
        bench.say(nodes[1], back(), "ann");
        let mut bench = bench.roll_back_after(word, "one");
        ready(&mut bench);
        assert_eq!(bench.end(), Some(RunResult::SteppedBack), "{word}");
        let mut bench = bench.resume();
        ready(&mut bench);
        assert_eq!(bench.stage(nodes[1]), Stage::Asking, "{word}");
    }
}

#[test]
fn the_answer_that_people_agree_on_is_an_output() {
    let (mut bench, nodes) = asked(Approve {
        approvers: 2,
        ..terms()
    });
    bench.say(nodes[1], Said::Choice("go".into()), "ann");
    bench.say(nodes[1], Said::Choice("go".into()), "bob");
    let outputs = &bench.state().nodes[nodes[1].at()].outputs;
    assert_eq!(outputs["option"], json!("go"));
}

/// Somebody says `go` while no controller is there, and the next one begins when the deadline is over.
fn said_at(at: Option<i64>) -> (Bench, [NodeIx; 3]) {
    let (bench, nodes) = asked(Approve {
        deadline: Some(15_000_000),
        on_deadline: Follow::Rollback,
        ..terms()
    });
    let question = bench.state().nodes[nodes[1].at()].question.clone().unwrap();
    let mut bench = bench.crash();
    let command = Command::Answer {
        what: "gate".into(),
        said: Said::Choice("go".into()),
        question: question.mark(),
        at,
    };
    bench.send(Input::Ordered(order("said", command)));
    ready(&mut bench);
    (bench, nodes)
}

#[test]
fn an_answer_that_was_given_in_time_counts_however_late_it_is_read() {
    let (bench, [_, gate, b]) = said_at(Some(14_999_999));
    assert_eq!(bench.outcome(gate), Some(Outcome::Passed));
    assert!(bench.looking(b).is_some() && !bench.goes_back());
}

#[test]
fn an_answer_that_was_given_too_late_is_refused() {
    for at in [Some(15_000_000), None] {
        let (bench, [_, gate, _]) = said_at(at);
        assert_eq!(bench.failed(gate), Some(FailureKind::Refused));
        assert!(bench.goes_back());
        let refused = |event: &Event| matches!(event, Event::OrderRefused { .. });
        assert!(bench.events().iter().any(refused), "{:?}", bench.words());
    }
}

#[test]
fn who_only_releases_something_takes_nothing_else_back() {
    let (sketch, nodes) = sketch();
    let mut sketch = sketch;
    sketch.step(nodes[0]).hold = Some(Hold {
        release: Vec::new(),
        on_failure: HoldOnFailure::Keep,
        max_ms: None,
    });
    let terms = Terms::Approve(terms());
    let mut bench = Bench::with(sketch, |t| drop(t.terms.insert(nodes[1], terms)));
    ready(&mut bench);
    do_it(&mut bench, nodes[0]);
    bench.say(nodes[1], back(), "ann on desk");
    assert!(bench.goes_back());
    let mut bench = bench.release(nodes[0]);
    bench.ready("h1");
    undo_it(&mut bench, nodes[0]);
    assert!(bench.end().is_some());
    assert!(!bench.goes_back() && bench.state().due.is_some());
}
