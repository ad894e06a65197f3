//! What would make a step skip, what would stop it, and what its failure does to the others.

use std::collections::BTreeSet;

use runbook_model::node::EdgeKind;
use runbook_model::plan::Part;
use runbook_model::step::OnFailure;
use runbook_model::step_type::TypeKind;
use runbook_model::trace::Text;
use runbook_model::{NodeIx, NodeKind, StepIx};

use super::{Explain, values};
use crate::plan::who::listed;
use crate::text::count;

impl Explain<'_> {
    fn condition(&self, what: &str) -> Option<&Text> {
        self.of.trace.conditions.iter().find(|t| t.what == what)
    }

    pub(super) fn skips(&mut self) {
        self.title("what would make it skip");
        let mut said = false;
        for (what, words) in [
            (
                "when",
                "its own condition is false; then it counts as done for those that need it",
            ),
            ("phase when", "the condition of its phase is false"),
            (
                "done_when",
                "everything is there already: then nothing of the run takes place",
            ),
        ] {
            let Some(text) = self.condition(what).cloned() else {
                continue;
            };
            let of_main = self.plan.phases.get(self.step.phase as usize);
            if what == "done_when" && of_main.is_some_and(|p| p.part != Part::Main) {
                continue;
            }
            if what == "done_when" && self.is_before_done_when() {
                self.line(
                    2,
                    "not `done_when`: that reads what this step finds, or waits for it",
                );
                continue;
            }
            said = true;
            self.line(2, words);
            // What `done_when` reads is the same for every step, and long.
            let reads = match what {
                "done_when" => Vec::new(),
                _ => text.reads,
            };
            values::text(self, &Text { reads, ..text });
        }
        let required = self.required();
        if !required.is_empty() {
            said = true;
            let steps = listed(required.iter().map(String::as_str));
            let line = format!("a failure of what it requires: {steps}");
            self.line(2, &line);
        }
        if self
            .plan
            .phases
            .get(self.step.phase as usize)
            .is_some_and(|p| p.on_failure == OnFailure::Continue)
        {
            said = true;
            self.line(2, "its host has left the phase after a failure");
        }
        if self
            .step_type()
            .is_some_and(|t| says_skip(&t.scripts.check) || says_skip(&t.scripts.functions))
        {
            said = true;
            self.line(
                2,
                "its check finds that it does not apply to the host (`skip`)",
            );
        }
        if self.all.is_empty() {
            said = true;
            self.line(2, "it has no host");
        }
        if !said {
            self.line(2, "nothing but the end of the run");
        }
    }

    pub(super) fn failures(&mut self) {
        self.title("what would stop it");
        for line in self.limits() {
            self.line(2, &line);
        }
        for what in ["expect", "until fatal"] {
            let Some(text) = self.condition(what).cloned() else {
                continue;
            };
            let words = match what {
                "expect" => "it fails unless this is true of its outputs",
                _ => "it fails at once when this is true of its outputs",
            };
            self.line(2, words);
            values::text(self, &text);
        }
        match self.step_type().map(|t| t.kind) {
            Some(TypeKind::Gate) => self.line(2, "a person says no, or nobody can be asked"),
            Some(TypeKind::Assert) => self.line(2, "one of its conditions is false"),
            Some(TypeKind::Ordinary | TypeKind::Copy) => {
                self.line(2, "after the change its check still finds a difference")
            }
            _ => {}
        }
        let after = self.dependents();
        let phase = self.plan.phases.get(self.step.phase as usize);
        let leaves = phase.filter(|p| p.on_failure == OnFailure::Continue);
        let line = match (self.step.on_failure, leaves) {
            (OnFailure::Continue, _) => {
                "its failure is recorded and counts as done: the others go on".to_owned()
            }
            (OnFailure::Stop, Some(phase)) => format!(
                "its failure takes its host out of phase {}; the others finish it, then the run {}",
                phase.id,
                match phase.max_failures {
                    0 => "stops".to_owned(),
                    n => format!("stops if more than {} failed", count(n as usize, "host")),
                }
            ),
            (OnFailure::Stop, None) => match phase.map_or(0, |p| p.max_failures) {
                0 => "its failure stops the run: nothing new starts, what runs finishes".to_owned(),
                n => format!(
                    "its failure stops the run once more than {} of the phase failed",
                    count(n as usize, "host")
                ),
            },
        };
        self.line(2, &line);
        if self.step.on_failure == OnFailure::Stop && !after.is_empty() {
            let steps = listed(after.iter().map(String::as_str));
            let line = format!("then these are not possible: {steps}");
            self.line(2, &line);
        }
        let again = self.is(TypeKind::Copy) || self.is(TypeKind::Ordinary);
        if let Some(t) = self.step_type()
            && again
            && t.in_doubt == runbook_model::step_type::InDoubt::Ask
        {
            self.line(
                2,
                "after an interrupted change a person must say whether it happened",
            );
        }
    }

    /// Steps that the instances require directly.
    fn required(&self) -> Vec<String> {
        let nodes: BTreeSet<NodeIx> = self.all.iter().map(|w| w.node).collect();
        let mut steps = BTreeSet::new();
        for edge in &self.plan.edges {
            if edge.kind == EdgeKind::Requires && nodes.contains(&edge.to) {
                steps.extend(self.step_of(edge.from));
            }
        }
        self.named(steps)
    }

    /// Steps that require the instances, directly or through others.
    fn dependents(&self) -> Vec<String> {
        let mut found: BTreeSet<NodeIx> = self.all.iter().map(|w| w.node).collect();
        let mut open: Vec<NodeIx> = found.iter().copied().collect();
        let mut steps = BTreeSet::new();
        let mut after: std::collections::BTreeMap<NodeIx, Vec<NodeIx>> = Default::default();
        for edge in self
            .plan
            .edges
            .iter()
            .filter(|e| e.kind == EdgeKind::Requires)
        {
            after.entry(edge.from).or_default().push(edge.to);
        }
        while let Some(node) = open.pop() {
            for next in after.get(&node).into_iter().flatten() {
                if found.insert(*next) {
                    steps.extend(self.step_of(*next));
                    open.push(*next);
                }
            }
        }
        steps.remove(&self.of.step);
        self.named(steps)
    }

    fn is_before_done_when(&self) -> bool {
        let nodes: BTreeSet<NodeIx> = self.all.iter().map(|w| w.node).collect();
        let is_decision = |n: NodeIx| {
            let node = self.plan.nodes.get(n.at());
            node.is_some_and(|n| n.kind == NodeKind::DoneWhen)
        };
        let waits = self
            .plan
            .edges
            .iter()
            .any(|e| is_decision(e.from) && nodes.contains(&e.to));
        let there = self.plan.nodes.iter().any(|n| n.kind == NodeKind::DoneWhen);
        there && !waits
    }

    fn step_of(&self, node: NodeIx) -> Option<StepIx> {
        match self.plan.nodes.get(node.at())?.kind {
            NodeKind::Instance { step, .. } => Some(step),
            _ => None,
        }
    }

    fn named(&self, steps: BTreeSet<StepIx>) -> Vec<String> {
        let ids = steps.into_iter().filter_map(|at| self.plan.step_id(at));
        ids.map(|id| format!("`{id}`")).collect()
    }
}

/// Whether a script may say that it does not apply.
fn says_skip(script: &str) -> bool {
    script
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|word| word == "skip")
}
