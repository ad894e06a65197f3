//! A run that goes on with changed files: what of it still counts under the new plan, what runs again
//! and why, and what keeps such a change from being made at all. Pure, but for [`write`].
//!
//! Instances are matched by their ids, and compared by what they do: the values of their parameters
//! as far as they are known, what their type does, where, as whom, under which condition. How often
//! something is tried, for how long, and how a text is worded does not count.

mod change;
mod order;
mod reads;
mod refusal;
mod verdict;
mod words;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::edit::{Comparison, Fate, Row};
use runbook_model::event::{AgainNode, EditedPlan, NodeSummary};
use runbook_model::{Event, HostName, NodeIx, NodeKind, Plan, Record, RunState};

use crate::graph::{Frozen, GraphError};
use change::Change;
use verdict::Judge;

pub use refusal::Refusal;
pub use words::Words;
pub use write::write;

/// A change that can be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The plan to go on with: the compiled one, and the order between what is still to be done and
    /// only has finished work between it.
    pub plan: Plan,
    /// What becomes of the nodes.
    pub event: EditedPlan,
    /// The same for people.
    pub comparison: Comparison,
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A plan is not consistent in itself.
    #[error(transparent)]
    Plan(#[from] GraphError),
    /// It must not be made now; all reasons.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
}

/// Compares the plan of a run with another one. `words` gives values to texts; without it they are
/// compared as they are written.
///
/// # Errors
/// The change must not be made, for all reasons that there are, or a plan is not consistent.
pub fn compare(
    old: &Plan,
    new: &Plan,
    state: &RunState,
    words: Option<&Words>,
) -> Result<Edit, EditError> {
    let (before, after) = (Frozen::new(old)?, Frozen::new(new)?);
    let places = places(old, new);
    let refused = refusal::standing(old, new, state, &places);
    if !refused.is_empty() {
        return Err(EditError::Refused(refused));
    }
    let mut change = Change {
        old,
        new,
        before: &before,
        after: &after,
        from: places.iter().map(|(old, new)| (*new, *old)).collect(),
        places,
        words,
        state,
        mapped: state.clone(),
        moved: BTreeSet::new(),
    };
    let vars = change.changed_vars();
    change.mapped = mapped(&change, &vars)?;
    let mut judge = Judge::new(change);
    for node in after.order() {
        judge.judge(*node);
    }
    if !judge.refused.is_empty() {
        return Err(EditError::Refused(judge.refused));
    }
    Ok(finished(judge, vars))
}

/// Where each node of the old plan is in the new one.
fn places(old: &Plan, new: &Plan) -> BTreeMap<NodeIx, NodeIx> {
    let known: BTreeMap<&str, NodeIx> = new
        .nodes
        .iter()
        .zip((0u32..).map(NodeIx))
        .map(|(node, at)| (node.id.as_str(), at))
        .collect();
    let same = |one: &NodeKind, other: &NodeKind| {
        std::mem::discriminant(one) == std::mem::discriminant(other)
    };
    let nodes = old.nodes.iter().zip((0u32..).map(NodeIx));
    let mut places = BTreeMap::new();
    for (node, at) in nodes {
        if let Some(to) = known.get(node.id.as_str())
            && same(&node.kind, &new.nodes[to.at()].kind)
            && old.part_of(at) == new.part_of(*to)
        {
            places.insert(at, *to);
        }
    }
    places
}

/// The state as it would be if everything counted that has a place in the new plan: what its texts are
/// evaluated against.
fn mapped(change: &Change<'_>, vars: &BTreeSet<String>) -> Result<RunState, EditError> {
    let mut state = change.state.clone();
    let edit = EditedPlan {
        number: state.plan_number + 1,
        plan: change.new.digest.clone(),
        nodes: summaries(change.new),
        kept: change
            .places
            .iter()
            .map(|(old, new)| (*old, *new))
            .collect(),
        vars: vars.iter().cloned().collect(),
        ..EditedPlan::default()
    };
    let record = Record {
        seq: state.seq + 1,
        epoch: state.epoch,
        at: state.last_at,
        event: Event::Edited {
            by: String::new(),
            edit: Box::new(edit),
        },
    };
    let senseless = |error: runbook_model::state::FoldError| {
        EditError::Refused(vec![Refusal::Senseless(error.to_string())])
    };
    state.apply(&record).map_err(senseless)?;
    if let Some(words) = change.words {
        words.take_vars(&mut state);
    }
    Ok(state)
}

