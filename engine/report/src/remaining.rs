//! What is left of a run, in order, by phase and host.

use std::fmt::Write as _;

use runbook_model::text::printable;
use runbook_model::transition::Stage;
use runbook_model::{NodeIx, Outcome, Plan, RunState, Value};
use serde_json::json;

use crate::facts::{self, node_id};
use crate::narrate::failure_text;
use crate::text::{bounded, count, names, wrap};
use crate::{Style, Tone};

/// Names in one line.
const NAMES: usize = 40;

/// What is left of a run: instances in an order in which they can be done.
#[derive(Debug, Clone, Copy)]
pub struct Remains<'a> {
    /// Of the procedure, or of the runbook's own way back.
    pub nodes: &'a [NodeIx],
    /// Of what follows on every ending.
    pub ending: &'a [NodeIx],
    /// Instances that a rollback under way still takes back, the next one first.
    pub back: &'a [NodeIx],
}

/// What is left, for people.
#[must_use]
pub fn remaining_text(plan: &Plan, state: &RunState, left: &Remains<'_>, style: &Style) -> String {
    let mut out = String::new();
    let run = state.run.as_ref().map_or("?", |run| run.as_str());
    let all = left.nodes.len() + left.ending.len() + left.back.len();
    let name = printable(&plan.runbook);
    if all == 0 {
        let _ = writeln!(out, "nothing is left of run {run} ({name})");
        return out;
    }
    let head = format!("left of run {run} ({name}): {}", count(all, "instance"));
    let _ = writeln!(out, "{}", style.paint(Tone::Head, &head));
    if !left.back.is_empty() {
        section(&mut out, plan, state, "to be taken back", left.back, style);
    }
    let mut rest = left.nodes;
    while let Some(first) = rest.first() {
        let phase = phase(plan, *first);
        let end = rest
            .iter()
            .position(|node| self::phase(plan, *node) != phase);
        let (now, later) = rest.split_at(end.unwrap_or(rest.len()));
        section(&mut out, plan, state, &format!("phase {phase}"), now, style);
        rest = later;
    }
    section(&mut out, plan, state, "on every ending", left.ending, style);
    let _ = writeln!(
        out,
        "\nas text to be typed: runbook remaining {run} --as-commands"
    );
    out
}

/// What is left, for programs.
#[must_use]
pub fn remaining_json(plan: &Plan, state: &RunState, left: &Remains<'_>) -> Value {
    let one = |node: &NodeIx| {
        json!({
            "instance": node_id(plan, *node),
            "phase": phase(plan, *node),
            "host": plan.runs_on(*node),
            "type": plan.instance(*node).map(|(step, _)| &step.uses),
            "stands": stands(state, *node),
        })
    };
    let all = |nodes: &[NodeIx]| nodes.iter().map(one).collect::<Vec<_>>();
    json!({
        "format": 1,
        "run": state.run,
        "left": all(left.nodes),
        "on_ending": all(left.ending),
        "taken_back": all(left.back),
    })
}

fn phase(plan: &Plan, node: NodeIx) -> &str {
    plan.phase_of(node).map_or("?", |phase| phase.id.as_str())
}

fn section(
    out: &mut String,
    plan: &Plan,
    state: &RunState,
    title: &str,
    nodes: &[NodeIx],
    style: &Style,
) {
    if nodes.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{}", style.paint(Tone::Head, title));
    let mut lines: Vec<(&str, Vec<String>)> = Vec::new();
    for node in nodes {
        let Some((step, _)) = plan.instance(*node) else {
            continue;
        };
        let id = node_id(plan, *node);
        let host = id
            .strip_prefix(step.id.as_str())
            .and_then(|rest| rest.get(1..));
        let host = host.unwrap_or(&id).to_owned();
        let host = match stands(state, *node) {
            Some(how) => format!("{host} ({how})"),
            None => host,
        };
        match lines.last_mut() {
            Some((last, hosts)) if *last == step.id.as_str() => hosts.push(host),
            _ => lines.push((step.id.as_str(), vec![host])),
        }
    }
    let wide = lines
        .iter()
        .map(|(step, _)| step.chars().count())
        .max()
        .unwrap_or(0);
    for (step, hosts) in lines {
        let first = format!("  {step:wide$}  ");
        wrap(
            out,
            &first,
            first.chars().count(),
            &names(&hosts, NAMES),
            style.width,
        );
    }
}

/// How an instance stands that has not ended well; nothing for one that nobody has begun.
fn stands(state: &RunState, node: NodeIx) -> Option<String> {
    let n = state.node(node)?;
    if let Some(Outcome::Failed(failure)) = &n.outcome {
        return Some(format!("failed: {}", bounded(&failure_text(failure), 120)));
    }
    if facts::open(state)
        .iter()
        .any(|(_, a)| a.node == node && !a.undo)
    {
        return Some(match n.stage {
            Stage::InDoubt => "in doubt".to_owned(),
            _ => "begun, its end is not known".to_owned(),
        });
    }
    match n.stage {
        Stage::Asking => Some("a person is asked".to_owned()),
        Stage::Waiting if n.started_at.is_none() => None,
        _ => n.started_at.map(|_| "begun".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn left(tape: &sample::Tape) -> Vec<NodeIx> {
        let state = tape.state();
        let nodes = tape.plan.instances().map(|(node, ..)| node);
        nodes
            .filter(|node| !state.node(*node).is_some_and(|n| n.lets_pass()))
            .collect()
    }

    fn text(tape: &sample::Tape) -> String {
        let nodes = left(tape);
        let remains = Remains {
            nodes: &nodes,
            ending: &[],
            back: &[],
        };
        remaining_text(&tape.plan, &tape.state(), &remains, &Style::plain(80))
    }

    #[test]
    fn what_is_left_after_a_failure_and_in_doubt() {
        insta::assert_snapshot!(text(&sample::failed()) + "\n" + &text(&sample::in_doubt()));
    }

    #[test]
    fn nothing_is_left() {
        let tape = sample::failed();
        let none = Remains {
            nodes: &[],
            ending: &[],
            back: &[],
        };
        let text = remaining_text(&tape.plan, &tape.state(), &none, &Style::plain(80));
        assert_eq!(text, "nothing is left of run k3x9 (upgrade)\n");
        let json = remaining_json(&tape.plan, &tape.state(), &none);
        assert_eq!((&json["run"], &json["left"]), (&json!("k3x9"), &json!([])));
    }
}
