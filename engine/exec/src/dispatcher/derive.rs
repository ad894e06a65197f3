//! Secret outputs of earlier controllers: no journal keeps them, so a check gives them again before
//! a reader starts.

use runbook_model::event::{Purpose, Verdict};
use runbook_model::step_type::TypeKind;
use runbook_model::{Failure, FailureKind, NodeIx, Outcome};

use super::hosts::Link;
use super::{Dispatcher, Role};
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    /// Asks for secret outputs that the texts of `node` may read and this controller does not have.
    /// True if the node has to wait for them, or has failed without them.
    pub(super) fn derive(&mut self, node: NodeIx) -> bool {
        let mut waits = false;
        for from in self.graph.requires(node).to_vec() {
            if !self.is_secretive(from) {
                continue;
            }
            match self.derived.get(&from).cloned() {
                Some(Ok(())) => continue,
                Some(Err(failure)) => {
                    let id = &self.plan.nodes[from.at()].id;
                    let message = format!(
                        "secret outputs of `{id}` are not there: {}",
                        failure.message
                    );
                    let failure = Failure::new(FailureKind::Value, message);
                    self.finish(node, Outcome::Failed(failure));
                    return true;
                }
                None => {}
            }
            waits = true;
            if !self.flights.contains_key(&from) && self.link_of(from) == Some(Link::Up) {
                self.ask_look(from, Purpose::Derive);
            } else if self.link_of(from) == Some(Link::Down) {
                let failure = Failure::new(FailureKind::Unreachable, "its host cannot be used");
                self.derived.insert(from, Err(failure));
                return self.derive(node);
            }
        }
        waits
    }

    /// Whether it ended well under an earlier controller, with outputs that are secret.
    fn is_secretive(&self, node: NodeIx) -> bool {
        let Some((step, _)) = self.plan.instance(node) else {
            return false;
        };
        let secret = |of: &runbook_model::StepType| of.outputs.values().any(|o| o.secret);
        let n = &self.state.nodes[node.at()];
        self.plan.type_of(step).is_some_and(secret)
            && n.is_success()
            && n.finished_in != Some(self.epoch)
            && !matches!(
                n.outcome,
                Some(Outcome::Skipped { .. } | Outcome::Recorded(_))
            )
    }

    /// Whether its texts may read secret outputs that this controller does not have.
    pub(super) fn lacks_secrets(&self, node: NodeIx) -> bool {
        let mut before = self.graph.requires(node).iter();
        before.any(|p| self.is_secretive(*p) && self.derived.get(p) != Some(&Ok(())))
    }

    pub(super) fn derived(&mut self, node: NodeIx, verdict: Verdict) {
        let always = matches!(
            self.roles[node.at()],
            Role::Instance {
                kind: TypeKind::Always,
                ..
            }
        );
        let found = match verdict {
            Verdict::Error(failure) => Err(failure),
            _ if always => Err(Failure::new(
                FailureKind::Value,
                "it has no check that gives them again",
            )),
            _ => Ok(()),
        };
        self.derived.insert(node, found);
        for next in self.graph.successors(node).to_vec() {
            self.enqueue(next);
        }
    }

    pub(super) fn link_of(&self, node: NodeIx) -> Option<Link> {
        match self.roles[node.at()] {
            Role::Instance { host, .. } => Some(self.hosts[host].link),
            Role::PhaseBegin(_) | Role::Barrier { .. } | Role::DoneWhen => None,
        }
    }
}
