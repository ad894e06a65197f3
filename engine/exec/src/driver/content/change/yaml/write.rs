//! Values as YAML that YAML 1.1 and 1.2 readers take for the same.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;
use runbook_model::Value;

/// What some reader takes for something else than text: the words, numbers and times of YAML 1.1
/// (as PyYAML and the tools around it read them) and of the core schema of YAML 1.2.
static SPECIAL: LazyLock<Regex> = LazyLock::new(|| {
    let all = [
        r"(?i:y|n|yes|no|on|off|true|false|null)|~|=|<<|",
        r"[-+]?0b[01_]+|[-+]?0o?[0-7_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?[0-9][0-9_]*",
        r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?",
        r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9_]*)([eE][-+]?[0-9]+)?",
        r"[-+]?\.(?i:inf)|\.(?i:nan)",
        r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?",
    ];
    Regex::new(&format!("^({})$", all.join("|"))).expect("the pattern is a constant")
});

/// Text that needs no quotes anywhere, if it is not [`SPECIAL`].
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[\p{L}_/0-9.][\p{L}\p{N}_/.@%+=~$()?&-]*([ :][\p{L}\p{N}_/.@%+=~$()?&-]+)*$")
        .expect("the pattern is a constant")
});

/// Whether unquoted text is not text to every reader.
pub(super) fn is_special(text: &str) -> bool {
    SPECIAL.is_match(text)
}

/// Quotes that a text has, or should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    /// Where they are needed.
    Needed,
    Single,
    Double,
}

impl Quotes {
    /// Those of what is written there.
    pub(super) fn of(written: &str) -> Self {
        match written.chars().next() {
            Some('\'') => Self::Single,
            Some('"') => Self::Double,
            _ => Self::Needed,
        }
    }
}

/// A text on one line.
pub(super) fn text(text: &str, quotes: Quotes) -> String {
    let safe = |c: char| match c {
        // Line breaks to some readers, or nothing that a person sees.
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        c => !c.is_control(),
    };
    if !text.chars().all(safe) || quotes == Quotes::Double {
        return double(text, safe);
    }
    match quotes == Quotes::Needed && PLAIN.is_match(text) && !is_special(text) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

fn double(text: &str, safe: impl Fn(char) -> bool) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if safe(c) => out.push(c),
            c => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
        }
    }
    out + "\""
}

fn number(number: &serde_json::Number) -> String {
    let text = number.to_string();
    // `1e30` is text to YAML 1.1: it wants a dot, and a sign.
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let dot = if mantissa.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with(['-', '+']) {
                ""
            } else {
                "+"
            };
            format!("{mantissa}{dot}e{sign}{exponent}")
        }
        None => text,
    }
}

/// A value on one line.
pub(super) fn inline(value: &Value, quotes: Quotes) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(n) => number(n),
        Value::String(s) => text(s, quotes),
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| inline(item, Quotes::Needed))
                .collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let entries: Vec<_> = map.iter().map(|(key, value)| entry(key, value)).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    }
}

/// A key with its value, on one line.
pub(super) fn entry(key: &str, value: &Value) -> String {
    format!(
        "{}: {}",
        text(key, Quotes::Needed),
        inline(value, Quotes::Needed)
    )
}

/// How blocks are indented.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    /// Blanks of one level.
    pub(super) step: usize,
    /// Items of a list stand deeper than the key of the list.
    pub(super) deep_lists: bool,
}

/// A value as it stands behind a key: what is on the line of the key, and the lines below it.
pub(super) struct Written {
    /// On the line of the key.
    pub(super) head: String,
    /// Below, indented.
    pub(super) lines: Vec<String>,
}

impl Blocks {
    /// A value behind a key that stands `at` blanks from the left.
    pub(super) fn value(self, value: &Value, at: usize, quotes: Quotes) -> Written {
        let (head, lines) = match value {
            Value::Object(map) if !map.is_empty() => (String::new(), self.map(map, at + self.step)),
            Value::Array(items) if !items.is_empty() => {
                let deeper = if self.deep_lists { self.step } else { 0 };
                (String::new(), self.list(items, at + deeper))
            }
            Value::String(text) if quotes == Quotes::Needed && is_literal(text) => {
                literal(text, at + self.step)
            }
            other => (inline(other, quotes), Vec::new()),
        };
        Written { head, lines }
    }

    /// The lines of a map.
    pub(super) fn map(self, map: &serde_json::Map<String, Value>, at: usize) -> Vec<String> {
        let blanks = " ".repeat(at);
        map.iter()
            .flat_map(|(key, value)| {
                let Written { head, lines } = self.value(value, at, Quotes::Needed);
                let key = text(key, Quotes::Needed);
                let gap = if head.is_empty() { "" } else { " " };
                std::iter::once(format!("{blanks}{key}:{gap}{head}")).chain(lines)
            })
            .collect()
    }

    fn list(self, items: &[Value], at: usize) -> Vec<String> {
        let blanks = " ".repeat(at);
        let item = |item: &Value| {
            let mut lines = match item {
                Value::Object(map) if !map.is_empty() => self.map(map, at + 2),
                Value::Array(items) if !items.is_empty() => self.list(items, at + 2),
                other => {
                    let Written { head, lines } = self.value(other, at, Quotes::Needed);
                    std::iter::once(format!("{blanks}  {head}"))
                        .chain(lines)
                        .collect()
                }
            };
            if let Some(first) = lines.first_mut() {
                first.replace_range(at..at + 2, "- ");
            }
            lines
        };
        items.iter().flat_map(item).collect()
    }
}

/// Whether a text can be read as a block of lines as it is.
fn is_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let plain = |c: char| {
        c == '\n'
            || !(c.is_control()
                || matches!(
                    c,
                    '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
                ))
    };
    body.contains('\n')
        && text.chars().all(plain)
        && !body.starts_with([' ', '\n'])
        && !body.ends_with('\n')
        && body
            .split('\n')
            .all(|line| line.is_empty() || !line.trim().is_empty())
}

fn literal(text: &str, at: usize) -> (String, Vec<String>) {
    let (head, body) = match text.strip_suffix('\n') {
        Some(body) => ("|", body),
        None => ("|-", text),
    };
    let blanks = " ".repeat(at);
    let line = |line: &str| match line {
        "" => String::new(),
        line => format!("{blanks}{line}"),
    };
    (head.to_owned(), body.split('\n').map(line).collect())
}
