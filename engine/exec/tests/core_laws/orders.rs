//! Laws of what a person has decided: what is done, left out, or on a host that is out of the run.

use std::collections::{BTreeMap, BTreeSet};

use runbook_exec::graph::Frozen;
use runbook_exec::world::{What, World};
use runbook_model::event::Purpose;
use runbook_model::transition::Stage;
use runbook_model::{AttemptId, Command, Event, HostName, NodeIx, Outcome, Record, RunState};

/// What people have decided so far.
#[derive(Default)]
pub(super) struct Decided {
    /// What is done or left out, and not to be done again.
    settled: BTreeSet<NodeIx>,
    /// Hosts that are out of the run.
    excluded: BTreeSet<HostName>,
}

impl Decided {
    pub(super) fn see(
        &mut self,
        world: &World,
        graph: &Frozen,
        state: &RunState,
        record: &Record,
    ) -> Result<(), String> {
        let node = match &record.event {
            Event::Ordered { order, nodes } => {
                // Those after it would overtake those before it.
                let passed = |p: &NodeIx| state.nodes[p.at()].lets_pass();
                let early = |node: &&NodeIx| {
                    let before = graph.predecessors(**node);
                    state.nodes[node.at()].stage == Stage::Waiting && !before.iter().all(passed)
                };
                let moves = !matches!(order.command, Command::Kill { .. });
                if moves && nodes.iter().any(|node| early(&node)) {
                    return Err("ended before its turn".into());
                }
                return self.order(state, &order.command, nodes);
            }
            Event::Reopened { node, .. } => {
                self.settled.remove(node);
                let out = matches!(
                    state.nodes[node.at()].outcome,
                    Some(Outcome::Excluded { .. })
                );
                return match out || self.is_out(world, *node) {
                    true => Err("opened again, and its host is out of the run".into()),
                    false => Ok(()),
                };
            }
            Event::HostReady { host, .. } | Event::HostUnusable { host, .. }
                if self.excluded.contains(host) =>
            {
                return Err("a host that is out of the run was reached".into());
            }
            Event::Looking {
                purpose: Purpose::Undo,
                node,
            }
            | Event::Undoing { node, .. } => *node,
            Event::Looking { node, .. } | Event::Asked { node, .. } => {
                self.not_settled(*node)?;
                *node
            }
            Event::Dispatched { instances, .. } => {
                for intent in instances {
                    self.not_settled(intent.node)?;
                }
                instances[0].node
            }
            Event::Finished { node, .. } => {
                self.not_settled(*node)?;
                return Ok(());
            }
            _ => return Ok(()),
        };
        match self.is_out(world, node) {
            true => Err("something on a host that is out of the run".into()),
            false => Ok(()),
        }
    }

    fn order(
        &mut self,
        state: &RunState,
        command: &Command,
        nodes: &[NodeIx],
    ) -> Result<(), String> {
        let outcome = |node: &NodeIx| state.nodes[node.at()].outcome.as_ref();
        match command {
            Command::Done { .. } | Command::Skip { .. } => {
                let failed =
                    |o: Option<&Outcome>| matches!(o, Some(Outcome::Failed(_) | Outcome::Left(_)));
                if nodes.is_empty() || !nodes.iter().all(|node| failed(outcome(node))) {
                    return Err("somebody decided of what has not failed".into());
                }
                self.settled.extend(nodes);
            }
            Command::Exclude { host } => {
                self.excluded.insert(host.clone());
                self.settled.extend(nodes);
            }
            Command::Rerun { .. } | Command::Retry { .. } => {
                for node in nodes {
                    self.settled.remove(node);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn not_settled(&self, node: NodeIx) -> Result<(), String> {
        match self.settled.contains(&node) {
            true => Err("a person has decided what became of it".into()),
            false => Ok(()),
        }
    }

    fn is_out(&self, world: &World, node: NodeIx) -> bool {
        let runs_on = world.plan.runs_on(node);
        runs_on.is_some_and(|host| self.excluded.contains(host))
    }
}

/// On a host that is out of the run nothing begins any more, save what was sent before.
pub(super) fn nothing_begins(world: &World) -> Result<(), String> {
    let mut excluded = BTreeMap::<&HostName, u64>::new();
    let mut intents = BTreeMap::<&AttemptId, u64>::new();
    for record in &world.journal {
        match &record.event {
            Event::Ordered { order, .. } => {
                if let Command::Exclude { host } = &order.command {
                    excluded.entry(host).or_insert(record.seq);
                }
            }
            Event::Dispatched { instances, .. } => {
                intents.extend(instances.iter().map(|i| (&i.attempt, record.seq)));
            }
            Event::Undoing { attempt, .. } => {
                intents.insert(attempt, record.seq);
            }
            _ => {}
        }
    }
    for happening in &world.happenings {
        let host = world.plan.runs_on(happening.node);
        let Some(since) = host.and_then(|host| excluded.get(host)) else {
            continue;
        };
        if let What::Began(attempt) = &happening.what
            && intents.get(attempt).is_some_and(|intent| intent > since)
        {
            return Err(format!("{attempt} began on a host that is out of the run"));
        }
    }
    Ok(())
}
