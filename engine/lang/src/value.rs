//! Values and their types: what an input may be, how it is read from a command line and from YAML.
//!
//! Every value of the language is a [`serde_json::Value`]. A type checks a value and brings it
//! into its one normal form: versions without `v`, durations, sizes and dates in canonical text,
//! objects with the defaults of their fields. The normal form of a normal form is itself.
//! Messages never repeat the value: it may be a secret.

mod check;
mod date;
mod example;
mod given;
mod json;
mod meaning;
mod quantity;
mod shown;
#[cfg(test)]
mod tests;
mod version;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use date::Date;
pub use example::{as_text, as_yaml};
pub use meaning::Meaning;
pub use quantity::{format_duration, format_size, parse_duration, parse_size};
pub(crate) use shown::shown;
pub use version::Version;

/// Longest text that an input may hold, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// The type of an input or of a variable in an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    /// Any text without NUL.
    String,
    /// A whole number that fits 64 bits with sign.
    Int,
    /// `true` or `false`.
    Bool,
    /// One of the texts listed.
    Enum(Vec<String>),
    /// A path on the controller or on a host: text, not empty.
    Path,
    /// A length of time: `90s`, `1h30m`.
    Duration,
    /// A number of bytes: `10GiB`, `512MB`, `1024`.
    Size,
    /// An instant: `2026-03-01T22:00:00+01:00`, or with its zone in brackets.
    Date,
    /// A version: `3.7.0`; a leading `v` is ignored.
    Version,
    /// The name of a host.
    Host,
    /// Text that is never shown.
    Secret,
    /// A map from names to values of one type.
    Map(Box<InputType>),
    /// A list of values of one type.
    List(Box<InputType>),
    /// A map with these names and no others.
    Object(BTreeMap<String, Field>),
    /// The first of these types that fits.
    OneOf(Vec<InputType>),
    /// A list of two: one of these names, and a value of its type.
    Variant(BTreeMap<String, InputType>),
    /// A type with something more that its values must be.
    Limited(Box<Limited>),
}

/// What more the values of a type must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limited {
    /// The type.
    pub kind: InputType,
    /// A regular expression that a text matches; it compiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// A regular expression that the names of a map match; it compiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
    /// The group that a host belongs to. Whether it does is for those to say who know the
    /// inventory: see [`InputType::hosts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// A name in an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its type.
    pub kind: InputType,
    /// It must be there.
    #[serde(default)]
    pub required: bool,
    /// What it is when it is not there; it fits the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
}

impl InputType {
    /// The type without what limits it.
    pub fn base(&self) -> &InputType {
        match self {
            Self::Limited(limited) => limited.kind.base(),
            kind => kind,
        }
    }

    /// The word for it, as `type` takes it.
    pub fn word(&self) -> &'static str {
        match self.base() {
            Self::String => "string",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Enum(_) => "enum",
            Self::Path => "path",
            Self::Duration => "duration",
            Self::Size => "size",
            Self::Date => "date",
            Self::Version => "version",
            Self::Host => "host",
            Self::Secret => "secret",
            Self::Map(_) => "map",
            Self::List(_) => "list",
            Self::Object(_) => "object",
            Self::Variant(_) => "variant",
            Self::OneOf(_) | Self::Limited(_) => "one_of",
        }
    }

    /// Whether a value of this type is, or holds, something that must never be shown.
    pub fn is_secret(&self) -> bool {
        match self.base() {
            Self::Secret => true,
            Self::Map(of) | Self::List(of) => of.is_secret(),
            Self::Object(fields) => fields.values().any(|field| field.kind.is_secret()),
            Self::OneOf(kinds) => kinds.iter().any(Self::is_secret),
            Self::Variant(kinds) => kinds.values().any(Self::is_secret),
            _ => false,
        }
    }

    /// Every name of a host in a value that fits, with the group that it must belong to.
    pub fn hosts<'a>(&'a self, value: &'a Value, found: &mut dyn FnMut(&'a str, Option<&'a str>)) {
        self.hosts_in(value, None, found);
    }

    fn hosts_in<'a>(
        &'a self,
        value: &'a Value,
        group: Option<&'a str>,
        found: &mut dyn FnMut(&'a str, Option<&'a str>),
    ) {
        match (self, value) {
            (Self::Limited(limited), _) => {
                limited
                    .kind
                    .hosts_in(value, limited.group.as_deref().or(group), found);
            }
            (Self::Host, Value::String(name)) => found(name, group),
            (Self::List(of), Value::Array(items)) => {
                items.iter().for_each(|item| of.hosts_in(item, None, found));
            }
            (Self::Map(of), Value::Object(map)) => {
                map.values().for_each(|item| of.hosts_in(item, None, found));
            }
            (Self::Object(fields), Value::Object(map)) => {
                for (name, item) in map {
                    if let Some(field) = fields.get(name) {
                        field.kind.hosts_in(item, None, found);
                    }
                }
            }
            (Self::OneOf(kinds), _) => {
                if let Some(kind) = kinds.iter().find(|kind| kind.check(value).is_ok()) {
                    kind.hosts_in(value, None, found);
                }
            }
            (Self::Variant(kinds), Value::Array(pair)) => {
                if let [Value::String(name), of] = pair.as_slice()
                    && let Some(kind) = kinds.get(name)
                {
                    kind.hosts_in(of, None, found);
                }
            }
            _ => {}
        }
    }
}

/// What a value is, for a message: `text`, `a list`.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
