//! Rules by tables: what conditions say in a simulated world.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::gate::Terms;
use runbook_model::state::NodeState;
use runbook_model::{Failure, FailureKind, HostName, Millis, NodeIx, RunState, Value};

use crate::rules::{Keys, Question, Rules};

/// Answers by node; what is not in a table is true, or holds.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// Instances whose `when` is not simply true.
    pub when: BTreeMap<NodeIx, Result<bool, Failure>>,
    /// Phases whose `when` is not simply true.
    pub phase_when: BTreeMap<u32, Result<bool, Failure>>,
    /// What `done_when` says; false if absent.
    pub done_when: Option<Result<bool, Failure>>,
    /// Variables, each with the nodes that must have ended well.
    pub vars: Vec<(String, Value, Vec<NodeIx>)>,
    /// Asserts that do not hold.
    pub asserts: BTreeMap<NodeIx, Failure>,
    /// How long a `wait` waits, in milliseconds; not at all if absent.
    pub waits: BTreeMap<NodeIx, Millis>,
    /// Hosts that an instance reaches beside its own.
    pub reaches: BTreeMap<NodeIx, Vec<HostName>>,
    /// Resources of instances.
    pub keys: BTreeMap<NodeIx, Keys>,
    /// Gates whose question has no value.
    pub speechless: BTreeSet<NodeIx>,
    /// What gates take as an answer; a yes if absent.
    pub terms: BTreeMap<NodeIx, Terms>,
    /// Instances whose values are known from the begin: they may be looked at early.
    pub early: BTreeSet<NodeIx>,
    /// Instances that their host can do alone.
    pub chains: BTreeSet<NodeIx>,
    /// Nodes whose outputs the conditions of a node refer to: they must have ended.
    pub reads: BTreeMap<NodeIx, Vec<NodeIx>>,
}

/// The output that `expect` reads in a simulated world.
pub(super) const OK: &str = "ok";
/// The output that `fatal` reads.
pub(super) const FATAL: &str = "fatal";

fn truth(outputs: &BTreeMap<String, Value>, name: &str) -> Result<bool, Failure> {
    let known = outputs.get(name).and_then(Value::as_bool);
    known.ok_or_else(|| Failure::new(FailureKind::Value, format!("`outputs.{name}` is not known")))
}

impl Tables {
    fn known(&self, node: NodeIx, state: &RunState) -> Result<(), Failure> {
        let unknown = |read: &&NodeIx| !state.node(**read).is_some_and(NodeState::is_done);
        match self.reads.get(&node).into_iter().flatten().find(unknown) {
            Some(read) => {
                let text = format!("the outputs of node {} are not known", read.0);
                Err(Failure::new(FailureKind::Value, text))
            }
            None => Ok(()),
        }
    }
}

impl Rules for Tables {
    fn when(&self, node: NodeIx, _: &RunState) -> Result<bool, Failure> {
        self.when.get(&node).cloned().unwrap_or(Ok(true))
    }

    fn phase_when(&self, phase: u32, _: &RunState) -> Result<bool, Failure> {
        self.phase_when.get(&phase).cloned().unwrap_or(Ok(true))
    }

    fn done_when(&self, _: &RunState) -> Result<bool, Failure> {
        self.done_when.clone().unwrap_or(Ok(false))
    }

    fn vars(&self, state: &RunState) -> Vec<(String, Value)> {
        let ended = |node: &NodeIx| {
            state
                .node(*node)
                .is_some_and(runbook_model::state::NodeState::is_success)
        };
        let known = self
            .vars
            .iter()
            .filter(|(_, _, after)| after.iter().all(ended));
        known
            .map(|(name, value, _)| (name.clone(), value.clone()))
            .collect()
    }

    fn expect(
        &self,
        node: NodeIx,
        outputs: &BTreeMap<String, Value>,
        state: &RunState,
    ) -> Result<bool, Failure> {
        self.known(node, state)?;
        truth(outputs, OK)
    }

    fn fatal(
        &self,
        node: NodeIx,
        outputs: &BTreeMap<String, Value>,
        state: &RunState,
    ) -> Result<bool, Failure> {
        self.known(node, state)?;
        truth(outputs, FATAL)
    }

    fn assert(&self, node: NodeIx, state: &RunState) -> Result<(), Failure> {
        self.known(node, state)?;
        self.asserts.get(&node).cloned().map_or(Ok(()), Err)
    }

    fn wait_until(&self, node: NodeIx, since: Millis, _: &RunState) -> Result<Millis, Failure> {
        Ok(since + self.waits.get(&node).copied().unwrap_or(0))
    }

    fn reaches(&self, node: NodeIx, _: &RunState) -> Vec<HostName> {
        self.reaches.get(&node).cloned().unwrap_or_default()
    }

    fn keys(&self, node: NodeIx, _: &RunState) -> Keys {
        self.keys.get(&node).cloned().unwrap_or_default()
    }

    fn known(&self, node: NodeIx, _: &RunState) -> bool {
        self.early.contains(&node)
    }

    fn chains(&self, node: NodeIx, _: &RunState) -> bool {
        self.chains.contains(&node)
    }

    fn question(&self, node: NodeIx, _: &RunState) -> Result<Question, Failure> {
        if self.speechless.contains(&node) {
            return Err(Failure::new(FailureKind::Value, "the message has no value"));
        }
        Ok(Question {
            message: "Go on?".into(),
            terms: self.terms.get(&node).cloned().unwrap_or_default(),
            ..Question::default()
        })
    }
}
