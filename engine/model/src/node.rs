//! Nodes and edges of the graph: instances of steps, and the few points where the controller
//! decides or everybody waits.

use serde::{Deserialize, Serialize};

use crate::{HostName, NodeIx, StepIx};

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
        /// Where.
        host: HostName,
        /// Batch of a rolling phase, from 0.
        batch: u32,
    },
    /// Begin of a phase: its `when` is decided here.
    PhaseBegin {
        /// Which phase.
        phase: u32,
    },
    /// A point that everybody reaches before anybody passes: between steps, batches, phases.
    Barrier,
    /// The runbook's `done_when` is decided here.
    DoneWhen,
}

/// An edge: `to` waits for `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edge {
    /// What must end first.
    pub from: NodeIx,
    /// What waits.
    pub to: NodeIx,
    /// Why.
    pub kind: EdgeKind,
}

/// Why an edge exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Written by `needs`, by a reference to outputs, or the step before on the same host:
    /// failure spreads along it.
    Requires,
    /// An implied barrier: failure does not spread along it.
    Order,
}
