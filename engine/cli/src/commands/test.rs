//! `runbook test`: the tests of step types, and the scenarios of runbooks.

use std::path::Path;

use runbook_exec::driver::Reach;
use runbook_exec::trial::{Mismatch, Tools, TrialError, Tried, run_real, run_scenario, run_type};
use runbook_exec::world::Sketch;
use runbook_model::text::printable;
use runbook_model::{Host, Value};
use runbook_report::{TrialRow, trial_json, trials_sum, trials_text};
use serde_json::json;

use crate::args::TestArgs;
use crate::engine::live;
use crate::engine::load::trials::{self, Group, Trials};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn test(args: &TestArgs, output: &Output) -> Result<Exit, Error> {
    let Trials { groups, absent } = trials::trials(&args.what)?;
    let host = match (&args.on, &args.inventory) {
        (Some(name), Some(file)) => Some(trials::host(file, name)?),
        _ => None,
    };
    let filter = args.filter.as_deref().unwrap_or_default().to_lowercase();
    let wanted = |title: &str| title.to_lowercase().contains(&filter);
    let absent: Vec<String> = absent.iter().map(|file| no_scenarios(file)).collect();
    if args.list {
        note(&absent, output);
        return list(&groups, &wanted, output);
    }
    let mut told = Vec::new();
    let (mut passed, mut failed) = (0, 0);
    let tools = Tools::find(args.shell.as_deref()).map_err(engine)?;
    for group in &groups {
        let tried = match &host {
            Some(host) => on_host(group, host, &wanted)?,
            None => pretended(group, &tools, &wanted)?,
        };
        let rows: Vec<TrialRow> = tried.into_iter().map(row).collect();
        if rows.is_empty() {
            continue;
        }
        failed += rows.iter().filter(|row| !row.wrong.is_empty()).count();
        passed += rows.iter().filter(|row| row.wrong.is_empty()).count();
        match output.json {
            true => told.extend(rows.iter().map(|row| trial_json(group.name(), row))),
            false => output.put(&trials_text(group.name(), &rows, &output.style()))?,
        }
    }
    if passed + failed == 0 {
        return Err(match (host, absent.is_empty()) {
            (None, false) if filter.is_empty() => Error::Typed {
                message: absent.join("; "),
                hint: Some("no step type with tests is beside it either".to_owned()),
            },
            (host, _) => Error::Typed {
                message: match host {
                    Some(_) => "there is no such test for a real host: one has `real: true`",
                    None => "there is no such test",
                }
                .to_owned(),
                hint: Some("list them: runbook test --list".to_owned()),
            },
        });
    }
    note(&absent, output);
    match output.json {
        true => output.put_json(&sum_json(passed, failed, told))?,
        false => output.put(&trials_sum(passed, failed, &output.style()))?,
    }
    Ok(if failed == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// What was named as a runbook and has no scenarios.
fn no_scenarios(file: &Path) -> String {
    let text = file.to_string_lossy();
    let file = printable(&text);
    format!("no scenario was found: there is no {file}")
}

/// Says what was not tested; to programs the counts say it.
fn note(absent: &[String], output: &Output) {
    if !output.json {
        absent
            .iter()
            .for_each(|text| output.note(&format!("{text}\n")));
    }
}

fn sum_json(passed: usize, failed: usize, tests: Vec<Value>) -> Value {
    json!({ "format": 1, "passed": passed, "failed": failed, "tests": tests })
}

fn list(groups: &[Group], wanted: &dyn Fn(&str) -> bool, output: &Output) -> Result<Exit, Error> {
    let mut told = Vec::new();
    let mut text = String::new();
    for group in groups {
        for title in group.titles().into_iter().filter(|title| wanted(title)) {
            let name = printable(group.name());
            text.push_str(&format!("{name}: {}\n", printable(title)));
            told.push(json!({ "group": group.name(), "test": title }));
        }
    }
    match output.json {
        true => output.put_json(&json!({ "format": 1, "tests": told }))?,
        false => output.put(&text)?,
    }
    Ok(Exit::Done)
}

/// Against hosts that only pretend.
fn pretended(
    group: &Group,
    tools: &Tools,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Tried>, Error> {
    match group {
        Group::Type(step_type, tests) => live::block_on(async {
            run_type(tools, step_type, tests, wanted)
                .await
                .map_err(engine)
        }),
        Group::Runbook(file, scenes) => scenes
            .iter()
            .filter(|scene| wanted(&scene.scenario.title.value))
            .map(|scene| {
                run_scenario(&scene.plan, &scene.secrets, &scene.scenario, file).map_err(engine)
            })
            .collect(),
    }
}

/// The tests for real hosts, on one.
fn on_host(group: &Group, host: &Host, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<Tried>, Error> {
    let Group::Type(step_type, tests) = group else {
        return Ok(Vec::new());
    };
    let mut sketch = Sketch::new();
    sketch.plan().hosts.insert(host.name.clone(), host.clone());
    let plan = sketch.done();
    live::block_on(async {
        let reach = Reach::new(&plan, live::remote());
        let mut all = Vec::new();
        for test in tests.iter().filter(|t| t.real && wanted(&t.title.value)) {
            let tried = run_real(&reach, &host.name, step_type, test).await;
            all.push(tried.unwrap_or_else(|error| Tried {
                group: step_type.name.clone(),
                title: test.title.value.clone(),
                mismatches: vec![Mismatch {
                    what: host.name.to_string(),
                    expected: "it can be used".to_owned(),
                    found: error.to_string(),
                }],
            }));
        }
        live::close(&reach).await;
        Ok(all)
    })
}

fn row(tried: Tried) -> TrialRow {
    let wrong = tried
        .mismatches
        .into_iter()
        .map(|wrong| (wrong.what, wrong.expected, wrong.found));
    TrialRow {
        title: tried.title,
        wrong: wrong.collect(),
    }
}

fn engine(error: TrialError) -> Error {
    Error::Engine(format!("the tests cannot be run: {error}"))
}
