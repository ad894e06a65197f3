//! Replacements at places of a text: what no edit covers is kept byte by byte.

use std::ops::Range;

/// Edits of one text.
#[derive(Debug, Default)]
pub(super) struct Edits {
    all: Vec<(Range<usize>, String)>,
}

impl Edits {
    pub(super) fn replace(&mut self, range: Range<usize>, text: impl Into<String>) {
        self.all.push((range, text.into()));
    }

    pub(super) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    pub(super) fn delete(&mut self, range: Range<usize>) {
        self.replace(range, "");
    }

    /// The text with all edits; none if two of them are about the same bytes. Insertions at one
    /// place stand in the order in which they were made.
    pub(super) fn apply(mut self, text: &str) -> Option<String> {
        self.all.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for (range, with) in &self.all {
            out.push_str(text.get(at..range.start)?);
            out.push_str(with);
            at = range.end.max(range.start);
        }
        out.push_str(text.get(at..)?);
        Some(out)
    }
}

/// Where the line of a byte begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line of a byte ends, before its line break.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    match text[at..end].ends_with('\r') && end < text.len() {
        true => end - 1,
        false => end,
    }
}

/// Where the line after that of a byte begins.
pub(super) fn next_line(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |n| at + n + 1)
}

/// The line break that a text uses: that of its first line.
pub(super) fn newline(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_keep_what_they_do_not_cover() {
        let mut edits = Edits::default();
        edits.delete(4..8);
        edits.insert(4, "1");
        edits.insert(4, "2");
        edits.replace(0..1, "A");
        assert_eq!(edits.apply("abcdefghij").as_deref(), Some("Abcd12ij"));
        let mut edits = Edits::default();
        edits.delete(0..3);
        edits.replace(2..4, "x");
        assert_eq!(edits.apply("abcdef"), None);
    }

    #[test]
    fn lines_are_found() {
        let text = "ab\r\ncd\nef";
        assert_eq!((line_start(text, 5), line_end(text, 1)), (4, 2));
        assert_eq!((next_line(text, 0), next_line(text, 8)), (4, 9));
        assert_eq!((newline(text), newline("a\n\r\n")), ("\r\n", "\n"));
    }
}
