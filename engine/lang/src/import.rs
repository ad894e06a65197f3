//! Imports: a phase that is another runbook becomes the phases of that runbook.
//!
//! Everything that the other runbook names gets a prefix (`drain_stop`), and every text of it is
//! written anew with those names, so that what comes out is one runbook: later stages know nothing
//! of imports, and the plan needs no other file. Text files that a step names are put into their place here too, while it is
//! known which runbook named them. Reading the files is the caller's business.

mod inputs;
mod late;
mod rename;
mod source;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::plan::Part;

use crate::ast::{ImportDef, Phase, Runbook, StepDef, VarDef, parse_runbook};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::keys::Name;
use crate::source::{Source, SourceId, Span, Spanned};

use text::{Names, Rewriter, Target};

/// Imports inside imports are read this deep.
pub(crate) const DEEPEST: usize = 16;
/// More imports in all are refused.
pub(crate) const MOST: usize = 200;

/// Reads the files that imports name.
pub trait Files {
    /// The text of a file that is named in another text. The same file is the same source.
    ///
    /// # Errors
    /// Why there is none, for people. What is wrong with the text itself is said by the reader.
    fn read(&mut self, from: SourceId, file: &str) -> Result<Option<Source>, String>;

    /// A text file that a step names: as [`read`](Self::read), but it is no runbook, with step types beside it.
    ///
    /// # Errors
    /// Why there is none, for people.
    fn text(&mut self, from: SourceId, file: &str) -> Result<Option<Source>, String> {
        self.read(from, file)
    }
}

/// Puts every imported runbook and every text file that a step names into its place. Without such the runbook stays as
/// it is.
pub fn link(mut runbook: Runbook, files: &mut dyn Files) -> (Runbook, Diagnostics) {
    let chain = vec![runbook.source];
    let mut linker = Linker {
        files,
        diagnostics: Diagnostics::new(),
        imports: 0,
        conditions: 0,
    };
    linker.sources(&mut runbook);
    if runbook.phases.iter().all(|phase| phase.import.is_none()) {
        linker.diagnostics.sort();
        return (runbook, linker.diagnostics);
    }
    let mut linked = linker.expand(runbook, &chain);
    linker.keep_late(&mut linked);
    linker.check_names(&linked);
    linker.diagnostics.sort();
    (linked, linker.diagnostics)
}

struct Linker<'f> {
    files: &'f mut dyn Files,
    diagnostics: Diagnostics,
    imports: usize,
    /// Imports with a `when`, so far.
    conditions: usize,
}

/// An imported runbook, with its own names.
struct Child {
    runbook: Runbook,
    /// The phase that it takes the place of.
    at: usize,
    prefix: String,
    outputs: BTreeSet<String>,
}

