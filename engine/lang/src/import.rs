//! Imports: a phase that is another runbook becomes the phases of that runbook.
//!
//! Everything that the other runbook names gets a prefix (`drain_stop`), and every text of it is
//! written anew with those names, so that what comes out is one runbook: later stages know nothing
//! of imports, and the plan needs no other file. Reading the files is the caller's business.

mod inputs;
mod rename;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::plan::Part;

use crate::ast::{ImportDef, Runbook, StepDef, VarDef, parse_runbook};
use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::keys::Name;
use crate::source::{Source, SourceId, Span, Spanned};

use text::{Names, Rewriter, Target};

/// Imports inside imports are read this deep.
const DEEPEST: usize = 16;
/// More imports in all are refused.
const MOST: usize = 200;

/// Reads the files that imports name.
pub trait Files {
    /// The text of a file that is named in another text. The same file is the same source.
    ///
    /// # Errors
    /// Why there is none, for people. What is wrong with the text itself is said by the reader.
    fn read(&mut self, from: SourceId, file: &str) -> Result<Option<Source>, String>;
}

/// Puts every imported runbook into its place. Without imports the runbook stays as it is.
pub fn link(runbook: Runbook, files: &mut dyn Files) -> (Runbook, Diagnostics) {
    let chain = vec![runbook.source];
    if runbook.phases.iter().all(|phase| phase.import.is_none()) {
        return (runbook, Diagnostics::new());
    }
    let mut linker = Linker {
        files,
        diagnostics: Diagnostics::new(),
        imports: 0,
    };
    let linked = linker.expand(runbook, &chain);
    linker.check_names(&linked);
    linker.diagnostics.sort();
    (linked, linker.diagnostics)
}

struct Linker<'f> {
    files: &'f mut dyn Files,
    diagnostics: Diagnostics,
    imports: usize,
}

/// An imported runbook with the names that it has in the whole.
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
        let mut endings = Vec::new();
        let mut children: BTreeMap<usize, Child> = children
            .into_iter()
            .map(|child| (child.at, child))
            .collect();
        for (at, phase) in phases.into_iter().enumerate() {
            let Some(child) = children.remove(&at) else {
                // What could not be read has been reported.
                if phase.import.is_none() {
                    runbook.phases.push(phase);
                }
                continue;
            };
            let mut inner = child.runbook;
            runbook.inputs.append(&mut inner.inputs);
            runbook.rules.append(&mut inner.rules);
            runbook.groups.append(&mut inner.groups);
            runbook.vars.append(&mut inner.vars);
            for mut part in inner.phases {
                if part.part == Part::Main {
                    part.part = phase.part;
                    part.when = both(phase.when.as_ref(), part.when);
                    runbook.phases.push(part);
                } else {
                    endings.push(part);
                }
            }
        }
        runbook.phases.append(&mut endings);
        runbook.phases.sort_by_key(|phase| phase.part);
        runbook
    }

    /// Reads one import, and gives all of it the names that it has in the whole.
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
                self.error(Code::BadImport, message, import.file.span, None);
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
        let inner = inner?;
        let mut deeper = chain.to_vec();
        deeper.push(source.id());
        let inner = self.expand(inner, &deeper);
        self.refuse_whole(&inner, import);
        let outputs = inner
            .outputs
            .iter()
            .map(|output| output.name.value.clone())
            .collect();
        let runbook = self.renamed(inner, import);
        Some(Child {
            runbook,
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
                self.error(Code::DuplicateId, message, span, None);
            }
            let outputs = child.outputs.iter().map(|name| {
                let var = output_var(&child.prefix, name);
                (name.clone(), var)
            });
            names
                .outputs
                .insert(child.prefix.clone(), outputs.collect());
            let inner = child.runbook.steps().map(|(_, step)| &step.id.value);
            for id in inner.filter(|id| !own.contains(*id)) {
                let hidden = Target::Hidden(child.prefix.clone());
                names.set("steps", id, hidden);
            }
            for var in &child.runbook.vars {
                let hidden = Target::Hidden(child.prefix.clone());
                names.set("vars", &var.name.value, hidden);
            }
        }
        let mut rewriter = Rewriter {
            names: &names,
            diagnostics: &mut self.diagnostics,
        };
        rename::texts(runbook, &mut rewriter);
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
        value: def.value,
    }
}
