//! Values of a content's parts, with the arguments of one instance.

use std::collections::BTreeMap;

use runbook_lang::evaluate::Argument;
use runbook_lang::steptype::ParamValue;
use runbook_model::Value;
use runbook_model::step_type::{Param, Part, Shape};

use super::change::composed;

/// Where values come from.
pub(super) struct Values<'a> {
    /// The parameters of the type.
    pub(super) params: &'a BTreeMap<String, Param>,
    /// What they are for this instance.
    pub(super) arguments: &'a [Argument],
}

impl Values<'_> {
    /// Maps, the later over the earlier. Nothing is an empty map.
    ///
    /// # Errors
    /// What is not a map; values are not repeated.
    pub(super) fn map(&self, parts: &[Part]) -> Result<Value, String> {
        let mut all = Value::Object(serde_json::Map::new());
        for part in parts {
            match self.value(part)? {
                None => {}
                Some(map @ Value::Object(_)) => all = composed(all, map),
                Some(_) => return Err("the values to be set are a map".to_owned()),
            }
        }
        Ok(all)
    }

    /// None for a parameter that is not given, which is the same as an empty one.
    fn value(&self, part: &Part) -> Result<Option<Value>, String> {
        Ok(match part {
            Part::Literal(value) => Some(value.clone()),
            Part::Param(name) => return self.param(name),
            Part::Map(map) => {
                let mut values = serde_json::Map::new();
                for (key, part) in map {
                    if let Some(value) = self.value(part)? {
                        values.insert(key.clone(), value);
                    }
                }
                Some(Value::Object(values))
            }
            Part::List(parts) => {
                let mut values = Vec::new();
                for part in parts {
                    values.extend(self.value(part)?);
                }
                Some(Value::Array(values))
            }
        })
    }

    fn param(&self, name: &str) -> Result<Option<Value>, String> {
        let bad = || format!("the value of `{name}` cannot be read");
        let text = match argument(name, self.arguments).map(|argument| &argument.value) {
            None => return Ok(None),
            Some(ParamValue::List(words)) if words.is_empty() => return Ok(None),
            Some(ParamValue::Map(pairs)) if pairs.is_empty() => return Ok(None),
            Some(ParamValue::List(words)) => return Ok(Some(Value::from(words.clone()))),
            Some(ParamValue::Map(pairs)) => {
                let pair =
                    |(key, value): &(String, String)| (key.clone(), Value::from(value.as_str()));
                return Ok(Some(Value::Object(pairs.iter().map(pair).collect())));
            }
            Some(ParamValue::Text(text)) if text.is_empty() => return Ok(None),
            Some(ParamValue::Text(text)) => text,
        };
        let value = match self.params.get(name).map(|param| param.shape) {
            Some(Shape::Json | Shape::Int | Shape::Bool | Shape::Duration | Shape::Size) => {
                serde_json::from_str(text).map_err(|_| bad())?
            }
            _ => Value::from(text.as_str()),
        };
        Ok(Some(value))
    }
}

/// The argument of a parameter.
pub(super) fn argument<'a>(name: &str, arguments: &'a [Argument]) -> Option<&'a Argument> {
    arguments.iter().find(|argument| argument.name == name)
}

/// A part as text.
pub(super) fn text(part: &Part, arguments: &[Argument]) -> Option<String> {
    match part {
        Part::Literal(Value::String(text)) => Some(text.clone()),
        Part::Literal(value) => Some(value.to_string()),
        Part::Param(name) => match &argument(name, arguments)?.value {
            ParamValue::Text(text) => Some(text.clone()),
            ParamValue::List(_) | ParamValue::Map(_) => None,
        },
        Part::Map(_) | Part::List(_) => None,
    }
}

/// A part as words.
pub(super) fn words(part: &Part, arguments: &[Argument]) -> Vec<String> {
    match part {
        Part::Literal(Value::Array(words)) => words
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
        Part::Param(name) => match argument(name, arguments).map(|argument| &argument.value) {
            Some(ParamValue::List(words)) => words.clone(),
            _ => Vec::new(),
        },
        Part::Literal(_) | Part::Map(_) | Part::List(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(part: Value) -> Result<Value, String> {
        let params = [
            ("port", Shape::Int),
            ("on", Shape::Bool),
            ("name", Shape::String),
            ("words", Shape::List),
            ("more", Shape::Json),
            ("none", Shape::Json),
        ];
        let params = params.map(|(name, shape)| {
            let param = serde_json::from_value(json!({ "type": shape })).unwrap();
            (name.to_owned(), param)
        });
        let text = |text: &str| ParamValue::Text(text.to_owned());
        let arguments = [
            ("port", text("443")),
            ("on", text("false")),
            ("name", text("443")),
            ("words", ParamValue::List(vec!["a".to_owned()])),
            ("more", text(r#"{"deep":{"x":[1]},"gone":null}"#)),
            ("none", text("")),
        ];
        let arguments = arguments.map(|(name, value)| Argument {
            name: name.to_owned(),
            value,
            secret: false,
        });
        let parts: Vec<Part> = serde_json::from_value(part).unwrap();
        let all = Values {
            params: &params.into_iter().collect(),
            arguments: &arguments,
        };
        all.map(&parts)
    }

    #[test]
    fn parameters_keep_their_type() {
        let param = |name: &str| json!({ "param": name });
        let map = json!({ "map": { "port": param("port"), "on": param("on"), "name": param("name"), "none": param("none"),
            "words": { "list": [param("words"), { "literal": 1 }] }, "deep": { "literal": { "x": 0, "y": 1 } } } });
        assert_eq!(
            values(json!([map, param("more"), param("none")])),
            Ok(
                json!({ "port": 443, "on": false, "name": "443", "words": [["a"], 1], "deep": { "x": [1], "y": 1 }, "gone": null })
            )
        );
        assert_eq!(values(json!([])), Ok(json!({})));
        assert!(values(json!([param("port")])).is_err());
    }
}