/// Nodes as the journal lists them.
pub(crate) fn summaries(plan: &Plan) -> Vec<NodeSummary> {
    let nodes = plan.nodes.iter().zip((0u32..).map(NodeIx));
    nodes
        .map(|(node, at)| NodeSummary {
            id: node.id.clone(),
            phase: plan.phase_of(at).map(|p| p.id.clone()).unwrap_or_default(),
            host: plan.instance(at).map(|(_, host)| host.clone()),
        })
        .collect()
}

fn finished(judge: Judge<'_>, mut vars: BTreeSet<String>) -> Edit {
    let change = &judge.change;
    let (old, new, state) = (change.old, change.new, change.state);
    let again: BTreeSet<NodeIx> = judge.again.iter().map(|again| again.from).collect();
    let excluded = excluded(change);
    let plan = order::with_edges(new, change.after, &judge.pending, &judge.opened);
    // A variable that is taken from what runs again has its value no more.
    let known = state.vars.keys();
    vars.extend(known.filter(|name| change.var_moves(name)).cloned());
    vars.retain(|name| state.vars.contains_key(name));
    let kept = change.places.iter().filter(|(old, _)| !again.contains(old));
    let event = EditedPlan {
        number: state.plan_number + 1,
        plan: plan.digest.clone(),
        nodes: summaries(new),
        kept: kept.map(|(old, new)| (*old, *new)).collect(),
        again: judge.again.clone(),
        vars: vars.iter().cloned().collect(),
    };
    let mut rows = judge.rows;
    for (node, row) in &mut rows {
        if excluded.contains(node) {
            row.fate = Fate::Excluded;
        }
    }
    // In the order of the plan, not in that of the walk.
    rows.sort_by_key(|(node, _)| *node);
    let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    rows.extend(gone(change));
    let hosts = |plan: &Plan| -> BTreeSet<HostName> {
        let nodes = plan.instances().filter_map(|(node, ..)| plan.runs_on(node));
        nodes.filter(|host| !host.is_control()).cloned().collect()
    };
    let comparison = Comparison {
        rows,
        phases: judge.phases,
        vars: event.vars.clone(),
        left_hosts: hosts(old).difference(&hosts(new)).cloned().collect(),
    };
    Edit {
        plan,
        event,
        comparison,
    }
}

/// New instances on hosts that a person has taken out of the run: each is left out when its turn comes.
fn excluded(change: &Change<'_>) -> BTreeSet<NodeIx> {
    let out = |host: &HostName| change.state.excluded.contains_key(host);
    let new = change.new.instances();
    new.filter(|(node, _, host)| {
        let there = change.new.runs_on(*node).is_some_and(out);
        !change.from.contains_key(node) && (out(host) || there)
    })
    .map(|(node, ..)| node)
    .collect()
}

/// A row for each instance that the new plan does not have.
fn gone<'a>(change: &'a Change<'_>) -> impl Iterator<Item = Row> + 'a {
    let old = change.old.instances();
    old.filter(|(node, ..)| !change.places.contains_key(node))
        .filter_map(|(node, ..)| {
            let n = change.state.node(node)?;
            Some(Row {
                id: n.summary.id.clone(),
                phase: n.summary.phase.clone(),
                fate: Fate::Gone {
                    outcome: n.outcome.clone(),
                    at: n.finished_at,
                    leaves: n.has_acted(),
                },
            })
        })
}

/// A node that is opened again.
fn opened(from: NodeIx, node: NodeIx, decided: bool, anew: bool) -> AgainNode {
    AgainNode {
        from,
        node,
        decided,
        anew,
    }
}
