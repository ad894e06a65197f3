//! What a text sees: the scope of one evaluation, made from the plan and the state.

use std::collections::BTreeSet;

use runbook_model::{HostName, NodeIx, Plan, RunState, StepIx, Value};
use serde_json::{Map, json};

use super::{Context, Evaluator, step_of};
use crate::scope::{Reference, Scope};

impl Evaluator {
    pub(super) fn scope(
        &self,
        references: &[Reference],
        context: Context<'_>,
        state: &RunState,
    ) -> Scope {
        let mut scope = Scope::new();
        scope.set_inputs(&self.inputs);
        scope.set_run(&self.run_id, &self.run_dir);
        scope.set_groups(self.groups.clone());
        let vars: Map<String, Value> = state
            .vars
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        scope.set_vars(vars);
        if let Some(host) = context.host.and_then(|host| self.hosts.get(host)) {
            scope.set_host(host.clone());
        }
        if let Some(outputs) = context.outputs {
            let outputs: Map<String, Value> = outputs
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            scope.set_outputs(outputs);
        }
        let ids: BTreeSet<&str> = references.iter().filter_map(step_of).collect();
        let steps: Map<String, Value> = ids
            .into_iter()
            .filter_map(|id| {
                let (ix, _) = self.plan.step(id)?;
                Some((id.to_owned(), self.step_value(ix, context.host, state)))
            })
            .collect();
        scope.set_steps(steps);
        scope
    }

    fn step_value(&self, step: StepIx, here: Option<&HostName>, state: &RunState) -> Value {
        let instances = self
            .instances
            .get(step.at())
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut on = Map::new();
        let mut all = Map::new();
        for (host, node) in instances {
            let value = instance_value(host, *node, state);
            if here == Some(host) {
                for (key, value) in value.as_object().into_iter().flatten() {
                    all.insert(key.clone(), value.clone());
                }
            }
            if instances.len() == 1 {
                all.insert("only".to_owned(), value.clone());
            }
            on.insert(host.to_string(), value);
        }
        for key in ["started", "finished"] {
            let every = instances
                .iter()
                .any(|(host, _)| on.get(host.as_str()).is_some_and(|v| v[key] == true));
            all.entry(key).or_insert(Value::Bool(every));
        }
        all.insert("on".to_owned(), Value::Object(on));
        Value::Object(all)
    }
}

fn instance_value(host: &HostName, node: NodeIx, state: &RunState) -> Value {
    let found = state.node(node);
    let outputs: Map<String, Value> = found
        .map(|n| {
            n.outputs
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect()
        })
        .unwrap_or_default();
    json!({
        "host": host.as_str(),
        "outputs": outputs,
        "started": found.is_some_and(|n| n.started_at.is_some()),
        "finished": found.is_some_and(runbook_model::state::NodeState::is_done),
    })
}

pub(super) fn groups(plan: &Plan) -> Value {
    let mut out = Map::new();
    let all = plan.hosts.keys().cloned().collect();
    for (name, hosts) in plan.groups.iter().chain([(&"all".to_owned(), &all)]) {
        let members = hosts
            .iter()
            .map(|host| (host.to_string(), host_vars(plan, host)));
        out.insert(name.clone(), Value::Object(members.collect()));
    }
    Value::Object(out)
}

pub(super) fn host_vars(plan: &Plan, name: &HostName) -> Value {
    let vars = plan
        .hosts
        .get(name)
        .map(|host| host.vars.clone())
        .unwrap_or_default();
    Value::Object(vars.into_iter().collect())
}
