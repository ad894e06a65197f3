//! What becomes of each node of the new plan, one after the other in the order of the graph.

use std::collections::BTreeSet;

use runbook_model::edit::{Fate, Reason, Row};
use runbook_model::event::AgainNode;
use runbook_model::node::NodeKind;
use runbook_model::plan::Part;
use runbook_model::state::NodeState;
use runbook_model::step_type::TypeKind;
use runbook_model::{NodeIx, Outcome, Step};

use super::change::Change;
use super::opened;
use super::refusal::{self, Refusal};

/// Why a result counts although its step is not the same.
const ONCE: &str = "a record of how things were is never taken again";
const BY_HAND: &str = "a person has left it out";
const NOT_WANTED: &str = "it did not have to run";

/// What was found out so far.
pub(super) struct Judge<'a> {
    pub(super) change: Change<'a>,
    pub(super) again: Vec<AgainNode>,
    /// New nodes that have something to do.
    pub(super) pending: BTreeSet<NodeIx>,
    /// Those of them that would not have, had nothing changed.
    pub(super) opened: BTreeSet<NodeIx>,
    pub(super) rows: Vec<(NodeIx, Row)>,
    pub(super) phases: Vec<String>,
    pub(super) refused: Vec<Refusal>,
    /// Phases whose `when` is decided again.
    decided_again: BTreeSet<u32>,
    /// Of each node: an instance before it whose result is not what it was.
    behind: Vec<Option<NodeIx>>,
    /// Of each node: something before it is to be done.
    waits: Vec<bool>,
    /// New instances that are to be done.
    work: BTreeSet<NodeIx>,
}

/// How an instance without a result of its own is gone on with.
enum Course {
    /// As it is.
    Keep(Fate),
    /// From its begin.
    Open(Vec<Reason>),
}

impl<'a> Judge<'a> {
    pub(super) fn new(change: Change<'a>) -> Self {
        let nodes = change.new.nodes.len();
        Self {
            change,
            again: Vec::new(),
            pending: BTreeSet::new(),
            opened: BTreeSet::new(),
            rows: Vec::new(),
            phases: Vec::new(),
            refused: Vec::new(),
            decided_again: BTreeSet::new(),
            behind: vec![None; nodes],
            waits: vec![false; nodes],
            work: BTreeSet::new(),
        }
    }

    /// Decides about a node; those before it have been decided about.
    pub(super) fn judge(&mut self, node: NodeIx) {
        for before in self.change.after.predecessors(node) {
            let moved = self.change.moved.contains(before).then_some(*before);
            let behind = moved.or(self.behind[before.at()]);
            self.behind[node.at()] = self.behind[node.at()].or(behind);
            self.waits[node.at()] |= self.work.contains(before) || self.waits[before.at()];
        }
        let from = self.change.from.get(&node).copied();
        match (&self.change.new.nodes[node.at()].kind, from) {
            (NodeKind::Instance { .. }, None) => self.is_new(node),
            (NodeKind::Instance { .. }, Some(from)) => self.instance(from, node),
            (_, None) => self.new_point(node),
            (_, Some(from)) => self.point(from, node),
        }
    }

    fn is_main(&self, node: NodeIx) -> bool {
        self.change.new.part_of(node) == Part::Main
    }

    fn row(&mut self, node: NodeIx, fate: Fate) {
        let plan = self.change.new;
        let row = Row {
            id: plan.nodes[node.at()].id.clone(),
            phase: plan
                .phase_of(node)
                .map(|p| p.id.clone())
                .unwrap_or_default(),
            fate,
        };
        self.rows.push((node, row));
    }

    fn is_new(&mut self, node: NodeIx) {
        self.row(node, Fate::New);
        let out = |host| self.change.state.excluded.contains_key(host);
        let belongs = self.change.new.instance(node).map(|(_, host)| host);
        let runs = self.change.new.runs_on(node);
        if !belongs.is_some_and(out) && !runs.is_some_and(out) {
            self.opens(node);
        }
    }

