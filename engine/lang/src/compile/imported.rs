//! Inputs of imported runbooks: what an import gives has the type of the input that it is given
//! for. What is known before a run is checked and brought into its form here; of what is known only
//! later the type must be certain, because nobody can be asked when a value is found not to fit.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::Value;
use runbook_model::step_type::Shape;

use super::Compiler;
use super::hosts::Hosts;
use super::inputs::{Found, Known, fitting, not_there};
use crate::ast::{ImportedValue, InputDef, VarDef, VarValue};
use crate::condition::Condition;
use crate::diagnostic::{Code, Diagnostic};
use crate::scope::{EvalError, Reference, Scope, Segment};
use crate::template::Template;
use crate::value::{InputType, as_text};

/// Variables that read each other are followed so far: a circle is refused with the names.
const DEEPEST: usize = 32;

/// What a text in an import's `with` comes to.
enum Came {
    To(Value),
    /// It has no value, and needs none.
    Absent,
    /// It hangs on what is missing or was refused.
    Unknown,
}

impl Compiler<'_> {
    /// The inputs that imports give, those that others hang on first.
    pub(super) fn imported_inputs(
        &mut self,
        given: &[&InputDef],
        hosts: &Hosts,
        found: &mut Found,
    ) {
        if given.is_empty() {
            return;
        }
        let vars = self.request.runbook.vars.iter();
        let vars: BTreeMap<&str, Vec<Reference>> = vars
            .map(|var| (var.name.value.as_str(), references(var)))
            .collect();
        let reads: BTreeMap<&str, BTreeSet<String>> = given
            .iter()
            .map(|def| (def.name.value.as_str(), inputs_in(def, &vars)))
            .collect();
        let mut open: Vec<&InputDef> = given.to_vec();
        while !open.is_empty() {
            let names: BTreeSet<&str> = open.iter().map(|def| def.name.value.as_str()).collect();
            let waits = |def: &&InputDef| {
                let mut read = reads.get(def.name.value.as_str()).into_iter().flatten();
                read.any(|name| names.contains(name.as_str()))
            };
            let (waiting, ready): (Vec<&InputDef>, Vec<&InputDef>) =
                open.iter().copied().partition(|def| waits(def));
            if ready.is_empty() {
                // A circle leads through variables, and such an input has become one.
                break;
            }
            let known = found.known();
            let scope = self.early_scope(hosts, &known);
            for def in ready {
                let read = &reads[def.name.value.as_str()];
                let value = self.imported_input(def, read, &known, &scope, hosts);
                found.take(def, value, hosts);
            }
            open = waiting;
        }
    }

    fn imported_input(
        &mut self,
        def: &InputDef,
        read: &BTreeSet<String>,
        known: &Known,
        scope: &Scope,
        hosts: &Hosts,
    ) -> Option<Value> {
        let given = def.given.as_deref()?;
        if let Some(why) = self.never_fits(def, given) {
            self.refuse_given(given, &why, what_fits(def, hosts));
            return None;
        }
        let value = match self.came_to(given, read, known, scope) {
            Ok(Came::To(value)) => value,
            Ok(Came::Unknown) => return None,
            Ok(Came::Absent) => match &def.default {
                Some(default) => default.to_value(),
                None => {
                    if given.required && !self.request.allow_missing {
                        let why = "must have a value, and nobody gives what it is made of";
                        let help = match read.iter().find(|name| !has_value(known, name)) {
                            Some(name) => format!("give it with `--input {name}=…`"),
                            None => "let the import give a value".to_owned(),
                        };
                        self.refuse_given(given, why, help);
                    }
                    return None;
                }
            },
            Err(error) => {
                let why = format!("has no value: {}", error.message);
                self.refuse_given(given, &why, what_fits(def, hosts));
                return None;
            }
        };
        let fits = def.kind.value.check(&value).and_then(|value| {
            let wrong = not_there(def, hosts, &value);
            wrong.map_or(Ok(value), Err)
        });
        let refused = |why: String| self.refuse_given(given, &why, what_fits(def, hosts));
        fits.map_err(refused).ok()
    }

    fn came_to(
        &self,
        given: &ImportedValue,
        read: &BTreeSet<String>,
        known: &Known,
        scope: &Scope,
    ) -> Result<Came, EvalError> {
        let Some(text) = given.template() else {
            return Ok(Came::To(given.value.to_value()));
        };
        // A text that does not parse, and a name that is not there, are reported with the names.
        let Ok(template) = Template::parse(&text.value) else {
            return Ok(Came::Unknown);
        };
        let error = match template.render(scope) {
            Ok(value) => return Ok(Came::To(value)),
            Err(error) => error,
        };
        if error.missing.is_none() {
            return Err(error);
        }
        let inputs = &self.request.runbook.inputs;
        let def = |name: &String| inputs.iter().find(|def| def.name.value == *name);
        let mut missing = read
            .iter()
            .filter(|name| !has_value(known, name))
            .peekable();
        if missing.peek().is_none() {
            return match self.reads_unknown(&template) {
                true => Ok(Came::Unknown),
                false => Err(error),
            };
        }
        // One that nobody has to give is not there; of all others it is not known.
        let may_stay_away = |name: &String| {
            // What was refused has been reported.
            let is_refused = self.request.given.has_value(name);
            def(name).is_some_and(|def| {
                let given = def.given.as_ref();
                let is_required = given.map_or(def.required, |given| given.required);
                !is_required && !is_refused && !def.kind.value.is_secret()
            })
        };
        Ok(match missing.all(may_stay_away) {
            true => Came::Absent,
            false => Came::Unknown,
        })
    }

    /// Whether a name in it is none, which is reported with the names.
    fn reads_unknown(&self, template: &Template) -> bool {
        let runbook = self.request.runbook;
        template.references().iter().any(|reference| {
            let name = reference.path.get(1).and_then(Segment::name);
            match reference.root() {
                "vars" => !runbook
                    .vars
                    .iter()
                    .any(|var| Some(var.name.value.as_str()) == name),
                "inputs" => false,
                _ => true,
            }
        })
    }

    /// Why no value of the given text can fit, whatever it is.
    fn never_fits(&self, def: &InputDef, given: &ImportedValue) -> Option<String> {
        let template = Template::parse(&given.template()?.value).ok()?;
        let kind = &def.kind.value;
        let word = kind.word();
        if template.single_path().is_none() && !is_single(&template) {
            let is_text = is_written_as_text(kind) || matches!(kind.base(), InputType::OneOf(_));
            return (!is_text).then(|| format!("is of the type `{word}`, and this is a text"));
        }
        let names: Vec<_> = template.single_path()?.iter().map(Segment::name).collect();
        let [Some("inputs"), Some(name)] = names.as_slice() else {
            return None;
        };
        let mut inputs = self.request.runbook.inputs.iter();
        let source = &inputs.find(|of| of.name.value == *name)?.kind.value;
        (!may_become(source, kind)).then(|| {
            let source = source.word();
            format!("is of the type `{word}`, and what is given is of the type `{source}`")
        })
    }

    fn refuse_given(&mut self, given: &ImportedValue, why: &str, help: String) {
        let message = format!("the input `{}` {why}", given.name.value);
        let (at, declared) = (given.value.site(), given.declared);
        let error = Diagnostic::error(Code::BadInput, message)
            .label(at.source, at, "")
            .label(declared.source, declared, "wanted here");
        self.diagnostics.push(error.help(help));
    }

    /// What is given for an input and is known only later must be of its type for certain.
    pub(super) fn check_late(&mut self) {
        for var in &self.request.runbook.vars {
            let Some(def) = var.gives.as_deref() else {
                continue;
            };
            let (VarValue::Template(text), Some(given)) = (&var.value, def.given.as_deref()) else {
                continue;
            };
            let Ok(template) = Template::parse(&text.value) else {
                continue;
            };
            if self.is_certain(&def.kind.value, &template, 0) {
                continue;
            }
            let word = match &def.kind.value {
                InputType::Limited(limited) if limited.pattern.is_some() => {
                    format!("a {} with a `pattern`", def.kind.value.word())
                }
                kind => format!("of the type `{}`", kind.word()),
            };
            let message = format!(
                "the input `{}` is {word}, and what is given is known only during the run",
                given.name.value
            );
            let (at, declared) = (given.value.site(), given.declared);
            let error = Diagnostic::error(Code::BadInput, message)
                .label(at.source, at, "")
                .label(declared.source, declared, "wanted here")
                .help(match def.kind.value {
                    InputType::String => "an output of the type `string` is text for certain, and so is a text with more in it than one `{{…}}`",
                    _ => "give a value that is known before, or make the input a plain `string`, an `int` or a `bool` and give it an output of that type",
                });
            self.diagnostics.push(error);
        }
    }

    /// Whether whatever the text comes to fits.
    fn is_certain(&self, kind: &InputType, template: &Template, depth: usize) -> bool {
        let text = |can_be_empty: bool| match kind {
            InputType::String => true,
            InputType::Path => !can_be_empty,
            _ => false,
        };
        if !is_single(template) {
            return text(!has_plain_part(template));
        }
        let path = match (template.single_path(), template.single_default()) {
            (Some(path), _) => path,
            (None, Some((path, otherwise))) if kind.check(otherwise).is_ok() => path,
            _ => return false,
        };
        let names: Vec<_> = path.iter().map(Segment::name).collect();
        match names.as_slice() {
            [Some("run"), Some("id" | "dir")] => text(false),
            [Some("vars"), Some(name)] if depth < DEEPEST => {
                let mut vars = self.request.runbook.vars.iter();
                let var = vars.find(|var| var.name.value == *name);
                match var.map(|var| &var.value) {
                    Some(VarValue::Template(text)) => Template::parse(&text.value)
                        .is_ok_and(|below| self.is_certain(kind, &below, depth + 1)),
                    _ => false,
                }
            }
            [Some("steps"), Some(step), .., Some("outputs"), Some(output)] => {
                match self.shape_of(step, output) {
                    Some(Shape::String | Shape::Enum) => text(true),
                    Some(Shape::Path) => text(false),
                    Some(Shape::Int) => *kind == InputType::Int,
                    Some(Shape::Bool) => *kind == InputType::Bool,
                    _ => false,
                }
            }
            [Some("steps"), _, Some("host")] | [Some("steps"), _, Some("only"), Some("host")] => {
                text(false) || *kind == InputType::Host
            }
            [Some("steps"), _, .., Some("started" | "finished")] => *kind == InputType::Bool,
            _ => false,
        }
    }

    fn shape_of(&self, step: &str, output: &str) -> Option<Shape> {
        let mut steps = self.request.runbook.steps();
        let (_, step) = steps.find(|(_, def)| def.id.value == step)?;
        Some(self.type_of(step)?.outputs.get(output)?.shape)
    }
}

