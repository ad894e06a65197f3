//! What people say at gates.

use runbook_model::gate::Said;
use runbook_model::text::printable;

use crate::text::{bounded, value_text};

/// What somebody said at a gate that takes the answers of `wants` people; nothing where the decision
/// that follows says it.
pub(super) fn told(said: &Said, wants: u32) -> Option<String> {
    match said {
        Said::Evidence(given) if given.is_empty() => None,
        Said::Evidence(given) => {
            let parts = given
                .iter()
                .map(|(name, value)| format!("{} {}", printable(name), value_text(value)));
            let all = parts.collect::<Vec<_>>().join(", ");
            Some(format!("has done it: {}", bounded(&all, 1_000)))
        }
        _ if wants < 2 => None,
        said => Some(format!("says {}", bounded(said.word(), 80))),
    }
}
