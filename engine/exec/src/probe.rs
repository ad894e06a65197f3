//! One look at a step of a run, whenever somebody wants to know: read-only, without a lock, and
//! written down nowhere.

use std::collections::BTreeMap;

use runbook_lang::evaluate::Evaluator;
use runbook_model::event::Verdict;
use runbook_model::step_type::TypeKind;
use runbook_model::{Failure, NodeIx, Plan, RunState, Value};

use crate::driver::Reach;
use crate::driver::look;
use crate::driver::veil::Veil;
use crate::graph::{Frozen, GraphError};

/// What a look at one instance found; secrets are taken out of all texts, and they are not yet made printable.
#[derive(Debug, Clone, PartialEq)]
pub enum Probed {
    /// The check has an answer.
    Looked {
        /// What it says.
        verdict: Verdict,
        /// Its outputs, secret ones left out.
        outputs: BTreeMap<String, Value>,
        /// The names of secret ones.
        secret: Vec<String>,
    },
    /// The host could not be asked.
    Unreachable(String),
    /// A value that the check needs is not known.
    NoValue(Failure),
    /// Its type has no check.
    NoCheck,
}

/// Looks at instances one after the other, with the values of the run.
///
/// # Errors
/// The plan is not consistent.
pub async fn probe(
    plan: &Plan,
    evaluator: &Evaluator,
    state: &RunState,
    reach: &Reach,
    nodes: &[NodeIx],
) -> Result<Vec<(NodeIx, Probed)>, GraphError> {
    let graph = Frozen::new(plan)?;
    let looker = Looker {
        plan,
        evaluator,
        state,
        reach,
        veil: Veil::new(evaluator.secrets()),
    };
    let mut found = Vec::with_capacity(nodes.len());
    for node in nodes {
        for from in graph.requires(*node) {
            looker.derive(*from).await;
        }
        found.push((*node, looker.look(*node).await));
    }
    Ok(found)
}

struct Looker<'a> {
    plan: &'a Plan,
    evaluator: &'a Evaluator,
    state: &'a RunState,
    reach: &'a Reach,
    veil: Veil,
}

impl Looker<'_> {
    /// Has the secret outputs of an instance again, which no journal keeps.
    async fn derive(&self, node: NodeIx) {
        let step = self.plan.instance(node).map(|(step, _)| step);
        let secretive = step
            .and_then(|step| self.plan.type_of(step))
            .is_some_and(|of| of.outputs.values().any(|output| output.secret));
        let ended = self.state.node(node).is_some_and(|n| n.is_success());
        if secretive && ended {
            // Whoever needs them says that they are missing.
            let _ = self.look(node).await;
        }
    }

    async fn look(&self, node: NodeIx) -> Probed {
        let step = self.plan.instance(node).map(|(step, _)| step);
        let of = step.and_then(|step| self.plan.type_of(step));
        if !of.is_some_and(|of| has_check(of.kind)) {
            return Probed::NoCheck;
        }
        let prepared = match look::prepare(self.plan, self.evaluator, self.state, node) {
            Ok(prepared) => prepared,
            Err(failure) => return Probed::NoValue(failure),
        };
        match look::run(self.reach, &prepared).await {
            Ok(mut found) => {
                for secret in found.secret.values() {
                    self.veil.add(secret);
                }
                let secret = found.secret.keys().cloned().collect();
                self.evaluator.keep(node, found.secret);
                self.veil
                    .looked(&mut found.verdict, &mut found.outputs, &mut found.before);
                Probed::Looked {
                    verdict: found.verdict,
                    outputs: found.outputs,
                    secret,
                }
            }
            Err(error) => {
                let mut problem = error.to_string();
                self.veil.prose(&mut problem);
                Probed::Unreachable(problem)
            }
        }
    }
}

fn has_check(kind: TypeKind) -> bool {
    match kind {
        TypeKind::Ordinary | TypeKind::Probe | TypeKind::Copy => true,
        TypeKind::Always
        | TypeKind::Gate
        | TypeKind::Assert
        | TypeKind::Record
        | TypeKind::Wait => false,
    }
}
