//! Readiness of hosts, and links that are lost.

use runbook_model::event::{Purpose, StopReason};
use runbook_model::plan::Part;
use runbook_model::state::{AttemptState, HostState};
use runbook_model::{Event, Failure, FailureKind, HostName, NodeIx, Outcome};

use super::leave::Fate;
use super::queue::Flight;
use super::{Act, Action, Dispatcher, Mode, Role};
use crate::rollback::Scope;
use crate::rules::Rules;

/// A host, as this controller sees it.
#[derive(Debug, Clone)]
pub(super) struct HostRow {
    pub(super) name: HostName,
    pub(super) link: Link,
    /// The machine that answered under this name.
    pub(super) machine: String,
    /// Looks and attempts under way there.
    pub(super) busy: usize,
    /// The event since which it is in another boot than it was under this controller before.
    pub(super) booted: u64,
}

/// The link to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It is being reached.
    Asked,
    Up,
    /// It cannot be used.
    Down,
}

impl HostRow {
    pub(super) fn new(name: HostName) -> Self {
        Self {
            name,
            link: Link::Asked,
            machine: String::new(),
            busy: 0,
            booted: 0,
        }
    }
}

impl<R: Rules> Dispatcher<R> {
    pub(super) fn ready_all(&mut self) {
        let scope = match self.act {
            Act::Back => self.scope(),
            _ => Scope::default(),
        };
        let wanted: Vec<usize> = (0..self.hosts.len())
            .filter(|at| self.is_wanted(*at, &scope))
            .collect();
        for (at, row) in self.hosts.iter_mut().enumerate() {
            if !wanted.contains(&at) {
                row.link = Link::Down;
            }
        }
        for at in wanted {
            let host = self.hosts[at].name.clone();
            self.act(Action::Ready { host });
        }
        self.readied();
    }

    /// Whether this controller uses a host. A procedure of going back is not run here.
    fn is_wanted(&self, at: usize, scope: &Scope) -> bool {
        if self.state.excluded.contains_key(&self.hosts[at].name) {
            return false;
        }
        let all = || (0u32..).map(NodeIx).zip(&self.roles);
        let is_there = |role: &Role| matches!(role, Role::Instance { host, .. } if *host == at);
        let mut there = all()
            .filter(|(_, role)| is_there(role))
            .map(|(node, _)| node)
            .peekable();
        let back = self.act == Act::Back;
        if self.state.release.is_none() && !back {
            return there.peek().is_none()
                || there.any(|node| self.parts[node.at()] != Part::Rollback);
        }
        let acts = |node: NodeIx| match &self.state.release {
            Some(release) => release.nodes.contains(&node),
            None => {
                let follows = self.parts[node.at()] == Part::Finally;
                self.is_open(node) || follows || self.goes_back_on(scope, node)
            }
        };
        let acting = all().map(|(node, _)| node).filter(|node| acts(*node));
        let givers = self.givers(acting.collect());
        there.any(|node| acts(node) || givers.contains(&node))
    }

    pub(super) fn host_ready(
        &mut self,
        name: &HostName,
        boot: String,
        machine: String,
        clock_offset_ms: i64,
    ) {
        let Some(at) = self.asked(name) else { return };
        let known = std::mem::replace(&mut self.hosts[at].machine, machine.clone());
        if self.mode != Mode::Readying && known != machine {
            return self.refuse(at, "another machine answers to this name now".into());
        }
        if let Some(other) = self.same_machine(name, &machine) {
            let says = |other: &HostName| {
                format!("is the same machine as `{other}`: one of the names is wrong")
            };
            self.refuse(at, says(&self.hosts[other].name));
            if self.hosts[other].link == Link::Up {
                self.refuse(other, says(name));
            }
            return self.readied();
        }
        self.hosts[at].link = Link::Up;
        let another = self.boot_of(name).is_some_and(|known| known != boot);
        self.record(Event::HostReady {
            host: name.clone(),
            boot,
            machine,
            clock_offset_ms,
        });
        if another {
            self.hosts[at].booted = self.state.seq;
        }
        if self.mode == Mode::Readying {
            self.readied()
        } else {
            self.restored(at)
        }
    }

