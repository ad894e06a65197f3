//! What the nodes of a plan are to the dispatcher.

use runbook_model::node::NodeKind;
use runbook_model::step_type::{InDoubt, TypeKind};
use runbook_model::{NodeIx, Plan};

use super::hosts::HostRow;
use crate::graph::GraphError;

/// What a node is, resolved once.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Instance {
        step: usize,
        kind: TypeKind,
        in_doubt: InDoubt,
        host: usize,
    },
    PhaseBegin(u32),
    Barrier {
        phase: u32,
        batch: Option<u32>,
    },
    DoneWhen,
}

impl Role {
    pub(super) fn of(plan: &Plan, node: NodeIx, hosts: &[HostRow]) -> Result<Self, GraphError> {
        Ok(match &plan.nodes[node.at()].kind {
            NodeKind::PhaseBegin { phase } => Self::PhaseBegin(*phase),
            NodeKind::Barrier { phase, batch } => Self::Barrier {
                phase: *phase,
                batch: *batch,
            },
            NodeKind::DoneWhen => Self::DoneWhen,
            NodeKind::Instance { step: at, .. } => {
                let dangling = |what: &str| {
                    GraphError::Dangling(format!("`{}` has no {what}", plan.nodes[node.at()].id))
                };
                let step = plan.steps.get(at.at()).ok_or_else(|| dangling("step"))?;
                let of = plan.type_of(step).ok_or_else(|| dangling("type"))?;
                if plan.phases.get(step.phase as usize).is_none() && !plan.phases.is_empty() {
                    return Err(dangling("phase"));
                }
                let host = plan.runs_on(node).ok_or_else(|| dangling("host"))?;
                let host = hosts
                    .iter()
                    .position(|row| row.name == *host)
                    .ok_or_else(|| dangling("host"))?;
                Self::Instance {
                    step: at.at(),
                    kind: of.kind,
                    in_doubt: of.in_doubt,
                    host,
                }
            }
        })
    }
}
