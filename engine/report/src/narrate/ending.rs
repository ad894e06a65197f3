//! How instances, phases and runs end, in lines.

use runbook_model::event::StopReason;
use runbook_model::plan::Part;
use runbook_model::{
    FailureKind, Millis, NodeIx, NodeKind, Outcome, Plan, RunResult, RunState, StepIx,
};

use super::words::{failure_text, is_gate};
use super::{Narrator, Told, holds};
use crate::facts::{self, REASON, node_id};
use crate::text::{bounded, count};
use crate::time::length;
use crate::{Tally, Tone};

impl Narrator {
    pub(super) fn finished(
        &mut self,
        at: Millis,
        plan: &Plan,
        state: &RunState,
        node: NodeIx,
        outcome: &Outcome,
    ) -> Vec<Told> {
        let one = |tone, text: String| {
            vec![Told {
                at,
                tone,
                text,
                more: Vec::new(),
            }]
        };
        self.ended.remove(&node);
        self.differs.remove(&node);
        let Some((step, host)) = plan.instance(node) else {
            return self.point(at, plan, node, outcome);
        };
        let id = node_id(plan, node);
        let took = state
            .node(node)
            .and_then(|n| facts::took(state, n))
            .unwrap_or(0);
        let long = if took >= 1_000 {
            format!(" ({})", length(took))
        } else {
            String::new()
        };
        let last = self.left_of(plan, node).is_some_and(|left| {
            *left = left.saturating_sub(1);
            *left == 0
        });
        // A step of one instance has nothing to collapse.
        let collapse = self.quiet && plan.instances_of(step_of(plan, node)).nth(1).is_some();
        let mut out = match outcome {
            Outcome::ByHand { by, .. } => one(
                Tone::Change,
                format!("{id} done by hand, by {}", bounded(by, 80)),
            ),
            Outcome::Excluded { .. } => one(Tone::Warn, format!("{id} excluded")),
            Outcome::Changed => one(Tone::Change, format!("{id} changed ({})", length(took))),
            // A person's answer was told already.
            Outcome::Failed(failure) if failure.kind == FailureKind::Refused => Vec::new(),
            Outcome::Failed(failure) => one(
                Tone::Bad,
                format!("{id} FAILED: {}{long}", failure_text(failure)),
            ),
            Outcome::Left(failure) if plan.part_of(node) == Part::Main => one(
                Tone::Bad,
                format!(
                    "{id} FAILED: {}{long}; {host} leaves the phase",
                    failure_text(failure)
                ),
            ),
            Outcome::Left(failure) => one(
                Tone::Bad,
                format!("{id} FAILED: {}{long}", failure_text(failure)),
            ),
            Outcome::Recorded(failure) => one(
                Tone::Warn,
                format!(
                    "{id} failed, which is recorded and counts as done: {}{long}",
                    failure_text(failure)
                ),
            ),
            Outcome::LeftOut { reason } => one(
                Tone::Warn,
                format!("{id} left out: {}", bounded(reason, REASON)),
            ),
            _ if collapse => Vec::new(),
            Outcome::Skipped { .. } if self.skipped_phases.contains(&step.phase) => Vec::new(),
            Outcome::Skipped { reason } => one(
                Tone::Quiet,
                format!("{id} skipped: {}", bounded(reason, REASON)),
            ),
            Outcome::Passed if is_gate(plan, node) => Vec::new(),
            Outcome::Satisfied => one(Tone::Quiet, format!("{id} no change{long}")),
            Outcome::Looked | Outcome::Passed => {
                one(Tone::Good, format!("{id} {}{long}", outcome.word()))
            }
        };
        if collapse && last && !self.skipped_phases.contains(&step.phase) {
            let mut tally = Tally::default();
            let nodes = plan
                .instances_of(step_of(plan, node))
                .filter_map(|(node, _)| state.node(node));
            nodes.for_each(|n| tally.add(n));
            if tally.no_change + tally.ok + tally.skipped > 0 {
                let hosts = count(tally.total, "instance");
                out.extend(one(
                    Tone::Quiet,
                    format!("{}: {} ({hosts})", step.id, tally.words()),
                ));
            }
        }
        out
    }