    /// An instance has something to do, and its result will not be what it was.
    fn opens(&mut self, node: NodeIx) {
        self.change.moved.insert(node);
        self.pending.insert(node);
        self.opened.insert(node);
        self.work.insert(node);
    }

    fn instance(&mut self, from: NodeIx, node: NodeIx) {
        let (state, plan) = (self.change.state, self.change.new);
        let (Some(n), Some((step, _))) = (state.node(from), plan.instance(node)) else {
            return;
        };
        let differences = self.change.differences(from, node);
        self.check_hold(from, step, n, &differences);
        let course = match self.is_main(node) {
            true => self.course(from, node, n, step, differences),
            // What follows on every ending follows on the next one as well.
            false if differences.is_empty() => Course::Keep(Fate::GoesOn {
                outcome: None,
                begun: false,
            }),
            false => Course::Open(differences),
        };
        match course {
            Course::Keep(fate) => {
                let tried_again = n.is_done() && !n.is_success();
                if !n.is_done() || tried_again {
                    self.pending.insert(node);
                }
                if !n.is_done() && self.is_main(node) {
                    self.work.insert(node);
                }
                self.row(node, fate);
            }
            Course::Open(reasons) => {
                if let Some(refusal) = refusal::unsettled(state, from, n) {
                    self.refused.push(refusal);
                }
                let anew = reasons.iter().any(Reason::is_of_values);
                let decided = n.decided && !self.change.when_differs(from, node);
                self.again.push(opened(from, node, decided, anew));
                let leaves = anew && n.has_acted();
                let fate = match &n.outcome {
                    Some(outcome) if self.is_main(node) => Fate::Again {
                        outcome: outcome.clone(),
                        at: n.finished_at,
                        reasons,
                        leaves,
                    },
                    _ => Fate::Changed { reasons, leaves },
                };
                self.row(node, fate);
                self.opens(node);
            }
        }
    }

    fn course(
        &self,
        from: NodeIx,
        node: NodeIx,
        n: &NodeState,
        step: &Step,
        mut reasons: Vec<Reason>,
    ) -> Course {
        let Some(outcome) = n.outcome.clone().filter(|_| n.is_done()) else {
            return match reasons.is_empty() {
                true => Course::Keep(Fate::GoesOn {
                    outcome: None,
                    begun: n.started_at.is_some(),
                }),
                false => Course::Open(reasons),
            };
        };
        let at = n.finished_at;
        let stays = |outcome: Outcome, why, changed: Vec<Reason>| {
            Course::Keep(match changed.is_empty() {
                true => Fate::Reused { outcome, at },
                false => Fate::Stays {
                    outcome,
                    at,
                    why,
                    changed,
                },
            })
        };
        match &outcome {
            Outcome::Excluded { .. } => return stays(outcome, BY_HAND, Vec::new()),
            Outcome::Skipped { .. } => {
                let phase = self.decided_again.contains(&step.phase);
                return match self.skipped_by(from) {
                    Skip::When if self.change.when_differs(from, node) => Course::Open(reasons),
                    Skip::Phase if phase => {
                        reasons.push(Reason::Phase);
                        Course::Open(reasons)
                    }
                    Skip::Person => stays(outcome, BY_HAND, reasons),
                    Skip::When | Skip::Phase => stays(outcome, NOT_WANTED, reasons),
                };
            }
            Outcome::Failed(_) | Outcome::Left(_) | Outcome::LeftOut { .. } => {
                return match reasons.is_empty() {
                    true => Course::Keep(Fate::GoesOn {
                        outcome: Some(outcome),
                        begun: true,
                    }),
                    false => Course::Open(reasons),
                };
            }
            _ => {}
        }
        if step.once {
            return stays(outcome, ONCE, reasons);
        }
        reasons.extend(self.follows(node, step));
        match reasons.is_empty() {
            true => stays(outcome, NOT_WANTED, reasons),
            false => Course::Open(reasons),
        }
    }

