//! A run that goes on with another plan: its nodes are numbered anew, what no node stands for any
//! more is history.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{AgainNode, EditedPlan, ReleasedBy};
use crate::state::{AttemptState, FoldError, NodeState, RunState};
use crate::{AttemptId, HostName, Millis, NodeIx, Outcome, Record};

/// Something that a run did, or tried, and that its plan does not have any more.
#[derive(Debug, Clone, PartialEq)]
pub struct Gone {
    /// The instance, as it was called.
    pub id: String,
    /// Its host.
    pub host: Option<HostName>,
    /// The plan still has an instance of this name, with other values.
    pub changed: bool,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
    /// When it ended.
    pub finished_at: Option<Millis>,
    /// It did something, or may have, that was not taken back.
    pub acted: bool,
    /// Its attempts; the node that they name is that of the plan of their time.
    pub attempts: BTreeMap<AttemptId, AttemptState>,
}

/// Where the nodes of the old plan are in the new one.
struct Places(BTreeMap<NodeIx, NodeIx>);

impl Places {
    fn of(&self, old: NodeIx) -> Option<NodeIx> {
        self.0.get(&old).copied()
    }
}

impl RunState {
    /// Every attempt of the run, those of the past among them.
    pub fn all_attempts(&self) -> impl Iterator<Item = (&AttemptId, &AttemptState)> {
        let past = self.gone.iter().flat_map(|gone| &gone.attempts);
        self.attempts.iter().chain(past)
    }

    /// Nothing of the state changes unless all of it can.
    pub(super) fn edit(&mut self, record: &Record, edit: &EditedPlan) -> Result<(), FoldError> {
        self.can_be_edited(record.seq, edit)?;
        let kept = edit.kept.iter().copied();
        let again = edit.again.iter().map(|again| (again.from, again.node));
        let places = Places(kept.clone().chain(again).collect());
        let anew: BTreeSet<NodeIx> = edit
            .again
            .iter()
            .filter(|a| a.anew)
            .map(|a| a.from)
            .collect();
        let old = std::mem::take(&mut self.nodes);
        self.pass_away(&old, &places, &anew);
        let mut nodes: Vec<NodeState> = edit.nodes.iter().cloned().map(NodeState::new).collect();
        for (from, to) in kept {
            let summary = nodes[to.at()].summary.clone();
            nodes[to.at()] = NodeState {
                summary,
                ..old[from.at()].clone()
            };
        }
        for again in &edit.again {
            let n = &mut nodes[again.node.at()];
            *n = opened_again(&old[again.from.at()], again, n);
        }
        self.nodes = nodes;
        for name in &edit.vars {
            self.vars.remove(name);
        }
        self.plan.clone_from(&edit.plan);
        self.plan_number = edit.number;
        Ok(())
    }

    fn can_be_edited(&self, seq: u64, edit: &EditedPlan) -> Result<(), FoldError> {
        let unknown = |what: String| FoldError::Unknown { seq, what };
        let back = self.rollback.is_some() || self.due.is_some();
        if self.ending.is_some() || back || self.release.is_some() {
            return Err(unknown("another plan at a time when none is taken".into()));
        }
        if edit.number != self.plan_number + 1 {
            return Err(unknown(format!("plan {}", edit.number)));
        }
        let again = edit.again.iter().map(|again| (again.from, again.node));
        let (mut from, mut to) = (BTreeSet::new(), BTreeSet::new());
        for (old, new) in edit.kept.iter().copied().chain(again) {
            if old.at() >= self.nodes.len() || !from.insert(old) {
                return Err(unknown(format!("node {}", old.0)));
            }
            if new.at() >= edit.nodes.len() || !to.insert(new) {
                return Err(unknown(format!("new node {}", new.0)));
            }
        }
        // What may still do something is nobody's past.
        let kept: BTreeSet<NodeIx> = edit.kept.iter().map(|(old, _)| *old).collect();
        let mut open = self.attempts.iter().filter(|(_, a)| a.end.is_none());
        if let Some((id, _)) = open.find(|(_, a)| !kept.contains(&a.node) && !self.is_settled(a)) {
            return Err(unknown(format!("attempt {id}, which has not ended")));
        }
        Ok(())
    }

    /// Whether a person has decided what became of an attempt.
    fn is_settled(&self, attempt: &AttemptState) -> bool {
        let node = self.nodes.get(attempt.node.at());
        !attempt.undo && node.is_some_and(NodeState::is_done)
    }

    /// Takes apart what belongs to nodes: what goes with them, and what stays behind.
    fn pass_away(&mut self, old: &[NodeState], places: &Places, anew: &BTreeSet<NodeIx>) {
        let place = |node: NodeIx| match anew.contains(&node) {
            true => None,
            false => places.of(node),
        };
        let mut past: BTreeMap<NodeIx, BTreeMap<AttemptId, AttemptState>> = BTreeMap::new();
        for (id, mut attempt) in std::mem::take(&mut self.attempts) {
            match place(attempt.node) {
                Some(node) => {
                    attempt.node = node;
                    self.attempts.insert(id, attempt);
                }
                None => {
                    past.entry(attempt.node).or_default().insert(id, attempt);
                }
            }
        }
        for (node, attempts) in past {
            let n = &old[node.at()];
            self.gone.push(Gone {
                id: n.summary.id.clone(),
                host: n.summary.host.clone(),
                changed: anew.contains(&node),
                outcome: n.outcome.clone(),
                finished_at: n.finished_at,
                acted: n.has_acted(),
                attempts,
            });
        }
        let by_node = std::mem::take(&mut self.by_node).into_iter();
        self.by_node = by_node
            .filter_map(|(n, ids)| Some((place(n)?, ids)))
            .collect();
        let attempts = &self.attempts;
        self.by_unit.retain(|_, ids| {
            ids.retain(|id| attempts.contains_key(id));
            !ids.is_empty()
        });
        let undos = std::mem::take(&mut self.undos).into_iter();
        self.undos = undos
            .filter_map(|(n, undo)| Some((place(n)?, undo)))
            .collect();
        // A hold that is over goes on to be over, whoever ended it.
        let holds = std::mem::take(&mut self.holds).into_iter();
        let holds = holds.filter_map(|(node, mut hold)| {
            if let Some((_, by @ ReleasedBy::Step(_))) = &mut hold.released {
                let ReleasedBy::Step(step) = *by else {
                    return None;
                };
                *by = places.of(step).map_or(ReleasedBy::Past, ReleasedBy::Step);
            }
            Some((places.of(node)?, hold))
        });
        self.holds = holds.collect();
    }
}

/// Another generation of a node, which is called and counted as the new plan does.
fn opened_again(old: &NodeState, again: &AgainNode, new: &NodeState) -> NodeState {
    let mut n = NodeState {
        summary: new.summary.clone(),
        ..old.clone()
    };
    n.reopen();
    n.decided = again.decided;
    if again.anew {
        n.forget_captured();
    }
    n
}

impl Gone {
    /// Whether one of its attempts may have begun.
    #[must_use]
    pub fn began(&self) -> bool {
        let mut attempts = self.attempts.values();
        attempts.any(|a| !a.undo && a.began())
    }
}
