//! What a text reads: parts of the plan, variables, and steps.

use std::collections::BTreeSet;

use runbook_lang::condition::Condition;
use runbook_lang::scope::{Reference, Segment};
use runbook_lang::template::Template;
use runbook_model::Value;

/// The paths that texts read, each from its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reads(pub(super) BTreeSet<Vec<String>>);

impl Reads {
    /// Those of every text in a value.
    pub(super) fn of_value(value: &Value) -> Self {
        let mut reads = Self::default();
        reads.add_value(value);
        reads
    }

    fn add_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                if let Ok(parsed) = Template::parse(text) {
                    self.add(parsed.references());
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_value(item)),
            Value::Object(map) => map.values().for_each(|item| self.add_value(item)),
            _ => {}
        }
    }

    /// Those of a condition.
    pub(super) fn of_condition(text: &str) -> Self {
        let mut reads = Self::default();
        if let Ok(parsed) = Condition::parse(text) {
            reads.add(parsed.references());
        }
        reads
    }

    fn add(&mut self, references: &[Reference]) {
        for reference in references {
            // Behind a part that is known only during evaluation all is meant.
            let known = reference.path.iter().map_while(Segment::name);
            self.0.insert(known.map(str::to_owned).collect());
        }
    }
}
