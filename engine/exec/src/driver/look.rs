//! Checks: read-only, in a worker shell of the host, with a limit of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook_lang::evaluate::{Argument, EvaluateError, Evaluator};
use runbook_lang::steptype::ParamValue;
use runbook_model::event::Verdict;
use runbook_model::step_type::TypeKind;
use runbook_model::{
    Account, AttemptId, Failure, FailureKind, HostName, NodeIx, NodeKind, Plan, RunId, RunState,
    StepType, Value,
};
use runbook_remote::{Fault, Host, Kept, Param, RemoteError, Report, Script};

use super::{Reach, Shared, content, transfer};
use crate::dispatcher::Input;
use crate::outputs;

/// The variable that holds the directory of a step.
const CHDIR: &str = "runbook_chdir";
/// A directory that is not there is a mistake, and not a difference.
const ENTER: &str = r#"cd -- "$runbook_chdir" 2>/dev/null || fail "chdir: there is no directory $runbook_chdir that can be entered""#;
/// What the check of a type that restarts its host is given as `before_boot`.
const BOOT: &str = "boot";
/// The most bytes of state that a check may capture: they go into the journal.
const CAPTURED: usize = 64 * 1024;

/// What a script needs, or why there is none.
pub(crate) type Work = Result<Prepared, Failure>;

/// A type with the arguments of one instance.
pub(crate) struct Prepared {
    /// Where it runs.
    pub(crate) host: HostName,
    /// Who it is there, where the step says so.
    pub(crate) account: Option<Account>,
    /// The directory that its scripts run in, where the step says so.
    pub(crate) chdir: Option<String>,
    pub(crate) step_type: StepType,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) limit: Duration,
    /// What was found of a file before.
    pub(super) past: content::Past,
    /// State captured before the first attempt.
    pub(crate) before: BTreeMap<String, String>,
    /// The attempt whose intent holds it.
    captured_by: Option<AttemptId>,
}

/// What a check found.
pub(crate) struct Finding {
    pub(crate) verdict: Verdict,
    pub(crate) outputs: BTreeMap<String, Value>,
    pub(crate) before: BTreeMap<String, String>,
    /// Outputs that are in no journal.
    pub(crate) secret: BTreeMap<String, Value>,
}

impl Finding {
    pub(super) fn error(failure: Failure) -> Self {
        Self {
            verdict: Verdict::Error(failure),
            outputs: BTreeMap::new(),
            before: BTreeMap::new(),
            secret: BTreeMap::new(),
        }
    }
}

impl Prepared {
    /// A type with arguments, on the controller, with no record of an earlier look.
    pub(crate) fn here(step_type: &StepType, arguments: Vec<Argument>, limit: Duration) -> Self {
        Self {
            host: HostName::control(),
            account: None,
            chdir: None,
            before: BTreeMap::new(),
            captured_by: None,
            step_type: step_type.clone(),
            arguments,
            limit,
            past: content::Past::default(),
        }
    }

    /// What a look has found is known from here on.
    pub(crate) fn remember(&mut self, finding: &Finding) {
        self.past = content::Past::found(finding);
    }

    /// The connection to where it runs, as who it is there.
    ///
    /// # Errors
    /// The host.
    pub(crate) async fn connect(&self, reach: &Reach) -> Result<Host, RemoteError> {
        reach.host_as(&self.host, self.account.as_ref()).await
    }

    /// Where files of this instance are kept for undo on a host; nowhere while nothing was captured.
    pub(super) fn store_on(&self, host: &Host, run: &RunId) -> Option<String> {
        let captured_by = self.captured_by.as_ref()?;
        Some(host.undo_store(run, captured_by))
    }

    /// The script that takes back what was changed: what was captured before is in variables whose
    /// names begin with `before_`.
    ///
    /// # Errors
    /// The type has none, or nothing was captured.
    pub(crate) fn undo(&self, store: &Option<String>) -> Result<Script, Failure> {
        if let Some(content) = &self.step_type.content {
            return content::undo(self, content, self.store(store)?);
        }
        let undo = &self.step_type.scripts.undo;
        if undo.trim().is_empty() {
            let message = format!("`{}` has no undo", self.step_type.name);
            return Err(Failure::new(FailureKind::Value, message));
        }
        let files = self.files()?;
        let script = self.with_captured(script(self, undo));
        if !self.step_type.keeps_for_undo() {
            return Ok(script);
        }
        let store = self.store(store)?;
        let script = script.undo_store(store);
        Ok(files
            .iter()
            .fold(script, |script, file| script.kept(store, file)))
    }

