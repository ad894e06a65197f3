//! What steps hold, and how it is taken back.

use crate::event::{HeldHow, ReleasedBy, Verdict};
use crate::state::{AttemptState, FoldError, RunState};
use crate::transition::{self, Stage, Trigger};
use crate::{AttemptId, Event, Failure, Millis, NodeIx, Record, RunResult};

/// Something that a step holds, or held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldState {
    /// Since when.
    pub since: Millis,
    /// Whose it is.
    pub how: HeldHow,
    /// The generation of the step that holds.
    pub generation: u32,
    /// It lasts longer than it may, and that was said.
    pub over: bool,
    /// When it was released, and by what.
    pub released: Option<(Millis, ReleasedBy)>,
}

/// The undo of an instance: it goes through the same stages as an apply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UndoState {
    /// Where it stands.
    pub stage: Stage,
    /// Its attempts, by number.
    pub attempts: Vec<AttemptId>,
    /// What the last look said.
    pub verdict: Option<Verdict>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// Holds that are released by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The instances that hold.
    pub nodes: Vec<NodeIx>,
    /// Who has it done.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How the run had ended.
    pub result: RunResult,
}

impl RunState {
    /// Folds what concerns holds and undos.
    pub(super) fn hold(&mut self, record: &Record) -> Result<(), FoldError> {
        let (seq, at) = (record.seq, record.at);
        match &record.event {
            Event::Held { node, how } => {
                let generation = self.known(seq, *node)?;
                let there = self.holds.get(node);
                let there = there.filter(|hold| hold.released.is_none());
                let hold = HoldState {
                    since: there.map_or(at, |hold| hold.since),
                    how: *how,
                    generation,
                    over: there.is_some_and(|hold| hold.over),
                    released: None,
                };
                self.holds.insert(*node, hold);
            }
            Event::HoldOver { node } => self.held_by(seq, *node)?.over = true,
            Event::Released { node, by } => self.held_by(seq, *node)?.released = Some((at, *by)),
            Event::ReleaseAsked {
                nodes,
                by,
                reason,
                result,
            } => {
                for node in nodes {
                    self.known(seq, *node)?;
                }
                self.release = Some(Release {
                    nodes: nodes.clone(),
                    by: by.clone(),
                    reason: reason.clone(),
                    result: result.clone(),
                });
            }
            Event::Undoing { .. } => self.undoing(record)?,
            Event::UndoLooked { node, verdict } => {
                self.step_undo(seq, *node, Trigger::Looked)?;
                self.undos.entry(*node).or_default().verdict = Some(verdict.clone());
            }
            Event::Undone { node, failure } => {
                self.step_undo(seq, *node, Trigger::Finished)?;
                self.undos
                    .entry(*node)
                    .or_default()
                    .failure
                    .clone_from(failure);
                if let (None, Some(n)) = (failure, self.nodes.get_mut(node.at())) {
                    // Nothing follows from an attempt that nobody has looked at since.
                    if n.stage == Stage::Applied {
                        n.reopen();
                    }
                    n.forget_captured();
                    n.taken_back = true;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn undoing(&mut self, record: &Record) -> Result<(), FoldError> {
        let Event::Undoing {
            node,
            attempt,
            number,
            host,
            boot,
        } = &record.event
        else {
            return Ok(());
        };
        if self.attempts.contains_key(attempt) {
            return Err(FoldError::Unknown {
                seq: record.seq,
                what: format!("attempt {attempt} again"),
            });
        }
        // One that has ended is followed by another one of its own.
        if self.undos.get(node).is_some_and(|u| u.stage == Stage::Done) {
            self.undos.remove(node);
        }
        self.step_undo(record.seq, *node, Trigger::Dispatched)?;
        let undo = self.undos.entry(*node).or_default();
        undo.attempts.push(attempt.clone());
        let state = AttemptState {
            node: *node,
            number: *number,
            unit: attempt.clone(),
            host: host.clone(),
            boot: boot.clone(),
            intended_at: record.at,
            launched: false,
            over_time: false,
            acts: false,
            undo: true,
            end: None,
        };
        self.insert(attempt.clone(), state);
        Ok(())
    }

    pub(super) fn step_undo(
        &mut self,
        seq: u64,
        node: NodeIx,
        trigger: Trigger,
    ) -> Result<(), FoldError> {
        self.known(seq, node)?;
        let stage = self.undos.get(&node).map(|u| u.stage).unwrap_or_default();
        let Some(to) = transition::next(stage, trigger) else {
            return Err(FoldError::Illegal {
                seq,
                node: self.nodes[node.at()].summary.id.clone(),
                stage,
                trigger,
            });
        };
        self.undos.entry(node).or_default().stage = to;
        Ok(())
    }

    /// The generation of a node that exists.
    fn known(&self, seq: u64, node: NodeIx) -> Result<u32, FoldError> {
        let found = self.nodes.get(node.at()).map(|n| n.generation);
        found.ok_or_else(|| FoldError::Unknown {
            seq,
            what: format!("node {}", node.0),
        })
    }

    fn held_by(&mut self, seq: u64, node: NodeIx) -> Result<&mut HoldState, FoldError> {
        self.holds.get_mut(&node).ok_or_else(|| FoldError::Unknown {
            seq,
            what: format!("a hold of node {}", node.0),
        })
    }
}
