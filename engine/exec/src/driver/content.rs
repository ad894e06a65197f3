//! Content types: the engine reads a file, compares it with the wanted text, or with what a change
//! makes of it, and swaps it on the host if it is still the one that was looked at.
//!
//! The version that a look found is an output of the step (`seen`), so it is journaled, and a swap
//! after a resume expects what was journaled.

mod change;
mod diff;
mod values;
mod wanted;

use std::collections::BTreeMap;

use runbook_model::event::Verdict;
use runbook_model::state::NodeState;
use runbook_model::step_type::Content;
use runbook_model::{Failure, FailureKind, Value};
use runbook_remote::{Param, RemoteError, Report, Script};

use super::look::{Finding, Prepared, failure, is_of_script};
use super::{Reach, rights};
use wanted::{Goal, Wanted, digest};

const FUNCTIONS: &str = include_str!("../sh/content_functions.sh");
const LOOK: &str = include_str!("../sh/content_look.sh");
const UNDO: &str = include_str!("../sh/content_undo.sh");
const SWAP: &str = include_str!("../sh/content_swap.sh");
/// What a host decides by itself, after the look.
const DECIDE: &str = include_str!("../sh/content_decide.sh");
/// After the look: the version that a swap in the same chain expects.
const HAND_OVER: &str = r#"rb_text "$rb_seen" >"$rb_hand""#;
/// Before the swap: it is a text without a newline, so `read` says that the file has ended.
const TAKE_OVER: &str = r#"IFS= read -r expect <"$rb_hand" || :"#;
/// Bytes of the largest text that is fetched, for a diff or for a change.
const MOST: u64 = 256 * 1024;

/// Lines that are shown around a difference.
const AROUND: usize = 3;

/// What the state knows of a file from before this look or swap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Past {
    /// The version that the last look found.
    seen: Option<String>,
    /// Whether the file was there before the first attempt, if there was one.
    existed: Option<bool>,
}

impl Past {
    /// From the state of an instance.
    pub(super) fn of(node: Option<&NodeState>) -> Self {
        let Some(node) = node else {
            return Self::default();
        };
        Self {
            seen: node
                .outputs
                .get("seen")
                .and_then(Value::as_str)
                .map(str::to_owned),
            existed: node.before.get("existed").map(|existed| existed == "true"),
        }
    }

    /// From a look that is on no record.
    pub(crate) fn found(finding: &Finding) -> Self {
        Self {
            seen: finding
                .outputs
                .get("seen")
                .and_then(Value::as_str)
                .map(str::to_owned),
            existed: finding
                .before
                .get("existed")
                .map(|existed| existed == "true"),
        }
    }
}

/// Compares a file with what is wanted.
///
/// # Errors
/// The host, not the file.
pub(super) async fn look(
    reach: &Reach,
    prepared: &Prepared,
    content: &Content,
) -> Result<Finding, RemoteError> {
    let wanted = match of(prepared, content) {
        Ok(wanted) => wanted,
        Err(failure) => return Ok(Finding::error(failure)),
    };
    Ok(match report(reach, prepared, &wanted).await? {
        Ok(report) => judge(&wanted, &report, &prepared.past),
        Err(failure) => Finding::error(failure),
    })
}

/// Whether the wanted text is known without reading what is there.
pub(super) fn is_text(prepared: &Prepared, content: &Content) -> bool {
    let wanted = of(prepared, content);
    wanted.is_ok_and(|wanted| matches!(wanted.goal, Goal::Text(_)))
}

fn of(prepared: &Prepared, content: &Content) -> Result<Wanted, Failure> {
    Wanted::of(content, &prepared.step_type.params, &prepared.arguments)
}

