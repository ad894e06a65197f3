//! A value with its type, and the way down into it.

use std::borrow::Cow;

use serde_json::Value;

use crate::value::{InputType, Version};

/// A value in a scope; the type is known for inputs.
#[derive(Clone)]
pub(crate) struct Item<'a> {
    pub(crate) value: Cow<'a, Value>,
    pub(crate) kind: Option<&'a InputType>,
}

impl<'a> Item<'a> {
    pub(crate) fn new(value: &'a Value, kind: Option<&'a InputType>) -> Self {
        Self {
            value: Cow::Borrowed(value),
            kind,
        }
    }

    pub(crate) fn owned(value: Value) -> Self {
        Self {
            value: Cow::Owned(value),
            kind: None,
        }
    }

    /// The member or the element of that name.
    pub(crate) fn step(&self, name: &str) -> Option<Item<'a>> {
        if let (Some(InputType::Version), Value::String(text)) = (self.kind, self.value.as_ref()) {
            return Version::parse(text)?
                .member(name)
                .map(|text| Item::owned(text.into()));
        }
        let kind = self.kind.and_then(InputType::element);
        let value = match &self.value {
            Cow::Borrowed(value) => Cow::Borrowed(child(value, name)?),
            Cow::Owned(value) => Cow::Owned(child(value, name)?.clone()),
        };
        Some(Item { value, kind })
    }
}

fn child<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}
