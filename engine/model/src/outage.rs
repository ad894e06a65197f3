//! The outages of a run, as far as the runbook marks them: when clients were cut off, and for how long.

use crate::event::ReleasedBy;
use crate::plan::Part;
use crate::state::NodeState;
use crate::step::Outage as Mark;
use crate::{Millis, NodeIx, Outcome, Plan, RunState, StepIx};

/// The procedure and what comes after it, in the order in which they run.
const PARTS: [Part; 3] = [Part::Main, Part::Rollback, Part::Finally];

/// One outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The step that has cut clients off.
    pub begun_by: StepIx,
    /// When it had its effect first.
    pub since: Millis,
    /// Its end, if it is over.
    pub end: Option<End>,
}

/// How clients came to be served again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Millis,
    /// The step that has let them in; none where what had cut them off was taken back.
    pub by: Option<StepIx>,
}

impl Outage {
    /// How long it has been, or was.
    #[must_use]
    pub fn length(&self, now: Millis) -> Millis {
        self.end.map_or(now, |end| end.at) - self.since
    }
}

/// The outages of a run, in order. There is more than one where a run is rolled back after its outage was over.
#[must_use]
pub fn outages(plan: &Plan, state: &RunState) -> Vec<Outage> {
    let mut all: Vec<Outage> = Vec::new();
    for part in PARTS {
        let is_open = |all: &[Outage]| all.last().is_some_and(|last| last.end.is_none());
        let begun = marked(plan, part, Mark::Begin)
            .filter_map(|step| Some((begun_at(plan, state, step)?, step)))
            .min();
        if let Some((since, begun_by)) = begun.filter(|_| !is_open(&all)) {
            all.push(Outage {
                begun_by,
                since,
                end: None,
            });
        }
        let Some(open) = all.last_mut().filter(|last| last.end.is_none()) else {
            continue;
        };
        open.end = undone(plan, state, part).or_else(|| ended(plan, state, part, open.since));
    }
    all
}

/// The steps of a part that bear a mark.
pub fn marked(plan: &Plan, part: Part, mark: Mark) -> impl Iterator<Item = StepIx> + '_ {
    let steps = (0u32..).map(StepIx).zip(&plan.steps);
    steps
        .filter(move |(_, step)| {
            let phase = plan.phases.get(step.phase as usize);
            step.outage == Some(mark) && phase.map_or(Part::Main, |phase| phase.part) == part
        })
        .map(|(step, _)| step)
}

/// When a step had an effect first, or was found in its wanted state.
#[must_use]
pub fn begun_at(plan: &Plan, state: &RunState, step: StepIx) -> Option<Millis> {
    let of = |node: NodeIx| {
        let effect = state
            .attempts_of(node)
            .filter(|(_, a)| !a.undo)
            .map(|(_, a)| a.intended_at)
            .min();
        effect.or_else(|| ended_at(state.node(node)?))
    };
    plan.instances_of(step)
        .filter_map(|(node, _)| of(node))
        .min()
}

/// Everything that had cut clients off was taken back.
fn undone(plan: &Plan, state: &RunState, part: Part) -> Option<End> {
    let marks = marked(plan, part, Mark::Begin).flat_map(|step| plan.instances_of(step));
    let undone: Option<Vec<Millis>> = marks
        .filter(|(node, _)| state.node(*node).and_then(ended_at).is_some())
        .map(|(node, _)| match state.holds.get(&node)?.released? {
            (at, ReleasedBy::Undo) => Some(at),
            (_, ReleasedBy::Step(_) | ReleasedBy::Past) => None,
        })
        .collect();
    let at = undone?.into_iter().max()?;
    Some(End { at, by: None })
}

/// Everything that lets clients in again has ended well, and after the outage began.
fn ended(plan: &Plan, state: &RunState, part: Part, since: Millis) -> Option<End> {
    let by = marked(plan, part, Mark::End).next()?;
    let ends: Option<Vec<Millis>> = marked(plan, part, Mark::End)
        .flat_map(|step| plan.instances_of(step))
        .map(|(node, _)| ended_at(state.node(node)?))
        .collect();
    let at = ends?.into_iter().max().filter(|at| *at >= since)?;
    Some(End { at, by: Some(by) })
}

fn ended_at(n: &NodeState) -> Option<Millis> {
    match &n.outcome {
        Some(Outcome::Skipped { .. }) | None => None,
        Some(outcome) if outcome.failure().is_some() || !outcome.is_success() => None,
        Some(_) => n.finished_at,
    }
}
