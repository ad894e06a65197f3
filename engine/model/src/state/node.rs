//! Nodes: where each stands, and what is known of it.

use std::collections::BTreeMap;

use crate::event::{NodeSummary, Verdict};
use crate::gate::{Terms, Vote};
use crate::transition::Stage;
use crate::{AttemptId, Epoch, Millis, Outcome, Value};

/// The state of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeState {
    /// What the first event says of it.
    pub summary: NodeSummary,
    /// Where it stands.
    pub stage: Stage,
    /// From 1; each reopening begins another.
    pub generation: u32,
    /// Its `when` was true.
    pub decided: bool,
    /// Attempts of this generation, by number.
    pub attempts: Vec<AttemptId>,
    /// Satisfied looks in a row.
    pub passes: u32,
    /// First look of this generation and epoch.
    pub looking_since: Option<Millis>,
    /// Begin of the last look.
    pub looked_at: Option<Millis>,
    /// What the last look said.
    pub verdict: Option<Verdict>,
    /// Outputs of the last look or attempt.
    pub outputs: BTreeMap<String, Value>,
    /// State captured before the first attempt of all generations.
    pub before: BTreeMap<String, String>,
    /// The attempt whose intent holds that state. None again when it never began, and when all was taken back.
    pub captured_by: Option<AttemptId>,
    /// The boot of its host before the first attempt since it last ended well: whether the host was restarted by it.
    pub booted_in: Option<String>,
    /// When it first left `Waiting` in this generation.
    pub started_at: Option<Millis>,
    /// When it ended.
    pub finished_at: Option<Millis>,
    /// In which epoch it ended.
    pub finished_in: Option<Epoch>,
    /// How it ended in this generation.
    pub outcome: Option<Outcome>,
    /// What it did was taken back, and in this generation nothing was done since.
    pub taken_back: bool,
    /// Until when it pauses.
    pub pausing_until: Option<Millis>,
    /// What a person is asked.
    pub question: Option<Question>,
    /// What people have said to it.
    pub votes: Vec<Vote>,
    /// A person's answer.
    pub answer: Option<GateAnswer>,
}

/// What a gate asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Question {
    /// The question, rendered.
    pub message: String,
    /// What the person is shown: name and value.
    pub shown: Vec<(String, Value)>,
    /// What it takes as an answer.
    pub terms: Terms,
}

impl Question {
    /// A short text that differs where what is asked does: an answer names the question that it is for.
    #[must_use]
    pub fn mark(&self) -> String {
        let parts = (&self.message, &self.shown, &self.terms);
        let text = serde_json::to_vec(&parts).unwrap_or_default();
        // FNV-1a: it tells questions of one run apart, and is no proof of anything.
        let sum = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        format!("{sum:016x}")
    }
}

/// How a gate was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateAnswer {
    /// Whether to go on.
    pub approved: bool,
    /// Who; not verified.
    pub by: String,
    /// What the run did is taken back.
    pub rollback: bool,
}

impl NodeState {
    pub(super) fn new(summary: NodeSummary) -> Self {
        Self {
            summary,
            stage: Stage::Waiting,
            generation: 1,
            decided: false,
            attempts: Vec::new(),
            passes: 0,
            looking_since: None,
            looked_at: None,
            verdict: None,
            outputs: BTreeMap::new(),
            before: BTreeMap::new(),
            captured_by: None,
            booted_in: None,
            started_at: None,
            finished_at: None,
            finished_in: None,
            outcome: None,
            taken_back: false,
            pausing_until: None,
            question: None,
            votes: Vec::new(),
            answer: None,
        }
    }

    /// Nothing is changed any more: the next attempt captures what is there then.
    pub(super) fn forget_captured(&mut self) {
        self.before.clear();
        self.captured_by = None;
    }

    /// Whether an attempt of any generation had an effect, or may have had, that was not taken back.
    #[must_use]
    pub fn has_acted(&self) -> bool {
        self.captured_by.is_some()
    }

    /// Whether it has ended, well or not.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether it has ended, and those that need it may start.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.outcome.as_ref().is_some_and(Outcome::is_success)
    }

    /// Whether it has ended, and those that only come after it may start.
    #[must_use]
    pub fn lets_pass(&self) -> bool {
        self.outcome.as_ref().is_some_and(Outcome::lets_pass)
    }
}
