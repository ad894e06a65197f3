//! Generated secrets: the journal learns where each came from, once in a run, before the first effect.

use std::collections::BTreeMap;

use runbook_model::Event;
use runbook_model::secret::SecretOrigin;

use super::Dispatcher;
use crate::rules::Rules;

impl<R: Rules> Dispatcher<R> {
    /// Takes where generated secrets came from; to be called before [`Dispatcher::open`].
    pub fn settle(&mut self, origins: BTreeMap<String, SecretOrigin>) {
        self.settled = origins;
    }

    pub(super) fn record_settled(&mut self) {
        for (name, origin) in std::mem::take(&mut self.settled) {
            if !self.state.secrets.contains_key(&name) {
                self.record(Event::SecretSettled { name, origin });
            }
        }
    }
}
