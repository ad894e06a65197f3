//! Laws of going back.
#![allow(dead_code, reason = "each suite uses its part of the laws")]

use std::collections::BTreeSet;

use runbook_exec::graph::Frozen;
use runbook_exec::world::{Ending, What, World};
use runbook_model::event::StopReason;
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::{AttemptId, Event, NodeIx, RunResult, RunState};

use super::kind;

/// Whether an undo of this run may take a node back.
fn is_taken_back(world: &World, state: &RunState, node: NodeIx, after: Option<u32>) -> bool {
    let Some((step, _, kind, _)) = kind(world, node) else {
        return false;
    };
    let main = world.plan.part_of(node) == Part::Main;
    let later = after.is_none_or(|after| step.phase > after);
    let host = world.plan.runs_on(node);
    let out = host.is_some_and(|host| state.excluded.contains_key(host));
    main && later && kind == TypeKind::Ordinary && !step.undo_none && !out
}

/// Everything that waits for a node, however far.
fn descendants(graph: &Frozen, node: NodeIx) -> BTreeSet<NodeIx> {
    let mut found = BTreeSet::new();
    let mut next = vec![node];
    while let Some(node) = next.pop() {
        next.extend(graph.successors(node).iter().filter(|n| found.insert(**n)));
    }
    found
}

/// A run that was taken back, down to a phase or to the ground: what stands in the way goes first,
/// and at the end nothing is left.
pub fn gone_back(world: &World, endings: &[Ending], to: Option<&str>) -> Result<(), String> {
    let graph = Frozen::new(&world.plan).map_err(|e| e.to_string())?;
    let state = world.state().map_err(|e| e.to_string())?;
    let after = to.and_then(|to| world.plan.phases.iter().position(|p| p.id == to));
    let after = after.map(|at| u32::try_from(at).unwrap());
    let undos = undos_on_the_way(world);
    let mut there = BTreeSet::<NodeIx>::new();
    for happening in &world.happenings {
        let node = happening.node;
        match &happening.what {
            What::Effect(_) => {
                there.insert(node);
            }
            What::Undone(_) => {
                there.remove(&node);
            }
            What::Began(attempt) if undos.contains(attempt) => {
                let in_the_way =
                    |n: &&NodeIx| there.contains(n) && is_taken_back(world, &state, **n, after);
                let later = descendants(&graph, node);
                if let Some(way) = later.iter().find(in_the_way) {
                    return Err(format!(
                        "`{}` was taken back, and `{}` stands on it",
                        world.plan.nodes[node.at()].id,
                        world.plan.nodes[way.at()].id
                    ));
                }
            }
            What::Began(_) | What::Look => {}
        }
    }
    let stepped = |event: &Event| {
        let result = RunResult::SteppedBack;
        *event == Event::Closed { result }
    };
    let stepped = world.journal.iter().any(|record| stepped(&record.event));
    match endings.last() {
        Some(Ending::Closed(RunResult::RolledBack)) => {}
        // From there it went forward again.
        _ if stepped && to.is_some() => return Ok(()),
        _ => return went_nowhere(world, &state),
    }
    let procedure = (0u32..)
        .map(NodeIx)
        .take(world.plan.nodes.len())
        .any(|node| world.plan.part_of(node) == Part::Rollback);
    let left = |n: &&NodeIx| is_taken_back(world, &state, **n, after);
    match there.iter().find(left) {
        Some(node) if !procedure => Err(format!(
            "rolled back, and `{}` is there",
            world.plan.nodes[node.at()].id
        )),
        _ => Ok(()),
    }
}

/// Undos of a rollback, not of a hold.
fn undos_on_the_way(world: &World) -> BTreeSet<AttemptId> {
    let mut state = RunState::default();
    let mut undos = BTreeSet::new();
    for record in &world.journal {
        if let Event::Undoing { attempt, .. } = &record.event
            && state.rollback.is_some()
            && state.ending.is_none()
        {
            undos.insert(attempt.clone());
        }
        if state.apply(record).is_err() {
            break;
        }
    }
    undos
}

/// A way back that did not come to its end has a name for where it stopped.
fn went_nowhere(world: &World, state: &RunState) -> Result<(), String> {
    match &state.stopping {
        Some(StopReason::Undo(node)) => {
            let failed = state.undos.get(node).map(|undo| undo.failure.is_some());
            let open = state
                .open_attempts()
                .any(|(_, a)| a.node == *node && a.undo);
            match failed == Some(true) || open || world.breaks() {
                true => Ok(()),
                false => Err("stopped at an undo that has not failed".into()),
            }
        }
        Some(StopReason::Host(_) | StopReason::Failure(_) | StopReason::Interrupt) => Ok(()),
        other => Err(format!("went nowhere, and says {other:?}")),
    }
}
