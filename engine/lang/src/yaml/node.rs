//! Nodes of the tree.

use serde_json::Value;

use crate::source::{Span, Spanned};

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it is written; of an alias, where the anchor's value is written.
    pub span: Span,
    /// The alias that brought it here.
    pub alias: Option<Span>,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// Text.
    Str {
        /// With escapes, folding and indentation resolved.
        text: String,
        /// How it is written.
        style: Style,
    },
    /// A list.
    Seq(Vec<Node>),
    /// A map; each key once.
    Map(Vec<Entry>),
    /// Something that was reported already.
    Error,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In quotes: what is between them is the text, escapes aside.
    Quoted,
    /// A block after `|` or `>`.
    Block,
}

/// A key with its place.
pub type Key = Spanned<String>;

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key, as text.
    pub key: Key,
    /// The value.
    pub value: Node,
    /// The `<<` that brought it here.
    pub merged: Option<Span>,
}

impl Node {
    /// A node that is written where it stands.
    #[must_use]
    pub fn new(kind: Kind, span: Span) -> Self {
        Self {
            span,
            alias: None,
            kind,
        }
    }

    /// A node that was reported already.
    #[must_use]
    pub fn error(span: Span) -> Self {
        Self::new(Kind::Error, span)
    }

    /// Where the file's author put it: the alias, else the value itself.
    #[must_use]
    pub fn site(&self) -> Span {
        self.alias.unwrap_or(self.span)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Str { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items, if it is a list.
    #[must_use]
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key, if it is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?
            .iter()
            .find(|e| e.key.value == key)
            .map(|e| &e.value)
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// Whether it, or something in it, was reported already.
    #[must_use]
    pub fn has_error(&self) -> bool {
        match &self.kind {
            Kind::Error => true,
            Kind::Seq(items) => items.iter().any(Self::has_error),
            Kind::Map(entries) => entries.iter().any(|e| e.value.has_error()),
            _ => false,
        }
    }

    /// Whether a text in it holds a template.
    #[must_use]
    pub fn has_template(&self) -> bool {
        match &self.kind {
            Kind::Str { text, .. } => text.contains("{{"),
            Kind::Seq(items) => items.iter().any(Self::has_template),
            Kind::Map(entries) => entries.iter().any(|e| e.value.has_template()),
            _ => false,
        }
    }

    /// The value without its places. What was reported already becomes null.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null | Kind::Error => Value::Null,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Int(n) => Value::from(*n),
            Kind::Float(n) => Value::from(*n),
            Kind::Str { text, .. } => Value::String(text.clone()),
            Kind::Seq(items) => items.iter().map(Self::to_value).collect(),
            Kind::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|e| (e.key.value.clone(), e.value.to_value()))
                    .collect(),
            ),
        }
    }

    /// Every text in it with its place, in order.
    pub fn texts(&self, found: &mut impl FnMut(&str, &Node)) {
        match &self.kind {
            Kind::Str { text, .. } => found(text, self),
            Kind::Seq(items) => items.iter().for_each(|n| n.texts(found)),
            Kind::Map(entries) => entries.iter().for_each(|e| e.value.texts(found)),
            _ => {}
        }
    }

    /// The article and noun of what it is.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a yes or no",
            Kind::Int(_) => "a number",
            Kind::Float(_) => "a number with a fraction",
            Kind::Str { .. } => "a text",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Error => "a mistake",
        }
    }
}
