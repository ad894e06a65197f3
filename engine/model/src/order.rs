//! What people have a run do from outside: an order, with who gave it and why. It is left in the
//! run's inbox; the controller that owns the run takes it in, and from then on it is in the journal.
//!
//! Names are text, as people type them: whoever leaves an order may have read an older state.

use serde::{Deserialize, Serialize};

use crate::gate::Said;
use crate::{HostName, Millis};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Its own name, never used twice in a run: an order is carried out once.
    pub id: String,
    /// Who, as the system of the machine names them; not verified.
    pub by: String,
    /// Why, in the person's words. May be empty where nothing is decided by it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What is to be done.
    pub command: Command,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Nothing new starts; with a step, that step and what waits for it do not. The controller ends
    /// its part when nothing else is left, and a resume goes on.
    Pause {
        /// The step that is not to start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<String>,
    },
    /// No instance of this step starts until it is unblocked; over a resume, too.
    Block {
        /// The step.
        step: String,
    },
    /// It may start again.
    Unblock {
        /// The step.
        step: String,
    },
    /// What has ended is done once more.
    Rerun {
        /// The step, or the instance.
        what: String,
    },
    /// What has failed, or is not known, is tried again.
    Retry {
        /// The instance.
        what: String,
    },
    /// A person has seen to it that it is done.
    Done {
        /// The instance.
        what: String,
        /// What shows it.
        evidence: String,
    },
    /// What has failed is left out, and counts as done.
    Skip {
        /// The instance.
        what: String,
    },
    /// The host is left out of the rest of the run.
    Exclude {
        /// The host.
        host: HostName,
    },
    /// A gate is answered.
    Answer {
        /// The gate: its step, or one instance.
        what: String,
        /// What is said.
        said: Said,
        /// The question that it answers: [`Question::mark`](crate::state::Question::mark).
        question: String,
        /// When it was given, by the clock of whoever gave it: one that came in time counts, however late it is read. None:
        /// when it is read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Millis>,
    },
    /// Only the reason is recorded.
    Note,
    /// Nothing new starts; what runs finishes.
    Cancel,
    /// What runs there is ended.
    Kill {
        /// The instance.
        what: String,
    },
    /// What the run has done is taken back.
    RollBack {
        /// What this phase and earlier ones did stays; none: nothing stays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
        /// The gate whose decision it follows; none: a person has ordered it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gate: Option<String>,
    },
    /// The run is over as it stands.
    Abandon,
}

impl Command {
    /// One word for people: the command that gives such an order.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Block { .. } => "block",
            Self::Unblock { .. } => "unblock",
            Self::Rerun { .. } => "rerun",
            Self::Retry { .. } => "retry",
            Self::Done { .. } => "done",
            Self::Skip { .. } => "skip",
            Self::Exclude { .. } => "exclude",
            Self::Answer { .. } => "approve",
            Self::Note => "note",
            Self::Cancel => "cancel",
            Self::Kill { .. } => "kill",
            Self::RollBack { .. } => "rollback",
            Self::Abandon => "abandon",
        }
    }

    /// What it is about, as it was typed: a step, an instance, a host, a phase.
    #[must_use]
    pub fn what(&self) -> Option<&str> {
        match self {
            Self::Pause { before: what } | Self::RollBack { to: what, .. } => what.as_deref(),
            Self::Block { step } | Self::Unblock { step } => Some(step),
            Self::Rerun { what }
            | Self::Retry { what }
            | Self::Done { what, .. }
            | Self::Skip { what }
            | Self::Answer { what, .. }
            | Self::Kill { what } => Some(what),
            Self::Exclude { host } => Some(host.as_str()),
            Self::Note | Self::Cancel | Self::Abandon => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_its_file() {
        let order = Order {
            id: "o1".into(),
            by: "ada on desk".into(),
            reason: "the disk is gone".into(),
            command: Command::Exclude {
                host: HostName::new("quay03").unwrap(),
            },
        };
        let text = serde_json::to_string(&order).unwrap();
        assert_eq!(
            text,
            r#"{"id":"o1","by":"ada on desk","reason":"the disk is gone","command":{"do":"exclude","host":"quay03"}}"#
        );
        assert_eq!(serde_json::from_str::<Order>(&text).unwrap(), order);
    }

    #[test]
    fn what_is_not_an_order_is_refused() {
        for text in [
            r#"{"id":"o1","by":"a","command":{"do":"destroy"}}"#,
            r#"{"id":"o1","by":"a","command":{"do":"note"},"more":1}"#,
            r#"{"by":"a","command":{"do":"note"}}"#,
        ] {
            assert!(serde_json::from_str::<Order>(text).is_err(), "{text}");
        }
    }
}
