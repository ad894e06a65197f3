//! Between the values of the language and those of CEL. Texts are borrowed, not copied.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::Val;
use serde_json::{Map, Number, Value};

use super::special::Special;
use crate::scope::Item;
use crate::value::Meaning;

/// A value of the scope for CEL; the meaning makes versions, durations, sizes and dates what they
/// are.
pub(super) fn to_cel<'v>(value: &'v Value, meaning: Option<&Meaning>) -> Box<dyn Val + 'v> {
    if let Some(special) = meaning.and_then(|meaning| Special::of(meaning, value)) {
        return Box::new(special);
    }
    let part = |name: &str| meaning.and_then(|meaning| meaning.part(name));
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(truth) => Box::new(CelBool::from(*truth)),
        Value::Number(number) => number_to_cel(number),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(list) => {
            let item = |(at, item)| match meaning {
                Some(_) => to_cel(item, part(&usize::to_string(&at))),
                None => to_cel(item, None),
            };
            let list: Vec<_> = list.iter().enumerate().map(item).collect();
            Box::new(CelList::from(list))
        }
        Value::Object(map) => Box::new(map_of(
            map.iter()
                .map(|(key, item)| (key.as_str(), to_cel(item, part(key)))),
        )),
    }
}

/// A value with its meaning for CEL; what was computed on the way is owned.
pub(super) fn item_to_cel(item: Item<'_>) -> Box<dyn Val + '_> {
    match item.value {
        std::borrow::Cow::Borrowed(value) => to_cel(value, item.meaning),
        std::borrow::Cow::Owned(Value::String(text)) => Box::new(CelString::from(text)),
        std::borrow::Cow::Owned(_) => Box::new(CelNull),
    }
}

/// A map of CEL from texts.
pub(super) fn map_of<'v>(
    entries: impl Iterator<Item = (&'v str, Box<dyn Val + 'v>)>,
) -> CelMap<'v> {
    let map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = entries
        .map(|(key, value)| (CelMapKey::from(key), value))
        .collect();
    CelMap::from(map)
}

fn number_to_cel<'v>(number: &Number) -> Box<dyn Val + 'v> {
    match (number.as_i64(), number.as_u64()) {
        (Some(int), _) => Box::new(CelInt::from(int)),
        (None, Some(uint)) => Box::new(CelUInt::from(uint)),
        // A number of JSON that is no integer always has a nearest double.
        (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
    }
}

/// A result of CEL as a value of the language; `None` for what has no such form.
pub(super) fn from_cel(val: &dyn Val) -> Option<Value> {
    if let Some(special) = val.downcast_ref::<Special>() {
        return Some(special.text().into());
    }
    if let Some(truth) = val.downcast_ref::<CelBool>() {
        return Some((*truth.inner()).into());
    }
    if let Some(int) = val.downcast_ref::<CelInt>() {
        return Some((*int.inner()).into());
    }
    if let Some(uint) = val.downcast_ref::<CelUInt>() {
        return Some((*uint.inner()).into());
    }
    if let Some(double) = val.downcast_ref::<CelDouble>() {
        return Number::from_f64(*double.inner()).map(Value::Number);
    }
    if let Some(text) = val.downcast_ref::<CelString>() {
        return Some(text.inner().into());
    }
    if val.downcast_ref::<CelNull>().is_some() {
        return Some(Value::Null);
    }
    if let Some(list) = val.downcast_ref::<CelList>() {
        let list: Option<Vec<_>> = list
            .inner()
            .iter()
            .map(|item| from_cel(item.as_ref()))
            .collect();
        return list.map(Value::Array);
    }
    let map = val.downcast_ref::<CelMap>()?;
    let mut entries: Vec<(String, Value)> = Vec::with_capacity(map.inner().len());
    for (key, value) in map.inner() {
        entries.push((key_text(key), from_cel(value.as_ref())?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Some(Value::Object(entries.into_iter().collect::<Map<_, _>>()))
}

/// A key of a map as text.
pub(super) fn key_text(key: &CelMapKey<'_>) -> String {
    match from_cel(key.inner()) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
