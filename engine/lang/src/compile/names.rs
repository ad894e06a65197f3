//! Names in texts: every `inputs.x`, `steps.x.outputs.y`, `host.z` is checked against what there
//! is, before anything runs.

mod steps;

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::plan::Part;

use super::Request;
use super::hosts::Hosts;
use super::inputs::Known;
use super::items::{Items, has_member};
use super::known::{bare_vars, early_vars};
use super::select::Chosen;
use crate::ast::StepDef;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::fields::one_of;
use crate::graph::Reference;
use crate::scope::{self, Segment, path_text};
use crate::source::Span;
use crate::steptype::INTO_FILES;

/// Whose text it is, which decides what it may read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader {
    /// A rule over inputs: they, and variables that are values.
    Rule,
    /// Who runs what, before anything runs: inputs, and variables that hang on nothing else; the
    /// variables of the host in what is decided for each host of a step; groups in `for_each`.
    Place { at: Option<usize>, groups: bool },
    /// Of the whole run: `done_when`, or the variable at this place.
    Run { var: Option<usize> },
    /// A phase's `when`.
    Phase { number: usize },
    /// A step.
    Step {
        at: usize,
        own_outputs: bool,
        secrets: bool,
    },
}

struct StepInfo<'a> {
    phase: usize,
    part: Part,
    step: &'a StepDef,
}

/// Everything that has a name.
pub(super) struct Names<'a> {
    request: &'a Request<'a>,
    hosts: &'a Hosts,
    inputs: &'a Known,
    chosen: &'a Chosen,
    steps: Vec<StepInfo<'a>>,
    vars: BTreeMap<String, Vec<Reference>>,
    vars_of_vars: BTreeMap<String, BTreeSet<String>>,
    early: BTreeSet<String>,
    bare: BTreeSet<String>,
    reading: BTreeSet<String>,
    /// The text that is checked goes into a parameter that is secret.
    takes_secrets: bool,
    diagnostics: Diagnostics,
}

impl<'a> Names<'a> {
    pub(super) fn new(
        request: &'a Request<'a>,
        hosts: &'a Hosts,
        inputs: &'a Known,
        chosen: &'a Chosen,
    ) -> Self {
        let phases = request.runbook.phases.iter().enumerate();
        let steps = phases.flat_map(|(phase, of)| {
            let part = of.part;
            let steps = of.steps.iter();
            steps.map(move |step| StepInfo { phase, part, step })
        });
        Self {
            request,
            hosts,
            inputs,
            chosen,
            steps: steps.collect(),
            vars: BTreeMap::new(),
            vars_of_vars: BTreeMap::new(),
            early: early_vars(request.runbook),
            bare: bare_vars(request.runbook),
            reading: BTreeSet::new(),
            takes_secrets: false,
            diagnostics: Diagnostics::new(),
        }
    }

    /// The text of a variable comes next.
    pub(super) fn begin_var(&mut self) {
        self.reading.clear();
    }

    /// Keeps what a variable reads; the variables that were met since it began are its own.
    pub(super) fn remember_var(&mut self, name: &str, read: Vec<Reference>) {
        self.vars.insert(name.to_owned(), read);
        self.vars_of_vars
            .insert(name.to_owned(), std::mem::take(&mut self.reading));
    }

    /// Variables that lead back to themselves.
    pub(super) fn circular_vars(&self) -> Vec<(String, Span)> {
        let vars = self.request.runbook.vars.iter();
        vars.filter(|var| self.reach(&var.name.value).contains(&var.name.value))
            .map(|var| (var.name.value.clone(), var.name.span))
            .collect()
    }

    fn reach(&self, var: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![var.to_owned()];
        while let Some(name) = open.pop() {
            for next in self.vars_of_vars.get(&name).into_iter().flatten() {
                if found.insert(next.clone()) {
                    open.push(next.clone());
                }
            }
        }
        found
    }

    /// What a variable reads includes what its variables read.
    pub(super) fn close_vars(&mut self) {
        let closed = self.vars.keys().map(|name| {
            let all = self.reach(name);
            let all = all
                .iter()
                .chain([name])
                .filter_map(|name| self.vars.get(name))
                .flatten()
                .cloned();
            (
                name.clone(),
                all.collect::<BTreeSet<_>>().into_iter().collect(),
            )
        });
        self.vars = closed.collect();
    }

