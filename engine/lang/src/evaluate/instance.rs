//! What an instance is run with: its arguments, its directory, and whose texts its texts are.

use runbook_model::{NodeIx, NodeKind, RunState, Value};

use super::{Context, EvaluateError, Evaluator, unparsable};
use crate::steptype::{ParamValue, coerce, hold};

/// One argument of a script, ready to be quoted.
#[derive(Clone, PartialEq, Eq)]
pub struct Argument {
    /// The parameter's name.
    pub name: String,
    /// Its value.
    pub value: ParamValue,
    /// It must not be shown, stored or put on a command line.
    pub secret: bool,
}

impl std::fmt::Debug for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.secret {
            true => write!(f, "{}=(secret)", self.name),
            false => write!(f, "{}={:?}", self.name, self.value),
        }
    }
}

impl Evaluator {
    /// Whose texts those of an instance are: its host and its item. Empty for other nodes.
    #[must_use]
    pub fn context(&self, node: NodeIx) -> Context<'_> {
        match self.plan.nodes.get(node.at()).map(|node| &node.kind) {
            Some(NodeKind::Instance { host, item, .. }) => Context {
                host: Some(host),
                item: item.as_ref().map(|item| &item.value),
                outputs: None,
            },
            _ => Context::default(),
        }
    }

    /// The arguments of an instance: given ones rendered, missing ones by default, all in the form
    /// that the parameter's schema wants.
    ///
    /// # Errors
    /// A value that is not there, or that the schema refuses.
    pub fn arguments(
        &self,
        node: NodeIx,
        state: &RunState,
    ) -> Result<Vec<Argument>, EvaluateError> {
        let Some((step, _)) = self.plan.instance(node) else {
            return Err(unparsable("with", "the plan has no such instance"));
        };
        let context = self.context(node);
        let Some(step_type) = self.plan.type_of(step) else {
            return Err(unparsable(
                "uses",
                &format!("the plan has no type `{}`", step.uses),
            ));
        };
        let mut out = Vec::with_capacity(step_type.params.len());
        let mut given = serde_json::Map::new();
        for (name, schema) in &step_type.params {
            let what = format!("with: {name}");
            let value = match step.with.get(name) {
                Some(value) => self.rendered_all(&what, value, context, state, schema.secret)?,
                None => schema.default.clone().unwrap_or(Value::Null),
            };
            if !step_type.rules.is_empty() && !value.is_null() {
                given.insert(name.clone(), value.clone());
            }
            let value = coerce(schema, &value).map_err(|message| EvaluateError {
                what,
                message,
                missing: false,
            })?;
            out.push(Argument {
                name: name.clone(),
                value,
                secret: schema.secret,
            });
        }
        hold(step_type, given).map_err(|message| unparsable("with", &message))?;
        Ok(out)
    }

    /// The directory that the scripts of an instance run in, where the step says so.
    ///
    /// # Errors
    /// A value that is not there, or one that is no path from the root.
    pub fn chdir(&self, node: NodeIx, state: &RunState) -> Result<Option<String>, EvaluateError> {
        let step = self.plan.instance(node).map(|(step, _)| step);
        let Some(chdir) = step.and_then(|step| step.chdir.as_ref()) else {
            return Ok(None);
        };
        let value = self.render("chdir", &chdir.text, self.context(node), state)?;
        match value.as_str() {
            Some(path) if path.starts_with('/') && !path.contains('\0') => {
                Ok(Some(path.to_owned()))
            }
            _ => Err(unparsable("chdir", "this is no path from the root")),
        }
    }
}
