//! Who writes the same resource is not under way at the same time.

use std::collections::{BTreeMap, BTreeSet};

use runbook_exec::graph::Frozen;
use runbook_exec::rules::Keys;
use runbook_exec::world::World;
use runbook_model::event::Purpose;
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{Event, NodeIx, RunState};

/// What may run on a host.
fn open(state: &RunState, node: NodeIx) -> bool {
    let stage = state.nodes[node.at()].stage;
    matches!(stage, Stage::Intended | Stage::Running | Stage::InDoubt)
}

/// What waits for something of these kinds that is done again does not count.
fn waits(world: &World, graph: &Frozen, state: &RunState, node: NodeIx, looks_too: bool) -> bool {
    let counts = |p: &&NodeIx| {
        let kind = super::kind(world, **p).map(|(_, _, kind, _)| kind);
        looks_too || !matches!(kind, Some(TypeKind::Probe | TypeKind::Assert))
    };
    let mut before = graph.requires(node).iter().filter(counts);
    !open(state, node) && before.any(|p| !state.nodes[p.at()].is_done())
}

pub(super) fn alone(
    world: &World,
    graph: &Frozen,
    state: &RunState,
    active: &mut BTreeSet<NodeIx>,
    record: &runbook_model::Record,
) -> Result<(), String> {
    let (node, begins) = match &record.event {
        Event::Opened { .. } => {
            let all = (0u32..).map(NodeIx).take(state.nodes.len());
            *active = all.filter(|node| open(state, *node)).collect();
            return Ok(());
        }
        Event::Finished { node, .. } => {
            active.remove(node);
            return Ok(());
        }
        Event::Ending { .. } => {
            active.clear();
            return Ok(());
        }
        Event::Looking { node, purpose } => match purpose {
            Purpose::Before | Purpose::Probe => (*node, true),
            Purpose::After | Purpose::Doubt => (*node, false),
            Purpose::Undo | Purpose::Derive => return Ok(()),
        },
        Event::Dispatched { instances, .. } => {
            let nodes: BTreeSet<NodeIx> = instances.iter().map(|intent| intent.node).collect();
            // Members of a chain come one after the other.
            let others: BTreeSet<NodeIx> = active.difference(&nodes).copied().collect();
            for node in nodes {
                let mut beside = others.clone();
                begin(world, graph, state, &mut beside, (node, true))?;
                active.insert(node);
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    begin(world, graph, state, active, (node, begins))
}

fn begin(
    world: &World,
    graph: &Frozen,
    state: &RunState,
    active: &mut BTreeSet<NodeIx>,
    (node, begins): (NodeIx, bool),
) -> Result<(), String> {
    let course = match (&state.ending, &state.rollback) {
        (Some(_), _) => Part::Finally,
        (None, Some(_)) => Part::Rollback,
        (None, None) => Part::Main,
    };
    let turn = |node: NodeIx| world.plan.part_of(node) == course || open(state, node);
    active.retain(|other| turn(*other) && !waits(world, graph, state, *other, false));
    let none = Keys::default();
    let keys: &BTreeMap<NodeIx, Keys> = &world.tables.keys;
    let of = |node: NodeIx| keys.get(&node).unwrap_or(&none);
    let starts = state.nodes[node.at()].stage == Stage::Waiting;
    for other in active.iter().filter(|other| begins && **other != node) {
        let same = world.plan.runs_on(*other) == world.plan.runs_on(node);
        let theirs = &of(*other).written;
        let common = |mine: &[String]| same && mine.iter().any(|key| theirs.contains(key));
        let id = &state.nodes[other.at()].summary.id;
        if common(&of(node).written) {
            return Err(format!("`{id}` writes the same, and is under way"));
        }
        if starts && common(&of(node).read) && !waits(world, graph, state, *other, true) {
            return Err(format!("`{id}` writes what is looked at here"));
        }
    }
    active.insert(node);
    Ok(())
}
