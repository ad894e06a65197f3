//! What a step reads and writes, with the values of its arguments where they are known.

use std::collections::BTreeMap;

use runbook_model::resource::filled;
use runbook_model::trace::Known;
use runbook_model::{NodeIx, StepType, Value};

use super::Explain;
use crate::text::{bounded, names};

/// Keys of one step that are named; the rest is counted.
const NAMES: usize = 12;

impl Explain<'_> {
    /// The keys, each once; as the type writes them, where a value is known only later.
    pub(super) fn keys(&self, of: &StepType, keys: &[String]) -> String {
        let arguments = self.arguments(of);
        let mut out: Vec<String> = Vec::new();
        for key in keys {
            for who in &self.all {
                let filled = filled(key, |name| value_of(&arguments, name, who.node));
                let shown = bounded(filled.as_deref().unwrap_or(key), 100);
                if !out.contains(&shown) {
                    out.push(shown);
                }
            }
            if self.all.is_empty() {
                out.push(bounded(key, 100));
            }
        }
        names(&out, NAMES)
    }

    /// The arguments of each instance, and the defaults of the type.
    fn arguments<'s>(&'s self, of: &'s StepType) -> BTreeMap<&'s str, Argument<'s>> {
        let mut out = BTreeMap::new();
        for (name, param) in of.params.iter().filter(|(_, param)| !param.secret) {
            let default = param.default.as_ref();
            if let Some(default) = default.filter(|_| !self.step.with.contains_key(name)) {
                out.insert(name.as_str(), Argument::Default(default));
            }
        }
        for text in &self.of.trace.arguments {
            let is_secret = of.params.get(&text.what).is_some_and(|param| param.secret);
            if !is_secret {
                out.insert(text.what.as_str(), Argument::Given(&text.values));
            }
        }
        out
    }
}

enum Argument<'a> {
    Default(&'a Value),
    Given(&'a [(Vec<NodeIx>, Known)]),
}

fn value_of(arguments: &BTreeMap<&str, Argument<'_>>, name: &str, node: NodeIx) -> Option<String> {
    let value = match arguments.get(name)? {
        Argument::Default(value) => *value,
        Argument::Given(values) => {
            let (_, known) = values.iter().find(|(nodes, _)| nodes.contains(&node))?;
            match known {
                Known::Value(value) => value,
                Known::Secret | Known::Later => return None,
            }
        }
    };
    match value {
        // A key without its value names nothing.
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
