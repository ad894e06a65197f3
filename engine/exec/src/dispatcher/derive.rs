//! Secret outputs of earlier controllers: no journal keeps them, so a check gives them again before
//! a reader starts, or is taken back.

use std::collections::BTreeSet;

use runbook_model::event::{Purpose, Verdict};
use runbook_model::step_type::TypeKind;
use runbook_model::{Failure, FailureKind, NodeIx, Outcome};

use super::hosts::Link;
use super::{Dispatcher, Role};
use crate::rules::Rules;

/// Secret outputs that the texts of a node may read.
enum Secrets {
    /// This controller has them.
    Known,
    /// They are waited for; some were asked for just now.
    Awaited { asked: bool },
    /// They are not there.
    Missing(Failure),
}

impl<R: Rules> Dispatcher<R> {
    /// Asks for secret outputs that the texts of `node` may read and this controller does not have.
    /// True if the node has to wait for them, or has failed without them.
    pub(super) fn derive(&mut self, node: NodeIx) -> bool {
        match self.secrets(node) {
            Secrets::Known => false,
            Secrets::Awaited { .. } => true,
            Secrets::Missing(failure) => {
                self.finish(node, Outcome::Failed(failure));
                true
            }
        }
    }

    /// The same before `node` is taken back: whether a move was made, or none if the undo may go on.
    pub(super) fn derive_for_undo(&mut self, node: NodeIx) -> Option<bool> {
        match self.secrets(node) {
            Secrets::Known => None,
            Secrets::Awaited { asked } => Some(asked),
            Secrets::Missing(failure) => Some(self.undone(node, Some(failure))),
        }
    }

    /// Instances that give these nodes secret outputs, also through each other.
    pub(super) fn givers(&self, of: Vec<NodeIx>) -> BTreeSet<NodeIx> {
        let (mut found, mut open) = (BTreeSet::new(), of);
        while let Some(node) = open.pop() {
            let before = self.graph.requires(node).iter().copied();
            let new = before.filter(|from| self.is_secretive(*from) && found.insert(*from));
            open.extend(new.collect::<Vec<_>>());
        }
        found
    }

    fn secrets(&mut self, node: NodeIx) -> Secrets {
        let (mut waits, mut asked) = (false, false);
        for from in self.graph.requires(node).to_vec() {
            if !self.is_secretive(from) {
                continue;
            }
            if !self.derived.contains_key(&from) && self.link_of(from) == Some(Link::Down) {
                let failure = Failure::new(FailureKind::Unreachable, "its host cannot be used");
                self.derived.insert(from, Err(failure));
            }
            match self.derived.get(&from) {
                Some(Ok(())) => continue,
                Some(Err(failure)) => {
                    let id = &self.plan.nodes[from.at()].id;
                    let why = &failure.message;
                    let message = format!("secret outputs of `{id}` are not there: {why}");
                    return Secrets::Missing(Failure::new(FailureKind::Value, message));
                }
                None => {}
            }
            waits = true;
            if self.flights.contains_key(&from) || self.link_of(from) != Some(Link::Up) {
                continue;
            }
            // Its check may need secrets of others itself.
            match self.secrets(from) {
                Secrets::Known => {
                    self.ask_look(from, Purpose::Derive);
                    asked = true;
                }
                Secrets::Awaited { asked: also } => asked |= also,
                Secrets::Missing(failure) => return Secrets::Missing(failure),
            }
        }
        match waits {
            true => Secrets::Awaited { asked },
            false => Secrets::Known,
        }
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
        // Also who waits for secrets that need these.
        self.enqueue_all();
    }

    pub(super) fn link_of(&self, node: NodeIx) -> Option<Link> {
        match self.roles[node.at()] {
            Role::Instance { host, .. } => Some(self.hosts[host].link),
            Role::PhaseBegin(_) | Role::Barrier { .. } | Role::DoneWhen => None,
        }
    }
}
