//! The edits that make a map of a text what it should be.

use runbook_lang::yaml::{Entry, Kind, Node, Style};
use runbook_model::Value;
use serde_json::Map;

use super::super::edit::{Edits, line_end, line_start, newline, next_line};
use super::super::merge::merged;
use super::write::{Blocks, Quotes, Written, entry, inline, is_special};

/// One text with its edits.
pub(super) struct Patch<'t> {
    text: &'t str,
    newline: &'static str,
    blocks: Blocks,
    edits: Edits,
}

impl<'t> Patch<'t> {
    pub(super) fn new(text: &'t str, root: &Node) -> Self {
        let mut found = Found::default();
        found.look(text, root);
        Self {
            text,
            newline: newline(text),
            blocks: Blocks {
                step: found.step.unwrap_or(2).clamp(1, 16),
                deep_lists: found.deep_lists.unwrap_or(true),
            },
            edits: Edits::default(),
        }
    }

    /// The text with a change.
    pub(super) fn root(
        mut self,
        root: &Node,
        change: &Map<String, Value>,
    ) -> Result<String, String> {
        match &root.kind {
            Kind::Map(_) => {
                if let Some(now) = self.map(root, change)? {
                    let end = self.end(root);
                    self.edits.replace(root.span.start..end, now);
                }
            }
            _ => {
                let value = merged(None, &Value::Object(change.clone()));
                if let Value::Object(map) = value
                    && !map.is_empty()
                {
                    let lines = self.blocks.map(&map, 0);
                    if self.is_nothing(root) {
                        self.add_lines(self.text.len(), &lines, false);
                    } else {
                        let end = self.end(root);
                        let with = lines.join(self.newline);
                        self.edits.replace(root.span.start..end, with);
                    }
                }
            }
        }
        self.edits
            .apply(self.text)
            .ok_or_else(|| "the changes of this file are in each other's way".to_owned())
    }

    fn in_braces(&self, node: &Node) -> bool {
        self.text[node.span.start..].starts_with('{')
    }

    fn column(&self, at: usize) -> usize {
        self.text[line_start(self.text, at)..at].chars().count()
    }

    /// Whether a value is written as nothing at all. Its place is then wherever the next thing is.
    fn is_nothing(&self, value: &Node) -> bool {
        let written = &self.text[value.span.range()];
        value.is_null() && value.alias.is_none() && !written.starts_with(['~', 'n', 'N'])
    }

    /// Where a node ends, blanks behind it aside.
    fn end(&self, node: &Node) -> usize {
        let span = node.site();
        let end = span.start + self.text[span.start..span.end].trim_end().len();
        match &node.kind {
            _ if node.alias.is_some() || self.text[span.start..].starts_with(['{', '[']) => end,
            Kind::Seq(items) => items
                .last()
                .map_or(end, |last| self.end(last).max(span.start)),
            Kind::Map(entries) => {
                let Some(last) = entries.iter().rfind(|e| e.merged.is_none()) else {
                    return end;
                };
                let merge = entries
                    .iter()
                    .filter_map(|e| e.merged)
                    .map(|at| at.start)
                    .max();
                match merge.is_some_and(|merge| merge > last.key.span.start) {
                    true => end,
                    false => self.entry_end(last),
                }
            }
            _ => end,
        }
    }

    /// Where a value begins that stands behind a byte.
    fn start(&self, node: &Node, behind: usize) -> usize {
        let start = node.site().start;
        match &node.kind {
            _ if node.alias.is_some() => start,
            // The place of a block is that of its first line, not of its `|`.
            Kind::Str {
                style: Style::Block,
                ..
            } => self.text[behind..start]
                .find(['|', '>'])
                .map_or(start, |at| behind + at),
            Kind::Seq(_) => list_start(self.text, start),
            _ => start,
        }
    }

    /// Where the `:` of an entry is.
    fn colon(&self, entry: &Entry) -> Option<usize> {
        let rest = &self.text[entry.key.span.end..];
        let at = entry.key.span.end + (rest.len() - rest.trim_start().len());
        self.text[at..].starts_with(':').then_some(at)
    }

    /// Where an entry ends.
    fn entry_end(&self, entry: &Entry) -> usize {
        let key = self.colon(entry).map_or(entry.key.span.end, |at| at + 1);
        match self.is_nothing(&entry.value) {
            true => key,
            false => self.end(&entry.value).max(key),
        }
    }

