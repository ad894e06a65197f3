//! What is left of a run: which instances, in which order; and the same as text that a person can
//! type when no controller can be had.
//!
//! The text is made without any secret: nothing is read but the plan and the journal. It is kept in
//! the run's directory whenever a person is asked, and when a controller leaves work behind.

mod content;
mod part;
mod sheet;

use std::path::Path;
use std::sync::Arc;

use runbook_lang::evaluate::{EvaluateError, Evaluator};
use runbook_model::plan::Part;
use runbook_model::text::printable;
use runbook_model::{NodeIx, Plan, RunState};

use crate::graph::{Frozen, GraphError};
use crate::rollback;
use crate::store::{Home, StoreError, disk};
use part::Hand;
use sheet::Sheet;

/// The file in the directory of a run.
pub const FILE: &str = "remaining.sh";
/// What every part of the text can call.
const WORDS: &str = include_str!("remaining/words.sh");

/// What is left of a run: instances in an order in which they can be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Left {
    /// Of the procedure.
    pub main: Vec<NodeIx>,
    /// Of the runbook's own way back, where the run is on it.
    pub back: Vec<NodeIx>,
    /// Of what follows on every ending.
    pub ending: Vec<NodeIx>,
}

impl Left {
    /// Whether everything is done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.main.is_empty() && self.back.is_empty() && self.ending.is_empty()
    }
}