/// What a value that fits is like.
fn what_fits(def: &InputDef, hosts: &Hosts) -> String {
    match (fitting(def, hosts), &def.pattern) {
        (Some(example), _) => format!("what fits is like `{}`", as_text(&example)),
        (None, Some(pattern)) => format!("what fits matches `{}`", pattern.value),
        (None, None) => "give what its definition asks for".to_owned(),
    }
}

fn has_value(known: &Known, input: &str) -> bool {
    let input = known.plan.get(input);
    input.is_some_and(|input| input.value.is_some())
}

/// The inputs that what is given for an input hangs on, through variables too.
fn inputs_in(def: &InputDef, vars: &BTreeMap<&str, Vec<Reference>>) -> BTreeSet<String> {
    let text = def.given.as_ref().and_then(|given| given.template());
    let template = text.and_then(|text| Template::parse(&text.value).ok());
    let mut open = template.map_or(Vec::new(), |of| of.references().to_vec());
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    while let Some(reference) = open.pop() {
        let Some(name) = reference.path.get(1).and_then(Segment::name) else {
            continue;
        };
        match reference.root() {
            "inputs" => _ = found.insert(name.to_owned()),
            "vars" if seen.insert(name.to_owned()) => {
                open.extend(vars.get(name).into_iter().flatten().cloned());
            }
            _ => {}
        }
    }
    found
}

