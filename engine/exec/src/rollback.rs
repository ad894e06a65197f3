//! What going back means for a run: which instances are taken back, in which order, what stays, and
//! what is lost. The dispatcher acts on it, and people are shown it before.

use std::collections::BTreeSet;

use runbook_model::plan::Part;
use runbook_model::state::NodeState;
use runbook_model::step_type::TypeKind;
use runbook_model::{NodeIx, Outcome, Plan, RunResult, RunState};

use crate::graph::Frozen;

/// What a rollback does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// The runbook's own procedure is run; nothing is taken back by undos.
    pub procedure: bool,
    /// Instances that are taken back: what was done last comes first.
    pub back: Vec<NodeIx>,
    /// Instances that did something, or may have, and stay as they are.
    pub stays: Vec<(NodeIx, Stays)>,
    /// Points of no return that were passed.
    pub passed: Vec<NodeIx>,
}

/// Why something is not taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// Its type has no undo.
    NoUndo,
    /// The runbook says `undo: none`.
    LeftOut,
    /// Its host is out of the run.
    Excluded,
}

impl Stays {
    /// For people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoUndo => "its type has no undo",
            Self::LeftOut => "the runbook says `undo: none`",
            Self::Excluded => "its host is out of the run",
        }
    }
}

/// Why a run cannot be rolled back as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// There is no such phase.
    #[error("the run has no phase `{0}`")]
    NoPhase(String),
    /// The runbook's procedure goes back all the way.
    #[error("the runbook has a rollback procedure of its own, which goes back all the way")]
    Procedure,
    /// What undos need is gone.
    #[error("the run has succeeded: what it kept to go back with is gone")]
    Closed,
}

/// What a rollback of this run does; with `to`, that phase and earlier ones stay.
///
/// # Errors
/// It cannot be done as asked.
pub fn scope(
    plan: &Plan,
    graph: &Frozen,
    state: &RunState,
    to: Option<&str>,
) -> Result<Scope, RollbackError> {
    let main = |node: &NodeIx| plan.part_of(*node) == Part::Main;
    let to = match to {
        Some(id) => Some(phase(plan, id)?),
        None => None,
    };
    let later = |node: &NodeIx| {
        let of = plan.instance(*node).map(|(step, _)| step.phase);
        of.is_some_and(|phase| to.is_none_or(|to| phase > to))
    };
    let nodes: BTreeSet<NodeIx> = plan
        .instances()
        .map(|(node, ..)| node)
        .filter(main)
        .filter(later)
        .collect();
    let mut scope = Scope::default();
    for node in &nodes {
        let (Some((step, _)), Some(n)) = (plan.instance(*node), state.node(*node)) else {
            continue;
        };
        let passed = n.started_at.is_some();
        let skipped = matches!(n.outcome, Some(Outcome::Skipped { .. }));
        if step.no_return.is_some() && passed && !skipped {
            scope.passed.push(*node);
        }
    }
    scope.procedure = (0u32..)
        .map(NodeIx)
        .take(plan.nodes.len())
        .any(|node| plan.part_of(node) == Part::Rollback);
    if scope.procedure {
        return match to {
            Some(_) => Err(RollbackError::Procedure),
            None => Ok(scope),
        };
    }
    let over = matches!(
        state.result,
        Some(RunResult::Succeeded | RunResult::AlreadyThere)
    );
    if over && state.rollback.is_none() {
        return Err(RollbackError::Closed);
    }
    for node in graph
        .order()
        .iter()
        .rev()
        .filter(|node| nodes.contains(node))
    {
        if !state.node(*node).is_some_and(NodeState::has_acted) {
            continue;
        }
        match stays(plan, state, *node) {
            None => scope.back.push(*node),
            Some(Some(why)) => scope.stays.push((*node, why)),
            Some(None) => {}
        }
    }
    Ok(scope)
}

/// The position of a phase of the procedure.
fn phase(plan: &Plan, id: &str) -> Result<u32, RollbackError> {
    let found = (0u32..)
        .zip(&plan.phases)
        .find(|(_, p)| p.part == Part::Main && p.id == id);
    found
        .map(|(at, _)| at)
        .ok_or_else(|| RollbackError::NoPhase(id.to_owned()))
}

/// Whether it stays, and why; some things are not worth a word.
fn stays(plan: &Plan, state: &RunState, node: NodeIx) -> Option<Option<Stays>> {
    let (step, _) = plan.instance(node)?;
    let of = plan.type_of(step)?;
    if of.kind == TypeKind::Record {
        return Some(None);
    }
    let out = plan
        .runs_on(node)
        .is_some_and(|host| state.excluded.contains_key(host));
    let able = of.content.is_some() || !of.scripts.undo.trim().is_empty();
    match (out, step.undo_none, able) {
        (true, ..) => Some(Some(Stays::Excluded)),
        (_, true, _) => Some(Some(Stays::LeftOut)),
        (_, _, false) => Some(Some(Stays::NoUndo)),
        _ => None,
    }
}
