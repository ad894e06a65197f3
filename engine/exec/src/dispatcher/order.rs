//! Orders from outside: whether they can be followed, and what follows from them.

use std::collections::BTreeSet;

use runbook_model::event::StopReason;
use runbook_model::order::{Command, Order};
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{AttemptId, Event, HostName, NodeIx, Outcome};

use super::hosts::Link;
use super::queue::Flight;
use super::{Act, Action, Dispatcher, Mode, Note, Role};
use crate::rules::Rules;

/// Why the procedure does not change any more.
const OVER: &str = "the procedure is over: what follows on its ending is under way";

impl<R: Rules> Dispatcher<R> {
    /// Takes an order in. One that was taken in before is nothing new.
    pub(super) fn ordered(&mut self, order: Order) {
        if self.state.orders.contains(&order.id) {
            return;
        }
        // Nothing is asked before the hosts are there: an answer that was left waits for its question.
        let early = matches!(self.mode, Mode::Readying | Mode::Accounting);
        if early && matches!(order.command, Command::Answer { .. }) {
            self.answers.push(order);
            return;
        }
        match self.nodes_for(&order) {
            Ok(nodes) => self.follow_order(order, nodes),
            Err(problem) => self.record(Event::OrderRefused {
                order: order.id,
                problem,
            }),
        }
    }

    fn follow_order(&mut self, order: Order, nodes: Vec<NodeIx>) {
        let (command, by) = (order.command.clone(), order.by.clone());
        let kills = match &command {
            Command::Kill { .. } => self.running(&nodes),
            _ => Vec::new(),
        };
        self.record(Event::Ordered {
            order,
            nodes: nodes.clone(),
        });
        match command {
            Command::Pause { before: None } => {
                self.unwanted = true;
                self.stop(StopReason::Paused(None));
            }
            Command::Cancel => self.interrupt(),
            Command::Kill { .. } => {
                for (node, unit) in kills {
                    self.kill(node, unit);
                }
            }
            Command::Rerun { .. }
            | Command::Retry { .. }
            | Command::Done { .. }
            | Command::Skip { .. } => {
                self.moved(&nodes);
            }
            Command::Exclude { host } => {
                self.let_go(&host);
                self.moved(&nodes);
            }
            Command::Answer { said, .. } => {
                for node in nodes {
                    // It was judged before, and nothing has happened since.
                    let _ = self.say(node, said.clone(), by.clone());
                }
            }
            Command::Unblock { .. } => self.enqueue_all(),
            // What is in a chain already begins without asking anybody.
            Command::Pause { before: Some(_) } | Command::Block { .. } => self.halt_chains(),
            Command::Note | Command::RollBack { .. } | Command::Abandon => {}
        }
        if self.mode == Mode::Readying {
            self.readied();
        }
    }

    /// After nodes were opened or ended by an order: who waits for what is counted anew.
    fn moved(&mut self, nodes: &[NodeIx]) {
        for node in nodes {
            self.land(*node);
            self.notes[node.at()] = Note {
                since: self.state.nodes[node.at()]
                    .outcome
                    .is_none()
                    .then_some(self.state.seq),
                ..Note::default()
            };
            for unit in self.state.by_node.get(node).into_iter().flatten() {
                self.unanswered.remove(unit);
            }
        }
        self.pauses.retain(|(_, node)| !nodes.contains(node));
        self.count_missing();
        self.find_left();
        self.take_vars();
        self.enqueue_all();
    }

    /// Nothing is asked of this host any more.
    fn let_go(&mut self, host: &HostName) {
        let Some(at) = self.hosts.iter().position(|row| row.name == *host) else {
            return;
        };
        for node in self.flying(at) {
            self.land(node);
        }
        self.hosts[at].link = Link::Down;
    }

    fn kill(&mut self, node: NodeIx, unit: AttemptId) {
        // Another member of its chain runs: that one is not meant, and this one will not begin.
        if self.waits_in_chain(node, &unit) {
            return self.halt_chains();
        }
        if let Role::Instance { host, .. } = self.roles[node.at()] {
            let host = self.hosts[host].name.clone();
            self.act(Action::Kill { unit, node, host });
        }
    }

