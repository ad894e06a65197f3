//! Tests as data: of step types, in their files, and scenarios of runbooks, in files beside them.

mod scenario;
mod typetest;

use serde_json::Value;

use crate::fields::{Cx, Fields, name_holds};
use crate::keys::Name;
use crate::source::Spanned;
use crate::yaml::{Kind, Node};

pub use scenario::{
    Expected, Fact, FactOf, Outcome, Reply, Result, Scenario, Scenarios, parse_scenarios,
};
pub use typetest::{Answer, Said, TypeTest, parse_tests};

/// What stands for the directory of a test.
pub const SCRATCH: &str = "{{scratch}}";

/// A text that other texts are compared with: `*` stands for any text in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(pub String);

impl Glob {
    /// Whether a text fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
            return false;
        };
        let mut pieces: Vec<&str> = pieces.collect();
        let Some(last) = pieces.pop() else {
            return rest.is_empty();
        };
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// The same with the directory of the test in its place.
    #[must_use]
    pub fn at(&self, scratch: &str) -> Self {
        Self(self.0.replace(SCRATCH, scratch))
    }
}

/// A command, word by word; a last word `...` stands for any further words. What it gets as input may
/// follow behind `<<<`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The name and the arguments.
    pub words: Vec<Glob>,
    /// The input, if it is looked at.
    pub input: Option<Glob>,
}

impl Words {
    /// From texts as they are written.
    #[must_use]
    pub fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut words: Vec<Glob> = texts.into_iter().map(Glob).collect();
        let mut input = None;
        if let Some(at) = words.len().checked_sub(2)
            && words[at].0 == "<<<"
        {
            input = words.pop();
            words.truncate(at);
        }
        Self { words, input }
    }

    /// The name of the command.
    #[must_use]
    pub fn name(&self) -> &str {
        self.words.first().map_or("", |word| &word.0)
    }

    /// The words that are there, and whether others may follow.
    #[must_use]
    pub fn parts(&self) -> (&[Glob], bool) {
        match self.words.split_last() {
            Some((last, before)) if last.0 == "..." => (before, true),
            _ => (&self.words, false),
        }
    }

    /// Whether a call with its input fits.
    #[must_use]
    pub fn fits(&self, call: &[String], input: &str) -> bool {
        let (words, more) = self.parts();
        let long = call.len() >= words.len() && (more || call.len() == words.len());
        long && words.iter().zip(call).all(|(word, text)| word.fits(text))
            && self.input.as_ref().is_none_or(|glob| glob.fits(input))
    }

    /// The same with the directory of the test in its place.
    #[must_use]
    pub fn at(&self, scratch: &str) -> Self {
        Self {
            words: self.words.iter().map(|word| word.at(scratch)).collect(),
            input: self.input.as_ref().map(|glob| glob.at(scratch)),
        }
    }
}

/// A value with the directory of the test in its place.
#[must_use]
pub fn value_at(value: &Value, scratch: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(SCRATCH, scratch)),
        Value::Array(items) => items.iter().map(|item| value_at(item, scratch)).collect(),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), value_at(value, scratch)))
                .collect(),
        ),
        plain => plain.clone(),
    }
}

/// Texts and numbers as they are written. The table has seen that there is nothing else.
fn texts_of(cx: &Cx<'_>, node: &Node) -> Vec<String> {
    let text = |word: &Node| match &word.kind {
        Kind::Str { text, .. } => Some(text.clone()),
        Kind::Int(_) => Some(cx.source.slice(word.span).to_owned()),
        _ => None,
    };
    let items = node.as_seq().unwrap_or_default();
    items.iter().filter_map(text).collect()
}

/// The words of a command.
fn words(cx: &mut Cx<'_>, node: &Node) -> Option<Words> {
    let words = Words::new(texts_of(cx, node));
    match is_command(words.name()) {
        true => Some(words),
        false => {
            cx.error(
                crate::diagnostic::Code::BadValue,
                "a command begins with its name, without a path",
                node.site(),
                "",
                None,
            );
            None
        }
    }
}

fn is_command(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    !name.is_empty() && name.len() <= 64 && !name.starts_with(['-', '.']) && name.chars().all(plain)
}

/// Commands by name only.
fn commands(cx: &mut Cx<'_>, fields: &Fields<'_>, key: &str) -> Vec<String> {
    let mut names = Vec::new();
    for text in fields.texts(key) {
        match is_command(&text.value) {
            true => names.push(text.value),
            false => _ = name_holds(cx, Name::Id, &text.value, text.span),
        }
    }
    names
}

/// Values by name.
fn values(fields: &Fields<'_>, key: &str) -> Vec<(Spanned<String>, Value)> {
    fields
        .map(key)
        .into_iter()
        .map(|entry| (entry.key.clone(), entry.value.to_value()))
        .collect()
}

#[cfg(test)]
mod tests;
