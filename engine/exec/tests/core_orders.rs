//! Orders from outside: pauses, blocks, reruns, decisions about what failed, excluded hosts.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, do_it, fail, failure, order, satisfied};
use runbook_exec::abandon::records;
use runbook_exec::dispatcher::{Action, Input, UnitFound};
use runbook_exec::world::Sketch;
use runbook_model::event::{AttemptEnd, Purpose, StopReason};
use runbook_model::plan::Part;
use runbook_model::step::{Hold, HoldOnFailure, OnFailure};
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{Command, Epoch, FailureKind, HostName, NodeIx, Outcome, RunResult};

/// Three steps, one after the other.
fn three() -> (Bench, [NodeIx; 3]) {
    let mut sketch = Sketch::new();
    let (a, b, c) = (
        sketch.ordinary("a", "h1"),
        sketch.ordinary("b", "h1"),
        sketch.ordinary("c", "h1"),
    );
    sketch.requires(a, b);
    sketch.requires(b, c);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    (bench, [a, b, c])
}

/// An effect that no check can tell of, lost in a reboot, and its dependant.
fn in_doubt() -> (Bench, [NodeIx; 2]) {
    let mut sketch = Sketch::new();
    let a = sketch.instance("a", "h1", TypeKind::Always, InDoubt::Ask);
    let b = sketch.ordinary("b", "h1");
    sketch.requires(a, b);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    let unit = bench.launched(a);
    let mut bench = bench.crash();
    bench.ready_with("h1", "another boot", "machine of h1");
    bench.send(Input::UnitState {
        unit,
        found: UnitFound::Lost("it was killed".into()),
    });
    assert_eq!(bench.failed(a), Some(FailureKind::InDoubt));
    assert_eq!(bench.end(), Some(RunResult::Failed));
    (bench, [a, b])
}

fn what(id: &str) -> String {
    id.to_owned()
}

#[test]
fn a_pause_lets_what_runs_finish() {
    let (mut bench, [a, b, _]) = three();
    bench.looked(a, differs());
    let unit = bench.launched(a);
    assert_eq!(bench.order(Command::Pause { before: None }), None);
    bench.ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Stopped));
    assert_eq!(bench.stage(b), Stage::Waiting);
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(
        bench.looking(b),
        Some(Purpose::Before),
        "a pause is over when somebody resumes"
    );
}

