//! From files to a plan: what is read, and in which order.

mod file;
mod imports;
mod reader;
pub(crate) mod trials;
mod types;

use runbook_lang::ast::{InputDef, Runbook};
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::inventory::Inventory;
use runbook_lang::source::{Source, Sources};
use runbook_lang::steptype::Catalog;
use runbook_lang::value::InputType;
use runbook_model::Plan;
use runbook_model::plan::SecretSource;
use runbook_model::text::printable;
use runbook_report::value_text;

use crate::args::{CompileArgs, SecretArg};
use crate::error::Error;
use crate::prompt::Missing;

use file::beside;
use reader::Reader;
pub(crate) use types::{type_named, types};

/// Everything that a plan is made of, read and parsed.
#[derive(Debug)]
pub(crate) struct Loaded {
    sources: Sources,
    source: Source,
    runbook: Runbook,
    inventory: Inventory,
    catalog: Catalog,
    given: Given,
    diagnostics: Diagnostics,
}

/// A plan, and what somebody should look at.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The plan.
    pub(crate) plan: Plan,
    /// Warnings.
    pub(crate) warnings: Diagnostics,
    /// The texts that they point into.
    pub(crate) sources: Sources,
}

/// Reads runbook, inventory, types and inputs. All mistakes in all of them are reported at once.
pub(crate) fn load(args: &CompileArgs) -> Result<Loaded, Error> {
    let mut given = Given {
        texts: args.inputs()?,
        secrets: SecretArg::all(&args.secrets.secret)?.into_iter().collect(),
        ..Given::default()
    };
    file::no_directory(&args.file)?;
    let mut reader = Reader::new();
    let source = reader.read("runbook", &args.file)?;
    let (runbook, catalog) = reader.runbook(&args.file, source.as_ref());
    let inventory_file = args
        .inventory
        .clone()
        .unwrap_or_else(|| beside(&args.file, "inventory.yaml"));
    // What is wrong with the runbook is reported all the same.
    let (inventory, mut also) = match reader.inventory(&inventory_file) {
        Ok(inventory) => (inventory, None),
        // Nothing was expected beside a file that is no runbook.
        Err(_) if args.inventory.is_none() && reader.misread() => (None, None),
        Err(error) => (None, Some(error)),
    };
    if let Some(file) = &args.inputs {
        match reader.read("file of inputs", file) {
            Ok(Some(source)) => {
                let found = given.read_file(&source, runbook.as_ref(), &mut reader.sources);
                reader.diagnostics.extend(found);
            }
            Ok(None) => {}
            Err(error) => also = also.or(Some(error)),
        }
    }
    also = also.or_else(|| no_secret(runbook.as_ref()?, &given));
    let Reader {
        sources,
        diagnostics,
    } = reader;
    match (source, runbook, inventory, also) {
        (Some(source), Some(runbook), Some(inventory), None) => Ok(Loaded {
            sources,
            source,
            runbook,
            inventory,
            catalog,
            given,
            diagnostics,
        }),
        (.., Some(error)) if diagnostics.is_empty() => Err(error),
        (.., also) => Err(Error::Mistakes {
            diagnostics,
            sources,
            also: also.map(Box::new),
        }),
    }
}

/// An input that is given as a secret and is none: its value would never be read.
fn no_secret(runbook: &Runbook, given: &Given) -> Option<Error> {
    let named = |def: &&InputDef| given.secrets.contains_key(&def.name.value);
    let mut inputs = runbook.inputs.iter().filter(named);
    let def = inputs.find(|def| def.kind.value != InputType::Secret)?;
    Some(Error::Typed {
        message: format!("the input `{}` is not a secret", def.name.value),
        hint: Some(format!("give it with --input {}=…", def.name.value)),
    })
}

impl Loaded {
    /// Inputs that must be given and are not.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let given = |name: &str| {
            self.given.texts.contains_key(name)
                || self.given.values.contains_key(name)
                || self.given.secrets.contains_key(name)
        };
        let wanted =
            |def: &&InputDef| def.required && def.default.is_none() && !given(&def.name.value);
        let missing = self.runbook.inputs.iter().filter(wanted);
        missing
            .map(|def| Missing {
                name: def.name.value.clone(),
                kind: def.kind.value.clone(),
                help: def.help.clone(),
            })
            .collect()
    }

    /// Gives what a run was given, where nothing else is. What differs from what would count otherwise
    /// is said.
    pub(crate) fn keep_inputs(&mut self, plan: &Plan) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, input) in &plan.inputs {
            let mut defs = self.runbook.inputs.iter();
            let Some(def) = defs.find(|def| def.name.value == *name && def.given.is_none()) else {
                continue;
            };
            let given = self.given.texts.contains_key(name) || self.given.values.contains_key(name);
            if def.kind.value == InputType::Secret {
                if let Some(source) = &input.secret
                    && !matches!(source, SecretSource::Generated(_))
                {
                    let secrets = &mut self.given.secrets;
                    secrets
                        .entry(name.clone())
                        .or_insert_with(|| source.clone());
                }
                continue;
            }
            let Some(value) = input.value.as_ref().filter(|_| !given) else {
                continue;
            };
            let default = def.default.as_ref().map(|node| node.to_value());
            let default = default.and_then(|value| def.kind.value.check(&value).ok());
            if let Some(default) = default.filter(|default| default != value) {
                notes.push(format!(
                    "the input `{}` stays {}, as the run has it; its default is {}",
                    printable(name),
                    value_text(value),
                    value_text(&default)
                ));
            }
            self.given.values.insert(name.clone(), value.clone());
        }
        notes
    }

    /// Gives an input as text.
    pub(crate) fn give(&mut self, name: &str, text: String) {
        self.given.texts.insert(name.to_owned(), text);
    }

    /// Says that a secret will be asked when the run begins.
    pub(crate) fn ask_later(&mut self, name: &str) {
        self.given
            .secrets
            .insert(name.to_owned(), SecretSource::Prompt);
    }

    /// Compiles. With `allow_missing` a plan is good for looking at only.
    pub(crate) fn compile(self, allow_missing: bool) -> Result<Compiled, Error> {
        let request = Request {
            sources: &self.sources,
            source: &self.source,
            runbook: &self.runbook,
            inventory: &self.inventory,
            catalog: &self.catalog,
            given: &self.given,
            allow_missing,
        };
        let (plan, found) = compile(&request);
        let mut diagnostics = self.diagnostics;
        diagnostics.extend(found);
        diagnostics.sort();
        match plan {
            Some(plan) if !diagnostics.has_errors() => Ok(Compiled {
                plan,
                warnings: diagnostics,
                sources: self.sources,
            }),
            _ => Err(Error::Mistakes {
                diagnostics,
                sources: self.sources,
                also: None,
            }),
        }
    }
}

impl Missing {
    /// Whether it is a secret.
    pub(crate) fn is_secret(&self) -> bool {
        self.kind == InputType::Secret
    }
}
