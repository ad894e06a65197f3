//! What the dispatcher has to ask about meaning. It moves nodes by tables and counters only;
//! templates and conditions are evaluated behind this trait.

use std::collections::BTreeMap;

pub use runbook_model::state::Question;
use runbook_model::{Failure, HostName, Millis, NodeIx, RunState, Value};

/// Resources of an instance, on the host that it runs on, by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keys {
    /// What its apply writes.
    pub written: Vec<String>,
    /// What its scripts read.
    pub read: Vec<String>,
}

/// Evaluates the texts of the plan against the state of the run. Asked only when everything that a
/// text refers to has ended. The same state must give the same answer.
pub trait Rules {
    /// The `when` of an instance's step.
    ///
    /// # Errors
    /// It has no value.
    fn when(&self, node: NodeIx, state: &RunState) -> Result<bool, Failure>;

    /// The `when` of a phase.
    ///
    /// # Errors
    /// It has no value.
    fn phase_when(&self, phase: u32, state: &RunState) -> Result<bool, Failure>;

    /// The runbook's `done_when`.
    ///
    /// # Errors
    /// It has no value.
    fn done_when(&self, state: &RunState) -> Result<bool, Failure>;

    /// Variables that have no value in `state` and whose references are all known.
    fn vars(&self, state: &RunState) -> Vec<(String, Value)>;

    /// The step's `expect`, of the outputs given.
    ///
    /// # Errors
    /// It has no value.
    fn expect(
        &self,
        node: NodeIx,
        outputs: &BTreeMap<String, Value>,
        state: &RunState,
    ) -> Result<bool, Failure>;

    /// The step's `until.fatal`, of the outputs given.
    ///
    /// # Errors
    /// It has no value.
    fn fatal(
        &self,
        node: NodeIx,
        outputs: &BTreeMap<String, Value>,
        state: &RunState,
    ) -> Result<bool, Failure>;

    /// The conditions of an assert.
    ///
    /// # Errors
    /// One is false or has no value.
    fn assert(&self, node: NodeIx, state: &RunState) -> Result<(), Failure>;

    /// Until when a `wait` waits that began at `since`.
    ///
    /// # Errors
    /// A text in it has no value.
    fn wait_until(&self, node: NodeIx, since: Millis, state: &RunState) -> Result<Millis, Failure>;

    /// Hosts that an instance reaches beside the one that it runs on, as far as that is known.
    fn reaches(&self, node: NodeIx, state: &RunState) -> Vec<HostName>;

    /// The resource keys of an instance; one that has no value yet is left out.
    fn keys(&self, node: NodeIx, state: &RunState) -> Keys;

    /// Whether every text of an instance has its value by now, and keeps it.
    fn known(&self, node: NodeIx, state: &RunState) -> bool;

    /// Whether its host can do all of an instance alone: look, change, look again. All its values are
    /// known, and the controller is not needed to understand what its scripts say.
    fn chains(&self, node: NodeIx, state: &RunState) -> bool;

    /// The question of a gate.
    ///
    /// # Errors
    /// A text in it has no value.
    fn question(&self, node: NodeIx, state: &RunState) -> Result<Question, Failure>;
}
