//! Text from hosts and files, made safe to show: nothing foreign reaches a terminal raw.

use std::borrow::Cow;

/// The text with control characters, and characters that reorder text, written as escapes.
/// Newlines and tabs are escaped too; see [`printable_lines`] for text of several lines.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(harmless) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(escape(text))
    }
}

/// The lines of a text, each made printable; a final newline does not make an empty line.
pub fn printable_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(|line| match line.contains('\t') {
        true => Cow::Owned(escape(&line.replace('\t', "    "))),
        false => printable(line),
    })
}

fn harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmless(c) {
            out.push(c);
        } else {
            out.extend(c.escape_default());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\x1b[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(printable("grüße"), "grüße");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn lines_are_kept_apart() {
        let lines: Vec<_> = printable_lines("one\n\ttwo\r\n").collect();
        assert_eq!(lines, ["one", "    two"]);
    }
}
