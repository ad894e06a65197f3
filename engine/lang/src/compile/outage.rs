//! Outages: each that begins can end, only one that has begun ends, and none begins in another.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::plan::Part;
use runbook_model::step::{Expr, Outage};
use runbook_model::{NodeIx, Plan, StepIx};

use super::Compiler;
use super::lost::{ancestors, parents};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

impl Compiler<'_> {
    /// An outage that begins must be able to end, in each part of the runbook, and only one that
    /// has begun ends. What comes after the procedure may end the outage of the procedure.
    pub(super) fn check_outage(&mut self) {
        let mut open: BTreeMap<Part, Option<Span>> = BTreeMap::new();
        let mut stray = Vec::new();
        let mut begun = false;
        for (phase, step) in self.request.runbook.steps() {
            let Some(mark) = step.outage else { continue };
            let of_part = open.get(&phase.part);
            match mark.value {
                Outage::Begin => {
                    begun |= phase.part == Part::Main;
                    open.insert(phase.part, Some(mark.span));
                }
                Outage::End => {
                    let ends_of_main = of_part.is_none() && phase.part != Part::Main && begun;
                    if !ends_of_main && !matches!(of_part, Some(Some(_))) {
                        stray.push((phase.part, mark.span));
                    }
                    open.insert(phase.part, None);
                }
            }
        }
        // An end above its begin is one mistake, and told once.
        stray.retain(|(part, _)| !matches!(open.get(part), Some(Some(_))));
        for (_, span) in stray {
            let help = "mark the step that shuts clients out with `outage: begin`, before this one";
            self.error(
                Code::Conflict,
                "no outage has begun that could end here",
                span,
                "",
                Some(help.to_owned()),
            );
        }
        for span in open.into_values().flatten() {
            let help =
                Some("mark the step that lets clients in again with `outage: end`".to_owned());
            self.error(
                Code::OpenOutage,
                "the outage that begins here never ends",
                span,
                "",
                help,
            );
        }
    }

    /// One outage at a time. A begin whose outage may have ended, or that may have been skipped
    /// where the second one is not, is no mistake.
    pub(super) fn check_outages(&mut self, plan: &Plan) {
        for part in [Part::Main, Part::Rollback, Part::Finally] {
            self.check_part(plan, part);
        }
    }

    fn check_part(&mut self, plan: &Plan, part: Part) {
        let marked = |mark: Outage| -> Vec<StepIx> {
            let steps = (0u32..).map(StepIx).zip(&plan.steps);
            let steps = steps.filter(|(_, step)| {
                let phase = plan.phases.get(step.phase as usize);
                step.outage == Some(mark) && phase.is_some_and(|phase| phase.part == part)
            });
            steps.map(|(ix, _)| ix).collect()
        };
        let (begins, ends) = (marked(Outage::Begin), marked(Outage::End));
        if begins.len() < 2 {
            return;
        }
        let before = parents(plan);
        let marks = Marks {
            plan,
            ends: nodes(plan, &before, &ends),
            before,
        };
        for (at, second) in begins.iter().enumerate() {
            let mut others = begins[..at].iter().chain(&begins[at + 1..]);
            if let Some(first) = others.find(|first| marks.is_open(**first, *second)) {
                self.refuse_second(*first, *second);
            }
        }
    }

    fn refuse_second(&mut self, first: StepIx, second: StepIx) {
        let mark = |ix: StepIx| {
            let (_, step) = self.request.runbook.steps().nth(ix.at())?;
            Some((step.outage?.span, step.id.value.clone()))
        };
        let (Some((begins, id)), Some((again, _))) = (mark(first), mark(second)) else {
            return;
        };
        let message = format!("the outage that `{id}` begins has not ended here");
        let error = Diagnostic::error(Code::Conflict, message)
            .label(again.source, again, "begins again")
            .label(begins.source, begins, "begun here")
            .help("mark only the first step that shuts clients out, or end that outage before");
        self.diagnostics.push(error);
    }
}

/// The ends of a part of the plan, and what comes before what.
struct Marks<'p> {
    plan: &'p Plan,
    before: Vec<Vec<NodeIx>>,
    ends: Vec<(NodeIx, BTreeSet<NodeIx>)>,
}

impl Marks<'_> {
    /// Whether the outage of one step is open on every path where another one begins.
    fn is_open(&self, first: StepIx, second: StepIx) -> bool {
        if !self.runs_if(first, second) {
            return false;
        }
        let firsts = nodes(self.plan, &self.before, &[first]);
        nodes_of(self.plan, second).any(|second| {
            let before = ancestors(&self.before, second);
            let mut firsts = firsts.iter().filter(|(first, _)| before.contains(first));
            firsts.any(|(_, before_first)| {
                !self.ends.iter().any(|(end, before_end)| {
                    !before_first.contains(end) && !before_end.contains(&second)
                })
            })
        })
    }

    /// Whether one step is not skipped where another one is not.
    fn runs_if(&self, first: StepIx, second: StepIx) -> bool {
        let plan = self.plan;
        let (Some(one), Some(two)) = (plan.steps.get(first.at()), plan.steps.get(second.at()))
        else {
            return false;
        };
        let phase_when = |phase: u32| plan.phases.get(phase as usize)?.when.as_ref();
        let implied = |one: Option<&Expr>, two: Option<&Expr>| {
            one.is_none_or(|one| two.is_some_and(|two| two.text == one.text))
        };
        let same_phase = one.phase == two.phase;
        implied(one.when.as_ref(), two.when.as_ref())
            && (same_phase || implied(phase_when(one.phase), phase_when(two.phase)))
    }
}

fn nodes_of(plan: &Plan, step: StepIx) -> impl Iterator<Item = NodeIx> {
    plan.instances_of(step).map(|(node, _)| node)
}

/// The instances of steps, each with all that comes before it.
fn nodes(plan: &Plan, before: &[Vec<NodeIx>], steps: &[StepIx]) -> Vec<(NodeIx, BTreeSet<NodeIx>)> {
    let nodes = steps.iter().flat_map(|step| nodes_of(plan, *step));
    nodes.map(|node| (node, ancestors(before, node))).collect()
}
