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
        let message = printable(message.as_ref()).into_owned();
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
        let text = printable(text.as_ref()).into_owned();
        self.labels.push(Label { source, span, text });
        self
    }

    /// With what to do.
    #[must_use]
    pub fn help(mut self, text: impl AsRef<str>) -> Self {
        self.help = Some(printable(text.as_ref()).into_owned());
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
        if self.kept.contains(&diagnostic) {
            return;
        }
        if self.kept.len() < MOST {
            self.kept.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Self) {
        self.dropped += other.dropped;
        for diagnostic in other.kept {
            self.push(diagnostic);
        }
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
    candidates
        .into_iter()
        .filter(|c| c.len() <= 64)
        .map(|c| (strsim::damerau_levenshtein(&lower, &c.to_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
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
