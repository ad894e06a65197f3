//! The draft of the graph: what the passes before have found out, by position.

use runbook_model::step_type::TypeKind;

use super::Compiler;
use super::select::Chosen;
use super::texts::Texts;
use crate::ast::StepDef;
use crate::graph::{Draft, DraftPhase, DraftStep, Need};

impl Compiler<'_> {
    /// What the graph is built from.
    pub(super) fn draft(&self, chosen: &Chosen, texts: &Texts) -> Draft {
        let runbook = self.request.runbook;
        let ids: Vec<&str> = runbook
            .steps()
            .map(|(_, step)| step.id.value.as_str())
            .collect();
        let phases = runbook.phases.iter().enumerate();
        let phases = phases.map(|(at, phase)| DraftPhase {
            id: phase.id.value.clone(),
            part: phase.part,
            order: phase.order,
            batches: chosen
                .phases
                .get(at)
                .map(|of| of.batches.clone())
                .unwrap_or_default(),
            references: texts.phases.get(at).cloned().unwrap_or_default(),
        });
        let steps = runbook.phases.iter().enumerate();
        let steps = steps.flat_map(|(at, phase)| phase.steps.iter().map(move |step| (at, step)));
        let steps = steps.enumerate().map(|(at, (phase, step))| {
            let chosen = chosen.steps.get(at);
            let on_control =
                chosen.is_some_and(|of| of.hosts.iter().any(runbook_model::HostName::is_control));
            let is_gate = self
                .type_of(step)
                .is_some_and(|of| of.kind == TypeKind::Gate);
            DraftStep {
                id: step.id.value.clone(),
                phase,
                barrier: is_gate || on_control,
                instances: chosen.map(|of| of.instances.clone()).unwrap_or_default(),
                needs: needs(step, &ids),
                references: texts.steps.get(at).cloned().unwrap_or_default(),
            }
        });
        Draft {
            phases: phases.collect(),
            steps: steps.collect(),
            done_when: runbook.done_when.as_ref().map(|_| texts.done_when.clone()),
        }
    }
}

fn needs(step: &StepDef, ids: &[&str]) -> Option<Vec<Need>> {
    let known = step.needs.as_ref()?.iter().filter_map(|need| {
        let step = ids.iter().position(|id| *id == need.step.value)?;
        Some(Need {
            step,
            same_host: need.same_host,
        })
    });
    Some(known.collect())
}