    /// The mistakes that were found.
    pub(super) fn finish(self) -> Diagnostics {
        self.diagnostics
    }

    fn error(&mut self, code: Code, message: String, span: Span, help: Option<String>) {
        self.diagnostics.push(
            Diagnostic::error(code, message)
                .label(span.source, span, "")
                .maybe_help(help),
        );
    }

    fn unknown<'n>(
        &mut self,
        what: String,
        name: &str,
        span: Span,
        known: impl IntoIterator<Item = &'n str>,
    ) {
        let help = self.diagnostics.suggest(name, known);
        self.error(Code::UnknownName, what, span, help);
    }

    /// Checks one reference; what it reads from steps comes back.
    pub(super) fn check(
        &mut self,
        reference: &scope::Reference,
        span: Span,
        reader: &Reader,
    ) -> Vec<Reference> {
        self.takes_secrets = matches!(reader, Reader::Step { secrets: true, .. });
        let path = &reference.path;
        let Some(root) = path.first().and_then(Segment::name) else {
            return Vec::new();
        };
        let is_named = path.get(1).is_some_and(|segment| segment.name().is_some());
        if matches!(root, "vars" | "steps") && !is_named {
            // What is read decides what has to come first.
            let message = format!("`{}` does not say which one is read", path_text(path));
            let help = Some(format!("write the name, `{root}.…`"));
            self.error(Code::UnknownName, message, span, help);
            return Vec::new();
        }
        if !self.may_read(root, reader) {
            let message = format!(
                "`{}` has no value here: {}",
                path_text(path),
                why_not(root, reader)
            );
            self.error(Code::UnknownName, message, span, None);
            return Vec::new();
        }
        match root {
            "inputs" => self.input(path, span, reader),
            "vars" => return self.var(path, reference.guarded, span, reader),
            "host" => self.host(path, span, reader),
            "groups" => self.group(path, span),
            "run" => self.run(path, span),
            "outputs" => self.own_output(path, span, reader),
            "steps" => return self.step(reference, span, reader),
            "item" => self.item(path, span, reader),
            "window" => self.window(path, span),
            other => {
                let what = format!("there is no name `{other}`");
                let is_group = self.hosts.groups.contains_key(other);
                match is_group && matches!(reader, Reader::Place { groups: true, .. }) {
                    true => {
                        let help = format!("write `groups.{other}` for the hosts of the group");
                        self.error(Code::UnknownName, what, span, Some(help));
                    }
                    false => self.unknown(what, other, span, scope::ROOTS),
                }
            }
        }
        Vec::new()
    }

    fn may_read(&self, root: &str, reader: &Reader) -> bool {
        match (root, reader) {
            ("outputs", Reader::Step { own_outputs, .. }) => *own_outputs,
            ("outputs", _) => false,
            ("steps" | "run" | "window", Reader::Rule | Reader::Place { .. }) => false,
            ("item", reader) => matches!(reader, Reader::Step { .. }),
            ("host", Reader::Place { at, .. }) => at.is_some(),
            ("host", Reader::Rule | Reader::Run { .. } | Reader::Phase { .. }) => false,
            ("groups", Reader::Place { groups, .. }) => *groups,
            ("groups", Reader::Rule) => false,
            _ => true,
        }
    }

    fn input(&mut self, path: &[Segment], span: Span, reader: &Reader) {
        let defs = &self.request.runbook.inputs;
        let takes_secrets = matches!(reader, Reader::Step { secrets: true, .. });
        let Some(name) = path.get(1).and_then(Segment::name) else {
            if let Some(secret) = defs
                .iter()
                .find(|def| def.kind.value.is_secret() && !takes_secrets)
            {
                let message = format!(
                    "`{}` reads any input, and `{}` is secret",
                    path_text(path),
                    secret.name.value
                );
                self.error(
                    Code::SecretLeak,
                    message,
                    span,
                    Some("write the name, `inputs.…`".to_owned()),
                );
            }
            return;
        };
        let Some(def) = defs.iter().find(|def| def.name.value == name) else {
            let known: Vec<&str> = defs.iter().map(|def| def.name.value.as_str()).collect();
            return self.unknown(format!("there is no input `{name}`"), name, span, known);
        };
        if def.kind.value.is_secret() && !takes_secrets {
            let message =
                format!("the secret `{name}` may go only into a parameter that is secret");
            let help = self.where_secrets_go(reader);
            self.error(Code::SecretLeak, message, span, Some(help));
        }
    }

    /// Where a reader can put a secret instead.
    fn where_secrets_go(&self, reader: &Reader) -> String {
        let Reader::Step { at, .. } = reader else {
            return "what is decided or computed can be seen: read the secret in the `with` of a step, in a parameter that is secret".to_owned();
        };
        let uses = self
            .steps
            .get(*at)
            .map(|info| info.step.uses.value.as_str());
        let Some(step_type) = uses.and_then(|uses| self.request.catalog.get(uses)) else {
            return "a parameter is secret if its step type says `secret: true`".to_owned();
        };
        let secret = step_type.params.iter().filter(|(_, param)| param.secret);
        let names: Vec<String> = secret.map(|(name, _)| format!("`{name}`")).collect();
        let name = &step_type.name;
        match (names.as_slice(), &step_type.content) {
            ([], Some(_)) => {
                let types: Vec<String> = INTO_FILES.iter().map(|of| format!("`{of}`")).collect();
                format!(
                    "`{name}` shows what it writes; {} take values for a file in `secrets`, `file` and `template` a whole text in `secret_text` and `secret_source`, and a step type of your own in a parameter with `secret: true`",
                    types.join(", ")
                )
            }
            ([], None) => format!(
                "`{name}` has no such parameter; a step type of your own takes a secret in one with `secret: true`"
            ),
            (names, _) => format!("`{name}` takes a secret in {}, under `with`", one_of(names)),
        }
    }

    fn var(
        &mut self,
        path: &[Segment],
        guarded: bool,
        span: Span,
        reader: &Reader,
    ) -> Vec<Reference> {
        let Some(name) = path.get(1).and_then(Segment::name) else {
            return Vec::new();
        };
        let vars = &self.request.runbook.vars;
        let Some(var) = vars.iter().find(|var| var.name.value == name) else {
            let known: Vec<&str> = vars.iter().map(|var| var.name.value.as_str()).collect();
            self.unknown(format!("there is no variable `{name}`"), name, span, known);
            return Vec::new();
        };
        let too_late = match reader {
            Reader::Rule => !matches!(var.value, crate::ast::VarValue::Literal(_)),
            Reader::Place { .. } => !self.early.contains(name),
            _ => false,
        };
        if too_late {
            let why = match reader {
                Reader::Rule => "it is not a plain value",
                _ => "it reads more than inputs, and this is decided before anything runs",
            };
            let message = match var.gives.as_ref().and_then(|def| def.given.as_ref()) {
                Some(given) => format!(
                    "the input `{}` has no value here: what the import gives is known only during the run",
                    given.name.value
                ),
                None => format!("`vars.{name}` has no value here: {why}"),
            };
            self.error(Code::UnknownName, message, span, None);
            return Vec::new();
        }
        self.reading.insert(name.to_owned());
        let read = self.vars.get(name).cloned().unwrap_or_default();
        for reference in &read {
            self.check_order(reference.step, span, reader, Some(name));
        }
        if !guarded && let Some(reference) = read.first() {
            self.check_reached(reference.step, span, reader, Some(name));
            // In a rollback what is missing fails its reader before any effect.
            let in_main = self.part_of_reader(reader) == Part::Main;
            if in_main && self.bare.contains(name) && !self.is_under(&var.under, reader) {
                let message =
                    "the import may be skipped by its `when`, and has no outputs then".to_owned();
                let help = "write `{{default steps.….outputs.… \"none\"}}`, or in a condition `has(steps.….outputs.…) ? … : …`";
                self.error(Code::MayBeSkipped, message, span, Some(help.to_owned()));
            }
        }
        read
    }

    fn host(&mut self, path: &[Segment], span: Span, reader: &Reader) {
        let (Some(name), Reader::Step { at, .. } | Reader::Place { at: Some(at), .. }) =
            (path.get(1).and_then(Segment::name), reader)
        else {
            return;
        };
        if name == "facts" {
            return self.error(
                Code::NotSupportedYet,
                "`host.facts` is not supported yet".to_owned(),
                span,
                None,
            );
        }
        let here = self.chosen.steps.get(*at).map(|of| of.hosts.clone());
        for host in here.unwrap_or_default() {
            let vars = self.hosts.by_name.get(&host).map(|host| &host.vars);
            let known = vars.is_some_and(|vars| vars.contains_key(name))
                || (host.is_control() && name == "name");
            if !known {
                let names: Vec<String> = vars
                    .map(|vars| vars.keys().cloned().collect())
                    .unwrap_or_default();
                let what = format!("the host `{host}` has no variable `{name}`");
                return self.unknown(what, name, span, names.iter().map(String::as_str));
            }
        }
    }

    fn group(&mut self, path: &[Segment], span: Span) {
        let Some(name) = path.get(1).and_then(Segment::name) else {
            return;
        };
        if name != "all" && !self.hosts.groups.contains_key(name) {
            let known: Vec<String> = self.hosts.groups.keys().cloned().collect();
            let known = known.iter().map(String::as_str).chain(["all"]);
            self.unknown(
                format!("the inventory has no group `{name}`"),
                name,
                span,
                known,
            );
        }
    }

    fn run(&mut self, path: &[Segment], span: Span) {
        match path.get(1).and_then(Segment::name) {
            Some("id" | "dir") => {}
            None => {
                let message = format!("`{}` does not say what of the run is read", path_text(path));
                let help = Some("write `run.id` or `run.dir`".to_owned());
                self.error(Code::UnknownName, message, span, help);
            }
            Some(name) => {
                self.unknown(
                    format!("a run has no `{name}`, only `id` and `dir`"),
                    name,
                    span,
                    ["id", "dir"],
                );
            }
        }
    }

    /// What a step is repeated for; every item must have what is read of it.
    fn item(&mut self, path: &[Segment], span: Span, reader: &Reader) {
        let Reader::Step { at, .. } = reader else {
            return;
        };
        let Some(items) = self.chosen.steps.get(*at).and_then(|of| of.items.as_ref()) else {
            let message = "`item` has a value only in a step with `for_each`".to_owned();
            return self.error(Code::UnknownName, message, span, None);
        };
        let Items::Known(items) = items else {
            return;
        };
        if let Some(item) = items
            .iter()
            .find(|item| !has_member(&item.value, &path[1..]))
        {
            let (what, rest) = (path_text(path), path.get(1).and_then(Segment::name));
            let message = format!("the item `{}` has no `{what}`", item.name);
            let known: Vec<String> = match &item.value {
                serde_json::Value::Object(map) => map.keys().cloned().collect(),
                _ => Vec::new(),
            };
            let name = rest.unwrap_or_default();
            self.unknown(message, name, span, known.iter().map(String::as_str));
        }
    }

    fn window(&mut self, path: &[Segment], span: Span) {
        let Some(window) = &self.request.runbook.window else {
            let message = "this runbook has no `window`".to_owned();
            let help = Some("write `window: { opens: …, closes: … }` at the top".to_owned());
            return self.error(Code::UnknownName, message, span, help);
        };
        let dates = [
            ("opens", &window.opens),
            ("closes", &window.closes),
            ("no_return_before", &window.no_return_before),
        ];
        let Some(name) = path.get(1).and_then(Segment::name) else {
            return;
        };
        let known = dates.iter().filter(|(_, date)| date.is_some());
        if !known.clone().any(|(known, _)| *known == name) {
            let what = format!("the window of this runbook has no `{name}`");
            self.unknown(what, name, span, known.map(|(known, _)| *known));
        }
    }

    fn own_output(&mut self, path: &[Segment], span: Span, reader: &Reader) {
        if let Reader::Step { at, .. } = reader {
            self.output(*at, path.get(1), span, reader);
        }
    }
}

fn why_not(root: &str, reader: &Reader) -> &'static str {
    match (root, reader) {
        ("outputs", _) => "only `expect` and `fatal` see a step's own outputs",
        ("item", _) => "it belongs to a step with `for_each`",
        (_, Reader::Rule | Reader::Place { .. }) => {
            "this is decided before anything runs, from inputs and plain variables"
        }
        _ => "this text belongs to no host",
    }
}
