//! Instances that were begun: what their last look said, what became of them, how long they took.

use runbook_model::event::{AttemptEnd, Verdict};
use runbook_model::state::NodeState;
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{Epoch, Millis, NodeIx, Plan, RunState};

use super::{Pause, REASON, instances, node_id, pause_of};
use crate::Style;
use crate::text::{bounded, reasons};
use crate::time::{length, moment};

/// What the last look of an instance said, where it was not content.
pub(crate) fn last_look(n: &NodeState) -> Option<String> {
    match n.verdict.as_ref()? {
        Verdict::Differs(why) => Some(reasons(why, REASON)),
        Verdict::Error(failure) => Some(bounded(&failure.message, REASON)),
        Verdict::Satisfied | Verdict::Skipped(_) => None,
    }
}

/// Instances that were begun and have not ended, without those that have an open attempt.
pub(crate) fn unfinished<'a>(plan: &'a Plan, state: &'a RunState) -> Vec<(NodeIx, &'a NodeState)> {
    let open: Vec<NodeIx> = state.open_attempts().map(|(_, a)| a.node).collect();
    instances(plan, state)
        .filter(|(node, _, _, n)| !n.is_done() && n.started_at.is_some() && !open.contains(node))
        .map(|(node, _, _, n)| (node, n))
        .collect()
}

/// The same as sentences, for when nobody works on them.
pub(crate) fn begun(plan: &Plan, state: &RunState, style: &Style) -> Vec<String> {
    let said = |(node, n): &(NodeIx, &NodeState)| {
        let id = node_id(plan, *node);
        let step = plan.instance(*node).map(|(step, _)| step);
        let kind = step.and_then(|step| plan.type_of(step)).map(|of| of.kind);
        let why = last_look(n);
        match (n.stage, kind, n.pausing_until) {
            (Stage::Asking | Stage::Answered, ..) => {
                format!("{id}: a person was asked; a resume asks again")
            }
            (Stage::Pausing, Some(TypeKind::Wait), Some(until)) => {
                let until = moment(until, state.last_at, style);
                format!("{id}: it would have waited until {until}")
            }
            (_, Some(kind), _) if kind != TypeKind::Probe && is_untouched(state, *node) => {
                let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
                format!("{id}: looked at{why}, nothing was changed")
            }
            _ => match why {
                Some(why) => format!("{id}: {why}"),
                None => id,
            },
        }
    };
    unfinished(plan, state).iter().map(said).collect()
}

/// A sentence for each pause between two batches at `now`.
pub(crate) fn between(plan: &Plan, state: &RunState, now: Millis, style: &Style) -> Vec<String> {
    let nodes = state.nodes.iter().zip((0u32..).map(NodeIx));
    let pausing = nodes.filter(|(n, node)| {
        n.stage == Stage::Pausing && pause_of(plan, *node) == Some(Pause::Batch)
    });
    pausing
        .filter_map(|(n, _)| n.pausing_until)
        .map(|until| {
            let (at, left) = (moment(until, now, style), length(until - now));
            format!("the next batch begins at {at}, in {left}")
        })
        .collect()
}

/// Whether no attempt of it can have had an effect.
fn is_untouched(state: &RunState, node: NodeIx) -> bool {
    state.attempts_of(node).all(|(_, a)| !a.undo && !a.began())
}

/// How long an ended instance took. Where an earlier controller had begun it already, it counts from
/// the first look under the last one; an attempt that ran from one controller into the next counts
/// as a whole.
pub(crate) fn took(state: &RunState, n: &NodeState) -> Option<Millis> {
    let (first, last) = (n.started_at?, n.finished_at?);
    let only = n.finished_in.is_none_or(|epoch| epoch <= Epoch(1));
    if only {
        return Some(last - first);
    }
    let ended = n.attempts.iter().rev().filter_map(|id| {
        let a = state.attempts.get(id)?;
        matches!(
            a.end,
            Some(AttemptEnd::Completed { .. } | AttemptEnd::Converged { .. })
        )
        .then_some(a.intended_at)
    });
    let begun = [n.looking_since, ended.into_iter().next()];
    let since = begun.into_iter().flatten().min().unwrap_or(first);
    Some(last - since.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn time_between_two_controllers_is_not_work() {
        let tape = sample::looked_at(true);
        let state = tape.state();
        let node = tape.plan.node("stop@quay01").unwrap();
        assert_eq!(took(&state, &state.nodes[node.at()]), Some(4_450));
    }

    #[test]
    fn what_was_only_looked_at_was_not_changed() {
        let tape = sample::looked_at(false);
        let said = begun(&tape.plan, &tape.state(), &Style::plain(100));
        assert_eq!(
            said,
            ["stop@quay01: looked at (the container runs), nothing was changed"]
        );
        let tape = sample::unanswered();
        let said = begun(&tape.plan, &tape.state(), &Style::plain(100));
        assert_eq!(
            said,
            ["approve@control: a person was asked; a resume asks again"]
        );
    }
}
