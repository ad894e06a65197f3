//! Whether a value fits its type, and its normal form.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::quantity::{format_duration, format_size, parse_duration, parse_size};
use super::{Date, Field, InputType, Limited, MAX_TEXT, Version, kind_of, shown};
use crate::diagnostic::nearest;
use crate::fields::pattern;

/// As often the alternatives of a `one_of` are asked until they agree on one normal form.
const MOST_ROUNDS: usize = 8;

/// Why a value does not fit, and where in it: names of entries and positions, no values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    place: String,
    message: String,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            place: String::new(),
            message: message.into(),
        }
    }

    /// The same, seen from outside of an entry.
    pub(super) fn in_entry(self, name: &str) -> Self {
        let dot = match self.place.chars().next() {
            None | Some('[') => "",
            Some(_) => ".",
        };
        Self {
            place: format!("{}{dot}{}", shown(name), self.place),
            ..self
        }
    }

    /// The same, seen from outside of an item; positions count from 0, as in a condition.
    pub(super) fn in_item(self, at: usize) -> Self {
        let dot = match self.place.chars().next() {
            None | Some('[') => "",
            Some(_) => ".",
        };
        Self {
            place: format!("[{at}]{dot}{}", self.place),
            ..self
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.message),
            place => write!(
                f,
                "holds a value that is wrong at `{place}`: it {}",
                self.message
            ),
        }
    }
}

impl InputType {
    /// Checks a value from YAML or JSON and returns it in its normal form.
    ///
    /// # Errors
    /// What the value should be, in words that do not repeat it.
    pub fn check(&self, value: &Value) -> Result<Value, String> {
        self.fit(value).map_err(|wrong| wrong.to_string())
    }

    pub(super) fn fit(&self, value: &Value) -> Result<Value, Wrong> {
        let wrong = |wanted: &str| Err(Wrong::new(format!("{wanted}, is {}", kind_of(value))));
        match self {
            Self::String | Self::Secret => text_of(value).map(Value::from),
            Self::Int => match value.as_i64() {
                Some(number) => Ok(number.into()),
                None => wrong("should be a whole number"),
            },
            Self::Bool => match value {
                Value::Bool(_) => Ok(value.clone()),
                _ => wrong("should be `true` or `false`"),
            },
            Self::Enum(values) => {
                let text = text_of(value)?;
                if values.iter().any(|v| v == text) {
                    return Ok(text.into());
                }
                let all: Vec<_> = values.iter().map(|v| format!("`{}`", shown(v))).collect();
                Err(Wrong::new(format!("should be one of {}", all.join(", "))))
            }
            Self::Path => match text_of(value)? {
                "" => Err(Wrong::new("should be a path, is empty")),
                text => Ok(text.into()),
            },
            Self::Duration => parse_duration(text_of(value)?)
                .map(|ms| format_duration(ms).into())
                .map_err(|why| Wrong::new(format!("is {why}"))),
            // A bare number of bytes is the one unit that needs no name.
            Self::Size => match value.as_u64() {
                Some(bytes) => Ok(format_size(bytes).into()),
                None => parse_size(text_of(value)?)
                    .map(|bytes| format_size(bytes).into())
                    .map_err(|why| Wrong::new(format!("is {why}"))),
            },
            Self::Date => Date::parse(text_of(value)?)
                .map(|date| date.text().into())
                .map_err(Wrong::new),
            Self::Version => Version::parse(text_of(value)?)
                .map(|version| version.text().into())
                .ok_or_else(|| Wrong::new("should be a version like `3.7.0`")),
            Self::Host => match text_of(value)? {
                name if host_name_is_clean(name) => Ok(name.into()),
                _ => Err(Wrong::new(
                    "should be the name of a host: letters, digits, `.`, `_` and `-`, not first a `-`",
                )),
            },
            Self::List(of) => match value {
                Value::Array(items) => items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| of.fit(item).map_err(|e| e.in_item(at)))
                    .collect::<Result<_, _>>()
                    .map(Value::Array),
                _ => wrong("should be a list"),
            },
            Self::Map(of) => match value {
                Value::Object(map) => map
                    .iter()
                    .map(|(key, item)| {
                        key_is_clean(key)?;
                        Ok((key.clone(), of.fit(item).map_err(|e| e.in_entry(key))?))
                    })
                    .collect::<Result<_, _>>()
                    .map(Value::Object),
                _ => wrong("should be a map"),
            },
            Self::Object(fields) => match value {
                Value::Object(map) => object(fields, map),
                _ => wrong("should be a map"),
            },
            Self::OneOf(kinds) => one_of(kinds, value),
            Self::Variant(kinds) => variant(kinds, value),
            Self::Limited(limited) => limited.fit(value),
        }
    }
}

impl InputType {
    /// Whether its values are lists or maps.
    fn holds_parts(&self) -> bool {
        matches!(
            self.base(),
            Self::List(_) | Self::Map(_) | Self::Object(_) | Self::OneOf(_) | Self::Variant(_)
        )
    }
}

