//! The dispatcher in random worlds: what must hold whatever the plan is and whatever goes wrong.
//!
//! Each case is one seed. `RUNBOOK_CASES` sets how many; a failure prints its seed, and
//! `RUNBOOK_SEED` runs that one alone and tells its story; that of its calm twin with `RUNBOOK_CALM`.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_laws;

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use runbook_exec::dispatcher::Options;
use runbook_exec::rules::Keys;
use runbook_exec::world::{Ending, Faults, Random, Tables, World, plan};
use runbook_model::{EdgeKind, NodeIx, NodeKind, RunResult};

fn world(seed: u64, faults: bool) -> World {
    let mut random = Random::new(seed);
    let (plan, behaviours) = plan(&mut random);
    let tables = tables(&plan, &mut random);
    let options = Options {
        per_host: 1 + usize::try_from(random.below(4)).unwrap(),
        global: 1 + usize::try_from(random.below(8)).unwrap(),
    };
    let some = Faults::some(&mut random);
    let mut world = World::new(plan, behaviours, random.bits());
    world.tables = tables;
    world.options = options;
    world.faults = if faults { some } else { Faults::default() };
    world
}

fn tables(plan: &runbook_model::Plan, random: &mut Random) -> Tables {
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
fn enough(seed: u64) -> usize {
    if world(seed, false).breaks() { 12 } else { 120 }
}

/// Runs one seed; the text says which law was broken.
fn case(seed: u64) -> Result<(), String> {
    let mut disturbed = world(seed, true);
    let endings = disturbed.run_to_end(enough(seed));
    core_laws::hold(&disturbed, &endings)?;

    let mut again = world(seed, true);
    if again.run_to_end(enough(seed)) != endings || again.journal != disturbed.journal {
        return Err("the same seed made another journal".into());
    }

    let mut calm = world(seed, false);
    let calm_endings = calm.run_to_end(enough(seed));
    core_laws::hold(&calm, &calm_endings)?;
    let Some(Ending::Closed(calm_end)) = calm_endings.last() else {
        return Err(format!("a calm world ended with {:?}", calm_endings.last()));
    };
    if !calm_end.is_final() {
        return core_laws::something_is_broken(&calm);
    }
    let Some(Ending::Closed(end)) = endings.last() else {
        if core_laws::something_is_broken(&disturbed).is_ok() {
            return Ok(());
        }
        return Err(format!(
            "ended with {:?} and {:?}",
            endings.last(),
            calm_endings.last()
        ));
    };
    if !end.is_final() {
        return core_laws::only_a_person_can_tell(&disturbed)
            .or_else(|_| core_laws::something_is_broken(&disturbed));
    }
    if end != calm_end {
        return Err(format!(
            "ended with {end:?}, in a calm world with {calm_end:?}"
        ));
    }
    for node in (0u32..).map(NodeIx).take(calm.plan.nodes.len()) {
        let well = core_laws::went_well(&disturbed, node) && core_laws::went_well(&calm, node);
        if *end == RunResult::Succeeded && well && disturbed.is_there(node) != calm.is_there(node) {
            return Err(format!(
                "`{}` ends otherwise than in a calm world",
                calm.plan.nodes[node.at()].id
            ));
        }
    }
    Ok(())
}

#[test]
fn the_laws_hold_in_every_world() {
    if let Ok(seed) = std::env::var("RUNBOOK_SEED") {
        let seed = seed.parse().expect("a number");
        let calm = std::env::var("RUNBOOK_CALM").is_ok();
        let mut world = world(seed, !calm);
        let endings = world.run_to_end(enough(seed));
        core_laws::tell(&world, &endings);
        return case(seed).unwrap();
    }
    let cases = std::env::var("RUNBOOK_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(600);
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&proptest::num::u64::ANY, |seed| {
        case(seed).map_err(|law| TestCaseError::fail(format!("seed {seed}: {law}")))
    });
    result.unwrap();
}

/// Random worlds prove nothing if nothing happens in them.
#[test]
fn the_worlds_are_eventful() {
    use runbook_model::event::{ReleasedBy, StopReason};
    use runbook_model::plan::Part;
    use runbook_model::{Event, Outcome};
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    for seed in 0..300 {
        let mut world = world(seed, true);
        let endings = world.run_to_end(enough(seed));
        for ending in &endings {
            let name = match ending {
                Ending::Crashed => "crash",
                Ending::Closed(RunResult::Succeeded) => "succeeded",
                Ending::Closed(RunResult::AlreadyThere) => "already there",
                Ending::Closed(RunResult::Stopped) => "stopped",
                Ending::Closed(RunResult::Refused) => "refused",
                Ending::Closed(RunResult::Failed) => "failed",
                _ => "wrong",
            };
            *seen.entry(name).or_default() += 1;
        }
        for record in &world.journal {
            let name = match &record.event {
                Event::Doubted { .. } => "doubted",
                Event::Finished {
                    outcome: Outcome::Left(_),
                    ..
                } => "left",
                Event::Finished {
                    outcome: Outcome::LeftOut { .. },
                    ..
                } => "left out",
                Event::Finished {
                    outcome: Outcome::Recorded(_),
                    ..
                } => "recorded",
                Event::Held { .. } => "held",
                Event::HoldOver { .. } => "too long",
                Event::Undone { failure: None, .. } => "undone",
                Event::Undone { .. } => "undo failed",
                Event::Released {
                    by: ReleasedBy::Step(by),
                    ..
                } if world.plan.part_of(*by) == Part::Finally => "released by the ending",
                Event::Released {
                    by: ReleasedBy::Step(_),
                    ..
                } => "released by a step",
                Event::Ending { .. } => "ending",
                Event::Stopping {
                    reason: StopReason::Budget(_),
                } => "budget",
                Event::Pausing { reason, .. } if reason.contains("batches") => "paused at a point",
                Event::OverTime { .. } => "over time",
                Event::Reopened { reason, .. } if reason.starts_with("too old") => "freshened",
                Event::Reopened { reason, .. } if reason.contains("after the resume") => {
                    "looked at again"
                }
                Event::Reopened { .. } => "reopened",
                Event::Pausing { .. } => "paused",
                Event::Detached { .. } => "detached",
                Event::HostUnusable { .. } => "unusable",
                Event::Ended {
                    end: runbook_model::event::AttemptEnd::NeverBegan,
                    ..
                } => "never began",
                _ => continue,
            };
            *seen.entry(name).or_default() += 1;
        }
    }
    let wanted = [
        "crash",
        "succeeded",
        "already there",
        "stopped",
        "refused",
        "failed",
        "doubted",
        "over time",
        "freshened",
        "looked at again",
        "reopened",
        "paused",
        "detached",
        "unusable",
        "never began",
        "left",
        "left out",
        "recorded",
        "held",
        "undone",
        "undo failed",
        "released by a step",
        "released by the ending",
        "ending",
        "budget",
        "too long",
        "paused at a point",
    ];
    for name in wanted {
        assert!(
            seen.get(name).is_some_and(|n| *n >= 5),
            "too few of `{name}`: {seen:?}"
        );
    }
    assert_eq!(seen.get("wrong"), None);
}
