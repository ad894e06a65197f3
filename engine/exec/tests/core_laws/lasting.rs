//! Laws over the whole run, whoever controls it.

use std::collections::{BTreeMap, BTreeSet};

use runbook_exec::world::World;
use runbook_model::event::AttemptEnd;
use runbook_model::{Command, Event, FailureKind, NodeIx, Outcome, Record, RunState};

use super::kind;

/// What must be so over the whole run.
#[derive(Default)]
pub struct Lasting {
    finished: BTreeSet<(NodeIx, u32)>,
    once: BTreeSet<NodeIx>,
    decided: BTreeSet<NodeIx>,
    orders: BTreeSet<String>,
    /// What was taken back, and how many attempts there were then.
    taken_back: BTreeMap<NodeIx, usize>,
    failed: BTreeMap<(NodeIx, u32), u32>,
}

impl Lasting {
    fn ends(&mut self, node: NodeIx, generation: u32) -> Result<(), String> {
        match self.finished.insert((node, generation)) {
            true => Ok(()),
            false => Err("ended twice in one generation".into()),
        }
    }

    pub fn see(&mut self, world: &World, state: &RunState, record: &Record) -> Result<(), String> {
        match &record.event {
            Event::Finished { node, outcome, .. } => {
                if outcome
                    .failure()
                    .is_some_and(|f| f.kind == FailureKind::Value)
                {
                    return Err("evaluated before what it refers to had ended".into());
                }
                self.ends(*node, state.nodes[node.at()].generation)?;
                let until = kind(world, *node).and_then(|(step, ..)| step.until.as_ref());
                let well = matches!(
                    outcome,
                    Outcome::Satisfied | Outcome::Changed | Outcome::Looked
                );
                if until.is_some_and(|until| well && state.nodes[node.at()].passes < until.passes) {
                    return Err("ended well before it had passed as often as it must".into());
                }
                let once = kind(world, *node).is_some_and(|(step, ..)| step.once);
                if once && *outcome == Outcome::Looked && !self.once.insert(*node) {
                    return Err("a record of how things were was taken again".into());
                }
                if let Outcome::Skipped { reason } = outcome
                    && reason.contains("its `when`")
                    && self.decided.contains(node)
                {
                    return Err("decided otherwise before".into());
                }
            }
            Event::Decided { node } if !self.decided.insert(*node) => {
                return Err("decided twice".into());
            }
            Event::Ordered { order, nodes } => {
                if !self.orders.insert(order.id.clone()) {
                    return Err("an order was taken in twice".into());
                }
                let settles = matches!(
                    order.command,
                    Command::Done { .. } | Command::Skip { .. } | Command::Exclude { .. }
                );
                for node in nodes.iter().filter(|_| settles) {
                    let n = &state.nodes[node.at()];
                    self.ends(*node, n.generation + u32::from(n.is_done()))?;
                }
                if matches!(order.command, Command::Rerun { .. }) {
                    let ended = |node: &NodeIx| state.nodes[node.at()].is_done();
                    if nodes.is_empty() || !nodes.iter().all(ended) {
                        return Err("done again before it had ended".into());
                    }
                }
            }
            Event::OrderRefused { order, .. } if !self.orders.insert(order.clone()) => {
                return Err("an order was taken in twice".into());
            }
            Event::Undoing { node, .. } => {
                let since = self.taken_back.get(node).copied();
                let mut attempts = state.attempts_of(*node).skip(since.unwrap_or(0));
                let acted = attempts.any(|(_, a)| !a.undo && a.began());
                if since.is_some() && !acted {
                    return Err("taken back again after that went well".into());
                }
            }
            Event::Undone {
                node,
                failure: None,
            } => {
                let attempts = state.attempts_of(*node).count();
                self.taken_back.insert(*node, attempts);
            }
            Event::Ended {
                attempt,
                end: AttemptEnd::Failed(_),
            } if !state.attempts[attempt].undo => {
                let node = state.attempts[attempt].node;
                let times = self
                    .failed
                    .entry((node, state.nodes[node.at()].generation))
                    .or_default();
                *times += 1;
                let Some((step, ..)) = kind(world, node) else {
                    return Err("not an instance".into());
                };
                if *times
                    > if step.critical {
                        1
                    } else {
                        step.retry.attempts
                    }
                {
                    return Err(format!("failed {times} times"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
