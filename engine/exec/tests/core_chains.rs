//! Chains: what goes as one unit, what breaks one, and what is left of it after a fault.
//!
//! `RUNBOOK_CASES` and `RUNBOOK_SEED` as for the other worlds.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_laws;
mod core_worlds;

use core_worlds::chained::{world, world_of};
use core_worlds::{Calm, cases, each_seed, ends_as, wanted_seed};
use runbook_exec::world::{Behaviour, Ending, Fault, Sketch, What, World};
use runbook_model::event::AttemptEnd;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::{Command, Event, NodeIx, Outcome, RunResult};

/// One phase, one host, so many steps one after the other.
fn row(steps: usize) -> (Sketch, Vec<NodeIx>) {
    let mut sketch = Sketch::new();
    let begin = sketch.phase("one", false);
    let mut nodes = Vec::new();
    for at in 0..steps {
        let node = sketch.ordinary(&format!("s{at}"), "h1");
        sketch.order(begin, node);
        if let Some(last) = nodes.last() {
            sketch.same_host(*last, node);
        }
        nodes.push(node);
    }
    (sketch, nodes)
}

fn units(world: &World) -> Vec<Vec<NodeIx>> {
    let of = |event: &Event| match event {
        Event::Dispatched { instances, .. } => Some(instances.iter().map(|i| i.node).collect()),
        _ => None,
    };
    world.journal.iter().filter_map(|r| of(&r.event)).collect()
}

fn outcome(world: &World, node: NodeIx) -> Outcome {
    let state = world.state().unwrap();
    state.nodes[node.at()].outcome.clone().unwrap()
}

fn looks(world: &World) -> usize {
    let looked = |record: &&runbook_model::Record| matches!(record.event, Event::Looking { .. });
    world.journal.iter().filter(looked).count()
}

fn plain(nodes: usize) -> Vec<Behaviour> {
    vec![Behaviour::default(); nodes]
}

#[test]
fn what_follows_on_one_host_goes_as_one_unit() {
    let (sketch, nodes) = row(5);
    let mut world = world_of(sketch, plain(7), 1);
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    assert_eq!(units(&world), std::slice::from_ref(&nodes));
    assert_eq!(looks(&world), 0);
    for node in nodes {
        assert_eq!(outcome(&world, node), Outcome::Changed);
    }
}

#[test]
fn a_point_between_two_steps_does_not_break_a_chain_and_the_end_of_a_phase_does() {
    let mut sketch = Sketch::new();
    let mut last = sketch.phase("one", false);
    let mut nodes = Vec::new();
    let mut last_point = None;
    for at in 0..6 {
        if at == 3 {
            let end = sketch.barrier("end of one");
            sketch.order(last, end);
            last = sketch.phase("two", false);
            sketch.order(end, last);
        }
        let node = sketch.ordinary(&format!("s{at}"), "h1");
        sketch.order(last, node);
        nodes.push(node);
        last = node;
        if at % 3 != 2 {
            let before = last_point.filter(|_| at % 3 == 1);
            last = sketch.barrier(&format!("after s{at}"));
            sketch.order(node, last);
            // Points follow each other, too.
            if let Some(before) = before {
                sketch.order(before, last);
            }
            last_point = Some(last);
        }
    }
    let end = sketch.barrier("end of two");
    sketch.order(last, end);
    let mut world = world_of(sketch, plain(14), 1);
    let endings = world.run_to_end(1);
    assert_eq!(endings, [Ending::Closed(RunResult::Succeeded)]);
    assert_eq!(units(&world), [nodes[..3].to_vec(), nodes[3..].to_vec()]);
    core_laws::hold(&world, &endings).unwrap();
}

#[test]
fn nothing_is_done_where_all_is_there() {
    let (sketch, nodes) = row(3);
    let mut behaviours = plain(5);
    behaviours.iter_mut().for_each(|b| b.there = true);
    let mut world = world_of(sketch, behaviours, 1);
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    let began = |h: &runbook_exec::world::Happening| matches!(h.what, What::Began(_));
    assert!(!world.happenings.iter().any(began));
    for node in nodes {
        assert_eq!(outcome(&world, node), Outcome::Satisfied);
    }
}

#[test]
fn a_chain_has_a_limit() {
    let (sketch, nodes) = row(40);
    let mut world = world_of(sketch, plain(42), 1);
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    assert_eq!(units(&world), [nodes[..32].to_vec(), nodes[32..].to_vec()]);
}

#[test]
fn another_host_and_what_the_controller_decides_break_a_chain() {
    let (mut sketch, mut nodes) = row(2);
    let gate = sketch.instance("gate", "control", TypeKind::Gate, InDoubt::Check);
    sketch.requires(nodes[1], gate);
    let mut last = gate;
    for at in 2..6 {
        let node = sketch.ordinary(&format!("s{at}"), "h1");
        match at {
            // It reads what the one before it gives.
            4 => sketch.requires(last, node),
            _ => sketch.same_host(last, node),
        }
        nodes.push(node);
        last = node;
    }
    let mut world = world_of(sketch, plain(9), 1);
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    let (first, second) = (nodes[..2].to_vec(), nodes[2..4].to_vec());
    assert_eq!(units(&world), [first, second, nodes[4..].to_vec()]);
}

