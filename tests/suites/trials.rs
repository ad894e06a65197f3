//! The tests of all shipped step types and the scenarios of all shipped runbooks, as `runbook test` runs them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use runbook_exec::trial::{Tools, Tried, run_scenario, run_type};
use runbook_lang::ast::Runbook;
use runbook_lang::compile::Given;
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::source::Sources;
use runbook_lang::steptype::{SHIPPED, parse_type};
use runbook_lang::testfile::{Scenario, TypeTest, parse_scenarios, parse_tests};
use runbook_lang::value::InputType;
use runbook_model::StepType;
use runbook_model::plan::SecretSource;
use runbook_model::step_type::TypeKind;
use runbook_tests::root;
use runbook_tests::shipped::Shipped;

fn shipped() -> Vec<(StepType, Vec<TypeTest>)> {
    let mut sources = Sources::new();
    let mut types = Vec::new();
    for (name, text) in runbook_steps::TYPES {
        let source = sources.add(name, text.as_bytes()).unwrap();
        let (step_type, mistakes) = parse_type(name, SHIPPED, &source);
        assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
        let step_type = step_type.unwrap();
        let (tests, mistakes) = parse_tests(&step_type, &source);
        assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
        types.push((step_type, tests));
    }
    types
}

fn told(all: &[Tried]) -> String {
    let mut text = String::new();
    for tried in all {
        for wrong in &tried.mismatches {
            let _ = writeln!(
                text,
                "{}: {}\n  {}\n    expected: {}\n    found:    {}",
                tried.group, tried.title, wrong.what, wrong.expected, wrong.found
            );
        }
    }
    text
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

#[test]
fn every_shipped_type_does_what_its_tests_say() {
    passed_in("dash");
}

#[test]
fn every_shipped_type_does_what_its_tests_say_where_bash_is_the_shell() {
    passed_in("bash");
}

fn passed_in(shell: &str) {
    let tools = Tools::find(Some(shell)).unwrap();
    let mut all = Vec::new();
    for (step_type, tests) in shipped() {
        all.extend(
            runtime()
                .block_on(run_type(&tools, &step_type, &tests, &|_| true))
                .unwrap(),
        );
    }
    let failures = told(&all);
    assert!(failures.is_empty(), "{failures}");
    assert!(all.len() > 100, "only {} tests ran", all.len());
}

#[test]
fn every_shipped_type_is_tested_in_each_of_its_states() {
    use runbook_lang::testfile::Said;
    let mut missing = Vec::new();
    for (step_type, tests) in shipped() {
        let mut miss = |what: &str, is_there: bool| {
            if !is_there {
                missing.push(format!("{}: {what}", step_type.name));
            }
        };
        let says = |said| {
            tests
                .iter()
                .any(|test| !test.real && test.check == Some(said))
        };
        match step_type.kind {
            TypeKind::Always => miss(
                "a test that applies",
                tests.iter().any(|test| test.fails.is_none()),
            ),
            TypeKind::Probe => {
                miss(
                    "a test that is satisfied",
                    says(Said::Satisfied) || says(Said::Skipped),
                );
            }
            _ => {
                let applies = |test: &TypeTest| {
                    test.check == Some(Said::Differs)
                        && test.apply
                        && test.fails.is_none()
                        && test.then == Said::Satisfied
                };
                let applied = tests.iter().any(applies);
                miss("a test that applies and is satisfied then", applied);
                // A content whose mode is fixed can only be so after a swap.
                let swapped = step_type.content.is_some() && applied;
                miss("a test that is satisfied", swapped || says(Said::Satisfied));
            }
        }
        if step_type.kind != TypeKind::Always && step_type.scripts.check.contains("differs") {
            miss("a test that differs", says(Said::Differs));
        }
        if step_type.scripts.check.contains("fail") {
            miss("a test without a verdict", says(Said::Error));
        }
        if !step_type.scripts.undo.is_empty() {
            miss(
                "a test of its undo",
                tests.iter().any(|test| test.undoes.is_some()),
            );
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_scenario_comes_out_as_it_says() {
    let folder = root().join("runbooks");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.to_string_lossy().ends_with(".test.yaml"));
    files.sort();
    assert!(!files.is_empty(), "no scenarios");
    let mut shipped = Shipped::types();
    let mut all = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let mut sources = Sources::new();
        let source = sources.add(&name, &fs::read(&file).unwrap()).unwrap();
        let (scenarios, mistakes) = parse_scenarios(&source);
        assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
        let scenarios = scenarios.unwrap();
        let runbook = shipped.runbook(&name.replace(".test.yaml", ".yaml"));
        let runbook = runbook.unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let inventory = match scenarios.has_inventory() {
            true => scenarios.inventory.value.clone(),
            false => fs::read_to_string(folder.join(&scenarios.inventory.value)).unwrap(),
        };
        for scenario in &scenarios.scenarios {
            let (given, secrets) = given(&runbook.1, scenario);
            let plan = shipped
                .compile(&runbook, &inventory, &given)
                .unwrap_or_else(|mistakes| panic!("{}: {mistakes}", scenario.title.value));
            let mut mistakes = Diagnostics::new();
            scenario.check_names(&plan, &source, &mut mistakes);
            assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
            all.push(run_scenario(&Arc::new(plan), &secrets, scenario, &name).unwrap());
        }
    }
    let failures = told(&all);
    assert!(failures.is_empty(), "{failures}");
}

/// The inputs of a scenario, and the values of its secrets: texts like any other there.
fn given(runbook: &Runbook, scenario: &Scenario) -> (Given, BTreeMap<String, String>) {
    let mut given = Given {
        values: scenario.inputs.clone(),
        ..Given::default()
    };
    let mut secrets = BTreeMap::new();
    for def in &runbook.inputs {
        let name = &def.name.value;
        if def.kind.value != InputType::Secret {
            continue;
        }
        if let Some(value) = given.values.remove(name) {
            let text = value.as_str().expect("a secret is a text");
            given.secrets.insert(name.clone(), SecretSource::Prompt);
            secrets.insert(name.clone(), text.to_owned());
        }
    }
    (given, secrets)
}

#[test]
fn the_guide_tells_the_truth() {
    let page = fs::read_to_string(root().join("book/src/guide/testing.md")).unwrap();
    let blocks: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    let [of_type, of_scenarios] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len())
    };
    let mut sources = Sources::new();
    let source = sources.add("motd", of_type.as_bytes()).unwrap();
    let step_type = parse_type("motd", SHIPPED, &source).0.unwrap();
    let (tests, mistakes) = parse_tests(&step_type, &source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    let tools = Tools::find(None).unwrap();
    let all = runtime().block_on(run_type(&tools, &step_type, &tests, &|_| true));
    let all = all.unwrap();
    assert_eq!((all.len(), told(&all)), (2, String::new()));
    let source = sources.add("scenarios", of_scenarios.as_bytes()).unwrap();
    let (scenarios, mistakes) = parse_scenarios(&source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    assert_eq!(scenarios.unwrap().scenarios.len(), 1);
}
