//! Whose turn it is: the queue of decisions, the slots of hosts, and what is under way outside.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use runbook_model::event::Purpose;
use runbook_model::plan::Part;
use runbook_model::transition::Stage;
use runbook_model::{AttemptId, Event, NodeIx, Outcome, Value};

use super::hosts::Link;
use super::leave::Fate;
use super::{Act, Action, Dispatcher, Mode, Role};
use crate::rules::Rules;

/// A place in the queue: what has begun first, then the longest remaining path, then plan order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    fresh_start: bool,
    priority: Reverse<u64>,
    pub(super) node: NodeIx,
}

/// Something asked of the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flight {
    /// A check; `cut` while the link to its host is lost.
    Look {
        look: u64,
        purpose: Purpose,
        cut: bool,
    },
    /// A unit on a host.
    Attempt { unit: AttemptId, cut: bool },
    /// A member of a chain; the last one stands for the unit.
    Member,
    /// Work of the engine itself.
    Perform,
    /// A person's answer.
    Ask,
}

impl Flight {
    /// Whether its host is busy with it.
    fn takes_slot(&self) -> bool {
        !matches!(self, Self::Ask | Self::Member)
    }
}

/// What came of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// It is made, or it will be asked for again by what it waits for.
    Made,
    /// It needs a slot on its host, and the keys that it writes.
    NeedsSlot,
}

impl<R: Rules> Dispatcher<R> {
    /// Makes every move that can be made now.
    pub(super) fn pump(&mut self) {
        self.wake();
        self.close_window();
        self.warn_of_holds();
        while self.mode != Mode::Ended {
            if let Some(place) = self.queue.pop_first() {
                if self.attend(place.node, false) == Move::NeedsSlot {
                    self.waiting.insert(place);
                }
            } else if !self.grant() && !self.undo() && !self.look_ahead() && !self.advance() {
                break;
            }
        }
        self.announce_wake();
    }

    pub(super) fn enqueue(&mut self, node: NodeIx) {
        let fresh_start = self.state.nodes[node.at()].stage == Stage::Waiting;
        let priority = Reverse(self.graph.priority(node));
        self.queue.insert(Place {
            fresh_start,
            priority,
            node,
        });
    }

    /// Gives a free slot to the best of those who wait for one. True if something moved.
    fn grant(&mut self) -> bool {
        let Some(place) = self
            .waiting
            .iter()
            .copied()
            .find(|place| self.has_slot(place.node) && self.keys_let_move(place.node))
        else {
            return false;
        };
        self.waiting.remove(&place);
        if self.attend(place.node, true) == Move::NeedsSlot {
            self.fault(format!(
                "`{}` was given a slot and did not take it",
                self.plan.nodes[place.node.at()].id
            ));
        }
        true
    }

    pub(super) fn has_slot(&self, node: NodeIx) -> bool {
        let Role::Instance { host, .. } = self.roles[node.at()] else {
            return true;
        };
        let used = self.flights.values().filter(|f| f.takes_slot()).count();
        if used >= self.options.global.max(1) && !self.early.contains_key(&node) {
            return false;
        }
        match self.hosts[host].link {
            Link::Up => {
                let busy = self.hosts[host].busy + self.early_places(host);
                busy < self.options.per_host.max(1) || self.early.contains_key(&node)
            }
            Link::Asked => false,
            Link::Down => true,
        }
    }

    /// Decides the next move of a node from its stage; with `slot` it may use one on its host.
    fn attend(&mut self, node: NodeIx, slot: bool) -> Move {
        // Orders come before hosts are there: all is queued again when they are.
        if self.flights.contains_key(&node) || self.mode == Mode::Readying {
            return Move::Made;
        }
        let stage = self.state.nodes[node.at()].stage;
        let going = self.mode == Mode::Going && !self.halted();
        let able = match stage {
            Stage::Waiting => {
                going && self.notes[node.at()].missing == 0 && !self.is_kept_back(node)
            }
            Stage::Looking | Stage::Judging | Stage::Applied => self.settled(node),
            Stage::Pausing => going && self.settled(node),
            _ => false,
        };
        let able = able && self.is_acting(node);
        if !able {
            self.give_up_keys(node);
        }
        if !able || (self.mode == Mode::Going && self.derive(node)) {
            return Move::Made;
        }
        if !self.has_keys(node, slot) {
            return Move::NeedsSlot;
        }
        match stage {
            Stage::Waiting => self.start(node, slot),
            Stage::Looking => self.look_again(node, slot),
            Stage::Judging => self.judge(node, slot),
            Stage::Applied => self.applied(node, slot),
            _ => self.unpause(node, slot),
        }
    }

    /// Whether the node belongs to what is being run.
    pub(super) fn is_acting(&self, node: NodeIx) -> bool {
        match self.act {
            Act::Main => self.parts[node.at()] == Part::Main,
            Act::Back => self.parts[node.at()] == Part::Rollback,
            Act::Finally => self.parts[node.at()] == Part::Finally,
            Act::Releasing | Act::ByHand => false,
        }
    }

    /// Whether nothing new starts.
    pub(super) fn halted(&self) -> bool {
        self.state.stopping.is_some() && self.act != Act::Finally
    }

    /// A look whose link was lost, and that could not be asked again when it was back.
    fn look_again(&mut self, node: NodeIx, slot: bool) -> Move {
        let Some(purpose) = self.notes[node.at()].purpose else {
            return Move::Made;
        };
        let needed = matches!(purpose, Purpose::After | Purpose::Doubt);
        if self.halted() && !needed {
            return Move::Made;
        }
        if !slot {
            return Move::NeedsSlot;
        }
        if self.host_is_up(node) {
            self.ask_look(node, purpose);
        }
        Move::Made
    }

