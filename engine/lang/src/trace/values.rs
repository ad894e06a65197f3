//! What texts give before anything runs: everything that hangs on inputs, literal variables and the
//! inventory. What hangs on a run is said to be known later, and what hangs on a secret is secret.

use std::cell::RefCell;
use std::collections::BTreeMap;

use runbook_model::plan::Var;
use runbook_model::trace::Known;
use runbook_model::{HostName, NodeIx, NodeKind, Plan, Value};
use serde_json::Map;

use super::{Language, references};
use crate::condition::Condition;
use crate::scope::{Inputs, Reference, Scope, Segment, Shared};
use crate::template::Template;
use crate::value::InputType;

/// Variables that read each other are followed so far: a circle was refused when the plan was made.
const DEEPEST: usize = 32;

pub(super) struct Values<'a> {
    plan: &'a Plan,
    inputs: Inputs,
    groups: Shared,
    window: Shared,
    vars: RefCell<BTreeMap<String, Known>>,
}

impl<'a> Values<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let inputs = plan.inputs.iter().filter_map(|(name, input)| {
            let kind: InputType = serde_json::from_value(input.kind.clone()).ok()?;
            Some((name.clone(), (kind, input.value.clone()?)))
        });
        let window = plan.window.as_ref();
        let window = window.and_then(|w| serde_json::to_value(w).ok());
        Self {
            inputs: Inputs::new(inputs),
            groups: groups(plan).into(),
            window: window.unwrap_or_else(|| Map::new().into()).into(),
            vars: RefCell::default(),
            plan,
        }
    }

    /// The value for each instance; those with the same value share one entry. Without instances
    /// it is taken where no host is known.
    pub(super) fn of(
        &self,
        written: &Value,
        is_condition: bool,
        secret: bool,
        references: &[Reference],
        instances: &[NodeIx],
    ) -> Vec<(Vec<NodeIx>, Known)> {
        let mut out: Vec<(Vec<NodeIx>, Known)> = Vec::new();
        for node in instances {
            let known = match secret || self.reads_secret(references, 0) {
                true => Known::Secret,
                false => self.value(written, is_condition, references, Some(*node), 0),
            };
            match out.iter_mut().find(|(_, value)| *value == known) {
                Some((nodes, _)) => nodes.push(*node),
                None => out.push((vec![*node], known)),
            }
        }
        out
    }

    /// What a reference is, for an instance.
    pub(super) fn reference(&self, reference: &Reference, node: Option<NodeIx>) -> Known {
        let all = std::slice::from_ref(reference);
        if self.reads_secret(all, 0) {
            return Known::Secret;
        }
        if is_late(reference) || !self.vars_are_known(all, 0) {
            return Known::Later;
        }
        match self.scope(all, node, 0).get(&reference.path) {
            Some(value) => Known::Value(value),
            None => Known::Later,
        }
    }

    /// What a variable is.
    pub(super) fn var(&self, name: &str, depth: usize) -> Known {
        if let Some(known) = self.vars.borrow().get(name) {
            return known.clone();
        }
        let known = match self.plan.vars.get(name) {
            Some(Var::Literal(value)) => Known::Value(value.clone()),
            Some(Var::Template(expr)) => self.of_var(&expr.text, false, depth),
            Some(Var::Cel(expr)) => self.of_var(&expr.text, true, depth),
            None => Known::Later,
        };
        self.vars
            .borrow_mut()
            .insert(name.to_owned(), known.clone());
        known
    }

    fn of_var(&self, text: &str, is_condition: bool, depth: usize) -> Known {
        if depth > DEEPEST {
            return Known::Later;
        }
        let language = match is_condition {
            true => Language::Condition,
            false => Language::Template,
        };
        let text = Value::String(text.to_owned());
        let found = references(&text, language);
        match self.reads_secret(&found, depth + 1) {
            true => Known::Secret,
            false => self.value(&text, is_condition, &found, None, depth + 1),
        }
    }

    fn value(
        &self,
        written: &Value,
        is_condition: bool,
        references: &[Reference],
        node: Option<NodeIx>,
        depth: usize,
    ) -> Known {
        if references.iter().any(is_late) || !self.vars_are_known(references, depth) {
            return Known::Later;
        }
        let scope = self.scope(references, node, depth);
        let value = match (is_condition, written) {
            (true, Value::String(text)) => Condition::parse(text)
                .ok()
                .and_then(|condition| condition.evaluate(&scope).ok()),
            _ => render(written, &scope),
        };
        value.map_or(Known::Later, Known::Value)
    }

    fn vars_are_known(&self, references: &[Reference], depth: usize) -> bool {
        names(references, "vars").all(|name| matches!(self.var(name, depth), Known::Value(_)))
    }

    fn reads_secret(&self, references: &[Reference], depth: usize) -> bool {
        let secret_input = |name: &str| {
            let input = self.plan.inputs.get(name);
            input.is_some_and(|i| i.secret.is_some() || is_secret_type(&i.kind))
        };
        let secret_output = |reference: &Reference| {
            let mut path = reference.path.iter().map_while(Segment::name);
            let step = match (path.next(), path.next()) {
                (Some("steps"), Some(step)) => self.plan.step(step),
                _ => None,
            };
            let outputs = step
                .and_then(|(_, s)| self.plan.type_of(s))
                .map(|t| &t.outputs);
            // Whatever stands behind `on[…]`: the name of a secret output anywhere in the path.
            outputs.is_some_and(|outputs| {
                let names = reference.path.iter().filter_map(Segment::name);
                names
                    .filter_map(|name| outputs.get(name))
                    .any(|output| output.secret)
            })
        };
        names(references, "inputs").any(secret_input)
            || references.iter().any(secret_output)
            || depth <= DEEPEST
                && names(references, "vars").any(|name| self.var(name, depth) == Known::Secret)
    }

    fn scope(&self, references: &[Reference], node: Option<NodeIx>, depth: usize) -> Scope {
        let mut scope = Scope::new();
        scope.set_inputs(&self.inputs);
        scope.set_groups(self.groups.clone());
        scope.set_window(self.window.clone());
        let vars: Map<String, Value> = names(references, "vars")
            .filter_map(|name| match self.var(name, depth) {
                Known::Value(value) => Some((name.to_owned(), value)),
                _ => None,
            })
            .collect();
        scope.set_vars(vars);
        let kind = node.and_then(|node| self.plan.nodes.get(node.at()));
        if let Some(NodeKind::Instance { host, item, .. }) = kind.map(|node| &node.kind) {
            scope.set_host(host_vars(self.plan, host));
            if let Some(item) = item {
                scope.set_item(item.value.clone());
            }
        }
        scope
    }
}

