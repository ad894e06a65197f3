//! What texts read from other steps: the step, the view of its instances, the output, and whether it comes before.

use super::super::texts::covers;
use super::{Names, Reader, StepInfo};
use crate::diagnostic::{Code, did_you_mean};
use crate::graph::Reference;
use crate::scope::{self, Segment};
use crate::source::Span;

impl Names<'_> {
    /// An output that the step's type declares.
    pub(super) fn output(&mut self, step: usize, name: Option<&Segment>, span: Span) {
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
        match step_type.outputs.get(name) {
            Some(output) if output.secret => {
                let message =
                    format!("`{name}` of `{id}` is secret: reading it is not supported yet");
                self.error(Code::NotSupportedYet, message, span, None);
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
        self.check_order(step, span, reader, None);
        if !reference.guarded && reads_outputs(path) {
            self.check_skipped(step, id, span, reader);
        }
        vec![Reference { step, same_host }]
    }

    /// `outputs`, `only`, `on` and what follows; whether only the instance on the same host is read.
    fn view(&mut self, step: usize, path: &[Segment], span: Span, reader: &Reader) -> bool {
        let id = self.steps[step].step.id.value.clone();
        let hosts = self.chosen.steps.get(step).cloned().unwrap_or_default();
        match path.get(2).and_then(Segment::name) {
            Some("outputs") => {
                self.output(step, path.get(3), span);
                self.check_same_host(step, &id, span, reader);
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
                self.instance(step, &path[3..], span);
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
                self.instance(step, path.get(4..).unwrap_or_default(), span);
            }
            Some("started" | "finished" | "host") => {}
            other => {
                let known = ["outputs", "only", "on", "started", "finished", "host"];
                let name = other.unwrap_or_default();
                let what = match name {
                    "" => format!("`steps.{id}` alone is no value"),
                    name => format!("a step has no `{name}`"),
                };
                let help =
                    did_you_mean(name, known).or(Some(format!("write `steps.{id}.outputs.…`")));
                self.error(Code::UnknownName, what, span, help);
            }
        }
        false
    }

    /// What follows an instance.
    fn instance(&mut self, step: usize, rest: &[Segment], span: Span) {
        match rest.first().map(Segment::name) {
            Some(Some("outputs")) => self.output(step, rest.get(1), span),
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

    fn check_same_host(&mut self, step: usize, id: &str, span: Span, reader: &Reader) {
        let Reader::Step { at, .. } = reader else {
            let message =
                format!("`steps.{id}.outputs` means the same host, and this text has no host");
            let help = Some(format!(
                "write `steps.{id}.only.outputs.…`, or go through `steps.{id}.on`"
            ));
            return self.error(Code::NotSingle, message, span, help);
        };
        let (of, wanted) = (self.chosen.steps.get(step), self.chosen.steps.get(*at));
        let (Some(of), Some(wanted)) = (of, wanted) else {
            return;
        };
        if let Some(host) = covers(of, wanted) {
            let message = format!("`{id}` does not run on `{host}`, where this is read");
            let help = Some(format!(
                "write `steps.{id}.only.outputs.…`, or `steps.{id}.on[…].outputs.…`"
            ));
            self.error(Code::NotSingle, message, span, help);
        }
    }

    /// A step that may be skipped may have no outputs. One that is skipped together with its reader is no danger.
    fn check_skipped(&mut self, step: usize, id: &str, span: Span, reader: &Reader) {
        let read = &self.steps[step];
        let when = |info: &StepInfo<'_>| info.step.when.as_ref().map(|when| when.value.clone());
        let of_phase = self.request.runbook.phases[read.phase].when.is_some();
        let together = match reader {
            Reader::Step { at, .. } => {
                let own = &self.steps[*at];
                (own.phase == read.phase || !of_phase)
                    && (read.step.when.is_none() || when(own) == when(read))
            }
            Reader::Rule | Reader::Run | Reader::Phase { .. } => {
                read.step.when.is_none() && !of_phase
            }
        };
        if !together {
            let message = format!("`{id}` may be skipped by a `when`, and has no outputs then");
            let help = format!(
                "write `{{{{default steps.{id}.… \"none\"}}}}`, or in a condition `has(steps.{id}.…) ? … : …`"
            );
            self.error(Code::NotAnAncestor, message, span, Some(help));
        }
    }

    /// What is read must come before; `via` is the variable that reads it.
    pub(super) fn check_order(
        &mut self,
        step: usize,
        span: Span,
        reader: &Reader,
        via: Option<&str>,
    ) {
        let read = &self.steps[step];
        let too_late = match reader {
            Reader::Rule | Reader::Run => false,
            Reader::Phase { number } => read.phase >= *number,
            Reader::Step { at, .. } => {
                let own = &self.steps[*at];
                read.phase > own.phase
                    || (read.phase == own.phase && step >= *at && own.step.needs.is_none())
            }
        };
        if too_late {
            let id = &read.step.id.value;
            let through = via.map_or(String::new(), |var| format!(", read by `vars.{var}`,"));
            let message = format!("`{id}`{through} does not come before this");
            let help = Some("only steps that have ended by then can be read".to_owned());
            self.error(Code::NotAnAncestor, message, span, help);
        }
    }
}

/// Whether a path below `steps.x` leads to outputs.
fn reads_outputs(path: &[Segment]) -> bool {
    path.iter()
        .skip(2)
        .any(|segment| segment.name() == Some("outputs"))
}
