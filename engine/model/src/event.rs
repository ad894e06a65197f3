//! Everything that happens in a run: one enum, which the journal stores and which progress, logs,
//! JSON output and reports consume. Times are in the records, so no consumer needs a clock.

mod controller;
mod edited;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gate::{Said, Terms};
use crate::order::Order;
use crate::secret::SecretOrigin;
use crate::{AttemptId, Epoch, HostName, Millis, NodeIx, Outcome, RunId, RunResult, Value};

pub use controller::Controller;
pub use edited::{AgainNode, EditedPlan};

/// One event with its place in the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the event, from 1, without gaps.
    pub seq: u64,
    /// Whose event it is.
    pub epoch: Epoch,
    /// When, by the controller's clock.
    pub at: Millis,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The run exists. Always the first event: it lists all work.
    RunCreated {
        /// The run.
        run: RunId,
        /// The runbook's name.
        runbook: String,
        /// Digest of the plan that is run.
        plan: String,
        /// Every node, in plan order.
        nodes: Vec<NodeSummary>,
    },
    /// A controller took the run; its epoch is the record's.
    Opened {
        /// Who.
        controller: Controller,
    },
    /// A host was reached and may be used.
    HostReady {
        /// Which host.
        host: HostName,
        /// Its boot.
        boot: String,
        /// Its machine id.
        machine: String,
        /// The host's clock less the controller's, in milliseconds.
        clock_offset_ms: i64,
    },
    /// A host could not be reached, or may not be used.
    HostUnusable {
        /// Which host.
        host: HostName,
        /// Why, for people.
        problem: String,
    },
    /// A variable's references were all known for the first time: its value for the whole run.
    VarTaken {
        /// Its name.
        name: String,
        /// Its value.
        value: Value,
    },
    /// A generated secret has its value, for the whole run; the value is not here.
    SecretSettled {
        /// Its name.
        name: String,
        /// Where from.
        origin: SecretOrigin,
    },
    /// A `when` came out true; false is a `Finished` that says skipped.
    Decided {
        /// Whose.
        node: NodeIx,
    },
    /// A check began.
    Looking {
        /// Of which instance.
        node: NodeIx,
        /// What for.
        purpose: Purpose,
    },
    /// A check ended with a verdict or an error.
    Looked {
        /// Of which instance.
        node: NodeIx,
        /// What it said.
        verdict: Verdict,
        /// Typed outputs, secret ones left out.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
    },
    /// The intent of an effect: durable before the effect begins. Several instances are a chain: their
    /// host looks at each, changes what differs, and looks again.
    Dispatched {
        /// The job on the host.
        unit: AttemptId,
        /// What it executes, in order.
        instances: Vec<Intent>,
        /// Where.
        host: HostName,
        /// The boot of that host; a launch is safe to repeat only under the same one.
        boot: String,
    },
    /// A host has looked at a member of a chain and begun its effect. It kept this before: durable
    /// there before the effect, and here when it is heard of.
    Began {
        /// Which attempt.
        attempt: AttemptId,
        /// Why: how what was there differed.
        reasons: Vec<String>,
        /// State captured before the first attempt.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        before: BTreeMap<String, String>,
    },
    /// The host confirmed that the unit was launched.
    Launched {
        /// Which unit.
        unit: AttemptId,
    },
    /// An attempt ended, and how is known.
    Ended {
        /// Which attempt.
        attempt: AttemptId,
        /// How.
        end: AttemptEnd,
    },
    /// An attempt's effect is not known.
    Doubted {
        /// Which attempt.
        attempt: AttemptId,
        /// What the host says of it, for people.
        found: String,
    },
    /// The limit of a critical attempt is over; it is left running.
    OverTime {
        /// Which attempt.
        attempt: AttemptId,
    },
    /// An instance waits for its next attempt or look.
    Pausing {
        /// Which instance.
        node: NodeIx,
        /// Until when.
        until: Millis,
        /// Why, for people.
        reason: String,
    },
    /// A person is asked.
    Asked {
        /// The gate's instance.
        node: NodeIx,
        /// The question, rendered.
        message: String,
        /// What the person is shown: name and value.
        shown: Vec<(String, Value)>,
        /// What it takes as an answer; not written for a plain yes.
        #[serde(default, skip_serializing_if = "Terms::is_plain")]
        terms: Terms,
    },
    /// Somebody said something at a gate; it may take more of them.
    Said {
        /// The gate's instance.
        node: NodeIx,
        /// What.
        said: Said,
        /// Who, as the system of the machine names them; not verified.
        by: String,
    },
    /// A gate is decided.
    Answered {
        /// The gate's instance.
        node: NodeIx,
        /// Whether to go on.
        approved: bool,
        /// Who, as the controller's system names them; not verified.
        by: String,
        /// What the run did is taken back.
        #[serde(default, skip_serializing_if = "is_false")]
        rollback: bool,
    },
    /// An instance ended; terminal for its generation.
    Finished {
        /// Which node.
        node: NodeIx,
        /// How.
        outcome: Outcome,
        /// Typed outputs, secret ones left out.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
    },
    /// An ended instance is looked at or done again: a new generation.
    Reopened {
        /// Which node.
        node: NodeIx,
        /// Why, for people.
        reason: String,
    },
    /// A step with a `hold` has ended: what it did is held from here on.
    Held {
        /// The instance.
        node: NodeIx,
        /// Whose the hold is.
        how: HeldHow,
    },
    /// A hold lasts longer than it may.
    HoldOver {
        /// The instance that holds.
        node: NodeIx,
    },
    /// A hold is over.
    Released {
        /// The instance that held.
        node: NodeIx,
        /// By what.
        by: ReleasedBy,
    },
    /// After its end, somebody has holds of the run released by hand.
    ReleaseAsked {
        /// The instances that hold.
        nodes: Vec<NodeIx>,
        /// Who, as the controller's system names them; not verified.
        by: String,
        /// Why, in the person's words.
        reason: String,
        /// How the run had ended; that stays so.
        result: RunResult,
    },
    /// The intent of an undo: durable before the effect begins.
    Undoing {
        /// Of which instance.
        node: NodeIx,
        /// The job on the host.
        attempt: AttemptId,
        /// Which attempt of this undo, from 1.
        number: u32,
        /// Where.
        host: HostName,
        /// The boot of that host.
        boot: String,
    },
    /// A check after an undo ended.
    UndoLooked {
        /// Of which instance.
        node: NodeIx,
        /// What it said; the wanted state should not be there any more.
        verdict: Verdict,
    },
    /// An undo ended.
    Undone {
        /// Of which instance.
        node: NodeIx,
        /// Why it failed, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<crate::Failure>,
    },
    /// The procedure is over for this controller: what follows on every ending begins.
    Ending {
        /// How the procedure ended.
        result: RunResult,
    },
    /// Somebody has ordered something from outside. What it changes in the state, it changes at once.
    Ordered {
        /// What, by whom, and why.
        order: Order,
        /// The nodes that it is about.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        nodes: Vec<NodeIx>,
    },
    /// From here on the run goes on with another plan, made from changed files. Nodes are numbered as
    /// there.
    Edited {
        /// Who wanted it, as the controller's system names them; not verified.
        by: String,
        /// The plan, and what becomes of the nodes of the one before.
        edit: Box<EditedPlan>,
    },
    /// An order cannot be followed.
    OrderRefused {
        /// The order's own name.
        order: String,
        /// Why not, for people.
        problem: String,
    },
    /// Nothing new starts from here on.
    Stopping {
        /// Why.
        reason: StopReason,
    },
    /// Somebody wants it to stop while what follows on every ending runs, or a release by hand. What
    /// follows goes on; of a release, what is under way. Told once a controller.
    Interrupted,
    /// The controller leaves; what runs on hosts runs on.
    Detached {
        /// Attempts that still run.
        running: Vec<AttemptId>,
    },
    /// This controller's part of the run is over.
    Closed {
        /// How.
        result: RunResult,
    },
}