    /// The script that changes; for a change of what is in a file, that is read for it. Before it changes anything, it
    /// keeps the files that the check has registered.
    ///
    /// # Errors
    /// The host. Inside: values that nothing can be changed to, or no look is on record.
    pub(crate) async fn change(
        &self,
        reach: &Reach,
        store: &Option<String>,
    ) -> Result<Result<Script, Failure>, RemoteError> {
        match &self.step_type.content {
            Some(content) => match self.store(store) {
                Ok(store) => content::swap(reach, self, content, store).await,
                Err(failure) => Ok(Err(failure)),
            },
            None => Ok(self.apply(store)),
        }
    }

    fn apply(&self, store: &Option<String>) -> Result<Script, Failure> {
        let script = script(self, &self.step_type.scripts.apply);
        let files = self.files()?;
        if !self.step_type.keeps_for_undo() {
            return Ok(script);
        }
        let script = script.undo_store(self.store(store)?);
        Ok(files.iter().fold(script, Script::keep))
    }

    /// The same script with the texts that were captured, each in a variable whose name begins with `before_`.
    fn with_captured(&self, script: Script) -> Script {
        let captured = self.before.iter();
        let captured = captured.filter(|(name, value)| Kept::of(name, value).is_none());
        captured.fold(script, |script, (name, value)| {
            script.param(format!("before_{name}"), Param::Text(value.clone()))
        })
    }

    /// The files that were registered for undo.
    fn files(&self) -> Result<Vec<Kept>, Failure> {
        let files = self.before.iter();
        let files = files.filter_map(|(name, value)| Kept::of(name, value));
        let files: Result<_, _> = files.collect();
        files.map_err(|error| Failure::new(FailureKind::Value, error.to_string()))
    }

    fn store<'a>(&self, store: &'a Option<String>) -> Result<&'a str, Failure> {
        store.as_deref().ok_or_else(|| {
            let message = "nothing is on record of how it was before";
            Failure::new(FailureKind::Value, message)
        })
    }
}