impl Linker<'_> {
    fn error(&mut self, code: Code, message: String, span: Span, help: Option<String>) {
        let error = Diagnostic::error(code, message).label(span.source, span, "");
        self.diagnostics.push(error.maybe_help(help));
    }

    /// A runbook with all its imports in their places.
    fn expand(&mut self, mut runbook: Runbook, chain: &[SourceId]) -> Runbook {
        let mut children = Vec::new();
        for (at, phase) in runbook.phases.iter().enumerate() {
            let Some(import) = &phase.import else {
                continue;
            };
            let prefix = &import.prefix;
            let taken = children
                .iter()
                .any(|child: &Child| child.prefix == prefix.value);
            if taken {
                let message = format!("two imports have the prefix `{}`", prefix.value);
                let help = Some("give one of them another `as`".to_owned());
                self.error(Code::DuplicateId, message, prefix.span, help);
                continue;
            }
            children.extend(self.child(&runbook, import, at, chain));
        }
        self.rewrite_own(&mut runbook, &children);
        let phases = std::mem::take(&mut runbook.phases);
        let own = runbook.inputs.len();
        let mut endings = Vec::new();
        let mut children: BTreeMap<usize, Child> = children
            .into_iter()
            .map(|child| (child.at, child))
            .collect();
        for (at, phase) in phases.into_iter().enumerate() {
            let (Some(child), Some(import)) = (children.remove(&at), &phase.import) else {
                // What could not be read has been reported.
                if phase.import.is_none() {
                    runbook.phases.push(phase);
                }
                continue;
            };
            let mut inner = self.renamed(child.runbook, import, &runbook.inputs[..own]);
            if phase.when.is_some() {
                self.conditions += 1;
                put_under(&mut inner, self.conditions);
            }
            let first = begins_with(&inner);
            runbook.inputs.append(&mut inner.inputs);
            runbook.rules.append(&mut inner.rules);
            runbook.groups.append(&mut inner.groups);
            runbook.vars.append(&mut inner.vars);
            for mut part in inner.phases {
                if part.part == Part::Main {
                    part.part = phase.part;
                    part.linked.only_theirs |= part.when.is_none();
                    part.when = both(phase.when.as_ref(), part.when);
                    runbook.phases.push(part);
                } else {
                    part.linked.follows = part.linked.follows.or(first.clone());
                    endings.push(part);
                }
            }
        }
        runbook.phases.append(&mut endings);
        runbook.phases.sort_by_key(|phase| phase.part);
        runbook
    }

    /// Reads one import with all that it imports.
    fn child(
        &mut self,
        parent: &Runbook,
        import: &ImportDef,
        at: usize,
        chain: &[SourceId],
    ) -> Option<Child> {
        self.imports += 1;
        if chain.len() > DEEPEST || self.imports > MOST {
            let message = match chain.len() > DEEPEST {
                true => format!("imports inside imports, deeper than {DEEPEST}"),
                false => format!("more than {MOST} imports"),
            };
            self.error(Code::TooDeep, message, import.file.span, None);
            return None;
        }
        let source = match self.files.read(parent.source, &import.file.value) {
            Ok(source) => source?,
            Err(why) => {
                let message = format!("the runbook `{}` cannot be read: {why}", import.file.value);
                let help = "`file` is a path from the directory of this runbook".to_owned();
                self.error(Code::BadImport, message, import.file.span, Some(help));
                return None;
            }
        };
        if let Some(begin) = chain.iter().position(|id| *id == source.id()) {
            let files = chain.len() - begin;
            let message = match files {
                1 => "this runbook imports itself".to_owned(),
                _ => format!("{files} runbooks import each other"),
            };
            let mut error = Diagnostic::error(Code::Cycle, message).label(
                import.file.span.source,
                import.file.span,
                "leads back",
            );
            for id in &chain[begin + 1..] {
                error = error.label(*id, Span::of(*id, 0, 0), "through this one");
            }
            self.diagnostics.push(error);
            return None;
        }
        let (inner, found) = parse_runbook(&source);
        self.diagnostics.extend(found);
        let mut inner = inner?;
        self.sources(&mut inner);
        let mut deeper = chain.to_vec();
        deeper.push(source.id());
        let inner = self.expand(inner, &deeper);
        self.refuse_whole(&inner, import);
        let outputs = inner
            .outputs
            .iter()
            .map(|output| output.name.value.clone())
            .collect();
        Some(Child {
            runbook: inner,
            at,
            prefix: import.prefix.value.clone(),
            outputs,
        })
    }

    /// What belongs to the run as a whole, and not to a part of it.
    fn refuse_whole(&mut self, inner: &Runbook, import: &ImportDef) {
        let rollback = inner
            .phases
            .iter()
            .find(|phase| phase.part == Part::Rollback);
        let mut refuse = |what: &str, at: Span, help: &str| {
            let message = format!("an imported runbook has no `{what}`");
            let error = Diagnostic::error(Code::BadImport, message)
                .label(import.file.span.source, import.file.span, "imported here")
                .label(at.source, at, "here");
            self.diagnostics.push(error.help(help));
        };
        if let Some(window) = &inner.window {
            refuse("window", window.span, "write it in the runbook that is run");
        }
        if let Some(done_when) = &inner.done_when {
            let help = "give the phase that imports it a `when`";
            refuse("done_when", done_when.span, help);
        }
        if let Some(phase) = rollback {
            let help = "write the whole way back in the runbook that is run";
            refuse("rollback", phase.id.span, help);
        }
    }

    /// The texts of a runbook that imports: it sees the outputs of what it imports, nothing else.
    fn rewrite_own(&mut self, runbook: &mut Runbook, children: &[Child]) {
        let mut names = Names::default();
        let own: BTreeSet<String> = runbook
            .steps()
            .map(|(_, step)| step.id.value.clone())
            .collect();
        for child in children {
            if own.contains(&child.prefix) {
                let message = format!("`{}` is a step and an import", child.prefix);
                let span = runbook.phases[child.at].id.span;
                let help = Some("give the import another `as`".to_owned());
                self.error(Code::DuplicateId, message, span, help);
            }
            let outputs = child.outputs.iter().map(|name| {
                let var = output_var(&child.prefix, name);
                (name.clone(), var)
            });
            names
                .outputs
                .insert(child.prefix.clone(), outputs.collect());
            for (root, name) in hidden(child, &runbook.phases[child.at]) {
                if root != "steps" || !own.contains(&name) {
                    names.set(root, &name, Target::Hidden(child.prefix.clone()));
                }
            }
        }
        self.refuse_needs(runbook, &own, children);
        let mut rewriter = Rewriter {
            names: &names,
            diagnostics: &mut self.diagnostics,
        };
        rename::texts(runbook, &mut rewriter);
    }

    /// `needs` leads to steps of its own runbook: it cannot name an import, or a step inside of one.
    fn refuse_needs(&mut self, runbook: &mut Runbook, own: &BTreeSet<String>, children: &[Child]) {
        let mut found = Vec::new();
        let phases = children
            .iter()
            .map(|child| &runbook.phases[child.at].id.value);
        let phases: Vec<String> = phases.cloned().collect();
        for need in steps_of(runbook).flat_map(|step| step.needs.iter_mut()) {
            need.retain(|need| {
                let name = &need.step;
                let within = |child: &&Child| {
                    let rest = name.value.strip_prefix(&child.prefix);
                    let inner = rest.and_then(|rest| rest.strip_prefix('_'));
                    inner.is_some_and(|id| child.runbook.steps().any(|(_, s)| s.id.value == id))
                };
                let mut imports = children.iter().zip(&phases);
                let import = imports
                    .find(|(child, phase)| child.prefix == name.value || **phase == name.value);
                let import = import.map(|(child, _)| child);
                let within = children.iter().find(within);
                let is_fine = own.contains(&name.value) || import.or(within).is_none();
                if let (false, Some(child)) = (is_fine, import.or(within)) {
                    found.push((name.clone(), import.is_some(), child));
                }
                is_fine
            });
        }
        for (name, is_import, child) in found {
            let (prefix, name, span) = (&child.prefix, &name.value, name.span);
            let message = match is_import {
                true => format!("`{name}` is an import, and `needs` names steps"),
                false => format!("the step `{name}` is inside the import `{prefix}`"),
            };
            let output = match child.outputs.first() {
                Some(output) => format!("`steps.{prefix}.outputs.{output}`"),
                None => format!("an output that `{prefix}` declares"),
            };
            let help = format!(
                "a step of a later phase waits for all of the import; one that reads {output} waits for what that reads"
            );
            self.error(Code::UnknownName, message, span, Some(help));
        }
    }

    /// Names that came together must still be different, and names.
    fn check_names(&mut self, runbook: &Runbook) {
        let phases = runbook.phases.iter().map(|phase| ("phase", &phase.id));
        let steps = runbook.steps().map(|(_, step)| ("step", &step.id));
        let vars = runbook.vars.iter().map(|var| ("variable", &var.name));
        let inputs = runbook.inputs.iter().map(|input| ("input", &input.name));
        let mut seen: BTreeMap<(&str, &str), Span> = BTreeMap::new();
        let mut problems = Vec::new();
        for (noun, name) in phases.chain(steps).chain(vars).chain(inputs) {
            if let Err(rule) = Name::Id.check(&name.value) {
                let message = format!("the import makes the {noun} `{}`: {rule}", name.value);
                problems.push(Diagnostic::error(Code::BadName, message).label(
                    name.span.source,
                    name.span,
                    "",
                ));
            }
            if let Some(first) = seen.insert((noun, &name.value), name.span) {
                let message = format!("the {noun} `{}` is there twice", name.value);
                let twice = Diagnostic::error(Code::DuplicateId, message)
                    .label(name.span.source, name.span, "again here")
                    .label(first.source, first, "first here")
                    .help("give one of the imports another `as`");
                problems.push(twice);
            }
        }
        problems
            .into_iter()
            .for_each(|problem| self.diagnostics.push(problem));
    }
}

