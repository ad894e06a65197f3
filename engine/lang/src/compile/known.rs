//! Values that are known before anything runs: inputs, and variables that hang on nothing else.
//! They decide who runs what, for which items, and as whom.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Compiler;
use super::hosts::Hosts;
use super::inputs::Known;
use crate::ast::{Runbook, VarValue};
use crate::condition::Condition;
use crate::scope::{EvalError, Reference, Scope, Segment};
use crate::template::Template;

/// What each variable reads; none of one whose text does not parse.
fn references(runbook: &Runbook) -> BTreeMap<&str, Vec<Reference>> {
    let mut out: BTreeMap<&str, Vec<Reference>> = BTreeMap::new();
    for var in &runbook.vars {
        let read = match &var.value {
            VarValue::Literal(_) => Some(Vec::new()),
            VarValue::Template(text) => Template::parse(&text.value)
                .ok()
                .map(|template| template.references().to_vec()),
            VarValue::Cel(text) => Condition::parse(&text.value)
                .ok()
                .map(|condition| condition.references().to_vec()),
        };
        if let Some(read) = read {
            out.insert(&var.name.value, read);
        }
    }
    out
}

/// The variables that have no value when a step has no outputs: they read some without a default.
pub(super) fn bare_vars(runbook: &Runbook) -> BTreeSet<String> {
    let open = references(runbook);
    let mut bare: BTreeSet<String> = BTreeSet::new();
    loop {
        let is_bare = |reference: &Reference| match reference.root() {
            _ if reference.guarded => false,
            "steps" => {
                let mut path = reference.path.iter().skip(2);
                path.any(|segment| segment.name() == Some("outputs"))
            }
            "vars" => {
                let name = reference.path.get(1).and_then(Segment::name);
                name.is_some_and(|name| bare.contains(name))
            }
            _ => false,
        };
        let next: Vec<String> = open
            .iter()
            .filter(|(name, read)| !bare.contains(**name) && read.iter().any(is_bare))
            .map(|(name, _)| (*name).to_owned())
            .collect();
        if next.is_empty() {
            return bare;
        }
        bare.extend(next);
    }
}

/// The variables that read nothing but inputs, groups and each other.
pub(super) fn early_vars(runbook: &Runbook) -> BTreeSet<String> {
    let open = references(runbook);
    let mut early = BTreeSet::new();
    loop {
        let is_early = |reference: &Reference| match reference.root() {
            "inputs" | "groups" => true,
            "vars" => reference
                .path
                .get(1)
                .and_then(Segment::name)
                .is_some_and(|name| early.contains(name)),
            _ => false,
        };
        let next: Vec<String> = open
            .iter()
            .filter(|(name, read)| !early.contains(**name) && read.iter().all(is_early))
            .map(|(name, _)| (*name).to_owned())
            .collect();
        if next.is_empty() {
            return early;
        }
        early.extend(next);
    }
}

/// A variable that waits for others.
enum Early {
    Template(Template),
    Cel(Condition),
}

impl Early {
    fn read(value: &VarValue) -> Option<Self> {
        match value {
            VarValue::Literal(_) => None,
            VarValue::Template(text) => Template::parse(&text.value).ok().map(Self::Template),
            VarValue::Cel(text) => Condition::parse(&text.value).ok().map(Self::Cel),
        }
    }

    /// Its value, once what it reads is there.
    fn value(&self, scope: &Scope) -> Option<Value> {
        match self {
            Self::Template(template) => template.render(scope).ok(),
            Self::Cel(condition) => condition.evaluate(scope).ok(),
        }
    }
}

impl Compiler<'_> {
    /// The scope of what is decided before anything runs.
    pub(super) fn early_scope(&self, hosts: &Hosts, inputs: &Known) -> Scope {
        let mut scope = Scope::new();
        scope.set_inputs(&inputs.scope);
        scope.set_groups(groups(hosts));
        let runbook = self.request.runbook;
        let early = early_vars(runbook);
        let mut vars = self.literals();
        scope.set_vars(vars.clone());
        let waits = |name: &str| early.contains(name) && !vars.contains_key(name);
        let mut open: Vec<(&str, Early)> = runbook
            .vars
            .iter()
            .filter(|var| waits(&var.name.value))
            .filter_map(|var| Some((var.name.value.as_str(), Early::read(&var.value)?)))
            .collect();
        // Each round takes at least one variable that reads those of the rounds before.
        loop {
            let before = open.len();
            open.retain(|(name, var)| match var.value(&scope) {
                Some(value) => {
                    vars.insert((*name).to_owned(), value);
                    false
                }
                None => true,
            });
            if open.len() == before {
                break;
            }
            scope.set_vars(vars.clone());
        }
        scope
    }

    /// Variables that are values as they stand.
    pub(super) fn literals(&self) -> Map<String, Value> {
        let vars = self.request.runbook.vars.iter();
        vars.filter_map(|var| match &var.value {
            VarValue::Literal(node) => Some((var.name.value.clone(), node.to_value())),
            _ => None,
        })
        .collect()
    }

    /// Whether a path without a value is an input that need not be given. All others are reported
    /// with the names.
    pub(super) fn is_open_input(&self, path: &str) -> bool {
        let rest = path.strip_prefix("inputs.").unwrap_or_default();
        let name = rest.split(['.', '[']).next().unwrap_or_default();
        self.request
            .runbook
            .inputs
            .iter()
            .any(|def| def.name.value == name && !def.kind.value.is_secret())
    }

    /// Whether nothing is to be said about a text without a value: what it reads is not given yet,
    /// or is reported with the names.
    pub(super) fn is_left_out(&self, error: &EvalError, inputs: &Known) -> bool {
        let is_early = |path: &str| {
            let rest = path.strip_prefix("vars.").unwrap_or_default();
            let name = rest.split(['.', '[']).next().unwrap_or_default();
            early_vars(self.request.runbook).contains(name)
        };
        let is_incomplete = self.is_incomplete(inputs);
        error
            .missing
            .as_ref()
            .is_some_and(|path| is_incomplete || !(self.is_open_input(path) || is_early(path)))
    }

    /// Whether inputs are missing that may be, or whose absence has been reported. One that nobody
    /// has to give is no excuse for a step that would run nowhere.
    fn is_incomplete(&self, inputs: &Known) -> bool {
        let is_missing = |name: &str| {
            let input = inputs.plan.get(name);
            input.is_some_and(|input| input.value.is_none() && input.secret.is_none())
        };
        let runbook = self.request.runbook;
        let mut required = runbook.inputs.iter().filter(|def| def.required);
        inputs.incomplete
            && (self.request.allow_missing || required.any(|def| is_missing(&def.name.value)))
    }
}

/// The groups as texts see them: from group to host to its variables.
fn groups(hosts: &Hosts) -> Map<String, Value> {
    let member = |name: &runbook_model::HostName| {
        let vars = hosts.by_name.get(name).map(|host| host.vars.clone());
        let vars: Map<String, Value> = vars.unwrap_or_default().into_iter().collect();
        (name.to_string(), Value::Object(vars))
    };
    let groups = hosts.groups.iter().map(|(name, of)| {
        let of: Map<String, Value> = of.iter().map(member).collect();
        (name.clone(), Value::Object(of))
    });
    let all: Map<String, Value> = hosts.order.iter().map(member).collect();
    groups
        .chain([("all".to_owned(), Value::Object(all))])
        .collect()
}
