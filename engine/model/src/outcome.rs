//! How an instance ends, and how a run ends.

use serde::{Deserialize, Serialize};

/// How an instance ended; terminal for its generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was there already: nothing changed.
    Satisfied,
    /// It was changed, and a second check agreed.
    Changed,
    /// A probe looked and was content.
    Looked,
    /// A gate was approved, an assert held, a point was reached.
    Passed,
    /// It did not have to run.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It failed, and the run stops.
    Failed(Failure),
    /// It failed, and counts as done: `on_failure: continue` of its step.
    Recorded(Failure),
    /// It failed, and its host has left the phase; the others go on.
    Left(Failure),
    /// A person has done it, or has seen that it is done.
    ByHand {
        /// Who; not verified.
        by: String,
        /// What shows it.
        evidence: String,
    },
    /// A person has taken its host out of the rest of the run.
    Excluded {
        /// By whom, and why.
        reason: String,
    },
    /// It was left out: its host has left the phase, or something that it needs has failed.
    LeftOut {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// Whether those that need it may start.
    #[must_use]
    pub fn is_success(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::Left(_) | Self::LeftOut { .. })
    }

    /// Whether those that only come after it may start.
    #[must_use]
    pub fn lets_pass(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }

    /// What went wrong, whatever followed from it.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Recorded(failure) | Self::Left(failure) => Some(failure),
            Self::Satisfied
            | Self::Changed
            | Self::Looked
            | Self::Passed
            | Self::Skipped { .. }
            | Self::ByHand { .. }
            | Self::Excluded { .. }
            | Self::LeftOut { .. } => None,
        }
    }

    /// One word for people.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Satisfied => "no change",
            Self::Changed => "changed",
            Self::Looked => "ok",
            Self::Passed => "passed",
            Self::Skipped { .. } => "skipped",
            Self::Failed(_) | Self::Left(_) => "failed",
            Self::Recorded(_) => "recorded",
            Self::ByHand { .. } => "done by hand",
            Self::Excluded { .. } => "excluded",
            Self::LeftOut { .. } => "left out",
        }
    }
}

/// Why an instance failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened, for people; not yet made printable.
    pub message: String,
    /// Exit status of the script, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// The end of its output, bounded; not yet made printable.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

impl Failure {
    /// A failure without a script's status.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            status: None,
            tail: String::new(),
        }
    }

    /// Whether something ended the script before it came to its own end. Shells give a signal as 128 and its number.
    #[must_use]
    pub fn is_cut_short(&self) -> bool {
        matches!(self.kind, FailureKind::Timeout | FailureKind::Cancelled)
            || self
                .status
                .is_some_and(|status| (129..=192).contains(&status))
    }
}

/// Kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The check itself failed: no verdict.
    Check,
    /// A probe found something else than wanted.
    Finding,
    /// Apply ended with an error.
    Apply,
    /// Apply was ended by its limit.
    Timeout,
    /// After apply the check still differs.
    NotConverged,
    /// `expect` is false.
    Expect,
    /// `until … fatal` is true.
    Fatal,
    /// `until … within` is over.
    Within,
    /// A template or condition has no value.
    Value,
    /// A condition of an assert is false.
    Assert,
    /// A person refused.
    Refused,
    /// The effect of an attempt is not known, and no check is able to tell.
    InDoubt,
    /// The host could not be reached.
    Unreachable,
    /// The attempt was cancelled.
    Cancelled,
    /// Something that it needs has failed.
    Requires,
    /// It is too late for it: the window says when.
    Window,
}

/// How a run, or one controller's part of it, ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Everything is done.
    Succeeded,
    /// `done_when` was true: nothing had to be done.
    AlreadyThere,
    /// Something failed; `resume` goes on.
    Failed,
    /// A person refused at a gate, or it is outside of the window; `resume` asks again.
    Refused,
    /// Asked to stop; `resume` goes on.
    Stopped,
    /// It was to run up to a phase, and has.
    Reached,
    /// What it did is taken back, as far as that can be.
    RolledBack,
    /// What later phases did is taken back; `resume` goes forward from there.
    SteppedBack,
    /// A person has ended it as it stood.
    Abandoned,
}

impl RunResult {
    /// Whether `resume` goes on with it.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        !self.is_final() || *self == Self::Reached
    }

    /// Whether another run may begin: nothing is left that has to be gone on with.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::AlreadyThere
                | Self::Reached
                | Self::RolledBack
                | Self::Abandoned
        )
    }
}
