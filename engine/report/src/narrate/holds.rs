//! Holds and undos, in lines.

use runbook_model::event::{HeldHow, ReleasedBy};
use runbook_model::{Event, NodeIx, Plan, RunResult, RunState};

use super::words::{failure_text, on};
use crate::Tone;
use crate::facts::{REASON, node_id, released_by};
use crate::text::{bounded, count, names};
use crate::time::length;

/// How a release by hand ended. The run itself stays what it was before.
pub(super) fn released(
    state: &RunState,
    nodes: &[NodeIx],
    run: &str,
    result: &RunResult,
) -> (Tone, String) {
    let held = |node: &&NodeIx| state.held().any(|(held, _)| held == **node);
    let (all, left) = (nodes.len(), nodes.iter().filter(held).count());
    let stays = match result {
        RunResult::Succeeded => "succeeded",
        RunResult::AlreadyThere => "without anything to do",
        RunResult::Failed => "failed",
        RunResult::Refused => "refused",
        RunResult::Stopped => "stopped",
        RunResult::Reached => "ended where it was to end",
        RunResult::RolledBack => "rolled back",
        RunResult::SteppedBack => "rolled back to an earlier phase",
        RunResult::Abandoned => "abandoned",
    };
    let (tone, text) = match left {
        0 => (Tone::Good, format!("{} released", count(all, "hold"))),
        left => (
            Tone::Bad,
            format!("{left} of {} not released", count(all, "hold")),
        ),
    };
    (tone, format!("{text}; run {run} stays {stays}"))
}

/// What there is to tell of one event.
pub(super) fn told(plan: &Plan, state: &RunState, event: &Event) -> Option<(Tone, String)> {
    let id = |node: &NodeIx| node_id(plan, *node);
    Some(match event {
        Event::Held { node, how } => match how {
            HeldHow::Changed => (
                Tone::Change,
                format!("{} holds until {}", id(node), released_by(plan, *node)),
            ),
            HeldHow::Already => (
                Tone::Quiet,
                format!("{} was so already: this run does not hold it", id(node)),
            ),
            HeldHow::Partly => (
                Tone::Warn,
                format!(
                    "{} failed after it had begun: it may hold in part",
                    id(node)
                ),
            ),
        },
        Event::HoldOver { node } => {
            let since = state.holds.get(node).map_or(0, |hold| hold.since);
            let lasts = length(state.last_at - since);
            let text = format!("{} holds for {lasts}, longer than it may", id(node));
            (Tone::Bad, text)
        }
        Event::Released { node, by } => match by {
            ReleasedBy::Step(by) => (
                Tone::Good,
                format!("{} is released by {}", id(node), id(by)),
            ),
            ReleasedBy::Undo => (
                Tone::Good,
                format!("{} is released: it was taken back", id(node)),
            ),
            ReleasedBy::Past => (Tone::Good, format!("{} is released", id(node))),
        },
        Event::ReleaseAsked {
            nodes, by, reason, ..
        } => {
            let all: Vec<String> = nodes.iter().map(id).collect();
            let text = format!(
                "{} releases {} by hand: {}",
                bounded(by, 80),
                names(&all, 8),
                bounded(reason, REASON)
            );
            (Tone::Head, text)
        }
        Event::Undoing { node, host, .. } => {
            let on = on(plan, *node, host);
            (Tone::Plain, format!("the undo of {} begins{on}", id(node)))
        }
        Event::Undone {
            node,
            failure: Some(failure),
        } => (
            Tone::Bad,
            format!(
                "{} could not be taken back: {}",
                id(node),
                failure_text(failure)
            ),
        ),
        _ => return None,
    })
}
