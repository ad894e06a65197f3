//! What failures do to others: recorded ones, hosts that leave a phase, budgets.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, failure, one, problem, satisfied};
use runbook_exec::world::Sketch;
use runbook_model::event::{Purpose, StopReason, Verdict};
use runbook_model::step::OnFailure;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{FailureKind, HostName, NodeIx, Outcome, RunResult};

/// Two probes, one after the other, on each of three hosts; then the end of the phase, and a step.
struct Look {
    first: [NodeIx; 3],
    second: [NodeIx; 3],
    end: NodeIx,
    next: NodeIx,
}

const HOSTS: [&str; 3] = ["h1", "h2", "h3"];

fn look(change: impl FnOnce(&mut Sketch)) -> (Sketch, Look) {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("look", false);
    change(&mut sketch);
    let a = sketch.probe("a", "h1");
    let first = [a, sketch.also_on(a, "h2"), sketch.also_on(a, "h3")];
    let b = sketch.probe("b", "h1");
    let second = [b, sketch.also_on(b, "h2"), sketch.also_on(b, "h3")];
    let end = sketch.barrier("end of look");
    for (a, b) in first.into_iter().zip(second) {
        sketch.order(begin, a);
        sketch.requires(a, b);
        sketch.order(b, end);
    }
    let phase = sketch.phase("next", false);
    sketch.order(end, phase);
    let next = sketch.ordinary("next", "h1");
    sketch.order(phase, next);
    (
        sketch,
        Look {
            first,
            second,
            end,
            next,
        },
    )
}

fn all_ready(bench: &mut Bench) {
    HOSTS.iter().for_each(|host| bench.ready(host));
}

fn finding() -> Verdict {
    Verdict::Differs(vec!["bad".into()])
}

