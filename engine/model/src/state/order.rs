//! What orders change in a run: one record each, so that none is carried out by half.

use crate::event::AttemptEnd;
use crate::gate::Follow;
use crate::order::{Command, Order};
use crate::state::{FoldError, NodeState, RunState};
use crate::transition::Stage;
use crate::{Millis, NodeIx, Outcome, Record};

/// A rollback that somebody has asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// What this phase and earlier ones did stays; none: nothing stays.
    pub to: Option<String>,
    /// The gate whose decision it follows; none: a person has ordered it.
    pub gate: Option<String>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A rollback that follows the decision of a gate, until it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The gate.
    pub gate: NodeIx,
    /// Who has decided.
    pub by: String,
    /// The answer that was chosen; none: the deadline has passed.
    pub option: Option<String>,
}

/// Something that a person has written into the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub at: Millis,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

impl RunState {
    /// Folds an order in, with the nodes that it is about.
    pub(super) fn order(
        &mut self,
        record: &Record,
        order: &Order,
        nodes: &[NodeIx],
    ) -> Result<(), FoldError> {
        let unknown = |what: String| FoldError::Unknown {
            seq: record.seq,
            what,
        };
        if self.orders.contains(&order.id) {
            return Err(unknown(format!("order {} again", order.id)));
        }
        if let Some(node) = nodes.iter().find(|n| n.at() >= self.nodes.len()) {
            return Err(unknown(format!("node {}", node.0)));
        }
        let by = || match order.reason.is_empty() {
            true => format!("by {}", order.by),
            false => format!("by {}: {}", order.by, order.reason),
        };
        match &order.command {
            Command::Pause { before } => self.pause_before.extend(before.clone()),
            Command::Block { step } => {
                self.blocked.insert(step.clone(), by());
            }
            Command::Unblock { step } => {
                self.blocked.remove(step);
            }
            Command::Rerun { .. } | Command::Retry { .. } => {
                for node in nodes {
                    self.settle_open(*node);
                    self.nodes[node.at()].reopen();
                }
            }
            Command::Done { evidence, .. } => {
                let by = order.by.clone();
                let outcome = Outcome::ByHand {
                    by,
                    evidence: evidence.clone(),
                };
                self.end_by_order(record, nodes, &outcome);
            }
            Command::Skip { .. } => {
                self.end_by_order(record, nodes, &Outcome::Skipped { reason: by() });
            }
            Command::Exclude { host } => {
                self.excluded.insert(host.clone(), by());
                self.end_by_order(record, nodes, &Outcome::Excluded { reason: by() });
            }
            Command::RollBack { to, gate } => {
                // Whatever followed on an ending before: the way back has an ending of its own.
                self.ending = None;
                self.due = None;
                self.forget_rollback_votes();
                self.rollback = Some(Rollback {
                    to: to.clone(),
                    gate: gate.clone(),
                    by: order.by.clone(),
                    reason: order.reason.clone(),
                });
            }
            Command::Note => self.noted.push(Noted {
                at: record.at,
                by: order.by.clone(),
                text: order.reason.clone(),
            }),
            Command::Abandon => self.due = None,
            // What is said at a gate is an event of its own.
            Command::Answer { .. } | Command::Cancel | Command::Kill { .. } => {}
        }
        self.orders.insert(order.id.clone());
        Ok(())
    }

    /// A gate that is asked again after a part was taken back is asked anew.
    fn forget_rollback_votes(&mut self) {
        for n in &mut self.nodes {
            if let (false, Some(question)) = (n.is_done(), &n.question) {
                let terms = &question.terms;
                n.votes
                    .retain(|vote| terms.judge(&vote.said) != Ok(Follow::Rollback));
            }
        }
    }

    /// Ends nodes in a generation of their own: what they were before stays on record.
    fn end_by_order(&mut self, record: &Record, nodes: &[NodeIx], outcome: &Outcome) {
        for node in nodes {
            self.settle_open(*node);
            let n = &mut self.nodes[node.at()];
            if n.stage == Stage::Done {
                n.reopen();
            }
            n.stage = Stage::Done;
            n.started_at.get_or_insert(record.at);
            n.finished_at = Some(record.at);
            n.finished_in = Some(record.epoch);
            n.pausing_until = None;
            n.outcome = Some(outcome.clone());
        }
    }

    /// What became of its attempts is not asked any more: a person has decided.
    fn settle_open(&mut self, node: NodeIx) {
        for id in self.by_node.get(&node).into_iter().flatten() {
            if let Some(attempt) = self.attempts.get_mut(id)
                && !attempt.undo
            {
                attempt.end.get_or_insert(AttemptEnd::Lost);
            }
        }
    }
}

impl NodeState {
    /// Another generation of a node that has ended. What was there before its first attempt stays
    /// known, and a decision of its `when` stands.
    pub(super) fn reopen(&mut self) {
        let before = std::mem::take(&mut self.before);
        let captured_by = self.captured_by.take();
        let booted_in = self.booted_in.take();
        let fresh = Self::new(self.summary.clone());
        *self = Self {
            generation: self.generation + 1,
            decided: self.decided,
            before,
            captured_by,
            booted_in,
            ..fresh
        };
    }
}
