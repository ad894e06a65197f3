//! What a text sees: the scope of one evaluation, made from the plan and the state.

use std::collections::BTreeSet;

use runbook_model::state::NodeState;
use runbook_model::{HostName, NodeIx, NodeKind, Outcome, Plan, RunState, StepIx, Value};
use serde_json::{Map, json};

use super::{Context, Evaluator, step_of};
use crate::scope::{Reference, Scope, Shared};
use crate::value::Meaning;

/// The instances of one step.
#[derive(Debug, Clone, Default)]
pub(super) struct Instances {
    /// One host has several of them, each with a key of its own.
    keyed: bool,
    all: Vec<Instance>,
}

#[derive(Debug, Clone)]
struct Instance {
    host: HostName,
    /// Its item, the host that it goes through, or both: `item/via`.
    key: String,
    node: NodeIx,
}

impl Instances {
    /// Those of every step.
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        let mut of_steps = vec![Self::default(); plan.steps.len()];
        let mut seen = BTreeSet::new();
        let mut spread = BTreeSet::new();
        let nodes = || plan.nodes.iter().zip(0u32..);
        let name = |item: &Option<runbook_model::Item>| item.as_ref().map(|item| item.name.clone());
        for (node, _) in nodes() {
            if let NodeKind::Instance {
                step, host, item, ..
            } = &node.kind
                && !seen.insert((*step, host, name(item)))
            {
                spread.insert(*step);
            }
        }
        for (node, at) in nodes() {
            let NodeKind::Instance {
                step,
                host,
                via,
                item,
                ..
            } = &node.kind
            else {
                continue;
            };
            let (Some(of_step), Some(def)) =
                (of_steps.get_mut(step.at()), plan.steps.get(step.at()))
            else {
                continue;
            };
            let spreads = spread.contains(step);
            let via = via.as_ref().filter(|_| spreads).map(ToString::to_string);
            let parts: Vec<String> = [name(item), via].into_iter().flatten().collect();
            of_step.keyed = def.for_each || spreads;
            of_step.all.push(Instance {
                host: host.clone(),
                key: parts.join("/"),
                node: NodeIx(at),
            });
        }
        of_steps
    }

    /// Their nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeIx> {
        self.all.iter().map(|of| of.node)
    }
}

impl Evaluator {
    pub(super) fn scope(
        &self,
        references: &[Reference],
        context: Context<'_>,
        state: &RunState,
        secrets: bool,
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
        scope.set_window(self.window.clone());
        if let Some(item) = context.item {
            scope.set_item(item.clone());
        }
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
                Some((
                    id.to_owned(),
                    self.step_value(ix, context.host, state, secrets),
                ))
            })
            .collect();
        scope.set_steps(steps);
        scope
    }

    /// What `steps.x` stands for, read on a host.
    fn step_value(
        &self,
        step: StepIx,
        here: Option<&HostName>,
        state: &RunState,
        secrets: bool,
    ) -> Value {
        let Some(instances) = self.instances.get(step.at()) else {
            return Value::Null;
        };
        let mut on = Map::new();
        for of in &instances.all {
            // A person has taken the host out of the run.
            if state.excluded.contains_key(&of.host) {
                continue;
            }
            let value = self.instance_value(of, state, secrets);
            if instances.keyed {
                let host = on.entry(of.host.as_str()).or_insert_with(
                    || json!({ "host": of.host.as_str(), "items": {}, "started": false, "finished": true }),
                );
                host["started"] = (host["started"] == true || value["started"] == true).into();
                host["finished"] = (host["finished"] == true && value["finished"] == true).into();
                host["items"][&of.key] = value;
            } else {
                on.insert(of.host.to_string(), value);
            }
        }
        let same_host = here.and_then(|host| on.get(host.as_str())).cloned();
        let mut all = match &same_host {
            Some(Value::Object(value)) => value.clone(),
            _ => Map::new(),
        };
        if on.len() == 1
            && let Some(value) = on.values().next()
        {
            if !instances.keyed {
                all.insert("only".to_owned(), value.clone());
            }
            all.entry("host").or_insert_with(|| value["host"].clone());
        }
        // Of several hosts: somebody has started, everybody has finished.
        let any_started = on.values().any(|value| value["started"] == true);
        let all_finished = on.values().all(|value| value["finished"] == true);
        all.entry("started").or_insert(any_started.into());
        all.entry("finished").or_insert(all_finished.into());
        all.insert("on".to_owned(), Value::Object(on));
        Value::Object(all)
    }

    fn instance_value(&self, of: &Instance, state: &RunState, secrets: bool) -> Value {
        let found = state.node(of.node);
        let outputs = found.map(|n| n.outputs.clone()).unwrap_or_default();
        let mut outputs: Map<String, Value> = outputs.into_iter().collect();
        if secrets && let Some(kept) = self.kept.borrow().get(&of.node) {
            outputs.extend(kept.clone());
        }
        let passed_by = found.is_some_and(|n| {
            matches!(
                n.outcome,
                Some(Outcome::Skipped { .. } | Outcome::LeftOut { .. } | Outcome::Excluded { .. })
            )
        });
        // What was attempted may have had its effect, however it ended, and however often it was
        // begun again.
        let attempted = state
            .attempts_of(of.node)
            .any(|(_, attempt)| !attempt.undo && attempt.began());
        let started = found.is_some_and(|n| n.started_at.is_some()) && !passed_by;
        json!({
            "host": of.host.as_str(),
            "outputs": outputs,
            "started": started || attempted,
            "finished": found.is_some_and(NodeState::is_done) && !passed_by,
        })
    }
}

/// The dates of the window that are known.
pub(super) fn window(plan: &Plan) -> Shared {
    let window = plan.window.clone().unwrap_or_default();
    let dates = [
        ("opens", window.opens),
        ("closes", window.closes),
        ("no_return_before", window.no_return_before),
    ];
    let known = dates
        .into_iter()
        .filter_map(|(name, date)| Some((name.to_owned(), Value::String(date?))));
    Shared::dates(known.collect())
}

pub(super) fn groups(plan: &Plan) -> Shared {
    let mut out = Map::new();
    let mut meanings = Vec::new();
    let all = plan.hosts.keys().cloned().collect();
    for (name, hosts) in plan.groups.iter().chain([(&"all".to_owned(), &all)]) {
        let members = hosts
            .iter()
            .map(|host| (host.to_string(), vars_of(plan, host)));
        out.insert(name.clone(), Value::Object(members.collect()));
        let of_hosts = hosts
            .iter()
            .map(|host| (host.to_string(), meaning_of(plan, host)));
        meanings.push((name.clone(), Meaning::parts(of_hosts)));
    }
    Shared::with(out, Meaning::parts(meanings))
}

pub(super) fn host_vars(plan: &Plan, name: &HostName) -> Shared {
    Shared::with(vars_of(plan, name), meaning_of(plan, name))
}

fn vars_of(plan: &Plan, name: &HostName) -> Value {
    let vars = plan
        .hosts
        .get(name)
        .map(|host| host.vars.clone())
        .unwrap_or_default();
    Value::Object(vars.into_iter().collect())
}

fn meaning_of(plan: &Plan, name: &HostName) -> Option<Meaning> {
    let stored = plan.hosts.get(name)?.meaning.clone();
    serde_json::from_value(stored).ok()
}
