//! A test of a type on a real host.

use runbook_lang::testfile::{Said, TypeTest};
use runbook_model::event::Verdict;
use runbook_model::step_type::TypeKind;
use runbook_model::{HostName, StepType};
use runbook_remote::{Param, Script, Verdict as Ended};
use std::time::Duration;

use super::act::Actor;
use super::{LIMIT, Mismatch, TrialError, Tried, judge};
use crate::driver::Reach;

/// How the directory of a test on a host begins.
const PLACE: &str = "/tmp/runbook-test.";

/// Checks, applies and checks again on a host, in a directory of its own that is removed at the end.
///
/// # Errors
/// The host; a type that is not as expected is no error.
pub async fn run_real(
    reach: &Reach,
    host: &HostName,
    step_type: &StepType,
    test: &TypeTest,
) -> Result<Tried, TrialError> {
    let connection = reach.host(host).await?;
    let made = Script::new()
        .param("place", Param::Text(format!("{PLACE}XXXXXXXXXX")))
        .body("output dir \"$(mktemp -d \"$place\")\"");
    let report = connection.check(&made, LIMIT).await?;
    let mut mismatches = Vec::new();
    match (&report.verdict, report.outputs.first()) {
        (Ended::Satisfied, Some((_, scratch))) if is_own(scratch) => {
            let done = stages(reach, host, step_type, test, scratch).await;
            let gone = Script::new()
                .param("dir", Param::Text(scratch.clone()))
                .body("rm -rf -- \"$dir\" \"$dir.undo\"");
            let gone = connection.check(&gone, LIMIT).await;
            mismatches = done?;
            if let Ended::Failed(message) = gone?.verdict {
                mismatches.push(Mismatch::new(scratch, "it can be removed", message));
            }
        }
        (Ended::Failed(message), _) => {
            mismatches.push(Mismatch::new(
                "a directory",
                "it can be made",
                message.clone(),
            ));
        }
        _ => mismatches.push(Mismatch::new(
            "a directory",
            "it can be made",
            "nothing is said",
        )),
    }
    Ok(Tried {
        group: step_type.name.clone(),
        title: format!("{} (on {host})", test.title.value),
        mismatches,
    })
}

/// The path comes from the host, and is removed with all that is in it.
fn is_own(path: &str) -> bool {
    let rest = path.strip_prefix(PLACE);
    rest.is_some_and(|rest| rest.len() == 10 && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

async fn stages(
    reach: &Reach,
    host: &HostName,
    step_type: &StepType,
    test: &TypeTest,
    scratch: &str,
) -> Result<Vec<Mismatch>, TrialError> {
    let limits =
        [step_type.check_timeout_ms, step_type.apply_timeout_ms].map(Duration::from_millis);
    let mut actor = match Actor::new(reach, host, step_type, &test.with, scratch, limits) {
        Ok(actor) => actor,
        Err(why) => return Ok(vec![Mismatch::new("with", "parameters of the type", why)]),
    };
    let mut mismatches = Vec::new();
    let mut error = None;
    let mut outputs = std::collections::BTreeMap::new();
    let mut applies = step_type.kind == TypeKind::Always;
    if let Some(expected) = test.check {
        let finding = actor.look().await?;
        actor.capture(&finding);
        mismatches.extend(judge::verdict("check", expected, &finding.verdict));
        mismatches.extend(judge::reasons(test, &finding.verdict, scratch));
        if let Verdict::Error(failure) = &finding.verdict {
            error = Some(judge::told(&failure.message, &failure.tail));
        }
        applies = judge::said(&finding.verdict) == Said::Differs
            && step_type.kind == TypeKind::Ordinary
            && test.apply;
        outputs = finding.outputs;
    }
    if applies {
        match actor.apply().await? {
            Ok(_) if test.check.is_some() => {
                let finding = actor.look().await?;
                mismatches.extend(judge::verdict("then", test.then, &finding.verdict));
                outputs = finding.outputs;
            }
            Ok(found) => outputs = found,
            Err(message) if test.fails.is_none() => {
                mismatches.push(Mismatch::new("apply", "no error", message));
            }
            Err(message) => error = Some(message),
        }
    }
    mismatches.extend(judge::fails(test, error.as_deref(), scratch));
    mismatches.extend(judge::outputs(&test.outputs, &outputs, scratch));
    Ok(mismatches)
}
