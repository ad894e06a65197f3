//! What a value means beyond its JSON: that a text is a version, a duration, a size or a date.
//!
//! A type may leave open what a value is (`one_of`); the meaning belongs to one value and does not.
//! It is found once, and stays with the value through every member and element.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::InputType;

/// The meaning of a value, or of parts of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// The text is a version.
    Version,
    /// The text is a duration.
    Duration,
    /// The text is a size.
    Size,
    /// The text is a date.
    Date,
    /// Entries by name, or items by position, that have a meaning; others have none.
    Parts(BTreeMap<String, Meaning>),
}

impl Meaning {
    /// The meaning of a value that fits its type; none if it is what its JSON is.
    pub fn of(kind: &InputType, value: &Value) -> Option<Self> {
        match (kind.base(), value) {
            (InputType::Version, Value::String(_)) => Some(Self::Version),
            (InputType::Duration, Value::String(_)) => Some(Self::Duration),
            (InputType::Size, Value::String(_)) => Some(Self::Size),
            (InputType::Date, Value::String(_)) => Some(Self::Date),
            (InputType::List(of), Value::Array(items)) => Self::parts(
                items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| (at.to_string(), Self::of(of, item))),
            ),
            (InputType::Map(of), Value::Object(map)) => Self::parts(
                map.iter()
                    .map(|(name, item)| (name.clone(), Self::of(of, item))),
            ),
            (InputType::Object(fields), Value::Object(map)) => {
                Self::parts(map.iter().filter_map(|(name, item)| {
                    Some((name.clone(), Self::of(&fields.get(name)?.kind, item)))
                }))
            }
            (InputType::Variant(kinds), Value::Array(pair)) => match pair.as_slice() {
                [Value::String(name), of] => {
                    let meaning = kinds.get(name).and_then(|kind| Self::of(kind, of));
                    Self::parts([("1".to_owned(), meaning)])
                }
                _ => None,
            },
            (InputType::OneOf(kinds), _) => {
                let fits = kinds.iter().find(|kind| kind.check(value).is_ok())?;
                Self::of(fits, value)
            }
            _ => None,
        }
    }

    /// The meaning of a map or a list from those of its parts.
    pub fn parts(parts: impl IntoIterator<Item = (String, Option<Meaning>)>) -> Option<Self> {
        let parts: BTreeMap<_, _> = parts
            .into_iter()
            .filter_map(|(name, meaning)| Some((name, meaning?)))
            .collect();
        (!parts.is_empty()).then_some(Self::Parts(parts))
    }

    /// The meaning of a part.
    pub fn part(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Parts(parts) => parts.get(name),
            _ => None,
        }
    }
}
