//! Random runs that go on with another plan after their controller died anywhere: what is the same is
//! not done again, what is not runs again with what follows from it, the order holds, and whoever
//! dies after that is followed by one that ends it.
//!
//! Each case is one seed. `RUNBOOK_CASES` sets how many, `RUNBOOK_SEED` runs one and tells its story.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_laws;
mod core_worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use core_worlds::{cases, each_seed, enough, wanted_seed};
use runbook_exec::edited::{Edit, EditError, compare};
use runbook_exec::graph::Frozen;
use runbook_exec::world::{Behaviour, Ending, Faults, Random, Size, Tables, What, World};
use runbook_model::edit::Fate;
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{
    Event, HostName, Node, NodeIx, NodeKind, Outcome, Plan, Record, RunResult, RunState, Value,
};

/// A plan, how its instances behave, and what its conditions say.
#[derive(Clone)]
struct Other {
    plan: Plan,
    behaviours: Vec<Behaviour>,
    tables: Tables,
}

fn world(seed: u64) -> World {
    let mut world = core_worlds::world(seed, Size::LARGE, false);
    // Where something never works nothing is proved about the rest.
    world.faults = Faults::default();
    world
}

fn instances(plan: &Plan) -> Vec<NodeIx> {
    let all = plan.instances().map(|(node, ..)| node);
    all.filter(|node| plan.part_of(*node) == Part::Main)
        .collect()
}

/// The same, and the text of the plan is another one.
fn same(of: &Other) -> Other {
    let mut other = of.clone();
    other.plan.digest = "other".into();
    other
}

/// One instance does something else.
fn changed(of: &Other, node: NodeIx) -> Other {
    let mut other = same(of);
    if let NodeKind::Instance { step, .. } = other.plan.nodes[node.at()].kind {
        let with = &mut other.plan.steps[step.at()].with;
        with.insert("tag".into(), Value::from("v2"));
    }
    other
}

/// One instance more, behind some that are there.
fn with_one_more(of: &Other, random: &mut Random) -> Other {
    let mut other = same(of);
    let like = *random.pick(&instances(&of.plan));
    let node = NodeIx(u32::try_from(other.plan.nodes.len()).unwrap());
    let NodeKind::Instance { step, .. } = other.plan.nodes[like.at()].kind else {
        unreachable!("it is an instance");
    };
    other.plan.nodes.push(Node {
        id: format!("{}@h9", other.plan.steps[step.at()].id),
        kind: NodeKind::instance(step, HostName::new("h9").unwrap()),
    });
    let edges: Vec<_> = of
        .plan
        .edges
        .iter()
        .filter(|e| e.from == like || e.to == like)
        .copied()
        .collect();
    for mut edge in edges {
        match edge.from == like {
            true => edge.from = node,
            false => edge.to = node,
        }
        other.plan.edges.push(edge);
    }
    other.plan.edges.sort_unstable();
    let tables = &mut other.tables;
    let when = tables.when.get(&like).cloned();
    tables.when.extend(when.map(|when| (node, when)));
    tables.waits.insert(node, 5);
    other.behaviours.push(Behaviour::default());
    other
}

/// One instance less.
fn without(of: &Other, gone: NodeIx) -> Other {
    let mut other = same(of);
    let to = |node: NodeIx| match node.cmp(&gone) {
        std::cmp::Ordering::Less => Some(node),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(NodeIx(node.0 - 1)),
    };
    other.plan.nodes.remove(gone.at());
    other.behaviours.remove(gone.at());
    // Who came after it comes after what it came after.
    let edges = &of.plan.edges;
    let before: Vec<_> = edges.iter().filter(|e| e.to == gone).collect();
    let mut all = edges.clone();
    for after in edges.iter().filter(|e| e.from == gone) {
        for first in &before {
            let mut edge = *after;
            edge.from = first.from;
            edge.kind = edge.kind.max(first.kind);
            all.push(edge);
        }
    }
    all.retain(|e| e.from != gone && e.to != gone);
    for edge in &mut all {
        (edge.from, edge.to) = (to(edge.from).unwrap(), to(edge.to).unwrap());
    }
    all.sort_unstable();
    all.dedup_by_key(|e| (e.from, e.to));
    other.plan.edges = all;
    fn moved<T: Clone>(
        of: &BTreeMap<NodeIx, T>,
        to: impl Fn(NodeIx) -> Option<NodeIx>,
    ) -> BTreeMap<NodeIx, T> {
        of.iter()
            .filter_map(|(n, v)| Some((to(*n)?, v.clone())))
            .collect()
    }
    let tables = &of.tables;
    other.tables.when = moved(&tables.when, to);
    other.tables.waits = moved(&tables.waits, to);
    other.tables.keys = moved(&tables.keys, to);
    other.tables.reads = moved(&tables.reads, to);
    for reads in other.tables.reads.values_mut() {
        *reads = reads.iter().filter_map(|n| to(*n)).collect();
    }
    other
}

