//! Random worlds where hosts do rows of steps alone.

use std::collections::BTreeSet;

use runbook_exec::world::{Behaviour, Faults, Random, Sketch, Tables, World};
use runbook_model::step_type::{InDoubt, TypeKind};

/// A world with this plan, where every host can do everything alone.
pub fn world_of(sketch: Sketch, behaviours: Vec<Behaviour>, seed: u64) -> World {
    let plan = sketch.done();
    let chains: BTreeSet<_> = plan.instances().map(|(node, ..)| node).collect();
    let early = chains
        .iter()
        .copied()
        .filter(|n| seed.is_multiple_of(2) || n.0 % 3 != 0);
    let early = early.collect();
    let mut world = World::new(plan, behaviours, seed);
    world.tables = Tables {
        chains,
        early,
        ..Tables::default()
    };
    world
}

/// Rows on hosts side by side, of everything that may be in a chain and some that may not.
fn chained(random: &mut Random) -> (Sketch, Vec<Behaviour>) {
    let mut sketch = Sketch::new();
    let mut behaviours = Vec::new();
    let mut barrier = None;
    for layer in 0..1 + random.below(2) {
        let begin = sketch.phase(&format!("p{layer}"), false);
        behaviours.push(Behaviour::default());
        if let Some(barrier) = barrier {
            sketch.order(barrier, begin);
        }
        let mut mine = Vec::new();
        for host in ["h1", "h2"] {
            let mut last = None;
            for at in 0..1 + random.below(5) {
                let kind = match random.below(12) {
                    0 => TypeKind::Probe,
                    1 => TypeKind::Always,
                    2 => TypeKind::Copy,
                    _ => TypeKind::Ordinary,
                };
                let point = last.filter(|_| random.chance(300)).map(|before| {
                    let point = sketch.barrier(&format!("after {host}_{layer}_{at}"));
                    behaviours.push(Behaviour::default());
                    sketch.order(before, point);
                    point
                });
                let ask = random.chance(100) && kind == TypeKind::Ordinary;
                let in_doubt = if ask { InDoubt::Ask } else { InDoubt::Check };
                let node = sketch.instance(&format!("{host}_{layer}_{at}"), host, kind, in_doubt);
                let small = |random: &mut Random| u32::try_from(random.below(2)).unwrap();
                let step = sketch.step(node);
                step.retry.attempts = 1 + u32::from(random.chance(100));
                step.undo_none = random.chance(100);
                sketch.order(begin, node);
                match last {
                    Some(_) if point.is_some() => {
                        point
                            .into_iter()
                            .for_each(|point| sketch.order(point, node));
                    }
                    Some(before) if random.chance(100) => sketch.requires(before, node),
                    Some(before) => sketch.same_host(before, node),
                    None => {}
                }
                behaviours.push(Behaviour {
                    there: random.chance(300),
                    broken: random.chance(10),
                    fails_first: if random.chance(80) { small(random) } else { 0 },
                    errors_first: if random.chance(50) { small(random) } else { 0 },
                    takes: 1 + i64::try_from(random.below(200)).unwrap(),
                    looks: 1 + i64::try_from(random.below(20)).unwrap(),
                    ..Behaviour::default()
                });
                last = Some(node);
                mine.push(node);
            }
        }
        let end = sketch.barrier(&format!("end of p{layer}"));
        behaviours.push(Behaviour::default());
        mine.into_iter().for_each(|node| sketch.order(node, end));
        barrier = Some(end);
    }
    (sketch, behaviours)
}

/// The world of a seed, where hosts are given rows of steps at once.
pub fn world(seed: u64, faults: bool) -> World {
    let mut random = Random::new(seed);
    let (sketch, behaviours) = chained(&mut random);
    let some = Faults::some(&mut random);
    let mut world = world_of(sketch, behaviours, random.bits());
    if faults {
        world.faults = some;
        world.faults.budget = 1 + u32::try_from(random.below(8)).unwrap();
    }
    if faults && seed.is_multiple_of(5) {
        world.on_disk();
    }
    world
}