    /// Edits a map; gives the text that should stand for the whole of it, if there is no other way.
    fn map(&mut self, node: &Node, change: &Map<String, Value>) -> Result<Option<String>, String> {
        let entries = node.as_map().unwrap_or_default();
        let own: Vec<&Entry> = entries.iter().filter(|e| e.merged.is_none()).collect();
        let find = |key: &str| entries.iter().find(|e| e.key.value == key);
        let mut added: Map<String, Value> = Map::new();
        for (key, wanted) in change {
            match (find(key), wanted) {
                (None, Value::Null) => {}
                (None, wanted) => {
                    added.insert(key.clone(), merged(None, wanted));
                }
                (Some(e), Value::Null) if e.merged.is_some() => {
                    return Err("a key that comes from `<<` cannot be taken out".to_owned());
                }
                (Some(e), wanted) if e.merged.is_some() => {
                    let now = e.value.to_value();
                    let value = merged(Some(&now), wanted);
                    if now != value {
                        added.insert(key.clone(), value);
                    }
                }
                (Some(_), _) => {}
            }
        }
        let goes = |e: &&Entry| change.get(&e.key.value) == Some(&Value::Null);
        let has_merge = own.len() < entries.len();
        if own.iter().all(goes) && !has_merge && (!own.is_empty() || !added.is_empty()) {
            // Nothing of it stays.
            if added.is_empty() || self.in_braces(node) {
                return Ok(Some(inline(&Value::Object(added), Quotes::Needed)));
            }
        }
        let braces = self.in_braces(node);
        for e in &own {
            if let Some(wanted) = change.get(&e.key.value).filter(|wanted| !wanted.is_null()) {
                self.value(e, wanted, braces)?;
            }
        }
        match braces {
            true => self.braces(node, &own, goes, &added),
            false => self.block(node, &own, goes, &added)?,
        }
        Ok(None)
    }

    /// Edits the value of an entry.
    fn value(&mut self, e: &Entry, wanted: &Value, braces: bool) -> Result<(), String> {
        if let (Kind::Map(_), Value::Object(change), None) = (&e.value.kind, wanted, e.value.alias)
        {
            if self.map(&e.value, change)?.is_some() {
                let value = merged(Some(&e.value.to_value()), wanted);
                self.replace(e, &value, braces)?;
            }
            return Ok(());
        }
        let value = merged(Some(&e.value.to_value()), wanted);
        match is_same(&e.value, &value) {
            true => Ok(()),
            false => self.replace(e, &value, braces),
        }
    }

    /// Puts another value in the place of that of an entry.
    fn replace(&mut self, e: &Entry, value: &Value, braces: bool) -> Result<(), String> {
        let Some(colon) = self.colon(e) else {
            if !braces {
                return Err("a key that is marked with `?` cannot be changed".to_owned());
            }
            let with = format!(": {}", inline(value, Quotes::Needed));
            self.edits.insert(e.key.span.end, with);
            return Ok(());
        };
        let behind = colon + 1;
        let (from, to) = match self.is_nothing(&e.value) {
            true => (behind, behind),
            false => (self.start(&e.value, behind), self.end(&e.value)),
        };
        let quotes = match value {
            Value::String(_) => Quotes::of(&self.text[from..to]),
            _ => Quotes::Needed,
        };
        let at = self.column(e.key.span.start);
        let Written { head, lines } = match braces {
            true => Written {
                head: inline(value, quotes),
                lines: Vec::new(),
            },
            false => self.blocks.value(value, at, quotes),
        };
        let between = &self.text[behind..from];
        let blank = between.trim().is_empty();
        if between.contains('\n') && !braces {
            // What was there stood below the key: a comment of the key stays on its line.
            if !blank && !between.trim_start().starts_with('#') {
                return Err("a value with an anchor cannot be changed".to_owned());
            }
            if !head.is_empty() {
                self.edits.insert(behind, format!(" {head}"));
            }
            self.edits.delete(line_end(self.text, behind)..to);
        } else if head.is_empty() && blank {
            self.edits.delete(behind..to);
        } else {
            let gap = if from == behind { " " } else { "" };
            self.edits.replace(from..to, format!("{gap}{head}"));
        }
        if !lines.is_empty() {
            let with: String = lines
                .iter()
                .map(|line| format!("{}{line}", self.newline))
                .collect();
            self.edits.insert(line_end(self.text, to), with);
        }
        Ok(())
    }

    /// Takes entries out of a block map, and puts new ones at its end.
    fn block(
        &mut self,
        node: &Node,
        own: &[&Entry],
        goes: impl Fn(&&Entry) -> bool,
        added: &Map<String, Value>,
    ) -> Result<(), String> {
        for e in own.iter().filter(|e| goes(e)) {
            let start = line_start(self.text, e.key.span.start);
            if !self.text[start..e.key.span.start].trim().is_empty() {
                return Err("a key that does not begin its line cannot be taken out".to_owned());
            }
            let end = next_line(self.text, self.entry_end(e));
            self.edits.delete(start..end);
        }
        if added.is_empty() {
            return Ok(());
        }
        let at = self.column(node.span.start);
        let lines = self.blocks.map(added, at);
        let end = self.end(node);
        let keeps = own.last().is_some_and(|e| self.keeps_blank_lines(&e.value));
        let below = match keeps {
            true => node.span.end.max(end),
            false => next_line(self.text, end),
        };
        self.add_lines(below, &lines, own.last().is_some_and(goes));
        Ok(())
    }

