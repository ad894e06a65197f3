//! Steps, phases and variables as the plan stores them.

use std::collections::BTreeMap;

use runbook_model::plan::{Phase, Var};
use runbook_model::step::{Expr, Hold, OnFailure, Until};
use runbook_model::{Step, StepId, StepIx, StepType, Value};

use super::Compiler;
use super::select::{Chosen, ChosenPhase};
use crate::ast::{self, HoldDef, StepDef, VarValue};
use crate::diagnostic::Code;
use crate::source::Spanned;

impl Compiler<'_> {
    pub(super) fn expr(&self, text: &Spanned<String>) -> Expr {
        Expr {
            text: text.value.clone(),
            place: self.request.sources.place(text.span),
        }
    }

    pub(super) fn steps(&mut self, chosen: &Chosen) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, phase) in self.request.runbook.phases.iter().enumerate() {
            if let Some(import) = &phase.import {
                // Nobody has put the other runbook into its place: its steps would be left out.
                let message = format!("the runbook `{}` was not read", import.file.value);
                let help = "an import is put into its place before the whole is compiled";
                self.error(
                    Code::BadImport,
                    message,
                    import.file.span,
                    "",
                    Some(help.to_owned()),
                );
            }
            for def in &phase.steps {
                let instances = chosen.steps.get(steps.len());
                let instances = instances.map_or(&[][..], |of| &of.instances);
                self.check_type(phase, def, instances);
                steps.extend(self.step(def, number));
            }
        }
        self.check_needs();
        self.check_outage();
        self.check_holds();
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
            on_failure: def.on_failure,
            hold: def.hold.as_ref().map(|hold| self.hold(hold)),
            chdir: def.chdir.as_ref().map(|text| self.expr(text)),
            for_each: def.for_each.is_some(),
            via: def.via.is_some(),
            tags: def.tags.iter().map(|tag| tag.value.clone()).collect(),
            place: sources.place(def.id.span),
        })
    }

    fn hold(&self, hold: &HoldDef) -> Hold {
        let ids = self.request.runbook.steps().map(|(_, step)| &step.id.value);
        let ids: Vec<&String> = ids.collect();
        let release = hold.release.iter().filter_map(|name| {
            let at = ids.iter().position(|id| **id == name.value)?;
            u32::try_from(at).ok().map(StepIx)
        });
        Hold {
            release: release.collect(),
            on_failure: hold.on_failure.value,
            max_ms: hold.max_ms,
        }
    }

    fn check_needs(&mut self) {
        let all: Vec<(&ast::Phase, &StepDef)> = self.request.runbook.steps().collect();
        for (phase, def) in &all {
            for need in def.needs.iter().flatten() {
                let name = &need.step.value;
                let needed = all.iter().find(|(_, step)| step.id.value == *name);
                match needed {
                    None => {
                        let known = all.iter().map(|(_, step)| step.id.value.as_str());
                        let help = self.diagnostics.suggest(name, known);
                        let message = format!("there is no step `{name}`");
                        self.error(Code::UnknownName, message, need.step.span, "", help);
                    }
                    Some((other, _)) if other.part != phase.part => {
                        let message = format!("`{name}` belongs to another part of this runbook");
                        let help = "the procedure, the rollback and what runs at the end have an order of their own";
                        self.error(
                            Code::Conflict,
                            message,
                            need.step.span,
                            "",
                            Some(help.to_owned()),
                        );
                    }
                    Some(_) => {}
                }
            }
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
        let phases = self.request.runbook.phases.iter().zip(&chosen.phases);
        phases
            .map(|(phase, chosen)| self.phase(phase, chosen))
            .collect()
    }

    fn phase(&self, phase: &ast::Phase, chosen: &ChosenPhase) -> Phase {
        let rolling = phase.rolling.as_ref();
        let of_rolling = rolling.and_then(|rolling| rolling.max_failures);
        let budget = of_rolling.or(phase.max_failures).map_or(0, |n| n.value);
        // A budget for failures is one for going on after them.
        let goes_on = rolling.is_some() && budget > 0;
        Phase {
            id: phase.id.value.clone(),
            part: phase.part,
            order: phase.order,
            when: phase.when.as_ref().map(|text| self.expr(text)),
            batches: chosen.batches.clone(),
            by: rolling
                .and_then(|of| of.by.as_ref())
                .map(|by| by.value.clone()),
            hosts: chosen.hosts.clone(),
            on_failure: if goes_on {
                OnFailure::Continue
            } else {
                phase.on_failure
            },
            max_failures: budget,
            min_ok: rolling.and_then(|of| of.min_ok).map_or(0, |n| n.value),
            pause_ms: rolling.map_or(0, |rolling| rolling.pause_ms),
            follows: phase.linked.follows.as_ref().and_then(|id| {
                let mut phases = self.request.runbook.phases.iter();
                let at = phases.position(|of| of.id.value == *id)?;
                u32::try_from(at).ok()
            }),
            place: self.request.sources.place(phase.id.span),
        }
    }
}