/// The run as it was when its controller died before some action.
fn left(seed: u64, random: &mut Random) -> (Other, World) {
    let mut world = world(seed);
    let of = Other {
        plan: (*world.plan).clone(),
        behaviours: Vec::new(),
        tables: world.tables.clone(),
    };
    let (_, behaviours) = runbook_exec::world::plan_of(&mut Random::new(seed), Size::LARGE);
    let of = Other { behaviours, ..of };
    let at = random.below(80);
    let (mut count, mut fork) = (0, None);
    world.run_to_end_watched(3, &mut |world| {
        if count == at {
            fork = Some(world.fork_whole());
        }
        count += 1;
    });
    let fork = fork.unwrap_or_else(|| world.fork_whole());
    (of, fork)
}

/// What was attempted, by the names of instances, in the records behind so many.
fn attempted(world: &World, after: usize) -> BTreeSet<String> {
    let id = |node: NodeIx| world.plan.nodes[node.at()].id.clone();
    let records = world.journal.iter().skip(after);
    let nodes = records.flat_map(|record| match &record.event {
        Event::Dispatched { instances, .. } => instances.iter().map(|i| i.node).collect(),
        _ => Vec::new(),
    });
    nodes.map(id).collect()
}

fn outcomes(state: &RunState) -> BTreeMap<String, &'static str> {
    let word = |n: &runbook_model::state::NodeState| n.outcome.as_ref().map_or("-", Outcome::word);
    let nodes = state.nodes.iter();
    nodes.map(|n| (n.summary.id.clone(), word(n))).collect()
}

