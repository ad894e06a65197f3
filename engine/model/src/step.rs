//! A step of the plan: one intent, with every key that steers how it runs. Templates and
//! conditions are kept as text with their place; `lang` parses them again where they are used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{StepId, StepIx, Value};

/// Where something stands in a source of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Place {
    /// Position in [`crate::Plan::sources`].
    pub source: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// First byte.
    pub offset: u32,
    /// Number of bytes.
    pub length: u32,
}

/// A condition or a template with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expr {
    /// As written.
    pub text: String,
    /// Where.
    pub place: Place,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its id, unique in the plan.
    pub id: StepId,
    /// The name of its type.
    pub uses: String,
    /// Position in [`crate::Plan::phases`].
    pub phase: u32,
    /// Arguments; texts may hold templates.
    pub with: BTreeMap<String, Value>,
    /// Where each argument stands.
    pub with_places: BTreeMap<String, Place>,
    /// Runs only if true.
    pub when: Option<Expr>,
    /// Must be true of the outputs.
    pub expect: Option<Expr>,
    /// Repeats apply.
    pub retry: Retry,
    /// Repeats check.
    pub until: Option<Until>,
    /// Limit of one attempt (of one check, for a probe), in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Never killed, never retried by itself.
    pub critical: bool,
    /// Looked at again when older than this, in milliseconds.
    pub fresh_ms: Option<u64>,
    /// A record that is never taken again.
    pub once: bool,
    /// A mark of the outage.
    pub outage: Option<Outage>,
    /// What is lost by going back from here on.
    pub no_return: Option<Expr>,
    /// Left out of the automatic rollback.
    pub undo_none: bool,
    /// What its failure does to the others.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// What it did is held until something releases it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The directory that its scripts run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chdir: Option<Expr>,
    /// Its instances are one for each item, not only one for each host.
    #[serde(default)]
    pub for_each: bool,
    /// Its instances run on other hosts than those they belong to.
    #[serde(default)]
    pub via: bool,
    /// Free words.
    pub tags: Vec<String>,
    /// Where the step stands.
    pub place: Place,
}

impl Step {
    /// A step with nothing but its type.
    #[must_use]
    pub fn new(id: StepId, uses: impl Into<String>, phase: u32) -> Self {
        Self {
            id,
            uses: uses.into(),
            phase,
            with: BTreeMap::new(),
            with_places: BTreeMap::new(),
            when: None,
            expect: None,
            retry: Retry::default(),
            until: None,
            timeout_ms: None,
            critical: false,
            fresh_ms: None,
            once: false,
            outage: None,
            no_return: None,
            undo_none: false,
            on_failure: OnFailure::Stop,
            hold: None,
            chdir: None,
            for_each: false,
            via: false,
            tags: Vec::new(),
            place: Place::default(),
        }
    }
}

/// What a failure does to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nothing new starts anywhere; what runs finishes.
    #[default]
    Stop,
    /// Of a step: recorded, and counts as done. Of a phase: that host leaves it, the others go on.
    Continue,
}

/// Something that is held during a run: a freeze, a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The steps that release it; none: the end of the run.
    pub release: Vec<StepIx>,
    /// What becomes of it when the run fails.
    pub on_failure: HoldOnFailure,
    /// How long it may be held, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<u64>,
}

/// What becomes of a hold when the run fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldOnFailure {
    /// It stays, and is listed.
    #[default]
    Keep,
    /// It is released.
    Release,
}

/// How often apply is repeated, and after how long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// How many attempts in all, at least 1.
    pub attempts: u32,
    /// Before the second attempt, in milliseconds.
    pub delay_ms: u64,
    /// Factor from one delay to the next.
    pub backoff: f64,
    /// No delay is longer, in milliseconds.
    pub max_delay_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 1,
            delay_ms: 1_000,
            backoff: 2.0,
            max_delay_ms: 60_000,
        }
    }
}

impl Retry {
    /// Milliseconds to wait after attempt `n` (from 1) failed.
    #[must_use]
    pub fn delay_after(&self, n: u32) -> u64 {
        let factor = self
            .backoff
            .max(1.0)
            .powi(i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX));
        let delay = (self.delay_ms as f64 * factor).min(self.max_delay_ms as f64);
        delay.max(0.0) as u64
    }
}

/// How a check is repeated until it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Until {
    /// Between two looks, in milliseconds.
    pub every_ms: u64,
    /// How many satisfied looks in a row.
    pub passes: u32,
    /// Wall-clock time from the first look, in milliseconds.
    pub within_ms: u64,
    /// Ends it at once when true of the outputs.
    pub fatal: Option<Expr>,
}

/// A mark of the outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// Clients are cut off from here.
    Begin,
    /// Clients are served again.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_stop_growing() {
        let retry = Retry {
            attempts: 9,
            delay_ms: 100,
            backoff: 2.0,
            max_delay_ms: 350,
        };
        assert_eq!(
            [1, 2, 3, 900].map(|n| retry.delay_after(n)),
            [100, 200, 350, 350]
        );
    }
}
