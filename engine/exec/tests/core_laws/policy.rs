//! Laws of failures and holds, and which runs need not come to their end.

use std::collections::BTreeSet;

use runbook_exec::graph::Frozen;
use runbook_exec::world::World;
use runbook_model::event::HeldHow;
use runbook_model::node::NodeKind;
use runbook_model::plan::Part;
use runbook_model::state::NodeState;
use runbook_model::step::OnFailure;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::{Event, FailureKind, NodeIx, Outcome, Record, RunState};

use super::kind;

/// Only what this run holds is taken back, and only after the procedure, unless all goes back.
pub(super) fn undoing(world: &World, state: &RunState, node: NodeIx) -> Result<(), String> {
    if state.rollback.is_some() && state.ending.is_none() {
        return match world.plan.part_of(node) {
            Part::Main => Ok(()),
            _ => Err("something else than the procedure is taken back".into()),
        };
    }
    let hold = state
        .holds
        .get(&node)
        .ok_or("undone, and nothing is held")?;
    if hold.how == HeldHow::Already || hold.released.is_some() {
        return Err("undone, and this run does not hold it".into());
    }
    if state.ending.is_none() || world.plan.part_of(node) != Part::Main {
        return Err("undone before the end".into());
    }
    if state.open_attempts().any(|(_, a)| !a.undo) {
        return Err("undone while something runs".into());
    }
    Ok(())
}

/// What is still held at the close was released by nothing that followed on this ending.
pub(super) fn closed(world: &World, state: &RunState) -> Result<(), String> {
    let Some((_, since)) = &state.ending else {
        return Ok(());
    };
    for (node, _) in state.held() {
        let hold = kind(world, node).and_then(|(step, ..)| step.hold.as_ref());
        for step in hold.iter().flat_map(|hold| &hold.release) {
            let mut instances = world.plan.instances_of(*step);
            let well = |by: NodeIx| {
                let n = &state.nodes[by.at()];
                let did = matches!(n.outcome, Some(Outcome::Changed | Outcome::Satisfied));
                did && n.finished_in >= Some(*since)
            };
            if instances.any(|(by, _)| world.plan.part_of(by) == Part::Finally && well(by)) {
                return Err("held, and a step of the ending has released it".into());
            }
        }
    }
    Ok(())
}

/// A step that releases has ended well.
pub(super) fn released(state: &RunState, by: NodeIx) -> Result<(), String> {
    match state.nodes[by.at()].outcome {
        Some(Outcome::Changed | Outcome::Satisfied) => Ok(()),
        _ => Err("released by what has not ended well".into()),
    }
}

