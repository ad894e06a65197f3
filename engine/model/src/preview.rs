//! What a plan says before anything runs: for each node, what would happen now and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{HostName, Value};

/// A plan's forecast, live or offline.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Preview {
    /// False: no host was asked.
    pub live: bool,
    /// One for each node, in plan order.
    pub nodes: Vec<Forecast>,
    /// Hosts that could not be used, and why.
    pub unusable: BTreeMap<HostName, String>,
    /// `done_when`, where it could be told.
    pub already_there: Option<bool>,
    /// Variables that could be told.
    pub vars: BTreeMap<String, Value>,
}

/// What would happen to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forecast {
    /// A barrier or the like: nothing to show.
    None,
    /// It is there already.
    NoChange,
    /// It would be changed, with each reason.
    Change(Vec<String>),
    /// It depends on something that is not known before the run.
    Maybe(String),
    /// It is always done.
    Always,
    /// It only looks, and found this now.
    Probe(Finding),
    /// A person decides.
    Gate,
    /// Conditions are evaluated; the text says what holds now, where that can be told.
    Assert(String),
    /// It would not run.
    Skipped(String),
    /// Its host cannot be used.
    Unreachable(String),
    /// The check failed: no verdict.
    Error(String),
    /// Nobody was asked.
    Unknown,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is content.
    Content,
    /// It is not (yet), with each reason.
    Differs(Vec<String>),
    /// Not asked, or not possible to tell now.
    Unknown,
}
