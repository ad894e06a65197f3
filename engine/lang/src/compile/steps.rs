//! Steps, phases and variables as the plan stores them, and the draft of the graph.

use std::collections::BTreeMap;

use runbook_model::plan::{Phase, Var};
use runbook_model::step::{Expr, Outage, Until};
use runbook_model::step_type::TypeKind;
use runbook_model::{Step, StepId, StepType, Value};

use super::Compiler;
use super::select::Chosen;
use super::texts::Texts;
use crate::ast::{StepDef, VarValue};
use crate::diagnostic::{Code, did_you_mean};
use crate::graph::{Draft, DraftPhase, DraftStep, Need};
use crate::source::Spanned;
use crate::steptype::check_params;

impl Compiler<'_> {
    pub(super) fn expr(&self, text: &Spanned<String>) -> Expr {
        Expr {
            text: text.value.clone(),
            place: self.request.sources.place(text.span),
        }
    }

    pub(super) fn steps(&mut self, chosen: &Chosen, _texts: &Texts) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, phase) in self.request.runbook.phases.iter().enumerate() {
            for def in &phase.steps {
                self.check_type(def, chosen.steps.get(steps.len()).map_or(0, Vec::len));
                steps.extend(self.step(def, number));
            }
        }
        self.check_needs();
        self.check_outage();
        steps
    }

    fn step(&self, def: &StepDef, phase: usize) -> Option<Step> {
        let sources = self.request.sources;
        let with: BTreeMap<String, Value> = def
            .with
            .iter()
            .map(|entry| (entry.key.value.clone(), entry.value.to_value()))
            .collect();
        let places = def
            .with
            .iter()
            .map(|entry| (entry.key.value.clone(), sources.place(entry.key.span)));
        Some(Step {
            id: StepId::new(def.id.value.clone()).ok()?,
            uses: def.uses.value.clone(),
            phase: u32::try_from(phase).ok()?,
            with,
            with_places: places.collect(),
            when: def.when.as_ref().map(|text| self.expr(text)),
            expect: def.expect.as_ref().map(|text| self.expr(text)),
            retry: def.retry.map(|of| of.retry).unwrap_or_default(),
            until: def.until.as_ref().map(|until| Until {
                every_ms: until.every_ms,
                passes: until.passes,
                within_ms: until.within_ms,
                fatal: until.fatal.as_ref().map(|text| self.expr(text)),
            }),
            timeout_ms: def.timeout_ms.map(|limit| limit.value),
            critical: def.critical,
            fresh_ms: def.fresh_ms.map(|age| age.value),
            once: def.once.is_some(),
            outage: def.outage.map(|mark| mark.value),
            no_return: def.no_return.as_ref().map(|text| self.expr(text)),
            undo_none: def.undo_none,
            on_failure: runbook_model::step::OnFailure::Stop,
            hold: None,
            chdir: None,
            for_each: false,
            via: false,
            tags: def.tags.iter().map(|tag| tag.value.clone()).collect(),
            place: sources.place(def.id.span),
        })
    }

    fn check_type(&mut self, def: &StepDef, instances: usize) {
        let Some(source) = self.request.sources.get(def.uses.span.source) else {
            return;
        };
        let Some(step_type) =
            self.request
                .catalog
                .resolve(&def.uses, source.id(), self.diagnostics)
        else {
            return;
        };
        check_params(
            step_type,
            &def.with,
            def.uses.span,
            source,
            self.diagnostics,
        );
        let is_probe = step_type.kind == TypeKind::Probe;
        let looks_again = is_probe || step_type.kind == TypeKind::Assert;
        if let Some(fresh) = def.fresh_ms.filter(|_| !looks_again) {
            let message = format!(
                "`fresh` is for probes and asserts, `{}` is neither",
                step_type.name
            );
            self.error(Code::Conflict, message, fresh.span, "", None);
        }
        if let Some(once) = def.once.filter(|_| !is_probe) {
            let message = format!("`once` is for probes, `{}` is none", step_type.name);
            self.error(Code::Conflict, message, once, "", None);
        }
        let has_outputs = is_probe || !step_type.is_engine();
        if let Some(expect) = def.expect.as_ref().filter(|_| !has_outputs) {
            let message = format!("`{}` has no outputs to expect something of", step_type.name);
            self.error(Code::Conflict, message, expect.span, "", None);
        }
        if let Some(until) = def
            .until
            .as_ref()
            .filter(|_| step_type.is_engine() || step_type.kind == TypeKind::Always)
        {
            let message = format!("`{}` has no check that could be repeated", step_type.name);
            self.error(Code::Conflict, message, until.span, "", None);
        }
        let on_control = matches!(
            step_type.kind,
            TypeKind::Gate | TypeKind::Record | TypeKind::Assert
        );
        if on_control && instances > 1 {
            let message = format!("`{}` is done once, on `control`", step_type.name);
            let span = def.on.as_ref().map_or(def.uses.span, |on| on.span);
            self.error(Code::NotSingle, message, span, "more than one host", None);
        }
    }

    fn check_needs(&mut self) {
        let known: Vec<&str> = self
            .request
            .runbook
            .steps()
            .map(|(_, step)| step.id.value.as_str())
            .collect();
        let all: Vec<&StepDef> = self.request.runbook.steps().map(|(_, step)| step).collect();
        for def in all {
            for need in def.needs.iter().flatten() {
                if !known.contains(&need.step.value.as_str()) {
                    let help = did_you_mean(&need.step.value, known.iter().copied());
                    let message = format!("there is no step `{}`", need.step.value);
                    self.error(Code::UnknownName, message, need.step.span, "", help);
                }
            }
        }
    }

    /// An outage that begins must be able to end.
    fn check_outage(&mut self) {
        let mut open = None;
        for (_, step) in self.request.runbook.steps() {
            match step.outage {
                Some(mark) if mark.value == Outage::Begin => open = Some(mark.span),
                Some(_) => open = None,
                None => {}
            }
        }
        if let Some(span) = open {
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

    /// The types in use.
    pub(super) fn types(&self) -> BTreeMap<String, StepType> {
        let used = self
            .request
            .runbook
            .steps()
            .filter_map(|(_, step)| self.request.catalog.get(&step.uses.value));
        used.map(|of| (of.name.clone(), of.clone())).collect()
    }

    pub(super) fn vars(&self) -> BTreeMap<String, Var> {
        let vars = self.request.runbook.vars.iter();
        vars.map(|var| {
            let value = match &var.value {
                VarValue::Literal(node) => Var::Literal(node.to_value()),
                VarValue::Template(text) => Var::Template(self.expr(text)),
                VarValue::Cel(text) => Var::Cel(self.expr(text)),
            };
            (var.name.value.clone(), value)
        })
        .collect()
    }

    pub(super) fn phases(&self, chosen: &Chosen) -> Vec<Phase> {
        let phases = self.request.runbook.phases.iter().zip(&chosen.batches);
        phases
            .map(|(phase, batches)| Phase {
                id: phase.id.value.clone(),
                order: phase.order,
                when: phase.when.as_ref().map(|text| self.expr(text)),
                batches: batches.clone(),
                part: runbook_model::plan::Part::Main,
                hosts: Vec::new(),
                on_failure: runbook_model::step::OnFailure::Stop,
                max_failures: 0,
                min_ok: 0,
                pause_ms: 0,
                place: self.request.sources.place(phase.id.span),
            })
            .collect()
    }

    /// What the graph is built from.
    pub(super) fn draft(&self, chosen: &Chosen, texts: &Texts) -> Draft {
        let runbook = self.request.runbook;
        let ids: Vec<&str> = runbook
            .steps()
            .map(|(_, step)| step.id.value.as_str())
            .collect();
        let phases = runbook
            .phases
            .iter()
            .enumerate()
            .map(|(at, phase)| DraftPhase {
                id: phase.id.value.clone(),
                order: phase.order,
                batches: chosen.batches.get(at).cloned().unwrap_or_default(),
                references: texts.phases.get(at).cloned().unwrap_or_default(),
            });
        let with_phase = runbook
            .phases
            .iter()
            .enumerate()
            .flat_map(|(phase, of)| of.steps.iter().map(move |s| (phase, s)));
        let steps = with_phase.enumerate().map(|(at, (phase, step))| {
            let hosts = chosen.steps.get(at).cloned().unwrap_or_default();
            let is_gate = self
                .request
                .catalog
                .get(&step.uses.value)
                .is_some_and(|of| of.kind == TypeKind::Gate);
            let needs = step.needs.as_ref().map(|needs| {
                let known = needs.iter().filter_map(|need| {
                    let step = ids.iter().position(|id| *id == need.step.value)?;
                    Some(Need {
                        step,
                        same_host: need.same_host,
                    })
                });
                known.collect()
            });
            DraftStep {
                id: step.id.value.clone(),
                phase,
                barrier: is_gate || hosts.iter().any(runbook_model::HostName::is_control),
                hosts,
                needs,
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
