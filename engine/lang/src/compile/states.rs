//! A warning: two steps want one resource in different states, and nothing asks whether the last
//! of them is there already. Such a runbook stops and starts again what was right, at every run.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::plan::Part;
use runbook_model::{HostName, NodeIx, NodeKind, Plan, Step, StepIx, StepType};

use super::Compiler;
use super::arguments::known;
use super::hosts::Hosts;
use super::inputs::Known;
use crate::diagnostic::{Code, Diagnostic};
use crate::scope::Scope;
use crate::steptype::{ParamValue, coerce, holds_unknown};

/// The argument that says what something should be, where a type has one.
const STATE: &str = "state";

/// Arguments that are known before anything runs.
type Arguments = BTreeMap<String, ParamValue>;
/// What is the same thing: of this type, on this host, under these keys.
type Resource = (String, HostName, BTreeSet<String>);

impl Compiler<'_> {
    pub(super) fn warn_states(&mut self, plan: &Plan, hosts: &Hosts, inputs: &Known) {
        if plan.done_when.is_some() {
            return;
        }
        let scope = self.early_scope(hosts, inputs);
        let mut wanted: BTreeMap<Resource, Vec<(StepIx, Arguments)>> = BTreeMap::new();
        for (node, ix, _) in plan.instances() {
            let step = &plan.steps[ix.at()];
            let phase = &plan.phases[step.phase as usize];
            let decided = phase.when.is_some() || step.when.is_some();
            let Some(of) = plan.type_of(step) else {
                continue;
            };
            if phase.part != Part::Main || decided || of.writes.is_empty() {
                continue;
            }
            let arguments = arguments(plan, node, step, of, &scope);
            let keys: Option<BTreeSet<String>> = of
                .writes
                .iter()
                .map(|key| filled(key, &arguments))
                .collect();
            if let (Some(keys), Some(host)) = (keys, plan.runs_on(node)) {
                let resource = (of.name.clone(), host.clone(), keys);
                wanted.entry(resource).or_default().push((ix, arguments));
            }
        }
        let mut said = BTreeSet::new();
        for (resource, steps) in &wanted {
            for pair in steps.windows(2) {
                let [(one, first), (two, then)] = pair else {
                    continue;
                };
                let differ = one != two
                    && differ(first, then)
                    && !releases(plan, *one, *two)
                    && !releases(plan, *two, *one);
                if differ && said.insert((*one, *two)) {
                    self.warn_pair(plan, *one, *two, resource);
                }
            }
        }
    }

    fn warn_pair(&mut self, plan: &Plan, one: StepIx, two: StepIx, resource: &Resource) {
        let steps: Vec<_> = self.request.runbook.steps().map(|(_, step)| step).collect();
        let (Some(first), Some(then)) = (steps.get(one.at()), steps.get(two.at())) else {
            return;
        };
        let (id, other) = (&plan.steps[one.at()].id, &plan.steps[two.at()].id);
        let (_, host, keys) = resource;
        let key = keys.first().map_or("", String::as_str);
        let message = format!("`{id}` and `{other}` want `{key}` on `{host}` in different states");
        let warning = Diagnostic::warning(Code::TwoStates, message)
            .label(then.id.span.source, then.id.span, "what it becomes")
            .label(first.id.span.source, first.id.span, "what it is before")
            .help("every run goes through both: write `done_when`, or a `when` at a phase, for what is there already");
        self.diagnostics.push(warning);
    }
}

/// What an instance sees before anything runs.
pub(super) fn of_instance(plan: &Plan, node: NodeIx, scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    if let Some(NodeKind::Instance { host, item, .. }) =
        plan.nodes.get(node.at()).map(|node| &node.kind)
    {
        let vars = plan.hosts.get(host).map(|host| host.vars.clone());
        let vars: serde_json::Map<_, _> = vars.unwrap_or_default().into_iter().collect();
        scope.set_host(vars);
        if let Some(item) = item {
            scope.set_item(item.value.clone());
        }
    }
    scope
}

fn arguments(plan: &Plan, node: NodeIx, step: &Step, of: &StepType, scope: &Scope) -> Arguments {
    let scope = of_instance(plan, node, scope);
    let known = of.params.iter().filter(|(_, param)| !param.secret);
    known
        .filter_map(|(name, param)| {
            let value = match step.with.get(name) {
                Some(value) => rendered(value, &scope)?,
                None => param.default.clone().unwrap_or_default(),
            };
            Some((name.clone(), coerce(param, &value).ok()?))
        })
        .collect()
}

/// A value with its texts rendered, if all of it is known.
fn rendered(value: &serde_json::Value, scope: &Scope) -> Option<serde_json::Value> {
    Some(known(value, scope)).filter(|value| !holds_unknown(value))
}

/// A resource key with its parameters filled in, if they are known.
fn filled(key: &str, arguments: &Arguments) -> Option<String> {
    let mut out = String::new();
    let mut rest = key;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}")?;
        out.push_str(before);
        match arguments.get(name.trim())? {
            // A key without its value names nothing.
            ParamValue::Text(text) if text.is_empty() => return None,
            ParamValue::Text(text) => out.push_str(text),
            ParamValue::List(items) => out.push_str(&items.join(",")),
            _ => return None,
        }
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// Whether two steps want different things: by what they call a state, else by any argument.
fn differ(one: &Arguments, two: &Arguments) -> bool {
    let other = |name: &str, value: &ParamValue| two.get(name).is_some_and(|other| other != value);
    match one.get(STATE) {
        Some(state) if two.contains_key(STATE) => other(STATE, state),
        _ => one.iter().any(|(name, value)| other(name, value)),
    }
}

/// Whether a step holds something that another one releases: that is meant to be for a while.
fn releases(plan: &Plan, held: StepIx, by: StepIx) -> bool {
    let hold = plan.steps[held.at()].hold.as_ref();
    hold.is_some_and(|hold| hold.release.contains(&by))
}