#[test]
fn a_recorded_failure_counts_as_done() {
    let mut sketch = Sketch::new();
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h1"));
    sketch.step(a).on_failure = OnFailure::Continue;
    sketch.requires(a, b);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, Verdict::Error(problem()));
    assert!(matches!(bench.outcome(a), Some(Outcome::Recorded(_))));
    bench.looked(b, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn what_only_a_person_can_tell_is_not_only_recorded() {
    let (mut sketch, a) = one(|_, _| {});
    let b = sketch.instance("b", "h1", TypeKind::Always, InDoubt::Check);
    sketch.step(b).on_failure = OnFailure::Continue;
    sketch.requires(a, b);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.looked(a, satisfied());
    let unit = bench.launched(b);
    bench.ended(&unit, runbook_model::event::AttemptEnd::Lost);
    assert_eq!(bench.failed(b), Some(FailureKind::InDoubt));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn the_others_finish_a_phase_that_a_host_leaves_and_the_run_stops_at_its_end() {
    let (sketch, at) = look(|s| s.last_phase().on_failure = OnFailure::Continue);
    let mut bench = Bench::open(sketch);
    all_ready(&mut bench);
    bench.looked(at.first[1], finding());
    assert!(matches!(bench.outcome(at.first[1]), Some(Outcome::Left(_))));
    assert!(matches!(
        bench.outcome(at.second[1]),
        Some(Outcome::LeftOut { .. })
    ));
    for n in [0, 2] {
        bench.looked(at.first[n], satisfied());
        bench.looked(at.second[n], satisfied());
    }
    assert_eq!(bench.state().stopping, Some(StopReason::Budget(0)));
    assert_eq!(bench.end(), Some(RunResult::Failed));
    assert_eq!(bench.stage(at.next), Stage::Waiting);
    assert_eq!(bench.stage(at.end), Stage::Waiting);
}

#[test]
fn a_budget_lets_the_run_go_on_without_the_host() {
    let (sketch, at) = look(|s| {
        s.last_phase().on_failure = OnFailure::Continue;
        s.last_phase().max_failures = 1;
    });
    let mut bench = Bench::open(sketch);
    all_ready(&mut bench);
    bench.looked(at.first[1], finding());
    for n in [0, 2] {
        bench.looked(at.first[n], satisfied());
        bench.looked(at.second[n], satisfied());
    }
    bench.looked(at.next, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn one_failure_too_many_stops_at_once() {
    let (sketch, at) = look(|s| s.last_phase().max_failures = 1);
    let mut bench = Bench::open(sketch);
    all_ready(&mut bench);
    bench.looked(at.first[1], finding());
    assert_eq!(bench.state().stopping, None);
    bench.looked(at.first[2], finding());
    assert_eq!(bench.failed(at.first[2]), Some(FailureKind::Finding));
    assert_eq!(
        bench.state().stopping,
        Some(StopReason::Failure(at.first[2]))
    );
}

#[test]
fn two_failures_of_one_host_are_one() {
    let mut sketch = Sketch::new();
    sketch.phase("p", false);
    sketch.last_phase().max_failures = 1;
    let (a, b) = (sketch.probe("a", "h1"), sketch.probe("b", "h1"));
    let c = sketch.probe("c", "h2");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(a, finding());
    bench.looked(b, finding());
    assert_eq!(bench.state().stopping, None);
    bench.looked(c, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn so_many_hosts_must_not_have_failed_at_any_time() {
    let (sketch, at) = look(|s| {
        s.last_phase().on_failure = OnFailure::Continue;
        s.last_phase().max_failures = 3;
        s.last_phase().min_ok = 2;
    });
    let mut bench = Bench::open(sketch);
    all_ready(&mut bench);
    bench.looked(at.first[1], finding());
    assert_eq!(bench.state().stopping, None);
    bench.looked(at.first[0], finding());
    assert_eq!(
        bench.state().stopping,
        Some(StopReason::Failure(at.first[0]))
    );
}

#[test]
fn a_failure_of_the_controller_stops_the_run() {
    let mut sketch = Sketch::new();
    sketch.phase("p", false);
    sketch.last_phase().on_failure = OnFailure::Continue;
    sketch.last_phase().max_failures = 9;
    let a = sketch.probe("a", "control");
    let mut bench = Bench::open(sketch);
    bench.ready("control");
    bench.looked(a, finding());
    assert_eq!(bench.failed(a), Some(FailureKind::Finding));
}

#[test]
fn who_decides_for_all_does_not_decide_without_what_it_needs() {
    let mut sketch = Sketch::new();
    sketch.phase("p", false);
    sketch.last_phase().on_failure = OnFailure::Continue;
    sketch.last_phase().max_failures = 1;
    let a = sketch.probe("a", "h1");
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    sketch.requires(a, gate);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("control");
    bench.looked(a, finding());
    assert_eq!(bench.failed(gate), Some(FailureKind::Requires));
    assert_eq!(bench.end(), Some(RunResult::Failed));
}

#[test]
fn a_host_that_cannot_be_reached_any_more_counts_as_failed() {
    let (sketch, at) = look(|s| {
        s.last_phase().on_failure = OnFailure::Continue;
        s.last_phase().max_failures = 1;
    });
    let mut bench = Bench::open(sketch);
    all_ready(&mut bench);
    bench.lost("h2");
    bench.unusable("h2");
    let kind = |o: Option<Outcome>| o.and_then(|o| o.failure().map(|f| f.kind));
    assert_eq!(
        kind(bench.outcome(at.first[1])),
        Some(FailureKind::Unreachable)
    );
    for n in [0, 2] {
        bench.looked(at.first[n], satisfied());
        bench.looked(at.second[n], satisfied());
    }
    bench.looked(at.next, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_host_that_is_lost_while_it_is_changed_stops_the_run() {
    let mut sketch = Sketch::new();
    sketch.phase("p", false);
    sketch.last_phase().on_failure = OnFailure::Continue;
    sketch.last_phase().max_failures = 1;
    let a = sketch.ordinary("a", "h1");
    sketch.also_on(a, "h2");
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(a, differs());
    bench.launched(a);
    bench.lost("h1");
    bench.unusable("h1");
    let host = HostName::new("h1").unwrap();
    assert_eq!(bench.state().stopping, Some(StopReason::Host(host)));
}

#[test]
fn a_resume_tries_a_host_again_whose_phase_is_not_over() {
    let (sketch, at) = look(|s| s.last_phase().on_failure = OnFailure::Continue);
    let mut bench = Bench::open(sketch);
    all_ready(&mut bench);
    bench.looked(at.first[1], finding());
    for n in [0, 2] {
        bench.looked(at.first[n], satisfied());
        bench.looked(at.second[n], satisfied());
    }
    let mut bench = bench.resume();
    all_ready(&mut bench);
    assert_eq!(bench.looking(at.first[1]), Some(Purpose::Probe));
    bench.looked(at.first[1], satisfied());
    bench.looked(at.second[1], satisfied());
    bench.looked(at.next, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn a_resume_leaves_a_host_behind_whose_phase_is_over() {
    let (sketch, at) = look(|s| s.last_phase().max_failures = 1);
    let mut bench = Bench::open(sketch);
    all_ready(&mut bench);
    bench.looked(at.first[1], finding());
    for n in [0, 2] {
        bench.looked(at.first[n], satisfied());
        bench.looked(at.second[n], satisfied());
    }
    assert_eq!(bench.looking(at.next), Some(Purpose::Before));
    let mut bench = bench.crash();
    all_ready(&mut bench);
    assert_eq!(bench.stage(at.first[1]), Stage::Done);
    bench.looked(at.next, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}

#[test]
fn the_point_behind_a_host_that_comes_back_is_passed_again() {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("p", false);
    sketch.last_phase().max_failures = 1;
    let a = sketch.probe("a", "h1");
    let a2 = sketch.also_on(a, "h2");
    let middle = sketch.barrier("after a");
    let b = sketch.ordinary("b", "h2");
    let end = sketch.barrier("end of p");
    for node in [a, a2] {
        sketch.order(begin, node);
        sketch.order(node, middle);
    }
    sketch.order(middle, b);
    sketch.order(b, end);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(a, finding());
    bench.looked(a2, satisfied());
    assert_eq!(bench.looking(b), Some(Purpose::Before));
    let mut bench = bench.crash();
    bench.ready("h1");
    bench.ready("h2");
    assert_eq!(bench.stage(b), Stage::Waiting, "`a` comes first again");
    bench.looked(a, satisfied());
    assert_eq!(bench.looking(b), Some(Purpose::Before));
}

#[test]
fn an_attempt_that_fails_makes_its_host_leave() {
    let mut sketch = Sketch::new();
    sketch.phase("p", false);
    sketch.last_phase().max_failures = 1;
    let (a, b) = (sketch.ordinary("a", "h1"), sketch.ordinary("b", "h2"));
    let after = sketch.ordinary("after", "h1");
    sketch.order(b, after);
    let mut bench = Bench::open(sketch);
    bench.ready("h1");
    bench.ready("h2");
    bench.looked(a, differs());
    let unit = bench.launched(a);
    bench.ended(&unit, failure(FailureKind::Apply));
    bench.looked(b, satisfied());
    assert!(
        matches!(bench.outcome(after), Some(Outcome::LeftOut { reason }) if reason.contains("left the phase"))
    );
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}