/// What the host tells of the file.
async fn report(
    reach: &Reach,
    prepared: &Prepared,
    wanted: &Wanted,
) -> Result<Result<Report, Failure>, RemoteError> {
    let script = script(wanted, LOOK).param("most", Param::Text(MOST.to_string()));
    let script = match &wanted.goal {
        Goal::Text(text) => want(script, wanted, text),
        // There is no digest to compare with before the text is there.
        Goal::Change(_) => script.param("want", Param::Text(String::new())),
    };
    let host = prepared.connect(reach).await?;
    match host.check(&script, prepared.limit).await {
        Ok(report) => Ok(Ok(report)),
        Err(error) if is_of_script(&error.fault) => Ok(Err(Failure::new(
            FailureKind::Check,
            error.fault.to_string(),
        ))),
        Err(error) => Err(error),
    }
}

/// The script of a swap: it replaces only the version that the last look found. A change reads the
/// file once more: what the last look made of it is not kept anywhere.
///
/// # Errors
/// The host. Inside: values that no file can have, no look is on record, or the file is another
/// one by now.
pub(super) async fn swap(
    reach: &Reach,
    prepared: &Prepared,
    content: &Content,
    store: &str,
) -> Result<Result<Script, Failure>, RemoteError> {
    let wanted = match of(prepared, content) {
        Ok(wanted) => wanted,
        Err(failure) => return Ok(Err(failure)),
    };
    let Some(expect) = prepared.past.seen.clone() else {
        let message = format!("no look at {} is on record", wanted.path);
        return Ok(Err(Failure::new(FailureKind::Value, message)));
    };
    let text = match &wanted.goal {
        Goal::Text(text) => text.clone(),
        Goal::Change(_) => match report(reach, prepared, &wanted).await? {
            Ok(report) => match changed(&wanted, &report, &expect) {
                Ok(text) => text,
                Err(failure) => return Ok(Err(failure)),
            },
            Err(failure) => return Ok(Err(failure)),
        },
    };
    Ok(Ok(swapping(wanted, expect, text).undo_store(store)))
}

/// The script that puts the old file back, if the one that is there is what was written.
///
/// # Errors
/// Values that no file can have.
pub(super) fn undo(prepared: &Prepared, content: &Content, store: &str) -> Result<Script, Failure> {
    let wanted = of(prepared, content)?;
    let before = |name: &str| prepared.before.get(name).map(String::as_str);
    let was = match before("existed") {
        Some("false") => "absent",
        _ => before("sha256").unwrap_or_default(),
    };
    let script = script(&wanted, UNDO).param("was", Param::Text(was.to_owned()));
    Ok(script.undo_store(store))
}

/// What a change makes of the version that was looked at.
fn changed(wanted: &Wanted, report: &Report, expect: &str) -> Result<String, Failure> {
    let failed = |message: String| Failure::new(FailureKind::Apply, message);
    let found = found(report)?;
    if found.get("seen") != expect {
        return Err(failed(format!(
            "{} was changed by somebody else after it was looked at, so it was left as it is; `resume` looks again",
            wanted.path
        )));
    }
    let nothing = || failed(format!("nothing is to be changed in {}", wanted.path));
    goal(wanted, &found).map_err(failed)?.ok_or_else(nothing)
}

fn swapping(wanted: Wanted, expect: String, text: String) -> Script {
    putting(&wanted, SWAP, text).param("expect", Param::Text(expect))
}

/// The two scripts of a chain: a look whose host decides, and a swap of the version that it saw.
///
/// # Errors
/// Values that no file can have, or a text that depends on what is there.
pub(super) fn in_chain(
    prepared: &Prepared,
    content: &Content,
    store: &str,
) -> Result<(Script, Script), Failure> {
    let wanted = of(prepared, content)?;
    let Goal::Text(text) = &wanted.goal else {
        let message = format!("what {} should be depends on what it is", wanted.path);
        return Err(Failure::new(FailureKind::Value, message));
    };
    let look = format!("{LOOK}\n{HAND_OVER}\n{DECIDE}");
    let look = meta(want(script(&wanted, &look), &wanted, text), &wanted)
        .param("most", Param::Text(MOST.to_string()))
        .param("create_only", Param::Text(wanted.create_only.to_string()));
    let swap = putting(&wanted, &format!("{TAKE_OVER}\n{SWAP}"), text.clone());
    Ok((look, swap.undo_store(store)))
}

