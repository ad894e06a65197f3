//! Every template and condition of the runbook: parsed, its names checked, and what it reads from
//! other steps remembered for the graph.

use std::collections::BTreeSet;

use runbook_model::HostName;
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;

use super::Compiler;
use super::hosts::Hosts;
use super::inputs::Known;
use super::items::as_template;
use super::names::{Names, Reader};
use super::select::Chosen;
use crate::ast::{ForEach, StepDef, VarValue};
use crate::condition::Condition;
use crate::diagnostic::Code;
use crate::graph::Reference;
use crate::scope;
use crate::source::{Span, Spanned};
use crate::steptype::secrets_of;
use crate::template::Template;
use crate::yaml::Node;

/// What texts read from other steps.
#[derive(Default)]
pub(super) struct Texts {
    pub(super) steps: Vec<Vec<Reference>>,
    pub(super) phases: Vec<Vec<Reference>>,
    pub(super) done_when: Vec<Reference>,
}

/// What every record of a run holds, beside the outputs of the steps that it names.
const IN_EVERY_RECORD: &[&str] = &["approvals", "times", "outage", "holds"];

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
        let given = runbook.inputs.iter().filter_map(|def| def.given.as_ref());
        for text in given.filter_map(|given| given.template()) {
            self.template(&mut names, &text, &Reader::Run { var: None });
        }
        for (at, var) in runbook.vars.iter().enumerate() {
            names.begin_var();
            let reader = Reader::Run { var: Some(at) };
            let read = match &var.value {
                VarValue::Literal(_) => Vec::new(),
                VarValue::Template(text) => self.template(&mut names, text, &reader),
                VarValue::Cel(text) => self.condition(&mut names, text, &reader),
            };
            names.remember_var(&var.name.value, read);
        }
        self.refuse_circles(&names);
        names.close_vars();
        let mut texts = Texts::default();
        if let Some(done_when) = &runbook.done_when {
            texts.done_when = self.condition(&mut names, done_when, &Reader::Run { var: None });
        }
        let place = Reader::Place {
            at: None,
            groups: false,
        };
        for date in runbook.window.iter().flat_map(|window| {
            [&window.opens, &window.closes, &window.no_return_before]
                .into_iter()
                .flatten()
        }) {
            self.template(&mut names, date, &place);
        }
        let mut at = 0;
        for (number, phase) in runbook.phases.iter().enumerate() {
            if let Some(on) = &phase.on {
                self.template(&mut names, on, &place);
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
        self.place_texts(names, step, at);
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
            step.chdir
                .iter()
                .flat_map(|text| self.template(names, text, &plain)),
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
            let param = step_type.and_then(|of| of.params.get(&entry.key.value));
            let secret = param.filter(|param| param.secret);
            let secrets = secret.is_some();
            let reader = Reader::Step {
                at,
                own_outputs: false,
                secrets,
            };
            let key = &entry.key.value;
            let parts = secret.map_or(Vec::new(), |param| secrets_of(param, key, &entry.value));
            for (place, part) in parts {
                self.refuse_written_secret(&place, part);
            }
            self.refuse_template_keys(&entry.value);
            match (kind, entry.key.value.as_str()) {
                (Some(TypeKind::Assert), "all") => {
                    read.extend(self.assert_texts(names, &entry.value, &reader))
                }
                (Some(TypeKind::Gate), "show") => {
                    read.extend(self.step_names(&entry.value, at, &[]));
                }
                (Some(TypeKind::Record), "include") => {
                    read.extend(self.step_names(&entry.value, at, IN_EVERY_RECORD));
                }
                (Some(TypeKind::Gate), "deadline") => {
                    if let Some(text) = entry.value.as_str() {
                        let text = Spanned::new(text.to_owned(), entry.value.site());
                        read.extend(self.condition(names, &text, &reader));
                    }
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

    /// Where a step runs, as whom and for what.
    fn place_texts(&mut self, names: &mut Names<'_>, step: &StepDef, at: usize) {
        let everywhere = Reader::Place {
            at: None,
            groups: false,
        };
        let on_host = Reader::Place {
            at: Some(at),
            groups: false,
        };
        let of_items = Reader::Place {
            at: None,
            groups: true,
        };
        for (text, reader) in [
            (&step.on, &everywhere),
            (&step.via, &on_host),
            (&step.account, &on_host),
        ] {
            if let Some(text) = text {
                self.template(names, text, reader);
            }
        }
        match &step.for_each {
            None => {}
            Some(ForEach::Path(path)) if path.value.contains("{{") => {
                self.template(names, path, &of_items);
            }
            Some(ForEach::Path(path)) => self.bare_path(names, path, &of_items),
            Some(ForEach::Literal(node)) => {
                self.refuse_template_keys(node);
                let mut found = Vec::new();
                node.texts(&mut |text, node| {
                    found.push(Spanned::new(text.to_owned(), node.site()));
                });
                for text in found {
                    self.template(names, &text, &of_items);
                }
            }
        }
    }

    /// A path without braces.
    fn bare_path(&mut self, names: &mut Names<'_>, path: &Spanned<String>, reader: &Reader) {
        let parsed = Template::parse(&as_template(&path.value)).ok();
        let is_path = parsed
            .as_ref()
            .is_some_and(|template| template.single_path().is_some());
        let Some(template) = parsed.filter(|_| is_path) else {
            let message = "`for_each` is a path, a list or a map";
            let help = Some("write `groups.quay`, `inputs.ports`, or `[a, b]`".to_owned());
            return self.error(Code::BadValue, message, path.span, "", help);
        };
        let references = template.references().to_vec();
        for reference in references {
            names.check(&reference, path.span, reader);
        }
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

    /// A list of steps by name; words that mean something else make no reference.
    fn step_names(&mut self, node: &Node, own: usize, words: &[&str]) -> Vec<Reference> {
        let runbook = self.request.runbook;
        let known: Vec<(Part, &str)> = runbook
            .steps()
            .map(|(phase, step)| (phase.part, step.id.value.as_str()))
            .collect();
        let part = known.get(own).map_or(Part::Main, |(part, _)| *part);
        let mut read = Vec::new();
        for item in node.as_seq().unwrap_or_default() {
            let Some(name) = item.as_str() else { continue };
            match known.iter().position(|(_, id)| *id == name) {
                // What follows on every ending comes after the rollback, too; it waits for nothing there.
                Some(step) if part == Part::Finally && known[step].0 == Part::Rollback => {}
                Some(step) if known[step].0 != part && known[step].0 != Part::Main => {
                    let message = format!("`{name}` belongs to another part of this runbook");
                    let help = "steps of the procedure can be named everywhere, others only in their own part";
                    self.error(
                        Code::NotAnAncestor,
                        message,
                        item.site(),
                        "",
                        Some(help.to_owned()),
                    );
                }
                Some(step) => read.push(Reference {
                    step,
                    same_host: false,
                }),
                None if words.contains(&name) => {}
                None => {
                    let ids = known.iter().map(|(_, id)| *id);
                    let help = self
                        .diagnostics
                        .suggest(name, ids.chain(words.iter().copied()));
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
        // Found once: a long text may hold thousands of references.
        let sources = self.request.sources;
        let whole = sources.part(read.span, read.text, 0..read.text.len());
        let spelled = sources
            .get(whole.source)
            .is_some_and(|source| source.slice(whole) == read.text);
        let place = |range: std::ops::Range<usize>| match spelled {
            true => whole.part(range),
            false => read.span,
        };
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
