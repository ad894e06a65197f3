//! The laws, each read off the journal and off what really happened on the hosts.
#![allow(unreachable_pub, reason = "a part of the suite")]
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod back;
mod keys;
mod lasting;
mod orders;
mod policy;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

#[allow(unused_imports, reason = "each suite uses its part of the laws")]
pub use back::gone_back;
use lasting::Lasting;
use policy::{closed, policy, released, undoing};
pub use policy::{only_a_person_can_tell, something_is_broken, went_well};
use runbook_exec::graph::Frozen;
use runbook_exec::world::{Ending, World};
use runbook_model::event::{Purpose, ReleasedBy};
use runbook_model::plan::Part;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{
    Command, Event, HostName, NodeIx, NodeKind, Outcome, Record, RunResult, RunState, Step,
};

/// What one controller did so far.
#[derive(Default)]
struct Term {
    stopping: bool,
    answered: BTreeSet<HostName>,
    dispatched: BTreeSet<NodeIx>,
    /// Who is under way, as far as it has moved.
    active: BTreeSet<NodeIx>,
    /// The event when a node was first able to start, or was opened again for being too old.
    ready: BTreeMap<NodeIx, u64>,
    /// The event that its last look began with, or where it has none, its end.
    seen: BTreeMap<NodeIx, u64>,
    /// What is under way where, and whether a stop gives it up with a broken link.
    busy: BTreeMap<NodeIx, (HostName, bool)>,
}

/// Checks every law; the text names the broken one.
pub fn hold(world: &World, endings: &[Ending]) -> Result<(), String> {
    truth::hold(world)?;
    orders::nothing_begins(world)?;
    let graph = Frozen::new(&world.plan).map_err(|e| e.to_string())?;
    let mut state = RunState::default();
    let mut part = Term::default();
    let mut lasting = Lasting::default();
    let mut decided = orders::Decided::default();
    for record in &world.journal {
        if matches!(record.event, Event::Opened { .. }) {
            part = Term::default();
        }
        let told = |law: String| format!("event {}: {law}: {:?}", record.seq, record.event);
        before(world, &graph, &state, &mut part, record).map_err(told)?;
        keys::alone(world, &graph, &state, &mut part.active, record).map_err(told)?;
        lasting.see(world, &state, record).map_err(told)?;
        decided.see(world, &graph, &state, record).map_err(told)?;
        state.apply(record).map_err(|e| told(e.to_string()))?;
        after(world, &graph, &state, &mut part, record).map_err(told)?;
    }
    ended(world, &state, endings)
}

fn kind(world: &World, node: NodeIx) -> Option<(&Step, &HostName, TypeKind, InDoubt)> {
    let (step, host) = world.plan.instance(node)?;
    let of = world.plan.type_of(step)?;
    Some((step, host, of.kind, of.in_doubt))
}

/// What must be so before an event.
fn before(
    world: &World,
    graph: &Frozen,
    state: &RunState,
    part: &mut Term,
    record: &Record,
) -> Result<(), String> {
    let none = BTreeSet::new();
    let (node, begins) = match &record.event {
        Event::Undoing { node, .. } => return undoing(world, state, *node),
        Event::Closed { .. } => return closed(world, state),
        Event::Released {
            by: ReleasedBy::Step(by),
            ..
        } => return released(state, *by),
        Event::Looking {
            purpose: Purpose::Undo,
            ..
        } => return Ok(()),
        Event::Looking { node, purpose } => {
            (*node, matches!(purpose, Purpose::Before | Purpose::Probe))
        }
        Event::Dispatched { instances, .. } => {
            // A member of a chain begins when those before it are done.
            let mut with = BTreeSet::new();
            for intent in instances {
                of_node(
                    world,
                    graph,
                    state,
                    part,
                    record,
                    (intent.node, true),
                    &with,
                )?;
                with.insert(intent.node);
            }
            return Ok(());
        }
        Event::Asked { node, .. } | Event::Decided { node } => (*node, true),
        Event::Finished { node, .. } => (*node, false),
        _ => return Ok(()),
    };
    of_node(world, graph, state, part, record, (node, begins), &none)
}

