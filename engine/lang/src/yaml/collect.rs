//! Where finished nodes go: into the list or map that is open, as item, key or value.

use std::collections::{HashMap, HashSet};

use super::build::{Size, Stretch};
use super::{Entry, Key, Kind, Node, Style, error, syntax};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{Source, Span};

/// A list or map that is being read.
pub(super) struct Open {
    pub(super) span: Span,
    pub(super) flow: bool,
    /// It was reported already: it becomes an error when it ends.
    pub(super) bad: bool,
    pub(super) anchor: Option<String>,
    /// What was read before it.
    pub(super) before: Size,
    pub(super) items: Items,
}

pub(super) enum Items {
    Seq(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// Where each key stands first.
        names: HashMap<String, Span>,
        key: Pending,
    },
}

/// Where a map stands between a key and its value.
pub(super) enum Pending {
    None,
    Key(Key),
    /// The key was reported: its value is read and dropped.
    Bad,
}

impl Stretch<'_, '_> {
    /// Puts a finished node where it belongs.
    pub(super) fn put(&mut self, node: Node) {
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.items {
            Items::Seq(items) => items.push(node),
            Items::Map { entries, key, .. } => match std::mem::replace(key, Pending::None) {
                Pending::None => self.key(node),
                Pending::Bad => {}
                Pending::Key(key) => entries.push(Entry {
                    key,
                    value: node,
                    merged: None,
                }),
            },
        }
    }

    /// Takes a node as a key.
    fn key(&mut self, node: Node) {
        let source = self.builder.source;
        let span = node.site();
        let (text, style) = match node.kind {
            Kind::Str { text, style } => (text, style),
            // `443: x`, `true: x`: a key is the text that is written.
            Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => {
                (source.slice(node.span).to_owned(), Style::Plain)
            }
            _ => {
                let diagnostic = match source.text()[span.start..].starts_with("{")
                    && source.text()[..span.start].ends_with('{')
                {
                    // `x: {{ name }}` is a map with a map as key.
                    true => {
                        let line = source.line_span(source.line_column(span.start).0);
                        let start = span.start - 1;
                        let end =
                            line.start + syntax::value_end(source.slice(line), start - line.start);
                        syntax::template(source, span.with(start, end))
                    }
                    false => error(
                        source,
                        Code::BadKey,
                        &format!("a key is a text, not {}", node.noun()),
                        span,
                        "this key",
                    ),
                };
                if node.kind != Kind::Error {
                    if let Some(open) = self.stack.last_mut() {
                        open.bad |= diagnostic.code == Code::UnquotedTemplate;
                    }
                    self.builder.diagnostics.push(diagnostic);
                }
                self.pend(Pending::Bad);
                return;
            }
        };
        let Some(Open {
            items: Items::Map { names, .. },
            ..
        }) = self.stack.last_mut()
        else {
            return;
        };
        let merge = text == "<<" && style == Style::Plain;
        if !merge && let Some(first) = names.get(&text) {
            let diagnostic = twice(source, &text, span, *first);
            self.builder.diagnostics.push(diagnostic);
            self.pend(Pending::Bad);
            return;
        }
        names.insert(text.clone(), span);
        self.pend(Pending::Key(Key::new(text, span)));
    }

    fn pend(&mut self, pending: Pending) {
        if let Some(Open {
            items: Items::Map { key, .. },
            ..
        }) = self.stack.last_mut()
        {
            *key = pending;
        }
    }
}

/// A key that stands twice in one map.
pub(super) fn twice(source: &Source, key: &str, again: Span, first: Span) -> Diagnostic {
    error(
        source,
        Code::DuplicateKey,
        &format!("`{key}` is given twice"),
        again,
        "again here",
    )
    .label(source.id(), first, "first here")
}

/// Resolves `<<`. What is written wins over what is merged, the first merged over the later.
pub(super) fn merge(
    source: &Source,
    diagnostics: &mut Diagnostics,
    entries: Vec<Entry>,
) -> Vec<Entry> {
    let is_merge = |e: &Entry| e.key.value == "<<" && source.slice(e.key.span) == "<<";
    if !entries.iter().any(is_merge) {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_merge);
    let mut names: HashSet<String> = own.iter().map(|e| e.key.value.clone()).collect();
    for merge in merges {
        let site = merge.value.site();
        let maps = match merge.value.kind {
            Kind::Seq(items) => items,
            _ => vec![merge.value],
        };
        let mut wrong = false;
        for map in maps {
            match map.kind {
                Kind::Map(entries) => {
                    for entry in entries {
                        if names.insert(entry.key.value.clone()) {
                            own.push(Entry {
                                merged: Some(merge.key.span),
                                ..entry
                            });
                        }
                    }
                }
                Kind::Error => {}
                _ => wrong = true,
            }
        }
        if wrong {
            let diagnostic = error(
                source,
                Code::BadMerge,
                "`<<` takes a map, or a list of maps",
                site,
                "",
            );
            diagnostics
                .push(diagnostic.help("write `<<: *name` with the name of an anchor on a map"));
        }
    }
    own
}
