//! A step explained for programs.

use runbook_model::Value;
use serde_json::json;

use super::Explained;
use super::waits::{Way, lost, waits};

/// The format of this JSON.
const FORMAT: u32 = 1;

/// What is known of a step, for programs.
#[must_use]
pub fn explain_json(explained: &Explained<'_>) -> Value {
    let plan = explained.plan;
    let Some(step) = plan.steps.get(explained.step.at()) else {
        return Value::Null;
    };
    let all = explained.instances();
    let nodes: Vec<_> = all.iter().map(|w| w.node).collect();
    let phase = plan.phases.get(step.phase as usize);
    let id = |node: &runbook_model::NodeIx| plan.nodes.get(node.at()).map(|n| n.id.as_str());
    let texts = |all: &[runbook_model::trace::Text]| -> Vec<Value> {
        all.iter()
            .map(|text| {
                let values: Vec<Value> = text
                    .values
                    .iter()
                    .map(|(nodes, value)| {
                        let nodes: Vec<_> = nodes.iter().filter_map(id).collect();
                        json!({ "instances": nodes, "value": value })
                    })
                    .collect();
                json!({
                    "what": text.what,
                    "written": text.written,
                    "place": text.place.map(|p| crate::plan::place(plan, p)),
                    "values": values,
                    "reads": text.reads,
                })
            })
            .collect()
    };
    json!({
        "format": FORMAT,
        "step": step.id,
        "uses": step.uses,
        "place": crate::plan::place(plan, step.place),
        "phase": phase.map(|p| &p.id),
        "part": phase.map(|p| p.part),
        "batches": phase.map(|p| &p.batches),
        "by": phase.and_then(|p| p.by.as_ref()),
        "instances": nodes.iter().filter_map(id).collect::<Vec<_>>(),
        "selectors": texts(&explained.trace.selectors),
        "arguments": texts(&explained.trace.arguments),
        "conditions": texts(&explained.trace.conditions),
        "waits_for": waits(plan, &nodes, Way::Before),
        "waited_for_by": waits(plan, &nodes, Way::After),
        "lost_order": lost(plan, explained.step, &nodes),
    })
}
