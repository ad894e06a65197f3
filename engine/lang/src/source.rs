//! Texts that are read: their names, their lines, and the places in them.
//!
//! A [`Source`] is cheap to clone. Everything that points into a text does it with a [`Span`] of
//! bytes; lines and columns are computed only when somebody is told.

use std::ops::Range;
use std::sync::Arc;

use runbook_model::step::Place;

use crate::diagnostic::{Code, Diagnostic};

/// The largest text that is read, in bytes.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a text, `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Which text.
    pub source: SourceId,
    /// First byte.
    pub start: usize,
    /// One after the last byte.
    pub end: usize,
}

impl Span {
    /// From `start` to `end` of the first text; an `end` before `start` makes an empty span.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self::of(SourceId(0), start, end)
    }

    /// From `start` to `end` of a text; an `end` before `start` makes an empty span.
    #[must_use]
    pub fn of(source: SourceId, start: usize, end: usize) -> Self {
        Self {
            source,
            start,
            end: end.max(start),
        }
    }

    /// Other bytes of the same text.
    #[must_use]
    pub fn with(self, start: usize, end: usize) -> Self {
        Self::of(self.source, start, end)
    }

    /// As a range.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Number of bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether there are no bytes in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// A part of this span: `inner` counts from its start.
    #[must_use]
    pub fn part(self, inner: Range<usize>) -> Self {
        let end = self.end.min(self.start.saturating_add(inner.end));
        self.with(end.min(self.start.saturating_add(inner.start)), end)
    }
}

/// A thing and where it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The thing.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins the two.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Another thing at the same place.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: f(self.value),
            span: self.span,
        }
    }
}

/// Position of a source in its [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceId(pub u32);

/// A text with a name.
#[derive(Debug, Clone)]
pub struct Source {
    id: SourceId,
    name: Arc<str>,
    text: Arc<str>,
    lines: Arc<[usize]>,
}

impl Source {
    fn new(id: SourceId, name: &str, text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        Self {
            id,
            name: name.into(),
            text: text.into(),
            lines: starts.collect(),
        }
    }

    /// Its position among the sources.
    #[must_use]
    pub fn id(&self) -> SourceId {
        self.id
    }

    /// Its name, usually a path; not yet made printable.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a span; empty where the span is not inside the text.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or("")
    }

    /// Where a part of a scalar's text is written. Exact where the file spells the text as it is;
    /// elsewhere (escapes, folded lines, blocks, aliases) the whole scalar.
    #[must_use]
    pub fn part(&self, whole: Span, text: &str, part: Range<usize>) -> Span {
        match self.slice(whole).find(text) {
            Some(at) if !text.is_empty() => whole
                .with(whole.start + at, whole.start + at + text.len())
                .part(part),
            _ => whole,
        }
    }

    /// Line and column (in characters) of a byte, both from 1.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// The bytes of a line, counted from 1, without its line break.
    #[must_use]
    pub fn line_span(&self, line: usize) -> Span {
        let Some(start) = line
            .checked_sub(1)
            .and_then(|at| self.lines.get(at).copied())
        else {
            return Span::of(self.id, 0, 0);
        };
        let next = self.lines.get(line).copied().unwrap_or(self.text.len());
        Span::of(
            self.id,
            start,
            start + self.text[start..next].trim_end_matches(['\n', '\r']).len(),
        )
    }

    /// A span as the plan stores it.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        let (line, column) = self.line_column(span.start);
        // The size limit keeps all of these far below 4 GiB.
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            source: self.id.0,
            line: small(line),
            column: small(column),
            offset: small(span.start),
            length: small(span.len()),
        }
    }

    /// The text with everything that could steer a terminal replaced, byte for byte: spans hold.
    #[must_use]
    pub fn shown(&self) -> String {
        self.text.chars().map(harmless).collect()
    }
}

/// The character, or one of as many bytes that is safe to print.
fn harmless(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        // Alone it would let the rest of a line overwrite its beginning.
        '\r' => ' ',
        c if runbook_model::text::printable(c.encode_utf8(&mut [0; 4])).len() == c.len_utf8() => c,
        c if c.len_utf8() == 1 => '?',
        c if c.len_utf8() == 2 => '\u{bf}',
        _ => '\u{fffd}',
    }
}

/// All texts of a compilation.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Source>);

