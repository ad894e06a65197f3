//! Looks that must not be old when something is built on them.

use runbook_model::step_type::TypeKind;
use runbook_model::{NodeIx, Outcome};

use super::{Dispatcher, Role};
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    /// Opens again what `node` is built on and what is too old for it. True if it has to wait.
    ///
    /// What was fresh once stays so for this node and generation: a look is not repeated between
    /// its first look and its effect, nor between two attempts, however long they take.
    pub(super) fn freshen(&mut self, node: NodeIx) -> bool {
        let ready = *self.notes[node.at()].since.get_or_insert(self.state.seq);
        let stale: Vec<_> = self
            .graph
            .requires(node)
            .iter()
            .filter(|p| self.is_stale(**p, ready))
            .copied()
            .collect();
        let too_old = format!("too old for `{}`", self.plan.nodes[node.at()].id);
        for old in &stale {
            let sources = self.sources(*old);
            let earlier = |p: &NodeIx| self.state.nodes[p.at()].finished_in != Some(self.epoch);
            let reason = match sources.iter().any(earlier) {
                true => "looked at again after the resume".to_owned(),
                false => too_old.clone(),
            };
            for part in sources {
                if self.state.nodes[part.at()].is_done() {
                    self.reopen(part, &reason);
                }
            }
        }
        !stale.is_empty()
    }

    fn is_stale(&self, node: NodeIx, ready: u64) -> bool {
        let Role::Instance { step, kind, .. } = self.roles[node.at()] else {
            return false;
        };
        let Some(limit) = self.step(step).fresh_ms else {
            return false;
        };
        if !matches!(kind, TypeKind::Probe | TypeKind::Assert) || !self.renewable(node) {
            return false;
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.sources(node).into_iter().any(|part| {
            let n = &self.state.nodes[part.at()];
            let Some(looked) = n.looked_at.or(n.finished_at) else {
                return true;
            };
            let young = (0..=limit).contains(&self.now.saturating_sub(looked));
            let seen = self.notes[part.at()].seen;
            n.finished_in != Some(self.epoch)
                || self.booted(part) > seen
                || !(young || seen > ready)
        })
    }

    /// The event since which the host of a node is in another boot: what was seen before is of a
    /// machine that is not there any more, however young it is.
    fn booted(&self, node: NodeIx) -> u64 {
        match self.roles[node.at()] {
            Role::Instance { host, .. } => self.hosts[host].booted,
            Role::PhaseBegin(_) | Role::Barrier { .. } | Role::DoneWhen => 0,
        }
    }

    /// The node itself and, for an assert, the probes that it reads.
    fn sources(&self, node: NodeIx) -> Vec<NodeIx> {
        let mut parts = vec![node];
        if matches!(
            self.roles[node.at()],
            Role::Instance {
                kind: TypeKind::Assert,
                ..
            }
        ) {
            let probes = self.graph.requires(node).iter().copied();
            parts.extend(probes.filter(|p| self.is_probe(*p) && self.renewable(*p)));
        }
        parts
    }

    fn is_probe(&self, node: NodeIx) -> bool {
        matches!(
            self.roles[node.at()],
            Role::Instance {
                kind: TypeKind::Probe,
                ..
            }
        )
    }

    /// A record of how things were is never taken again, what was skipped stays so, and nobody looks
    /// at a host that is out of the run.
    fn renewable(&self, node: NodeIx) -> bool {
        let once =
            matches!(self.roles[node.at()], Role::Instance { step, .. } if self.step(step).once);
        !once
            && !self.is_out(node)
            && !matches!(
                self.state.nodes[node.at()].outcome,
                Some(Outcome::Skipped { .. })
            )
    }
}
