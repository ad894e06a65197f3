//! Random worlds, and how their ends compare.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each suite uses its part of the worlds"
)]
#![allow(clippy::unwrap_used, reason = "a test helper")]

pub mod chained;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use runbook_exec::dispatcher::Options;
use runbook_exec::rules::Keys;
use runbook_exec::world::{Ending, Faults, Random, Size, Tables, World, plan_of};
use runbook_model::{EdgeKind, NodeIx, NodeKind, Plan, RunResult};

use crate::core_laws;

/// The world of a seed: its plan, how its instances behave, and what goes wrong in it.
pub fn world(seed: u64, size: Size, faults: bool) -> World {
    let mut random = Random::new(seed);
    let (plan, behaviours) = plan_of(&mut random, size);
    let tables = tables(&plan, &mut random);
    let options = Options {
        per_host: 1 + usize::try_from(random.below(4)).unwrap(),
        global: 1 + usize::try_from(random.below(8)).unwrap(),
        until: None,
    };
    let some = Faults::some(&mut random);
    let mut world = World::new(plan, behaviours, random.bits());
    world.tables = tables;
    world.options = options;
    if faults {
        world.faults = some;
    }
    world
}

fn tables(plan: &Plan, random: &mut Random) -> Tables {
    let mut tables = Tables {
        done_when: Some(Ok(random.chance(300))),
        ..Tables::default()
    };
    for (at, node) in (0u32..).zip(&plan.nodes) {
        match &node.kind {
            NodeKind::Instance { step, .. } if plan.steps[step.at()].when.is_some() => {
                tables.when.insert(NodeIx(at), Ok(random.chance(500)));
            }
            NodeKind::PhaseBegin { phase } if plan.phases[*phase as usize].when.is_some() => {
                tables.phase_when.insert(*phase, Ok(random.chance(500)));
            }
            _ => {}
        }
    }
    for node in (0u32..).map(NodeIx).take(plan.nodes.len()) {
        tables.waits.insert(node, 5);
    }
    for (node, step, _) in plan.instances() {
        let mut some = |of_ten: u64| {
            let keys = ["a", "b", "c"].into_iter();
            let keys = keys.filter(|_| random.below(10) < of_ten);
            keys.map(str::to_owned).collect()
        };
        let (mut written, read): (Vec<String>, _) = (some(2), some(1));
        if plan.steps[step.at()].uses.starts_with("sim.probe") {
            written.clear();
        }
        tables.keys.insert(node, Keys { written, read });
    }
    for edge in plan.edges.iter().filter(|e| e.kind == EdgeKind::Requires) {
        tables.reads.entry(edge.to).or_default().push(edge.from);
    }
    tables
}

/// Controllers until a run has come to its end; where something never works, it does not.
pub fn enough(world: &World) -> usize {
    if world.breaks() { 12 } else { 120 }
}

/// How a run ends that nothing disturbs.
pub struct Calm {
    pub world: World,
    endings: Vec<Ending>,
    well: Vec<bool>,
    pub controllers: usize,
}

impl Calm {
    /// Runs it, and holds it against the laws.
    pub fn run(mut world: World) -> Result<Self, String> {
        let controllers = enough(&world);
        let endings = world.run_to_end(controllers);
        let told = |law| format!("in a calm world: {law}");
        core_laws::hold(&world, &endings).map_err(told)?;
        let well = core_laws::went_well(&world);
        Ok(Self {
            world,
            endings,
            well,
            controllers,
        })
    }
}

/// A run that was disturbed ends as one that was not, or stops where only a person can tell.
pub fn ends_as(disturbed: &World, endings: &[Ending], calm: &Calm) -> Result<(), String> {
    let Some(Ending::Closed(calm_end)) = calm.endings.last() else {
        return Err(format!("a calm world ended with {:?}", calm.endings.last()));
    };
    if !calm_end.is_final() {
        return core_laws::something_is_broken(&calm.world);
    }
    let Some(Ending::Closed(end)) = endings.last() else {
        return core_laws::something_is_broken(disturbed).map_err(|_| {
            let last = endings.last();
            format!("ended with {last:?}, in a calm world with {calm_end:?}")
        });
    };
    if !end.is_final() {
        return core_laws::only_a_person_can_tell(disturbed)
            .or_else(|_| core_laws::something_is_broken(disturbed))
            .map_err(|law| format!("ended with {end:?}: {law}"));
    }
    if end != calm_end {
        return Err(format!(
            "ended with {end:?}, in a calm world with {calm_end:?}"
        ));
    }
    if *end != RunResult::Succeeded {
        return Ok(());
    }
    let well = core_laws::went_well(disturbed);
    let well = well.iter().zip(&calm.well).map(|(a, b)| *a && *b);
    for (node, well) in (0u32..).map(NodeIx).zip(well) {
        if well && disturbed.is_there(node) != calm.world.is_there(node) {
            return Err(format!(
                "`{}` ends otherwise than in a calm world",
                disturbed.plan.nodes[node.at()].id
            ));
        }
    }
    Ok(())
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

/// The one seed that somebody wants to see.
pub fn wanted_seed() -> Option<u64> {
    number("RUNBOOK_SEED")
}

/// How many cases: `RUNBOOK_CASES`, or so many.
pub fn cases(usual: u64) -> u64 {
    number("RUNBOOK_CASES").unwrap_or(usual)
}

/// Runs seeds on all processors. Stops at the first that breaks a law, and names it.
pub fn each_seed(seeds: std::ops::Range<u64>, case: impl Fn(u64) -> Result<(), String> + Sync) {
    let next = AtomicU64::new(seeds.start);
    let broken = AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while !broken.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            if let Err(law) = case(seed) {
                broken.store(true, Ordering::Relaxed);
                return Err(format!("RUNBOOK_SEED={seed}: {law}"));
            }
        }
        Ok(())
    };
    let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let laws: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(laws.is_empty(), "{}", laws.join("\n"));
}
