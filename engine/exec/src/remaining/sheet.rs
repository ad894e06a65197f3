//! Text for a shell that people read first: comments, assignments and scripts, all of it printable.

use std::borrow::Cow;
use std::fmt::Write as _;

use runbook_model::text::{printable, printable_lines};
use runbook_remote::Script;

/// Bytes after which nothing more is begun.
const ROOM: usize = 4 << 20;

/// The text.
#[derive(Debug, Default)]
pub(super) struct Sheet(String);

impl Sheet {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn done(self) -> String {
        self.0
    }

    /// Whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() > ROOM
    }

    /// Text of the engine itself.
    pub(super) fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// A comment; a text of several lines is one of several lines.
    pub(super) fn note(&mut self, text: &str) {
        if text.is_empty() {
            self.0.push_str("#\n");
        }
        for line in printable_lines(text) {
            let _ = writeln!(self.0, "{}", format!("# {line}").trim_end());
        }
    }

    /// The heading of a part.
    pub(super) fn rule(&mut self, title: &str) {
        let _ = writeln!(self.0, "\n# ==== {}", printable(title));
    }

    /// `name='value'`. What cannot be shown is written in digits; true unless no shell can hold it.
    pub(super) fn assign(&mut self, name: &str, value: &str) -> bool {
        if value.contains('\0') || Script::valid_name(name).is_err() {
            return false;
        }
        let shown = value
            .split('\n')
            .all(|line| matches!(printable(line), Cow::Borrowed(_)));
        let _ = match shown {
            true => writeln!(self.0, "{name}={}", Script::words([value])),
            // The full stop keeps newlines at the end, which a shell would drop.
            false => writeln!(
                self.0,
                "{name}=$(printf '%b.' '{}') && {name}=${{{name}%.}}",
                in_digits(value)
            ),
        };
        true
    }

    /// Text of a step type as it is; false if there is something in it that cannot be shown.
    pub(super) fn script(&mut self, text: &str) -> bool {
        let shown = |line: &str| matches!(printable(&line.replace('\t', " ")), Cow::Borrowed(_));
        // A borrowed result would point into the replaced text: only whether it is one counts.
        if !text.split('\n').all(shown) {
            return false;
        }
        self.0.push_str(text.trim_end_matches('\n'));
        self.0.push('\n');
        true
    }
}

/// Bytes as `printf %b` reads them.
fn in_digits(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b" _-./:=,@+".contains(&byte);
        let _ = match plain {
            true => write!(out, "{}", char::from(byte)),
            false => write!(out, "\\0{byte:03o}"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_every_value_back_and_nothing_raw_is_shown() {
        for value in [
            "",
            "a b",
            "it's $(id) `id` \\ \"",
            "two\nlines\n",
            "\x1b[31mred\x07\n\n",
            "tab\tand \u{202e}turned",
            "grüße",
            "-n",
        ] {
            let mut sheet = Sheet::new();
            assert!(sheet.assign("x", value));
            let text = sheet.done();
            let raw = |c: char| c != '\n' && !matches!(printable(&c.to_string()), Cow::Borrowed(_));
            assert!(!text.chars().any(raw), "{text:?}");
            let script = format!("{text}printf '%s' \"$x\"");
            let found = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(found.stdout).unwrap(), value, "{script}");
        }
    }

    #[test]
    fn what_no_shell_holds_and_what_cannot_be_shown_is_left_out() {
        let mut sheet = Sheet::new();
        assert!(!sheet.assign("x", "a\0b"));
        assert!(!sheet.assign("PATH", "a"));
        assert!(!sheet.script("echo '\x1b[2J'"));
        assert!(sheet.script("if x; then\n\ty\nfi\n"));
        sheet.note("two\nlines\x1b");
        assert_eq!(sheet.done(), "if x; then\n\ty\nfi\n# two\n# lines\\u{1b}\n");
    }
}