/// What must be so from the change on: nothing begins before what comes before it and is to be done.
fn in_order(world: &World, compiled: &Plan, edit: &Edit, from: usize) -> Result<(), String> {
    let graph = Frozen::new(compiled).map_err(|e| e.to_string())?;
    let again = edit.event.again.iter().map(|again| again.node);
    let kept: BTreeSet<NodeIx> = edit.event.kept.iter().map(|(_, node)| *node).collect();
    let mut open: BTreeSet<NodeIx> = again.collect();
    let all = (0u32..).map(NodeIx).take(compiled.nodes.len());
    open.extend(all.clone().filter(|node| !kept.contains(node)));
    let is_step =
        |node: &NodeIx| matches!(compiled.nodes[node.at()].kind, NodeKind::Instance { .. });
    open.retain(is_step);
    let before = ancestors(&graph, &open);
    let mut state = RunState::default();
    // What has ended since may be opened again for other reasons.
    let mut ended = BTreeSet::new();
    for (at, record) in world.journal.iter().enumerate() {
        if at > from {
            let passed = open
                .iter()
                .filter(|node| state.nodes[node.at()].lets_pass());
            ended.extend(passed.copied());
            let begins = match &record.event {
                Event::Looking { node, .. }
                | Event::Asked { node, .. }
                | Event::Pausing { node, .. } => Some(*node),
                Event::Dispatched { instances, .. } => Some(instances[0].node),
                _ => None,
            };
            // What had been begun before goes on; what is opened for another reason is not new.
            let counts = |node: &NodeIx| {
                let n = &state.nodes[node.at()];
                n.stage == Stage::Waiting && (open.contains(node) || n.generation == 1)
            };
            if let Some(node) = begins.filter(counts)
                && let Some(first) = before[node.at()].difference(&ended).next()
            {
                let name = |node: NodeIx| &compiled.nodes[node.at()].id;
                return Err(format!("`{}` began before `{}`", name(node), name(*first)));
            }
        }
        state.apply(record).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Of each node, those of `open` that come before it.
fn ancestors(graph: &Frozen, open: &BTreeSet<NodeIx>) -> Vec<BTreeSet<NodeIx>> {
    let mut before = vec![BTreeSet::new(); graph.order().len()];
    for node in graph.order() {
        let mut mine = BTreeSet::new();
        for p in graph.predecessors(*node) {
            mine.extend(before[p.at()].iter().copied());
            mine.extend(open.get(p));
        }
        before[node.at()] = mine;
    }
    before
}

fn fits(endings: &[Ending]) -> Result<(), String> {
    let fine = |e: &&Ending| matches!(e, Ending::Closed(_) | Ending::Crashed);
    match endings.iter().find(|e| !fine(e)) {
        Some(ending) => Err(format!("a controller ended with {ending:?}")),
        None => Ok(()),
    }
}

/// Everything that must be so after a change.
fn holds(
    edited: &World,
    endings: &[Ending],
    (compiled, edit, plain): (&Plan, &Edit, &World),
    from: usize,
) -> Result<(), String> {
    fits(endings)?;
    in_order(edited, compiled, edit, from)?;
    // Nothing that is done and the same is attempted again, unless it would have been anyway.
    let reused = edit.comparison.rows.iter();
    let reused = reused.filter(|row| matches!(row.fate, Fate::Reused { .. } | Fate::Stays { .. }));
    let reused: BTreeSet<String> = reused.map(|row| row.id.clone()).collect();
    let anyway = attempted(plain, from);
    let again: Vec<String> = attempted(edited, from).into_iter().collect();
    let retaken = |id: &String| {
        let state = edited.state().unwrap();
        state
            .holds
            .keys()
            .any(|node| state.nodes[node.at()].summary.id == *id)
    };
    if let Some(id) = again
        .iter()
        .find(|id| reused.contains(*id) && !anyway.contains(*id) && !retaken(id))
    {
        return Err(format!(
            "`{id}` is done and the same, and was attempted again"
        ));
    }
    let mut begun = BTreeSet::new();
    for happened in &edited.happenings {
        if let What::Began(attempt) = &happened.what
            && !begun.insert(attempt.clone())
        {
            return Err(format!("{attempt} began twice"));
        }
    }
    let state = edited.state().map_err(|e| e.to_string())?;
    if endings.last() == Some(&Ending::Closed(RunResult::Succeeded)) {
        for node in instances(&edited.plan) {
            let n = &state.nodes[node.at()];
            if !n.lets_pass() {
                return Err(format!("succeeded without `{}`", n.summary.id));
            }
            let (step, _) = edited.plan.instance(node).unwrap();
            let kind = edited.plan.type_of(step).unwrap().kind;
            let changes = matches!(kind, TypeKind::Ordinary | TypeKind::Copy | TypeKind::Always);
            let well = matches!(n.outcome, Some(Outcome::Changed | Outcome::Satisfied));
            if changes && well && !state.undos.contains_key(&node) && !edited.is_there(node) {
                return Err(format!("succeeded, and `{}` is not there", n.summary.id));
            }
        }
    }
    Ok(())
}

/// What becomes of an instance by name.
fn fates(edit: &Edit) -> BTreeMap<&str, &Fate> {
    edit.comparison
        .rows
        .iter()
        .map(|row| (row.id.as_str(), &row.fate))
        .collect()
}

fn is_work(edit: &Edit) -> BTreeSet<String> {
    let rows = edit.comparison.rows.iter().filter(|row| row.fate.is_work());
    rows.map(|row| row.id.clone()).collect()
}

/// What runs again because this one does, by the rules.
fn followers(plan: &Plan, state: &RunState, first: NodeIx) -> BTreeSet<String> {
    let graph = Frozen::new(plan).unwrap();
    let mut moved = BTreeSet::from([first]);
    let mut behind = BTreeSet::new();
    for node in graph.order() {
        let before = graph.predecessors(*node);
        if before
            .iter()
            .any(|p| moved.contains(p) || behind.contains(p))
        {
            behind.insert(*node);
        }
        let Some((step, _)) = plan
            .instance(*node)
            .filter(|_| plan.part_of(*node) == Part::Main)
        else {
            continue;
        };
        let n = &state.nodes[node.at()];
        let well = n.is_done() && n.is_success() && !step.once;
        let skipped = matches!(
            n.outcome,
            Some(Outcome::Skipped { .. } | Outcome::Excluded { .. })
        );
        let again = match plan.type_of(step).unwrap().kind {
            TypeKind::Probe | TypeKind::Assert => {
                graph.requires(*node).iter().any(|p| moved.contains(p))
            }
            TypeKind::Gate => behind.contains(node),
            _ => false,
        };
        if well && !skipped && again {
            moved.insert(*node);
        }
    }
    moved
        .into_iter()
        .map(|node| plan.nodes[node.at()].id.clone())
        .collect()
}

fn case(seed: u64, seen: &[AtomicUsize; 4]) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0xed17);
    let (of, fork) = left(seed, &mut random);
    let state = fork.state().map_err(|e| e.to_string())?;
    let from = fork.journal.len();
    let mut plain = fork.fork_whole();
    let controllers = enough(&plain);
    let endings = plain.run_to_end(controllers);
    fits(&endings)?;
    let main = instances(&of.plan);
    let one = *random.pick(&main);
    let kind = random.below(4);
    let other = match kind {
        0 => same(&of),
        1 => changed(&of, one),
        2 => with_one_more(&of, &mut random),
        _ => without(&of, one),
    };
    let edit = match compare(&of.plan, &other.plan, &state, None) {
        Ok(edit) => edit,
        // What refuses, and that it is right to, is shown elsewhere; here, only that it does not for nothing.
        Err(EditError::Refused(_)) if kind != 0 => return Ok(()),
        Err(EditError::Refused(_)) if state.run.is_none() || state.ending.is_some() => {
            return Ok(());
        }
        Err(EditError::Refused(_)) if state.result.as_ref().is_some_and(|r| !r.goes_on()) => {
            return Ok(());
        }
        Err(error) => return Err(error.to_string()),
    };
    seen[usize::try_from(kind).unwrap()].fetch_add(1, Ordering::Relaxed);
    if kind == 1 {
        expect_change(&of, &state, &edit, one)?;
    }
    let mut edited = fork.fork_whole();
    let (behaviours, tables) = (other.behaviours.clone(), other.tables.clone());
    edited
        .edit(edit.clone(), behaviours, tables)
        .map_err(|e| e.to_string())?;
    let cut = edited.journal.len() - 1;
    // Whoever dies after it, wherever, is followed by one that ends it.
    let mut broken = None;
    let mut deaths = 0;
    let begun = edited.fork_whole();
    let endings = edited.run_to_end_watched(controllers, &mut |world| {
        deaths += 1;
        if broken.is_some() || deaths > 60 || !(deaths + seed).is_multiple_of(3) {
            return;
        }
        let mut fork = world.fork();
        let endings = fork.run_to_end(controllers);
        broken = holds(&fork, &endings, (&other.plan, &edit, &plain), cut).err();
    });
    let held = holds(&edited, &endings, (&other.plan, &edit, &plain), cut);
    if held.is_err() && wanted_seed().is_some() {
        core_laws::tell(&edited, &endings);
    }
    held?;
    if let Some(law) = broken {
        return Err(format!("after another death: {law}"));
    }
    if kind == 0 {
        let ends = |world: &World| {
            world
                .state()
                .map(|state| outcomes(&state))
                .map_err(|e| e.to_string())
        };
        if ends(&edited)? != ends(&plain)? {
            return Err(format!(
                "ends otherwise than without a change: {:?}\n{:?}",
                ends(&edited)?,
                ends(&plain)?
            ));
        }
        let work = is_work(&edit);
        if !work.is_empty() {
            return Err(format!("nothing has changed, and {work:?} run again"));
        }
    }
    // Before the journal names it, the new plan is nothing: the old one goes on.
    let mut before = begun;
    before.journal.truncate(cut);
    let names: Vec<&Record> = before.journal.iter().skip(from).collect();
    match names.as_slice() {
        [opened] if matches!(opened.event, Event::Opened { .. }) => {}
        other => return Err(format!("before the change there is {other:?}")),
    }
    Ok(())
}