/// What a look of a chain found, as the controller understands it; `before` is what was captured
/// before the effect of the same member.
pub(super) fn understood(
    prepared: &Prepared,
    content: &Content,
    report: &Report,
    before: Option<BTreeMap<String, String>>,
) -> Finding {
    let wanted = match of(prepared, content) {
        Ok(wanted) => wanted,
        Err(failure) => return Finding::error(failure),
    };
    let existed = before.and_then(|before| Some(before.get("existed")? == "true"));
    let past = Past {
        seen: None,
        existed: existed.or(prepared.past.existed),
    };
    judge(&wanted, report, &past)
}

fn meta(script: Script, wanted: &Wanted) -> Script {
    let part = |text: &Option<String>| Param::Text(text.clone().unwrap_or_default());
    let mode = wanted.rights.mode.map(|mode| format!("{mode:04o}"));
    script
        .param("owner", part(&wanted.rights.owner))
        .param("group", part(&wanted.rights.group))
        .param("mode", part(&mode))
}

fn putting(wanted: &Wanted, body: &str, text: String) -> Script {
    let script = meta(want(script(wanted, body), wanted, &text), wanted)
        .param("validate", Param::List(wanted.validate.clone()));
    match wanted.secret {
        true => script.secret("text", text),
        false => script.param("text", Param::Text(text)),
    }
}

/// What looking and swapping have in common.
fn script(wanted: &Wanted, body: &str) -> Script {
    let change = matches!(wanted.goal, Goal::Change(_));
    Script::new()
        .param("path", Param::Text(wanted.path.clone()))
        .param("id", Param::Text(digest(&wanted.path)[..16].to_owned()))
        .param("hidden", Param::Text(wanted.secret.to_string()))
        .param("change", Param::Text(change.to_string()))
        .functions(FUNCTIONS)
        .body(body)
}

/// With the digest of the wanted text. That of a secret is a secret: it can be tried against
/// guesses.
fn want(script: Script, wanted: &Wanted, text: &str) -> Script {
    let want = digest(text);
    match wanted.secret {
        true => script.secret("want", want),
        false => script.param("want", Param::Text(want)),
    }
}

/// What is at the path, as the script told.
struct Found<'a> {
    records: BTreeMap<&'a str, &'a str>,
}

impl<'a> Found<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            records: report
                .outputs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
        }
    }

    fn get(&self, name: &str) -> &'a str {
        self.records.get(name).copied().unwrap_or_default()
    }

    fn is_there(&self) -> bool {
        self.get("state") == "file"
    }

    /// The text, if it was sent and came as it is.
    fn text(&self) -> Option<&'a str> {
        let text = self.records.get("text").copied()?;
        (digest(text) == self.get("sha256")).then_some(text)
    }
}

/// What the script told, if it came to its end.
fn found(report: &Report) -> Result<Found<'_>, Failure> {
    match &report.verdict {
        // A host that decides says that it differs; why is found out here.
        runbook_remote::Verdict::Satisfied | runbook_remote::Verdict::Differs(_) => {
            Ok(Found::of(report))
        }
        runbook_remote::Verdict::Failed(message) => {
            Err(failure(FailureKind::Check, message.clone(), report))
        }
        runbook_remote::Verdict::Skipped(_) => Err(failure(
            FailureKind::Check,
            "the look at a file has no verdict".to_owned(),
            report,
        )),
    }
}

