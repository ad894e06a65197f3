//! What is wrong, where, and what to do about it.
//!
//! Everything that reads collects [`Diagnostics`] and goes on; only the edge prints. A message is a
//! lowercase fragment, names things in backticks, and never carries a control character.

mod code;
mod render;

pub use code::Code;
pub use render::Report;

use runbook_model::text::printable;

use crate::source::{SourceId, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing runs.
    Error,
    /// It runs, but somebody should look.
    Warning,
}

/// A place with a few words about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// In which text.
    pub source: SourceId,
    /// Where in it.
    pub span: Span,
    /// About it; may be empty.
    pub text: String,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind, stable.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// Where; the first one is where to look.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// How bad.
    pub severity: Severity,
}

impl Diagnostic {
    /// An error.
    #[must_use]
    pub fn error(code: Code, message: impl AsRef<str>) -> Self {
        let message = bounded(message.as_ref());
        Self {
            code,
            message,
            labels: Vec::new(),
            help: None,
            severity: Severity::Error,
        }
    }

    /// A warning.
    #[must_use]
    pub fn warning(code: Code, message: impl AsRef<str>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, message)
        }
    }

    /// With a place.
    #[must_use]
    pub fn label(mut self, source: SourceId, span: Span, text: impl AsRef<str>) -> Self {
        let text = bounded(text.as_ref());
        self.labels.push(Label { source, span, text });
        self
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, text: impl AsRef<str>) -> Self {
        self.help = Some(bounded(text.as_ref()));
        self
    }

    /// With what to do, where something is known.
    #[must_use]
    pub fn maybe_help(self, text: Option<String>) -> Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }
}

/// Longest word of a message, in characters: names may be as long as the file.
const LONGEST_WORD: usize = 200;

/// Longest message, in characters.
const LONGEST: usize = 2_000;

/// A text that can be printed and that somebody reads: of long words the middle is left out, of a
/// long text the end.
fn bounded(text: &str) -> String {
    let mut short = String::new();
    let mut count = 0;
    for word in text.split_inclusive([' ', '\n']) {
        if count > LONGEST {
            short.push('…');
            break;
        }
        match word.char_indices().nth(LONGEST_WORD) {
            None => short.push_str(word),
            Some((end, _)) => {
                let tail = word.char_indices().nth_back(LONGEST_WORD / 4);
                let tail = tail.map_or(end, |(at, _)| at).max(end);
                short.extend([&word[..end], "…", &word[tail..]]);
            }
        }
        count += word.len().min(LONGEST_WORD);
    }
    printable(&short).into_owned()
}

/// As many mistakes are kept; nobody reads more, and a hostile file may hold a million.
const MOST: usize = 200;

/// Mistakes. The same mistake is kept once: what stands under an anchor is read at every alias.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    kept: Vec<Diagnostic>,
    dropped: usize,
}

impl Diagnostics {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.full() {
            self.dropped += 1;
        } else if !self.kept.contains(&diagnostic) {
            self.kept.push(diagnostic);
        }
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Self) {
        self.dropped += other.dropped;
        for diagnostic in other.kept {
            self.push(diagnostic);
        }
    }

    /// A sentence with what probably was meant; nothing once there are so many mistakes that
    /// nobody is told about the next one.
    #[must_use]
    pub fn suggest<'a>(
        &self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        match self.full() {
            true => None,
            false => did_you_mean(word, candidates),
        }
    }

    /// Whether nobody is told about the next one.
    pub(crate) fn full(&self) -> bool {
        self.kept.len() >= MOST
    }

    /// Whether one of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.dropped > 0 || self.kept.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many were found beyond those that are kept.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.kept.iter()
    }

    /// Puts them in the order of their places.
    pub fn sort(&mut self) {
        self.kept
            .sort_by_key(|d| d.labels.first().map(|l| (l.source, l.span)));
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

/// The candidate that was probably meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long words make the comparison slow and never are a slip of the keyboard.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase().replace('-', "_");
    let known: Vec<&str> = candidates.into_iter().filter(|c| c.len() <= 64).collect();
    known
        .iter()
        .copied()
        // No word is nearer than the difference of lengths.
        .filter(|c| c.len().abs_diff(lower.len()) <= (c.len().max(lower.len()) / 3).max(1))
        .map(|c| (strsim::damerau_levenshtein(&lower, &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
        .or_else(|| cut_short(&lower, known))
}

/// The one candidate that begins with the word, or that the word begins with: `str`, `integer`.
fn cut_short<'a>(word: &str, candidates: Vec<&'a str>) -> Option<&'a str> {
    let near = |c: &&str| {
        let shorter = c.len().min(word.len());
        shorter >= 3 && (c.starts_with(word) || word.starts_with(*c))
    };
    let mut found = candidates.into_iter().filter(near);
    found.next().filter(|_| found.next().is_none())
}

/// A sentence with [`nearest`].
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(word, candidates).map(|c| format!("did you mean `{c}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near_or_absent() {
        assert_eq!(nearest("usse", ["step", "uses"]), Some("uses"));
        assert_eq!(nearest("time-out", ["timeout", "until"]), Some("timeout"));
        assert_eq!(nearest("zebra", ["step", "uses"]), None);
        assert_eq!(nearest("integer", ["int", "string"]), Some("int"));
        assert_eq!(nearest("timed", ["time", "timeout", "tim"]), Some("time"));
        assert_eq!(nearest("settings", ["set", "sett"]), None);
        assert_eq!(nearest(&"a".repeat(100_000), ["aa"]), None);
    }

    #[test]
    fn nothing_raw_gets_into_a_message() {
        let d = Diagnostic::error(Code::UnknownKey, "a\x1b[0m")
            .label(SourceId(0), Span::default(), "b\r")
            .help("c\n");
        assert_eq!(d.message, "a\\u{1b}[0m");
        assert_eq!(d.labels[0].text, "b\\r");
        assert_eq!(d.help.as_deref(), Some("c\\n"));
    }

    #[test]
    fn a_message_is_never_as_long_as_the_file() {
        let of = |text: &str| Diagnostic::error(Code::UnknownKey, text).message;
        let name = "ü".repeat(1_000_000);
        let message = of(&format!("no key `{name}` here"));
        assert!(message.chars().count() < 300, "{message}");
        assert!(message.starts_with("no key `ü") && message.ends_with("ü` here"));
        assert!(of(&"word ".repeat(1_000_000)).chars().count() < 2_100);
        assert_eq!(of("short"), "short");
    }

    #[test]
    fn a_flood_is_bounded_and_still_counts() {
        let mut all = Diagnostics::new();
        for start in 0..500 {
            all.push(Diagnostic::error(Code::UnknownKey, "x").label(
                SourceId(0),
                Span::new(start, 900),
                "",
            ));
        }
        assert_eq!(
            (all.len(), all.dropped(), all.has_errors()),
            (MOST, 300, true)
        );
    }

    #[test]
    fn the_same_mistake_is_kept_once() {
        let mut all = Diagnostics::new();
        for start in [7, 3, 7] {
            all.push(Diagnostic::error(Code::UnknownKey, "x").label(
                SourceId(0),
                Span::new(start, 9),
                "",
            ));
        }
        all.sort();
        assert_eq!(
            all.iter()
                .map(|d| d.labels[0].span.start)
                .collect::<Vec<_>>(),
            [3, 7]
        );
    }
}
