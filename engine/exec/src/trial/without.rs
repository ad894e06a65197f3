//! A host without one of the commands: a type must say so, and never take it for the wanted state.

use std::collections::{BTreeMap, BTreeSet};

use runbook_lang::testfile::TypeTest;
use runbook_model::StepType;
use runbook_model::event::Verdict;

use crate::driver::Reach;

use super::case::{Course, course};
use super::scratch::Scratch;
use super::{Mismatch, Tools, TrialError, Tried, judge};

/// Each command that a test names, with a test in which it counts: the first that calls it, else the
/// first that has it. Tools that every host has, and what a test calls optional, are left out.
pub(super) fn cases<'t>(
    tools: &Tools,
    tests: &'t [TypeTest],
    called: &BTreeMap<String, &'t TypeTest>,
) -> Vec<(&'t str, &'t TypeTest)> {
    let optional: BTreeSet<&str> = tests
        .iter()
        .flat_map(|test| test.optional.keys().map(String::as_str))
        .collect();
    let mut cases: BTreeMap<&str, &TypeTest> = BTreeMap::new();
    for test in tests.iter().filter(|test| !test.real) {
        for name in test.named() {
            if !tools.has(name) && !optional.contains(name) {
                cases
                    .entry(name)
                    .or_insert_with(|| called.get(name).copied().unwrap_or(test));
            }
        }
    }
    cases.into_iter().collect()
}

/// What the case shows.
pub(super) fn title(name: &str) -> String {
    format!("without the command {name}")
}

/// Runs a test on a host without a command.
pub(super) async fn run(
    tools: &Tools,
    reach: &Reach,
    step_type: &StepType,
    test: &TypeTest,
    name: &str,
) -> Result<Tried, TrialError> {
    let scratch = Scratch::new(tools, test, Some(name))?;
    let found = match course(&scratch, reach, step_type, test).await? {
        Ok(course) => complaint(&course, name),
        Err(why) => Some(why),
    };
    let expected = format!("an error, or a skip, that names `{name}`");
    let mismatch = found.map(|found| Mismatch::new(test.title.value.as_str(), expected, found));
    Ok(Tried {
        group: step_type.name.clone(),
        title: title(name),
        mismatches: mismatch.into_iter().collect(),
    })
}

/// What is wrong with how a test went without the command.
fn complaint(course: &Course, name: &str) -> Option<String> {
    let told = match (&course.check, &course.apply) {
        (Some(Verdict::Error(failure)), _) => judge::told(&failure.message, &failure.tail),
        (Some(Verdict::Skipped(reason)), _) => reason.clone(),
        (_, Some(Err(message))) => message.clone(),
        (Some(verdict), _) => return Some(judge::shown(verdict)),
        (None, _) => return Some("the apply ended well".to_owned()),
    };
    (!told.contains(name)).then_some(told)
}
