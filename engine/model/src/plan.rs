//! The compiled graph with everything a run needs: stored with the run, so that a resume runs what
//! was started and not what the files say by then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::step::{Expr, Place};
use crate::{Edge, Host, HostName, Node, NodeIx, NodeKind, Step, StepId, StepIx, StepType, Value};

/// Format of the stored plan; a plan of another format is refused.
pub const PLAN_FORMAT: u32 = 1;

/// A compiled runbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// The runbook's name.
    pub runbook: String,
    /// The runbook's version, as written.
    pub version: String,
    /// One line.
    pub summary: String,
    /// SHA-256 over everything that was compiled, in hex.
    pub digest: String,
    /// The texts that were compiled.
    pub sources: Vec<Source>,
    /// Inputs by name.
    pub inputs: BTreeMap<String, Input>,
    /// Variables by name.
    pub vars: BTreeMap<String, Var>,
    /// Hosts by name, without `control`.
    pub hosts: BTreeMap<HostName, Host>,
    /// Hosts of each group, in the inventory's order.
    pub groups: BTreeMap<String, Vec<HostName>>,
    /// The step types in use.
    pub types: BTreeMap<String, StepType>,
    /// True: everything is there already.
    pub done_when: Option<Expr>,
    /// Phases in order.
    pub phases: Vec<Phase>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Nodes, instances and others.
    pub nodes: Vec<Node>,
    /// Edges, sorted.
    pub edges: Vec<Edge>,
}

/// A text that was compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Path as given.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// An input with its value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its type, as `lang` stores it.
    pub kind: Value,
    /// Its value; absent for a secret, and for one that is not known yet.
    pub value: Option<Value>,
    /// Where a secret is read from again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretSource>,
}

/// Where a secret is read from, at every start of a controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of the environment.
    Env(String),
    /// A file on the controller.
    File(String),
    /// Asked at the terminal.
    Prompt,
}

/// A variable of the runbook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Var {
    /// A value of any type.
    Literal(Value),
    /// A text with templates.
    Template(Expr),
    /// A condition.
    Cel(Expr),
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its id.
    pub id: String,
    /// How its steps follow each other.
    pub order: Order,
    /// Runs only if true.
    pub when: Option<Expr>,
    /// Batches of a rolling phase; empty otherwise.
    pub batches: Vec<Vec<HostName>>,
    /// Where it stands.
    pub place: Place,
}

/// How the steps of a phase follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// A step waits for every earlier step on all hosts.
    #[default]
    Steps,
    /// Each host walks the list at its own pace.
    PerHost,
}

impl Plan {
    /// The step of an instance, with its host.
    #[must_use]
    pub fn instance(&self, node: NodeIx) -> Option<(&Step, &HostName)> {
        match &self.nodes.get(node.at())?.kind {
            NodeKind::Instance { step, host, .. } => Some((self.steps.get(step.at())?, host)),
            _ => None,
        }
    }

    /// The type of a step.
    #[must_use]
    pub fn type_of(&self, step: &Step) -> Option<&StepType> {
        self.types.get(&step.uses)
    }

    /// The step with this id.
    #[must_use]
    pub fn step(&self, id: &str) -> Option<(StepIx, &Step)> {
        let at = self.steps.iter().position(|s| s.id.as_str() == id)?;
        Some((StepIx(u32::try_from(at).ok()?), &self.steps[at]))
    }

    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<NodeIx> {
        let at = self.nodes.iter().position(|n| n.id == id)?;
        u32::try_from(at).ok().map(NodeIx)
    }

    /// Instances of a step, in plan order.
    pub fn instances_of(&self, wanted: StepIx) -> impl Iterator<Item = (NodeIx, &HostName)> {
        self.instances()
            .filter(move |(_, step, _)| *step == wanted)
            .map(|(node, _, host)| (node, host))
    }

    /// All instances, in plan order.
    pub fn instances(&self) -> impl Iterator<Item = (NodeIx, StepIx, &HostName)> {
        self.nodes
            .iter()
            .zip(0u32..)
            .filter_map(|(node, at)| match &node.kind {
                NodeKind::Instance { step, host, .. } => Some((NodeIx(at), *step, host)),
                _ => None,
            })
    }

    /// The id of a step by its position.
    #[must_use]
    pub fn step_id(&self, at: StepIx) -> Option<&StepId> {
        self.steps.get(at.at()).map(|s| &s.id)
    }
}
