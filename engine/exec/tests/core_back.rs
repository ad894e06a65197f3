//! Going back in random worlds: a run that is not over is taken back by several controllers, while
//! things go wrong.
//!
//! `RUNBOOK_CASES` and `RUNBOOK_SEED` as for the other worlds.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_laws;
mod core_worlds;

use core_worlds::{cases, each_seed, wanted_seed};
use runbook_exec::world::{Ending, Faults, Random, Size, World};
use runbook_model::plan::Part;
use runbook_model::{Command, Event, RunResult};

/// How a run was taken back.
struct Way {
    world: World,
    endings: Vec<Ending>,
    to: Option<String>,
    /// From here on it went back.
    back: usize,
}

/// A world whose run is stopped after some controllers, and then taken back; nothing of that if it
/// came to its end before.
fn way(seed: u64) -> Option<Way> {
    let mut world = core_worlds::world(seed, Size::LARGE, true);
    let mut random = Random::new(!seed);
    world.faults.interrupt += 30;
    world.faults.budget += 10;
    let controllers = 1 + usize::try_from(random.below(3)).unwrap();
    let mut endings = world.run_to_end(controllers);
    if is_over(&world) {
        return None;
    }
    if !matches!(world.journal.get(1), Some(record) if matches!(record.event, Event::Opened { .. }))
    {
        return None;
    }
    let mut phases = Vec::new();
    let procedure = world.plan.phases.iter().any(|p| p.part == Part::Rollback);
    if !procedure {
        let main = world.plan.phases.iter().filter(|p| p.part == Part::Main);
        phases = main.map(|phase| phase.id.clone()).collect();
    }
    let phase = |random: &mut Random| {
        let some = !phases.is_empty() && random.chance(300);
        some.then(|| random.pick(&phases).clone())
    };
    let mut to = phase(&mut random);
    world.faults = Faults {
        budget: u32::try_from(random.below(20)).unwrap(),
        orders: 0,
        ..Faults::some(&mut random)
    };
    let back = endings.len();
    let enough = if world.breaks() { 40 } else { 120 };
    let twice = to.is_some() && random.chance(600);
    let controllers = match twice {
        true => 1 + usize::try_from(random.below(4)).unwrap(),
        false => enough,
    };
    endings.extend(world.roll_back_to_end(to.as_deref(), controllers, &mut |_| {}));
    if twice {
        let state = world.state().unwrap();
        let more = match (state.result, state.rollback) {
            (Some(result), _) if result.is_final() => vec![Ending::Closed(result)],
            (_, Some(_)) => world.run_to_end(enough),
            // A part is taken back, perhaps done again in part, and now more goes back.
            (_, None) => {
                to = phase(&mut random);
                world.roll_back_to_end(to.as_deref(), enough, &mut |_| {})
            }
        };
        endings.extend(more);
    }
    Some(Way {
        world,
        endings,
        to,
        back,
    })
}

/// Whether the last that a controller wrote is that all is over.
fn is_over(world: &World) -> bool {
    let result = world.state().unwrap().result;
    result.is_some_and(|result| result.is_final())
}

fn case(seed: u64) -> Result<(), String> {
    let Some(way) = way(seed) else {
        return Ok(());
    };
    core_laws::hold(&way.world, &way.endings)?;
    core_laws::gone_back(&way.world, &way.endings[way.back..], way.to.as_deref())
}

#[test]
fn the_laws_of_going_back_hold_in_every_world() {
    if let Some(seed) = wanted_seed() {
        if let Some(way) = way(seed) {
            core_laws::tell(&way.world, &way.endings);
        }
        return case(seed).unwrap();
    }
    each_seed(0..cases(1500), case);
}

/// Ways back prove nothing if nobody goes them.
#[test]
fn the_ways_back_are_eventful() {
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    for seed in 0..600 {
        let Some(way) = way(seed) else {
            *seen.entry("over before").or_default() += 1;
            continue;
        };
        let end = match way.endings.last() {
            Some(Ending::Closed(RunResult::RolledBack)) => "rolled back",
            Some(Ending::Closed(RunResult::SteppedBack | RunResult::Succeeded)) => {
                "gone forward again"
            }
            Some(Ending::Closed(_)) => "stopped",
            other => panic!("seed {seed}: {other:?}"),
        };
        *seen.entry(end).or_default() += 1;
        let on_the_way = &way.endings[way.back..];
        if on_the_way.len() > 1 {
            *seen.entry("several controllers").or_default() += 1;
        }
        let orders = way.world.journal.iter().filter(|record| {
            matches!(&record.event, Event::Ordered { order, .. }
                if matches!(order.command, Command::RollBack { .. }))
        });
        if orders.count() > 1 {
            *seen.entry("gone back twice").or_default() += 1;
        }
        for record in &way.world.journal {
            let name = match &record.event {
                Event::Undone { failure: None, .. } => "undone",
                Event::Undone { .. } => "failed undo",
                Event::Undoing { number: 2.., .. } => "undone again",
                _ => continue,
            };
            *seen.entry(name).or_default() += 1;
        }
    }
    for name in [
        "rolled back",
        "gone forward again",
        "several controllers",
        "gone back twice",
        "undone",
        "failed undo",
        "undone again",
    ] {
        assert!(
            seen.get(name).is_some_and(|n| *n >= 5),
            "too few of `{name}`: {seen:?}"
        );
    }
}