impl Limited {
    fn fit(&self, value: &Value) -> Result<Value, Wrong> {
        let value = self.kind.fit(value)?;
        if let (Some(rule), Some(text)) = (&self.pattern, value.as_str())
            && !pattern(rule).is_ok_and(|regex| regex.is_match(text))
        {
            return Err(Wrong::new("does not match its `pattern`"));
        }
        if let (Some(rule), Some(map)) = (&self.names, value.as_object())
            && !pattern(rule).is_ok_and(|regex| map.keys().all(|name| regex.is_match(name)))
        {
            return Err(Wrong::new(format!(
                "has a name that does not match `{}`",
                shown(rule)
            )));
        }
        Ok(value)
    }
}

fn object(fields: &BTreeMap<String, Field>, map: &Map<String, Value>) -> Result<Value, Wrong> {
    if let Some(name) = map.keys().find(|name| !fields.contains_key(*name)) {
        return Err(unknown_field(fields, name));
    }
    let mut out = Map::new();
    for (name, field) in fields {
        let given = map.get(name).filter(|value| !value.is_null());
        let value = match given.or(field.default.as_ref()) {
            Some(value) => field.kind.fit(value).map_err(|e| e.in_entry(name))?,
            None if field.required => {
                let help = match field.help.as_str() {
                    "" => String::new(),
                    help => format!(" ({})", shown(help)),
                };
                return Err(Wrong::new(format!("needs `{}`{help}", shown(name))));
            }
            None => continue,
        };
        out.insert(name.clone(), value);
    }
    Ok(Value::Object(out))
}

/// A name that is not known may be a value in the wrong place: where that may be a secret, it is
/// not repeated.
pub(super) fn unknown_field(fields: &BTreeMap<String, Field>, name: &str) -> Wrong {
    let known: Vec<_> = fields.keys().map(|k| format!("`{}`", shown(k))).collect();
    let which = match fields.values().any(|field| field.kind.is_secret()) {
        true => String::new(),
        false => format!(" `{}`", shown(name)),
    };
    Wrong::new(match nearest(name, fields.keys().map(String::as_str)) {
        Some(near) => format!(
            "has an unknown name{which}, perhaps `{}` is meant",
            shown(near)
        ),
        None => format!("has an unknown name{which}, there are {}", known.join(", ")),
    })
}

/// The first alternative that fits. Its normal form may fit an earlier one, which then decides.
fn one_of(kinds: &[InputType], value: &Value) -> Result<Value, Wrong> {
    let first = |value: &Value| kinds.iter().find_map(|kind| kind.fit(value).ok());
    let Some(mut normal) = first(value) else {
        let likely =
            |kind: &&InputType| kind.holds_parts() == (value.is_array() || value.is_object());
        let any = kinds.iter().any(|kind| likely(&kind));
        let told = kinds.iter().filter(|kind| !any || likely(kind));
        return Err(none_fits(told, |kind| kind.fit(value).err()));
    };
    for _ in 0..MOST_ROUNDS {
        match first(&normal) {
            Some(again) if again == normal => return Ok(normal),
            Some(again) => normal = again,
            None => break,
        }
    }
    Err(Wrong::new("can be understood in more than one way"))
}

/// A name with a value of the type that belongs to it.
fn variant(kinds: &BTreeMap<String, InputType>, value: &Value) -> Result<Value, Wrong> {
    let Some([Value::String(name), of]) = value.as_array().map(Vec::as_slice) else {
        return Err(Wrong::new(format!(
            "should be a list of two, `[NAME, value]`, is {}",
            kind_of(value)
        )));
    };
    let kind = kinds.get(name).ok_or_else(|| unknown_variant(kinds))?;
    let of = kind.fit(of).map_err(|e| e.in_item(1))?;
    Ok(Value::Array(vec![name.as_str().into(), of]))
}

pub(crate) fn unknown_variant(kinds: &BTreeMap<String, InputType>) -> Wrong {
    let all: Vec<_> = kinds
        .keys()
        .map(|name| format!("`{}`", shown(name)))
        .collect();
    Wrong::new(format!("should begin with one of {}", all.join(", ")))
}

/// What each alternative wanted.
pub(super) fn none_fits<'k>(
    kinds: impl IntoIterator<Item = &'k InputType>,
    mut why: impl FnMut(&InputType) -> Option<Wrong>,
) -> Wrong {
    let all: Vec<String> = kinds
        .into_iter()
        .filter_map(|kind| why(kind).map(|wrong| format!("as {} it {wrong}", kind.word())))
        .collect();
    Wrong::new(format!("fits no alternative: {}", all.join("; ")))
}

fn text_of(value: &Value) -> Result<&str, Wrong> {
    match value {
        Value::String(text) if text.contains('\0') => Err(Wrong::new("holds a NUL character")),
        Value::String(text) if text.len() > MAX_TEXT => Err(Wrong::new("is longer than 1 MiB")),
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Bool(_) => Err(Wrong::new(format!(
            "should be text, is {}: put it in quotes",
            kind_of(value)
        ))),
        _ => Err(Wrong::new(format!("should be text, is {}", kind_of(value)))),
    }
}

pub(super) fn key_is_clean(key: &str) -> Result<(), Wrong> {
    if key.is_empty() || key.chars().any(char::is_control) {
        return Err(Wrong::new("has an entry without a proper name"));
    }
    Ok(())
}

fn host_name_is_clean(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