impl Sources {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a text in. It is kept in any case, so that the error can show it.
    ///
    /// # Errors
    /// It is larger than [`MAX_BYTES`], not UTF-8, or holds a character that no text has.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<Source, Diagnostic> {
        let id = SourceId(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        if bytes.len() > MAX_BYTES {
            self.0.push(Source::new(id, name, ""));
            return Err(Diagnostic::error(
                Code::TooLarge,
                format!("the file has more than {} MiB", MAX_BYTES >> 20),
            )
            .label(id, Span::of(id, 0, 0), "")
            .help("a runbook names files, it does not hold them"));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let source = Source::new(id, name, text);
                self.0.push(source.clone());
                let bad = text
                    .char_indices()
                    .find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}'));
                match bad {
                    None => Ok(source),
                    Some((at, c)) => Err(Diagnostic::error(
                        Code::NotText,
                        format!(
                            "the control character U+{:04X} does not belong in a text",
                            u32::from(c)
                        ),
                    )
                    .label(id, Span::of(id, at, at + c.len_utf8()), "here")
                    .help("in a quoted text it can be written as an escape, like \"\\u001b\"")),
                }
            }
            Err(error) => {
                let at = error.valid_up_to();
                let text = String::from_utf8_lossy(bytes);
                let end = at + text[at..].chars().next().map_or(0, char::len_utf8);
                self.0.push(Source::new(id, name, &text));
                Err(Diagnostic::error(
                    Code::NotText,
                    format!("the file is not UTF-8: byte {at} cannot be read"),
                )
                .label(id, Span::of(id, at, end), "here"))
            }
        }
    }

    /// Puts `*` into the place of everything in these spans of one text: it is read, and from now on
    /// shown to nobody. Places stay what they are.
    pub fn hide(&mut self, id: SourceId, spans: &[Span]) {
        let Some(source) = self.0.get_mut(id.0 as usize) else {
            return;
        };
        let mut spans: Vec<Range<usize>> = spans.iter().map(|span| span.range()).collect();
        spans.sort_by_key(|span| span.start);
        let mut open = spans.into_iter().peekable();
        let mut end = 0;
        let mut text = String::with_capacity(source.text.len());
        for (at, c) in source.text.char_indices() {
            while let Some(span) = open.next_if(|span| span.start <= at) {
                end = end.max(span.end);
            }
            match at < end && !matches!(c, '\n' | '\r') {
                true => text.extend(std::iter::repeat_n('*', c.len_utf8())),
                false => text.push(c),
            }
        }
        *source = Source::new(id, &source.name, &text);
    }

    /// The source with this id.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.0 as usize)
    }

    /// A span as the plan stores it; nowhere, for a span of no text.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        self.get(span.source)
            .map_or_else(Place::default, |source| source.place(span))
    }

    /// Where a part of a scalar's text is written, as [`Source::part`] says.
    #[must_use]
    pub fn part(&self, whole: Span, text: &str, part: Range<usize>) -> Span {
        self.get(whole.source)
            .map_or(whole, |source| source.part(whole, text, part))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Sources::new().add("a.yaml", text.as_bytes()).unwrap()
    }

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let s = source("a: 1\ngrüße: x\n");
        assert_eq!(s.line_column(0), (1, 1));
        assert_eq!(s.line_column(5), (2, 1));
        assert_eq!(s.line_column(14), (2, 8));
        assert_eq!(s.line_column(9_999), (3, 1));
        assert_eq!(s.slice(s.line_span(2)), "grüße: x");
        assert_eq!(s.line_span(99), Span::default());
    }

    #[test]
    fn parts_of_a_scalar_are_found_where_they_are_spelled() {
        let s = source("a: 'x {{y}}'\nb: \"\\x41b\"\n");
        assert_eq!(s.slice(s.part(Span::new(3, 12), "x {{y}}", 4..5)), "y");
        assert_eq!(s.slice(s.part(Span::new(16, 23), "Ab", 0..1)), "\"\\x41b\"");
        assert_eq!(s.part(Span::new(3, 12), "x {{y}}", 40..50).len(), 0);
    }

    #[test]
    fn what_is_not_text_is_refused_with_its_place() {
        let mut sources = Sources::new();
        let error = sources.add("a", b"a: \xff\n").unwrap_err();
        assert_eq!(
            (error.code, error.labels[0].span),
            (Code::NotText, Span::new(3, 6))
        );
        let error = sources.add("b", b"a: \0\n").unwrap_err();
        assert_eq!(error.labels[0].span, Span::of(SourceId(1), 3, 4));
        let error = sources.add("c", &vec![b' '; MAX_BYTES + 1]).unwrap_err();
        assert_eq!(error.code, Code::TooLarge);
        assert_eq!(sources.iter().count(), 3);
    }

    #[test]
    fn what_is_hidden_keeps_its_places() {
        let mut sources = Sources::new();
        let text = "a: 1\nb: |\n  grün\n  x\nc: 2\n";
        let id = sources.add("a.yaml", text.as_bytes()).unwrap().id();
        sources.hide(
            id,
            &[Span::new(12, 23), Span::new(3, 4), Span::new(15, 99_999)],
        );
        let hidden = sources.get(id).unwrap().text();
        assert_eq!(hidden, "a: *\nb: |\n  *****\n***\n****\n");
        assert_eq!(hidden.len(), text.len());
        sources.hide(SourceId(7), &[Span::new(0, 9)]);
    }

    #[test]
    fn what_is_shown_cannot_steer_a_terminal_and_keeps_its_places() {
        let s = Source::new(SourceId(0), "a", "a\x1b[31m \u{9b}b\u{202e}c\n");
        assert_eq!(s.shown().len(), s.text().len());
        assert!(!s.shown().contains(['\x1b', '\u{9b}', '\u{202e}']));
    }
}
