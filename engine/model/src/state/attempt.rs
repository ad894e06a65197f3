//! Attempts: intents, and what became of each.

use std::collections::BTreeMap;

use super::{FoldError, RunState};
use crate::event::{AttemptEnd, Intent};
use crate::transition::Trigger;
use crate::{AttemptId, HostName, Millis, NodeIx, Record};

/// The state of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptState {
    /// Of which instance.
    pub node: NodeIx,
    /// Which attempt of its generation, from 1.
    pub number: u32,
    /// The job that it belongs to.
    pub unit: AttemptId,
    /// Where.
    pub host: HostName,
    /// The boot of that host at the intent.
    pub boot: String,
    /// When it was intended.
    pub intended_at: Millis,
    /// A launch is on record.
    pub launched: bool,
    /// Its limit is over, and it is left running.
    pub over_time: bool,
    /// As a member of a chain: its host said that the effect has begun.
    pub acts: bool,
    /// It takes back what another one did.
    pub undo: bool,
    /// How it ended, if it has.
    pub end: Option<AttemptEnd>,
}

impl AttemptState {
    /// Whether it may have had an effect, as far as is known.
    #[must_use]
    pub fn began(&self) -> bool {
        self.end.as_ref().is_none_or(AttemptEnd::began)
    }
}

impl RunState {
    /// The attempts of a node, of all generations, in the order of their intents; undos too.
    pub fn attempts_of(&self, node: NodeIx) -> impl Iterator<Item = (&AttemptId, &AttemptState)> {
        let ids = self.by_node.get(&node).into_iter().flatten();
        ids.filter_map(|id| self.attempts.get_key_value(id))
    }

    pub(super) fn dispatch(
        &mut self,
        record: &Record,
        unit: &AttemptId,
        instances: &[Intent],
        host: &HostName,
        boot: &str,
    ) -> Result<(), FoldError> {
        let seq = record.seq;
        let chain = instances.len() > 1;
        for (at, intent) in instances.iter().enumerate() {
            if self.attempts.contains_key(&intent.attempt) {
                return Err(FoldError::Unknown {
                    seq,
                    what: format!("attempt {} again", intent.attempt),
                });
            }
            let n = self.step(seq, intent.node, Trigger::Dispatched)?;
            if at == 0 {
                n.started_at.get_or_insert(record.at);
            }
            // An attempt that failed may have changed half of it: what was before all attempts stays.
            if n.captured_by.is_none() && !chain {
                n.before.clone_from(&intent.before);
                n.captured_by = Some(intent.attempt.clone());
            }
            n.taken_back = false;
            n.booted_in.get_or_insert_with(|| boot.to_owned());
            n.attempts.push(intent.attempt.clone());
            n.pausing_until = None;
            let attempt = AttemptState {
                node: intent.node,
                number: intent.number,
                unit: unit.clone(),
                host: host.clone(),
                boot: boot.to_owned(),
                intended_at: record.at,
                launched: false,
                over_time: false,
                acts: false,
                undo: false,
                end: None,
            };
            self.insert(intent.attempt.clone(), attempt);
        }
        Ok(())
    }

    /// The effect of a member of a chain has begun: what its host kept before.
    pub(super) fn began(
        &mut self,
        seq: u64,
        id: &AttemptId,
        before: &BTreeMap<String, String>,
    ) -> Result<(), FoldError> {
        let attempt = self.attempt(seq, id)?;
        attempt.acts = true;
        let node = attempt.node;
        let Some(n) = self.nodes.get_mut(node.at()) else {
            return Ok(());
        };
        if n.captured_by.is_none() {
            n.before.clone_from(before);
            n.captured_by = Some(id.clone());
        }
        Ok(())
    }

    /// An attempt has ended: in a chain the next one begins.
    pub(super) fn begin_next(&mut self, ended: &AttemptId, at: Millis) {
        let unit = self.attempts.get(ended).map(|a| &a.unit);
        let members = unit.and_then(|unit| self.by_unit.get(unit));
        let mut members = members.into_iter().flatten();
        let next = members.find(|id| *id == ended).and_then(|_| members.next());
        let node = next.and_then(|id| self.attempts.get(id)).map(|a| a.node);
        if let Some(n) = node.and_then(|node| self.nodes.get_mut(node.at())) {
            n.started_at.get_or_insert(at);
        }
    }

    pub(super) fn insert(&mut self, id: AttemptId, attempt: AttemptState) {
        let of_node = self.by_node.entry(attempt.node).or_default();
        of_node.push(id.clone());
        let of_unit = self.by_unit.entry(attempt.unit.clone()).or_default();
        of_unit.push(id.clone());
        self.attempts.insert(id, attempt);
    }

    pub(super) fn of_unit(
        &self,
        seq: u64,
        unit: &AttemptId,
    ) -> Result<Vec<(AttemptId, NodeIx, bool)>, FoldError> {
        let ids = self.by_unit.get(unit).into_iter().flatten();
        let found: Vec<_> = ids
            .filter_map(|id| Some((id.clone(), self.attempts.get(id)?)))
            .map(|(id, a)| (id, a.node, a.undo))
            .collect();
        if found.is_empty() {
            return Err(FoldError::Unknown {
                seq,
                what: format!("unit {unit}"),
            });
        }
        Ok(found)
    }

    pub(super) fn attempt(
        &mut self,
        seq: u64,
        id: &AttemptId,
    ) -> Result<&mut AttemptState, FoldError> {
        self.attempts.get_mut(id).ok_or_else(|| FoldError::Unknown {
            seq,
            what: format!("attempt {id}"),
        })
    }
}
