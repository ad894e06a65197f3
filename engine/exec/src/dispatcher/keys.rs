//! Who writes what: of the instances under way on one host, no two write the same resource.
//!
//! An instance takes all keys that its type writes at once, before its first look, and has them until
//! it has ended, its pauses included. Whoever has keys does not wait for more of them, so that each
//! goes on by itself and gives them back. There is one that does not: it was left in its middle by an
//! earlier controller, and waits for something before it that is done again, and that may want the
//! same keys. It gives them up, and takes them again before its next move.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::NodeIx;
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;

use super::{Dispatcher, Mode, Role};
use crate::rules::Rules;

/// A resource on the host at this position.
type Key = (usize, String);

/// Who has which keys, and who wants some.
#[derive(Debug, Default)]
pub(super) struct Ring {
    taken: BTreeMap<Key, BTreeSet<NodeIx>>,
    held: BTreeMap<NodeIx, Vec<Key>>,
    wanted: BTreeMap<NodeIx, Wanted>,
    /// Who is under way, and has given its keys up.
    gave: BTreeSet<NodeIx>,
}

/// What a node needs to start.
#[derive(Debug, Default)]
struct Wanted {
    written: Vec<Key>,
    read: Vec<Key>,
}

impl Ring {
    fn take(&mut self, node: NodeIx) {
        self.give_back(node);
        self.gave.remove(&node);
        let Some(wanted) = self.wanted.remove(&node) else {
            return;
        };
        for key in &wanted.written {
            self.taken.entry(key.clone()).or_default().insert(node);
        }
        if !wanted.written.is_empty() {
            self.held.insert(node, wanted.written);
        }
    }

    fn give_back(&mut self, node: NodeIx) {
        for key in self.held.remove(&node).unwrap_or_default() {
            if let Some(there) = self.taken.get_mut(&key) {
                there.remove(&node);
                if there.is_empty() {
                    self.taken.remove(&key);
                }
            }
        }
    }

    /// Who else has a key.
    fn others<'a>(&'a self, key: &Key, node: NodeIx) -> impl Iterator<Item = NodeIx> + 'a {
        let there = self.taken.get(key).into_iter().flatten();
        there.copied().filter(move |other| *other != node)
    }
}

impl<R: Rules> Dispatcher<R> {
    /// Notes which keys a node needs, by what is known now.
    pub(super) fn want_keys(&mut self, node: NodeIx) {
        let Role::Instance { host, kind, .. } = self.roles[node.at()] else {
            return;
        };
        let host = self.machine_at(host);
        let mut keys = self.rules.keys(node, &self.state);
        if kind == TypeKind::Probe {
            // Whatever its type says: it has no apply.
            keys.written.clear();
        }
        let here = |keys: Vec<String>| keys.into_iter().map(|key| (host, key)).collect();
        let wanted = Wanted {
            written: here(keys.written),
            read: here(keys.read),
        };
        if wanted.written.is_empty() && wanted.read.is_empty() {
            self.ring.wanted.remove(&node);
        } else {
            self.ring.wanted.insert(node, wanted);
        }
    }

    /// Whether a node need not wait for keys. While what earlier controllers left is accounted for,
    /// nobody changes anything, and nobody starts before all is looked at.
    pub(super) fn keys_let_move(&self, node: NodeIx) -> bool {
        self.mode != Mode::Going || self.keys_are_free(node)
    }

    /// Whether nobody has a key that the node wants. Who only reads does not wait for somebody who
    /// waits himself: that may be for this very look.
    fn keys_are_free(&self, node: NodeIx) -> bool {
        let Some(wanted) = self.ring.wanted.get(&node) else {
            return true;
        };
        let ring = &self.ring;
        let goes_on = |other| self.flights.contains_key(&other) || self.settled(other);
        let mut written = wanted.written.iter();
        let mut read = wanted.read.iter();
        written.all(|key| ring.others(key, node).next().is_none())
            && read.all(|key| !ring.others(key, node).any(goes_on))
    }

