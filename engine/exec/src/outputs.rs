//! Outputs as scripts write them, text, turned into the types that the step type declares.

use std::collections::BTreeMap;

use runbook_model::step_type::{Output, Shape};
use runbook_model::{StepType, Value};

/// How deep lists and objects of an output may nest: the journal has a limit of its own, and a
/// host must not be able to reach it.
const DEEPEST: usize = 48;

/// Typed outputs: what may be journaled, and what may not.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Outputs {
    /// For everybody.
    pub(crate) plain: BTreeMap<String, Value>,
    /// Kept in memory only.
    pub(crate) secret: BTreeMap<String, Value>,
}

/// Types the outputs of a script.
///
/// # Errors
/// An output that the type does not declare, or whose text is not of its type; the text itself is
/// not repeated if it is secret.
pub(crate) fn typed(step_type: &StepType, raw: &[(String, String)]) -> Result<Outputs, String> {
    let mut outputs = Outputs::default();
    for (name, text) in raw {
        let Some(schema) = step_type.outputs.get(name) else {
            return Err(format!(
                "`{}` wrote an output `{name}`, which it does not declare",
                step_type.name
            ));
        };
        let value = one(schema, text).map_err(|wanted| match schema.secret {
            true => format!("output `{name}` is not {wanted}"),
            false => format!("output `{name}` is not {wanted}: `{}`", clipped(text)),
        })?;
        let target = if schema.secret {
            &mut outputs.secret
        } else {
            &mut outputs.plain
        };
        target.insert(name.clone(), value);
    }
    Ok(outputs)
}

fn one(schema: &Output, text: &str) -> Result<Value, &'static str> {
    match schema.shape {
        Shape::Int | Shape::Size => text
            .trim()
            .parse::<i64>()
            .map(Value::from)
            .map_err(|_| "a whole number"),
        Shape::Bool => match text.trim() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err("`true` or `false`"),
        },
        Shape::Json => match serde_json::from_str(text) {
            Ok(value) if !is_deep(&value, DEEPEST) => Ok(value),
            Ok(_) => Err("JSON that anybody reads: it nests too deep"),
            Err(_) => Err("JSON"),
        },
        Shape::List => match serde_json::from_str(text) {
            Ok(list @ Value::Array(_)) if !is_deep(&list, DEEPEST) => Ok(list),
            _ => Err("a JSON list"),
        },
        Shape::Map => match serde_json::from_str(text) {
            Ok(map @ Value::Object(_)) if !is_deep(&map, DEEPEST) => Ok(map),
            _ => Err("a JSON object"),
        },
        Shape::String | Shape::Enum | Shape::Path | Shape::Duration => Ok(Value::from(text)),
    }
}

fn is_deep(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| is_deep(item, left - 1)),
        Value::Object(map) => left == 0 || map.values().any(|item| is_deep(item, left - 1)),
        _ => false,
    }
}

fn clipped(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step_type() -> StepType {
        serde_json::from_value(serde_json::json!({
            "name": "demo", "summary": "", "origin": "shipped", "kind": "probe", "params": {},
            "check_timeout_ms": 1, "apply_timeout_ms": 1,
            "outputs": {
                "count": { "type": "int" }, "all": { "type": "list" },
                "key": { "type": "string", "secret": true }, "on": { "type": "bool" },
            },
        }))
        .unwrap()
    }

    fn run(name: &str, text: &str) -> Result<Outputs, String> {
        typed(&step_type(), &[(name.to_owned(), text.to_owned())])
    }

    #[test]
    fn texts_become_typed_values() {
        assert_eq!(run("count", "12\n").unwrap().plain["count"], 12);
        assert_eq!(
            run("all", "[\"a\"]").unwrap().plain["all"],
            serde_json::json!(["a"])
        );
        assert_eq!(run("on", "true").unwrap().plain["on"], true);
    }

    #[test]
    fn what_is_not_of_its_type_is_an_error() {
        assert!(run("count", "many").err().unwrap().contains("`many`"));
        assert!(run("all", "{}").is_err());
        assert!(
            run("other", "1")
                .err()
                .unwrap()
                .contains("does not declare")
        );
    }

    #[test]
    fn what_nests_too_deep_is_an_error() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(run("all", &nested(40)).is_ok());
        assert!(run("all", &nested(60)).is_err());
    }

    #[test]
    fn secrets_are_kept_apart() {
        let outputs = run("key", "hunter2").unwrap();
        assert!(outputs.plain.is_empty());
        assert_eq!(outputs.secret["key"], "hunter2");
    }
}