#[test]
fn a_failure_ends_a_chain_and_a_resume_goes_on_behind_what_is_done() {
    let (sketch, nodes) = row(4);
    let mut behaviours = plain(6);
    behaviours[nodes[1].at()].fails_first = 1;
    let mut world = world_of(sketch, behaviours, 1);
    assert_eq!(world.run(), Ending::Closed(RunResult::Failed));
    let state = world.state().unwrap();
    assert_eq!(outcome(&world, nodes[0]), Outcome::Changed);
    let never = |node: NodeIx| {
        let ends: Vec<_> = state
            .attempts_of(node)
            .map(|(_, a)| a.end.clone())
            .collect();
        ends == [Some(AttemptEnd::NeverBegan)]
    };
    assert!(never(nodes[2]) && never(nodes[3]));
    assert_eq!(
        state.nodes[nodes[1].at()].before.len(),
        1,
        "it was captured there"
    );
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
    let again = units(&world).into_iter().skip(1).collect::<Vec<_>>();
    assert_eq!(again, [vec![nodes[1]], nodes[2..].to_vec()]);
}

#[test]
fn who_is_blocked_is_taken_out_of_a_chain_under_way() {
    let (sketch, nodes) = row(4);
    let mut behaviours = plain(6);
    behaviours[nodes[0].at()].takes = 10_000;
    let mut world = world_of(sketch, behaviours, 1);
    world.leave(3, Command::Block { step: "s2".into() });
    assert_eq!(
        world.run(),
        Ending::Stuck,
        "it waits for somebody to unblock it"
    );
    assert!(!world.is_there(nodes[2]) && world.is_there(nodes[1]));
}

#[test]
fn a_stop_reaches_a_chain_under_way() {
    let (sketch, nodes) = row(4);
    let mut behaviours = plain(6);
    behaviours[nodes[0].at()].takes = 10_000;
    let mut world = world_of(sketch, behaviours, 1);
    world.leave(3, Command::Cancel);
    assert_eq!(world.run(), Ending::Closed(RunResult::Stopped));
    assert!(world.is_there(nodes[0]) && !world.is_there(nodes[1]));
    assert_eq!(world.run(), Ending::Closed(RunResult::Succeeded));
}

fn case(seed: u64) -> Result<(), String> {
    let calm = Calm::run(world(seed, false))?;
    let mut disturbed = world(seed, true);
    let endings = disturbed.run_to_end(calm.controllers.max(30));
    core_laws::hold(&disturbed, &endings)?;
    ends_as(&disturbed, &endings, &calm)
}

#[test]
fn the_laws_hold_where_chains_are_disturbed() {
    if let Some(seed) = wanted_seed() {
        let mut told = world(seed, true);
        let endings = told.run_to_end(30);
        core_laws::tell(&told, &endings);
        return case(seed).unwrap();
    }
    each_seed(0..cases(4000), case);
}

#[test]
fn a_controller_that_dies_beside_a_chain_is_followed_by_one_that_ends_it() {
    each_seed(0..cases(150), |seed| {
        let calm = Calm::run(world(seed, false))?;
        let mut forks = Vec::new();
        let mut first = world(seed, false);
        first.run_watched(&mut |world| forks.push(world.fork()));
        for mut fork in forks {
            let endings = fork.run_to_end(calm.controllers.max(30));
            core_laws::hold(&fork, &endings)?;
            ends_as(&fork, &endings, &calm)?;
        }
        Ok(())
    });
}

#[test]
fn chains_meet_every_fault() {
    let mut in_chain = std::collections::BTreeMap::<Fault, usize>::new();
    for seed in 0..3000 {
        let mut world = world(seed, true);
        world.run_to_end(30);
        let state = world.state().unwrap();
        let intents = |seq: u64| {
            let of = |record: &&runbook_model::Record| record.seq <= seq;
            let mut last = world
                .journal
                .iter()
                .filter(of)
                .filter_map(|r| match &r.event {
                    Event::Dispatched {
                        unit, instances, ..
                    } if instances.len() > 1 => Some(unit),
                    _ => None,
                });
            last.next_back().cloned()
        };
        for struck in &world.struck {
            let unit = intents(struck.seq);
            let members = unit.and_then(|unit| state.by_unit.get(&unit));
            let ends = |id: &runbook_model::AttemptId| {
                world.journal.iter().any(|r| {
                    r.seq <= struck.seq
                        && matches!(&r.event, Event::Ended { attempt, .. } if attempt == id)
                })
            };
            if members.is_some_and(|ids| !ids.iter().all(ends)) {
                *in_chain.entry(struck.fault).or_default() += 1;
            }
        }
    }
    let never = |fault: &&Fault| {
        // Orders and a full disk are drawn in worlds of their own.
        !in_chain.contains_key(fault)
    };
    let missing: Vec<_> = Fault::ALL.iter().filter(never).collect();
    assert!(
        missing.is_empty(),
        "{missing:?} never struck while a chain was open: {in_chain:?}"
    );
}
