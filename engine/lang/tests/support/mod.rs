//! Broken files as every driver reads them: what is found in a file, with the texts it points into.
//!
//! A file of `broken/` is read alone; the first word of its name says how. A file of `compile/` is
//! a runbook that is compiled against one inventory; what is given to it stands in it, under
//! `x-given` (values), `x-inputs` (the text of a file of inputs), `x-texts` (texts of a command
//! line) and `x-secrets`.

#![allow(dead_code, reason = "each driver uses its part")]

pub(crate) mod imported;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::{Source, Sources};
use runbook_lang::steptype::{Catalog, SHIPPED, check_params};
use runbook_lang::testfile::{parse_scenarios, parse_tests};
use runbook_model::Plan;
use runbook_model::plan::SecretSource;

/// A file that was read.
pub(crate) struct Case {
    pub(crate) diagnostics: Diagnostics,
    pub(crate) sources: Sources,
    pub(crate) plan: Option<Plan>,
}

/// The folders of broken files.
pub(crate) const FOLDERS: [&str; 2] = ["broken", "compile"];

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

/// The names of the broken files of a folder, without `.yaml`.
pub(crate) fn names(of: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder(of))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| of != "compile" || name != "inventory")
        .collect();
    names.sort();
    names
}

/// Reads a file of a folder.
pub(crate) fn read(of: &str, name: &str) -> Case {
    let file = format!("{name}.yaml");
    let bytes = fs::read(folder(of).join(&file)).unwrap();
    if of == "broken" {
        return alone(name, &file, &bytes);
    }
    let text = String::from_utf8(bytes).unwrap();
    compiled(&file, &text, include_str!("../compile/inventory.yaml"))
}

fn alone(name: &str, file: &str, bytes: &[u8]) -> Case {
    let mut sources = Sources::new();
    let diagnostics = match sources.add(file, bytes) {
        Ok(source) => read_as(name, &source, &mut sources),
        Err(diagnostic) => {
            let mut diagnostics = Diagnostics::new();
            diagnostics.push(diagnostic);
            diagnostics
        }
    };
    Case {
        diagnostics,
        sources,
        plan: None,
    }
}

fn read_as(name: &str, source: &Source, sources: &mut Sources) -> Diagnostics {
    match name.split('-').next() {
        Some("runbook") => parse_runbook(source).1,
        Some("inventory") => parse_inventory(source).1,
        Some("type") => catalog(sources).add(
            &name.replace('-', "_").replace("type_shadowed", "assert"),
            "own.yaml",
            source,
        ),
        Some("typetest") => tests(name, source, sources),
        Some("scenarios") => parse_scenarios(source).1,
        Some("params") => params(source, sources),
        _ => panic!("{name}: how is it read?"),
    }
}

fn catalog(sources: &mut Sources) -> Catalog {
    let mut catalog = Catalog::new();
    add(&mut catalog, sources, "broken", "test.type");
    catalog
}

fn add(catalog: &mut Catalog, sources: &mut Sources, of: &str, name: &str) {
    let file = format!("types/{name}.yaml");
    let text = fs::read(folder(of).join(&file)).unwrap();
    let source = sources.add(&file, &text).unwrap();
    assert_eq!(catalog.add(name, SHIPPED, &source).render(sources), "");
}

/// The tests of a type, in its file.
fn tests(name: &str, source: &Source, sources: &mut Sources) -> Diagnostics {
    let mut catalog = catalog(sources);
    let name = name.replace('-', "_");
    let mut diagnostics = catalog.add(&name, "own.yaml", source);
    if let Some(step_type) = catalog.get(&name) {
        diagnostics.extend(parse_tests(step_type, source).1);
    }
    diagnostics
}

fn params(source: &Source, sources: &mut Sources) -> Diagnostics {
    let catalog = catalog(sources);
    let (runbook, mut diagnostics) = parse_runbook(source);
    for (_, step) in runbook.unwrap().steps() {
        if let Some(step_type) = catalog.resolve(&step.uses, source.id(), &mut diagnostics) {
            check_params(
                step_type,
                &step.with,
                step.uses.span,
                source,
                &mut diagnostics,
            );
        }
    }
    diagnostics.sort();
    diagnostics
}

/// What is given to a runbook.
fn given(text: &str) -> Given {
    let Ok(root) = serde_yaml::from_str::<serde_json::Value>(text) else {
        return Given::default();
    };
    let map = |name: &str| root[name].as_object().cloned().unwrap_or_default();
    let secrets = root["x-secrets"].as_array().cloned().unwrap_or_default();
    let secrets = secrets.iter().map(|name| name.as_str().unwrap().to_owned());
    Given {
        texts: map("x-texts")
            .into_iter()
            .map(|(name, text)| (name, text.as_str().unwrap().to_owned()))
            .collect::<BTreeMap<_, _>>(),
        values: map("x-given").into_iter().collect(),
        secrets: secrets
            .map(|name| (name.clone(), SecretSource::Env(name)))
            .collect(),
        ..Given::default()
    }
}

/// The file of inputs that a runbook holds.
fn file_of_inputs(text: &str) -> Option<String> {
    let root = serde_yaml::from_str::<serde_json::Value>(text).ok()?;
    root["x-inputs"].as_str().map(str::to_owned)
}

/// Compiles a runbook against an inventory, with the types of the tests.
pub(crate) fn compiled(file: &str, text: &str, inventory: &str) -> Case {
    let mut sources = Sources::new();
    let source = sources.add(file, text.as_bytes()).unwrap();
    let hosts = sources.add("inventory.yaml", inventory.as_bytes()).unwrap();
    let mut catalog = Catalog::new();
    for name in names("compile/types") {
        add(&mut catalog, &mut sources, "compile", &name);
    }
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (inventory, found) = parse_inventory(&hosts);
    diagnostics.extend(found);
    let mut plan = None;
    let mut given = given(text);
    if let Some(inputs) = file_of_inputs(text) {
        let inputs = sources.add("inputs.yaml", inputs.as_bytes()).unwrap();
        diagnostics.extend(given.read_file(&inputs, runbook.as_ref(), &mut sources));
    }
    if let Some(runbook) = &runbook {
        let request = Request {
            sources: &sources,
            source: &source,
            runbook,
            inventory: &inventory.unwrap(),
            catalog: &catalog,
            given: &given,
            allow_missing: false,
        };
        let (compiled, found) = compile(&request);
        diagnostics.extend(found);
        plan = compiled;
    }
    diagnostics.sort();
    // As the program does it: a mistake anywhere, and there is no plan.
    let plan = plan.filter(|_| !diagnostics.has_errors());
    Case {
        diagnostics,
        sources,
        plan,
    }
}
