//! The controller dies before each of its actions, in small worlds that are calm until then and in
//! worlds that are not, and another one goes on from what the journal has: every prefix of the
//! undisturbed journal among that, with the hosts as they were at that moment. One such death is a
//! schedule: it ends as an undisturbed run does, or stops where no check can tell.
//!
//! `RUNBOOK_CASES` sets how many plans; `RUNBOOK_SEED` runs those of one. Millions of schedules:
//! `RUNBOOK_CASES=50000 cargo test --release -p runbook-exec --test core_crashes`.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_laws;
mod core_worlds;

use std::sync::atomic::{AtomicUsize, Ordering};

use core_worlds::{Calm, cases, each_seed, ends_as, wanted_seed};
use runbook_exec::world::{Behaviour, Ending, Faults, Size, Sketch, World};
use runbook_model::gate::{Approve, Follow, Terms};
use runbook_model::plan::Part;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::{Command, Event, Plan, RunResult};

/// So many plans make more than a hundred thousand schedules.
const PLANS: u64 = 770;
/// So many actions of a run are enough.
const ACTIONS: usize = 200;

fn world(seed: u64, disturbed: bool) -> World {
    let mut world = core_worlds::world(seed, Size::SMALL, disturbed);
    // Those who follow are watched as well, and die as well: a few are enough.
    world.faults.crash = 0;
    world.faults.budget = world.faults.budget.min(6);
    world
}

/// The end of a world that was run on after such a death, and the law that it broke.
fn goes_on(mut fork: World, calm: &Calm) -> Result<(), String> {
    fork.faults = Faults::default();
    let mut endings = vec![Ending::Crashed];
    endings.extend(fork.run_to_end(calm.controllers));
    let held = core_laws::hold(&fork, &endings);
    let held = held.and_then(|()| ends_as(&fork, &endings, calm));
    if held.is_err() && wanted_seed().is_some() {
        core_laws::tell(&fork, &endings);
    }
    held
}

/// Every death in the worlds of a seed; how many there were.
fn deaths(seed: u64) -> Result<usize, String> {
    let calm = Calm::run(world(seed, false))?;
    let mut schedules = 0;
    for disturbed in [false, true] {
        let mut broken = None;
        let mut actions = 0;
        let mut watch = |world: &World| {
            // A check that is repeated for long is the same again and again.
            actions += 1;
            if broken.is_some() || actions > ACTIONS {
                return;
            }
            schedules += 1;
            // Every prefix of the undisturbed journal; of the other one what chance leaves.
            let fork = match disturbed {
                false => world.fork_whole(),
                true => world.fork(),
            };
            let (during, seq) = (world.controllers(), world.journal.len());
            if let Err(law) = goes_on(fork, &calm) {
                let when = format!("controller {during} died after event {seq}");
                broken = Some(format!("disturbed {disturbed}, {when}: {law}"));
            }
        };
        let mut world = world(seed, disturbed);
        let endings = world.run_to_end_watched(calm.controllers.min(6), &mut watch);
        core_laws::hold(&world, &endings)?;
        if let Some(law) = broken {
            return Err(law);
        }
    }
    Ok(schedules)
}

#[test]
fn a_controller_that_dies_anywhere_is_followed_by_one_that_ends_it() {
    if let Some(seed) = wanted_seed() {
        deaths(seed).unwrap();
        return;
    }
    let schedules = AtomicUsize::new(0);
    let plans = cases(PLANS);
    each_seed(0..plans, |seed| {
        schedules.fetch_add(deaths(seed)?, Ordering::Relaxed);
        Ok(())
    });
    let schedules = schedules.into_inner();
    println!("{schedules} schedules of {plans} plans");
    assert!(
        plans < PLANS || schedules >= 100_000,
        "only {schedules} schedules"
    );
}

/// `a`, then a gate that may take it back, then `b`; something follows on every ending.
fn gated(terms: Approve) -> World {
    let mut sketch = Sketch::new();
    sketch.phase("one", false);
    let a = sketch.ordinary("a", "h1");
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    sketch.order(a, gate);
    let b = sketch.ordinary("b", "h1");
    sketch.order(gate, b);
    let begin = sketch.phase("always", false);
    sketch.last_phase().part = Part::Finally;
    let always = sketch.ordinary("always", "h1");
    sketch.order(begin, always);
    let plan: Plan = sketch.done();
    let behaviours = vec![Behaviour::default(); plan.nodes.len()];
    let mut world = World::new(plan, behaviours, 7);
    world.tables.terms.insert(gate, Terms::Approve(terms));
    world
}

/// The controller dies before each of its actions; what the next ones do ends with nothing left.
fn sweep(terms: &Approve) {
    let whole = |forked: &World| forked.fork_whole();
    let lost = |forked: &World| forked.fork();
    for fork in [&whole as &dyn Fn(&World) -> World, &lost] {
        let mut deaths = 0;
        let over = |world: &World| {
            let result = RunResult::RolledBack;
            let last = world.journal.last().map(|record| &record.event);
            last == Some(&Event::Closed { result })
        };
        let mut watch = |at: &World| {
            // Nobody goes on with a run that is over.
            if over(at) {
                return;
            }
            let mut next = fork(at);
            next.faults = Faults::default();
            let when = at.journal.len();
            let endings = next.run_to_end(12);
            let last = Some(&Ending::Closed(RunResult::RolledBack));
            assert_eq!(endings.last(), last, "after event {when}");
            let plan = next.plan.clone();
            let of = |id: &str| plan.node(id).unwrap();
            assert!(!next.is_there(of("a@h1")), "after event {when}");
            let later = of("b@h1");
            assert!(
                !next.happenings.iter().any(|seen| seen.node == later),
                "after event {when} it went forward"
            );
            let ordered = next.journal.iter().filter(|record| {
                matches!(&record.event, Event::Ordered { order, .. }
                    if matches!(order.command, Command::RollBack { .. }))
            });
            assert_eq!(ordered.count(), 1, "after event {when}");
            core_laws::hold(&next, &endings).unwrap();
            deaths += 1;
        };
        let mut world = gated(terms.clone());
        let endings = world.run_to_end_watched(12, &mut watch);
        assert_eq!(
            endings,
            [
                Ending::Closed(RunResult::Refused),
                Ending::Closed(RunResult::RolledBack)
            ]
        );
        assert!(deaths > 40, "only {deaths} deaths");
    }
}

#[test]
fn a_controller_that_dies_anywhere_around_a_gate_that_takes_back_is_followed_by_one_that_does() {
    // Nobody in these worlds goes on where they can go back.
    sweep(&Approve {
        options: [("back".to_owned(), Follow::Rollback)].into(),
        ..Approve::default()
    });
    // Sooner than anybody answers.
    sweep(&Approve {
        deadline: Some(0),
        on_deadline: Follow::Rollback,
        ..Approve::default()
    });
}
