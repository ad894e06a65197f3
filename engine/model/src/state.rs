//! What a run's events add up to. The same fold serves the live run, `resume`, `status` and tests.

mod attempt;
mod edited;
mod fault;
mod hold;
mod node;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{AttemptEnd, Controller, Purpose, StopReason, Verdict};
use crate::gate::{Follow, Said, Vote};
use crate::secret::SecretOrigin;
use crate::transition::{self, Stage, Trigger};
use crate::{AttemptId, Epoch, Event, HostName, Millis, NodeIx, Record, RunId, RunResult, Value};

pub use attempt::AttemptState;
pub use edited::Gone;
pub use fault::FoldError;
pub use hold::{HoldState, Release, UndoState};
pub use node::{GateAnswer, NodeState, Question};
pub use order::{Due, Noted, Rollback};

/// The state of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunState {
    /// The run, once it is created.
    pub run: Option<RunId>,
    /// The runbook's name.
    pub runbook: String,
    /// Digest of its plan.
    pub plan: String,
    /// Which of its plans that is: 1 for the one that it began with.
    pub plan_number: u32,
    /// What it did that its plan does not have any more.
    pub gone: Vec<Gone>,
    /// Number of the last event.
    pub seq: u64,
    /// When the first event happened.
    pub created_at: Millis,
    /// When the last event happened.
    pub last_at: Millis,
    /// The last controller.
    pub controller: Option<Controller>,
    /// Its epoch.
    pub epoch: Epoch,
    /// Nodes in plan order.
    pub nodes: Vec<NodeState>,
    /// Hosts that were tried in this epoch.
    pub hosts: BTreeMap<HostName, HostState>,
    /// Every attempt of the run.
    pub attempts: BTreeMap<AttemptId, AttemptState>,
    /// The attempts of each node, of all generations, in the order of their intents.
    pub by_node: BTreeMap<NodeIx, Vec<AttemptId>>,
    /// The attempts of each job on a host.
    pub by_unit: BTreeMap<AttemptId, Vec<AttemptId>>,
    /// What steps hold, or held.
    pub holds: BTreeMap<NodeIx, HoldState>,
    /// How far the undo of a node is.
    pub undos: BTreeMap<NodeIx, UndoState>,
    /// What somebody has released by hand, while it is under way.
    pub release: Option<Release>,
    /// A rollback, while it is under way.
    pub rollback: Option<Rollback>,
    /// A rollback that follows from what was decided at a gate, until it begins: whoever goes on with
    /// the run goes back.
    pub due: Option<Due>,
    /// The rollback that ended the run.
    pub rolled_back: Option<Rollback>,
    /// Orders that were taken in.
    pub orders: BTreeSet<String>,
    /// Steps that do not start until somebody unblocks them; each with who wants it, and why.
    pub blocked: BTreeMap<String, String>,
    /// Steps that do not start under this controller.
    pub pause_before: BTreeSet<String>,
    /// Hosts that were left out of the rest of the run; each with who wants it, and why.
    pub excluded: BTreeMap<HostName, String>,
    /// What people have noted.
    pub noted: Vec<Noted>,
    /// How the procedure ended, and under which controller, while what follows is under way.
    pub ending: Option<(RunResult, Epoch)>,
    /// Variables that have their value.
    pub vars: BTreeMap<String, Value>,
    /// Generated secrets that have their value, and where from.
    pub secrets: BTreeMap<String, SecretOrigin>,
    /// Why nothing new starts, if so; a new controller clears it.
    pub stopping: Option<StopReason>,
    /// Somebody wanted to stop the last controller while what follows on every ending ran, or a
    /// release by hand; a new controller clears it.
    pub interrupted: bool,
    /// How the last controller's part ended; a new controller clears it.
    pub result: Option<RunResult>,
    /// Whether the last controller left while attempts ran.
    pub detached: bool,
}

/// The state of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostState {
    /// It may be used.
    Ready {
        /// Its boot.
        boot: String,
        /// Its machine id.
        machine: String,
        /// Its clock less the controller's, in milliseconds.
        clock_offset_ms: i64,
    },
    /// It may not, and why.
    Unusable(String),
}

impl RunState {
    /// The state of a node.
    #[must_use]
    pub fn node(&self, node: NodeIx) -> Option<&NodeState> {
        self.nodes.get(node.at())
    }

    /// What is held now.
    pub fn held(&self) -> impl Iterator<Item = (NodeIx, &HoldState)> {
        let held = self
            .holds
            .iter()
            .filter(|(_, hold)| hold.released.is_none());
        held.map(|(node, hold)| (*node, hold))
    }

    /// Attempts that were intended and whose end is not known.
    pub fn open_attempts(&self) -> impl Iterator<Item = (&AttemptId, &AttemptState)> {
        self.attempts.iter().filter(|(_, a)| a.end.is_none())
    }

