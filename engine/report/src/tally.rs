//! How many nodes ended how.

use runbook_model::plan::Part;
use runbook_model::transition::Stage;
use runbook_model::{NodeKind, Outcome, Plan, RunState, state::NodeState};

/// Numbers of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All of them.
    pub total: usize,
    /// Ended.
    pub done: usize,
    /// Ended: changed.
    pub changed: usize,
    /// Ended: changed, and taken back since.
    pub taken_back: usize,
    /// Ended: was there already.
    pub no_change: usize,
    /// Ended: a probe looked, an assert held, a person approved.
    pub ok: usize,
    /// Ended: did not have to run.
    pub skipped: usize,
    /// Ended: failed.
    pub failed: usize,
    /// Ended: failed, and counts as done.
    pub recorded: usize,
    /// Ended: left out, because of a failure of another one.
    pub left_out: usize,
    /// Begun and not ended.
    pub active: usize,
}

impl Tally {
    /// Counts the instances of a run, all or those of one phase. What is only there to go back is
    /// counted by its phase alone.
    #[must_use]
    pub fn of(plan: &Plan, state: &RunState, phase: Option<u32>) -> Self {
        let mut tally = Self::default();
        for (node, n) in plan.nodes.iter().zip(&state.nodes) {
            let NodeKind::Instance { step, .. } = &node.kind else {
                continue;
            };
            let of = plan.steps.get(step.at()).map(|s| s.phase);
            let part = of
                .and_then(|at| plan.phases.get(at as usize))
                .map(|p| p.part);
            let run = part != Some(Part::Rollback);
            if (phase.is_none() && run) || (phase.is_some() && of == phase) {
                tally.add(n);
            }
        }
        tally
    }

    /// Counts one more.
    pub fn add(&mut self, node: &NodeState) {
        self.total += 1;
        match (node.stage, &node.outcome) {
            (Stage::Done, Some(Outcome::Changed)) if node.taken_back => {
                self.done += 1;
                self.taken_back += 1;
            }
            (Stage::Done, Some(outcome)) => self.end(outcome),
            (Stage::Done, None) => self.done += 1,
            (Stage::Waiting, _) => {}
            // In a chain, and its turn has not come.
            _ if node.started_at.is_none() => {}
            _ => self.active += 1,
        }
    }

    /// Counts an ending, of an instance that is counted in `total` already.
    pub fn end(&mut self, outcome: &Outcome) {
        self.done += 1;
        match outcome {
            Outcome::Satisfied => self.no_change += 1,
            Outcome::Changed | Outcome::ByHand { .. } => self.changed += 1,
            Outcome::Looked | Outcome::Passed => self.ok += 1,
            Outcome::Skipped { .. } | Outcome::Excluded { .. } => self.skipped += 1,
            Outcome::Failed(_) | Outcome::Left(_) => self.failed += 1,
            Outcome::Recorded(_) => self.recorded += 1,
            Outcome::LeftOut { .. } => self.left_out += 1,
        }
    }

    /// How the ended ones ended, `2 changed, 1 no change`; empty where none has ended.
    #[must_use]
    pub fn words(&self) -> String {
        let all = [
            (self.failed, "failed"),
            (self.recorded, "recorded"),
            (self.changed, "changed"),
            (self.taken_back, "taken back"),
            (self.no_change, "no change"),
            (self.ok, "ok"),
            (self.skipped, "skipped"),
            (self.left_out, "left out"),
        ];
        let said: Vec<String> = all
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        said.join(", ")
    }
}
