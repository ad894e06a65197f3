//! Holds: what releases them, and that it can be released.

use runbook_model::step::HoldOnFailure;
use runbook_model::step_type::TypeKind;

use super::Compiler;
use crate::ast::{HoldDef, Phase, StepDef};
use crate::diagnostic::Code;

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
        let mut in_own_part = hold.release.is_empty();
        for name in &hold.release {
            let found = steps
                .iter()
                .position(|(_, step)| step.id.value == name.value);
            let Some(found) = found else {
                in_own_part = true;
                let known = steps.iter().map(|(_, step)| step.id.value.as_str());
                let help = self.diagnostics.suggest(&name.value, known.chain(["end"]));
                let message = format!("there is no step `{}`", name.value);
                self.error(Code::UnknownName, message, name.span, "", help);
                continue;
            };
            in_own_part |= steps[found].0.part == phase.part;
            // Parts stand in the order in which they can follow each other.
            if found <= at {
                in_own_part = true;
                let message = format!("`{}` does not come after what it releases", name.value);
                let help =
                    "a hold is released by a later step, by one of the rollback, or by `end`";
                self.error(
                    Code::Conflict,
                    message,
                    name.span,
                    "",
                    Some(help.to_owned()),
                );
            }
        }
        if !in_own_part {
            let message = "this hold would be kept by every run that succeeds";
            let help = "name a later step of this part as well, or write `release: end`";
            self.error(
                Code::Conflict,
                message,
                hold.span,
                "released elsewhere only",
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
}