/// What must be so before an event of a node; those in `with` count as done.
fn of_node(
    world: &World,
    graph: &Frozen,
    state: &RunState,
    part: &Term,
    record: &Record,
    (node, begins): (NodeIx, bool),
    with: &BTreeSet<NodeIx>,
) -> Result<(), String> {
    let of = world.plan.part_of(node);
    if part.stopping && begins && of == Part::Main {
        return Err("something began after the stop".into());
    }
    let back = state.rollback.is_some() && state.ending.is_none();
    let turn = match of {
        Part::Rollback => back,
        Part::Main => !back && state.ending.is_none(),
        Part::Finally => state.ending.is_some(),
    };
    if begins && !turn {
        return Err("a part ran out of turn".into());
    }
    let run = |node: &NodeIx| world.plan.part_of(*node) != Part::Rollback;
    let mut asked = world.plan.instances().map(|(node, ..)| node).filter(run);
    let answered = |node: NodeIx| {
        let host = world.plan.runs_on(node);
        host.is_some_and(|host| part.answered.contains(host) || state.excluded.contains_key(host))
    };
    let mine = kind(world, node).is_none() || answered(node);
    let all = state.rollback.is_some() || asked.all(answered);
    if !all || (begins && !mine) {
        return Err("not every host had answered".into());
    }
    let before = &state.nodes[node.at()];
    let step = world.plan.instance(node).map(|(step, _)| step.id.as_str());
    let kept = |step: &str| state.blocked.contains_key(step) || state.pause_before.contains(step);
    if begins && before.stage == Stage::Waiting && step.is_some_and(kept) {
        return Err("somebody keeps it from starting".into());
    }
    let ended = |p: &NodeIx| with.contains(p) || state.nodes[p.at()].is_done();
    if !matches!(record.event, Event::Finished { .. }) && !graph.requires(node).iter().all(ended) {
        return Err("something that it refers to had not ended".into());
    }
    let ended_well = |nodes: &[NodeIx]| {
        let well = |p: &NodeIx| with.contains(p) || state.nodes[p.at()].is_success();
        nodes.iter().all(well)
    };
    let there = |p: &NodeIx| with.contains(p) || state.nodes[p.at()].lets_pass();
    // A point between two steps passes with those before it.
    fn point(world: &World, graph: &Frozen, p: NodeIx, there: &dyn Fn(&NodeIx) -> bool) -> bool {
        let mut before = graph.predecessors(p).iter();
        matches!(world.plan.nodes[p.at()].kind, NodeKind::Barrier { .. })
            && before.all(|p| there(p) || point(world, graph, *p, there))
    }
    let passed = |p: &NodeIx| there(p) || (!with.is_empty() && point(world, graph, *p, &there));
    // A point does nothing but wait for those before it.
    let waits = before.stage == Stage::Waiting || world.plan.instance(node).is_none();
    if waits && !graph.predecessors(node).iter().all(passed) {
        return Err("a predecessor had not ended well".into());
    }
    if let Event::Finished { outcome, .. } = &record.event {
        policy(world, graph, state, record, node, outcome)?;
    }
    if begins && !ended_well(graph.requires(node)) {
        return Err("something that it is built on had not ended well".into());
    }
    // What an attempt has done is looked at first; only another effect is built on fresh looks again.
    let looks_back = matches!(record.event, Event::Looking { .. })
        && state.attempts.values().any(|a| a.node == node);
    let first = before.stage == Stage::Waiting || matches!(record.event, Event::Dispatched { .. });
    if begins
        && first
        && !looks_back
        && !matches!(record.event, Event::Decided { .. })
        && !part.dispatched.contains(&node)
    {
        fresh(world, graph, state, part, record, node)?;
    }
    Ok(())
}

