//! Values as the YAML that a person would write.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runbook_model::Value;

/// Longest value that is written in one line, in characters.
const WIDE: usize = 80;

/// A step that uses a type in this way.
pub(crate) fn step(id: &str, uses: &str, with: &BTreeMap<String, Value>) -> String {
    let mut out = format!("- step: {id}\n  uses: {uses}\n  on: {}\n", on(uses));
    if !with.is_empty() {
        out.push_str("  with:\n");
    }
    for (name, value) in with {
        entry(&mut out, 4, name, value);
    }
    out
}

/// A group where such a step makes sense.
fn on(uses: &str) -> &'static str {
    match uses.split('.').next() {
        Some("quay" | "podman") => "quay",
        Some("postgres") => "db",
        Some("haproxy") => "lb",
        _ => "all",
    }
}

fn entry(out: &mut String, indent: usize, name: &str, value: &Value) {
    let pad = " ".repeat(indent);
    let name = scalar(name);
    let line = flow(value);
    match value {
        Value::String(text) if text.contains('\n') && block_fits(text) => {
            let end = if text.ends_with('\n') { "" } else { "-" };
            let _ = writeln!(out, "{pad}{name}: |{end}");
            for line in text.lines() {
                let _ = writeln!(out, "{}", format!("{pad}  {line}").trim_end());
            }
        }
        Value::Object(map) if line.chars().count() > WIDE => {
            let _ = writeln!(out, "{pad}{name}:");
            map.iter()
                .for_each(|(name, value)| entry(out, indent + 2, name, value));
        }
        Value::Array(items) if line.chars().count() > WIDE => {
            let _ = writeln!(out, "{pad}{name}:");
            for item in items {
                let _ = writeln!(out, "{pad}  - {}", flow(item));
            }
        }
        _ => {
            let _ = writeln!(out, "{pad}{name}: {line}");
        }
    }
}

/// Whether a block keeps the text as it is.
fn block_fits(text: &str) -> bool {
    !text.starts_with([' ', '\n'])
        && !text.ends_with("\n\n")
        && text.lines().all(|line| line.trim_end() == line)
        && !text.contains(|c: char| c.is_control() && c != '\n')
}

/// A value in one line.
pub(crate) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(flow).collect::<Vec<_>>().join(", ")
        ),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(k, v)| format!("{}: {}", scalar(k), flow(v)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

fn scalar(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(word)
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if plain {
        text.to_owned()
    } else if text.contains(|c: char| c.is_control()) {
        Value::from(text).to_string()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

#[test]
fn what_is_written_is_read_again() {
    use runbook_lang::diagnostic::Diagnostics;
    use runbook_lang::source::Sources;
    let catalog = crate::types::catalog();
    for t in catalog.iter() {
        for example in &t.examples {
            let text = step("a", &t.name, &example.with);
            let mut sources = Sources::new();
            let source = sources.add("step.yaml", text.as_bytes()).unwrap();
            let mut found = Diagnostics::new();
            let value = runbook_lang::yaml::read(&source, &mut found).to_value();
            assert_eq!(found.render(&sources), "");
            let with = serde_json::to_value(&example.with).unwrap();
            let read = value[0]
                .get("with")
                .cloned()
                .unwrap_or_else(|| serde_json::json!({}));
            assert_eq!(read, with, "{text}");
        }
    }
}