    pub(super) fn host_unusable(&mut self, name: &HostName, problem: String) {
        if let Some(at) = self.asked(name) {
            self.refuse(at, problem);
            self.readied();
        }
    }

    /// The link is lost: the host is reached again, if anything is still wanted of it.
    pub(super) fn host_lost(&mut self, name: &HostName) {
        let found = self
            .hosts
            .iter()
            .position(|row| row.name == *name && row.link == Link::Up);
        let Some(at) = found else { return };
        if self.mode == Mode::Readying {
            self.refuse(at, "the connection was lost".into());
            return self.readied();
        }
        self.hosts[at].link = Link::Asked;
        self.drop_early(at);
        for node in self.flying(at) {
            match self.flights.get_mut(&node) {
                Some(Flight::Look { cut, .. } | Flight::Attempt { cut, .. }) => *cut = true,
                Some(Flight::Perform | Flight::Ask | Flight::Member) | None => {}
            }
        }
        self.act(Action::Ready { host: name.clone() });
    }

    /// Whether the host of this node may be used; if it never will, the node fails where its phase
    /// bears that, and the run stops elsewhere.
    pub(super) fn host_is_up(&mut self, node: NodeIx) -> bool {
        let Role::Instance { host, .. } = self.roles[node.at()] else {
            return true;
        };
        if self.hosts[host].link == Link::Down {
            self.unreachable(host, vec![node]);
        }
        self.hosts[host].link == Link::Up
    }

    /// What a host that cannot be used does to nodes that need it now.
    fn unreachable(&mut self, at: usize, nodes: Vec<NodeIx>) {
        let host = self.hosts[at].name.clone();
        let bears = |node: &NodeIx| self.fate(*node, FailureKind::Unreachable) != Fate::Stop;
        if !nodes.iter().all(bears) {
            return self.stop(StopReason::Host(host));
        }
        let problem = match self.state.hosts.get(&host) {
            Some(HostState::Unusable(problem)) => format!("{host} cannot be used: {problem}"),
            Some(HostState::Ready { .. }) | None => format!("{host} cannot be used"),
        };
        for node in nodes {
            let failure = Failure::new(FailureKind::Unreachable, problem.clone());
            self.finish(node, Outcome::Failed(failure));
        }
    }

    /// Whether the procedure goes on without a host: nothing is unknown of what was done there, and
    /// each phase that has begun bears its failure, or has been left by it.
    pub(super) fn is_borne(&self, at: usize) -> bool {
        let open = |a: &AttemptState| {
            !a.undo && a.host == self.hosts[at].name && !self.state.nodes[a.node.at()].is_done()
        };
        if self.state.open_attempts().any(|(_, a)| open(a)) {
            return false;
        }
        let pending = self.pending(at);
        if pending.is_empty() {
            return self.has_left(at);
        }
        let bears = |n: &NodeIx| self.fate(*n, FailureKind::Unreachable) != Fate::Stop;
        pending.iter().all(bears)
    }

    /// Whether a failure on a host has made one leave a phase that is not over.
    fn has_left(&self, at: usize) -> bool {
        let nodes = (0u32..).map(NodeIx).zip(&self.roles);
        let mut there = nodes
            .filter(|(_, role)| matches!(role, Role::Instance { host, .. } if *host == at))
            .map(|(node, _)| node);
        let left =
            |node: NodeIx| matches!(self.state.nodes[node.at()].outcome, Some(Outcome::Left(_)));
        there.any(|node| self.is_acting(node) && left(node) && !self.is_final(node))
    }

