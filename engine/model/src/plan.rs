//! The compiled graph with everything a run needs: stored with the run, so that a resume runs what
//! was started and not what the files say by then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::secret::SecretSource;
use crate::step::{Expr, OnFailure, Place};
use crate::{Edge, Host, HostName, Node, NodeIx, NodeKind, Step, StepId, StepIx, StepType, Value};

/// Format of the stored plan; a plan of another format is refused.
pub const PLAN_FORMAT: u32 = 2;

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
    /// When the run may happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Phases in order: those of the procedure, then those of going back, then the ending.
    pub phases: Vec<Phase>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Nodes, instances and others.
    pub nodes: Vec<Node>,
    /// Edges, sorted; none leads from one part of the plan to another.
    pub edges: Vec<Edge>,
}

/// When a run may happen: dates in the normal form of the language, where they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Window {
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<String>,
    /// Not after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes: Option<String>,
    /// The point of no return must be passed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_return_before: Option<String>,
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
    /// Which part of the plan it belongs to.
    #[serde(default)]
    pub part: Part,
    /// How its steps follow each other.
    pub order: Order,
    /// Runs only if true.
    pub when: Option<Expr>,
    /// Batches of a rolling phase; empty otherwise.
    pub batches: Vec<Vec<HostName>>,
    /// The host variable whose values a batch never mixes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The hosts that it is about: where its steps run unless they say otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostName>,
    /// `continue`: a host that fails leaves the phase, the others finish it.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How many hosts may fail before nothing new starts.
    #[serde(default)]
    pub max_failures: u32,
    /// How many hosts must not have failed.
    #[serde(default)]
    pub min_ok: u32,
    /// Between two batches, in milliseconds.
    #[serde(default)]
    pub pause_ms: u64,
    /// Of a phase of the ending that belongs to an import: the position of the first phase of that
    /// import. Where that one did not begin, there is nothing to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<u32>,
    /// Where it stands.
    pub place: Place,
}

impl Phase {
    /// A phase of the procedure with nothing but its name.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            part: Part::Main,
            order: Order::Steps,
            when: None,
            batches: Vec::new(),
            by: None,
            hosts: Vec::new(),
            on_failure: OnFailure::Stop,
            max_failures: 0,
            min_ok: 0,
            pause_ms: 0,
            follows: None,
            place: Place::default(),
        }
    }
}

/// A part of the plan: no edge leads from one to another, and each is run by itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The procedure.
    #[default]
    Main,
    /// The procedure of going back.
    Rollback,
    /// What runs on every ending.
    Finally,
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
    /// Only what is written: `needs`, and references to outputs.
    Graph,
}

impl Plan {
    /// A plan in which nothing happens.
    #[must_use]
    pub fn empty(runbook: impl Into<String>) -> Self {
        Self {
            format: PLAN_FORMAT,
            runbook: runbook.into(),
            version: String::new(),
            summary: String::new(),
            digest: String::new(),
            sources: Vec::new(),
            inputs: BTreeMap::new(),
            vars: BTreeMap::new(),
            hosts: BTreeMap::new(),
            groups: BTreeMap::new(),
            types: BTreeMap::new(),
            done_when: None,
            window: None,
            phases: Vec::new(),
            steps: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
        }
    }

    /// The step of an instance, with its host.
    #[must_use]
    pub fn instance(&self, node: NodeIx) -> Option<(&Step, &HostName)> {
        match &self.nodes.get(node.at())?.kind {
            NodeKind::Instance { step, host, .. } => Some((self.steps.get(step.at())?, host)),
            _ => None,
        }
    }

    /// Where an instance runs: its own host, or the one that it goes through.
    #[must_use]
    pub fn runs_on(&self, node: NodeIx) -> Option<&HostName> {
        match &self.nodes.get(node.at())?.kind {
            NodeKind::Instance { host, via, .. } => Some(via.as_ref().unwrap_or(host)),
            _ => None,
        }
    }

    /// The phase of a node; none for `done_when`.
    #[must_use]
    pub fn phase_of(&self, node: NodeIx) -> Option<&Phase> {
        let at = match &self.nodes.get(node.at())?.kind {
            NodeKind::Instance { step, .. } => self.steps.get(step.at())?.phase,
            NodeKind::PhaseBegin { phase } | NodeKind::Barrier { phase, .. } => *phase,
            NodeKind::DoneWhen => return None,
        };
        self.phases.get(at as usize)
    }

    /// The part of the plan that a node belongs to.
    #[must_use]
    pub fn part_of(&self, node: NodeIx) -> Part {
        self.phase_of(node).map_or(Part::Main, |phase| phase.part)
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
