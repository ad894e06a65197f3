//! Engines that are wrong in one way each: a world that has one must be seen through by the laws.

use std::sync::Arc;

use runbook_model::Plan;
use runbook_model::node::NodeKind;

use crate::dispatcher::Action;

/// What an engine, or a host's part of it, does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Effects begin before their intents are written.
    EffectFirst,
    /// The journal is not synced before an effect.
    NoSync,
    /// A launch does not ask whether its attempt was claimed.
    NoClaim,
    /// Attempt ids are computed again by each controller.
    SameIds,
    /// What a check said before an apply counts after it as well.
    OldVerdict,
    /// What comes after a barrier does not wait for it.
    NoBarrier,
    /// A host takes launches from a controller that was followed by another.
    NoFence,
    /// What a host does not know of counts as never begun, whatever is on record.
    NoDoubt,
}

impl Wrong {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::EffectFirst,
        Self::NoSync,
        Self::NoClaim,
        Self::SameIds,
        Self::OldVerdict,
        Self::NoBarrier,
        Self::NoFence,
        Self::NoDoubt,
    ];

    /// The plan as such a dispatcher sees it.
    pub(super) fn plan(wrong: Option<Self>, plan: &Arc<Plan>) -> Arc<Plan> {
        if wrong != Some(Self::NoBarrier) {
            return Arc::clone(plan);
        }
        let mut seen = Plan::clone(plan);
        let barrier = |at: usize| matches!(plan.nodes[at].kind, NodeKind::Barrier { .. });
        seen.edges.retain(|edge| !barrier(edge.from.at()));
        Arc::new(seen)
    }

    /// Actions in the order in which such a driver carries them out.
    pub(super) fn order(wrong: Option<Self>, mut actions: Vec<Action>) -> Vec<Action> {
        let effect = |action: &Action| {
            matches!(
                action,
                Action::Launch { .. }
                    | Action::LaunchChain { .. }
                    | Action::Undo { .. }
                    | Action::Perform { .. }
            )
        };
        if wrong == Some(Self::EffectFirst) {
            actions.sort_by_key(|action| !effect(action));
        }
        actions
    }
}