    /// Nodes that are not instances: phases begin; the rest is nobody's news unless it fails.
    fn point(&mut self, at: Millis, plan: &Plan, node: NodeIx, outcome: &Outcome) -> Vec<Told> {
        let one = |tone, text: String| {
            vec![Told {
                at,
                tone,
                text,
                more: Vec::new(),
            }]
        };
        let phase = plan.nodes.get(node.at()).and_then(|n| match n.kind {
            NodeKind::PhaseBegin { phase } => Some((phase, plan.phases.get(phase as usize)?)),
            _ => None,
        });
        match (phase, outcome) {
            (_, Outcome::Failed(failure) | Outcome::Left(failure)) => one(
                Tone::Bad,
                format!("{} FAILED: {}", node_id(plan, node), failure_text(failure)),
            ),
            (Some((at, phase)), Outcome::Skipped { reason }) => {
                self.skipped_phases.insert(at);
                one(
                    Tone::Quiet,
                    format!("phase {} skipped: {}", phase.id, bounded(reason, REASON)),
                )
            }
            (Some((_, phase)), _) => {
                let batches = match phase.batches.len() {
                    0 => String::new(),
                    n => format!(", {n} batches"),
                };
                one(Tone::Head, format!("phase {}{batches}", phase.id))
            }
            (None, _) => Vec::new(),
        }
    }

    pub(super) fn closed(
        &self,
        at: Millis,
        plan: &Plan,
        state: &RunState,
        result: &RunResult,
    ) -> Vec<Told> {
        let run = state.run.as_ref().map_or("?", |r| r.as_str());
        let long = length(at - self.opened_at);
        if let Some(nodes) = &self.releasing {
            let (tone, text) = holds::released(state, nodes, run, result);
            return vec![Told {
                at,
                tone,
                text: format!("{text} ({long})"),
                more: Vec::new(),
            }];
        }
        let (tone, word) = match result {
            RunResult::Succeeded => (Tone::Good, "succeeded"),
            RunResult::AlreadyThere => {
                (Tone::Good, "has nothing to do: everything is there already")
            }
            RunResult::Failed => (Tone::Bad, "failed"),
            RunResult::Refused => match state.stopping {
                Some(StopReason::NotOpen(_) | StopReason::WindowClosed(_)) => {
                    (Tone::Bad, "stopped outside of its window")
                }
                _ => (Tone::Bad, "was refused"),
            },
            RunResult::Stopped => (Tone::Warn, "stopped"),
            RunResult::Reached => (Tone::Good, "has come to where it was to end"),
            RunResult::RolledBack if facts::gate_of_rollback(state).is_some() => {
                (Tone::Warn, "is rolled back, as its gate had it")
            }
            RunResult::RolledBack => (Tone::Good, "is rolled back"),
            RunResult::SteppedBack => (Tone::Good, "is rolled back to an earlier phase"),
            RunResult::Abandoned => (Tone::Warn, "is abandoned"),
        };
        let words = match Tally::of(plan, state, None).words() {
            none if none.is_empty() => none,
            words => format!(": {words}"),
        };
        let text = format!("run {run} {word}{words} ({long})");
        // A success with findings is one, and has to be looked at all the same.
        let mut more = match result.is_final() {
            true => facts::findings(plan, state),
            false => Vec::new(),
        };
        let tone = if more.is_empty() { tone } else { Tone::Warn };
        more.extend(facts::records(plan, state));
        vec![Told {
            at,
            tone,
            text,
            more,
        }]
    }

    pub(super) fn left_of(&mut self, plan: &Plan, node: NodeIx) -> Option<&mut usize> {
        self.left.get_mut(step_of(plan, node).at())
    }
}

/// The step of a node; of one that is no instance, a step that does not exist.
fn step_of(plan: &Plan, node: NodeIx) -> StepIx {
    match plan.nodes.get(node.at()).map(|n| &n.kind) {
        Some(NodeKind::Instance { step, .. }) => *step,
        _ => StepIx(u32::MAX),
    }
}
