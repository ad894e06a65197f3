//! One test of a type: check, apply, check again, on a host that only pretends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use runbook_lang::testfile::{Said, TypeTest};
use runbook_model::event::Verdict;
use runbook_model::step_type::TypeKind;
use runbook_model::{HostName, StepType, Value};

use super::act::Actor;
use super::scratch::{Scratch, Tools};
use super::standin::Call;
use super::{LIMIT, Mismatch, TrialError, Tried, judge};
use crate::driver::Reach;
use crate::store::disk;

/// Bytes of the largest file that a test compares.
const MOST_TEXT: u64 = 8 << 20;

/// How the stages of a test went.
#[derive(Default)]
pub(super) struct Course {
    /// What the first check said.
    pub(super) check: Option<Verdict>,
    /// How the apply ended, if it ran.
    pub(super) apply: Option<Result<(), String>>,
    /// The commands of the check.
    pub(super) looked: Vec<Call>,
    /// The commands of the apply.
    pub(super) applied: Vec<Call>,
    /// What the second check said.
    pub(super) then: Option<Verdict>,
    /// How the undo ended, and what the check said after it.
    pub(super) undo: Option<(Result<(), String>, Vec<Call>, Verdict)>,
    /// The last outputs.
    pub(super) outputs: BTreeMap<String, Value>,
    /// All commands after the apply.
    pub(super) later: Vec<Call>,
}

impl Course {
    /// The commands that were called.
    pub(super) fn called(&self) -> BTreeSet<String> {
        let undone = self.undo.iter().flat_map(|(_, calls, _)| calls);
        let calls = self.looked.iter().chain(&self.applied).chain(&self.later);
        calls
            .chain(undone)
            .filter_map(|call| call.words.first().cloned())
            .collect()
    }
}

/// Runs a test; also tells which commands were called.
///
/// # Errors
/// It could not be run; a type that is not as expected is no error.
pub(super) async fn run(
    tools: &Tools,
    reach: &Reach,
    step_type: &StepType,
    test: &TypeTest,
) -> Result<(Tried, BTreeSet<String>), TrialError> {
    let scratch = Scratch::new(tools, test, None)?;
    let root = scratch.root();
    let mut mismatches = Vec::new();
    let mut called = BTreeSet::new();
    match course(&scratch, reach, step_type, test).await? {
        Err(_) if test.refused => {}
        Ok(_) if test.refused => mismatches.push(Mismatch::new(
            "refused",
            "parameters that the type refuses",
            "none is refused when the step runs".to_owned(),
        )),
        Err(why) => mismatches.push(Mismatch::new("with", "parameters of the type", why)),
        Ok(course) => {
            called = course.called();
            compare(step_type, test, &course, &root, &mut mismatches);
            files(&scratch, test, &mut mismatches)?;
        }
    }
    let tried = Tried {
        group: step_type.name.clone(),
        title: test.title.value.clone(),
        mismatches,
    };
    Ok((tried, called))
}

/// Goes through the stages of a test.
///
/// # Errors
/// The outer one is of the host; the inner one says which parameter the schema refuses.
pub(super) async fn course(
    scratch: &Scratch,
    reach: &Reach,
    step_type: &StepType,
    test: &TypeTest,
) -> Result<Result<Course, String>, TrialError> {
    let control = HostName::control();
    let actor = Actor::new(
        reach,
        &control,
        step_type,
        &test.with,
        &scratch.root(),
        [LIMIT; 2],
    );
    Ok(match actor {
        Err(why) => Err(why),
        Ok(_) if test.refused => Ok(Course::default()),
        Ok(actor) => Ok(stages(scratch, actor, step_type, test).await?),
    })
}

async fn stages(
    scratch: &Scratch,
    mut actor: Actor<'_>,
    step_type: &StepType,
    test: &TypeTest,
) -> Result<Course, TrialError> {
    let mut course = Course::default();
    let always = step_type.kind == TypeKind::Always;
    if !always {
        let finding = actor.look().await?;
        course.looked = scratch.calls()?;
        actor.capture(&finding);
        course.outputs = finding.outputs;
        course.check = Some(finding.verdict);
    }
    let ordinary = step_type.kind == TypeKind::Ordinary;
    let differs = matches!(course.check, Some(Verdict::Differs(_)));
    let applies = always || (ordinary && differs && test.apply);
    if !applies {
        return Ok(course);
    }
    let applied = actor.apply().await?;
    course.applied = scratch.calls()?;
    if let (true, Ok(outputs)) = (always, &applied) {
        course.outputs.clone_from(outputs);
    }
    let ended = applied.map(drop);
    let went_well = ended.is_ok();
    course.apply = Some(ended);
    if always || !went_well {
        return Ok(course);
    }
    let finding = actor.look().await?;
    course.outputs = finding.outputs;
    course.then = Some(finding.verdict);
    course.later = scratch.calls()?;
    if test.undoes.is_some() {
        let undone = actor.undo().await?.map(drop);
        let calls = scratch.calls()?;
        let finding = actor.look().await?;
        course.later.extend(scratch.calls()?);
        course.undo = Some((undone, calls, finding.verdict));
    }
    Ok(course)
}

