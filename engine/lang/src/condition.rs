//! Conditions: expressions in CEL, the Common Expression Language.
//!
//! The `cel` crate parses and evaluates. Four things are changed on the way, each because the
//! standard meaning would mislead: versions, durations, sizes and dates compare by what they mean,
//! also with text, and are added and subtracted by it; comparing values of different kinds is an
//! error and not `false`; a map is iterated in the order of its keys; `has(a.b.c)` is false when
//! `a.b` is missing too. Bytes, message types and optional values are left out, and there is no
//! clock: a condition gives the same answer whenever it is asked.

mod convert;
mod failure;
mod functions;
mod guard;
mod quantity;
mod rewrite;
mod slip;
mod special;
#[cfg(test)]
mod tests;
mod walk;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cel::common::ast::IdedExpr;
use cel::common::value::Val;
use cel::{Context, ExecutionError};
use serde_json::Value;

use crate::scope::{EvalError, ExprError, Reference, Scope};
use crate::value::kind_of;
use functions::ENV;
use walk::Walk;

/// What a condition takes from one root: all of it (`None`), or the members that it names.
type Need = Option<BTreeSet<String>>;

/// An expression, read once and evaluated in many scopes.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    expr: IdedExpr,
    references: Vec<Reference>,
    needs: BTreeMap<String, Need>,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// The first mistake with its place in the text; an unknown function is one.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        guard::check(text)?;
        let program = ENV.compile(text).map_err(|errors| {
            slip::find(text).unwrap_or_else(|| failure::parse_error(text, &errors))
        })?;
        let references = Walk::references(text, program.source_info(), program.expression())?;
        let mut expr = program.expression().clone();
        rewrite::rewrite(&mut expr);
        Ok(Self {
            text: text.to_owned(),
            expr,
            needs: needs_of(&references),
            references,
        })
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every path that the condition may read, in the order of the text. The variables of
    /// `all`, `exists`, `map` and `filter` are led back to what they go through; alone they are
    /// not listed.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The value in this scope.
    ///
    /// # Errors
    /// A name without a value, or an operation that the values do not have.
    pub fn evaluate(&self, scope: &Scope) -> Result<Value, EvalError> {
        self.result(scope, |val| {
            convert::from_cel(val).ok_or_else(|| self.error("this gives nothing that can be kept"))
        })
    }

    /// Whether the condition holds in this scope.
    ///
    /// # Errors
    /// As [`Condition::evaluate`], and a result that is neither `true` nor `false`.
    pub fn truth(&self, scope: &Scope) -> Result<bool, EvalError> {
        match self.evaluate(scope)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(self.error(&format!(
                "a condition gives `true` or `false`, this gives {}",
                kind_of(&other)
            ))),
        }
    }

    fn result<T>(
        &self,
        scope: &Scope,
        take: impl FnOnce(&dyn Val) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        let mut context = Context::with_env(Arc::clone(&ENV));
        for (root, need) in &self.needs {
            let Some(value) = root_value(scope, root, need) else {
                continue;
            };
            context.add_variable_as_val(root.as_str(), value);
        }
        let value =
            cel::Value::resolve_val(&self.expr, &context).map_err(|error: ExecutionError| {
                failure::eval_error(&self.text, &self.references, scope, &error)
            })?;
        take(value.as_ref())
    }

    fn error(&self, message: &str) -> EvalError {
        EvalError::new(0..self.text.len(), message)
    }
}

fn needs_of(references: &[Reference]) -> BTreeMap<String, Need> {
    let mut needs: BTreeMap<String, Need> = BTreeMap::new();
    for reference in references {
        let need = needs
            .entry(reference.root().to_owned())
            .or_insert_with(|| Some(BTreeSet::new()));
        match reference.path.get(1).and_then(|segment| segment.name()) {
            Some(name) => {
                if let Some(names) = need {
                    names.insert(name.to_owned());
                }
            }
            None => *need = None,
        }
    }
    needs
}

/// A root with the members that are needed.
fn root_value<'v>(scope: &'v Scope, root: &str, need: &'v Need) -> Option<Box<dyn Val + 'v>> {
    let Some(Value::Object(map)) = scope.root_value(root) else {
        return scope.root(root).map(convert::item_to_cel);
    };
    let member = |name: &'v str| {
        let item = scope.member(root, name)?;
        Some((name, convert::item_to_cel(item)))
    };
    Some(Box::new(match need {
        Some(names) => convert::map_of(names.iter().filter_map(|name| member(name))),
        None => convert::map_of(map.keys().filter_map(|name| member(name))),
    }))
}
