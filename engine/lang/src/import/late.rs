//! Inputs of imported runbooks whose values are known only later: they hang on what steps do. Each
//! becomes a variable of the whole, with the type that it must have beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{Names, Rewriter, Target};
use super::{Linker, rename};
use crate::ast::{InputDef, Runbook, VarDef, VarValue};
use crate::condition::Condition;
use crate::scope::{Reference, Segment};
use crate::template::Template;

impl Linker<'_> {
    /// Only the whole says what hangs on what, so this comes last.
    pub(super) fn keep_late(&mut self, whole: &mut Runbook) {
        let late = late_inputs(whole);
        if late.is_empty() {
            return;
        }
        let mut names = Names::default();
        let (inputs, kept): (Vec<InputDef>, _) = std::mem::take(&mut whole.inputs)
            .into_iter()
            .partition(|def| late.contains(&def.name.value));
        whole.inputs = kept;
        for def in inputs {
            let name = def.name.value.clone();
            let given = def.given.as_ref();
            let (Some(text), Some(given)) = (given.and_then(|of| of.template()), given) else {
                continue;
            };
            names.set("inputs", &name, Target::Path(format!("vars.{name}")));
            whole.vars.push(VarDef {
                name: def.name.clone(),
                value: VarValue::Template(text),
                under: given.under.clone(),
                gives: Some(Box::new(def)),
            });
        }
        let mut rewriter = Rewriter {
            names: &names,
            diagnostics: &mut self.diagnostics,
        };
        rename::texts(whole, &mut rewriter);
    }
}

/// The given inputs that read more than inputs, groups, and what hangs on nothing else.
fn late_inputs(whole: &Runbook) -> BTreeSet<String> {
    let mut open: BTreeMap<(&str, &str), Vec<Reference>> = BTreeMap::new();
    for var in &whole.vars {
        let read = match &var.value {
            VarValue::Literal(_) => Vec::new(),
            VarValue::Template(text) => of_template(&text.value),
            VarValue::Cel(text) => Condition::parse(&text.value)
                .map(|condition| condition.references().to_vec())
                .unwrap_or_default(),
        };
        open.insert(("vars", &var.name.value), read);
    }
    for def in &whole.inputs {
        if let Some(text) = def.given.as_ref().and_then(|given| given.template()) {
            open.insert(("inputs", &def.name.value), of_template(&text.value));
        }
    }
    // What is not there, or waits for nothing, is early: the compiler says what is not there.
    loop {
        let is_open = |reference: &Reference| match reference.root() {
            "inputs" | "vars" => {
                let name = reference.path.get(1).and_then(Segment::name);
                name.is_none_or(|name| open.contains_key(&(reference.root(), name)))
            }
            "groups" => false,
            _ => true,
        };
        let next: Vec<(&str, &str)> = open
            .iter()
            .filter(|(_, read)| !read.iter().any(is_open))
            .map(|(name, _)| *name)
            .collect();
        if next.is_empty() {
            break;
        }
        for name in next {
            open.remove(&name);
        }
    }
    let late = open.keys().filter(|(root, _)| *root == "inputs");
    late.map(|(_, name)| (*name).to_owned()).collect()
}

/// A text that does not parse reads nothing: the compiler says why.
fn of_template(text: &str) -> Vec<Reference> {
    Template::parse(text)
        .map(|template| template.references().to_vec())
        .unwrap_or_default()
}