    /// Whether all that this node's texts refer to has ended: a fresh look may be under way.
    pub(super) fn settled(&self, node: NodeIx) -> bool {
        self.graph
            .requires(node)
            .iter()
            .all(|p| self.state.nodes[p.at()].is_done())
    }

    /// Begins a look. The node must have a slot.
    pub(super) fn look(&mut self, node: NodeIx, purpose: Purpose) {
        let begins = matches!(purpose, Purpose::Before | Purpose::Probe);
        if (begins && self.forsaken(node)) || !self.host_is_up(node) {
            return;
        }
        self.record(Event::Looking { node, purpose });
        self.notes[node.at()].purpose = Some(purpose);
        self.notes[node.at()].seen = self.state.seq;
        self.ask_look(node, purpose);
    }

    pub(super) fn ask_look(&mut self, node: NodeIx, purpose: Purpose) {
        self.looks += 1;
        self.fly(
            node,
            Flight::Look {
                look: self.looks,
                purpose,
                cut: false,
            },
        );
        self.act(Action::Look {
            look: self.looks,
            node,
            purpose,
        });
    }

    pub(super) fn fly(&mut self, node: NodeIx, flight: Flight) {
        self.land(node);
        if let (Role::Instance { host, .. }, true) = (self.roles[node.at()], flight.takes_slot()) {
            self.hosts[host].busy += 1;
        }
        self.flights.insert(node, flight);
    }

    pub(super) fn land(&mut self, node: NodeIx) {
        let Some(flight) = self.flights.remove(&node) else {
            return;
        };
        if let (Role::Instance { host, .. }, true) = (self.roles[node.at()], flight.takes_slot()) {
            self.hosts[host].busy -= 1;
        }
    }

    /// Ends a node: its successors come closer, or the run stops.
    pub(super) fn finish(&mut self, node: NodeIx, outcome: Outcome) {
        let outputs = self.state.nodes[node.at()].outputs.clone();
        self.finish_with(node, outcome, outputs);
    }

    /// The same, with other outputs than those of its last look or attempt.
    pub(super) fn finish_with(
        &mut self,
        node: NodeIx,
        outcome: Outcome,
        outputs: BTreeMap<String, Value>,
    ) {
        let outcome = match outcome {
            Outcome::Failed(failure) => match self.fate(node, failure.kind) {
                Fate::Stop => Outcome::Failed(failure),
                Fate::Record => Outcome::Recorded(failure),
                Fate::Leave => Outcome::Left(failure),
            },
            outcome => outcome,
        };
        let (success, passes) = (outcome.is_success(), outcome.lets_pass());
        self.record(Event::Finished {
            node,
            outcome,
            outputs,
        });
        if self.state.nodes[node.at()].looked_at.is_none() {
            self.notes[node.at()].seen = self.state.seq;
        }
        self.drop_keys(node);
        if self.mode == Mode::Ended {
            return;
        }
        self.derived.insert(node, Ok(()));
        self.note_left(node);
        self.hold_after(node);
        if success {
            self.take_vars();
        } else if !passes {
            self.failed(node);
        }
        for next in self.graph.successors(node).to_vec() {
            if passes {
                self.notes[next.at()].missing -= 1;
            }
            self.enqueue(next);
        }
    }

    /// Opens an ended node again: its successors wait for it once more.
    pub(super) fn reopen(&mut self, node: NodeIx, reason: &str) {
        let passes = self.state.nodes[node.at()].lets_pass();
        self.record(Event::Reopened {
            node,
            reason: reason.to_owned(),
        });
        let missing = self.notes[node.at()].missing;
        self.notes[node.at()] = super::Note {
            missing,
            since: Some(self.state.seq),
            ..super::Note::default()
        };
        if passes {
            for next in self.graph.successors(node) {
                self.notes[next.at()].missing += 1;
            }
        }
        self.enqueue(node);
    }

    pub(super) fn count_missing(&mut self) {
        for (at, note) in (0u32..).zip(&mut self.notes) {
            let missing = self.graph.predecessors(NodeIx(at)).iter();
            note.missing = missing
                .filter(|p| !self.state.nodes[p.at()].lets_pass())
                .count();
        }
    }

    /// Queues everything that may have a move to make.
    pub(super) fn enqueue_all(&mut self) {
        for node in (0u32..).map(NodeIx).take(self.plan.nodes.len()) {
            self.enqueue(node);
        }
    }

    fn wake(&mut self) {
        while let Some((until, node)) = self.pauses.first().copied() {
            if until > self.now {
                break;
            }
            self.pauses.pop_first();
            self.enqueue(node);
        }
    }

    fn announce_wake(&mut self) {
        let pause = self.pauses.first().map(|(until, _)| *until);
        let hold = self.hold_ends.first().map(|(until, _)| *until);
        let gate = self.deadlines.first().map(|(until, _)| *until);
        let next = [pause, hold, gate, self.closing()]
            .into_iter()
            .flatten()
            .min();
        if let Some(at) = next
            && self.woken != next
        {
            self.act(Action::Wake { at });
        }
        self.woken = next;
    }

    /// Ends the part of this controller, or lets it go on from accounting; true if it goes on.
    fn advance(&mut self) -> bool {
        if self.mode == Mode::Accounting && self.state.stopping.is_none() && self.accounted() {
            self.go();
            return true;
        }
        self.close_if_over()
    }
}
