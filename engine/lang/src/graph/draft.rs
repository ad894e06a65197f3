//! What the graph is built from: names resolved, hosts chosen, references collected.

use runbook_model::plan::{Order, Part};
use runbook_model::{Account, HostName, Item};

/// Everything that the graph is built from.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Phases in order, those of one part side by side.
    pub phases: Vec<DraftPhase>,
    /// Steps in order.
    pub steps: Vec<DraftStep>,
    /// What `done_when` reads; `None` without one.
    pub done_when: Option<Vec<Reference>>,
}

/// A phase of a draft.
#[derive(Debug, Clone, Default)]
pub struct DraftPhase {
    /// Its id.
    pub id: String,
    /// Which part of the plan it belongs to.
    pub part: Part,
    /// How its steps follow each other.
    pub order: Order,
    /// Batches, if it is rolling.
    pub batches: Vec<Vec<HostName>>,
    /// What its `when` reads.
    pub references: Vec<Reference>,
}

/// A step of a draft.
#[derive(Debug, Clone, Default)]
pub struct DraftStep {
    /// Its id.
    pub id: String,
    /// Position of its phase.
    pub phase: usize,
    /// What it is done on and for.
    pub instances: Vec<DraftInstance>,
    /// In `per_host` order, everybody waits before and after it.
    pub barrier: bool,
    /// Its `needs`, if it has any: they replace the implied order.
    pub needs: Option<Vec<Need>>,
    /// What its texts read.
    pub references: Vec<Reference>,
}

/// A step on one host and for one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftInstance {
    /// The host that it belongs to.
    pub host: HostName,
    /// The host that it runs on, where that is another one.
    pub via: Option<HostName>,
    /// Its item.
    pub item: Option<Item>,
    /// Who it is there, where the step says so.
    pub account: Option<Account>,
}

/// One entry of `needs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Position of the step.
    pub step: usize,
    /// Only the instances on the same host.
    pub same_host: bool,
}

/// A text reads outputs of a step. One that leads into another part of the plan makes no edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Position of the step.
    pub step: usize,
    /// Only the instances on the same host, where there are any; otherwise all of them.
    pub same_host: bool,
}

impl Draft {
    /// The steps of a phase with their positions.
    pub(super) fn steps_of(&self, phase: usize) -> impl Iterator<Item = (usize, &DraftStep)> {
        let steps = self.steps.iter().enumerate();
        steps.filter(move |(_, step)| step.phase == phase)
    }

    /// The part of the plan that a step belongs to.
    pub(super) fn part_of(&self, step: usize) -> Part {
        self.phases[self.steps[step].phase].part
    }
}

impl DraftInstance {
    /// On a host, in the plainest form.
    #[must_use]
    pub fn on(host: HostName) -> Self {
        Self {
            host,
            via: None,
            item: None,
            account: None,
        }
    }

    /// `drain@quay02`, `drain@quay02/lb01`, `smoke:eu@control`: the same for ever, whatever other
    /// hosts and items there are.
    #[must_use]
    pub fn id(&self, step: &str) -> String {
        let item = self.item.as_ref().map(|item| format!(":{}", item.name));
        let via = self.via.as_ref().map(|via| format!("/{via}"));
        format!(
            "{step}{}@{}{}",
            item.unwrap_or_default(),
            self.host,
            via.unwrap_or_default()
        )
    }
}