    /// Attempts of these nodes that are under way on hosts.
    fn running(&self, nodes: &[NodeIx]) -> Vec<(NodeIx, AttemptId)> {
        let open = |node: &NodeIx| {
            let mut attempts = self.state.attempts_of(*node);
            attempts
                .find(|(_, a)| a.end.is_none())
                .map(|(_, a)| a.unit.clone())
        };
        let flying = nodes
            .iter()
            .filter_map(|node| match self.flights.get(node) {
                Some(Flight::Attempt { .. } | Flight::Member) => Some((*node, open(node)?)),
                _ => None,
            });
        flying.collect()
    }

    /// The nodes that an order is about, or why it cannot be followed.
    fn nodes_for(&self, order: &Order) -> Result<Vec<NodeIx>, String> {
        match &order.command {
            Command::Pause { .. } if self.state.ending.is_some() => Err(OVER.into()),
            Command::Pause { before: Some(step) } | Command::Block { step } => {
                let open = self.instances_of(step)?;
                let waiting = open.iter().any(|n| !self.state.nodes[n.at()].is_done());
                let begun = open
                    .iter()
                    .any(|n| self.state.nodes[n.at()].started_at.is_some());
                match waiting {
                    true => Ok(Vec::new()),
                    false if begun => Err(format!("`{step}` has ended")),
                    false => Err(format!("`{step}` has no instance that waits")),
                }
            }
            Command::Unblock { step } if !self.state.blocked.contains_key(step) => {
                Err(format!("`{step}` is not blocked"))
            }
            Command::Rerun { what } => self.to_rerun(what),
            Command::Answer {
                what,
                said,
                question,
                at,
            } => self.to_answer(what, said, question, &order.by, *at),
            Command::Retry { .. } if self.has_succeeded() => Err(OVER.into()),
            Command::Retry { what } => self
                .only(what, |n| self.failed_or_doubted(n))
                .map_err(|e| e.unwrap_or_else(|| format!("`{what}` has not failed"))),
            Command::Done { what, evidence } => self.to_settle(what, evidence),
            Command::Skip { what } => self.to_skip(what),
            Command::Exclude { host } => self.to_exclude(host),
            Command::Kill { what } => {
                let found = self.running(&self.named(what)?);
                match found.is_empty() {
                    true => Err(format!("nothing of `{what}` runs")),
                    false => Ok(found.into_iter().map(|(node, _)| node).collect()),
                }
            }
            Command::RollBack { .. } => {
                Err("a run that is under way is not rolled back: stop it first".into())
            }
            Command::Abandon => {
                Err("a run that is under way is not abandoned: stop it first".into())
            }
            Command::Pause { before: None }
            | Command::Unblock { .. }
            | Command::Note
            | Command::Cancel => Ok(Vec::new()),
        }
    }

    /// Whether nothing of the procedure is to be done any more.
    fn has_succeeded(&self) -> bool {
        let ending = self.state.ending.as_ref();
        ending.is_some_and(|(result, _)| result.is_final())
    }

    fn to_rerun(&self, what: &str) -> Result<Vec<NodeIx>, String> {
        if self.act != Act::Main || self.state.ending.is_some() {
            return Err(OVER.into());
        }
        let nodes = self.named(what)?;
        for node in &nodes {
            let id = &self.plan.nodes[node.at()].id;
            let n = &self.state.nodes[node.at()];
            if self.parts[node.at()] != Part::Main {
                return Err(format!("`{id}` is not a step of the procedure itself"));
            }
            if !n.is_done() {
                return Err(format!("`{id}` has not ended"));
            }
            match self.roles[node.at()] {
                Role::Instance {
                    kind: TypeKind::Gate,
                    ..
                } => {
                    return Err(format!("`{id}` is a decision: it is not asked twice"));
                }
                Role::Instance { step, .. } if self.step(step).once => {
                    return Err(format!(
                        "`{id}` is a record of how things were: it is never taken again"
                    ));
                }
                _ => {}
            }
            if self.is_out(*node) {
                return Err(format!("the host of `{id}` is excluded"));
            }
        }
        Ok(nodes)
    }

