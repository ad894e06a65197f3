//! Every template and condition of the runbook: parsed, its names checked, and what it reads from
//! other steps remembered for the graph.

use std::collections::BTreeSet;

use runbook_model::HostName;
use runbook_model::step_type::TypeKind;

use super::Compiler;
use super::hosts::Hosts;
use super::inputs::Known;
use super::names::{Names, Reader};
use super::select::Chosen;
use crate::ast::{StepDef, VarValue};
use crate::condition::Condition;
use crate::diagnostic::{Code, did_you_mean};
use crate::graph::Reference;
use crate::scope;
use crate::source::{Span, Spanned};
use crate::template::Template;
use crate::yaml::Node;

/// What texts read from other steps.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) steps: Vec<Vec<Reference>>,
    pub(super) phases: Vec<Vec<Reference>>,
    pub(super) done_when: Vec<Reference>,
}

/// A text with what it reads.
struct Read<'a> {
    span: Span,
    text: &'a str,
    references: Vec<scope::Reference>,
}

impl Compiler<'_> {
    pub(super) fn check_texts(&mut self, hosts: &Hosts, inputs: &Known, chosen: &Chosen) -> Texts {
        let runbook = self.request.runbook;
        let mut names = Names::new(self.request, hosts, inputs, chosen);
        for rule in &runbook.rules {
            self.condition(&mut names, &rule.check, &Reader::Rule);
            self.template(&mut names, &rule.message, &Reader::Rule);
        }
        for var in &runbook.vars {
            names.begin_var();
            let read = match &var.value {
                VarValue::Literal(_) => Vec::new(),
                VarValue::Template(text) => self.template(&mut names, text, &Reader::Run),
                VarValue::Cel(text) => self.condition(&mut names, text, &Reader::Run),
            };
            names.remember_var(&var.name.value, read);
        }
        self.refuse_circles(&names);
        names.close_vars();
        let mut texts = Texts::default();
        if let Some(done_when) = &runbook.done_when {
            texts.done_when = self.condition(&mut names, done_when, &Reader::Run);
        }
        let mut at = 0;
        for (number, phase) in runbook.phases.iter().enumerate() {
            if let Some(on) = &phase.on {
                self.template(&mut names, on, &Reader::Rule);
            }
            let reader = Reader::Phase { number };
            let when = phase
                .when
                .as_ref()
                .map(|when| self.condition(&mut names, when, &reader));
            texts.phases.push(when.unwrap_or_default());
            for step in &phase.steps {
                let read = self.step_texts(&mut names, step, at);
                texts.steps.push(read);
                at += 1;
            }
        }
        let found = names.finish();
        self.diagnostics.extend(found);
        texts
    }

    fn step_texts(&mut self, names: &mut Names<'_>, step: &StepDef, at: usize) -> Vec<Reference> {
        let mut read = BTreeSet::new();
        if let Some(on) = &step.on {
            self.template(names, on, &Reader::Rule);
        }
        let plain = Reader::Step {
            at,
            own_outputs: false,
            secrets: false,
        };
        let own = Reader::Step {
            at,
            own_outputs: true,
            secrets: false,
        };
        read.extend(
            step.when
                .iter()
                .flat_map(|text| self.condition(names, text, &plain)),
        );
        read.extend(
            step.expect
                .iter()
                .flat_map(|text| self.condition(names, text, &own)),
        );
        let fatal = step.until.as_ref().and_then(|until| until.fatal.as_ref());
        read.extend(
            fatal
                .iter()
                .flat_map(|text| self.condition(names, text, &own)),
        );
        read.extend(
            step.no_return
                .iter()
                .flat_map(|text| self.template(names, text, &plain)),
        );
        let step_type = self.request.catalog.get(&step.uses.value);
        let kind = step_type.map(|of| of.kind);
        for entry in &step.with {
            let secrets = step_type
                .and_then(|of| of.params.get(&entry.key.value))
                .is_some_and(|param| param.secret);
            let reader = Reader::Step {
                at,
                own_outputs: false,
                secrets,
            };
            if secrets {
                self.refuse_written_secret(&entry.key.value, &entry.value);
            }
            self.refuse_template_keys(&entry.value);
            match (kind, entry.key.value.as_str()) {
                (Some(TypeKind::Assert), "all") => {
                    read.extend(self.assert_texts(names, &entry.value, &reader))
                }
                (Some(TypeKind::Gate), "show") | (Some(TypeKind::Record), "include") => {
                    read.extend(self.step_names(&entry.value));
                }
                _ => {
                    let mut found = Vec::new();
                    entry.value.texts(&mut |text, node| {
                        found.push(Spanned::new(text.to_owned(), node.site()))
                    });
                    for text in found {
                        read.extend(self.template(names, &text, &reader));
                    }
                }
            }
        }
        read.into_iter()
            .filter(|reference| reference.step != at)
            .collect()
    }

    /// A secret that stands in the runbook is in its plan and in every copy of the file.
    fn refuse_written_secret(&mut self, name: &str, value: &Node) {
        let mut written = None;
        value.texts(&mut |text, node| {
            if !text.is_empty() && Template::parse(text).is_ok_and(|template| template.is_literal())
            {
                written.get_or_insert(node.site());
            }
        });
        if let Some(span) = written {
            let message =
                format!("`{name}` is secret, and its value stands here for everybody to read");
            let help = Some("make it an input of the type `secret`".to_owned());
            self.error(Code::SecretLeak, message, span, "", help);
        }
    }

    /// Keys are taken as they stand.
    fn refuse_template_keys(&mut self, value: &Node) {
        for entry in value.as_map().unwrap_or_default() {
            if entry.key.value.contains("{{") {
                let message = "a template cannot stand in a key";
                self.error(Code::NoTemplateHere, message, entry.key.span, "", None);
            }
            self.refuse_template_keys(&entry.value);
        }
        value
            .as_seq()
            .unwrap_or_default()
            .iter()
            .for_each(|item| self.refuse_template_keys(item));
    }

    fn assert_texts(
        &mut self,
        names: &mut Names<'_>,
        node: &Node,
        reader: &Reader,
    ) -> Vec<Reference> {
        let mut read = Vec::new();
        for item in node.as_seq().unwrap_or_default() {
            for (key, is_condition) in [("check", true), ("message", false)] {
                let Some(value) = item.get(key) else {
                    let message = format!("every entry of `all` needs `{key}`");
                    self.error(Code::MissingKey, message, item.site(), "here", None);
                    continue;
                };
                let Some(text) = value.as_str() else {
                    self.error(
                        Code::WrongType,
                        format!("`{key}` is a text, not {}", value.noun()),
                        value.site(),
                        "",
                        None,
                    );
                    continue;
                };
                let text = Spanned::new(text.to_owned(), value.site());
                read.extend(match is_condition {
                    true => self.condition(names, &text, reader),
                    false => self.template(names, &text, reader),
                });
            }
        }
        read
    }

    /// A list of steps by name.
    fn step_names(&mut self, node: &Node) -> Vec<Reference> {
        let known: Vec<&str> = self
            .request
            .runbook
            .steps()
            .map(|(_, step)| step.id.value.as_str())
            .collect();
        let mut read = Vec::new();
        for item in node.as_seq().unwrap_or_default() {
            let Some(name) = item.as_str() else { continue };
            match known.iter().position(|id| *id == name) {
                Some(step) => read.push(Reference {
                    step,
                    same_host: false,
                }),
                None => {
                    let help = did_you_mean(name, known.iter().copied());
                    self.error(
                        Code::UnknownName,
                        format!("there is no step `{name}`"),
                        item.site(),
                        "",
                        help,
                    );
                }
            }
        }
        read
    }

    fn template(
        &mut self,
        names: &mut Names<'_>,
        text: &Spanned<String>,
        reader: &Reader,
    ) -> Vec<Reference> {
        match Template::parse(&text.value) {
            Ok(template) => {
                let references = template.references().to_vec();
                self.names(
                    names,
                    &Read {
                        span: text.span,
                        text: &text.value,
                        references,
                    },
                    reader,
                )
            }
            Err(error) => {
                let span = self
                    .request
                    .sources
                    .part(text.span, &text.value, error.range);
                self.error(Code::BadTemplate, error.message, span, "", None);
                Vec::new()
            }
        }
    }

    fn condition(
        &mut self,
        names: &mut Names<'_>,
        text: &Spanned<String>,
        reader: &Reader,
    ) -> Vec<Reference> {
        match Condition::parse(&text.value) {
            Ok(condition) => {
                let references = condition.references().to_vec();
                self.names(
                    names,
                    &Read {
                        span: text.span,
                        text: &text.value,
                        references,
                    },
                    reader,
                )
            }
            Err(error) => {
                let span = self
                    .request
                    .sources
                    .part(text.span, &text.value, error.range);
                self.error(Code::BadCondition, error.message, span, "", None);
                Vec::new()
            }
        }
    }

    fn names(&mut self, names: &mut Names<'_>, read: &Read<'_>, reader: &Reader) -> Vec<Reference> {
        let sources = self.request.sources;
        let place = |range: std::ops::Range<usize>| sources.part(read.span, read.text, range);
        let found = read.references.iter().flat_map(|reference| {
            let span = place(reference.range.clone());
            names.check(reference, span, reader)
        });
        let unique: BTreeSet<Reference> = found.collect();
        unique.into_iter().collect()
    }

    fn refuse_circles(&mut self, names: &Names<'_>) {
        for (name, span) in names.circular_vars() {
            let message = format!("the variable `{name}` is defined by itself");
            self.error(Code::Cycle, message, span, "", None);
        }
    }
}

/// Whether a step covers every host of another one.
pub(super) fn covers(of: &[HostName], wanted: &[HostName]) -> Option<HostName> {
    wanted.iter().find(|host| !of.contains(host)).cloned()
}
