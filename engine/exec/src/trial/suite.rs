//! All tests of a type, and the cases that follow from them.

use std::collections::BTreeMap;

use runbook_lang::testfile::TypeTest;
use runbook_model::StepType;

use crate::driver::Reach;
use crate::world::Sketch;

use super::{Tools, TrialError, Tried, case, without};

/// Runs the tests of a type, those for real hosts aside; then each command that was called is taken
/// away once. Only what is `wanted` by its title is told.
///
/// # Errors
/// A test could not be run; a type that is not as expected is no error.
pub async fn run_type(
    tools: &Tools,
    step_type: &StepType,
    tests: &[TypeTest],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Tried>, TrialError> {
    let reach = Reach::new(&Sketch::new().done(), tools.options());
    let result = run_all(tools, &reach, step_type, tests, wanted).await;
    reach.close().await;
    result
}

async fn run_all(
    tools: &Tools,
    reach: &Reach,
    step_type: &StepType,
    tests: &[TypeTest],
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Tried>, TrialError> {
    let mut all = Vec::new();
    let mut first_call: BTreeMap<String, &TypeTest> = BTreeMap::new();
    for test in tests.iter().filter(|test| !test.real) {
        let (tried, called) = case::run(tools, reach, step_type, test).await?;
        if wanted(&tried.title) {
            all.push(tried);
        }
        for name in called {
            first_call.entry(name).or_insert(test);
        }
    }
    for (name, test) in without::cases(tools, tests, &first_call) {
        if wanted(&without::title(name)) {
            all.push(without::run(tools, reach, step_type, test, name).await?);
        }
    }
    Ok(all)
}
