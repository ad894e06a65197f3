//! Meaning of a plan's texts during a run: conditions, templates, variables and arguments, against
//! the state that has been reached. Pure: the same plan and state give the same answer.

mod instance;
mod secret;
mod view;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_model::plan::Var;
use runbook_model::step::Expr;
use runbook_model::{HostName, NodeIx, Plan, RunState, Step, StepIx, Value};
use serde_json::{Map, json};

use crate::condition::Condition;
use crate::scope::{EvalError, Inputs, Reference, Segment, Shared};
use crate::steptype::GATE_APPROVE;
use crate::template::Template;
use crate::value::InputType;

pub use instance::Argument;
use view::{Instances, groups, host_vars, window};

/// A text that has no value now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {message}")]
pub struct EvaluateError {
    /// Which text: `when`, `with: image`, `vars.state`.
    pub what: String,
    /// Why; never repeats a value.
    pub message: String,
    /// Something that it reads is not there yet, rather than wrong.
    pub missing: bool,
}

/// Evaluates the texts of one plan.
pub struct Evaluator {
    plan: Arc<Plan>,
    secrets: Vec<String>,
    inputs: Inputs,
    groups: Shared,
    hosts: BTreeMap<HostName, Shared>,
    window: Shared,
    instances: Vec<Instances>,
    run_id: String,
    run_dir: String,
    /// Secret outputs of instances.
    kept: RefCell<BTreeMap<NodeIx, BTreeMap<String, Value>>>,
    templates: BTreeMap<String, Template>,
    conditions: BTreeMap<String, Condition>,
}

/// Whose text is evaluated, and with which outputs of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The host of the instance.
    pub host: Option<&'a HostName>,
    /// What the instance is for, of a step with `for_each`.
    pub item: Option<&'a Value>,
    /// The step's own outputs.
    pub outputs: Option<&'a BTreeMap<String, Value>>,
}

impl Evaluator {
    /// Parses every text of the plan.
    ///
    /// # Errors
    /// A text that cannot be parsed: the plan was not written by this language.
    pub fn new(
        plan: Arc<Plan>,
        secrets: &BTreeMap<String, String>,
        run_id: &str,
        run_dir: &str,
    ) -> Result<Self, EvaluateError> {
        let inputs = plan.inputs.iter().filter_map(|(name, input)| {
            let kind: InputType = serde_json::from_value(input.kind.clone()).ok()?;
            let value = input
                .value
                .clone()
                .or_else(|| secrets.get(name).cloned().map(Value::String))?;
            Some((name.clone(), (kind, value)))
        });
        let is_secret = |name: &&String| {
            plan.inputs
                .get(*name)
                .is_some_and(|input| input.value.is_none())
        };
        let mut evaluator = Self {
            secrets: secrets
                .keys()
                .filter(is_secret)
                .map(|name| secrets[name].clone())
                .collect(),
            inputs: Inputs::new(inputs),
            groups: groups(&plan),
            hosts: plan
                .hosts
                .keys()
                .map(|name| (name.clone(), host_vars(&plan, name)))
                .collect(),
            window: window(&plan),
            instances: Instances::all(&plan),
            run_id: run_id.to_owned(),
            run_dir: run_dir.to_owned(),
            kept: RefCell::default(),
            templates: BTreeMap::new(),
            conditions: BTreeMap::new(),
            plan: Arc::clone(&plan),
        };
        let control = HostName::control();
        evaluator
            .hosts
            .entry(control)
            .or_insert_with(|| json!({ "name": "control" }).into());
        evaluator.parse_all(&plan)?;
        Ok(evaluator)
    }