/// The members of a root that references name.
fn names<'r>(references: &'r [Reference], root: &'r str) -> impl Iterator<Item = &'r str> {
    references.iter().filter_map(move |reference| {
        (reference.root() == root)
            .then(|| reference.path.get(1)?.name())
            .flatten()
    })
}

fn is_secret_type(kind: &Value) -> bool {
    serde_json::from_value::<InputType>(kind.clone()).is_ok_and(|kind| kind.is_secret())
}

/// Whether only a run knows it.
fn is_late(reference: &Reference) -> bool {
    match reference.root() {
        "steps" | "run" | "outputs" => true,
        "host" => reference.path.get(1).and_then(Segment::name) == Some("facts"),
        _ => false,
    }
}

fn render(written: &Value, scope: &Scope) -> Option<Value> {
    Some(match written {
        Value::String(text) => Template::parse(text).ok()?.render(scope).ok()?,
        Value::Array(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| render(item, scope)).collect();
            Value::Array(items?)
        }
        Value::Object(map) => {
            let mut out = Map::new();
            for (key, value) in map {
                out.insert(key.clone(), render(value, scope)?);
            }
            Value::Object(out)
        }
        plain => plain.clone(),
    })
}

fn groups(plan: &Plan) -> Map<String, Value> {
    let all = plan.hosts.keys().cloned().collect::<Vec<_>>();
    let mut out = Map::new();
    for (name, hosts) in plan
        .groups
        .iter()
        .map(|(n, h)| (n.as_str(), h))
        .chain([("all", &all)])
    {
        let members = hosts
            .iter()
            .map(|host| (host.to_string(), host_vars(plan, host)));
        out.insert(name.to_owned(), Value::Object(members.collect()));
    }
    out
}

fn host_vars(plan: &Plan, name: &HostName) -> Value {
    let vars = plan.hosts.get(name).map(|host| host.vars.clone());
    let mut vars: Map<String, Value> = vars.unwrap_or_default().into_iter().collect();
    vars.entry("name").or_insert_with(|| name.as_str().into());
    Value::Object(vars)
}