#[test]
fn a_pause_before_a_step_ends_where_only_that_is_left() {
    let (mut bench, [a, b, c]) = three();
    assert_eq!(
        bench.order(Command::Pause {
            before: Some(what("c"))
        }),
        None
    );
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), None);
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Stopped));
    assert_eq!(
        bench.state().stopping,
        Some(StopReason::Paused(Some(what("c"))))
    );
    assert_eq!(bench.stage(c), Stage::Waiting);
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.looked(c, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_blocked_step_waits_over_a_resume_until_it_is_unblocked() {
    let (mut bench, [a, b, c]) = three();
    assert_eq!(bench.order(Command::Block { step: what("b") }), None);
    bench.looked(a, satisfied());
    assert_eq!((bench.stage(b), bench.end()), (Stage::Waiting, None));
    let mut bench = bench.crash();
    bench.ready("h1");
    assert_eq!((bench.stage(b), bench.end()), (Stage::Waiting, None));
    assert_eq!(bench.order(Command::Unblock { step: what("b") }), None);
    bench.looked(b, satisfied());
    bench.looked(c, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_is_blocked_does_not_keep_anybody_from_stopping() {
    let (mut bench, [a, ..]) = three();
    bench.order(Command::Block { step: what("b") });
    bench.looked(a, satisfied());
    bench.send(Input::Interrupt);
    assert_eq!(bench.end(), Some(RunResult::Stopped));
}

#[test]
fn an_order_that_makes_no_sense_is_refused_with_its_reason() {
    let (mut bench, [a, ..]) = three();
    let mut refused = |command| bench.order(command).expect("a refusal");
    let answers = [
        refused(Command::Block { step: what("z") }),
        refused(Command::Unblock { step: what("b") }),
        refused(Command::Rerun { what: what("a@h1") }),
        refused(Command::Retry { what: what("b") }),
        refused(Command::Skip { what: what("zz") }),
        refused(Command::Kill { what: what("b") }),
        refused(Command::Done {
            what: what("a"),
            evidence: " ".into(),
        }),
        refused(Command::Exclude {
            host: HostName::new("h9").unwrap(),
        }),
        refused(Command::RollBack {
            to: None,
            gate: None,
        }),
        refused(Command::Abandon),
    ];
    insta::assert_snapshot!(answers.join("\n"));
    assert_eq!(
        bench.looking(a),
        Some(Purpose::Before),
        "nothing has changed"
    );
}

#[test]
fn an_order_is_taken_in_once() {
    let (mut bench, _) = three();
    let order = core_bench_order();
    bench.send(Input::Ordered(order.clone()));
    bench.send(Input::Ordered(order));
    assert_eq!(bench.state().noted.len(), 1);
    assert_eq!(bench.words().iter().filter(|w| **w == "ordered").count(), 1);
}

fn core_bench_order() -> runbook_model::Order {
    runbook_model::Order {
        id: "same".into(),
        by: "ann".into(),
        reason: "the disk makes noises".into(),
        command: Command::Note,
    }
}

#[test]
fn a_rerun_does_only_that_instance_again() {
    let (mut bench, [a, b, c]) = three();
    bench.looked(a, satisfied());
    assert_eq!(bench.looking(b), Some(Purpose::Before));
    assert_eq!(bench.order(Command::Rerun { what: what("a@h1") }), None);
    assert_eq!(bench.looking(a), Some(Purpose::Before));
    bench.apply(a);
    bench.looked(a, satisfied());
    bench.looked(b, satisfied());
    bench.looked(c, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert_eq!(bench.state().nodes[a.at()].generation, 2);
    assert_eq!(bench.state().nodes[b.at()].generation, 1);
}

#[test]
fn what_is_in_doubt_is_tried_again_only_if_somebody_says_so() {
    let (bench, [a, b]) = in_doubt();
    let mut bench = bench.resume();
    bench.ready_with("h1", "another boot", "machine of h1");
    assert_eq!(bench.end(), Some(RunResult::Failed), "nobody has decided");
    let mut bench = bench.resume();
    assert_eq!(bench.order(Command::Retry { what: what("a@h1") }), None);
    bench.ready_with("h1", "another boot", "machine of h1");
    let unit = bench.launched(a);
    bench.ended(
        &unit,
        AttemptEnd::Completed {
            outputs: Default::default(),
        },
    );
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_is_in_doubt_is_done_where_somebody_has_evidence() {
    let (bench, [a, b]) = in_doubt();
    let mut bench = bench.resume();
    let done = Command::Done {
        what: what("a@h1"),
        evidence: "the table is there".into(),
    };
    assert_eq!(bench.order(done), None);
    bench.ready_with("h1", "another boot", "machine of h1");
    assert!(
        matches!(bench.outcome(a), Some(Outcome::ByHand { evidence, .. }) if evidence == "the table is there")
    );
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert_eq!(bench.state().open_attempts().count(), 0);
}

#[test]
fn what_failed_is_left_out_where_that_endangers_nobody() {
    let (mut bench, [a, b, _]) = three();
    fail(&mut bench, a);
    let mut bench = bench.resume();
    assert_eq!(bench.order(Command::Skip { what: what("a@h1") }), None);
    bench.ready("h1");
    assert!(
        matches!(bench.outcome(a), Some(Outcome::Skipped { reason }) if reason == "by ann: because")
    );
    assert_eq!(bench.looking(b), Some(Purpose::Before));
}

#[test]
fn one_person_does_not_wave_a_probe_through() {
    let mut sketch = Sketch::new();
    let probe = sketch.probe("healthy", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(probe, differs());
    let mut bench = bench.resume();
    let refused = bench.order(Command::Skip {
        what: what("healthy@h1"),
    });
    assert_eq!(
        refused.unwrap(),
        "`healthy@h1` is a probe: passing it needs a second person"
    );
    let done = Command::Done {
        what: what("healthy@h1"),
        evidence: "I saw it".into(),
    };
    assert_eq!(
        bench.order(done).unwrap(),
        "`healthy@h1` is a probe: passing it needs a second person"
    );
}

/// The same step on two hosts, and one that needs both.
fn two_hosts() -> (Bench, [NodeIx; 3]) {
    let mut sketch = Sketch::new();
    let one = sketch.ordinary("stop", "h1");
    let two = sketch.also_on(one, "h2");
    let after = sketch.ordinary("after", "h1");
    sketch.requires(one, after);
    sketch.requires(two, after);
    (Bench::open(sketch), [one, two, after])
}

#[test]
fn a_run_goes_on_without_an_excluded_host() {
    let (mut bench, [one, two, after]) = two_hosts();
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(two, differs());
    let unit = bench.launched(two);
    bench.lost("h2");
    assert_eq!(
        bench.order(Command::Exclude {
            host: HostName::new("h2").unwrap()
        }),
        None
    );
    bench.looked(one, satisfied());
    assert!(matches!(bench.outcome(two), Some(Outcome::Excluded { .. })));
    bench.looked(after, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
    assert!(bench.state().attempts[&unit].end.is_some());
}

#[test]
fn an_excluded_host_is_not_reached_again() {
    let (mut bench, [one, _, after]) = two_hosts();
    bench.ready("h1");
    bench.unusable("h2");
    assert_eq!(bench.end(), Some(RunResult::Failed));
    let mut bench = bench.resume();
    bench.ready("h1");
    assert_eq!(
        bench.order(Command::Exclude {
            host: HostName::new("h2").unwrap()
        }),
        None
    );
    bench.looked(one, satisfied());
    let mut bench = bench.crash();
    let h2 = HostName::new("h2").unwrap();
    assert!(!bench.did(&Action::Ready { host: h2 }));
    bench.ready("h1");
    bench.looked(after, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_runs_is_killed_only_by_order() {
    let (mut bench, [a, ..]) = three();
    bench.looked(a, differs());
    let unit = bench.launched(a);
    assert_eq!(bench.order(Command::Kill { what: what("a") }), None);
    let host = HostName::new("h1").unwrap();
    assert!(bench.did(&Action::Kill {
        unit: unit.clone(),
        node: a,
        host
    }));
    bench.ended(&unit, failure(FailureKind::Cancelled));
    assert_eq!(bench.failed(a), Some(FailureKind::Cancelled));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn a_run_up_to_a_phase_ends_there_and_can_be_gone_on_with() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let end = sketch.barrier("end");
    sketch.order(a, end);
    let begin = sketch.phase("two", false);
    sketch.order(end, begin);
    let b = sketch.ordinary("b", "h1");
    sketch.order(begin, b);
    let mut bench = Bench::until(sketch, 0);
    bench.ready("h1");
    bench.looked(a, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Reached));
    let mut bench = bench.resume_without_limit();
    bench.ready("h1");
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn an_abandoned_run_is_over_and_keeps_what_it_holds() {
    let mut sketch = Sketch::new();
    let freeze = sketch.ordinary("freeze", "h1");
    let work = sketch.ordinary("work", "h1");
    sketch.requires(freeze, work);
    sketch.step(freeze).hold = Some(Hold {
        release: Vec::new(),
        on_failure: HoldOnFailure::Keep,
        max_ms: None,
    });
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    do_it(&mut bench, freeze);
    fail(&mut bench, work);
    let before = bench.state();
    let controller = before.controller.clone().unwrap();
    let (made, after) = records(
        before,
        Epoch(2),
        controller,
        order("over", Command::Abandon),
        bench.now,
    )
    .unwrap();
    assert_eq!(made.len(), 3);
    assert_eq!(after.result, Some(RunResult::Abandoned));
    assert!(after.orders.contains("over"));
    assert_eq!(after.held().count(), 1);
    assert_eq!(after.nodes, before.nodes, "nothing else is changed");
    let old = order("late", Command::Abandon);
    let controller = before.controller.clone().unwrap();
    assert!(records(&after, Epoch(1), controller, old, bench.now).is_err());
}

#[test]
fn an_order_that_comes_before_the_hosts_does_not_hurry() {
    let (mut bench, [one, two, _]) = two_hosts();
    bench.ready("h1");
    bench.ready("h2");
    bench.apply(one);
    bench.looked(two, differs());
    let mut bench = bench.crash_after("ended");
    let step = || what("after");
    assert_eq!(bench.order(Command::Block { step: step() }), None);
    assert_eq!(bench.order(Command::Unblock { step: step() }), None);
    bench.ready("h1");
    assert_eq!(bench.looking(one), None, "not every host has answered");
    bench.ready("h2");
    assert_eq!(bench.looking(one), Some(Purpose::After));
}

/// A step has ended, and what follows on every ending is under way.
fn ending() -> (Bench, NodeIx) {
    let mut sketch = Sketch::new();
    sketch.phase("main", false);
    let a = sketch.ordinary("a", "h1");
    sketch.phase("finally", false);
    sketch.last_phase().part = Part::Finally;
    let last = sketch.ordinary("last", "h1");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, satisfied());
    assert_eq!(bench.looking(last), Some(Purpose::Before));
    (bench, last)
}

#[test]
fn what_follows_on_every_ending_is_not_paused() {
    let (mut bench, last) = ending();
    let refused = bench.order(Command::Pause { before: None });
    assert_eq!(
        refused.unwrap(),
        "the procedure is over: what follows on its ending is under way"
    );
    bench.looked(last, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_follows_on_every_ending_is_gone_on_with_after_an_early_interrupt() {
    let (bench, last) = ending();
    let mut bench = bench.crash();
    bench.send(Input::Interrupt);
    assert_eq!(bench.end(), Some(RunResult::Stopped));
    let mut bench = bench.resume();
    bench.ready("h1");
    bench.looked(last, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn nothing_is_tried_again_after_a_success() {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    sketch.last_phase().on_failure = OnFailure::Continue;
    sketch.last_phase().max_failures = 1;
    let a = sketch.ordinary("a", "h1");
    let b = sketch.ordinary("b", "h2");
    sketch.phase("finally", false);
    sketch.last_phase().part = Part::Finally;
    let last = sketch.ordinary("last", "h2");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    fail(&mut bench, a);
    assert!(matches!(bench.outcome(a), Some(Outcome::Left(_))));
    bench.looked(b, satisfied());
    assert_eq!(bench.looking(last), Some(Purpose::Before));
    assert_eq!(
        bench.order(Command::Retry { what: what("a@h1") }).unwrap(),
        "the procedure is over: what follows on its ending is under way"
    );
    bench.looked(last, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}