/// The text that should be there; none where no file is needed.
fn goal(wanted: &Wanted, found: &Found<'_>) -> Result<Option<String>, String> {
    let change = match &wanted.goal {
        Goal::Text(text) => return Ok(Some(text.clone())),
        Goal::Change(change) => change,
    };
    let now = match (found.is_there(), found.text()) {
        (false, _) => None,
        (true, Some(text)) => Some(text),
        (true, None) => {
            let size = found.get("size").parse::<u64>();
            let why = match size.is_ok_and(|size| size <= MOST) {
                true => "it is not UTF-8, or holds NUL, or is written at this moment".to_owned(),
                false => format!("it is larger than {} KiB", MOST / 1024),
            };
            return Err(format!("{} cannot be changed: {why}", wanted.path));
        }
    };
    change
        .apply(now)
        .map_err(|why| format!("{} cannot be changed: {why}", wanted.path))
}

fn judge(wanted: &Wanted, report: &Report, past: &Past) -> Finding {
    let found = match found(report) {
        Ok(found) => found,
        Err(failure) => return Finding::error(failure),
    };
    let reasons = match goal(wanted, &found) {
        _ if wanted.create_only && found.is_there() => Vec::new(),
        Ok(Some(text)) => reasons(wanted, &text, &found),
        Ok(None) => Vec::new(),
        Err(message) => return Finding::error(Failure::new(FailureKind::Check, message)),
    };
    let verdict = if reasons.is_empty() {
        Verdict::Satisfied
    } else {
        Verdict::Differs(reasons)
    };
    Finding {
        verdict,
        outputs: outputs(wanted, &found, past),
        secret: BTreeMap::new(),
        before: before(wanted, &found),
    }
}

/// Why the file is not as it should be.
fn reasons(wanted: &Wanted, text: &str, found: &Found<'_>) -> Vec<String> {
    if !found.is_there() {
        let missing = format!("{} is not there", wanted.path);
        return vec![if wanted.secret {
            missing
        } else {
            with_diff(&missing, "", text, AROUND)
        }];
    }
    let around = match wanted.goal {
        Goal::Text(_) => AROUND,
        // What is around a change is not what the runbook is about, and may be a secret.
        Goal::Change(_) => 0,
    };
    let mut reasons = Vec::new();
    if found.get("sha256") != digest(text) {
        reasons.push(match found.text() {
            _ if wanted.secret => "text differs; it is a secret, so it is not shown".to_owned(),
            Some(now) => with_diff("text differs", now, text, around),
            None => {
                "text differs; what is there is too large to be shown, or is not text".to_owned()
            }
        });
    }
    reasons.extend(rights::reasons(&wanted.rights, |name| found.get(name)));
    reasons
}

fn with_diff(reason: &str, now: &str, wanted: &str, around: usize) -> String {
    match diff::unified(now, wanted, around) {
        Some(diff) => format!("{reason}\n{diff}"),
        None => reason.to_owned(),
    }
}

fn outputs(wanted: &Wanted, found: &Found<'_>, past: &Past) -> BTreeMap<String, Value> {
    let mut outputs = BTreeMap::from([
        ("path".to_owned(), Value::from(wanted.path.as_str())),
        (
            "existed".to_owned(),
            Value::from(past.existed.unwrap_or_else(|| found.is_there())),
        ),
        ("seen".to_owned(), Value::from(found.get("seen"))),
    ]);
    if found.is_there() && !wanted.secret {
        outputs.insert("sha256".to_owned(), Value::from(found.get("sha256")));
    }
    outputs
}

/// State to go back to. The old text is not here: it does not belong into the journal.
fn before(wanted: &Wanted, found: &Found<'_>) -> BTreeMap<String, String> {
    let mut before = BTreeMap::from([("existed".to_owned(), found.is_there().to_string())]);
    if found.is_there() {
        let digest = (!wanted.secret).then_some("sha256");
        for name in ["mode", "owner", "group"].into_iter().chain(digest) {
            before.insert(name.to_owned(), found.get(name).to_owned());
        }
    }
    before
}

#[cfg(test)]
mod tests;