    /// Folds one record in. On an error the state is unchanged.
    ///
    /// # Errors
    /// The record cannot follow what is there.
    pub fn apply(&mut self, record: &Record) -> Result<(), FoldError> {
        let seq = record.seq;
        if seq != self.seq + 1 {
            return Err(FoldError::Gap {
                after: self.seq,
                got: seq,
            });
        }
        if record.epoch < self.epoch {
            return Err(FoldError::OldEpoch {
                seq,
                got: record.epoch,
                have: self.epoch,
            });
        }
        if self.run.is_some() == matches!(record.event, Event::RunCreated { .. }) {
            return Err(FoldError::Creation { seq });
        }
        self.fold(record)?;
        self.seq = seq;
        self.last_at = record.at;
        self.epoch = record.epoch;
        Ok(())
    }

    fn fold(&mut self, record: &Record) -> Result<(), FoldError> {
        let (seq, at) = (record.seq, record.at);
        match &record.event {
            Event::RunCreated {
                run,
                runbook,
                plan,
                nodes,
            } => {
                self.run = Some(run.clone());
                self.runbook.clone_from(runbook);
                self.plan.clone_from(plan);
                self.plan_number = 1;
                self.created_at = at;
                self.nodes = nodes.iter().cloned().map(NodeState::new).collect();
            }
            Event::Opened { controller } => self.open(controller),
            Event::HostReady {
                host,
                boot,
                machine,
                clock_offset_ms,
            } => {
                let ready = HostState::Ready {
                    boot: boot.clone(),
                    machine: machine.clone(),
                    clock_offset_ms: *clock_offset_ms,
                };
                self.hosts.insert(host.clone(), ready);
            }
            Event::HostUnusable { host, problem } => {
                self.hosts
                    .insert(host.clone(), HostState::Unusable(problem.clone()));
            }
            Event::VarTaken { name, value } => {
                self.vars.insert(name.clone(), value.clone());
            }
            Event::SecretSettled { name, origin } => {
                self.secrets.insert(name.clone(), *origin);
            }
            Event::Decided { node } => self.step(seq, *node, Trigger::Decided)?.decided = true,
            Event::Looking {
                node,
                purpose: Purpose::Undo,
            } => self.step_undo(seq, *node, Trigger::Looking)?,
            Event::Looking { node, .. } => {
                let n = self.step(seq, *node, Trigger::Looking)?;
                n.started_at.get_or_insert(at);
                n.looking_since.get_or_insert(at);
                n.looked_at = Some(at);
            }
            Event::Looked {
                node,
                verdict,
                outputs,
            } => {
                let n = self.step(seq, *node, Trigger::Looked)?;
                n.passes = if matches!(verdict, Verdict::Satisfied) {
                    n.passes + 1
                } else {
                    0
                };
                n.verdict = Some(verdict.clone());
                n.outputs.clone_from(outputs);
            }
            Event::Dispatched {
                unit,
                instances,
                host,
                boot,
            } => {
                self.dispatch(record, unit, instances, host, boot)?;
            }
            Event::Began {
                attempt, before, ..
            } => self.began(seq, attempt, before)?,
            Event::Launched { unit } => {
                let nodes = self.of_unit(seq, unit)?;
                let chain = nodes.len() > 1;
                for (attempt, node, undo) in nodes {
                    // Members may have ended before anybody says that their chain was launched.
                    if chain && self.node(node).is_some_and(|n| n.stage != Stage::Intended) {
                        continue;
                    }
                    match undo {
                        true => self.step_undo(seq, node, Trigger::Launched)?,
                        false => self.step(seq, node, Trigger::Launched).map(drop)?,
                    }
                    if let Some(a) = self.attempts.get_mut(&attempt) {
                        a.launched = true;
                    }
                }
            }
            Event::Ended { attempt, end } => {
                let of = self.attempt(seq, attempt)?;
                let (node, undo) = (of.node, of.undo);
                let returned = of.unit != *attempt && *end == AttemptEnd::NeverBegan;
                if undo {
                    self.step_undo(seq, node, Trigger::Ended)?;
                } else if returned {
                    let n = self.step(seq, node, Trigger::Returned)?;
                    n.started_at = None;
                    if n.captured_by.as_ref() == Some(attempt) {
                        n.forget_captured();
                    }
                } else {
                    let n = self.step(seq, node, Trigger::Ended)?;
                    if *end == AttemptEnd::NeverBegan && n.captured_by.as_ref() == Some(attempt) {
                        n.forget_captured();
                    }
                    match end {
                        AttemptEnd::Completed { outputs } => n.outputs.clone_from(outputs),
                        AttemptEnd::Looked { verdict, outputs } => {
                            n.verdict = Some(verdict.clone());
                            n.outputs.clone_from(outputs);
                        }
                        AttemptEnd::Converged { outputs } => {
                            n.verdict = Some(Verdict::Satisfied);
                            n.outputs.clone_from(outputs);
                        }
                        AttemptEnd::Failed(_) | AttemptEnd::NeverBegan | AttemptEnd::Lost => {}
                    }
                }
                self.attempt(seq, attempt)?.end = Some(end.clone());
                if !matches!(end, AttemptEnd::NeverBegan) {
                    self.begin_next(attempt, at);
                }
            }
            Event::Doubted { attempt, .. } => {
                let AttemptState { node, undo, .. } = *self.attempt(seq, attempt)?;
                match undo {
                    true => self.step_undo(seq, node, Trigger::Doubted)?,
                    false => self.step(seq, node, Trigger::Doubted).map(drop)?,
                }
            }
            Event::OverTime { attempt } => self.attempt(seq, attempt)?.over_time = true,
            Event::Pausing { node, until, .. } => {
                let n = self.step(seq, *node, Trigger::Pausing)?;
                n.started_at.get_or_insert(at);
                n.pausing_until = Some(*until);
            }
            Event::Asked {
                node,
                message,
                shown,
                terms,
            } => {
                let n = self.step(seq, *node, Trigger::Asked)?;
                n.started_at.get_or_insert(at);
                let question = Question {
                    message: message.clone(),
                    shown: shown.clone(),
                    terms: terms.clone(),
                };
                // What was said to another question was not said to this one.
                if n.question.as_ref() != Some(&question) {
                    n.votes.clear();
                }
                n.question = Some(question);
            }
            Event::Said { node, said, by } => {
                let n = self.step(seq, *node, Trigger::Said)?;
                if let Said::Evidence(evidence) = said {
                    n.outputs.clone_from(evidence);
                }
                n.votes.push(Vote {
                    at,
                    by: by.clone(),
                    said: said.clone(),
                });
                let follows = n.question.as_ref().map(|asked| asked.terms.judge(said));
                // It counts from here on, whatever of the rest is written.
                if follows == Some(Ok(Follow::Rollback)) {
                    self.due.get_or_insert(Due {
                        gate: *node,
                        by: by.clone(),
                        option: Some(said.word().to_owned()),
                    });
                }
            }
            Event::Answered {
                node,
                approved,
                by,
                rollback,
            } => {
                let answer = GateAnswer {
                    approved: *approved,
                    by: by.clone(),
                    rollback: *rollback,
                };
                self.step(seq, *node, Trigger::Answered)?.answer = Some(answer);
                if *rollback {
                    self.due.get_or_insert(Due {
                        gate: *node,
                        by: by.clone(),
                        option: None,
                    });
                }
            }
            Event::Finished {
                node,
                outcome,
                outputs,
            } => {
                let epoch = record.epoch;
                let n = self.step(seq, *node, Trigger::Finished)?;
                n.outcome = Some(outcome.clone());
                if outcome.is_success() {
                    n.booted_in = None;
                }
                n.outputs.clone_from(outputs);
                n.started_at.get_or_insert(at);
                n.finished_at = Some(at);
                n.finished_in = Some(epoch);
                n.pausing_until = None;
            }
            Event::Reopened { node, .. } => {
                let n = self.step(seq, *node, Trigger::Reopened)?;
                n.reopen();
            }
            Event::Held { .. }
            | Event::HoldOver { .. }
            | Event::Released { .. }
            | Event::ReleaseAsked { .. }
            | Event::Undoing { .. }
            | Event::UndoLooked { .. }
            | Event::Undone { .. } => self.hold(record)?,
            Event::Ordered { order, nodes } => self.order(record, order, nodes)?,
            Event::Edited { edit, .. } => self.edit(record, edit)?,
            Event::OrderRefused { order, .. } => {
                self.orders.insert(order.clone());
            }
            Event::Ending { result } => self.ending = Some((result.clone(), record.epoch)),
            Event::Stopping { reason } => {
                self.stopping.get_or_insert_with(|| reason.clone());
            }
            Event::Interrupted => self.interrupted = true,
            Event::Detached { .. } => self.detached = true,
            Event::Closed { result } => {
                self.result = Some(result.clone());
                self.ending = None;
                self.release = None;
                match result {
                    RunResult::RolledBack => {
                        // Its holds may be released by hand later: that is no other rollback.
                        let over = self.rollback.take();
                        self.rolled_back = over.or(self.rolled_back.take());
                    }
                    RunResult::SteppedBack => self.rollback = None,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, controller: &Controller) {
        self.controller = Some(controller.clone());
        self.stopping = None;
        self.pause_before.clear();
        self.interrupted = false;
        self.result = None;
        self.detached = false;
        self.hosts.clear();
        for undo in self.undos.values_mut() {
            undo.stage = transition::next(undo.stage, Trigger::Opened).unwrap_or(undo.stage);
        }
        for n in &mut self.nodes {
            n.stage = transition::next(n.stage, Trigger::Opened).unwrap_or(n.stage);
            if n.stage != Stage::Done {
                n.passes = 0;
                n.looking_since = None;
                n.pausing_until = None;
                n.answer = None;
            }
        }
    }

    fn step(
        &mut self,
        seq: u64,
        node: NodeIx,
        trigger: Trigger,
    ) -> Result<&mut NodeState, FoldError> {
        let n = self
            .nodes
            .get_mut(node.at())
            .ok_or_else(|| FoldError::Unknown {
                seq,
                what: format!("node {}", node.0),
            })?;
        match transition::next(n.stage, trigger) {
            Some(to) => {
                n.stage = to;
                Ok(n)
            }
            None => Err(FoldError::Illegal {
                seq,
                node: n.summary.id.clone(),
                stage: n.stage,
                trigger,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
