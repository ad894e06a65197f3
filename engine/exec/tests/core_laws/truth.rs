//! What the journal says against what really happened on the hosts.

use std::collections::{BTreeMap, BTreeSet};

use runbook_exec::world::{What, World};
use runbook_model::event::{AttemptEnd, Purpose};
use runbook_model::step_type::TypeKind;
use runbook_model::{AttemptId, Command, Event, NodeIx};

use super::kind;

pub(super) fn hold(world: &World) -> Result<(), String> {
    let told = Told::of(world);
    effects(world, &told)?;
    intents(world, &told)?;
    verdicts(world)
}

/// What the journal tells of attempts.
struct Told {
    /// The event of each intent.
    intents: BTreeMap<AttemptId, u64>,
    /// Attempts that failed: what they did half is tried again.
    failed: BTreeSet<AttemptId>,
    /// Attempts that never began.
    never: BTreeSet<AttemptId>,
    /// How often a person had a node done again.
    again: BTreeMap<NodeIx, usize>,
}

impl Told {
    fn of(world: &World) -> Self {
        let mut told = Self {
            intents: BTreeMap::new(),
            failed: BTreeSet::new(),
            never: BTreeSet::new(),
            again: BTreeMap::new(),
        };
        let mut nodes = BTreeMap::new();
        // Who has it tried again has said that half an effect harms nobody.
        let repeated = |node: &NodeIx| {
            let step = world.plan.instance(*node).map(|(step, _)| step);
            step.is_some_and(|step| step.retry.attempts > 1 && !step.critical)
        };
        for record in &world.journal {
            match &record.event {
                Event::Dispatched { instances, .. } => {
                    for intent in instances {
                        told.intents.insert(intent.attempt.clone(), record.seq);
                        nodes.insert(&intent.attempt, intent.node);
                    }
                }
                Event::Undoing { attempt, .. } => {
                    told.intents.insert(attempt.clone(), record.seq);
                }
                Event::Ended {
                    attempt,
                    end: AttemptEnd::Failed(failure),
                } if !failure.is_cut_short() || nodes.get(attempt).is_some_and(repeated) => {
                    told.failed.insert(attempt.clone());
                }
                Event::Ended {
                    attempt,
                    end: AttemptEnd::NeverBegan,
                } => {
                    told.never.insert(attempt.clone());
                }
                Event::Ordered { order, nodes }
                    if matches!(order.command, Command::Rerun { .. } | Command::Retry { .. }) =>
                {
                    for node in nodes {
                        *told.again.entry(*node).or_default() += 1;
                    }
                }
                Event::Reopened { node, reason } if reason.starts_with("rolled back to") => {
                    *told.again.entry(*node).or_default() += 1;
                }
                _ => {}
            }
        }
        told
    }
}

/// No attempt runs twice, and no effect happens twice.
fn effects(world: &World, told: &Told) -> Result<(), String> {
    let mut began = BTreeSet::<&AttemptId>::new();
    let mut there = BTreeSet::<NodeIx>::new();
    let mut done = BTreeMap::<NodeIx, usize>::new();
    for happening in &world.happenings {
        let node = happening.node;
        let id = &world.plan.nodes[node.at()].id;
        match &happening.what {
            What::Began(attempt) if !began.insert(attempt) => {
                return Err(format!("{attempt} began twice"));
            }
            What::Effect(attempt) => {
                let twice = match kind(world, node).map(|(_, _, kind, _)| kind) {
                    Some(TypeKind::Record) => false,
                    // No check tells that it was done: only what ended well counts.
                    Some(TypeKind::Always) => {
                        let done = done.entry(node).or_default();
                        *done += usize::from(!told.failed.contains(attempt));
                        *done > 1 + told.again.get(&node).copied().unwrap_or(0)
                    }
                    _ => !there.insert(node),
                };
                if twice {
                    return Err(format!("`{id}` had its effect twice"));
                }
            }
            What::Undone(_) => {
                there.remove(&node);
            }
            What::Began(_) | What::Look => {}
        }
    }
    Ok(())
}

/// Nothing begins that is not in the journal, and was there before it began.
fn intents(world: &World, told: &Told) -> Result<(), String> {
    for happening in &world.happenings {
        if let What::Began(attempt) = &happening.what {
            match told.intents.get(attempt) {
                None => return Err(format!("{attempt} began, and the journal has no intent")),
                Some(_) if told.never.contains(attempt) => {
                    return Err(format!(
                        "{attempt} began, and the journal says that it never did"
                    ));
                }
                Some(seq) if *seq > happening.seq => {
                    return Err(format!("{attempt} began before its intent"));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// Every verdict in the journal is one that somebody looked for, after the look began there. The first
/// look of a step may have been early: then nothing was changed since, and nothing was under way.
fn verdicts(world: &World) -> Result<(), String> {
    let mut looks = BTreeMap::<NodeIx, Vec<u64>>::new();
    for happening in &world.happenings {
        if happening.what == What::Look {
            looks.entry(happening.node).or_default().push(happening.seq);
        }
    }
    let mut since = BTreeMap::<(NodeIx, bool), u64>::new();
    let mut changed = 0;
    for record in &world.journal {
        let (node, undo) = match &record.event {
            Event::Looking { node, purpose } => {
                let from = match purpose {
                    Purpose::Before => changed,
                    _ => record.seq,
                };
                since.insert((*node, *purpose == Purpose::Undo), from);
                continue;
            }
            Event::Opened { .. }
            | Event::Dispatched { .. }
            | Event::Undoing { .. }
            | Event::Ended { .. }
            | Event::Doubted { .. } => {
                changed = record.seq;
                continue;
            }
            Event::Looked { node, .. } => (*node, false),
            Event::UndoLooked { node, .. } => (*node, true),
            _ => continue,
        };
        let began = since.get(&(node, undo)).copied().unwrap_or(0);
        // Looks are mostly in order; the newest is the likely one.
        let looked = |seq: &u64| (began..record.seq).contains(seq);
        if !looks.get(&node).is_some_and(|l| l.iter().rev().any(looked)) {
            let seq = record.seq;
            return Err(format!("event {seq}: a verdict that nobody looked for"));
        }
    }
    Ok(())
}
