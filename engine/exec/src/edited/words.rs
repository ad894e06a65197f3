//! Values of the texts of two plans, before and after a change. Secrets are not read for that: what
//! one is called stands for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_lang::evaluate::{EvaluateError, Evaluator};
use runbook_model::{NodeIx, Plan, RunState, Value};

/// Gives values to the texts of two plans.
pub struct Words {
    old: Evaluator,
    new: Evaluator,
}

impl Words {
    /// Parses every text of both plans.
    ///
    /// # Errors
    /// A text that cannot be parsed.
    pub fn new(old: &Plan, new: &Plan) -> Result<Self, EvaluateError> {
        Ok(Self {
            old: evaluator(old)?,
            new: evaluator(new)?,
        })
    }

    pub(super) fn before(&self, node: NodeIx, value: &Value, state: &RunState) -> Option<Value> {
        rendered(&self.old, node, value, state)
    }

    pub(super) fn after(&self, node: NodeIx, value: &Value, state: &RunState) -> Option<Value> {
        rendered(&self.new, node, value, state)
    }

    /// Gives the variables of the new plan their values, as far as they are known.
    pub(super) fn take_vars(&self, state: &mut RunState) {
        loop {
            let known = self.new.new_vars(state).into_iter();
            let known: Vec<_> = known
                .filter_map(|(name, v)| Some((name, v.ok()?)))
                .collect();
            if known.is_empty() {
                return;
            }
            state.vars.extend(known);
        }
    }
}

fn rendered(of: &Evaluator, node: NodeIx, value: &Value, state: &RunState) -> Option<Value> {
    of.render_all("with", value, of.context(node), state).ok()
}

fn evaluator(plan: &Plan) -> Result<Evaluator, EvaluateError> {
    let secret = plan
        .inputs
        .iter()
        .filter(|(_, input)| input.value.is_none());
    let named: BTreeMap<String, String> = secret
        .map(|(name, _)| (name.clone(), format!("the secret {name}")))
        .collect();
    Evaluator::new(Arc::new(plan.clone()), &named, "run", "/run")
}
