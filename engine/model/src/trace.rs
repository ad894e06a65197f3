//! Where the values of a step come from: what its texts read, who says so, and what is known of it
//! before anything runs.

use serde::{Deserialize, Serialize};

use crate::secret::SecretSource;
use crate::step::Place;
use crate::{HostName, NodeIx, Value};

/// The texts of one step, each led back to where its values are written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Trace {
    /// How the step says where it runs and what it waits for: `on`, `via`, `as`, `for_each`,
    /// `needs`, and what its phase says of that.
    pub selectors: Vec<Text>,
    /// Its arguments.
    pub arguments: Vec<Text>,
    /// What else it evaluates: `when`, `expect` and their like, and what the phase and the runbook
    /// decide for it.
    pub conditions: Vec<Text>,
}

/// One text, or a value with texts in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Text {
    /// Which: `image`, `when`, `phase on`.
    pub what: String,
    /// As it is written.
    pub written: Value,
    /// Where.
    pub place: Option<Place>,
    /// What it is, for instances of the step; each instance once.
    pub values: Vec<(Vec<NodeIx>, Known)>,
    /// What it reads, in its order.
    pub reads: Vec<Read>,
}

/// What is known of a value before anything runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// This.
    Value(Value),
    /// It is secret.
    Secret,
    /// It is known during the run, or when something that is missing is given.
    Later,
}

/// A name that a text reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// As the text writes it: `vars.target`.
    pub path: String,
    /// For these hosts only; empty: for all.
    pub hosts: Vec<HostName>,
    /// Who says what it is.
    pub from: From,
    /// Where that is written.
    pub place: Option<Place>,
    /// What it is.
    pub value: Known,
    /// What it reads in its turn.
    pub reads: Vec<Read>,
}

/// Who says what a value is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// An option of the command line.
    Option,
    /// A file of inputs.
    File,
    /// The default of the input.
    Default,
    /// The import that brings the runbook in: its `with`.
    Import,
    /// A secret, and where it is read from.
    Secret(SecretSource),
    /// It is an input that was not given.
    Missing,
    /// A variable of the runbook.
    Variable,
    /// The inventory, at the host.
    Host,
    /// The inventory, at this group.
    Group(String),
    /// The inventory, for all hosts.
    All,
    /// The runbook: the default of a variable of this group.
    GroupDefault(String),
    /// The inventory, somewhere.
    Inventory,
    /// The host is what it is: its name, its address.
    Itself,
    /// The hosts of groups.
    Groups,
    /// The item that the instance is for.
    Item,
    /// The window of the run.
    Window,
    /// The run itself: its id, its directory.
    Run,
    /// The outputs of the step itself.
    Own,
    /// An output of this step.
    Output(String),
    /// Whether this step started or ended, and where.
    State(String),
    /// Nobody that is known here.
    Unknown,
}
