//! The course of one controller's part: phases and steps in the order in which they ended.

use std::collections::BTreeSet;

use runbook_model::{Event, NodeIx, NodeKind, Outcome, Plan, RunState};

use super::{NAMES, RehearsedPart};
use crate::facts;
use crate::narrate::failure_text;
use crate::text::{bounded, names};

/// A step in a phase, with how its instances ended: the same end once, with all that had it.
struct Line {
    phase: String,
    step: String,
    ends: Vec<(String, Vec<String>)>,
}

/// What happened, a line for each phase and step: how it begins, and the rest of it. `before` is what an earlier
/// controller had left, `fail` what was to fail.
pub(super) fn course(
    plan: &Plan,
    part: &RehearsedPart<'_>,
    before: Option<&RunState>,
    fail: Option<NodeIx>,
) -> Vec<(String, String)> {
    let mut lines: Vec<Line> = Vec::new();
    let mut skipped: BTreeSet<u32> = BTreeSet::new();
    let mut dispatched: BTreeSet<NodeIx> = BTreeSet::new();
    for record in part.records {
        match &record.event {
            Event::Dispatched { instances, .. } => {
                dispatched.extend(instances.iter().map(|intent| intent.node));
            }
            Event::Finished { node, outcome, .. } => {
                let kind = plan.nodes.get(node.at()).map(|n| &n.kind);
                if let (Some(NodeKind::PhaseBegin { phase }), Outcome::Skipped { reason }) =
                    (kind, outcome)
                {
                    skipped.insert(*phase);
                    let id = plan
                        .phases
                        .get(*phase as usize)
                        .map_or("?", |p| p.id.as_str());
                    let end = format!("skipped: {}", bounded(reason, facts::REASON));
                    add(&mut lines, id, "", end, String::new());
                    continue;
                }
                let Some((step, _)) = plan.instance(*node) else {
                    continue;
                };
                if skipped.contains(&step.phase) {
                    continue;
                }
                let again = before.and_then(|state| state.node(*node));
                let ended = again.is_some_and(|n| n.is_success());
                let mine = dispatched.contains(node);
                let mut end = match fail == Some(*node) && outcome.failure().is_some() {
                    true => "FAILED, as it was made to".to_owned(),
                    false => said(outcome),
                };
                match (outcome, again.is_some()) {
                    (_, true) if ended && !mine => end.push_str(", looked at again"),
                    (Outcome::Changed, true) if !mine => {
                        end.push_str(" by what was begun before, and not done again");
                    }
                    _ => {}
                }
                add(
                    &mut lines,
                    phase(plan, *node),
                    step.id.as_str(),
                    end,
                    host(plan, *node),
                );
            }
            _ => {}
        }
    }
    for (node, step, _, n) in facts::instances(plan, part.state) {
        if n.started_at.is_some() && !n.is_done() {
            let end = "begun, not ended".to_owned();
            add(
                &mut lines,
                phase(plan, node),
                step.id.as_str(),
                end,
                host(plan, node),
            );
        }
    }
    written(&lines)
}

/// Instances by their steps, in order.
pub(super) fn by_step(plan: &Plan, nodes: &[NodeIx]) -> Vec<(String, Vec<String>)> {
    let mut out: Vec<(String, Vec<String>)> = Vec::new();
    for node in nodes {
        let Some((step, _)) = plan.instance(*node) else {
            continue;
        };
        let at = match out.iter().position(|(of, _)| of == step.id.as_str()) {
            Some(at) => at,
            None => {
                out.push((step.id.to_string(), Vec::new()));
                out.len() - 1
            }
        };
        out[at].1.push(host(plan, *node));
    }
    out
}

fn add(lines: &mut Vec<Line>, phase: &str, step: &str, end: String, host: String) {
    let found = lines
        .iter()
        .position(|line| line.phase == phase && line.step == step);
    let at = found.unwrap_or_else(|| {
        lines.push(Line {
            phase: phase.to_owned(),
            step: step.to_owned(),
            ends: Vec::new(),
        });
        lines.len() - 1
    });
    let ends = &mut lines[at].ends;
    match ends.iter_mut().find(|(of, _)| *of == end) {
        // Fresh looks are taken again and again.
        Some((_, hosts)) if hosts.contains(&host) => {}
        Some((_, hosts)) => hosts.push(host),
        None => ends.push((end, vec![host])),
    }
}

fn written(lines: &[Line]) -> Vec<(String, String)> {
    let wide = lines
        .iter()
        .map(|line| line.step.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = Vec::new();
    let mut phase = None;
    for line in lines {
        if phase != Some(&line.phase) {
            phase = Some(&line.phase);
            out.push((String::new(), format!("phase {}", line.phase)));
        }
        for (end, hosts) in &line.ends {
            let hosts = names(hosts, NAMES);
            out.push(match line.step.as_str() {
                "" => ("  ".to_owned(), end.clone()),
                step => (format!("  {step:wide$}  "), format!("{hosts}: {end}")),
            });
        }
    }
    out
}

fn phase(plan: &Plan, node: NodeIx) -> &str {
    plan.phase_of(node).map_or("?", |phase| phase.id.as_str())
}

/// What tells an instance from the others of its step: `quay02`, `quay02/lb01`, `eu@control`.
fn host(plan: &Plan, node: NodeIx) -> String {
    let id = facts::node_id(plan, node);
    let step = plan.instance(node).map_or("", |(step, _)| step.id.as_str());
    let rest = id.strip_prefix(step).and_then(|rest| rest.get(1..));
    rest.map_or_else(|| id.clone(), str::to_owned)
}

fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(failure) | Outcome::Left(failure) => {
            format!("FAILED: {}", failure_text(failure))
        }
        Outcome::Recorded(failure) => format!("recorded: {}", failure_text(failure)),
        Outcome::Skipped { reason } | Outcome::LeftOut { reason } => {
            format!("{}: {}", outcome.word(), bounded(reason, facts::REASON))
        }
        other => other.word().to_owned(),
    }
}