    /// Whether the blank lines behind a value belong to it: `|+`.
    fn keeps_blank_lines(&self, value: &Node) -> bool {
        let last = match &value.kind {
            Kind::Map(entries) => entries.last().map(|e| &e.value),
            Kind::Seq(items) => items.last(),
            Kind::Str {
                style: Style::Block,
                ..
            } => {
                let above = line_start(self.text, value.span.start).saturating_sub(1);
                let header = &self.text[line_start(self.text, above)..above];
                return header.contains('+');
            }
            _ => None,
        };
        last.is_some_and(|last| self.keeps_blank_lines(last))
    }

    /// Puts lines at the begin of a line, or at the end of the text, whose last line may go away.
    fn add_lines(&mut self, at: usize, lines: &[String], last_goes: bool) {
        let with = lines.join(self.newline);
        let whole = at < self.text.len() || self.text.is_empty() || self.text.ends_with('\n');
        self.edits.insert(
            at,
            match (whole, last_goes) {
                (true, _) => format!("{with}{}", self.newline),
                (false, false) => format!("{}{with}", self.newline),
                (false, true) => with,
            },
        );
    }

    /// Takes entries out of a map in braces, of which some stay, and puts new ones at its end.
    fn braces(
        &mut self,
        node: &Node,
        own: &[&Entry],
        goes: impl Fn(&&Entry) -> bool,
        added: &Map<String, Value>,
    ) {
        let last = own.iter().rposition(|e| !goes(e));
        for (at, e) in own.iter().enumerate().filter(|(_, e)| goes(e)) {
            match (own.get(at + 1), last) {
                (Some(next), _) if last.is_some_and(|last| at < last) => {
                    self.edits.delete(e.key.span.start..next.key.span.start);
                }
                _ => {
                    let from = match at {
                        0 => e.key.span.start,
                        at => self.entry_end(own[at - 1]),
                    };
                    self.edits.delete(from..self.entry_end(e));
                }
            }
        }
        let with: String = added
            .iter()
            .map(|(key, value)| format!(", {}", entry(key, value)))
            .collect();
        let end = match last {
            Some(last) => self.entry_end(own[last]),
            // Only a `<<` stays.
            None => self.end(node) - 1,
        };
        if !with.is_empty() {
            self.edits.insert(end, with);
        }
    }
}

/// Where a list begins: the place of one that is not indented is behind its first `-`.
fn list_start(text: &str, at: usize) -> usize {
    let line = line_start(text, at);
    let dash = line + (text[line..at].len() - text[line..at].trim_start().len());
    match text[dash..at].starts_with('-') {
        true => dash,
        false => at,
    }
}

/// Whether a node is this value, to every reader of YAML.
fn is_same(node: &Node, value: &Value) -> bool {
    match (&node.kind, value) {
        (Kind::Str { text, style }, Value::String(wanted)) => {
            text == wanted && (*style != Style::Plain || !is_special(text))
        }
        (Kind::Seq(items), Value::Array(wanted)) => {
            items.len() == wanted.len()
                && items
                    .iter()
                    .zip(wanted)
                    .all(|(item, wanted)| is_same(item, wanted))
        }
        (Kind::Map(entries), Value::Object(wanted)) => {
            entries.len() == wanted.len()
                && entries.iter().all(|e| {
                    wanted
                        .get(&e.key.value)
                        .is_some_and(|wanted| is_same(&e.value, wanted))
                })
        }
        _ => node.to_value() == *value,
    }
}

/// How a text indents.
#[derive(Default)]
struct Found {
    step: Option<usize>,
    deep_lists: Option<bool>,
}

impl Found {
    fn look(&mut self, text: &str, node: &Node) {
        let column = |at: usize| text[line_start(text, at)..at].chars().count();
        for e in node.as_map().unwrap_or_default() {
            let value = &e.value;
            let gap = text.get(e.key.span.end..value.span.start);
            let own_line = value.alias.is_none() && gap.is_some_and(|gap| gap.contains('\n'));
            if own_line && e.merged.is_none() {
                let (key, at) = (column(e.key.span.start), column(value.span.start));
                match &value.kind {
                    Kind::Map(_) if at > key => self.step = self.step.or(Some(at - key)),
                    Kind::Seq(_) => {
                        let at = column(list_start(text, value.span.start));
                        self.deep_lists = self.deep_lists.or(Some(at > key));
                    }
                    _ => {}
                }
            }
            self.look(text, value);
        }
        for item in node.as_seq().unwrap_or_default() {
            self.look(text, item);
        }
    }
}
