//! The real journal on a disk that fails, under the real dispatcher: writes and syncs that fail, a
//! disk that is full, power that goes. An intent that was acknowledged is never lost, and after a
//! failed write or sync nothing is done any more.
//!
//! `RUNBOOK_CASES` and `RUNBOOK_SEED` as for the other worlds.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_laws;
mod core_worlds;

use std::collections::BTreeMap;

use core_worlds::{Calm, cases, each_seed, ends_as, wanted_seed};
use runbook_exec::world::{Ending, Fault, Faults, Random, Size, World};

fn world(seed: u64, disturbed: bool) -> World {
    let mut world = core_worlds::world(seed, Size::SMALL, disturbed);
    if disturbed {
        let mut random = Random::new(!seed);
        let mut up_to = |most: u64| u32::try_from(random.below(most + 1)).unwrap();
        world.faults.write = up_to(20);
        world.faults.full = up_to(10);
        world.faults.sync = up_to(60);
        world.faults.budget = 5 + up_to(20);
    }
    world.on_disk();
    world
}

fn case(seed: u64) -> Result<(), String> {
    let calm = Calm::run(world(seed, false))?;
    let mut disturbed = world(seed, true);
    let endings = disturbed.run_to_end(calm.controllers);
    let held = core_laws::hold(&disturbed, &endings);
    if wanted_seed().is_some() {
        core_laws::tell(&disturbed, &endings);
    }
    held?;
    silent_after_failure(&disturbed)?;
    ends_as(&disturbed, &endings, &calm)
}

/// A controller whose journal has failed begins nothing more.
fn silent_after_failure(world: &World) -> Result<(), String> {
    use runbook_exec::world::What;
    for struck in &world.struck {
        if struck.fault != Fault::SyncFails {
            continue;
        }
        // A launch that had left before may arrive; its intent was written before that.
        let later = world.happenings.iter().find(|happening| {
            let began = matches!(happening.what, What::Began(_));
            began && happening.during == struck.during && happening.seq > struck.seq
        });
        if let Some(later) = later {
            let node = &world.plan.nodes[later.node.at()].id;
            return Err(format!("`{node}` began after a sync had failed"));
        }
    }
    Ok(())
}

#[test]
fn nothing_acknowledged_is_lost_on_a_disk_that_fails() {
    if let Some(seed) = wanted_seed() {
        return case(seed).unwrap();
    }
    each_seed(0..cases(400), case);
}

/// Power goes before each action of a run.
#[test]
fn power_may_go_at_any_moment() {
    each_seed(0..cases(400).div_ceil(40), |seed| {
        let calm = Calm::run(world(seed, false))?;
        let mut broken = None;
        let mut disturbed = world(seed, false);
        disturbed.faults = Faults {
            power: 1000,
            ..Faults::default()
        };
        disturbed.run_to_end_watched(1, &mut |world| {
            if broken.is_some() {
                return;
            }
            let mut fork = world.fork();
            fork.faults = Faults::default();
            let mut endings = vec![Ending::Crashed];
            endings.extend(fork.run_to_end(calm.controllers));
            let held = core_laws::hold(&fork, &endings);
            let held = held.and_then(|()| ends_as(&fork, &endings, &calm));
            broken = held.err().map(|law| {
                let seq = world.journal.len();
                format!("after event {seq}: {law}")
            });
        });
        broken.map_or(Ok(()), Err)
    });
}

/// Disks that never fail prove nothing.
#[test]
fn the_disks_fail() {
    let mut seen = BTreeMap::<String, usize>::new();
    for seed in 0..100 {
        let mut world = world(seed, true);
        let endings = world.run_to_end(40);
        for ending in endings {
            if let Ending::Unwritten(text) = ending {
                let what = text.split(':').next().unwrap_or_default().to_owned();
                *seen.entry(what).or_default() += 1;
            }
        }
        for struck in &world.struck {
            *seen.entry(format!("{:?}", struck.fault)).or_default() += 1;
        }
    }
    for wanted in [
        "cannot write journal",
        "cannot sync journal",
        "PowerCut",
        "DiskFull",
        "WriteFails",
        "SyncFails",
    ] {
        assert!(
            seen.get(wanted).is_some_and(|n| *n >= 5),
            "too few of `{wanted}`: {seen:?}"
        );
    }
}
