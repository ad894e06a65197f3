//! What the dispatcher's questions mean: conditions, variables and gates of the plan, answered by
//! the language.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use runbook_lang::evaluate::{Context, EvaluateError, Evaluator, assert_checks};
use runbook_model::step::Expr;
use runbook_model::{Failure, FailureKind, HostName, NodeIx, Plan, RunState, Step, StepIx, Value};
use serde_json::Map;

use crate::rules::{Question, Rules};

/// The plan's own meaning.
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

    fn shown(&self, id: &str, state: &RunState) -> Option<(String, Value)> {
        let (step, _) = self.plan.step(id)?;
        Some((id.to_owned(), outputs_by_host(&self.plan, step, state)))
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
                .map(|(node, host)| (host.to_string(), outputs(*node)))
                .collect::<Map<_, _>>(),
        ),
    }
}

fn no_value(error: EvaluateError) -> Failure {
    Failure::new(FailureKind::Value, error.to_string())
}

impl Rules for Meaning {
    fn when(&self, node: NodeIx, state: &RunState) -> Result<bool, Failure> {
        let (step, host) = self.instance(node)?;
        match &step.when {
            Some(expr) => self.truth(
                "when",
                expr,
                Context {
                    host: Some(host),
                    outputs: None,
                },
                state,
            ),
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
        let (step, host) = self.instance(node)?;
        let context = Context {
            host: Some(host),
            outputs: Some(outputs),
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
        let (step, host) = self.instance(node)?;
        let context = Context {
            host: Some(host),
            outputs: Some(outputs),
        };
        match step.until.as_ref().and_then(|until| until.fatal.as_ref()) {
            Some(expr) => self.truth("fatal", expr, context, state),
            None => Ok(false),
        }
    }

    fn assert(&self, node: NodeIx, state: &RunState) -> Result<(), Failure> {
        let (step, host) = self.instance(node)?;
        let context = Context {
            host: Some(host),
            outputs: None,
        };
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

    fn question(&self, node: NodeIx, state: &RunState) -> Result<Question, Failure> {
        let (step, host) = self.instance(node)?;
        let context = Context {
            host: Some(host),
            outputs: None,
        };
        let message = match step.with.get("message") {
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
        })
    }
}
