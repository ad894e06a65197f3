//! Small pieces of text: lists, numbers of things, bounded foreign text, wrapping.

use runbook_model::Value;
use runbook_model::text::printable;

/// `3 hosts`, `1 host`.
#[must_use]
pub fn count(n: usize, one: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {one}s")
    }
}

/// Foreign text on one line: printable, and no longer than `most` characters.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let joined = lines
        .next()
        .map(|first| lines.fold(first.to_owned(), |all, l| all + "; " + l));
    let joined = joined.unwrap_or_default();
    cut(&printable(&joined), most)
}

/// Printable text, no longer than `most` characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text
            .chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect(),
    }
}

/// Reasons as one text.
pub(crate) fn reasons(all: &[String], most: usize) -> String {
    let one: Vec<String> = all.iter().map(|r| bounded(r, most)).collect();
    cut(&one.join("; "), most)
}

/// A value on one line, made printable and no longer than 400 characters; text without quotes.
#[must_use]
pub fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => cut(&printable(text), 400),
        other => cut(&printable(&other.to_string()), 400),
    }
}

/// Names with commas; the rest is counted where there are more than `most`.
pub(crate) fn names<T: AsRef<str>>(all: &[T], most: usize) -> String {
    let shown: Vec<&str> = all.iter().take(most).map(AsRef::as_ref).collect();
    match all.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Appends `text`, broken between words so that no line is wider than `width`; the first line
/// begins with `first`, the others with as many spaces as `hang`. A word that is too wide stays whole.
pub(crate) fn wrap(out: &mut String, first: &str, hang: usize, text: &str, width: usize) {
    let mut at = first.chars().count();
    out.push_str(first);
    let mut fresh = true;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let wide = word.chars().count();
        if !fresh && at + 1 + wide > width {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', hang));
            at = hang;
            fresh = true;
        }
        if !fresh {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += wide;
        fresh = false;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn foreign_text_is_bounded_and_harmless() {
        assert_eq!(bounded("a\x1b[2J\n\n b\r\n", 40), "a\\u{1b}[2J; b");
        assert_eq!(bounded("abcdef", 4), "abc…");
        assert_eq!(bounded("", 4), "");
        assert_eq!(
            value_text(&serde_json::json!(["a\u{202e}b"])),
            "[\"a\\u{202e}b\"]"
        );
    }

    #[test]
    fn lists_say_how_much_is_missing() {
        assert_eq!(names(&["a", "b", "c"], 3), "a, b, c");
        assert_eq!(names(&["a", "b", "c"], 1), "a and 2 more");
        assert_eq!([count(0, "host"), count(1, "host")], ["0 hosts", "1 host"]);
    }

    #[test]
    fn lines_are_broken_between_words() {
        let mut out = String::new();
        wrap(&mut out, "- ", 2, "one two three four", 10);
        assert_eq!(out, "- one two\n  three\n  four\n");
    }

    proptest! {
        #[test]
        fn wrapping_keeps_every_word(words in prop::collection::vec("[a-zä]{1,12}", 0..40), width in 14usize..60) {
            let mut out = String::new();
            wrap(&mut out, "", 2, &words.join(" "), width);
            prop_assert!(out.lines().all(|l| l.chars().count() <= width));
            let back: Vec<&str> = out.split_whitespace().collect();
            prop_assert_eq!(back, words);
        }
    }
}