    /// What only looks is looked at again when what it needs runs again; what a person was asked is
    /// asked again when anything before it does.
    fn follows(&self, node: NodeIx, step: &Step) -> Option<Reason> {
        let plan = self.change.new;
        let id = |node: NodeIx| plan.nodes[node.at()].id.clone();
        match plan.type_of(step)?.kind {
            TypeKind::Probe | TypeKind::Assert => {
                let mut needs = self.change.after.requires(node).iter();
                let moved = needs.find(|p| self.change.moved.contains(p))?;
                Some(Reason::Needs(id(*moved)))
            }
            TypeKind::Gate => Some(Reason::Behind(id(self.behind[node.at()]?))),
            TypeKind::Ordinary
            | TypeKind::Always
            | TypeKind::Record
            | TypeKind::Copy
            | TypeKind::Wait => None,
        }
    }

    fn skipped_by(&self, from: NodeIx) -> Skip {
        let state = self.change.state;
        let reason = match state.node(from).map(|n| &n.outcome) {
            Some(Some(Outcome::Skipped { reason })) => reason,
            _ => return Skip::Person,
        };
        let begins = (0u32..).map(NodeIx).zip(&self.change.old.nodes);
        let phase = self.change.old.instance(from).map(|(step, _)| step.phase);
        let mut of_phase = begins.filter(|(_, node)| {
            matches!(node.kind, NodeKind::PhaseBegin { phase: of } if Some(of) == phase)
        });
        let of_phase = of_phase.next().and_then(|(begin, _)| state.node(begin));
        match of_phase.map(|begin| &begin.outcome) {
            Some(Some(Outcome::Skipped { reason: of })) if of == reason => Skip::Phase,
            _ if reason == crate::dispatcher::WHEN_IS_FALSE => Skip::When,
            _ => Skip::Person,
        }
    }

    /// What is held must be released by something, and be what the step would do.
    fn check_hold(&mut self, from: NodeIx, step: &Step, n: &NodeState, differences: &[Reason]) {
        if !self.change.state.held().any(|(held, _)| held == from) {
            return;
        }
        let id = n.summary.id.clone();
        let plan = self.change.new;
        let runs = |step: &runbook_model::StepIx| plan.instances_of(*step).next().is_some();
        let lost = step
            .hold
            .as_ref()
            .is_none_or(|hold| !hold.release.is_empty() && !hold.release.iter().any(runs));
        if lost {
            self.refused.push(Refusal::HoldLost(id));
        } else if differences.iter().any(Reason::is_of_values) {
            self.refused.push(Refusal::HoldChanged(id));
        }
    }

    /// A point is passed at once if there is nothing to wait for.
    fn new_point(&mut self, node: NodeIx) {
        self.pending.insert(node);
        if self.waits[node.at()] {
            self.opened.insert(node);
        }
    }

    fn point(&mut self, from: NodeIx, node: NodeIx) {
        let Some(n) = self.change.state.node(from) else {
            return;
        };
        if !self.is_main(node) {
            return;
        }
        if !n.is_done() {
            return self.new_point(node);
        }
        let waits = self.waits[node.at()];
        let passed = matches!(n.outcome, Some(Outcome::Passed));
        let decided = match self.change.new.nodes[node.at()].kind {
            NodeKind::PhaseBegin { phase } if self.change.phase_when_differs(from, node) => {
                self.decided_again.insert(phase);
                let of = self.change.new.phases.get(phase as usize);
                self.phases.extend(of.map(|of| of.id.clone()));
                Some(false)
            }
            // What was decided stands: it is only passed again, after what comes before it.
            NodeKind::PhaseBegin { .. } | NodeKind::DoneWhen => (waits && passed).then_some(true),
            _ => waits.then_some(false),
        };
        match decided {
            Some(decided) => {
                self.again.push(opened(from, node, decided, false));
                self.pending.insert(node);
                self.opened.insert(node);
            }
            None if !n.lets_pass() => {
                self.pending.insert(node);
            }
            None => {}
        }
    }
}

/// Why an instance was skipped.
enum Skip {
    /// Its own `when` was false.
    When,
    /// That of its phase was.
    Phase,
    /// Somebody wanted that.
    Person,
}