fn references(var: &VarDef) -> Vec<Reference> {
    match &var.value {
        VarValue::Literal(_) => Vec::new(),
        VarValue::Template(text) => Template::parse(&text.value)
            .map_or(Vec::new(), |template| template.references().to_vec()),
        VarValue::Cel(text) => Condition::parse(&text.value)
            .map_or(Vec::new(), |condition| condition.references().to_vec()),
    }
}

/// Whether a template is nothing but one `{{…}}`, so that its value may be more than a text.
fn is_single(template: &Template) -> bool {
    let text = template.text();
    let inner = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}"));
    inner.is_some_and(|inner| !inner.contains("{{"))
}

/// Whether a text is never empty: something of it stands outside of all braces.
fn has_plain_part(template: &Template) -> bool {
    let text = template.text();
    let outside = text.split("{{").enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once("}}").map_or("", |(_, after)| after),
    });
    // Inside a block a part may be left out.
    !text.contains("{{#") && outside.collect::<String>().trim() != ""
}

/// Whether values of a type are written as text.
fn is_written_as_text(kind: &InputType) -> bool {
    matches!(
        kind.base(),
        InputType::String
            | InputType::Enum(_)
            | InputType::Path
            | InputType::Duration
            | InputType::Size
            | InputType::Date
            | InputType::Version
            | InputType::Host
    )
}

/// Whether a value of one type may be one of the other: a text may say anything, and anything that
/// is written as text may be a text.
fn may_become(from: &InputType, to: &InputType) -> bool {
    use InputType as T;
    match (from.base(), to.base()) {
        (T::OneOf(_), _) | (_, T::OneOf(_)) => true,
        // Said with the names.
        (T::Secret, _) => true,
        (T::String | T::Enum(_) | T::Path, to) => is_written_as_text(to),
        (from, T::String) => is_written_as_text(from),
        (T::Int, T::Size) => true,
        (T::Map(_), T::Object(_)) | (T::Object(_), T::Map(_)) => true,
        (from, to) => std::mem::discriminant(from) == std::mem::discriminant(to),
    }
}
