//! Holds: what releases them, and that it can be released.

use runbook_model::plan::Part;
use runbook_model::step::{Expr, HoldOnFailure};
use runbook_model::step_type::TypeKind;
use runbook_model::{Plan, StepIx};

use super::Compiler;
use super::hosts::Hosts;
use super::inputs::Known;
use super::states::of_instance;
use crate::ast::{HoldDef, Phase, StepDef};
use crate::condition::Condition;
use crate::diagnostic::{Code, Diagnostic};
use crate::scope::Scope;

impl Compiler<'_> {
    pub(super) fn check_holds(&mut self) {
        let steps: Vec<(&Phase, &StepDef)> = self.request.runbook.steps().collect();
        for (at, (phase, step)) in steps.iter().enumerate() {
            if let Some(hold) = &step.hold {
                self.check_releases(&steps, at, phase, hold);
                self.check_undo(step, hold);
            }
        }
    }

    fn check_releases(
        &mut self,
        steps: &[(&Phase, &StepDef)],
        at: usize,
        phase: &Phase,
        hold: &HoldDef,
    ) {
        let mut is_released = hold.release.is_empty();
        for name in &hold.release {
            let found = steps
                .iter()
                .position(|(_, step)| step.id.value == name.value);
            let Some(found) = found else {
                is_released = true;
                let known = steps.iter().map(|(_, step)| step.id.value.as_str());
                let help = self.diagnostics.suggest(&name.value, known.chain(["end"]));
                let message = format!("there is no step `{}`", name.value);
                self.error(Code::UnknownName, message, name.span, "", help);
                continue;
            };
            // What runs at the end does so on every ending.
            let part = steps[found].0.part;
            is_released |= part == phase.part || part == Part::Finally;
            // Parts stand in the order in which they can follow each other.
            if found <= at {
                is_released = true;
                let message = format!("`{}` does not come after what it releases", name.value);
                let help = "a hold is released by a later step, by one of `finally` or of the rollback, or by `end`";
                self.error(
                    Code::Conflict,
                    message,
                    name.span,
                    "",
                    Some(help.to_owned()),
                );
            }
        }
        if !is_released {
            let message = "only the rollback would release this: a run that succeeds has none, and would keep it";
            let help = "name a later step or one of `finally` as well, or write `release: end`";
            self.error(
                Code::Conflict,
                message,
                hold.span,
                "of the rollback",
                Some(help.to_owned()),
            );
        }
    }

    fn check_undo(&mut self, step: &StepDef, hold: &HoldDef) {
        let Some(step_type) = self.type_of(step) else {
            return;
        };
        let name = step_type.name.clone();
        let can_undo = !step_type.scripts.undo.is_empty() || step_type.content.is_some();
        if step_type.is_engine() || step_type.kind == TypeKind::Probe {
            let message = format!("`{name}` changes nothing that could be held");
            let help = Some("put `hold` at the step that makes the change".to_owned());
            return self.error(Code::Conflict, message, hold.span, "", help);
        }
        let (span, what) = match (hold.release.as_slice(), hold.on_failure.value) {
            _ if can_undo => return,
            (_, HoldOnFailure::Release) => (hold.on_failure.span, "`on_failure: release`"),
            ([], _) => (hold.span, "`release: end`"),
            _ => return,
        };
        let message = format!("{what} takes the change back, and `{name}` has no `undo`");
        let help = Some("name a step that releases it, and `on_failure: keep`".to_owned());
        self.error(Code::Conflict, message, span, "", help);
    }

    /// A hold that begins, and all that would release it never runs. The rollback does not count:
    /// a run that succeeds has none.
    pub(super) fn warn_holds(&mut self, plan: &Plan, hosts: &Hosts, inputs: &Known) {
        let scope = self.early_scope(hosts, inputs);
        let defs: Vec<&StepDef> = self.request.runbook.steps().map(|(_, def)| def).collect();
        for ((ix, step), def) in (0u32..).map(StepIx).zip(&plan.steps).zip(defs) {
            let (Some(hold), Some(written)) = (&step.hold, &def.hold) else {
                continue;
            };
            let in_part = |step: &&StepIx| part_of(plan, **step) != Some(Part::Rollback);
            let mut release = hold.release.iter().filter(in_part).peekable();
            if release.peek().is_none()
                || never_runs(plan, ix, &scope)
                || !release.all(|by| never_runs(plan, *by, &scope))
            {
                continue;
            }
            let message = format!("what `{}` does is held, and nothing releases it", step.id);
            let span = written.span;
            let warning = Diagnostic::warning(Code::NeverReleased, message)
                .label(span.source, span, "never runs, as far as is known now")
                .help("see where it runs and its `when`; what is still held when the run ends is listed, for `runbook release`");
            self.diagnostics.push(warning);
        }
    }
}

fn part_of(plan: &Plan, step: StepIx) -> Option<Part> {
    let step = plan.steps.get(step.at())?;
    Some(plan.phases.get(step.phase as usize)?.part)
}

/// Whether no instance of a step runs: there is none, or a `when` that is known now says so.
fn never_runs(plan: &Plan, step: StepIx, scope: &Scope) -> bool {
    let Some(def) = plan.steps.get(step.at()) else {
        return false;
    };
    let parsed = |when: &Expr| Condition::parse(&when.text).ok();
    let of_phase = plan.phases.get(def.phase as usize);
    let of_phase = of_phase.and_then(|phase| parsed(phase.when.as_ref()?));
    let own = def.when.as_ref().and_then(parsed);
    let is_false = |when: &Condition, scope: &Scope| when.truth(scope) == Ok(false);
    if of_phase.is_some_and(|when| is_false(&when, scope)) {
        return true;
    }
    let mut instances = plan.instances_of(step);
    instances.all(|(node, _)| {
        own.as_ref()
            .is_some_and(|when| is_false(when, &of_instance(plan, node, scope)))
    })
}
