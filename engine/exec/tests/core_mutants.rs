//! Engines that are wrong in one way each: the laws see through every one of them, and through none
//! that is right.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_laws;
mod core_worlds;

use core_worlds::{Calm, ends_as};
use runbook_exec::world::{Size, World, Wrong};

/// So many seeds are enough to see through each.
const SEEDS: u64 = 200;

fn world(seed: u64, disturbed: bool) -> World {
    let mut world = core_worlds::world(seed, Size::SMALL, disturbed);
    if disturbed {
        world.faults.budget += 10;
        world.faults.taken_over += 30;
    }
    world
}

/// Which law a world breaks that has such an engine.
fn broken_law(seed: u64, wrong: Option<Wrong>) -> Option<String> {
    let calm = Calm::run(world(seed, false)).unwrap();
    let mut world = world(seed, true);
    world.wrong = wrong;
    let endings = world.run_to_end(calm.controllers);
    let held = core_laws::hold(&world, &endings);
    held.and_then(|()| ends_as(&world, &endings, &calm)).err()
}

#[test]
fn the_laws_see_through_every_wrong_engine() {
    let mut seen = Vec::new();
    for wrong in Wrong::ALL {
        let mut seeds = 0..SEEDS;
        let caught = seeds.find_map(|seed| Some((seed, broken_law(seed, Some(wrong))?)));
        let Some((seed, law)) = caught else {
            panic!("{wrong:?} is not seen in {SEEDS} worlds");
        };
        assert_eq!(broken_law(seed, None), None, "a right engine, seed {seed}");
        seen.push(format!(
            "{wrong:?}: {}",
            law.split(": ").next().unwrap_or_default()
        ));
    }
    assert_eq!(seen.len(), Wrong::ALL.len());
}