/// What is rare is written only where it is so.
fn is_false(truth: &bool) -> bool {
    !truth
}

/// A node as the first event lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSummary {
    /// Its id.
    pub id: String,
    /// Its phase, where it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// Its host, for an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
}

/// What a check is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Whether anything has to be done.
    Before,
    /// Whether apply did it.
    After,
    /// To know something.
    Probe,
    /// Whether an attempt of unknown effect did it.
    Doubt,
    /// Whether an undo took it back.
    Undo,
    /// To have secret outputs again, which no journal keeps; such a look is not an event.
    Derive,
}

/// Whose a hold is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldHow {
    /// This run has changed something.
    Changed,
    /// It was there already: nobody but a step releases it.
    Already,
    /// The step failed after an effect began: it may be held, in part.
    Partly,
}

/// What has released a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleasedBy {
    /// A step that ended well: this instance, or all of its step's.
    Step(NodeIx),
    /// The undo of the step that held.
    Undo,
    /// A step that ended well, and that the plan does not have any more.
    Past,
}

/// What a check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Wanted state is there.
    Satisfied,
    /// It is not, with each reason.
    Differs(Vec<String>),
    /// Not applicable here.
    Skipped(String),
    /// No verdict.
    Error(crate::Failure),
}

/// One apply to be executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Of which instance.
    pub node: NodeIx,
    /// Its id, never used twice.
    pub attempt: AttemptId,
    /// Which attempt of this generation, from 1.
    pub number: u32,
    /// State captured before the first attempt.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, String>,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// It ran to its end with status 0 and without a `fail`.
    Completed {
        /// Typed outputs of its records, secret ones left out.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
    },
    /// It ran and failed, or was ended.
    Failed(crate::Failure),
    /// It never began: no effect.
    NeverBegan,
    /// Its effect is not known, and a later check settled it.
    Lost,
    /// As a member of a chain: its host looked first, and there was nothing to do. No effect.
    Looked {
        /// That the wanted state is there, or that this is not applicable.
        verdict: Verdict,
        /// Typed outputs of that look.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
    },
    /// As a member of a chain: it ran to its end, and its host looked again: the wanted state is there.
    Converged {
        /// Typed outputs of that look.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        outputs: BTreeMap<String, Value>,
    },
}

impl AttemptEnd {
    /// Whether it may have had an effect.
    #[must_use]
    pub fn began(&self) -> bool {
        !matches!(self, Self::NeverBegan | Self::Looked { .. })
    }
}

/// Why nothing new starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// This node failed.
    Failure(NodeIx),
    /// Ctrl-C or a signal.
    Interrupt,
    /// A critical attempt runs longer than its limit.
    OverTime(AttemptId),
    /// This host cannot be used.
    Host(HostName),
    /// `done_when` is true.
    AlreadyThere,
    /// More hosts failed in this phase than it allows.
    Budget(u32),
    /// The window opens at this time.
    NotOpen(Millis),
    /// The window has closed at this time.
    WindowClosed(Millis),
    /// A person has the run pause, perhaps before this step.
    Paused(Option<String>),
    /// It was to run up to the end of this phase.
    Until(u32),
    /// The undo of this node has failed.
    Undo(NodeIx),
}
