//! What the dispatcher's questions mean: conditions, variables and gates of the plan, answered by
//! the language.

mod gate;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use runbook_lang::evaluate::{Context, EvaluateError, Evaluator, assert_checks};
use runbook_lang::steptype::{ParamValue, coerce};
use runbook_lang::value::{Date, parse_duration};
use runbook_model::resource;
use runbook_model::step::Expr;
use runbook_model::step_type::TypeKind;
use runbook_model::{
    Failure, FailureKind, HostName, Millis, NodeIx, Plan, RunState, Step, StepId, StepIx, Value,
};
use serde_json::Map;

use crate::rules::{Keys, Question, Rules};

/// The plan's own meaning.
#[derive(Clone)]
pub struct Meaning {
    plan: Arc<Plan>,
    evaluator: Rc<Evaluator>,
}

impl Meaning {
    /// Joins a plan with what evaluates its texts.
    #[must_use]
    pub fn new(plan: Arc<Plan>, evaluator: Rc<Evaluator>) -> Self {
        Self { plan, evaluator }
    }

    fn instance(&self, node: NodeIx) -> Result<(&Step, &HostName), Failure> {
        self.plan
            .instance(node)
            .ok_or_else(|| Failure::new(FailureKind::Value, "the plan has no such instance"))
    }

    fn truth(
        &self,
        what: &str,
        expr: &Expr,
        context: Context<'_>,
        state: &RunState,
    ) -> Result<bool, Failure> {
        self.evaluator
            .truth(what, &expr.text, context, state)
            .map_err(no_value)
    }

    /// A resource key with its parameters filled in, if they have values. What is secret stays out of
    /// it, so that the key stands for all that it could be.
    fn filled(&self, key: &str, node: NodeIx, step: &Step, state: &RunState) -> Option<String> {
        let params = &self.plan.type_of(step)?.params;
        resource::filled(key, |name| {
            let param = params.get(name)?;
            if param.secret {
                return Some(String::new());
            }
            let context = self.evaluator.context(node);
            let value = match step.with.get(name) {
                Some(value) => self
                    .evaluator
                    .render_all(name, value, context, state)
                    .ok()?,
                None => Value::Null,
            };
            in_key(&coerce(param, &value).ok()?)
        })
    }

    fn shown(&self, id: &str, state: &RunState) -> Option<(String, Value)> {
        let (step, _) = self.plan.step(id)?;
        Some((id.to_owned(), outputs_by_host(&self.plan, step, state)))
    }
}

/// A value as a part of a resource key; a key without its value names nothing.
pub(crate) fn in_key(value: &ParamValue) -> Option<String> {
    match value {
        ParamValue::Text(text) if text.is_empty() => None,
        ParamValue::Text(text) => Some(text.clone()),
        ParamValue::List(words) => Some(words.join(",")),
        ParamValue::Map(_) => None,
    }
}

/// The outputs of a step: those of its single instance, or a map by host.
#[must_use]
pub fn outputs_by_host(plan: &Plan, step: StepIx, state: &RunState) -> Value {
    let outputs = |node: NodeIx| -> Value {
        let outputs = state
            .node(node)
            .map(|n| n.outputs.clone())
            .unwrap_or_default();
        Value::Object(outputs.into_iter().collect())
    };
    let instances: Vec<_> = plan.instances_of(step).collect();
    match instances.as_slice() {
        [(node, _)] => outputs(*node),
        many => Value::Object(
            many.iter()
                .map(|(node, host)| {
                    // `pull@db01` is `db01`, `smoke:eu@control` is `eu@control`.
                    let name = plan.nodes.get(node.at()).map(|node| node.id.as_str());
                    let of_step = |id: &StepId| name?.strip_prefix(id.as_str())?.get(1..);
                    let name = plan.step_id(step).and_then(of_step);
                    (name.unwrap_or(host.as_str()).to_owned(), outputs(*node))
                })
                .collect::<Map<_, _>>(),
        ),
    }
}

fn no_value(error: EvaluateError) -> Failure {
    Failure::new(FailureKind::Value, error.to_string())
}

impl Rules for Meaning {
    fn when(&self, node: NodeIx, state: &RunState) -> Result<bool, Failure> {
        let (step, _) = self.instance(node)?;
        match &step.when {
            Some(expr) => self.truth("when", expr, self.evaluator.context(node), state),
            None => Ok(true),
        }
    }

    fn phase_when(&self, phase: u32, state: &RunState) -> Result<bool, Failure> {
        match self
            .plan
            .phases
            .get(phase as usize)
            .and_then(|phase| phase.when.as_ref())
        {
            Some(expr) => self.truth("when", expr, Context::default(), state),
            None => Ok(true),
        }
    }

    fn done_when(&self, state: &RunState) -> Result<bool, Failure> {
        match &self.plan.done_when {
            Some(expr) => self.truth("done_when", expr, Context::default(), state),
            None => Ok(false),
        }
    }

    fn vars(&self, state: &RunState) -> Vec<(String, Value)> {
        // A variable without a value is an error where it is read, with a place to point at.
        let new = self.evaluator.new_vars(state);
        new.into_iter()
            .filter_map(|(name, value)| Some((name, value.ok()?)))
            .collect()
    }

