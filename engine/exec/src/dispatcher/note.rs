//! What a controller knows of a node, and the journal does not: it begins anew with each controller.

use std::collections::BTreeMap;

use runbook_model::event::Purpose;

/// What this controller keeps of a node beside the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Note {
    /// Predecessors that have not ended well.
    pub(super) missing: usize,
    /// The last event when it was able to start. A look that began later is fresh for it, whatever
    /// the clock says: clocks are set back.
    pub(super) since: Option<u64>,
    /// The event that its last look of this generation began with; of an assert, its end.
    pub(super) seen: u64,
    /// What the last look was for.
    pub(super) purpose: Option<Purpose>,
    /// State captured by the last look.
    pub(super) before: BTreeMap<String, String>,
    /// State captured by the last look after an undo.
    pub(super) undo_before: BTreeMap<String, String>,
    /// Looks in a row that were satisfied and as expected.
    pub(super) passes: u32,
    /// Attempts that were lost or never began under this controller, in a row.
    pub(super) vain: u32,
}