    /// Whether it has failed, or nobody knows what became of it.
    fn failed_or_doubted(&self, node: NodeIx) -> bool {
        let n = &self.state.nodes[node.at()];
        matches!(n.outcome, Some(Outcome::Failed(_) | Outcome::Left(_)))
    }

    fn only(
        &self,
        what: &str,
        fits: impl Fn(NodeIx) -> bool,
    ) -> Result<Vec<NodeIx>, Option<String>> {
        let mut nodes = self.named(what).map_err(Some)?;
        nodes.retain(|node| fits(*node));
        if nodes.is_empty() {
            Err(None)
        } else {
            Ok(nodes)
        }
    }

    fn to_settle(&self, what: &str, evidence: &str) -> Result<Vec<NodeIx>, String> {
        if evidence.trim().is_empty() {
            return Err("without evidence nobody can tell that it is done".into());
        }
        let nodes = self.only(what, |n| self.failed_or_doubted(n));
        let nodes = nodes.map_err(|e| e.unwrap_or_else(|| format!("`{what}` has not failed")))?;
        self.no_decision(&nodes)?;
        Ok(nodes)
    }

    fn to_skip(&self, what: &str) -> Result<Vec<NodeIx>, String> {
        let nodes = self.only(what, |n| self.failed_or_doubted(n));
        let nodes = nodes.map_err(|e| e.unwrap_or_else(|| format!("`{what}` has not failed")))?;
        self.no_decision(&nodes)?;
        for node in &nodes {
            if let Role::Instance { step, .. } = self.roles[node.at()]
                && self.step(step).no_return.is_some()
            {
                let id = &self.plan.nodes[node.at()].id;
                return Err(format!(
                    "`{id}` is a point of no return: leaving it out needs a second person"
                ));
            }
        }
        Ok(nodes)
    }

    /// What protects the others is not waved through by one person.
    fn no_decision(&self, nodes: &[NodeIx]) -> Result<(), String> {
        for node in nodes {
            let what = match self.roles[node.at()] {
                Role::Instance {
                    kind: TypeKind::Gate,
                    ..
                } => "a gate",
                Role::Instance {
                    kind: TypeKind::Assert,
                    ..
                } => "an assert",
                Role::Instance {
                    kind: TypeKind::Probe,
                    ..
                } => "a probe",
                Role::Instance { .. } => continue,
                Role::PhaseBegin(_) | Role::Barrier { .. } | Role::DoneWhen => {
                    "a decision of the run"
                }
            };
            let id = &self.plan.nodes[node.at()].id;
            return Err(format!(
                "`{id}` is {what}: passing it needs a second person"
            ));
        }
        Ok(())
    }

    fn to_exclude(&self, host: &HostName) -> Result<Vec<NodeIx>, String> {
        if host.is_control() {
            return Err("the controller cannot be excluded".into());
        }
        if self.state.excluded.contains_key(host) {
            return Err(format!("{host} is excluded already"));
        }
        let mine = |node: &NodeIx| {
            self.own_host(*node).as_ref() == Some(host) || self.plan.runs_on(*node) == Some(host)
        };
        let all: Vec<NodeIx> = (0u32..)
            .map(NodeIx)
            .take(self.plan.nodes.len())
            .filter(mine)
            .collect();
        if all.is_empty() {
            return Err(format!("the run does nothing on {host}"));
        }
        // What happened there happened: only what has not ended well is left out. What waits is when
        // its turn comes: those after it must not overtake those before it.
        let open = |node: &NodeIx| {
            let n = &self.state.nodes[node.at()];
            match n.outcome {
                None => n.stage != Stage::Waiting,
                Some(Outcome::Failed(_) | Outcome::Left(_) | Outcome::LeftOut { .. }) => true,
                Some(_) => false,
            }
        };
        Ok(all.into_iter().filter(open).collect())
    }