/// Everything that is not as the test says.
fn compare(
    step_type: &StepType,
    test: &TypeTest,
    course: &Course,
    root: &str,
    mismatches: &mut Vec<Mismatch>,
) {
    let undone = course.undo.iter().flat_map(|(_, calls, _)| calls);
    let all = course
        .looked
        .iter()
        .chain(&course.applied)
        .chain(&course.later)
        .chain(undone);
    for call in all.filter(|call| call.answer.is_none()) {
        mismatches.push(Mismatch::new(
            "commands",
            "one of the answers fits",
            call.shown(),
        ));
    }
    for call in course.looked.iter().chain(&course.later) {
        if judge::changes(test, call) {
            let message = format!("{} (its answer changes something)", call.shown());
            mismatches.push(Mismatch::new("check", "it only looks", message));
        }
    }
    if let (Some(expected), Some(found)) = (test.check, &course.check) {
        mismatches.extend(judge::verdict("check", expected, found));
        mismatches.extend(judge::reasons(test, found, root));
        if judge::said(found) == Said::Error && expected != Said::Error {
            return;
        }
    }
    let error = match (&course.check, &course.apply) {
        (Some(Verdict::Error(failure)), _) => Some(judge::told(&failure.message, &failure.tail)),
        (_, Some(Err(message))) => Some(message.clone()),
        _ => None,
    };
    mismatches.extend(judge::fails(test, error.as_deref(), root));
    if let (Some(Err(message)), None) = (&course.apply, &test.fails) {
        mismatches.push(Mismatch::new("apply", "no error", message.clone()));
    }
    if let Some(expected) = &test.applies {
        mismatches.extend(judge::commands(
            "applies",
            test,
            expected,
            &course.applied,
            root,
        ));
    }
    if let Some(then) = &course.then {
        mismatches.extend(judge::verdict("then", test.then, then));
    }
    mismatches.extend(judge::outputs(&test.outputs, &course.outputs, root));
    if let Some(expected) = &test.undoes {
        match (&course.undo, test.check) {
            (Some((Ok(()), calls, verdict)), Some(first)) => {
                mismatches.extend(judge::commands("undoes", test, expected, calls, root));
                mismatches.extend(judge::verdict("check after the undo", first, verdict));
            }
            (Some((Err(message), ..)), _) => {
                mismatches.push(Mismatch::new("undo", "no error", message.clone()));
            }
            _ => mismatches.push(Mismatch::new("undoes", "an apply to take back", "none ran")),
        }
    }
    if let (Some(expected), None, TypeKind::Ordinary) =
        (&test.applies, &course.apply, step_type.kind)
        && !expected.is_empty()
    {
        mismatches.push(Mismatch::new(
            "applies",
            "the apply runs",
            "it did not have to",
        ));
    }
}

/// The text of a file that a script has left, if it is there; or why it has none.
fn found(path: &Path) -> io::Result<Result<Option<String>, &'static str>> {
    match fs::metadata(path) {
        Ok(about) if about.is_file() => {}
        Ok(_) => return Ok(Err("it is not a file")),
        Err(error) if is_absent(&error) => return Ok(Ok(None)),
        Err(error) => return Err(error),
    }
    Ok(match disk::read(path, MOST_TEXT)? {
        Some(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        None => Err("it is too large to be compared"),
    })
}

/// Neither it nor a link to it leads anywhere.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

/// Files at the end.
fn files(
    scratch: &Scratch,
    test: &TypeTest,
    mismatches: &mut Vec<Mismatch>,
) -> Result<(), TrialError> {
    for (name, expected) in &test.becomes {
        let expected = expected
            .as_ref()
            .map(|text| text.replace(runbook_lang::testfile::SCRATCH, &scratch.root()));
        let found = found(&scratch.path(name))?;
        if found != Ok(expected.clone()) {
            let shown = |text: Option<String>| text.unwrap_or_else(|| "no such file".to_owned());
            let found = found.map_or_else(str::to_owned, shown);
            mismatches.push(Mismatch::new(name, shown(expected), found));
        }
    }
    for (name, expected) in &test.modes {
        let found =
            fs::metadata(scratch.path(name)).map(|about| about.permissions().mode() & 0o7777);
        if found.as_ref().ok() != Some(expected) {
            let found = found.map_or_else(|error| error.to_string(), |mode| format!("{mode:04o}"));
            mismatches.push(Mismatch::new(
                format!("mode of {name}"),
                format!("{expected:04o}"),
                found,
            ));
        }
    }
    Ok(())
}
