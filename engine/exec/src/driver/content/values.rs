//! Values of a content's parts, with the arguments of one instance.

use std::collections::BTreeMap;

use runbook_lang::evaluate::Argument;
use runbook_lang::steptype::ParamValue;
use runbook_model::Value;
use runbook_model::step_type::{Param, Piece, Shape};

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
    pub(super) fn map(&self, parts: &[Piece]) -> Result<Value, String> {
        let mut all = Value::Object(serde_json::Map::new());
        for piece in parts {
            match self.value(piece)? {
                None => {}
                Some(map @ Value::Object(_)) => all = composed(all, map),
                Some(_) => return Err("the values to be set are a map".to_owned()),
            }
        }
        Ok(all)
    }

    /// None for a parameter that is not given, which is the same as an empty one.
    fn value(&self, piece: &Piece) -> Result<Option<Value>, String> {
        Ok(match piece {
            Piece::Literal(value) => Some(value.clone()),
            Piece::Param(name) => return self.param(name),
            Piece::Map(map) => {
                let mut values = serde_json::Map::new();
                for (key, piece) in map {
                    if let Some(value) = self.value(piece)? {
                        values.insert(key.clone(), value);
                    }
                }
                Some(Value::Object(values))
            }
            Piece::List(parts) => {
                let mut values = Vec::new();
                for piece in parts {
                    values.extend(self.value(piece)?);
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

/// A piece as text; of a list, the first that is given.
pub(super) fn text(piece: &Piece, arguments: &[Argument]) -> Option<String> {
    match piece {
        Piece::Literal(Value::String(text)) => Some(text.clone()),
        Piece::Literal(value) => Some(value.to_string()),
        Piece::Param(name) => match &argument(name, arguments)?.value {
            ParamValue::Text(text) => Some(text.clone()),
            ParamValue::List(_) | ParamValue::Map(_) => None,
        },
        Piece::List(parts) => {
            let mut texts = parts.iter().filter_map(|part| text(part, arguments));
            texts.find(|text| !text.is_empty())
        }
        Piece::Map(_) => None,
    }
}

/// A piece as words.
pub(super) fn words(piece: &Piece, arguments: &[Argument]) -> Vec<String> {
    match piece {
        Piece::Literal(Value::Array(words)) => words
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
        Piece::Param(name) => match argument(name, arguments).map(|argument| &argument.value) {
            Some(ParamValue::List(words)) => words.clone(),
            _ => Vec::new(),
        },
        Piece::Literal(_) | Piece::Map(_) | Piece::List(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(piece: Value) -> Result<Value, String> {
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
        let parts: Vec<Piece> = serde_json::from_value(piece).unwrap();
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
