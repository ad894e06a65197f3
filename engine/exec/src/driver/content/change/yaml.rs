//! Keys of a YAML file.
//!
//! The reader of the language says where things are; what is changed is cut out and put in by
//! place, so that comments, order, quotes and indentation of everything else stay. The result is
//! read again and must be the merged value: what an anchor ties to something else, for instance,
//! is refused and not half changed.

mod patch;
mod write;

use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::source::{Source, Sources};
use runbook_lang::yaml::{Kind, Node, read};
use runbook_model::Value;

use super::merge::merged;
use patch::Patch;

/// Merges a map into the text of a file; an empty file is an empty map.
pub(super) fn merge(text: &str, change: &Value) -> Result<String, String> {
    let (source, root) = parse(text).map_err(|why| format!("the file is not changed: {why}"))?;
    if !matches!(root.kind, Kind::Map(_) | Kind::Null) {
        return Err(format!("the file holds {}, not a map", root.noun()));
    }
    let now = root.to_value();
    let wanted = merged(Some(&now), change);
    let Value::Object(change) = change else {
        return Err("the change is not a map".to_owned());
    };
    let done = Patch::new(source.text(), &root).root(&root, change)?;
    // A byte order mark is no part of the source's text.
    let done = match text.strip_prefix('\u{feff}') {
        Some(bare) if bare == source.text() => format!("\u{feff}{done}"),
        _ => done,
    };
    if done == text {
        return Ok(done);
    }
    let nothing = |value: &Value| value.as_object().is_some_and(|map| map.is_empty());
    match parse(&done).map(|(_, root)| root.to_value()) {
        Ok(read) if read == wanted || (read.is_null() && nothing(&wanted)) => Ok(done),
        _ => Err(
            "these keys cannot be changed in this file without changing others; are there anchors?"
                .to_owned(),
        ),
    }
}

/// The tree of a text; says what is wrong, and in which line.
fn parse(text: &str) -> Result<(Source, Node), String> {
    let mut sources = Sources::new();
    let source = sources
        .add("file", text.as_bytes())
        .map_err(|diagnostic| diagnostic.message)?;
    let mut diagnostics = Diagnostics::new();
    let root = read(&source, &mut diagnostics);
    match diagnostics.iter().next() {
        None => Ok((source, root)),
        Some(first) => {
            let line = first
                .labels
                .first()
                .map_or(1, |label| source.line_column(label.span.start).0);
            Err(format!("{} in line {line}", first.message))
        }
    }
}

#[cfg(test)]
mod tests;