    fn expect(
        &self,
        node: NodeIx,
        outputs: &BTreeMap<String, Value>,
        state: &RunState,
    ) -> Result<bool, Failure> {
        let (step, _) = self.instance(node)?;
        let context = Context {
            outputs: Some(outputs),
            ..self.evaluator.context(node)
        };
        match &step.expect {
            Some(expr) => self.truth("expect", expr, context, state),
            None => Ok(true),
        }
    }

    fn fatal(
        &self,
        node: NodeIx,
        outputs: &BTreeMap<String, Value>,
        state: &RunState,
    ) -> Result<bool, Failure> {
        let (step, _) = self.instance(node)?;
        let context = Context {
            outputs: Some(outputs),
            ..self.evaluator.context(node)
        };
        match step.until.as_ref().and_then(|until| until.fatal.as_ref()) {
            Some(expr) => self.truth("fatal", expr, context, state),
            None => Ok(false),
        }
    }

    fn assert(&self, node: NodeIx, state: &RunState) -> Result<(), Failure> {
        let (step, _) = self.instance(node)?;
        let context = self.evaluator.context(node);
        let mut broken = Vec::new();
        for (check, message) in assert_checks(step) {
            if self
                .evaluator
                .truth("check", check, context, state)
                .map_err(no_value)?
            {
                continue;
            }
            let message = self
                .evaluator
                .render("message", message, context, state)
                .map_err(no_value)?;
            broken.push(
                message
                    .as_str()
                    .map_or_else(|| message.to_string(), str::to_owned),
            );
        }
        if broken.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(FailureKind::Assert, broken.join("; ")))
        }
    }

    fn wait_until(&self, node: NodeIx, since: Millis, state: &RunState) -> Result<Millis, Failure> {
        let (step, _) = self.instance(node)?;
        let text = |name: &str| {
            let value = step.with.get(name);
            let value = value.map(|value| {
                let context = self.evaluator.context(node);
                self.evaluator
                    .render_all(&format!("with: {name}"), value, context, state)
                    .map_err(no_value)
            });
            value.transpose()
        };
        let wrong =
            |why: String| Failure::new(FailureKind::Value, format!("what it waits for {why}"));
        if let Some(Value::String(text)) = text("for")? {
            let lasts = parse_duration(&text).map_err(wrong)?;
            return Ok(since.saturating_add(Millis::try_from(lasts).unwrap_or(Millis::MAX)));
        }
        match text("until")? {
            Some(Value::String(text)) => Date::parse(&text)
                .map(|date| date.at().as_millisecond())
                .map_err(wrong),
            _ => Err(wrong("has neither `for` nor `until`".into())),
        }
    }

    fn reaches(&self, node: NodeIx, state: &RunState) -> Vec<HostName> {
        let Ok((step, _)) = self.instance(node) else {
            return Vec::new();
        };
        if self
            .plan
            .type_of(step)
            .is_none_or(|of| of.kind != TypeKind::Copy)
        {
            return Vec::new();
        }
        let context = self.evaluator.context(node);
        let end = |name: &str| {
            let value = step.with.get(name)?;
            let value = self.evaluator.render_all(name, value, context, state);
            // What an earlier step says first names a host of that step, which is reached anyway.
            let text = value.ok()?.as_str()?.to_owned();
            let (host, _) = text.split_once(':').filter(|_| !text.starts_with('/'))?;
            HostName::new(host).ok()
        };
        ["from", "to"].into_iter().filter_map(end).collect()
    }

    fn keys(&self, node: NodeIx, state: &RunState) -> Keys {
        let Ok((step, _)) = self.instance(node) else {
            return Keys::default();
        };
        let Some(of) = self.plan.type_of(step) else {
            return Keys::default();
        };
        let filled = |keys: &[String]| {
            let keys = keys.iter();
            keys.filter_map(|key| self.filled(key, node, step, state))
                .collect()
        };
        Keys {
            written: filled(&of.writes),
            read: filled(&of.reads),
        }
    }

    fn known(&self, node: NodeIx, state: &RunState) -> bool {
        let of = self.plan.instance(node);
        let of = of.and_then(|(step, _)| self.plan.type_of(step));
        of.is_some_and(|of| !of.gives_secrets())
            && self.evaluator.arguments(node, state).is_ok()
            && self.evaluator.chdir(node, state).is_ok()
    }

    fn chains(&self, node: NodeIx, state: &RunState) -> bool {
        crate::driver::chains(&self.plan, &self.evaluator, node, state)
    }

    fn question(&self, node: NodeIx, state: &RunState) -> Result<Question, Failure> {
        let (step, _) = self.instance(node)?;
        let context = self.evaluator.context(node);
        let message = match step.with.get("message").or(step.with.get("text")) {
            Some(value) => self
                .evaluator
                .render_all("with: message", value, context, state)
                .map_err(no_value)?,
            None => Value::from(""),
        };
        let show = step
            .with
            .get("show")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        Ok(Question {
            message: message
                .as_str()
                .map_or_else(|| message.to_string(), str::to_owned),
            shown: show
                .iter()
                .filter_map(|id| self.shown(id.as_str()?, state))
                .collect(),
            terms: self.terms(node, step, state)?,
        })
    }
}
