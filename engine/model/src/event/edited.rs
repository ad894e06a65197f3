//! Another plan for the same run, as the event that begins it lists it.

use serde::{Deserialize, Serialize};

use super::NodeSummary;
use crate::NodeIx;

/// Another plan for the same run, and which of its nodes are those of the plan before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EditedPlan {
    /// Its number: 2 for the first after the one that the run began with.
    pub number: u32,
    /// Its digest.
    pub plan: String,
    /// Every node, in plan order.
    pub nodes: Vec<NodeSummary>,
    /// Nodes that stay as they are: the old number, and the new one.
    pub kept: Vec<(NodeIx, NodeIx)>,
    /// Nodes that are opened again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<AgainNode>,
    /// Variables whose value is taken again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<String>,
}

/// A node that is opened again because the plan has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgainNode {
    /// Its old number.
    pub from: NodeIx,
    /// Its new number.
    pub node: NodeIx,
    /// What was decided of its condition stands.
    #[serde(default)]
    pub decided: bool,
    /// What it did before, it did with other values: that is history, and nothing that was captured
    /// for it counts.
    #[serde(default)]
    pub anew: bool,
}