/// What failures do to others.
pub(super) fn policy(
    world: &World,
    graph: &Frozen,
    state: &RunState,
    record: &Record,
    node: NodeIx,
    outcome: &Outcome,
) -> Result<(), String> {
    let main = world.plan.part_of(node) == Part::Main;
    let left = |n: &NodeState| matches!(n.outcome, Some(Outcome::Left(_)));
    let phase = world.plan.phase_of(node);
    let same = |other: NodeIx| world.plan.phase_of(other).map(|p| &p.id) == phase.map(|p| &p.id);
    let hosts: BTreeSet<_> = (0u32..)
        .map(NodeIx)
        .zip(&state.nodes)
        .filter(|(other, n)| left(n) && same(*other))
        .filter_map(|(other, _)| Some(world.plan.instance(other)?.1))
        .collect();
    let own = world.plan.instance(node).map(|(_, host)| host);
    match outcome {
        Outcome::LeftOut { .. } => {
            let spread = |p: &NodeIx| {
                let n = &state.nodes[p.at()];
                n.is_done() && !n.is_success()
            };
            let because = graph.requires(node).iter().any(spread);
            let gone = main && own.is_some_and(|host| hosts.contains(host));
            if !(because || gone) {
                return Err("left out for no reason".into());
            }
        }
        Outcome::Left(_) if main => {
            let phase = phase.ok_or("no phase")?;
            let mut hosts = hosts;
            hosts.extend(own);
            let within = hosts.len() <= phase.max_failures as usize;
            if !within && phase.on_failure != OnFailure::Continue {
                return Err("more left than the phase allows".into());
            }
            if own.is_none_or(|host| host.is_control()) {
                return Err("the controller left a phase".into());
            }
        }
        Outcome::Recorded(_) => {
            let step = kind(world, node).map(|(step, ..)| step.on_failure);
            if step != Some(OnFailure::Continue) {
                return Err("recorded, and its step does not say so".into());
            }
        }
        Outcome::Passed if main => {
            let NodeKind::Barrier { phase: at, batch } = world.plan.nodes[node.at()].kind else {
                return Ok(());
            };
            let of = &world.plan.phases[at as usize];
            if batch.is_some() && hosts.len() > of.max_failures as usize {
                return Err("a batch was passed with too many failures".into());
            }
            let more = batch.is_some_and(|b| (b as usize) + 1 < of.batches.len());
            let begin = world
                .plan
                .node(&format!("phase {}", of.id))
                .ok_or("no begin")?;
            let skipped = state.nodes[begin.at()].outcome != Some(Outcome::Passed);
            let ended = graph.predecessors(node).iter();
            let ended = ended.filter_map(|p| state.nodes[p.at()].finished_at);
            let since = ended.max().unwrap_or(record.at);
            let pause = i64::try_from(of.pause_ms).unwrap();
            if more && !skipped && pause > 0 && record.at < since + pause {
                return Err("a batch followed too soon".into());
            }
        }
        _ => {}
    }
    Ok(())
}

/// The run failed for good: only where no check is able to tell.
pub fn only_a_person_can_tell(world: &World) -> Result<(), String> {
    let state = world.state().map_err(|e| e.to_string())?;
    let in_doubt = |n: &&NodeState| matches!(&n.outcome, Some(Outcome::Failed(f)) if f.kind == FailureKind::InDoubt);
    let doubtful: Vec<_> = state.nodes.iter().filter(in_doubt).collect();
    if doubtful.is_empty() {
        return Err("failed for good, and nothing is in doubt".into());
    }
    for node in doubtful {
        let at = world.plan.node(&node.summary.id).ok_or("no such node")?;
        let may = kind(world, at)
            .is_some_and(|(_, _, kind, doubt)| kind == TypeKind::Always || doubt == InDoubt::Ask);
        if !may {
            return Err(format!(
                "`{}` is in doubt, and its check is able to tell",
                node.summary.id
            ));
        }
    }
    Ok(())
}

/// Of each node whether it ended as it should, in a way that a disturbance cannot change.
pub fn went_well(world: &World) -> Vec<bool> {
    let Ok(state) = world.state() else {
        return Vec::new();
    };
    let nodes = (0u32..).map(NodeIx).zip(&state.nodes);
    let well = nodes.map(|(node, n)| {
        let held = state.holds.contains_key(&node);
        let main = world.plan.part_of(node) == Part::Main;
        let by_order = match &n.outcome {
            Some(Outcome::ByHand { .. } | Outcome::Excluded { .. }) => true,
            Some(Outcome::Skipped { reason }) => reason.starts_with("by "),
            _ => false,
        };
        let recorded = matches!(n.outcome, Some(Outcome::Recorded(_)));
        main && !held && n.is_success() && !recorded && !by_order
    });
    well.collect()
}

/// The run does not come to its end: only where something does not work, or a host is left behind.
pub fn something_is_broken(world: &World) -> Result<(), String> {
    let state = world.state().map_err(|e| e.to_string())?;
    let left = |n: &NodeState| {
        matches!(
            n.outcome,
            Some(Outcome::Left(_) | Outcome::LeftOut { .. } | Outcome::Recorded(_))
        )
    };
    // A step that always takes too long, and whose hold is released each time, is done for ever.
    let again = |record: &Record| matches!(&record.event, Event::Reopened { reason, .. } if reason.contains("was released"));
    let broken = world.breaks() || world.journal.iter().any(again);
    if broken || state.nodes.iter().any(left) {
        return Ok(());
    }
    Err("it does not come to its end, and nothing is broken".into())
}