fn fresh(
    world: &World,
    graph: &Frozen,
    state: &RunState,
    part: &Term,
    record: &Record,
    node: NodeIx,
) -> Result<(), String> {
    for old in graph.requires(node) {
        let Some((step, _, kind, _)) = kind(world, *old) else {
            continue;
        };
        let there = &state.nodes[old.at()];
        let (Some(limit), false) = (
            step.fresh_ms,
            matches!(there.outcome, Some(Outcome::Skipped { .. })),
        ) else {
            continue;
        };
        if !matches!(kind, TypeKind::Probe | TypeKind::Assert) {
            continue;
        }
        // Nobody looks there any more.
        let host = world.plan.runs_on(*old);
        let out = host.is_some_and(|host| state.excluded.contains_key(host));
        if out || matches!(there.outcome, Some(Outcome::Excluded { .. })) {
            continue;
        }
        let looked = there.looked_at.or(there.finished_at).unwrap_or(0);
        let young = looked + i64::try_from(limit).unwrap() >= record.at;
        let seen = part.seen.get(old).copied().unwrap_or(0);
        let since = part.ready.get(&node).is_some_and(|ready| seen >= *ready);
        if there.finished_in != Some(record.epoch) || !(young || since) {
            return Err(format!("`{}` is too old", there.summary.id));
        }
    }
    Ok(())
}

/// What follows from an event for this controller's part.
fn after(
    world: &World,
    graph: &Frozen,
    state: &RunState,
    part: &mut Term,
    record: &Record,
) -> Result<(), String> {
    match &record.event {
        Event::HostReady { host, .. } | Event::HostUnusable { host, .. } => {
            part.answered.insert(host.clone());
            // A look that was cut while what it reads is taken again waits for that.
            let settled = |node: &NodeIx| {
                let requires = graph.requires(*node).iter();
                requires.clone().all(|p| state.nodes[p.at()].is_done())
            };
            let gone = matches!(record.event, Event::HostUnusable { .. });
            part.busy
                .retain(|node, (there, _)| there != host || (settled(node) && !gone));
            let stopping = part.stopping;
            part.busy
                .retain(|_, (there, given_up)| !(stopping && *given_up && there == host));
        }
        Event::Stopping { .. } => part.stopping = true,
        Event::Ordered { order, nodes }
            if matches!(order.command, Command::Rerun { .. } | Command::Retry { .. }) =>
        {
            for node in nodes {
                part.dispatched.remove(node);
                part.ready.insert(*node, record.seq);
            }
            note_ready(graph, state, part, record.seq);
        }
        Event::Ordered { order, nodes } => {
            if let Command::Exclude { host } = &order.command {
                let goes_on =
                    |node: &NodeIx, there: &HostName| there != host && !nodes.contains(node);
                part.busy.retain(|node, (there, _)| goes_on(node, there));
            }
            note_ready(graph, state, part, record.seq);
        }
        Event::Undoing { node, .. }
        | Event::Looking {
            node,
            purpose: Purpose::Undo,
        } => busy(world, part, *node, false)?,
        Event::Looking { node, purpose } => {
            part.seen.insert(*node, record.seq);
            busy(
                world,
                part,
                *node,
                matches!(purpose, Purpose::Before | Purpose::Probe),
            )?;
        }
        Event::Dispatched { instances, .. } => {
            part.dispatched.extend(instances.iter().map(|i| i.node));
            // A chain takes one place: it is its last member's, which ends last.
            let last = instances.last().map_or(instances[0].node, |i| i.node);
            busy(world, part, last, false)?;
        }
        Event::Looked { node, .. }
        | Event::UndoLooked { node, .. }
        | Event::Undone { node, .. } => {
            part.busy.remove(node);
        }
        Event::Ended { attempt, .. }
        | Event::Doubted { attempt, .. }
        | Event::OverTime { attempt } => {
            part.busy.remove(&state.attempts[attempt].node);
        }
        Event::Reopened { node, .. } => {
            part.dispatched.remove(node);
            part.ready.insert(*node, record.seq);
        }
        Event::Finished { .. } | Event::Opened { .. } => {
            if let Event::Finished { node, .. } = &record.event {
                part.busy.remove(node);
                if state.nodes[node.at()].looked_at.is_none() {
                    part.seen.insert(*node, record.seq);
                }
            }
            note_ready(graph, state, part, record.seq);
        }
        _ => {}
    }
    Ok(())
}

