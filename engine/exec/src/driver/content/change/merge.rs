//! Merging maps: maps merge key by key, null takes a key out, everything else replaces. It is the
//! rule of RFC 7386.

use runbook_model::Value;

/// What a value becomes.
pub(super) fn merged(now: Option<&Value>, change: &Value) -> Value {
    let Value::Object(changes) = change else {
        return change.clone();
    };
    let mut map = now.and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, change) in changes {
        match change {
            Value::Null => {
                map.remove(key);
            }
            change => {
                let value = merged(map.get(key), change);
                map.insert(key.clone(), value);
            }
        }
    }
    Value::Object(map)
}

/// One change that does what two do, one after the other.
pub(in crate::driver::content) fn composed(first: Value, then: Value) -> Value {
    match (first, then) {
        (Value::Object(mut first), Value::Object(then)) => {
            for (key, then) in then {
                let value = match first.remove(&key) {
                    Some(first) => composed(first, then),
                    None => then,
                };
                first.insert(key, value);
            }
            Value::Object(first)
        }
        (_, then) => then,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_merge_and_null_takes_out() {
        let now = json!({ "a": 1, "b": { "c": [1], "d": 2 }, "e": { "f": 1 } });
        let change = json!({ "a": null, "b": { "c": [2], "x": { "y": null, "z": 1 } }, "e": 5 });
        assert_eq!(
            merged(Some(&now), &change),
            json!({ "b": { "c": [2], "d": 2, "x": { "z": 1 } }, "e": 5 })
        );
        let then = json!({ "a": 3, "b": { "d": null } });
        assert_eq!(
            merged(Some(&now), &composed(change.clone(), then.clone())),
            merged(Some(&merged(Some(&now), &change)), &then)
        );
    }
}
