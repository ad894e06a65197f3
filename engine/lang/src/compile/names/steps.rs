//! What texts read from other steps: the step, the view of its instances, the output, and whether it comes before.

use runbook_model::plan::{Order, Part};

use super::{Names, Reader, StepInfo};
use crate::compile::items::Items;
use crate::compile::texts::covers;
use crate::diagnostic::{Code, did_you_mean};
use crate::graph::Reference;
use crate::scope::{self, Segment};
use crate::source::Span;
use crate::steptype::MANUAL_TASK;

impl Names<'_> {
    /// An output that the step's type declares.
    pub(super) fn output(
        &mut self,
        step: usize,
        name: Option<&Segment>,
        span: Span,
        reader: &Reader,
    ) {
        let Some(name) = name.and_then(Segment::name) else {
            return;
        };
        let Some(info) = self.steps.get(step) else {
            return;
        };
        let (uses, id) = (&info.step.uses.value, &info.step.id.value);
        let Some(step_type) = self.request.catalog.get(uses) else {
            return;
        };
        if step_type.name == MANUAL_TASK {
            let evidence = info.step.with.iter().find(|e| e.key.value == "evidence");
            let known = evidence.and_then(|e| e.value.as_map()).unwrap_or_default();
            if !known.iter().any(|entry| entry.key.value == name) {
                let what = format!("`{id}` asks for no evidence `{name}`");
                self.unknown(what, name, span, known.iter().map(|e| e.key.value.as_str()));
            }
            return;
        }
        match step_type.outputs.get(name) {
            Some(output) if output.secret && !self.takes_secrets => {
                let message = format!(
                    "the secret output `{name}` of `{id}` may go only into a parameter that is secret"
                );
                let help = self.where_secrets_go(reader);
                self.error(Code::SecretLeak, message, span, Some(help));
            }
            Some(_) => {}
            None => {
                let known: Vec<String> = step_type.outputs.keys().cloned().collect();
                let what = format!("`{uses}` has no output `{name}`");
                self.unknown(what, name, span, known.iter().map(String::as_str));
            }
        }
    }

    pub(super) fn step(
        &mut self,
        reference: &scope::Reference,
        span: Span,
        reader: &Reader,
    ) -> Vec<Reference> {
        let path = &reference.path;
        let Some(id) = path.get(1).and_then(Segment::name) else {
            return Vec::new();
        };
        let Some(step) = self.steps.iter().position(|info| info.step.id.value == id) else {
            let known: Vec<String> = self
                .steps
                .iter()
                .map(|info| info.step.id.value.clone())
                .collect();
            self.unknown(
                format!("there is no step `{id}`"),
                id,
                span,
                known.iter().map(String::as_str),
            );
            return Vec::new();
        };
        if let Reader::Step { at, .. } = reader
            && *at == step
        {
            let message = format!(
                "`{id}` cannot read its own outputs like this; write `outputs.…` in `expect` or `fatal`"
            );
            self.error(Code::NotAnAncestor, message, span, None);
            return Vec::new();
        }
        let same_host = self.view(step, path, span, reader);
        if self.check_order(step, span, reader, None) && !reference.guarded && reads_outputs(path) {
            self.check_skipped(step, id, span, reader);
            self.check_reached(step, span, reader, None);
        }
        vec![Reference { step, same_host }]
    }

    /// `outputs`, `only`, `on` and what follows; whether only what is on the same host is read.
    fn view(&mut self, step: usize, path: &[Segment], span: Span, reader: &Reader) -> bool {
        let id = self.steps[step].step.id.value.clone();
        let chosen = self.chosen.steps.get(step);
        let hosts = chosen.map(|of| of.hosts.clone()).unwrap_or_default();
        let keyed = chosen.is_some_and(super::super::select::ChosenStep::is_keyed);
        match path.get(2).and_then(Segment::name) {
            Some(word @ ("outputs" | "only")) if keyed => self.needs_item(&id, word, span),
            Some("outputs") => {
                self.output(step, path.get(3), span, reader);
                self.check_same_host(step, "outputs", span, reader);
                return true;
            }
            Some("items") if keyed => {
                self.item_of(step, path.get(3..).unwrap_or_default(), span, reader);
                self.check_same_host(step, "items", span, reader);
                return true;
            }
            Some("only") => {
                if hosts.len() != 1 && !self.inputs.incomplete {
                    let message = format!(
                        "`{id}` has {} instances, `only` wants exactly one",
                        hosts.len()
                    );
                    let help = Some(format!(
                        "write `steps.{id}.on[…]` for one host, or `steps.{id}.outputs` on the same host"
                    ));
                    self.error(Code::NotSingle, message, span, help);
                }
                self.instance(step, &path[3..], span, reader);
            }
            Some("on") => {
                if let Some(host) = path.get(3).and_then(Segment::name)
                    && !hosts.iter().any(|on| on.as_str() == host)
                {
                    let known: Vec<&str> =
                        hosts.iter().map(runbook_model::HostName::as_str).collect();
                    self.unknown(
                        format!("`{id}` does not run on `{host}`"),
                        host,
                        span,
                        known,
                    );
                }
                let rest = path.get(4..).unwrap_or_default();
                match rest.first().map(Segment::name) {
                    Some(Some("items")) if keyed => self.item_of(step, &rest[1..], span, reader),
                    Some(Some(word @ "outputs")) if keyed => self.needs_item(&id, word, span),
                    _ => self.instance(step, rest, span, reader),
                }
            }
            Some("host") => {
                if hosts.len() != 1 && !self.is_on_same_host(step, reader) {
                    let message = format!("`{id}` is on {} hosts", hosts.len());
                    let help = Some(format!("write `steps.{id}.on`, a map by host"));
                    self.error(Code::NotSingle, message, span, help);
                }
            }
            Some("started" | "finished") => {}
            other => {
                let known = [
                    "outputs", "only", "on", "started", "finished", "host", "items",
                ];
                let known = &known[..if keyed { 7 } else { 6 }];
                let name = other.unwrap_or_default();
                let what = match name {
                    "" => format!("`steps.{id}` alone is no value"),
                    "items" => format!("`{id}` has one instance on a host, and no items"),
                    name => format!("a step has no `{name}`"),
                };
                let help = did_you_mean(name, known.iter().copied())
                    .or(Some(format!("write `steps.{id}.outputs.…`")));
                self.error(Code::UnknownName, what, span, help);
            }
        }
        false
    }

    /// A step with several instances on one host: which of them is meant must be said.
    fn needs_item(&mut self, id: &str, word: &str, span: Span) {
        let message = format!("`{id}` has several instances on a host, and `{word}` is of one");
        let help = Some(format!(
            "write `steps.{id}.items[…].outputs.…`, or `steps.{id}.on[…].items[…].outputs.…`"
        ));
        self.error(Code::NotSingle, message, span, help);
    }

    /// An item, and what follows it.
    fn item_of(&mut self, step: usize, rest: &[Segment], span: Span, reader: &Reader) {
        let Some(chosen) = self.chosen.steps.get(step) else {
            return;
        };
        let is_known = !matches!(chosen.items, Some(Items::Unknown));
        if let Some(name) = rest.first().and_then(Segment::name).filter(|_| is_known) {
            let instances = chosen.instances.iter();
            let known: Vec<String> = instances
                .filter_map(|of| {
                    let item = of.item.as_ref().map(|item| item.name.as_str());
                    let via = of.via.as_ref().filter(|_| chosen.spreads);
                    key_of(item, via.map(runbook_model::HostName::as_str))
                })
                .collect();
            if !known.is_empty() && !known.iter().any(|key| key == name) {
                let id = &self.steps[step].step.id.value;
                let what = format!("`{id}` has no item `{name}`");
                self.unknown(what, name, span, known.iter().map(String::as_str));
            }
        }
        self.instance(step, rest.get(1..).unwrap_or_default(), span, reader);
    }

    /// What follows an instance.
    fn instance(&mut self, step: usize, rest: &[Segment], span: Span, reader: &Reader) {
        match rest.first().map(Segment::name) {
            Some(Some("outputs")) => self.output(step, rest.get(1), span, reader),
            None | Some(None | Some("host" | "started" | "finished")) => {}
            Some(Some(other)) => {
                let what = format!("an instance has no `{other}`");
                self.unknown(
                    what,
                    other,
                    span,
                    ["outputs", "host", "started", "finished"],
                );
            }
        }
    }

    /// Whether a step covers every host where it is read.
    fn is_on_same_host(&self, step: usize, reader: &Reader) -> bool {
        let Reader::Step { at, .. } = reader else {
            return false;
        };
        match (self.chosen.steps.get(step), self.chosen.steps.get(*at)) {
            (Some(of), Some(wanted)) => covers(&of.hosts, &wanted.hosts).is_none(),
            _ => true,
        }
    }

    fn check_same_host(&mut self, step: usize, word: &str, span: Span, reader: &Reader) {
        let id = self.steps[step].step.id.value.clone();
        let single = if word == "outputs" {
            "only"
        } else {
            "on[…].items[…]"
        };
        let Reader::Step { at, .. } = reader else {
            let message =
                format!("`steps.{id}.{word}` means the same host, and this text has no host");
            let help = Some(format!(
                "write `steps.{id}.{single}.outputs.…`, or go through `steps.{id}.on`"
            ));
            return self.error(Code::NotSingle, message, span, help);
        };
        let (of, wanted) = (self.chosen.steps.get(step), self.chosen.steps.get(*at));
        let (Some(of), Some(wanted)) = (of, wanted) else {
            return;
        };
        if let Some(host) = covers(&of.hosts, &wanted.hosts) {
            let message = format!("`{id}` does not run on `{host}`, where this is read");
            let help = Some(match word {
                "outputs" => {
                    format!("write `steps.{id}.only.outputs.…`, or `steps.{id}.on[…].outputs.…`")
                }
                _ => format!("write `steps.{id}.on[…].items[…].outputs.…`"),
            });
            self.error(Code::NotSingle, message, span, help);
        }
    }

    /// A step that may be skipped may have no outputs. One that is skipped together with its reader is no danger.
    fn check_skipped(&mut self, step: usize, id: &str, span: Span, reader: &Reader) {
        let read = &self.steps[step];
        let when = |info: &StepInfo<'_>| info.step.when.as_ref().map(|when| when.value.clone());
        let of_phase = &self.request.runbook.phases[read.phase];
        // The imports of the reader decide for the read phase, too, and nothing else does.
        let with_phase = !of_phase.decides() && self.is_under(&of_phase.linked.under, reader);
        let together = match reader {
            Reader::Step { at, .. } => {
                let own = &self.steps[*at];
                let same_part = own.part == read.part;
                !same_part
                    || (own.phase == read.phase || with_phase)
                        && (read.step.when.is_none() || when(own) == when(read))
            }
            Reader::Phase { number } if self.part_of(*number) != read.part => true,
            Reader::Rule | Reader::Place { .. } | Reader::Run { .. } | Reader::Phase { .. } => {
                read.step.when.is_none() && with_phase
            }
        };
        if !together {
            let message = format!("`{id}` may be skipped by a `when`, and has no outputs then");
            let help = format!(
                "write `{{{{default steps.{id}.… \"none\"}}}}`, or in a condition `has(steps.{id}.…) ? … : …`"
            );
            self.error(Code::MayBeSkipped, message, span, Some(help));
        }
    }

    /// Whether a reader belongs to all of these imports, which have a `when`.
    pub(super) fn is_under(&self, imports: &[usize], reader: &Reader) -> bool {
        let runbook = self.request.runbook;
        let phase = |number: usize| runbook.phases.get(number).map(|phase| &phase.linked.under);
        let own = match reader {
            Reader::Step { at, .. } => self.steps.get(*at).and_then(|step| phase(step.phase)),
            Reader::Phase { number } => phase(*number),
            Reader::Run { var: Some(at) } => runbook.vars.get(*at).map(|var| &var.under),
            Reader::Rule | Reader::Place { .. } | Reader::Run { var: None } => None,
        };
        let own = own.map(Vec::as_slice).unwrap_or_default();
        imports.iter().all(|import| own.contains(import))
    }

    fn part_of(&self, phase: usize) -> Part {
        let phases = &self.request.runbook.phases;
        phases.get(phase).map_or(Part::Main, |phase| phase.part)
    }

    /// The part of the plan that a reader belongs to.
    pub(super) fn part_of_reader(&self, reader: &Reader) -> Part {
        match reader {
            Reader::Step { at, .. } => self.steps[*at].part,
            Reader::Phase { number } => self.part_of(*number),
            Reader::Rule | Reader::Place { .. } | Reader::Run { .. } => Part::Main,
        }
    }

    /// What is read must come before; `var` is the variable that reads it. Whether it does.
    pub(super) fn check_order(
        &mut self,
        step: usize,
        span: Span,
        reader: &Reader,
        var: Option<&str>,
    ) -> bool {
        let read = &self.steps[step];
        let (own_part, part) = (self.part_of_reader(reader), read.part);
        let elsewhere = own_part != part && part != Part::Main;
        let too_late = own_part == part
            && match reader {
                Reader::Rule | Reader::Place { .. } | Reader::Run { .. } => false,
                Reader::Phase { number } => read.phase >= *number,
                Reader::Step { at, .. } => {
                    let own = &self.steps[*at];
                    let order = self.request.runbook.phases[own.phase].order;
                    let implied = own.step.needs.is_none() && order != Order::Graph;
                    read.phase > own.phase || (read.phase == own.phase && step >= *at && implied)
                }
            };
        let id = &read.step.id.value;
        let through = var.map_or(String::new(), |var| format!(", read by `vars.{var}`,"));
        if elsewhere {
            let whose = match part {
                Part::Rollback => "the rollback",
                _ => "what runs at the end",
            };
            let message = format!("`{id}`{through} belongs to {whose}, which this comes before");
            let help = Some("only steps that have ended by then can be read".to_owned());
            self.error(Code::NotAnAncestor, message, span, help);
        } else if too_late {
            let message = format!("`{id}`{through} does not come before this");
            let help = Some("only steps that have ended by then can be read".to_owned());
            self.error(Code::NotAnAncestor, message, span, help);
        }
        !elsewhere && !too_late
    }

    /// What runs on every ending runs after a run that ended early, too: a step of the procedure
    /// may never have begun. In a rollback what is missing fails its reader before any effect.
    pub(super) fn check_reached(
        &mut self,
        step: usize,
        span: Span,
        reader: &Reader,
        var: Option<&str>,
    ) {
        let read = &self.steps[step];
        if self.part_of_reader(reader) != Part::Finally || read.part != Part::Main {
            return;
        }
        let id = &read.step.id.value;
        let (message, path) = match var {
            Some(var) => (
                format!("`vars.{var}` reads `{id}`, and a run may end before that"),
                format!("vars.{var}"),
            ),
            None => (
                format!("a run may end before `{id}`, which has no outputs then"),
                format!("steps.{id}.…"),
            ),
        };
        let help = format!(
            "write `{{{{default {path} \"none\"}}}}`, or in a condition `has({path}) ? … : …`"
        );
        self.error(Code::MayBeSkipped, message, span, Some(help));
    }
}

/// What an instance is called among those of its step on its host.
fn key_of(item: Option<&str>, via: Option<&str>) -> Option<String> {
    match (item, via) {
        (Some(item), Some(via)) => Some(format!("{item}/{via}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

/// Whether a path below `steps.x` leads to outputs.
fn reads_outputs(path: &[Segment]) -> bool {
    path.iter()
        .skip(2)
        .any(|segment| segment.name() == Some("outputs"))
}