/// The variable that holds an output of an imported runbook.
fn output_var(prefix: &str, name: &str) -> String {
    format!("{prefix}_out_{name}")
}

/// The phase runs if the import does and it does itself.
fn both(outer: Option<&Spanned<String>>, own: Option<Spanned<String>>) -> Option<Spanned<String>> {
    match (outer, own) {
        (Some(outer), Some(own)) => Some(own.map(|own| format!("({}) && ({own})", outer.value))),
        (outer, own) => own.or(outer.cloned()),
    }
}

/// What an import brings in and nobody outside of it sees, by root and name.
fn hidden(child: &Child, phase: &Phase) -> Vec<(&'static str, String)> {
    let Child {
        runbook, prefix, ..
    } = child;
    let steps = runbook.steps().map(|(_, step)| &step.id.value);
    let vars = runbook.vars.iter().map(|var| &var.name.value);
    let given = phase.import.iter().flat_map(|import| &import.with);
    let given = given.map(|entry| &entry.key.value);
    let inner = runbook.inputs.iter().filter(|def| def.given.is_some());
    let given = given.chain(inner.map(|def| &def.name.value));
    let long = |name: &String| format!("{prefix}_{name}");
    let outputs = child.outputs.iter().map(|name| output_var(prefix, name));
    let mut out: Vec<_> = steps.map(|name| ("steps", long(name))).collect();
    out.extend(given.map(|name| ("inputs", long(name))));
    out.extend(vars.map(long).chain(outputs).map(|name| ("vars", name)));
    out
}

