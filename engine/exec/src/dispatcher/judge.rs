//! What follows from a look.

use std::collections::BTreeMap;

use runbook_model::event::{Purpose, Verdict};
use runbook_model::state::AttemptState;
use runbook_model::step::Until;
use runbook_model::step_type::TypeKind;
use runbook_model::{Event, Failure, FailureKind, NodeIx, Outcome, Value};

use super::message::first_line;
use super::queue::{Flight, Move};
use super::{Dispatcher, Role};
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    pub(super) fn looked(
        &mut self,
        number: u64,
        node: NodeIx,
        verdict: Verdict,
        outputs: BTreeMap<String, Value>,
        before: BTreeMap<String, String>,
    ) {
        let purpose = match self.flights.get(&node) {
            Some(Flight::Look { look, purpose, .. }) if *look == number => *purpose,
            _ => {
                self.looked_early(number, node, &verdict, &outputs, &before);
                return;
            }
        };
        self.land(node);
        match purpose {
            Purpose::Derive => return self.derived(node, verdict),
            Purpose::Undo => {
                self.notes[node.at()].undo_before = before;
                return self.record(Event::UndoLooked { node, verdict });
            }
            Purpose::Before | Purpose::After | Purpose::Probe | Purpose::Doubt => {}
        }
        self.notes[node.at()].before = before;
        self.record(Event::Looked {
            node,
            verdict,
            outputs,
        });
        self.enqueue(node);
    }

    /// The node has a verdict that nothing has followed from yet.
    pub(super) fn judge(&mut self, node: NodeIx, slot: bool) -> Move {
        let Role::Instance { step, .. } = self.roles[node.at()] else {
            return Move::Made;
        };
        let Some(purpose) = self.notes[node.at()].purpose else {
            return Move::Made;
        };
        let Some(verdict) = self.state.nodes[node.at()].verdict.clone() else {
            return Move::Made;
        };
        let differs = match purpose {
            Purpose::Probe => FailureKind::Finding,
            _ => FailureKind::NotConverged,
        };
        match (purpose, verdict) {
            (Purpose::Before | Purpose::Probe, Verdict::Skipped(reason)) => {
                self.finish(node, Outcome::Skipped { reason })
            }
            // Something was done here: that the check no longer applies does not undo it.
            (Purpose::After | Purpose::Doubt, Verdict::Skipped(reason)) => {
                let message = format!("after it was applied, its check says: {reason}");
                let failure = Failure::new(FailureKind::NotConverged, message);
                self.conclude(node, step, Err(failure), false);
            }
            (Purpose::Before | Purpose::Doubt, Verdict::Differs(_)) => {
                return self.dispatch(node, slot);
            }
            (Purpose::Doubt, Verdict::Error(failure)) => {
                self.finish(node, Outcome::Failed(failure))
            }
            // Under `until` an `expect` that is false is a difference, which an attempt may end.
            (Purpose::Before, Verdict::Satisfied) if self.step(step).until.is_some() => {
                match self.expected(node, step) {
                    Err(failure) if failure.kind == FailureKind::Expect => {
                        return self.dispatch(node, slot);
                    }
                    held => self.conclude(node, step, held, true),
                }
            }
            (_, Verdict::Skipped(_)) => {}
            (_, Verdict::Satisfied) => {
                let held = self.expected(node, step);
                self.conclude(node, step, held, true);
            }
            (_, Verdict::Differs(reasons)) => {
                let failure = Failure::new(differs, reasons.join("; "));
                self.conclude(node, step, Err(failure), true);
            }
            (_, Verdict::Error(failure)) => self.conclude(node, step, Err(failure), false),
        }
        Move::Made
    }

    /// Ends the node by what a look found, or looks again later where it has an `until`.
    fn conclude(
        &mut self,
        node: NodeIx,
        step: usize,
        held: Result<(), Failure>,
        has_outputs: bool,
    ) {
        let Some(until) = self.step(step).until.clone() else {
            return match held {
                Ok(()) => self.finish_well(node),
                Err(failure) => self.finish(node, Outcome::Failed(failure)),
            };
        };
        let fatal = match &until.fatal {
            Some(_) if has_outputs => {
                self.rules
                    .fatal(node, &self.state.nodes[node.at()].outputs, &self.state)
            }
            Some(_) | None => Ok(false),
        };
        let held = match (held, fatal) {
            (held, Ok(true)) => {
                let mut message = "`fatal` is true".to_owned();
                if let Err(failure) = held {
                    message = format!("{message}: {}", failure.message);
                }
                return self.finish(
                    node,
                    Outcome::Failed(Failure::new(FailureKind::Fatal, message)),
                );
            }
            (held, Ok(false)) => held,
            // What the condition speaks of may not be there yet: look again.
            (held, Err(failure)) => held.and(Err(failure)),
        };
        let passes = if held.is_ok() {
            self.notes[node.at()].passes + 1
        } else {
            0
        };
        self.notes[node.at()].passes = passes;
        if passes >= until.passes.max(1) {
            return self.finish_well(node);
        }
        self.again(node, &until, passes, held);
    }

    fn again(&mut self, node: NodeIx, until: &Until, passes: u32, held: Result<(), Failure>) {
        let within = i64::try_from(until.within_ms).unwrap_or(i64::MAX);
        let every = i64::try_from(until.every_ms).unwrap_or(i64::MAX);
        let since = self.state.nodes[node.at()]
            .looking_since
            .unwrap_or(self.now);
        let deadline = since.saturating_add(within);
        let reason = match held {
            Ok(()) => format!("{passes} of {} passes", until.passes),
            Err(failure) => first_line(&failure).to_owned(),
        };
        if self.now >= deadline {
            let message = format!("still not so after {} s: {reason}", until.within_ms / 1000);
            return self.finish(
                node,
                Outcome::Failed(Failure::new(FailureKind::Within, message)),
            );
        }
        // This look is judged: it must not count twice.
        self.notes[node.at()].purpose = None;
        if !self.halted() {
            self.pause(node, self.now.saturating_add(every).min(deadline), reason);
        }
    }

    pub(super) fn expected(&self, node: NodeIx, step: usize) -> Result<(), Failure> {
        let Some(expect) = &self.step(step).expect else {
            return Ok(());
        };
        match self
            .rules
            .expect(node, &self.state.nodes[node.at()].outputs, &self.state)
        {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::new(
                FailureKind::Expect,
                format!("`expect` is false: {}", expect.text),
            )),
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn finish_well(&mut self, node: NodeIx) {
        let probe = matches!(
            self.roles[node.at()],
            Role::Instance {
                kind: TypeKind::Probe,
                ..
            }
        );
        let attempts = &self.state.nodes[node.at()].attempts;
        let changed = attempts
            .iter()
            .any(|id| self.state.attempts.get(id).is_some_and(AttemptState::began));
        let outcome = match (probe, changed) {
            (true, _) => Outcome::Looked,
            (false, true) => Outcome::Changed,
            (false, false) => Outcome::Satisfied,
        };
        self.finish(node, outcome);
    }
}
