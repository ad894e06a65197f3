//! Words that lines, cards and states share.

use runbook_model::event::StopReason;
use runbook_model::step_type::TypeKind;
use runbook_model::text::printable;
use runbook_model::{Failure, HostName, Millis, NodeIx, Plan, RunState};

use crate::facts::{REASON, node_id};
use crate::text::bounded;

/// A failure on one line.
pub(crate) fn failure_text(failure: &Failure) -> String {
    let message = bounded(&failure.message, REASON);
    match failure.status {
        Some(status) if !message.contains("status") => format!("{message} (status {status})"),
        _ => message,
    }
}

/// Why nothing new starts.
pub(crate) fn stopping(plan: &Plan, state: &RunState, reason: &StopReason) -> String {
    match reason {
        StopReason::Failure(node) if is_gate(plan, *node) => {
            format!("stopping: {} was not approved", node_id(plan, *node))
        }
        StopReason::Failure(node) => format!(
            "stopping: {} failed; nothing new starts",
            node_id(plan, *node)
        ),
        StopReason::Interrupt => {
            "stopping: interrupted; nothing new starts, what runs is waited for".into()
        }
        StopReason::OverTime(attempt) => {
            let id = state
                .attempts
                .get(attempt)
                .map(|a| node_id(plan, a.node))
                .unwrap_or_default();
            format!("stopping: {id} takes longer than its limit; nothing new starts")
        }
        StopReason::Host(host) => format!("stopping: {host} cannot be used; nothing new starts"),
        StopReason::Budget(phase) => {
            let phase = plan
                .phases
                .get(*phase as usize)
                .map_or("?", |p| p.id.as_str());
            format!("stopping: more hosts failed in phase {phase} than it allows")
        }
        StopReason::NotOpen(opens) => {
            format!(
                "stopping: the window opens at {}; nothing was changed",
                utc(*opens)
            )
        }
        StopReason::WindowClosed(closes) => format!(
            "stopping: the window has closed at {}; nothing new starts",
            utc(*closes)
        ),
        StopReason::Paused(None) => "stopping: paused; what runs is waited for".into(),
        StopReason::Paused(Some(step)) => format!("paused before {}", bounded(step, 120)),
        StopReason::Until(phase) => {
            let phase = plan.phases.get(*phase as usize);
            let phase = phase.map_or("?", |p| p.id.as_str());
            format!("phase {phase} is done: the run was to end there")
        }
        StopReason::Undo(node) => format!(
            "stopping: {} could not be taken back; nothing more is taken back",
            node_id(plan, *node)
        ),
        StopReason::AlreadyThere => "`done_when` is true: everything is there already".into(),
    }
}

/// What becomes of a wish to stop that comes when the procedure is over.
pub(super) fn interrupted(state: &RunState) -> String {
    let (what, leave) = match state.release.is_some() {
        true => (
            "nothing more is released, what runs is waited for",
            "press Ctrl-C once more to leave it",
        ),
        false => (
            "what follows on every ending goes on",
            "press Ctrl-C once more to leave it undone",
        ),
    };
    format!("interrupted: {what}; {leave}")
}

/// Where something acts, if not on the host that its name says.
pub(super) fn on(plan: &Plan, node: NodeIx, host: &HostName) -> String {
    match plan.instance(node) {
        Some((_, own)) if own == host => String::new(),
        _ => format!(" on {}", printable(host.as_str())),
    }
}

/// A date that reads the same everywhere.
fn utc(at: Millis) -> String {
    jiff::Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

/// Whether a person decides at this node.
pub(super) fn is_gate(plan: &Plan, node: NodeIx) -> bool {
    plan.instance(node)
        .and_then(|(step, _)| plan.type_of(step))
        .is_some_and(|t| t.kind == TypeKind::Gate)
}
