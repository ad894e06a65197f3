//! What is wrong with a text that holds names, before and during its evaluation.

use std::ops::Range;

/// A template or a condition that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// What is wrong and what to write instead.
    pub message: String,
    /// The bytes of the text that are wrong.
    pub range: Range<usize>,
}

impl ExprError {
    pub(crate) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            range,
        }
    }
}

/// A template or a condition that cannot be evaluated. It never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// What is wrong and the way out.
    pub message: String,
    /// The bytes of the text that are wrong.
    pub range: Range<usize>,
    /// The path that has no value, if that is what is wrong.
    pub missing: Option<String>,
}

impl EvalError {
    pub(crate) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            range,
            missing: None,
        }
    }

    pub(crate) fn missing(range: Range<usize>, path: String) -> Self {
        Self {
            message: format!("`{path}` has no value here"),
            range,
            missing: Some(path),
        }
    }
}

/// The byte at a line and a column, both from 1, the column in characters.
pub(crate) fn byte_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    text[start..]
        .char_indices()
        .nth(column.saturating_sub(1))
        .map_or(text.len(), |(at, _)| start + at)
}
