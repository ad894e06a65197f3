//! What people want in the night: orders at random.

use runbook_model::{Command, Failure, FailureKind, NodeIx, NodeKind, Outcome, RunState};

use super::controller::World;
use super::random::Random;
use crate::rules::Rules;

/// What shows that something is done.
const EVIDENCE: &str = "somebody has looked";

impl<R: Rules + Clone> World<R> {
    /// Somebody wants something that a person can want in the night.
    pub(super) fn want_something(&mut self, state: &RunState) {
        let all = (0u32..).map(NodeIx).zip(&state.nodes);
        let instance =
            |node: NodeIx| matches!(self.plan.nodes[node.at()].kind, NodeKind::Instance { .. });
        let instances: Vec<_> = all.filter(|(node, _)| instance(*node)).collect();
        if instances.is_empty() {
            return;
        }
        let nodes = |fits: &dyn Fn(Option<&Outcome>) -> bool| -> Vec<NodeIx> {
            let fitting = instances.iter().filter(|(_, n)| fits(n.outcome.as_ref()));
            fitting.map(|(node, _)| *node).collect()
        };
        let (any, ended) = (nodes(&|_| true), nodes(&|o| o.is_some()));
        let failed = nodes(&|o| matches!(o, Some(Outcome::Failed(_) | Outcome::Left(_))));
        let open: Vec<NodeIx> = state.open_attempts().map(|(_, a)| a.node).collect();
        let Some((step, host)) = self.plan.instance(*self.random.pick(&any)) else {
            return;
        };
        let (step, host) = (step.id.to_string(), host.clone());
        match self.random.below(12) {
            0 => self.leave(0, Command::Pause { before: None }),
            1 => self.leave(0, Command::Pause { before: Some(step) }),
            2 | 3 => {
                let later = usize::try_from(self.random.below(60)).unwrap_or(0);
                self.leave(0, Command::Block { step: step.clone() });
                self.leave(later, Command::Unblock { step });
            }
            4 => self.leave(0, Command::Note),
            5 => {
                let what = self.one_of(&ended, &any);
                self.leave(0, Command::Rerun { what });
            }
            6 => {
                let what = self.one_of(&open, &any);
                self.leave(0, Command::Kill { what });
            }
            7 => self.leave(0, Command::Cancel),
            8 => {
                let what = self.one_of(&failed, &any);
                self.leave(0, Command::Retry { what });
            }
            9 => {
                let (what, evidence) = (self.one_of(&failed, &any), EVIDENCE.to_owned());
                self.leave(0, Command::Done { what, evidence });
            }
            10 => {
                let what = self.one_of(&failed, &any);
                self.leave(0, Command::Skip { what });
            }
            // A host is lost for good less often than a step.
            _ if self.random.chance(300) => self.leave(0, Command::Exclude { host }),
            _ => self.leave(0, Command::Note),
        }
    }

    /// The name of one of the nodes that it makes sense for, and sometimes of another one.
    fn one_of(&mut self, fitting: &[NodeIx], any: &[NodeIx]) -> String {
        let from = match fitting.is_empty() || self.random.chance(200) {
            true => any,
            false => fitting,
        };
        let node = *self.random.pick(from);
        self.plan.nodes[node.at()].id.clone()
    }

    /// Whether somebody decides what only a person can tell, before the next controller comes.
    pub(super) fn somebody_decides(&mut self) -> bool {
        let orders = self.faults.orders.saturating_mul(20);
        if !self.faults.strikes(orders, &mut self.random) {
            return false;
        }
        let Ok(state) = self.state() else {
            return false;
        };
        let doubtful = |o: Option<&Outcome>| {
            let failure = o.and_then(Outcome::failure);
            failure.is_some_and(|f: &Failure| f.kind == FailureKind::InDoubt)
        };
        let nodes = (0u32..).map(NodeIx).zip(&state.nodes);
        let nodes = nodes.filter(|(_, n)| doubtful(n.outcome.as_ref()));
        for (node, _) in nodes.collect::<Vec<_>>() {
            let what = self.plan.nodes[node.at()].id.clone();
            let order = decision(&mut self.random, what);
            self.leave(0, order);
        }
        true
    }
}

fn decision(random: &mut Random, what: String) -> Command {
    match random.below(3) {
        0 => Command::Retry { what },
        1 => Command::Skip { what },
        _ => Command::Done {
            what,
            evidence: EVIDENCE.to_owned(),
        },
    }
}
