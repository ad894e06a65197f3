//! Versions, durations, sizes and dates as values of CEL: they compare by what they mean, also with
//! text.

use std::any::Any;
use std::cmp::Ordering;

use cel::ExecutionError;
use cel::common::traits::{Comparer, Indexer};
use cel::common::types::{CelInt, CelString, CelUInt, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use serde_json::Value;

use crate::value::{
    Date, Meaning, Version, format_duration, format_size, parse_duration, parse_size,
};

static VERSION: Type = Type::new_unspecified_type("version");
static DURATION: Type = Type::new_unspecified_type("duration");
static SIZE: Type = Type::new_unspecified_type("size");
static DATE: Type = Type::new_unspecified_type("timestamp");

/// A value whose order is not the order of its text.
#[derive(Clone, Debug)]
pub(super) enum Special {
    Version(Version),
    /// Milliseconds, and the text.
    Duration(u64, String),
    /// Bytes, and the text.
    Size(u64, String),
    /// An instant, and the text.
    Date(Date, String),
}

impl Special {
    /// The special value that a text of this meaning is.
    pub(super) fn of(meaning: &Meaning, value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        match meaning {
            Meaning::Version => Version::parse(text).map(Self::Version),
            Meaning::Duration => parse_duration(text).ok().map(Self::duration),
            Meaning::Size => parse_size(text).ok().map(Self::size),
            Meaning::Date => Date::parse(text).ok().map(Self::date),
            Meaning::Parts(_) => None,
        }
    }

    pub(super) fn duration(milliseconds: u64) -> Self {
        Self::Duration(milliseconds, format_duration(milliseconds))
    }

    pub(super) fn size(bytes: u64) -> Self {
        Self::Size(bytes, format_size(bytes))
    }

    pub(super) fn date(date: Date) -> Self {
        Self::Date(date, date.text())
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Version(version) => version.text(),
            Self::Duration(_, text) | Self::Size(_, text) | Self::Date(_, text) => text,
        }
    }

    /// The order against a value of the same meaning; `None` if the other has another meaning.
    pub(super) fn relate(&self, other: &dyn Val) -> Option<Ordering> {
        if let Some(other) = other.downcast_ref::<Special>() {
            return match (self, other) {
                (Self::Version(a), Self::Version(b)) => Some(a.cmp(b)),
                (Self::Duration(a, _), Self::Duration(b, _))
                | (Self::Size(a, _), Self::Size(b, _)) => Some(a.cmp(b)),
                (Self::Date(a, _), Self::Date(b, _)) => Some(a.at().cmp(&b.at())),
                _ => None,
            };
        }
        if let Some(text) = other.downcast_ref::<CelString>() {
            return match self {
                Self::Version(a) => Version::parse(text.inner()).map(|b| a.cmp(&b)),
                Self::Duration(a, _) => parse_duration(text.inner()).ok().map(|b| a.cmp(&b)),
                Self::Size(a, _) => parse_size(text.inner()).ok().map(|b| a.cmp(&b)),
                Self::Date(a, _) => Date::parse(text.inner()).ok().map(|b| a.at().cmp(&b.at())),
            };
        }
        // A size is a number of bytes; a duration has no number without a unit.
        let Self::Size(a, _) = self else { return None };
        if let Some(b) = other.downcast_ref::<CelInt>() {
            return Some(u64::try_from(*b.inner()).map_or(Ordering::Greater, |b| a.cmp(&b)));
        }
        other.downcast_ref::<CelUInt>().map(|b| a.cmp(b.inner()))
    }
}

impl Val for Special {
    fn get_type(&self) -> &Type {
        match self {
            Self::Version(_) => &VERSION,
            Self::Duration(..) => &DURATION,
            Self::Size(..) => &SIZE,
            Self::Date(..) => &DATE,
        }
    }

    fn cel_type() -> &'static Type {
        // No function takes this Rust type by its static type; the value's own type is asked.
        &VERSION
    }

    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        self.relate(other) == Some(Ordering::Equal)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Special {}

impl Comparer for Special {
    fn compare(&self, other: &dyn Val) -> Result<Ordering, ExecutionError> {
        self.relate(other).ok_or_else(|| {
            ExecutionError::no_such_overload(
                "compare",
                vec![
                    self.get_type().name().to_owned(),
                    other.get_type().name().to_owned(),
                ],
            )
        })
    }
}

impl Indexer for Special {
    fn get<'b, 'v>(&'b self, field: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = field
            .downcast_ref::<CelString>()
            .map_or("", CelString::inner);
        let member = match self {
            Self::Version(version) => version.member(name),
            _ => None,
        };
        member
            .map(|text| CowVal::owned(CelString::from(text)))
            .ok_or_else(|| ExecutionError::no_such_key(name))
    }

    fn steal<'v>(self: Box<Self>, field: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(field).map(CowVal::into_owned)
    }
}

/// The types that overloads are declared for.
pub(super) fn types() -> [&'static Type; 4] {
    [&VERSION, &DURATION, &SIZE, &DATE]
}
