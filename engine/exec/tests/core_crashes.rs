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
use runbook_exec::world::{Ending, Faults, Size, World};

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
