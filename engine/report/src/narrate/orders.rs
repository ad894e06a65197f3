//! Orders from outside, in lines.

use std::collections::BTreeSet;

use runbook_model::event::EditedPlan;
use runbook_model::order::{Command, Order};
use runbook_model::text::printable;
use runbook_model::{NodeIx, Plan};

use crate::Tone;
use crate::facts::{REASON, node_id};
use crate::text::{bounded, names};

/// What somebody has ordered.
pub(super) fn told(plan: &Plan, order: &Order, nodes: &[NodeIx]) -> (Tone, String) {
    let ids: Vec<String> = nodes.iter().map(|node| node_id(plan, *node)).collect();
    let ids = names(&ids, 8);
    let what = bounded(order.command.what().unwrap_or_default(), 120);
    let (tone, does) = match &order.command {
        Command::Pause { before: None } => (Tone::Warn, "pauses the run".to_owned()),
        Command::Pause { before: Some(_) } => (Tone::Warn, format!("pauses the run before {what}")),
        Command::Block { .. } => (Tone::Warn, format!("blocks {what}")),
        Command::Unblock { .. } => (Tone::Head, format!("unblocks {what}")),
        Command::Rerun { .. } => (Tone::Head, format!("has {ids} done again")),
        Command::Retry { .. } => (Tone::Head, format!("has {ids} tried again")),
        Command::Done { evidence, .. } => (
            Tone::Head,
            format!("says that {ids} is done: {}", bounded(evidence, REASON)),
        ),
        Command::Skip { .. } => (Tone::Warn, format!("leaves {ids} out")),
        Command::Exclude { .. } => (
            Tone::Warn,
            format!("takes {what} out of the rest of the run"),
        ),
        Command::Answer { said, .. } => (Tone::Plain, format!("says {} at {what}", said.word())),
        Command::Note => (Tone::Plain, "notes".to_owned()),
        Command::Cancel => (Tone::Warn, "cancels: nothing new starts".to_owned()),
        Command::Kill { .. } => (Tone::Bad, format!("kills {ids}")),
        Command::RollBack { to: None, .. } => (Tone::Head, "rolls the run back".to_owned()),
        Command::RollBack { to: Some(_), .. } => {
            (Tone::Head, format!("rolls the run back to phase {what}"))
        }
        Command::Abandon => (Tone::Bad, "abandons the run".to_owned()),
    };
    let by = bounded(&order.by, 80);
    match order.reason.is_empty() {
        true => (tone, format!("{by} {does}")),
        false => (
            tone,
            format!("{by} {does}: {}", bounded(&order.reason, REASON)),
        ),
    }
}

/// Somebody goes on with changed files; `plan` is the new one.
pub(super) fn edited(plan: &Plan, by: &str, edit: &EditedPlan) -> (Tone, String) {
    let again = edit.again.iter().map(|again| again.node);
    let again: BTreeSet<NodeIx> = again
        .filter(|node| plan.instance(*node).is_some())
        .collect();
    let kept: BTreeSet<NodeIx> = edit.kept.iter().map(|(_, node)| *node).collect();
    let new = plan.instances().map(|(node, ..)| node);
    let new = new.filter(|node| !kept.contains(node) && !again.contains(node));
    let text = format!(
        "{} goes on with changed files: {} again, {} new",
        bounded(by, 80),
        again.len(),
        new.count()
    );
    (Tone::Head, text)
}

/// An order that cannot be followed.
pub(super) fn refused(problem: &str) -> (Tone, String) {
    let text = format!(
        "an order was refused: {}",
        bounded(&printable(problem), REASON)
    );
    (Tone::Bad, text)
}
