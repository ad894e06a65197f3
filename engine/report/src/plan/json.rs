//! A plan for programs. Node ids and names stand where the engine has positions.

use runbook_model::plan::Phase;
use runbook_model::step::Hold;
use runbook_model::{Plan, Preview, Step, StepIx, Value};
use serde_json::{Map, json};

use super::who;

/// The format of this JSON.
const FORMAT: u32 = 1;

/// A plan with its forecast.
#[must_use]
pub fn plan_json(plan: &Plan, preview: &Preview) -> Value {
    let steps = || (0u32..).map(StepIx).zip(&plan.steps);
    let instances: Vec<Value> = steps()
        .flat_map(|(ix, step)| instances(plan, preview, ix, step))
        .collect();
    json!({
        "format": FORMAT,
        "runbook": plan.runbook,
        "version": plan.version,
        "digest": plan.digest,
        "live": preview.live,
        "already_there": preview.already_there,
        "window": plan.window,
        "hosts": plan.hosts.keys().collect::<Vec<_>>(),
        "unusable": preview.unusable,
        "phases": plan.phases.iter().map(phase).collect::<Vec<_>>(),
        "steps": steps().map(|(_, s)| step(plan, s)).collect::<Vec<_>>(),
        "instances": instances,
    })
}

fn phase(p: &Phase) -> Value {
    json!({
        "phase": p.id,
        "part": p.part,
        "order": p.order,
        "when": p.when.as_ref().map(|when| &when.text),
        "hosts": p.hosts,
        "batches": p.batches,
        "by": p.by,
        "on_failure": p.on_failure,
        "max_failures": p.max_failures,
        "min_ok": p.min_ok,
        "pause_ms": p.pause_ms,
    })
}

fn step(plan: &Plan, s: &Step) -> Value {
    let phase = plan.phases.get(s.phase as usize);
    json!({
        "step": s.id,
        "uses": s.uses,
        "phase": phase.map(|p| &p.id),
        "part": phase.map(|p| p.part),
        "when": s.when.as_ref().map(|when| &when.text),
        "via": s.via,
        "for_each": s.for_each,
        "chdir": s.chdir.as_ref().map(|dir| &dir.text),
        "critical": s.critical,
        "once": s.once,
        "fresh_ms": s.fresh_ms,
        "timeout_ms": s.timeout_ms,
        "attempts": s.retry.attempts,
        "outage": s.outage,
        "no_return": s.no_return.as_ref().map(|lost| &lost.text),
        "undo": !s.undo_none,
        "on_failure": s.on_failure,
        "hold": s.hold.as_ref().map(|h| hold(plan, h)),
        "tags": s.tags,
    })
}

fn hold(plan: &Plan, h: &Hold) -> Value {
    let release: Vec<_> = h
        .release
        .iter()
        .filter_map(|at| plan.step_id(*at))
        .collect();
    json!({ "release": release, "on_failure": h.on_failure, "max_ms": h.max_ms })
}

fn instances(plan: &Plan, preview: &Preview, ix: StepIx, step: &Step) -> Vec<Value> {
    let phase = plan.phases.get(step.phase as usize);
    let one = |who: &who::Who<'_>| {
        let forecast = preview
            .nodes
            .get(who.node.at())
            .and_then(|f| serde_json::to_value(f).ok())
            .unwrap_or_else(|| json!("unknown"));
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| {
            out.insert(key.to_owned(), value);
        };
        put(
            "node",
            plan.nodes
                .get(who.node.at())
                .map_or(Value::Null, |n| json!(n.id)),
        );
        put("step", json!(step.id));
        put("uses", json!(step.uses));
        put("phase", json!(phase.map(|p| &p.id)));
        put("part", json!(phase.map(|p| p.part)));
        put("host", json!(who.host));
        put("runs_on", json!(who.via.unwrap_or(who.host)));
        put("via", json!(who.via));
        put("item", json!(who.item.map(|item| &item.name)));
        put("account", json!(who.account));
        put("forecast", forecast);
        Value::Object(out)
    };
    who::instances(plan, ix).iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_plan_lists_its_instances() {
        let plan = sample::plan();
        let value = plan_json(&plan, &sample::preview(&plan));
        assert_eq!(
            value["instances"].as_array().map(Vec::len),
            Some(plan.instances().count())
        );
        assert_eq!(value["instances"][0]["node"], "survey@quay01");
        assert_eq!(
            value["instances"][0]["forecast"],
            json!({ "probe": "content" })
        );
    }

    #[test]
    fn a_plan_says_what_its_instances_go_through() {
        let plan = sample::full();
        let value = plan_json(&plan, &sample::offline(&plan));
        let all = value["instances"].as_array().unwrap();
        let found = |id: &str| all.iter().find(|i| i["node"] == id).unwrap();
        let drain = found("drain@quay02/lb01");
        assert_eq!(
            (&drain["host"], &drain["runs_on"]),
            (&json!("quay02"), &json!("lb01"))
        );
        let user = found("users:blue@quay02");
        assert_eq!(
            (&user["item"], &user["account"]),
            (&json!("blue"), &json!({ "sudo": "quay" }))
        );
        assert_eq!(found("rb_open@lb01")["part"], "rollback");
        let drain = &value["steps"].as_array().unwrap()[1];
        assert_eq!(drain["hold"]["release"], json!(["back", "rb_open"]));
        assert_eq!(value["phases"][1]["max_failures"], 1);
        assert_eq!(value["phases"][1]["by"], "region");
    }
}
