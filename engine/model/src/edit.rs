//! What becomes of each part of a run that goes on with changed files, and why: made by whoever
//! compares the two plans, shown to people before anything changes.

use crate::{HostName, Millis, Outcome};

/// What a changed plan means for a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// A row for each instance of the new plan, in its order; then one for each that is gone.
    pub rows: Vec<Row>,
    /// Phases whose `when` is decided again.
    pub phases: Vec<String>,
    /// Variables that get a new value.
    pub vars: Vec<String>,
    /// Hosts that the run does nothing on any more.
    pub left_hosts: Vec<HostName>,
}

/// What becomes of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The instance: `stop@quay02`.
    pub id: String,
    /// Its phase.
    pub phase: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is the same, and has ended: its result counts.
    Reused {
        /// How it ended.
        outcome: Outcome,
        /// When.
        at: Option<Millis>,
    },
    /// It is not the same, and its result counts all the same.
    Stays {
        /// How it ended.
        outcome: Outcome,
        /// When.
        at: Option<Millis>,
        /// Why, for people.
        why: &'static str,
        /// What has changed.
        changed: Vec<Reason>,
    },
    /// It is the same, and is gone on with: it has not ended, or it failed.
    GoesOn {
        /// How it ended, if it did.
        outcome: Option<Outcome>,
        /// It has begun.
        begun: bool,
    },
    /// It has ended, and runs again.
    Again {
        /// How it ended.
        outcome: Outcome,
        /// When.
        at: Option<Millis>,
        /// Why it runs again.
        reasons: Vec<Reason>,
        /// It did something with other values, which stays: an undo does not know of it any more.
        leaves: bool,
    },
    /// It has not ended, and is not the same.
    Changed {
        /// What has changed.
        reasons: Vec<Reason>,
        /// It did something with other values, which stays.
        leaves: bool,
    },
    /// There was no such instance.
    New,
    /// There was no such instance, and its host is out of the run.
    Excluded,
    /// There is no such instance any more.
    Gone {
        /// How it ended, if it did.
        outcome: Option<Outcome>,
        /// When.
        at: Option<Millis>,
        /// It did something, or may have, which stays.
        leaves: bool,
    },
}

impl Fate {
    /// Whether it is done although it was done before, or anew.
    #[must_use]
    pub fn is_work(&self) -> bool {
        matches!(self, Self::Again { .. } | Self::Changed { .. } | Self::New)
    }
}

/// Why an instance is not reused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The value of this parameter.
    Param(String),
    /// The name of its type: the old one.
    Uses(String),
    /// What its type does.
    Type,
    /// The host that it runs on: the old one.
    RunsOn(HostName),
    /// This host is reached in another place.
    Address(HostName),
    /// Who it is there.
    Account,
    /// The directory of its scripts.
    Chdir,
    /// What it is for, of a step with `for_each`.
    Item,
    /// Its condition.
    When,
    /// What is expected of its outputs.
    Expect,
    /// What an assert says.
    Condition,
    /// What a gate shows.
    Shows,
    /// It reads what this instance says, which is not what it was.
    Reads(String),
    /// This instance, which it needs, runs again or is new.
    Needs(String),
    /// This instance comes before it, and runs again or is new.
    Behind(String),
    /// Whether its phase runs is decided again.
    Phase,
}

impl Reason {
    /// Whether what was done before was done with other values.
    #[must_use]
    pub fn is_of_values(&self) -> bool {
        match self {
            Self::Param(_)
            | Self::Uses(_)
            | Self::Type
            | Self::RunsOn(_)
            | Self::Address(_)
            | Self::Account
            | Self::Chdir
            | Self::Item
            | Self::Reads(_) => true,
            Self::When
            | Self::Expect
            | Self::Condition
            | Self::Shows
            | Self::Needs(_)
            | Self::Behind(_)
            | Self::Phase => false,
        }
    }
}
