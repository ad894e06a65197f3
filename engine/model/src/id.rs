//! Names and numbers that identify things, each a type of its own so that they cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid {what}: {rule}", crate::text::printable(text))]
pub struct InvalidId {
    /// The noun that was wanted.
    pub what: &'static str,
    /// The text that was given.
    pub text: String,
    /// What the noun allows.
    pub rule: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text that follows the rule of this noun.
            ///
            /// # Errors
            /// The text breaks the rule.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId { what: $what, text, rule: $rule })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

fn identifier(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

text_id!(
    /// One execution of a plan.
    RunId, "run id", "1 to 20 of a-z and 0-9",
    |t| !t.is_empty() && t.len() <= 20 && t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
);
text_id!(
    /// A step of a runbook.
    StepId, "step id", "a-z, then a-z, 0-9 and _, at most 64",
    identifier
);
text_id!(
    /// A host of the inventory, or `control` for the controller itself.
    HostName, "host name", "letters, digits, `.`, `_` and `-`, not starting with `-` or `.`, at most 253",
    |t| !t.is_empty() && t.len() <= 253 && !t.starts_with(['-', '.'])
        && t.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
);
text_id!(
    /// One execution of an instance's apply. Journaled with the intent, never recomputed.
    AttemptId, "attempt id", "starts with a letter; a-z, 0-9 and -, at most 64",
    |t| t.len() <= 64 && t.starts_with(|c: char| c.is_ascii_lowercase())
        && t.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
);

/// The name of the controller where a host is named.
pub const CONTROL: &str = "control";

impl HostName {
    /// The controller itself.
    #[must_use]
    pub fn control() -> Self {
        Self(CONTROL.to_owned())
    }

    /// Whether this names the controller.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.0 == CONTROL
    }
}

/// Which controller owns a run: raised by every resume and take-over.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Position of a step in [`crate::Plan::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIx(pub u32);

impl StepIx {
    /// As an index.
    #[must_use]
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// Position of a node in [`crate::Plan::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeIx(pub u32);

impl NodeIx {
    /// As an index.
    #[must_use]
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hold_their_rules() {
        assert!(RunId::new("k3x9").is_ok());
        assert!(RunId::new("K3").is_err());
        assert!(RunId::new("").is_err());
        assert!(StepId::new("dump_valid").is_ok());
        assert!(StepId::new("dump-valid").is_err());
        assert!(HostName::new("-oProxyCommand=x").is_err());
        assert!(HostName::new("quay01.example.com").is_ok());
        assert!(
            AttemptId::new("213235788261").is_err(),
            "an id must not look like a number"
        );
    }

    #[test]
    fn a_bad_id_is_refused_when_read() {
        assert!(serde_json::from_str::<HostName>("\"a b\"").is_err());
        assert!(serde_json::from_str::<HostName>("\"db01\"").is_ok());
    }
}
