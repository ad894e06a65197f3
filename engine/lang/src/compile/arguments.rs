//! Arguments that hold templates, as far as they are known before anything runs: what the schema or
//! the rules of a type refuse is refused here, and not in the middle of a run.

use std::collections::BTreeSet;

use runbook_model::{HostName, NodeIx, NodeKind, Plan, Step, StepType, Value};
use serde_json::Map;

use super::Compiler;
use super::hosts::Hosts;
use super::inputs::Known;
use super::states::of_instance;
use crate::diagnostic::Code;
use crate::scope::Scope;
use crate::source::Span;
use crate::steptype::{Unknown, broken, coerce, holds_unknown};
use crate::template::Template;

impl Compiler<'_> {
    /// Looks at each instance of each step that is not guarded by a `when`: what a guarded one would
    /// get may be wrong for the very reason that it is not run.
    pub(super) fn check_arguments(&mut self, plan: &Plan, hosts: &Hosts, inputs: &Known) {
        let scope = self.early_scope(hosts, inputs);
        let steps: Vec<_> = self.request.runbook.steps().map(|(_, step)| step).collect();
        let mut said = BTreeSet::new();
        for (node, ix, _) in plan.instances() {
            let step = &plan.steps[ix.at()];
            let guarded = plan.phases[step.phase as usize].when.is_some() || step.when.is_some();
            let (Some(of), Some(def)) = (plan.type_of(step), steps.get(ix.at())) else {
                continue;
            };
            if guarded || !def.with.iter().any(|entry| entry.value.has_template()) {
                continue;
            }
            for (name, why) in refused(plan, node, step, of, &scope) {
                let entry = def
                    .with
                    .iter()
                    .find(|e| Some(&e.key.value) == name.as_ref());
                let at = entry.map_or(def.uses.span, |entry| entry.value.site());
                if said.insert((ix.at(), name.clone(), why.clone())) {
                    self.refuse_argument(host_of(plan, node), name.as_deref(), &why, at);
                }
            }
        }
    }

    fn refuse_argument(
        &mut self,
        host: Option<&HostName>,
        name: Option<&str>,
        why: &str,
        at: Span,
    ) {
        let label = host.map_or(String::new(), |host| format!("on `{host}`"));
        let message = match name {
            Some(name) => format!("`{name}` {why}"),
            None => why.to_owned(),
        };
        self.error(Code::BadParameter, message, at, &label, None);
    }
}

fn host_of(plan: &Plan, node: NodeIx) -> Option<&HostName> {
    match plan.nodes.get(node.at()).map(|node| &node.kind) {
        Some(NodeKind::Instance { host, .. }) => Some(host),
        _ => None,
    }
}

/// What is wrong with the arguments of an instance, each with the parameter that it is about.
fn refused(
    plan: &Plan,
    node: NodeIx,
    step: &Step,
    of: &StepType,
    scope: &Scope,
) -> Vec<(Option<String>, String)> {
    let scope = of_instance(plan, node, scope);
    let mut wrong = Vec::new();
    let mut given = Map::new();
    for (name, param) in &of.params {
        let value = match step.with.get(name) {
            Some(value) => known(value, &scope),
            None => param.default.clone().unwrap_or_default(),
        };
        let is_given = step.with.contains_key(name);
        if is_given
            && !holds_unknown(&value)
            && let Err(why) = coerce(param, &value)
        {
            wrong.push((Some(name.clone()), why));
        }
        if !value.is_null() {
            given.insert(name.clone(), value);
        }
    }
    if wrong.is_empty() {
        wrong.extend(broken(of, given).into_iter().map(|why| (None, why)));
    }
    wrong
}

/// A value with its texts rendered, and [`Unknown`] in the place of those that cannot be yet.
pub(super) fn known(value: &Value, scope: &Scope) -> Value {
    match value {
        Value::String(text) => Template::parse(text)
            .ok()
            .filter(|template| {
                // What stands in for a value that is not there yet, does so only until it is.
                let mut references = template.references().iter();
                references.all(|reference| scope.get(&reference.path).is_some())
            })
            .and_then(|template| template.render(scope).ok())
            .unwrap_or_else(|| Unknown.into()),
        Value::Array(items) => items.iter().map(|item| known(item, scope)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), known(value, scope)))
            .collect::<Map<_, _>>()
            .into(),
        plain => plain.clone(),
    }
}
