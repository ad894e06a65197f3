//! `runbook journal`: whether a journal can be trusted, and every record of it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use runbook_exec::journal::{Condition, Entry, Inspection, JournalError, inspect, lines, scan};
use runbook_exec::store::LAST;
use runbook_model::text::printable;
use runbook_model::{Event, Record, RunId, Value};
use runbook_report::{count, to_json_text};
use serde_json::json;

use crate::args::{Cli, JournalArgs, JournalCommand};
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

/// Characters of a field that are shown.
const FIELD: usize = 160;

pub(crate) fn journal(cli: &Cli, args: &JournalArgs, output: &Output) -> Result<Exit, Error> {
    match &args.command {
        JournalCommand::Verify(of) => verify(cli, of.what.as_deref(), output),
        JournalCommand::Dump(of) => dump(cli, of.what.as_deref(), output),
    }
}

/// The journal that is meant, and the run where one is named.
fn meant(cli: &Cli, what: Option<&str>) -> Result<(PathBuf, Option<RunId>), Error> {
    let what = what.unwrap_or(LAST);
    if what.contains(['/', '.']) {
        return Ok((what.into(), None));
    }
    let store = runs::store(cli)?;
    let id = store.resolve(what)?;
    Ok((store.home(&id)?.journal(), Some(id)))
}

fn verify(cli: &Cli, what: Option<&str>, output: &Output) -> Result<Exit, Error> {
    let (path, id) = meant(cli, what)?;
    let found = inspect(&path).map_err(unreadable)?;
    let mut exit = match found.condition.can_go_on() {
        true => Exit::Done,
        false => Exit::Engine,
    };
    // What stands beside the journal: its plan, and whether the two belong together.
    let (mut running, mut beside) = (false, None);
    if let (Some(id), Exit::Done) = (&id, exit) {
        match runs::store(cli)?.look(id) {
            Ok(seen) => running = seen.held.is_some(),
            Err(error) => {
                beside = Some(error.to_string());
                exit = Exit::Engine;
            }
        }
    }
    if output.json {
        let mut said = verdict_json(&found);
        said["problem"] = beside.map_or(Value::Null, Value::from);
        output.put_json(&said)?;
        return Ok(exit);
    }
    output.put(&verdict_text(&path, &found, id.as_ref()))?;
    if running {
        output
            .put("  a controller runs it: its last record may be half written at any moment\n")?;
    }
    if let Some(problem) = beside {
        output.put(&format!("but: {problem}\n"))?;
    }
    Ok(exit)
}

fn verdict_json(found: &Inspection) -> Value {
    let (offset, detail) = match &found.condition {
        Condition::Whole => (None, None),
        Condition::Torn(torn) => (Some(torn.offset), Some(torn.reason.clone())),
        Condition::Unknown(opaque) => (None, Some(opaque.kind.clone())),
        Condition::Senseless(error) => (None, Some(error.to_string())),
        Condition::Damaged { offset, what } => (Some(*offset), Some(what.clone())),
        Condition::Format { offset, found } => (Some(*offset), Some(found.to_string())),
    };
    json!({
        "format": 1,
        "condition": found.condition.word(),
        "run": found.run.as_ref().map(RunId::as_str),
        "records": found.records,
        "bytes": found.bytes,
        "durable_upto": found.durable_upto,
        "epoch": found.epoch.0,
        "offset": offset,
        "detail": detail,
    })
}

fn verdict_text(path: &Path, found: &Inspection, id: Option<&RunId>) -> String {
    let name = path.to_string_lossy();
    let records = usize::try_from(found.records).unwrap_or(usize::MAX);
    let run = id.or(found.run.as_ref()).map_or("RUN", RunId::as_str);
    let copy = format!(
        "  if there is a newer or whole copy: runbook takeover {run} --from FILE|HOST:DIR\n"
    );
    let (word, means) = match &found.condition {
        Condition::Whole => ("whole".to_owned(), String::new()),
        Condition::Torn(torn) => (
            format!(
                "cut short at byte {}: {}",
                torn.offset,
                printable(&torn.reason)
            ),
            "  a crash left that; nothing was done on account of it, and resume cuts it off\n"
                .to_owned(),
        ),
        Condition::Unknown(opaque) => (
            format!(
                "whole, but event {} is `{}`, which this engine does not know",
                opaque.seq,
                printable(&opaque.kind)
            ),
            "  resume refuses; resume with the engine that wrote it\n".to_owned(),
        ),
        Condition::Senseless(error) => (
            format!("whole, but it cannot be followed: {error}"),
            format!("  resume refuses\n{copy}"),
        ),
        Condition::Damaged { offset, what } => (
            format!("damaged at byte {offset}: {}", printable(what)),
            format!(
                "  what is before it is whole; what was recorded from there on is lost, so nobody can tell \
                 what has been done: resume refuses\n{copy}"
            ),
        ),
        Condition::Format { offset, found } => (
            format!("of format {found}, from byte {offset} on"),
            "  resume refuses; resume with the engine that wrote it\n".to_owned(),
        ),
    };
    let mut out = format!("{}: {word}\n", printable(&name));
    out.push_str(&format!(
        "  {} in {} bytes, epoch {}; up to {} known to be durable when written\n{means}",
        count(records, "whole record"),
        found.bytes,
        found.epoch,
        found.durable_upto
    ));
    out
}

