//! A rollback before it happens: what is taken back, in which order, what stays, what is lost.

use std::fmt::Write;

use runbook_model::plan::Part;
use runbook_model::text::printable;
use runbook_model::{NodeIx, NodeKind, Plan, RunState};

use crate::facts::{self, node_id};
use crate::text::{bounded, count, names};
use crate::{Style, Tone};

/// What a rollback does.
#[derive(Debug, Clone, Copy)]
pub struct Back<'a> {
    /// The runbook's own procedure is run; nothing is taken back by undos.
    pub procedure: bool,
    /// Instances that are taken back: what was done last comes first.
    pub back: &'a [NodeIx],
    /// Instances that did something and stay as they are, and why.
    pub stays: &'a [(NodeIx, &'a str)],
    /// Points of no return that were passed.
    pub passed: &'a [NodeIx],
}

/// Names in one line.
const NAMES: usize = 12;

/// A rollback, for people who decide about it.
#[must_use]
pub fn rollback_text(plan: &Plan, state: &RunState, back: &Back<'_>, style: &Style) -> String {
    let mut out = String::new();
    let run = state.run.as_ref().map_or("?", |run| run.as_str());
    let name = printable(&plan.runbook);
    let _ = writeln!(out, "rollback of run {run} ({name})");
    let mut section = |tone, title: &str, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{}", style.paint(tone, title));
        for line in lines {
            let _ = writeln!(out, "  {line}");
        }
    };
    section(Tone::Bad, "what is lost", lost(plan, back.passed));
    if back.procedure {
        section(Tone::Head, "the runbook's own procedure", procedure(plan));
    } else {
        let title = format!(
            "taken back, in this order ({})",
            count(back.back.len(), "instance")
        );
        section(Tone::Head, &title, steps(plan, back.back));
        let stays = back.stays.iter();
        let stays = stays.map(|(node, why)| format!("{}: {why}", node_id(plan, *node)));
        section(Tone::Warn, "stays as it is", stays.collect());
    }
    section(
        Tone::Warn,
        "not taken back: not in the runbook any more, or with other values",
        facts::gone(state),
    );
    let held = state.held();
    section(
        Tone::Warn,
        "held now",
        held.map(|(node, _)| node_id(plan, node)).collect(),
    );
    out
}

/// What was passed, and what that costs, in the runbook's words.
fn lost(plan: &Plan, passed: &[NodeIx]) -> Vec<String> {
    let mut said = Vec::new();
    for node in passed {
        let Some((step, _)) = plan.instance(*node) else {
            continue;
        };
        let words = step
            .no_return
            .as_ref()
            .map_or("", |expr| expr.text.as_str());
        let line = format!("{}: {}", printable(step.id.as_str()), bounded(words, 500));
        if !said.contains(&line) {
            said.push(line);
        }
    }
    said
}

/// Instances by their steps, in order.
fn steps(plan: &Plan, nodes: &[NodeIx]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for node in nodes {
        let Some((step, host)) = plan.instance(*node) else {
            continue;
        };
        let (step, host) = (
            printable(step.id.as_str()).into_owned(),
            printable(host.as_str()).into_owned(),
        );
        match lines.last_mut() {
            Some((last, hosts)) if *last == step => hosts.push(host),
            _ => lines.push((step, vec![host])),
        }
    }
    let line = |(step, hosts): (String, Vec<String>)| format!("{step}  {}", names(&hosts, NAMES));
    lines.into_iter().map(line).collect()
}

/// The steps of the procedure, with where they run.
fn procedure(plan: &Plan) -> Vec<String> {
    let nodes = (0u32..).map(NodeIx).zip(&plan.nodes);
    let of_back = nodes.filter(|(node, n)| {
        matches!(n.kind, NodeKind::Instance { .. }) && plan.part_of(*node) == Part::Rollback
    });
    let nodes: Vec<NodeIx> = of_back.map(|(node, _)| node).collect();
    steps(plan, &nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn people_see_what_is_taken_back_and_what_is_not() {
        let tape = sample::failed();
        let (plan, state) = (tape.plan.clone(), tape.state());
        let all: Vec<NodeIx> = plan.instances().map(|(node, ..)| node).collect();
        let back = Back {
            procedure: false,
            back: &all[1..],
            stays: &[(all[0], "its type has no undo")],
            passed: &[],
        };
        insta::assert_snapshot!(rollback_text(&plan, &state, &back, &Style::plain(80)));
    }
}