/// Renders the arguments of an instance.
pub(crate) fn prepare(plan: &Plan, evaluator: &Evaluator, state: &RunState, node: NodeIx) -> Work {
    let none = || Failure::new(FailureKind::Value, "the plan has no such instance");
    let (step, _) = plan.instance(node).ok_or_else(none)?;
    let host = plan.runs_on(node).ok_or_else(none)?;
    let step_type = plan.type_of(step).ok_or_else(none)?;
    let no_value = |error: EvaluateError| Failure::new(FailureKind::Value, error.to_string());
    let arguments = evaluator.arguments(node, state).map_err(no_value)?;
    let chdir = evaluator.chdir(node, state).map_err(no_value)?;
    let account = match plan.nodes.get(node.at()).map(|node| &node.kind) {
        Some(NodeKind::Instance { account, .. }) => account.clone(),
        _ => None,
    };
    let of_probe = step
        .timeout_ms
        .filter(|_| step_type.kind == TypeKind::Probe);
    let limit = Duration::from_millis(of_probe.unwrap_or(step_type.check_timeout_ms));
    let past = content::Past::of(state.node(node));
    let before = state.node(node).map(|n| match step_type.restarts_host {
        // What counts is the boot before this restart, not before one that is over.
        true => {
            let boot = n.booted_in.iter();
            boot.map(|boot| (BOOT.to_owned(), boot.clone())).collect()
        }
        false => n.before.clone(),
    });
    let captured_by = state.node(node).and_then(|n| n.captured_by.clone());
    Ok(Prepared {
        host: host.clone(),
        account,
        chdir,
        before: before.unwrap_or_default(),
        captured_by,
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
    let script = script.functions(&prepared.step_type.scripts.functions);
    match &prepared.chdir {
        Some(path) => script
            .param(CHDIR, Param::Text(path.clone()))
            .body(&format!("{ENTER}\n{body}")),
        None => script.body(body),
    }
}

/// Runs a check and brings its verdict back.
pub(super) async fn look(shared: Shared, look: u64, node: NodeIx, work: Work) {
    let found = match &work {
        Ok(prepared) => run(&shared.reach, prepared).await,
        Err(failure) => Ok(Finding::error(failure.clone())),
    };
    shared.send(match (found, work) {
        (Ok(found), _) => {
            // Before anything of it is sent: its other texts may repeat them.
            shared.keep(node, found.secret);
            Input::Looked {
                look,
                node,
                verdict: found.verdict,
                outputs: found.outputs,
                before: found.before,
            }
        }
        // Looked at early, before the run has made the account.
        (Err(error), Ok(prepared))
            if matches!(error.fault, Fault::NoAccount { .. })
                && shared
                    .reach
                    .is_later(&prepared.host, prepared.account.as_ref()) =>
        {
            let message = error.fault.to_string();
            Input::Looked {
                look,
                node,
                verdict: Verdict::Error(Failure::new(FailureKind::Check, message)),
                outputs: BTreeMap::new(),
                before: BTreeMap::new(),
            }
        }
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
    let script = match prepared.step_type.restarts_host {
        true => prepared.with_captured(script),
        false => script,
    };
    let host = prepared.connect(reach).await?;
    match host.check(&script, prepared.limit).await {
        Ok(report) => Ok(judge(&prepared.step_type, report)),
        Err(error) if is_of_script(&error.fault) => Ok(Finding::error(Failure::new(
            FailureKind::Check,
            error.fault.to_string(),
        ))),
        Err(error) => Err(error),
    }
}

/// What a report of a check in a chain comes to; `before` is what was captured before its effect.
pub(super) fn understood(
    prepared: &Prepared,
    report: Report,
    before: Option<BTreeMap<String, String>>,
) -> Finding {
    match &prepared.step_type.content {
        Some(content) => content::understood(prepared, content, &report, before),
        None => judge(&prepared.step_type, report),
    }
}

/// Whether a fault is the script's and not the host's.
pub(super) fn is_of_script(fault: &Fault) -> bool {
    matches!(fault, Fault::Script(_) | Fault::NoTmpfs | Fault::Io(_))
}

fn judge(step_type: &StepType, report: Report) -> Finding {
    let typed = outputs::typed(step_type, &report.outputs);
    let verdict = match &report.verdict {
        runbook_remote::Verdict::Satisfied => Verdict::Satisfied,
        runbook_remote::Verdict::Differs(reasons) => Verdict::Differs(reasons.clone()),
        runbook_remote::Verdict::Skipped(reason) => Verdict::Skipped(reason.clone()),
        runbook_remote::Verdict::Failed(message) => {
            return Finding {
                // They may be repeated in what it says.
                secret: typed.map(|outputs| outputs.secret).unwrap_or_default(),
                ..Finding::error(kept_back(
                    failure(FailureKind::Check, message.clone(), &report),
                    step_type,
                ))
            };
        }
    };
    let captured = report.before.iter();
    let captured: usize = captured.map(|(name, value)| name.len() + value.len()).sum();
    if captured > CAPTURED {
        let message = format!(
            "it captured {captured} bytes of what was before, and {CAPTURED} are kept at most"
        );
        return Finding::error(Failure::new(FailureKind::Check, message));
    }
    let unread = report.before.iter();
    let unread = unread.filter_map(|(name, value)| Kept::of(name, value)?.err());
    if let Some(error) = unread.into_iter().next() {
        return Finding::error(Failure::new(FailureKind::Check, error.to_string()));
    }
    match typed {
        Ok(outputs) => Finding {
            verdict,
            outputs: outputs.plain,
            before: report.before.into_iter().collect(),
            secret: outputs.secret,
        },
        Err(message) => Finding::error(Failure::new(FailureKind::Check, message)),
    }
}

/// What stands for output that is not kept.
pub const NOT_KEPT: &str = "what a step prints that gives secrets is not kept";

/// A failure without what the script has printed, if its type gives secrets: nobody knows them yet.
pub(super) fn kept_back(mut failure: Failure, of: &StepType) -> Failure {
    if !of.gives_secrets() {
        return failure;
    }
    if !failure.tail.is_empty() {
        NOT_KEPT.clone_into(&mut failure.tail);
    }
    // Without a `fail`, the message is the status and the last line that was printed.
    let of_status = ["status ", "killed by signal "];
    let is_of_status = of_status.iter().any(|how| failure.message.starts_with(how));
    if let (true, Some((how, _))) = (is_of_status, failure.message.split_once(": ")) {
        failure.message = how.to_owned();
    }
    failure
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