/// Who is able to start from here on.
fn note_ready(graph: &Frozen, state: &RunState, part: &mut Term, seq: u64) {
    for node in (0u32..).map(NodeIx).take(state.nodes.len()) {
        let mut before = graph.predecessors(node).iter();
        if before.all(|p| state.nodes[p.at()].lets_pass()) {
            part.ready.entry(node).or_insert(seq);
        }
    }
}

fn busy(world: &World, part: &mut Term, node: NodeIx, given_up: bool) -> Result<(), String> {
    let Some(host) = world.plan.runs_on(node) else {
        return Err("not an instance".into());
    };
    part.busy.insert(node, (host.clone(), given_up));
    let there = part.busy.values().filter(|(h, _)| h == host).count();
    if there > world.options.per_host || part.busy.len() > world.options.global {
        return Err(format!(
            "{there} at a time on {host}, {} in all",
            part.busy.len()
        ));
    }
    Ok(())
}

fn ended(world: &World, state: &RunState, endings: &[Ending]) -> Result<(), String> {
    for ending in endings {
        let fine = matches!(
            ending,
            Ending::Closed(_) | Ending::Crashed | Ending::TakenOver | Ending::Unwritten(_)
        );
        if !fine {
            return Err(format!("a controller ended with {ending:?}"));
        }
    }
    if endings.last() != Some(&Ending::Closed(RunResult::Succeeded)) {
        return Ok(());
    }
    for (at, node) in (0u32..).zip(&state.nodes) {
        if world.plan.part_of(NodeIx(at)) != Part::Main {
            continue;
        }
        if !node.is_done() || !node.lets_pass() {
            return Err(format!("succeeded without `{}`", node.summary.id));
        }
        let changes = kind(world, NodeIx(at)).is_some_and(|(_, _, kind, _)| {
            matches!(
                kind,
                TypeKind::Ordinary | TypeKind::Copy | TypeKind::Always | TypeKind::Record
            )
        });
        let skipped = matches!(node.outcome, Some(Outcome::Skipped { .. }));
        let undone = state.undos.contains_key(&NodeIx(at));
        // What a person says is done was not seen by anybody else.
        let told = matches!(
            node.outcome,
            Some(Outcome::Recorded(_) | Outcome::ByHand { .. } | Outcome::Excluded { .. })
        );
        let well = node.is_success() && !told;
        if changes && well && !undone && !skipped && !world.is_there(NodeIx(at)) {
            return Err(format!("succeeded, and `{}` is not there", node.summary.id));
        }
    }
    Ok(())
}

/// The story of a world, for whoever looks for a mistake.
#[allow(dead_code, reason = "each suite uses its part of the laws")]
#[expect(clippy::print_stderr, reason = "a failing test tells its story")]
pub fn tell(world: &World, endings: &[Ending]) {
    for record in &world.journal {
        eprintln!(
            "{} {} {} {:?}",
            record.seq, record.epoch, record.at, record.event
        );
    }
    for struck in &world.struck {
        eprintln!("{struck:?}");
    }
    for happening in &world.happenings {
        eprintln!(
            "{} during {} after {}: {} {:?}",
            happening.at,
            happening.during,
            happening.seq,
            world.plan.nodes[happening.node.at()].id,
            happening.what
        );
    }
    eprintln!("{endings:?}");
}
