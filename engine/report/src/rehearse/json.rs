//! A rehearsal for programs.

use runbook_model::{Event, NodeIx, Value};
use serde_json::json;

use super::{Rehearsed, RehearsedEnd, RehearsedPart};
use crate::facts::node_id;

/// The same for programs.
#[must_use]
pub fn rehearse_json(all: &Rehearsed<'_>) -> Value {
    let plan = all.plan;
    let ids =
        |nodes: &[NodeIx]| -> Vec<String> { nodes.iter().map(|n| node_id(plan, *n)).collect() };
    let part = |part: &RehearsedPart<'_>| {
        let ends = part
            .records
            .iter()
            .filter_map(|record| match &record.event {
                Event::Finished { node, outcome, .. } if plan.instance(*node).is_some() => {
                    Some(json!({ "instance": node_id(plan, *node), "outcome": outcome.word() }))
                }
                _ => None,
            });
        let end = match &part.end {
            RehearsedEnd::Closed(result) => json!(result),
            RehearsedEnd::Died => json!("died"),
            RehearsedEnd::Broken(why) => json!({ "broken": why }),
        };
        json!({ "instances": ends.collect::<Vec<_>>(), "end": end })
    };
    let back = match &all.back {
        Err(why) => json!({ "refused": why }),
        Ok(back) => json!({
            "procedure": back.procedure,
            "takes_back": ids(back.back),
            "stays": back.stays.iter().map(|(node, why)| json!({ "instance": node_id(plan, *node), "why": why })).collect::<Vec<_>>(),
            "no_return_passed": ids(back.passed),
        }),
    };
    let held: Vec<NodeIx> = all.first.state.held().map(|(node, _)| node).collect();
    json!({
        "format": 1,
        "runbook": plan.runbook,
        "simulated": true,
        "fail": all.fail.map(|node| node_id(plan, node)),
        "kill_at": all.kill_at,
        "run": part(&all.first),
        "changed": ids(all.changed),
        "held": ids(&held),
        "resume": all.resumed.as_ref().map(part),
        "rollback": back,
        "made_up": all.made_up.iter().map(|m| json!({ "step": m.step, "output": m.output, "value": m.value, "from_test": m.from_test })).collect::<Vec<_>>(),
        "assumed": all.assumed,
    })
}
