//! Going back: the runbook's own procedure, or undos in reverse order of the graph.

use std::collections::BTreeSet;

use runbook_model::event::{Controller, StopReason};
use runbook_model::gate::Terms;
use runbook_model::order::{Command, Order};
use runbook_model::plan::Part;
use runbook_model::transition::Stage;
use runbook_model::{Epoch, Event, FailureKind, Millis, NodeIx, Outcome, RunResult};

use super::{Act, Action, Dispatcher, Role};
use crate::rollback::{self, Scope};
use crate::rules::Rules;

/// Undos in reverse order: an instance is taken back when all that came after it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Back {
    /// Successors that stand in the way, of each node.
    missing: Vec<usize>,
    /// Instances to be taken back that nothing stands in the way of.
    ready: BTreeSet<NodeIx>,
}

impl<R: Rules> Dispatcher<R> {
    /// Opens a run to take back what it did.
    pub fn roll_back(
        &mut self,
        now: Millis,
        controller: Controller,
        epoch: Epoch,
        order: Order,
    ) -> Vec<Action> {
        if !self.begin(now, epoch) {
            return std::mem::take(&mut self.out);
        }
        if self.state.run.is_none() {
            self.fault(
                "nothing of this run has happened: there is nothing to take back".to_owned(),
            );
            return std::mem::take(&mut self.out);
        }
        let to = match &order.command {
            Command::RollBack { to, .. } => to.clone(),
            _ => None,
        };
        // Whoever comes next does not see any more how the run had ended.
        match rollback::scope(&self.plan, &self.graph, &self.state, to.as_deref()) {
            Ok(_) => {
                self.record(Event::Opened { controller });
                self.record(Event::Ordered {
                    order,
                    nodes: Vec::new(),
                });
                self.prepare();
            }
            Err(error) => self.fault(error.to_string()),
        }
        std::mem::take(&mut self.out)
    }

    /// The order to go back that follows from what was decided at a gate, if nobody has gone back since.
    pub(super) fn due(&self, epoch: Epoch) -> Option<Order> {
        let due = self.state.due.as_ref()?;
        let n = self.state.node(due.gate)?;
        let terms = n.question.as_ref().map(|question| &question.terms);
        let at = terms.and_then(Terms::deadline);
        let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        let reason = match (&due.option, at) {
            (Some(word), _) => format!("said `{word}` at {}", n.summary.id),
            (None, Some(at)) => format!("nobody had decided at {} by {at}", n.summary.id),
            (None, None) => format!("nobody had decided at {} in time", n.summary.id),
        };
        Some(Order {
            // One controller begins at most one rollback.
            id: format!("gate-{epoch}"),
            by: due.by.clone(),
            reason,
            command: Command::RollBack {
                to: None,
                gate: Some(n.summary.id.clone()),
            },
        })
    }

    /// Whether the run is taken back now that this controller's part is over: a gate has decided that,
    /// and nobody wants to stop here.
    #[must_use]
    pub fn goes_back(&self) -> bool {
        self.state.due.is_some() && !self.unwanted
    }

    /// What the rollback that is under way takes back.
    pub(super) fn scope(&self) -> Scope {
        let to = self.state.rollback.as_ref().and_then(|r| r.to.as_deref());
        rollback::scope(&self.plan, &self.graph, &self.state, to).unwrap_or_default()
    }

    /// Whether a host is needed to go back.
    pub(super) fn goes_back_on(&self, scope: &Scope, node: NodeIx) -> bool {
        match scope.procedure {
            true => self.parts[node.at()] == Part::Rollback,
            false => scope.back.contains(&node),
        }
    }

    /// Finds out what can be taken back first.
    pub(super) fn begin_back(&mut self) {
        let scope = self.scope();
        if scope.procedure {
            return;
        }
        self.undoing = scope.back.into_iter().collect();
        let main = |node: &NodeIx| self.parts[node.at()] == Part::Main;
        let nodes = (0u32..).map(NodeIx).take(self.plan.nodes.len());
        let missing = nodes.clone().map(|node| {
            self.graph
                .successors(node)
                .iter()
                .filter(|n| main(n))
                .count()
        });
        self.back = Back {
            missing: missing.collect(),
            ready: BTreeSet::new(),
        };
        let last: Vec<NodeIx> = nodes
            .filter(|node| main(node) && self.back.missing[node.at()] == 0)
            .collect();
        for node in last {
            self.reached_back(node);
        }
    }

    /// Nothing that came after this node stands in the way any more.
    fn reached_back(&mut self, node: NodeIx) {
        let mut reached = vec![node];
        while let Some(node) = reached.pop() {
            if self.undoing.contains(&node) {
                self.back.ready.insert(node);
                continue;
            }
            for before in self.graph.predecessors(node) {
                let missing = &mut self.back.missing[before.at()];
                *missing = missing.saturating_sub(1);
                if *missing == 0 {
                    reached.push(*before);
                }
            }
        }
    }

    /// What may be taken back now.
    pub(super) fn ready_back(&self) -> Vec<NodeIx> {
        let begun = |node: &NodeIx| self.undo_begun(*node);
        let halted = self.halted();
        let ready = self.back.ready.iter().copied();
        ready.filter(|node| !halted || begun(node)).collect()
    }

    /// Whether the undo of this node is under way.
    pub(super) fn undo_begun(&self, node: NodeIx) -> bool {
        let stage = self.state.undos.get(&node).map(|undo| undo.stage);
        !matches!(stage, None | Some(Stage::Waiting | Stage::Done))
    }

    /// An undo of the rollback is over.
    pub(super) fn went_back(&mut self, node: NodeIx, well: bool) {
        self.undoing.remove(&node);
        self.back.ready.remove(&node);
        if well {
            self.reached_back(node);
        } else {
            self.stop(StopReason::Undo(node));
        }
    }

    /// Everything is taken back: what is gone forward from, if only a part was.
    pub(super) fn is_back(&mut self) -> RunResult {
        let to = self.state.rollback.as_ref().and_then(|r| r.to.clone());
        let Some(to) = to else {
            return RunResult::RolledBack;
        };
        let stays = self.plan.phases.iter().position(|phase| phase.id == to);
        let stays = stays
            .and_then(|at| u32::try_from(at).ok())
            .unwrap_or(u32::MAX);
        for node in (0u32..).map(NodeIx).take(self.plan.nodes.len()) {
            let (phase, once) = match self.roles[node.at()] {
                Role::Instance { step, .. } => (self.step(step).phase, self.step(step).once),
                Role::PhaseBegin(phase) | Role::Barrier { phase, .. } => (phase, false),
                Role::DoneWhen => continue,
            };
            let main = self.parts[node.at()] == Part::Main;
            // What only a person can tell is not done again without one.
            let doubtful = self.is_doubtful(node);
            let done = self.state.nodes[node.at()].is_done();
            if main && phase > stays && !once && done && !doubtful && !self.is_out(node) {
                self.reopen(node, &format!("rolled back to `{to}`"));
            }
        }
        RunResult::SteppedBack
    }

    /// Whether nobody knows what its last attempt did.
    fn is_doubtful(&self, node: NodeIx) -> bool {
        let failure = self.state.nodes[node.at()].outcome.as_ref();
        let failure = failure.and_then(Outcome::failure);
        failure.is_some_and(|failure| failure.kind == FailureKind::InDoubt)
    }

    /// Which part of the plan is run.
    pub(super) fn course(&self) -> Part {
        match self.act {
            Act::Back => Part::Rollback,
            _ => Part::Main,
        }
    }
}