/// What belongs to an import with a `when`.
fn put_under(inner: &mut Runbook, condition: usize) {
    for phase in &mut inner.phases {
        if phase.part == Part::Main {
            phase.linked.under.push(condition);
        }
    }
    for var in &mut inner.vars {
        var.under.push(condition);
    }
    for given in inner.inputs.iter_mut().filter_map(|def| def.given.as_mut()) {
        given.under.push(condition);
    }
}

/// The phase that has begun where anything of an import has: none, if it may be skipped by itself.
fn begins_with(inner: &Runbook) -> Option<String> {
    let mut phases = inner.phases.iter();
    let first = phases.find(|phase| phase.part == Part::Main)?;
    first.when.is_none().then(|| first.id.value.clone())
}

/// The steps of a runbook, to be changed.
fn steps_of(runbook: &mut Runbook) -> impl Iterator<Item = &mut StepDef> {
    runbook.phases.iter_mut().flat_map(|phase| &mut phase.steps)
}

/// Reports a name that is not there.
fn unknown<'n>(
    diagnostics: &mut Diagnostics,
    message: String,
    name: &Spanned<String>,
    known: impl IntoIterator<Item = &'n str>,
) {
    let error = Diagnostic::error(Code::UnknownName, message)
        .label(name.span.source, name.span, "")
        .maybe_help(did_you_mean(&name.value, known));
    diagnostics.push(error);
}

/// A variable of the whole.
fn var_def(name: String, def: VarDef) -> VarDef {
    VarDef {
        name: def.name.map(|_| name),
        ..def
    }
}
