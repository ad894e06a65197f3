//! Content types: the engine reads a file, compares it with the wanted text, and swaps it on the
//! host if it is still the one that was looked at.
//!
//! The version that a look found is an output of the step (`seen`), so it is journaled, and a swap
//! after a resume expects what was journaled.

mod diff;
mod wanted;

use std::collections::BTreeMap;

use runbook_model::event::Verdict;
use runbook_model::state::NodeState;
use runbook_model::step_type::Content;
use runbook_model::{Failure, FailureKind, Value};
use runbook_remote::{Param, RemoteError, Report, Script};

use super::Reach;
use super::look::{Finding, Prepared, failure, is_of_script};
use wanted::{Wanted, digest};

const FUNCTIONS: &str = include_str!("../sh/content_functions.sh");
const LOOK: &str = include_str!("../sh/content_look.sh");
const SWAP: &str = include_str!("../sh/content_swap.sh");
/// Bytes of the largest text that is fetched for a diff.
const MOST: u64 = 256 * 1024;

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
    let wanted = match Wanted::of(content, &prepared.arguments) {
        Ok(wanted) => wanted,
        Err(failure) => return Ok(Finding::error(failure)),
    };
    let script = script(&wanted, LOOK).param("most", Param::Text(MOST.to_string()));
    let host = reach.host(&prepared.host).await?;
    match host.check(&script, prepared.limit).await {
        Ok(report) => Ok(judge(&wanted, &report, &prepared.past)),
        Err(error) if is_of_script(&error.fault) => Ok(Finding::error(Failure::new(
            FailureKind::Check,
            error.fault.to_string(),
        ))),
        Err(error) => Err(error),
    }
}

/// The script of a swap: it replaces only the version that the last look found.
///
/// # Errors
/// Values that no file can have, or no look is on record.
pub(super) fn swap(prepared: &Prepared, content: &Content) -> Result<Script, Failure> {
    let wanted = Wanted::of(content, &prepared.arguments)?;
    let not_seen = || {
        Failure::new(
            FailureKind::Value,
            format!("no look at {} is on record", wanted.path),
        )
    };
    let expect = prepared.past.seen.clone().ok_or_else(not_seen)?;
    let text = |text: &Option<String>| Param::Text(text.clone().unwrap_or_default());
    let mode = wanted.mode.map(|mode| format!("{mode:04o}"));
    let script = script(&wanted, SWAP)
        .param("expect", Param::Text(expect))
        .param("owner", text(&wanted.owner))
        .param("group", text(&wanted.group))
        .param("mode", text(&mode))
        .param("validate", Param::List(wanted.validate.clone()));
    Ok(match wanted.secret {
        true => script.secret("text", wanted.text),
        false => script.param("text", Param::Text(wanted.text)),
    })
}

/// What looking and swapping have in common. The digest of a secret is a secret: it can be tried
/// against guesses.
fn script(wanted: &Wanted, body: &str) -> Script {
    let script = Script::new()
        .param("path", Param::Text(wanted.path.clone()))
        .param("hidden", Param::Text(wanted.secret.to_string()));
    let want = digest(&wanted.text);
    let script = match wanted.secret {
        true => script.secret("want", want),
        false => script.param("want", Param::Text(want)),
    };
    script.functions(FUNCTIONS).body(body)
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

    fn mode(&self) -> Option<u32> {
        u32::from_str_radix(self.get("mode"), 8).ok()
    }
}

fn judge(wanted: &Wanted, report: &Report, past: &Past) -> Finding {
    match &report.verdict {
        runbook_remote::Verdict::Satisfied => {}
        runbook_remote::Verdict::Failed(message) => {
            return Finding::error(failure(FailureKind::Check, message.clone(), report));
        }
        runbook_remote::Verdict::Differs(_) | runbook_remote::Verdict::Skipped(_) => {
            return Finding::error(failure(
                FailureKind::Check,
                "the look at a file has no verdict".to_owned(),
                report,
            ));
        }
    }
    let found = Found::of(report);
    let reasons = reasons(wanted, &found);
    let verdict = if reasons.is_empty() {
        Verdict::Satisfied
    } else {
        Verdict::Differs(reasons)
    };
    Finding {
        verdict,
        outputs: outputs(wanted, &found, past),
        before: before(wanted, &found),
    }
}

/// Why the file is not as it should be.
fn reasons(wanted: &Wanted, found: &Found<'_>) -> Vec<String> {
    if !found.is_there() {
        let missing = format!("{} is not there", wanted.path);
        return vec![if wanted.secret {
            missing
        } else {
            with_diff(&missing, "", &wanted.text)
        }];
    }
    if wanted.create_only {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    if found.get("sha256") != digest(&wanted.text) {
        reasons.push(match found.text() {
            _ if wanted.secret => "text differs; it is a secret, so it is not shown".to_owned(),
            Some(now) => with_diff("text differs", now, &wanted.text),
            None => {
                "text differs; what is there is too large to be shown, or is not text".to_owned()
            }
        });
    }
    if let Some(mode) = wanted.mode.filter(|mode| found.mode() != Some(*mode)) {
        reasons.push(format!(
            "mode is {:0>4}, should be {mode:04o}",
            found.get("mode")
        ));
    }
    for (what, wanted, name, number) in [
        ("owner", &wanted.owner, found.get("owner"), found.get("uid")),
        ("group", &wanted.group, found.get("group"), found.get("gid")),
    ] {
        if let Some(wanted) = wanted
            .as_deref()
            .filter(|wanted| *wanted != name && *wanted != number)
        {
            reasons.push(format!("{what} is {name}, should be {wanted}"));
        }
    }
    reasons
}

fn with_diff(reason: &str, now: &str, wanted: &str) -> String {
    match diff::unified(now, wanted) {
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