/// With one instance changed, that one and what must follow runs again, and nothing else.
fn expect_change(of: &Other, state: &RunState, edit: &Edit, one: NodeIx) -> Result<(), String> {
    let n = &state.nodes[one.at()];
    let id = n.summary.id.as_str();
    let (step, _) = of.plan.instance(one).unwrap();
    let skipped = matches!(n.outcome, Some(Outcome::Skipped { .. }));
    let stays = n.is_done() && n.is_success() && (skipped || step.once);
    let fate = fates(edit)[id];
    // Instances of one step change together.
    let mates = of
        .plan
        .instances()
        .filter(|(_, other, _)| of.plan.step(step.id.as_str()).map(|s| s.0) == Some(*other));
    if mates.count() > 1 {
        return Ok(());
    }
    let gate = of.plan.type_of(step).unwrap().kind == TypeKind::Assert;
    if stays || gate {
        return match fate.is_work() && !gate {
            true => Err(format!("`{id}` runs again: {fate:?}")),
            false => Ok(()),
        };
    }
    let wanted = followers(&of.plan, state, one);
    let work = is_work(edit);
    match work == wanted {
        true => Ok(()),
        false => Err(format!("again {work:?}, wanted {wanted:?}")),
    }
}

#[test]
fn a_run_goes_on_with_another_plan() {
    let seen = Default::default();
    if let Some(seed) = wanted_seed() {
        return case(seed, &seen).unwrap();
    }
    each_seed(0..cases(240), |seed| case(seed, &seen));
    // Worlds in which nothing is changed prove nothing.
    let seen: Vec<usize> = seen.iter().map(|n| n.load(Ordering::Relaxed)).collect();
    assert!(seen.iter().all(|n| *n >= 20), "{seen:?}");
}
