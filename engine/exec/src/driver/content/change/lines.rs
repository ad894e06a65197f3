//! Lines of a text, each with its line break, and where a new one goes.

use regex::Regex;

use super::edit::newline;

/// Where a new line goes; without a rule at the end.
#[derive(Debug, Clone, Default)]
pub(in crate::driver::content) struct Place {
    /// Below the last line that it matches.
    pub(in crate::driver::content) after: Option<Regex>,
    /// Above the first line that it matches.
    pub(in crate::driver::content) before: Option<Regex>,
}

impl Place {
    /// The number of the line above which a new one goes, in a text that has lines.
    pub(super) fn find(&self, lines: &[&str]) -> Result<usize, String> {
        let matches = |regex: &Regex, line: &&str| regex.is_match(bare(line));
        if lines.is_empty() {
            return Ok(0);
        }
        match (&self.after, &self.before) {
            (None, None) => Ok(lines.len()),
            (Some(after), _) => lines
                .iter()
                .rposition(|line| matches(after, line))
                .map(|at| at + 1)
                .ok_or_else(|| "no line matches `after`".to_owned()),
            (None, Some(before)) => lines
                .iter()
                .position(|line| matches(before, line))
                .ok_or_else(|| "no line matches `before`".to_owned()),
        }
    }
}

/// All lines of a text.
pub(super) fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// A line without its line break.
pub(super) fn bare(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The text with new lines above line `at`, in the line breaks of the text.
pub(super) fn insert(text: &str, at: usize, new: &[&str]) -> String {
    let newline = newline(text);
    let lines = split(text);
    let mut out = String::with_capacity(text.len());
    for line in &lines[..at] {
        out.push_str(line);
    }
    if !out.is_empty() && !out.ends_with('\n') {
        out.push_str(newline);
    }
    for line in new {
        out.push_str(line);
        out.push_str(newline);
    }
    for line in &lines[at..] {
        out.push_str(line);
    }
    out
}