    /// Whether nobody but these has a key that the node wants.
    pub(super) fn keys_are_free_but_for(&self, node: NodeIx, these: &[NodeIx]) -> bool {
        let Some(wanted) = self.ring.wanted.get(&node) else {
            return true;
        };
        let mut keys = wanted.written.iter().chain(&wanted.read);
        keys.all(|key| {
            self.ring
                .others(key, node)
                .all(|other| these.contains(&other))
        })
    }

    /// Takes what was wanted.
    pub(super) fn take_keys(&mut self, node: NodeIx) {
        self.ring.take(node);
    }

    /// The node has ended.
    pub(super) fn drop_keys(&mut self, node: NodeIx) {
        self.ring.wanted.remove(&node);
        self.ring.gave.remove(&node);
        self.ring.give_back(node);
    }

    /// The procedure is over: what it left under way does not hold up what follows on every ending.
    pub(super) fn drop_keys_of_main(&mut self) {
        let held = self.ring.held.keys();
        let of = |node: &&NodeIx| self.parts[node.at()] != Part::Finally;
        let gone: Vec<NodeIx> = held.filter(of).copied().collect();
        gone.into_iter().for_each(|node| self.drop_keys(node));
    }

    /// Gives up the keys of a node that was left in its middle, and that cannot go on before
    /// something that changes hosts is done again, or before its part of the plan has its turn.
    pub(super) fn give_up_keys(&mut self, node: NodeIx) {
        let waits_for = |before: &NodeIx| {
            let looks = matches!(
                self.roles[before.at()],
                Role::Instance {
                    kind: TypeKind::Probe | TypeKind::Assert,
                    ..
                }
            );
            !looks && !self.state.nodes[before.at()].is_done()
        };
        let idle = self.mode == Mode::Going && !self.flights.contains_key(&node);
        let has = self.ring.held.contains_key(&node);
        let waits = || {
            let mut before = self.graph.requires(node).iter();
            !self.is_acting(node) || before.any(waits_for)
        };
        if idle && has && waits() {
            self.ring.give_back(node);
            self.ring.gave.insert(node);
        }
    }

    /// Whether a node under way has the keys for its next move; with `slot` it takes those that it
    /// gave up. When the run stops, nothing is changed any more, and nobody needs them.
    pub(super) fn has_keys(&mut self, node: NodeIx, slot: bool) -> bool {
        let waits = self.ring.gave.contains(&node) && self.mode == Mode::Going && !self.halted();
        if waits && slot {
            self.take_keys(node);
        } else if waits {
            self.want_keys(node);
        }
        !waits || slot
    }

    /// What an earlier controller left under way has its keys before anything starts: first what may
    /// run on its host, then the others, as far as there are any left.
    pub(super) fn take_over_keys(&mut self) {
        let stage = |node: NodeIx| self.state.nodes[node.at()].stage;
        let turn = match self.state.ending {
            Some(_) => Part::Finally,
            None => self.course(),
        };
        let all = (0u32..).map(NodeIx).take(self.plan.nodes.len());
        let (open, others): (Vec<NodeIx>, Vec<NodeIx>) = all
            .filter(|node| !matches!(stage(*node), Stage::Waiting | Stage::Done))
            .partition(|node| stage(*node) != Stage::Applied);
        for node in open {
            self.want_keys(node);
            self.take_keys(node);
        }
        for node in others {
            self.want_keys(node);
            if let Some(wanted) = self.ring.wanted.get_mut(&node) {
                wanted.read.clear();
            }
            if self.parts[node.at()] == turn && self.keys_are_free(node) {
                self.take_keys(node);
            } else {
                self.ring.gave.insert(node);
            }
        }
    }

    /// The first name of the machine behind a name: the controller may be one of the hosts.
    fn machine_at(&self, host: usize) -> usize {
        let machine = &self.hosts[host].machine;
        let same = |row: &super::hosts::HostRow| row.machine == *machine;
        match machine.is_empty() {
            true => host,
            false => self.hosts.iter().position(same).unwrap_or(host),
        }
    }
}
