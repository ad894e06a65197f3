//! Small pieces of text: lists, numbers of things, bounded foreign text, wrapping.

use runbook_model::Value;
use runbook_model::text::{printable, printable_lines};

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

/// Lines that may stand below one line.
const BELOW: usize = 20;

/// The first lines of reasons as one text.
pub(crate) fn reasons(all: &[String], most: usize) -> String {
    let first = |reason: &String| {
        reason
            .lines()
            .find(|l| !l.trim().is_empty())
            .map(str::to_owned)
    };
    let one: Vec<String> = all
        .iter()
        .filter_map(first)
        .map(|line| bounded(&line, most))
        .collect();
    cut(&one.join("; "), most)
}

/// What stands below the first lines of reasons: their other lines, each printable and bounded.
pub(crate) fn below(all: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut left = 0;
    for reason in all {
        let mut lines = printable_lines(reason).skip_while(|line| line.trim().is_empty());
        let Some(first) = lines.next() else { continue };
        let mut rest = lines.peekable();
        // Which reason they belong to has to be said where there are several.
        let title = (all.len() > 1 && rest.peek().is_some()).then_some(first);
        for line in title.into_iter().chain(rest) {
            match out.len() < BELOW {
                true => out.push(cut(line.trim_end(), 400)),
                false => left += 1,
            }
        }
    }
    if left > 0 {
        out.push(format!("and {}", count(left, "more line")));
    }
    out
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
    fn the_lines_of_a_difference_stay_below_each_other() {
        let diff = "text differs\n@@ -1 +1 @@\n  -old\u{1b}[2J\n+new\n".to_owned();
        let one = std::slice::from_ref(&diff);
        assert_eq!(reasons(one, 40), "text differs");
        let lines = ["@@ -1 +1 @@", "  -old\\u{1b}[2J", "+new"];
        assert_eq!(below(one), lines);
        let two = [diff, "the mode is 0644".to_owned()];
        assert_eq!(reasons(&two, 40), "text differs; the mode is 0644");
        assert_eq!(below(&two)[0], "text differs");
        assert_eq!(below(&two)[1..], lines);
        let long = ["a\n".repeat(30)];
        assert_eq!(below(&long).len(), BELOW + 1);
        assert_eq!(below(&long)[BELOW], "and 9 more lines");
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