/// Why the rest of a run cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum RemainingError {
    /// The plan is not consistent in itself.
    #[error("the stored plan cannot be followed: {0}")]
    Plan(#[from] GraphError),
    /// A text of the plan cannot be read.
    #[error("the stored plan cannot be read: {0}")]
    Text(#[from] EvaluateError),
    /// The text cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is left. A run that is over has nothing left; one that is rolled back has only its way back.
///
/// # Errors
/// The plan is not consistent.
pub fn left(plan: &Plan, state: &RunState) -> Result<Left, GraphError> {
    let graph = Frozen::new(plan)?;
    Ok(left_in(plan, &graph, state))
}

fn left_in(plan: &Plan, graph: &Frozen, state: &RunState) -> Left {
    if state
        .result
        .as_ref()
        .is_some_and(|result| !result.goes_on())
    {
        return Left::default();
    }
    let open = |node: &NodeIx| state.node(*node).is_none_or(|n| !n.lets_pass());
    let of = |part: Part| -> Vec<NodeIx> {
        let nodes = graph.order().iter().copied();
        let nodes = nodes.filter(|node| plan.instance(*node).is_some());
        let nodes = nodes.filter(|node| plan.part_of(*node) == part);
        nodes.filter(open).collect()
    };
    match is_going_back(state) {
        true => Left {
            back: of(Part::Rollback),
            ending: of(Part::Finally),
            ..Left::default()
        },
        false => Left {
            main: of(Part::Main),
            ending: of(Part::Finally),
            ..Left::default()
        },
    }
}

/// Whether it goes back, or will as soon as somebody goes on with it.
fn is_going_back(state: &RunState) -> bool {
    state.rollback.is_some() || state.due.is_some()
}

/// The rest of a run, and the way back, as text for a shell. `dir` is the run's directory.
///
/// # Errors
/// The plan is not consistent, or one of its texts cannot be read.
pub fn commands(plan: &Arc<Plan>, state: &RunState, dir: &Path) -> Result<String, RemainingError> {
    let graph = Frozen::new(plan)?;
    let run = state.run.as_ref().map_or("none", |run| run.as_str());
    let dir = dir.to_string_lossy();
    let nothing_secret = Default::default();
    let evaluator = Evaluator::new(Arc::clone(plan), &nothing_secret, run, &dir)?;
    let left = left_in(plan, &graph, state);
    let mut sheet = Sheet::new();
    head(&mut sheet, plan, state, run);
    let hand = Hand {
        plan,
        state,
        evaluator: &evaluator,
        run,
    };
    section(&mut sheet, &hand, "what is left to be done", &left.main);
    section(
        &mut sheet,
        &hand,
        "the way back, as far as it is left",
        &left.back,
    );
    section(
        &mut sheet,
        &hand,
        "what follows on every ending",
        &left.ending,
    );
    if left.is_empty() {
        sheet.rule("nothing is left to be done");
    }
    way_back(&mut sheet, &hand, &graph);
    Ok(sheet.done())
}

/// Keeps the text in the directory of the run, readable by its owner alone, in place of an earlier one.
///
/// # Errors
/// As [`commands`], or the file cannot be written.
pub fn keep(plan: &Arc<Plan>, state: &RunState, home: &Home) -> Result<(), RemainingError> {
    let text = commands(plan, state, home.dir())?;
    // What an earlier controller could not finish.
    let _ = std::fs::remove_file(home.dir().join(format!(".{FILE}")));
    Ok(disk::write_whole(home.dir(), FILE, text.as_bytes())?)
}

fn head(sheet: &mut Sheet, plan: &Plan, state: &RunState, run: &str) {
    sheet.raw("#!/bin/sh\n");
    sheet.note(&format!(
        "What is left of run {run} ({} {}) after its event {}.",
        plan.runbook, plan.version, state.seq
    ));
    sheet.note("To be read and typed part by part, each on the host that it names, in this order.");
    sheet.note(
        "The engine knows nothing of what is done so. First make sure that no controller goes on:",
    );
    sheet.note(&format!("  runbook status {run}"));
    sheet.note("");
    for (host, reason) in &state.excluded {
        sheet.note(&format!("{host} is out of the run: {reason}"));
    }
    for node in state.held().map(|(node, _)| node) {
        sheet.note(&format!("held: {}", name(plan, node)));
    }
    sheet.raw("echo 'This is to be read and typed part by part, not to be run.' >&2\nexit 2\n");
    sheet.rule("type this first in every shell: what the parts call");
    sheet.raw(WORDS);
}

fn section(sheet: &mut Sheet, hand: &Hand<'_>, title: &str, nodes: &[NodeIx]) {
    if nodes.is_empty() {
        return;
    }
    sheet.rule(title);
    let mut phase = None;
    for (at, node) in nodes.iter().enumerate() {
        if sheet.is_full() {
            let more = nodes.len() - at;
            sheet.note(&format!("and {more} more, which this text has no room for"));
            return;
        }
        let of = hand.plan.phase_of(*node).map(|phase| phase.id.as_str());
        if of != phase {
            phase = of;
            sheet.blank();
            sheet.note(&format!("phase {}", of.unwrap_or("?")));
        }
        hand.forward(sheet, *node);
    }
}

fn way_back(sheet: &mut Sheet, hand: &Hand<'_>, graph: &Frozen) {
    let (plan, state) = (hand.plan, hand.state);
    // A run that never began has nothing behind it.
    if state.nodes.len() != plan.nodes.len() || is_going_back(state) && has_procedure(plan) {
        return;
    }
    sheet.rule("the way back");
    match rollback::scope(plan, graph, state, None) {
        Err(why) => sheet.note(&why.to_string()),
        Ok(scope) if scope.procedure => {
            sheet.note("the runbook has a procedure of its own:");
            let nodes = graph.order().iter().copied();
            let nodes = nodes.filter(|node| plan.instance(*node).is_some());
            let nodes: Vec<_> = nodes
                .filter(|node| plan.part_of(*node) == Part::Rollback)
                .collect();
            section(sheet, hand, "the runbook's own way back", &nodes);
        }
        Ok(scope) => {
            for node in &scope.passed {
                let lost = plan
                    .instance(*node)
                    .and_then(|(step, _)| step.no_return.as_ref());
                let lost = lost.map_or("", |lost| lost.text.as_str());
                sheet.note(&format!(
                    "LOST by going back ({}): {lost}",
                    name(plan, *node)
                ));
            }
            for (node, why) in &scope.stays {
                sheet.note(&format!(
                    "stays as it is: {}: {}",
                    name(plan, *node),
                    why.word()
                ));
            }
            if scope.back.is_empty() {
                sheet.note("nothing is there to be taken back");
            }
            for node in scope.back {
                if sheet.is_full() {
                    return sheet.note("and more, which this text has no room for");
                }
                hand.back(sheet, node);
            }
        }
    }
}

fn has_procedure(plan: &Plan) -> bool {
    plan.phases.iter().any(|phase| phase.part == Part::Rollback)
}

fn name(plan: &Plan, node: NodeIx) -> String {
    let node = plan.nodes.get(node.at());
    node.map_or_else(|| "?".to_owned(), |node| printable(&node.id).into_owned())
}

#[cfg(test)]
pub(crate) mod tests;
