//! Checks: read-only, in a worker shell of the host, with a limit of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook_lang::evaluate::{Argument, Evaluator};
use runbook_lang::steptype::ParamValue;
use runbook_model::event::Verdict;
use runbook_model::step_type::TypeKind;
use runbook_model::{Failure, FailureKind, HostName, NodeIx, Plan, RunState, StepType, Value};
use runbook_remote::{Fault, Param, RemoteError, Report, Script};

use super::{Reach, Shared, content, transfer};
use crate::dispatcher::Input;
use crate::outputs;

/// What a script needs, or why there is none.
pub(crate) type Work = Result<Prepared, Failure>;

/// A type with the arguments of one instance.
pub(crate) struct Prepared {
    pub(crate) host: HostName,
    pub(crate) step_type: StepType,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) limit: Duration,
    /// What was found of a file before.
    pub(super) past: content::Past,
}

/// What a check found.
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) outputs: BTreeMap<String, Value>,
    pub(crate) before: BTreeMap<String, String>,
}

impl Finding {
    pub(super) fn error(failure: Failure) -> Self {
        Self {
            verdict: Verdict::Error(failure),
            outputs: BTreeMap::new(),
            before: BTreeMap::new(),
        }
    }
}

/// Renders the arguments of an instance.
pub(crate) fn prepare(plan: &Plan, evaluator: &Evaluator, state: &RunState, node: NodeIx) -> Work {
    let none = || Failure::new(FailureKind::Value, "the plan has no such instance");
    let (step, host) = plan.instance(node).ok_or_else(none)?;
    let step_type = plan.type_of(step).ok_or_else(none)?;
    let arguments = evaluator
        .arguments(step, host, state)
        .map_err(|error| Failure::new(FailureKind::Value, error.to_string()))?;
    let of_probe = step
        .timeout_ms
        .filter(|_| step_type.kind == TypeKind::Probe);
    let limit = Duration::from_millis(of_probe.unwrap_or(step_type.check_timeout_ms));
    let past = content::Past::of(state.node(node));
    Ok(Prepared {
        host: host.clone(),
        step_type: step_type.clone(),
        arguments,
        limit,
        past,
    })
}

/// A script of a type with its arguments.
pub(crate) fn script(prepared: &Prepared, body: &str) -> Script {
    let arguments = prepared.arguments.iter();
    let script = arguments.fold(Script::new(), |script, argument| {
        let name = argument.name.as_str();
        match (&argument.value, argument.secret) {
            (ParamValue::Text(text), true) => script.secret(name, text.as_str()),
            (ParamValue::List(words), true) => script.secret(name, Script::words(words)),
            (ParamValue::Map(pairs), true) => script.secret(
                name,
                Script::words(pairs.iter().map(|(key, value)| format!("{key}={value}"))),
            ),
            (ParamValue::Text(text), false) => script.param(name, Param::Text(text.clone())),
            (ParamValue::List(words), false) => script.param(name, Param::List(words.clone())),
            (ParamValue::Map(pairs), false) => script.param(name, Param::Map(pairs.clone())),
        }
    });
    script
        .functions(&prepared.step_type.scripts.functions)
        .body(body)
}

/// Runs a check and brings its verdict back.
pub(super) async fn look(shared: Shared, look: u64, node: NodeIx, work: Work) {
    let found = match &work {
        Ok(prepared) => run(&shared.reach, prepared).await,
        Err(failure) => Ok(Finding::error(failure.clone())),
    };
    shared.send(match (found, work) {
        (Ok(found), _) => Input::Looked {
            look,
            node,
            verdict: found.verdict,
            outputs: found.outputs,
            before: found.before,
        },
        (Err(error), Ok(prepared)) if error.host == prepared.host.as_str() => Input::HostLost {
            host: prepared.host,
            problem: error.fault.to_string(),
        },
        // The other end of a copy: this look belongs to its own host, and nobody would ask again.
        (Err(error), Ok(_)) => {
            let found = Finding::error(Failure::new(FailureKind::Unreachable, error.to_string()));
            Input::Looked {
                look,
                node,
                verdict: found.verdict,
                outputs: found.outputs,
                before: found.before,
            }
        }
        (Err(error), Err(_)) => Input::HostLost {
            host: HostName::control(),
            problem: error.to_string(),
        },
    });
}

/// Runs a check.
///
/// # Errors
/// The host, not the check.
pub(crate) async fn run(reach: &Reach, prepared: &Prepared) -> Result<Finding, RemoteError> {
    if prepared.step_type.kind == TypeKind::Copy {
        return transfer::look(reach, prepared).await;
    }
    if let Some(content) = &prepared.step_type.content {
        return content::look(reach, prepared, content).await;
    }
    let script = script(prepared, &prepared.step_type.scripts.check);
    let host = reach.host(&prepared.host).await?;
    match host.check(&script, prepared.limit).await {
        Ok(report) => Ok(judge(&prepared.step_type, report)),
        Err(error) if is_of_script(&error.fault) => Ok(Finding::error(Failure::new(
            FailureKind::Check,
            error.fault.to_string(),
        ))),
        Err(error) => Err(error),
    }
}

/// Whether a fault is the script's and not the host's.
pub(super) fn is_of_script(fault: &Fault) -> bool {
    matches!(fault, Fault::Script(_) | Fault::NoTmpfs | Fault::Io(_))
}

fn judge(step_type: &StepType, report: Report) -> Finding {
    let verdict = match &report.verdict {
        runbook_remote::Verdict::Satisfied => Verdict::Satisfied,
        runbook_remote::Verdict::Differs(reasons) => Verdict::Differs(reasons.clone()),
        runbook_remote::Verdict::Skipped(reason) => Verdict::Skipped(reason.clone()),
        runbook_remote::Verdict::Failed(message) => {
            return Finding::error(failure(FailureKind::Check, message.clone(), &report));
        }
    };
    match outputs::typed(step_type, &report.outputs) {
        Ok(outputs) => Finding {
            verdict,
            outputs: outputs.plain,
            before: report.before.into_iter().collect(),
        },
        Err(message) => Finding::error(Failure::new(FailureKind::Check, message)),
    }
}

/// A failure with the status and the end of the output of a script.
pub(super) fn failure(kind: FailureKind, message: String, report: &Report) -> Failure {
    let tail = if report.stderr.text.trim().is_empty() {
        &report.stdout.text
    } else {
        &report.stderr.text
    };
    Failure {
        kind,
        message,
        status: report.status,
        tail: tail.clone(),
    }
}
