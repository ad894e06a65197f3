//! Reading on after a syntax error: at the next top-level key.

use std::collections::HashMap;

use super::build::{Builder, End};
use super::collect::twice;
use super::{Entry, Kind, Node};
use crate::diagnostic::Diagnostics;
use crate::source::{Source, Span};

/// As often reading goes on; a file with more syntax errors than this is not a runbook.
const MOST: usize = 32;

pub(super) fn read(source: &Source, diagnostics: &mut Diagnostics) -> Node {
    let mut builder = Builder::new(source, diagnostics);
    let (mut root, mut end) = builder.read(0);
    let mut from = 0;
    for _ in 0..MOST {
        if !matches!(end, End::Broken) {
            break;
        }
        // The item that is broken is the last one that was begun. What it swallowed is read again:
        // an open quote reaches to the end of the file.
        let begun = match &root.kind {
            Kind::Map(entries) => entries.last().map_or(from, |e| e.key.span.start.max(from)),
            _ => from,
        };
        let Some(next) = next_item(source, begun) else {
            break;
        };
        from = next;
        let (more, how) = builder.read(next);
        end = how;
        root = join(source, builder.diagnostics, root, more);
    }
    root
}

/// The start of the next line that begins with a key at the margin.
fn next_item(source: &Source, after: usize) -> Option<usize> {
    let text = source.text();
    let mut at = text.floor_char_boundary(after);
    while let Some(line_break) = text[at..].find('\n') {
        at += line_break + 1;
        let line = text[at..].lines().next().unwrap_or("");
        let key = line
            .split_once(':')
            .filter(|(_, rest)| rest.is_empty() || rest.starts_with(' '));
        let named = |key: &str| {
            key.starts_with(|c: char| c.is_ascii_alphabetic())
                && key
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        };
        if key.is_some_and(|(key, _)| named(key)) {
            return Some(at);
        }
    }
    None
}

/// Adds the items of a later stretch.
fn join(source: &Source, diagnostics: &mut Diagnostics, root: Node, more: Node) -> Node {
    let Kind::Map(later) = more.kind else {
        return root;
    };
    let mut entries: Vec<Entry> = match root.kind {
        Kind::Map(entries) => entries,
        _ => Vec::new(),
    };
    let mut names: HashMap<String, Span> = entries
        .iter()
        .map(|e| (e.key.value.clone(), e.key.span))
        .collect();
    for entry in later {
        match names.get(&entry.key.value) {
            None => {
                names.insert(entry.key.value.clone(), entry.key.span);
                entries.push(entry);
            }
            Some(first) => {
                diagnostics.push(twice(source, &entry.key.value, entry.key.span, *first))
            }
        }
    }
    Node::new(
        Kind::Map(entries),
        root.span.with(root.span.start, more.span.end),
    )
}