    /// Nodes of a host that have not ended, in phases that have begun.
    fn pending(&self, at: usize) -> Vec<NodeIx> {
        let nodes = (0u32..).map(NodeIx).zip(&self.roles);
        let there = nodes.filter_map(|(node, role)| match role {
            Role::Instance { host, step, .. } if *host == at => Some((node, *step)),
            _ => None,
        });
        let begun = |step: usize| {
            let begin = self.begins.get(&self.step(step).phase);
            begin.is_none_or(|begin| self.state.nodes[begin.at()].is_done())
        };
        there
            .filter(|(node, step)| {
                self.is_acting(*node) && !self.state.nodes[node.at()].lets_pass() && begun(*step)
            })
            .map(|(node, _)| node)
            .collect()
    }

    pub(super) fn boot_of(&self, name: &HostName) -> Option<&str> {
        match self.state.hosts.get(name) {
            Some(HostState::Ready { boot, .. }) => Some(boot),
            Some(HostState::Unusable(_)) | None => None,
        }
    }

    /// A host that was asked for and has not answered.
    fn asked(&self, name: &HostName) -> Option<usize> {
        self.hosts
            .iter()
            .position(|row| row.name == *name && row.link == Link::Asked)
    }

    pub(super) fn flying(&self, host: usize) -> Vec<NodeIx> {
        let there = |node: &&NodeIx| matches!(self.roles[node.at()], Role::Instance { host: h, .. } if h == host);
        self.flights.keys().filter(there).copied().collect()
    }

    fn same_machine(&self, name: &HostName, machine: &str) -> Option<usize> {
        // The controller may well be one of the hosts: `control` is a place, not a second host.
        if machine.is_empty() || name.is_control() {
            return None;
        }
        let same =
            |row: &HostRow| row.name != *name && !row.name.is_control() && row.machine == machine;
        self.hosts.iter().position(same)
    }

    /// The host may not be used: what was asked of it is given up, its attempts stay open.
    fn refuse(&mut self, at: usize, problem: String) {
        self.hosts[at].link = Link::Down;
        let host = self.hosts[at].name.clone();
        self.record(Event::HostUnusable {
            host: host.clone(),
            problem,
        });
        if self.mode == Mode::Readying {
            return;
        }
        let (mut looks, mut open) = (Vec::new(), false);
        for node in self.flying(at) {
            match self.flights.get(&node) {
                Some(Flight::Look {
                    purpose: Purpose::Undo | Purpose::Derive,
                    ..
                }) => {
                    self.land(node);
                    self.enqueue_all();
                }
                Some(Flight::Look { .. }) => {
                    self.land(node);
                    looks.push(node);
                }
                Some(Flight::Attempt { .. } | Flight::Member) => {
                    self.land(node);
                    open = true;
                }
                Some(Flight::Perform | Flight::Ask) | None => {}
            }
        }
        match self.act {
            Act::Releasing | Act::ByHand => {}
            Act::Finally => self.unreachable(at, looks),
            // What an attempt does there is not known: nothing goes on beside it.
            Act::Main | Act::Back if open || self.mode != Mode::Going => {
                self.stop(StopReason::Host(host))
            }
            Act::Main | Act::Back if looks.is_empty() => {
                if !self.is_borne(at) {
                    self.stop(StopReason::Host(host));
                }
            }
            Act::Main | Act::Back => self.unreachable(at, looks),
        }
    }

    /// The link is back: what was cut is asked for again.
    fn restored(&mut self, at: usize) {
        for node in self.flying(at) {
            match self.flights.get(&node).cloned() {
                Some(Flight::Look {
                    purpose, cut: true, ..
                }) => {
                    let needed =
                        !matches!(purpose, Purpose::Before | Purpose::Probe | Purpose::Derive);
                    self.land(node);
                    let reads = matches!(purpose, Purpose::Undo | Purpose::Derive);
                    if (needed || !self.halted()) && (reads || self.settled(node)) {
                        self.ask_look(node, purpose);
                    }
                }
                Some(Flight::Attempt { unit, cut: true }) => self.ask_unit(node, unit),
                Some(_) | None => {}
            }
        }
        self.enqueue_all();
    }

    /// Goes on when every host has answered.
    pub(super) fn readied(&mut self) {
        if self.mode == Mode::Readying && self.hosts.iter().all(|row| row.link != Link::Asked) {
            self.account();
        }
    }
}
