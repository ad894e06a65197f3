//! Nodes and edges of the graph: instances of steps, and the few points where the controller
//! decides or everybody waits.

use serde::{Deserialize, Serialize};

use crate::{Account, HostName, NodeIx, StepIx, Value};

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Unique and stable: `stop@quay02` for an instance, `phase first` and the like for the rest.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A step on one host.
    Instance {
        /// Which step.
        step: StepIx,
        /// The host that it belongs to.
        host: HostName,
        /// The host that it runs on, where that is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<HostName>,
        /// Its item, of a step with `for_each`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<Item>,
        /// Who it is there, where the step says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<Account>,
        /// Batch of a rolling phase, from 0.
        batch: u32,
    },
    /// Begin of a phase: its `when` is decided here.
    PhaseBegin {
        /// Which phase.
        phase: u32,
    },
    /// A point that everybody reaches before anybody passes: between steps, batches, phases.
    Barrier {
        /// Which phase.
        phase: u32,
        /// The batch that ends here, from 0.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batch: Option<u32>,
    },
    /// The runbook's `done_when` is decided here.
    DoneWhen,
}

impl NodeKind {
    /// A step on one host, in the plainest form.
    #[must_use]
    pub fn instance(step: StepIx, host: HostName) -> Self {
        Self::Instance {
            step,
            host,
            via: None,
            item: None,
            account: None,
            batch: 0,
        }
    }

    /// A point that everybody in a phase reaches before anybody passes.
    #[must_use]
    pub fn barrier(phase: u32) -> Self {
        Self::Barrier { phase, batch: None }
    }
}

/// One of the things that a step is repeated for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name, unique among them: a key of the map, or the scalar itself.
    pub name: String,
    /// What templates and conditions see as `item`.
    pub value: Value,
}

/// An edge: `to` waits for `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edge {
    /// What must end first.
    pub from: NodeIx,
    /// What waits.
    pub to: NodeIx,
    /// Whether failure spreads along it.
    pub kind: EdgeKind,
    /// Where it comes from.
    #[serde(default)]
    pub origin: Origin,
}

/// Whether failure spreads along an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Written by `needs`, by a reference to outputs, or the step before on the same host:
    /// failure spreads along it.
    Requires,
    /// An implied barrier: failure does not spread along it.
    Order,
}

/// Where an edge comes from, the strongest first: an edge with several origins keeps the first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It is written: `needs`.
    Needs,
    /// A text reads the step's outputs.
    Reads,
    /// The step before on the same host.
    SameHost,
    /// The order of the steps in a phase.
    #[default]
    Steps,
    /// A batch ends before the next one begins.
    Batch,
    /// A phase ends before the next one begins.
    Phase,
    /// Whether everything is there already is decided first.
    DoneWhen,
}