    /// The instances of a step.
    fn instances_of(&self, step: &str) -> Result<Vec<NodeIx>, String> {
        let Some((at, _)) = self.plan.step(step) else {
            return Err(format!("the run has no step `{step}`"));
        };
        Ok(self.plan.instances_of(at).map(|(node, _)| node).collect())
    }

    /// The instance of this name, or those of the step of this name.
    pub(super) fn named(&self, what: &str) -> Result<Vec<NodeIx>, String> {
        if let Some(node) = self.plan.node(what) {
            return Ok(vec![node]);
        }
        self.instances_of(what)
            .map_err(|_| format!("the run has no step or instance `{what}`"))
    }

    /// Whether a person keeps this node from starting.
    pub(super) fn is_kept_back(&self, node: NodeIx) -> bool {
        self.is_blocked(node) || self.is_paused(node) || self.is_beyond(node)
    }

    fn is_blocked(&self, node: NodeIx) -> bool {
        let step = self.plan.instance(node).map(|(step, _)| step.id.as_str());
        step.is_some_and(|step| self.state.blocked.contains_key(step))
    }

    fn is_paused(&self, node: NodeIx) -> bool {
        let step = self.plan.instance(node).map(|(step, _)| step.id.as_str());
        step.is_some_and(|step| self.state.pause_before.contains(step))
    }

    /// Whether it belongs to a phase that this controller does not run.
    fn is_beyond(&self, node: NodeIx) -> bool {
        let (Some(until), Part::Main) = (self.options.until, self.parts[node.at()]) else {
            return false;
        };
        match self.roles[node.at()] {
            Role::Instance { step, .. } => self.step(step).phase > until,
            Role::PhaseBegin(phase) | Role::Barrier { phase, .. } => phase > until,
            Role::DoneWhen => false,
        }
    }

    /// Nothing moves although the procedure is not over: why, if that is what somebody wanted.
    pub(super) fn kept_back(&mut self) -> Kept {
        let waits = |node: &NodeIx| {
            self.parts[node.at()] == self.course()
                && self.state.nodes[node.at()].stage == Stage::Waiting
                && self.notes[node.at()].missing == 0
        };
        let waiting = (0u32..)
            .map(NodeIx)
            .take(self.plan.nodes.len())
            .filter(waits);
        let waiting: BTreeSet<NodeIx> = waiting.collect();
        let paused = waiting.iter().find(|n| self.is_paused(**n)).copied();
        if let Some((step, _)) = paused.and_then(|node| self.plan.instance(node)) {
            return Kept::Stop(StopReason::Paused(Some(step.id.to_string())));
        }
        if waiting.iter().any(|n| self.is_blocked(*n)) {
            return Kept::Wait;
        }
        match self.options.until {
            Some(phase) if waiting.iter().any(|n| self.is_beyond(*n)) => {
                Kept::Stop(StopReason::Until(phase))
            }
            _ => Kept::No,
        }
    }

    /// Why a node whose turn has come does not run, if its host is out of the run.
    pub(super) fn excluded(&self, node: NodeIx) -> Option<String> {
        let own = self.own_host(node)?;
        let hosts = [Some(&own), self.plan.runs_on(node)].into_iter().flatten();
        let mut reasons = hosts.filter_map(|host| self.state.excluded.get(host));
        reasons.next().cloned()
    }

    /// Whether the host of this node is out of the run: what became of the node stays.
    pub(super) fn is_out(&self, node: NodeIx) -> bool {
        let host = self.plan.runs_on(node);
        let out = host.is_some_and(|host| self.state.excluded.contains_key(host));
        let outcome = &self.state.nodes[node.at()].outcome;
        out || matches!(outcome, Some(Outcome::Excluded { .. }))
    }

    /// Whether an attempt of this node may still be doing something.
    pub(super) fn is_open(&self, node: NodeIx) -> bool {
        let mut attempts = self.state.attempts_of(node);
        attempts.any(|(_, a)| a.end.is_none())
    }
}

/// Why nothing moves.
pub(super) enum Kept {
    /// For no reason that a person gave.
    No,
    /// A person wants it to wait.
    Wait,
    /// A person wants it to end here.
    Stop(StopReason),
}