    /// The values of secrets, for whoever takes them out of what scripts print.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    fn parse_all(&mut self, plan: &Plan) -> Result<(), EvaluateError> {
        let own = [plan.done_when.as_ref()].into_iter().flatten();
        let of_phases = plan.phases.iter().filter_map(|phase| phase.when.as_ref());
        let of_steps = plan.steps.iter().flat_map(|step| {
            let fatal = step.until.as_ref().and_then(|until| until.fatal.as_ref());
            [step.when.as_ref(), step.expect.as_ref(), fatal]
                .into_iter()
                .flatten()
        });
        let mut conditions: Vec<&Expr> = own.chain(of_phases).chain(of_steps).collect();
        let mut texts: Vec<&str> = plan
            .steps
            .iter()
            .flat_map(|step| [step.no_return.as_ref(), step.chdir.as_ref()])
            .flatten()
            .map(|e| e.text.as_str())
            .collect();
        for var in plan.vars.values() {
            match var {
                Var::Cel(expr) => conditions.push(expr),
                Var::Template(expr) => texts.push(&expr.text),
                Var::Literal(_) => {}
            }
        }
        for expr in conditions {
            self.add_condition(&expr.text)?;
        }
        for text in texts {
            self.add_template(text)?;
        }
        for step in &plan.steps {
            for value in step.with.values() {
                for text in strings(value) {
                    self.add_template(text)?;
                }
            }
            for check in assert_checks(step) {
                self.add_condition(check.0)?;
            }
            if let Some(deadline) = deadline(step) {
                self.add_condition(deadline)?;
            }
        }
        Ok(())
    }

    fn add_condition(&mut self, text: &str) -> Result<(), EvaluateError> {
        let parsed = Condition::parse(text).map_err(|e| unparsable("condition", &e.message))?;
        self.conditions.insert(text.to_owned(), parsed);
        Ok(())
    }

    fn add_template(&mut self, text: &str) -> Result<(), EvaluateError> {
        // Conditions of an assert are texts too, and no templates: what does not parse is literal
        // only there, and the compiler has seen all the others.
        if let Ok(parsed) = Template::parse(text) {
            self.templates.insert(text.to_owned(), parsed);
        }
        Ok(())
    }

    /// The truth of a condition.
    ///
    /// # Errors
    /// It reads what is not there, or is not a truth value.
    pub fn truth(
        &self,
        what: &str,
        text: &str,
        context: Context<'_>,
        state: &RunState,
    ) -> Result<bool, EvaluateError> {
        let condition = self.condition(what, text)?;
        let scope = self.scope(condition.references(), context, state, false);
        condition
            .truth(&scope)
            .map_err(|error| self.failed(what, error, state))
    }

    /// The value of an expression: of a deadline, say.
    ///
    /// # Errors
    /// It reads what is not there.
    pub fn value(
        &self,
        what: &str,
        text: &str,
        context: Context<'_>,
        state: &RunState,
    ) -> Result<Value, EvaluateError> {
        let condition = self.condition(what, text)?;
        let scope = self.scope(condition.references(), context, state, false);
        condition
            .evaluate(&scope)
            .map_err(|error| self.failed(what, error, state))
    }

    /// The value of a template.
    ///
    /// # Errors
    /// It reads what is not there.
    pub fn render(
        &self,
        what: &str,
        text: &str,
        context: Context<'_>,
        state: &RunState,
    ) -> Result<Value, EvaluateError> {
        self.rendered(what, text, context, state, false)
    }

    /// With `secrets`, the text sees secret outputs, and its value is a secret too.
    fn rendered(
        &self,
        what: &str,
        text: &str,
        context: Context<'_>,
        state: &RunState,
        secrets: bool,
    ) -> Result<Value, EvaluateError> {
        let Some(template) = self.templates.get(text) else {
            return Err(unparsable(what, "the text is not part of the plan"));
        };
        let scope = self.scope(template.references(), context, state, secrets);
        template
            .render(&scope)
            .map_err(|error| self.failed(what, error, state))
    }

    /// A value with every text in it rendered.
    ///
    /// # Errors
    /// A text reads what is not there.
    pub fn render_all(
        &self,
        what: &str,
        value: &Value,
        context: Context<'_>,
        state: &RunState,
    ) -> Result<Value, EvaluateError> {
        self.rendered_all(what, value, context, state, false)
    }

    fn rendered_all(
        &self,
        what: &str,
        value: &Value,
        context: Context<'_>,
        state: &RunState,
        secrets: bool,
    ) -> Result<Value, EvaluateError> {
        Ok(match value {
            Value::String(text) => self.rendered(what, text, context, state, secrets)?,
            Value::Array(items) => {
                let items = items
                    .iter()
                    .map(|item| self.rendered_all(what, item, context, state, secrets));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let mut out = Map::new();
                for (key, value) in map {
                    let value = self.rendered_all(what, value, context, state, secrets)?;
                    out.insert(key.clone(), value);
                }
                Value::Object(out)
            }
            plain => plain.clone(),
        })
    }

    /// Variables that are not taken yet and whose references are all known.
    pub fn new_vars(&self, state: &RunState) -> Vec<(String, Result<Value, EvaluateError>)> {
        let open = self
            .plan
            .vars
            .iter()
            .filter(|(name, _)| !state.vars.contains_key(*name) && self.is_known(name, state));
        open.map(|(name, var)| (name.clone(), self.take(name, var, state)))
            .collect()
    }

    fn take(&self, name: &str, var: &Var, state: &RunState) -> Result<Value, EvaluateError> {
        let what = format!("vars.{name}");
        match var {
            Var::Literal(value) => Ok(value.clone()),
            Var::Template(expr) => self.render(&what, &expr.text, Context::default(), state),
            Var::Cel(expr) => self.value_of(&what, &expr.text, Context::default(), state),
        }
    }

    /// A variable that could not be taken says why, where it is read.
    fn failed(&self, what: &str, error: EvalError, state: &RunState) -> EvaluateError {
        let var = error
            .missing
            .as_deref()
            .and_then(|path| path.strip_prefix("vars."));
        let var = var.and_then(|rest| {
            self.plan
                .vars
                .get_key_value(rest.split(['.', '[']).next().unwrap_or_default())
        });
        let cause =
            var.filter(|(name, _)| !state.vars.contains_key(*name) && self.is_known(name, state));
        match cause.map(|(name, var)| self.take(name, var, state)) {
            Some(Err(cause)) => EvaluateError {
                what: what.to_owned(),
                message: cause.to_string(),
                missing: cause.missing,
            },
            _ => EvaluateError {
                what: what.to_owned(),
                missing: error.missing.is_some(),
                message: error.message,
            },
        }
    }

    fn value_of(
        &self,
        what: &str,
        text: &str,
        context: Context<'_>,
        state: &RunState,
    ) -> Result<Value, EvaluateError> {
        let condition = self.condition(what, text)?;
        let scope = self.scope(condition.references(), context, state, false);
        condition
            .evaluate(&scope)
            .map_err(|error| self.failed(what, error, state))
    }

    fn is_known(&self, var: &str, state: &RunState) -> bool {
        self.var_references(var)
            .iter()
            .all(|reference| match names(reference).as_slice() {
                ["vars", name, ..] => state.vars.contains_key(*name),
                ["steps", step, ..] => self
                    .plan
                    .step(step)
                    .is_some_and(|(ix, _)| self.has_ended(ix, state)),
                _ => true,
            })
    }

    /// What a variable reads.
    fn var_references(&self, var: &str) -> Vec<Reference> {
        match self.plan.vars.get(var) {
            Some(Var::Template(expr)) => self
                .templates
                .get(&expr.text)
                .map(|t| t.references().to_vec())
                .unwrap_or_default(),
            Some(Var::Cel(expr)) => self
                .conditions
                .get(&expr.text)
                .map(|c| c.references().to_vec())
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    fn has_ended(&self, step: StepIx, state: &RunState) -> bool {
        self.instances.get(step.at()).is_none_or(|of| {
            of.nodes().all(|node| {
                state
                    .node(node)
                    .is_some_and(|n| n.is_done() && n.is_success())
            })
        })
    }

    fn condition(&self, what: &str, text: &str) -> Result<&Condition, EvaluateError> {
        self.conditions
            .get(text)
            .ok_or_else(|| unparsable(what, "the text is not part of the plan"))
    }
}

/// The expression that is the deadline of a gate.
fn deadline(step: &Step) -> Option<&str> {
    let is_gate = step.uses == GATE_APPROVE;
    let deadline = step.with.get("deadline").filter(|_| is_gate);
    deadline.and_then(Value::as_str)
}

/// The conditions of an assert, each with its message.
#[must_use]
pub fn assert_checks(step: &Step) -> Vec<(&str, &str)> {
    if step.uses != crate::steptype::ASSERT {
        return Vec::new();
    }
    let all = step
        .with
        .get("all")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    all.iter()
        .filter_map(|entry| {
            Some((
                entry.get("check")?.as_str()?,
                entry.get("message")?.as_str()?,
            ))
        })
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(map) => map.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

fn names(reference: &Reference) -> Vec<&str> {
    reference.path.iter().map_while(Segment::name).collect()
}

fn step_of(reference: &Reference) -> Option<&str> {
    match names(reference).as_slice() {
        ["steps", step, ..] => Some(step),
        _ => None,
    }
}

fn unparsable(what: &str, message: &str) -> EvaluateError {
    EvaluateError {
        what: what.to_owned(),
        message: message.to_owned(),
        missing: false,
    }
}

#[cfg(test)]
mod tests;
