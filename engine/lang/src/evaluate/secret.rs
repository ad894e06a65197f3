//! Secret outputs: they are in no journal and no state, only here, and only parameters that are secret see them.

use std::collections::BTreeMap;

use runbook_model::{NodeIx, Value};

use super::Evaluator;

impl Evaluator {
    /// Takes the secret outputs that a look of an instance has found, in place of earlier ones.
    pub fn keep(&self, node: NodeIx, outputs: BTreeMap<String, Value>) {
        if !outputs.is_empty() {
            self.kept.borrow_mut().insert(node, outputs);
        }
    }
}
