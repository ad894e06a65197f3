//! A value with its meaning, and the way down into it.

use std::borrow::Cow;

use serde_json::Value;

use crate::value::{Meaning, Version};

/// A value in a scope.
#[derive(Clone)]
pub(crate) struct Item<'a> {
    pub(crate) value: Cow<'a, Value>,
    pub(crate) meaning: Option<&'a Meaning>,
}

impl<'a> Item<'a> {
    pub(crate) fn new(value: &'a Value, meaning: Option<&'a Meaning>) -> Self {
        Self {
            value: Cow::Borrowed(value),
            meaning,
        }
    }

    pub(crate) fn owned(value: Value) -> Self {
        Self {
            value: Cow::Owned(value),
            meaning: None,
        }
    }

    /// The member or the element of that name.
    pub(crate) fn step(&self, name: &str) -> Option<Item<'a>> {
        if let (Some(Meaning::Version), Value::String(text)) = (self.meaning, self.value.as_ref()) {
            return Version::parse(text)?
                .member(name)
                .map(|text| Item::owned(text.into()));
        }
        let meaning = self.meaning.and_then(|meaning| meaning.part(name));
        let value = match &self.value {
            Cow::Borrowed(value) => Cow::Borrowed(child(value, name)?),
            Cow::Owned(value) => Cow::Owned(child(value, name)?.clone()),
        };
        Some(Item { value, meaning })
    }
}

fn child<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}