fn dump(cli: &Cli, what: Option<&str>, output: &Output) -> Result<Exit, Error> {
    let (path, _) = meant(cli, what)?;
    let found = inspect(&path).map_err(unreadable)?;
    if output.json {
        lines(&path, found.bytes, |line| {
            let text = String::from_utf8_lossy(line);
            let said = output.put(&format!("{}\n", escaped(&text)));
            said.map_err(|error| std::io::Error::other(error.to_string()))
        })
        .map_err(unreadable)?;
    } else {
        let mut names = Vec::new();
        let mut failed = Ok(());
        let file = std::fs::File::open(&path);
        let file = file.map_err(|source| {
            unreadable(JournalError::Io {
                path: path.clone(),
                doing: "open",
                source,
            })
        })?;
        // The whole part of it only: where that ends is known already.
        let part = std::io::Read::take(file, found.bytes);
        scan(part, &path, |entry| {
            if failed.is_ok() {
                failed = output.put(&entry_text(&entry, &mut names));
            }
        })
        .map_err(unreadable)?;
        failed?;
    }
    match found.condition.can_go_on() {
        true => Ok(Exit::Done),
        false => {
            output.note(&verdict_text(&path, &found, None));
            Ok(Exit::Engine)
        }
    }
}

fn unreadable(error: JournalError) -> Error {
    Error::Store(error.into())
}

/// A line of the journal as it stands there; outside of strings JSON is plain ASCII, so what no terminal
/// may get stands in a string and can be written as an escape.
fn escaped(line: &str) -> Cow<'_, str> {
    if matches!(printable(line), Cow::Borrowed(_)) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        match printable(c.encode_utf8(&mut [0; 4])) {
            Cow::Borrowed(_) => out.push(c),
            Cow::Owned(_) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    Cow::Owned(out)
}

/// A record in one line; `names` are those of the nodes, once the first record has told them.
fn entry_text(entry: &Entry, names: &mut Vec<String>) -> String {
    let record = match entry {
        Entry::Record(record) => record,
        Entry::Opaque(opaque) => {
            let kind = printable(&opaque.kind);
            return format!(
                "{:>6} ?    {kind}: an event that this engine does not know\n",
                opaque.seq
            );
        }
    };
    if let Event::RunCreated { nodes, .. } = &record.event {
        *names = nodes.iter().map(|node| node.id.clone()).collect();
    }
    if let Event::Edited { edit, .. } = &record.event {
        *names = edit.nodes.iter().map(|node| node.id.clone()).collect();
    }
    let Record { seq, epoch, at, .. } = record;
    let at = jiff::Timestamp::from_millisecond(*at);
    let at = at.map_or_else(|_| record.at.to_string(), |at| format!("{at:.3}"));
    let event = serde_json::to_value(&record.event).unwrap_or_default();
    let kind = event["kind"].as_str().unwrap_or_default();
    let mut out = format!("{seq:>6} e{epoch} {at} {kind}");
    for (key, value) in event.as_object().into_iter().flatten() {
        if key == "kind" {
            continue;
        }
        let text = match (key.as_str(), value) {
            ("edit", Value::Object(edit)) => edited(edit, names),
            ("nodes", Value::Array(all)) if matches!(record.event, Event::RunCreated { .. }) => {
                all.len().to_string()
            }
            _ => match named(key, value, names) {
                Value::String(text) => text,
                other => to_json_text(&other, false),
            },
        };
        let short: String = text.chars().take(FIELD).collect();
        let more = if short.len() < text.len() { "…" } else { "" };
        out.push_str(&format!(" {key}={}{more}", printable(&short)));
    }
    out + "\n"
}

/// Another plan: which nodes stay is for programs.
fn edited(edit: &serde_json::Map<String, Value>, names: &[String]) -> String {
    let some = |key: &str| edit.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    let again = named("again", edit.get("again").unwrap_or(&Value::Null), names);
    let again = again.as_array().cloned().unwrap_or_default();
    let again: Vec<&str> = again
        .iter()
        .filter_map(|one| one["node"].as_str())
        .collect();
    format!(
        "{} plan={} nodes={} kept={} again={}",
        edit.get("number").unwrap_or(&Value::Null),
        edit.get("plan").and_then(Value::as_str).unwrap_or_default(),
        some("nodes"),
        some("kept"),
        again.join(",")
    )
}

/// The value with the names of nodes where their numbers stand.
fn named(key: &str, value: &Value, names: &[String]) -> Value {
    match value {
        Value::Number(number) if matches!(key, "node" | "nodes" | "step" | "failure" | "undo") => {
            let at = number.as_u64().and_then(|at| usize::try_from(at).ok());
            match at.and_then(|at| names.get(at)) {
                Some(name) => Value::from(name.as_str()),
                None => value.clone(),
            }
        }
        Value::Array(all) => all.iter().map(|one| named(key, one, names)).collect(),
        // Values of steps and people are not the engine's.
        Value::Object(fields) if !matches!(key, "outputs" | "value" | "before" | "shown") => fields
            .iter()
            .map(|(key, one)| (key.clone(), named(key, one, names)))
            .collect(),
        _ => value.clone(),
    }
}
