//! Effects: their intents, their ends, and what is not known of them.

use runbook_model::event::{AttemptEnd, Intent, Purpose, StopReason};
use runbook_model::state::AttemptState;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::transition::Stage;
use runbook_model::{AttemptId, Event, Failure, FailureKind, NodeIx, Outcome};

use super::message::first_line;
use super::queue::{Flight, Move};
use super::{Act, Action, Dispatcher, Mode, Role, UnitFound};
use crate::rules::Rules;

/// So often an attempt may be lost or never begin, in a row, before this controller gives up: an
/// effect that takes its host down each time must not be repeated for ever.
const VAIN: u32 = 4;

impl<R: Rules> Dispatcher<R> {
    /// Intends an effect, durable before it begins, and launches it.
    pub(super) fn dispatch(&mut self, node: NodeIx, slot: bool) -> Move {
        let Role::Instance { kind, host, .. } = self.roles[node.at()] else {
            return Move::Made;
        };
        if self.mode != Mode::Going || self.halted() {
            return Move::Made;
        }
        if self.notes[node.at()].vain >= VAIN {
            let message = format!("{VAIN} attempts in a row were lost or never began");
            self.finish(
                node,
                Outcome::Failed(Failure::new(FailureKind::Unreachable, message)),
            );
            return Move::Made;
        }
        if self.too_early() {
            return Move::Made;
        }
        if !slot {
            return Move::NeedsSlot;
        }
        if self.freshen(node) || self.forsaken(node) || !self.host_is_up(node) {
            return Move::Made;
        }
        let name = self.hosts[host].name.clone();
        let boot = self.boot_of(&name).unwrap_or_default().to_owned();
        let attempt = (self.ids)();
        let number = u32::try_from(self.state.nodes[node.at()].attempts.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        let before = if self.state.nodes[node.at()].captured_by.is_none() {
            std::mem::take(&mut self.notes[node.at()].before)
        } else {
            Default::default()
        };
        let intent = Intent {
            node,
            attempt: attempt.clone(),
            number,
            before,
        };
        self.record(Event::Dispatched {
            unit: attempt.clone(),
            instances: vec![intent],
            host: name.clone(),
            boot,
        });
        self.notes[node.at()].passes = 0;
        if matches!(kind, TypeKind::Copy | TypeKind::Record) {
            self.fly(node, Flight::Perform);
            self.act(Action::Perform { node, attempt });
        } else {
            self.fly(
                node,
                Flight::Attempt {
                    unit: attempt.clone(),
                    cut: false,
                },
            );
            self.act(Action::Launch {
                unit: attempt.clone(),
                node,
                attempt,
                host: name,
            });
        }
        Move::Made
    }

    /// An attempt has ended, and nothing has followed from it yet.
    pub(super) fn applied(&mut self, node: NodeIx, slot: bool) -> Move {
        let Role::Instance { step, kind, .. } = self.roles[node.at()] else {
            return Move::Made;
        };
        let Some(end) = self.last_end(node).cloned() else {
            return Move::Made;
        };
        let checked = matches!(kind, TypeKind::Ordinary | TypeKind::Copy);
        let may_start = self.mode == Mode::Going && !self.halted();
        let purpose = match end {
            AttemptEnd::Completed { .. } if checked => Purpose::After,
            AttemptEnd::Completed { .. } => {
                match self.expected(node, step) {
                    Ok(()) => self.finish_well(node),
                    Err(failure) => self.finish(node, Outcome::Failed(failure)),
                }
                return Move::Made;
            }
            AttemptEnd::Looked { verdict, .. } => {
                self.looked_there(node, verdict);
                return Move::Made;
            }
            AttemptEnd::Converged { .. } => {
                self.finish_well(node);
                return Move::Made;
            }
            AttemptEnd::Failed(failure) => {
                self.retry(node, step, failure, may_start);
                return Move::Made;
            }
            AttemptEnd::Lost if checked => Purpose::Doubt,
            AttemptEnd::NeverBegan if checked && may_start => Purpose::Before,
            AttemptEnd::NeverBegan | AttemptEnd::Lost => return self.dispatch(node, slot),
        };
        if !slot {
            return Move::NeedsSlot;
        }
        self.look(node, purpose);
        Move::Made
    }

    /// Pauses before the next attempt, or ends the node.
    fn retry(&mut self, node: NodeIx, step: usize, failure: Failure, may_start: bool) {
        let step = self.step(step);
        let hopeless = matches!(
            failure.kind,
            FailureKind::Value | FailureKind::Cancelled | FailureKind::InDoubt
        );
        let failed = |end: &Option<AttemptEnd>| matches!(end, Some(AttemptEnd::Failed(_)));
        let attempts = self.state.nodes[node.at()]
            .attempts
            .iter()
            .filter_map(|id| self.state.attempts.get(id));
        let used = u32::try_from(attempts.filter(|a| failed(&a.end)).count()).unwrap_or(u32::MAX);
        if step.critical || hopeless || used >= step.retry.attempts {
            return self.finish(node, Outcome::Failed(failure));
        }
        if may_start {
            let delay = i64::try_from(step.retry.delay_after(used)).unwrap_or(i64::MAX);
            let reason = format!(
                "attempt {used} of {} failed: {}",
                step.retry.attempts,
                first_line(&failure)
            );
            self.pause(node, self.now.saturating_add(delay), reason);
        }
    }

    pub(super) fn launched(&mut self, unit: &AttemptId) {
        if !self.state.attempts.contains_key(unit) {
            return self.chain_launched(unit);
        }
        if let Some(attempt) = self.open_attempt(unit)
            && self.stage_of(attempt) == Stage::Intended
        {
            self.record(Event::Launched { unit: unit.clone() });
        }
    }

    pub(super) fn launch_unknown(&mut self, unit: &AttemptId) {
        let asked = |flight: &Flight| matches!(flight, Flight::Attempt { unit: u, cut: false } if u == unit);
        let found = self.flights.iter().find(|(_, flight)| asked(flight));
        if let Some(node) = found.map(|(node, _)| *node) {
            self.ask_unit(node, unit.clone());
        }
    }

    /// Asks the host of a unit what became of it.
    pub(super) fn ask_unit(&mut self, node: NodeIx, unit: AttemptId) {
        let Role::Instance { host, .. } = self.roles[node.at()] else {
            return;
        };
        self.fly(
            node,
            Flight::Attempt {
                unit: unit.clone(),
                cut: false,
            },
        );
        let host = self.hosts[host].name.clone();
        self.act(Action::Attend { unit, node, host });
        if self.halted() {
            // Nobody may have heard that nothing more is to begin.
            self.halt_chains();
        }
    }

    pub(super) fn unit_state(&mut self, unit: &AttemptId, found: UnitFound) {
        self.unanswered.remove(unit);
        if self.chain_state(unit, &found) {
            return;
        }
        let Some(attempt) = self.open_attempt(unit).cloned() else {
            return;
        };
        match found {
            UnitFound::Running => self.launched(unit),
            UnitFound::Ended(end) => self.ended(unit, end),
            UnitFound::Lost(found) => self.doubt(unit, found),
            UnitFound::NoTrace if attempt.launched => {
                self.doubt(
                    unit,
                    "it was launched, and the host has no trace of it".into(),
                );
            }
            UnitFound::NoTrace if self.boot_of(&attempt.host) != Some(attempt.boot.as_str()) => {
                self.doubt(
                    unit,
                    "the host has booted since, and has no trace of it".into(),
                );
            }
            UnitFound::NoTrace => self.ended(unit, AttemptEnd::NeverBegan),
        }
    }

    pub(super) fn ended(&mut self, unit: &AttemptId, end: AttemptEnd) {
        let Some((node, undo)) = self.open_attempt(unit).map(|a| (a.node, a.undo)) else {
            return;
        };
        match &end {
            AttemptEnd::Lost => {
                return self.doubt(unit, "the host does not know how it ended".into());
            }
            AttemptEnd::Failed(failure) if !undo && self.leaves_doubt(node, failure) => {
                return self.doubt(unit, failure.message.clone());
            }
            _ => {}
        }
        self.unanswered.remove(unit);
        self.land(node);
        match end {
            _ if undo => {}
            // It was not its turn.
            AttemptEnd::NeverBegan if self.unit_of(unit) != *unit => {}
            AttemptEnd::NeverBegan => self.notes[node.at()].vain += 1,
            _ => self.notes[node.at()].vain = 0,
        }
        self.record(Event::Ended {
            attempt: unit.clone(),
            end,
        });
        self.enqueue(node);
    }

    /// The effect of an attempt is not known: the check settles it, or a person has to.
    pub(super) fn doubt(&mut self, unit: &AttemptId, found: String) {
        let Some(attempt) = self.open_attempt(unit).cloned() else {
            return;
        };
        let node = attempt.node;
        let Role::Instance { kind, in_doubt, .. } = self.roles[node.at()] else {
            return;
        };
        self.unanswered.remove(unit);
        self.land(node);
        if self.stage_of(&attempt) != Stage::InDoubt {
            self.record(Event::Doubted {
                attempt: unit.clone(),
                found: found.clone(),
            });
        }
        // The check is asked whether something is still there.
        if attempt.undo || can_settle(kind, in_doubt) {
            self.notes[node.at()].vain += u32::from(!attempt.undo);
            self.record(Event::Ended {
                attempt: unit.clone(),
                end: AttemptEnd::Lost,
            });
            self.enqueue(node);
        } else {
            let message = format!(
                "whether {unit} had its effect is not known, and no check is able to tell: {found}"
            );
            self.finish(
                node,
                Outcome::Failed(Failure::new(FailureKind::InDoubt, message)),
            );
        }
    }

    /// Whether what ended the script of a node left its effect unknown for good. Where the runbook has it tried again, its
    /// author has said that half an effect harms nobody.
    fn leaves_doubt(&self, node: NodeIx, failure: &Failure) -> bool {
        let Role::Instance {
            step,
            kind,
            in_doubt,
            ..
        } = self.roles[node.at()]
        else {
            return false;
        };
        let step = self.step(step);
        let repeated = step.retry.attempts > 1 && !step.critical;
        failure.is_cut_short() && !can_settle(kind, in_doubt) && !repeated
    }

    /// The limit of a critical attempt is over: it runs on, and the run stops without it.
    pub(super) fn over_time(&mut self, unit: &AttemptId) {
        let Some(attempt) = self.open_attempt(unit).cloned() else {
            return;
        };
        if !attempt.over_time {
            self.record(Event::OverTime {
                attempt: unit.clone(),
            });
        }
        // Whoever waits for an undo may leave; nothing else depends on it.
        if attempt.undo {
            return;
        }
        self.unanswered.remove(unit);
        self.land(attempt.node);
        if matches!(self.act, Act::Main | Act::Back) {
            self.stop(StopReason::OverTime(unit.clone()));
        }
    }

    /// An attempt whose end is not known, and whose node has not ended without it.
    fn open_attempt(&self, unit: &AttemptId) -> Option<&AttemptState> {
        let attempt = self.state.attempts.get(unit)?;
        let stage = self.stage_of(attempt);
        let open = matches!(stage, Stage::Intended | Stage::Running | Stage::InDoubt);
        (attempt.end.is_none() && open).then_some(attempt)
    }

    /// Where what an attempt belongs to stands: its node, or the undo of it.
    fn stage_of(&self, attempt: &AttemptState) -> Stage {
        match attempt.undo {
            true => self
                .state
                .undos
                .get(&attempt.node)
                .map(|u| u.stage)
                .unwrap_or_default(),
            false => self.state.nodes[attempt.node.at()].stage,
        }
    }

    /// How the last attempt of this generation ended.
    pub(super) fn last_end(&self, node: NodeIx) -> Option<&AttemptEnd> {
        let last = self.state.nodes[node.at()].attempts.last()?;
        self.state.attempts.get(last)?.end.as_ref()
    }
}

/// Whether a look can tell what became of an attempt.
fn can_settle(kind: TypeKind, in_doubt: InDoubt) -> bool {
    match kind {
        TypeKind::Ordinary | TypeKind::Copy => in_doubt == InDoubt::Check,
        // Writing the record again harms nobody.
        TypeKind::Record | TypeKind::Wait => true,
        TypeKind::Always | TypeKind::Probe | TypeKind::Gate | TypeKind::Assert => false,
    }
}
