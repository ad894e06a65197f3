//! A value of a type, to show how one is written.

use serde_json::{Map, Value};

use super::InputType;

impl InputType {
    /// A value that fits, as JSON and so as YAML. `host` is the name of one. None where nobody can
    /// make one up: a pattern may want anything.
    #[must_use]
    pub fn example(&self, host: &str) -> Option<Value> {
        let value = self.made_up(host);
        self.check(&value).is_ok().then_some(value)
    }

    fn made_up(&self, host: &str) -> Value {
        match self.base() {
            Self::Int => 3.into(),
            Self::Bool => true.into(),
            Self::Enum(values) => values.first().map(String::as_str).unwrap_or("").into(),
            Self::String | Self::Secret | Self::Limited(_) => "text".into(),
            Self::Path => "/srv/data".into(),
            Self::Duration => "15m".into(),
            Self::Size => "10GiB".into(),
            Self::Date => "2026-03-01T22:00:00+01:00".into(),
            Self::Version => "3.8.1".into(),
            Self::Host => host.into(),
            Self::List(of) => Value::Array(vec![of.made_up(host)]),
            Self::Map(of) => {
                let entry = ("name".to_owned(), of.made_up(host));
                Value::Object(Map::from_iter([entry]))
            }
            Self::Object(fields) => {
                let required = fields.iter().filter(|(_, field)| field.required);
                let entries = required.map(|(name, field)| {
                    let default = field.default.clone();
                    let value = default.unwrap_or_else(|| field.kind.made_up(host));
                    (name.clone(), value)
                });
                Value::Object(entries.collect())
            }
            Self::Variant(kinds) => match kinds.first_key_value() {
                Some((name, kind)) => Value::Array(vec![name.clone().into(), kind.made_up(host)]),
                None => Value::Null,
            },
            Self::OneOf(kinds) => kinds.first().map_or(Value::Null, |kind| kind.made_up(host)),
        }
    }
}

/// A value as `--input name=…` takes it: `a,b` and `k=v` where that says it, else JSON.
#[must_use]
pub fn as_text(value: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
        other => Some(other.to_string()),
    };
    let in_list = |value: &Value| plain(value).filter(|text| !text.contains([',', '[', '{']));
    let short: Option<Vec<String>> = match value {
        Value::Array(items) => items.iter().map(in_list).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| Some(format!("{name}={}", in_list(value)?)))
            .collect(),
        _ => None,
    };
    let short = short.filter(|parts| !parts.is_empty());
    plain(value)
        .or_else(|| Some(short?.join(",")))
        .unwrap_or_else(|| value.to_string())
}

/// A value as a file of inputs takes it: JSON, a plain word without its quotes.
#[must_use]
pub fn as_yaml(value: &Value) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    match value.as_str() {
        Some(text)
            if text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
                && text.chars().all(word)
                && !["true", "false", "null"].contains(&text) =>
        {
            text.to_owned()
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::diagnostic::Diagnostics;
    use crate::source::Sources;
    use crate::value::{Field, Limited};
    use crate::yaml;

    fn kinds() -> Vec<InputType> {
        use InputType::{
            Bool, Date, Duration, Enum, Host, Int, List, Map, Object, OneOf, Path, Secret, Size,
            String, Version,
        };
        let plain = [
            String, Int, Bool, Path, Duration, Size, Date, Version, Host, Secret,
        ];
        let field = |kind: &InputType| Field {
            kind: kind.clone(),
            required: true,
            default: None,
            help: std::string::String::new(),
        };
        let mut all = vec![Enum(vec!["a,b".to_owned()]), OneOf(vec![Int, Bool])];
        for kind in plain {
            let boxed = || Box::new(kind.clone());
            let fields = [("one".to_owned(), field(&kind))];
            all.push(Object(BTreeMap::from(fields)));
            all.push(Map(Box::new(List(boxed()))));
            all.push(List(boxed()));
            all.push(kind);
        }
        all
    }

    #[test]
    fn an_example_fits_and_can_be_typed() {
        for kind in kinds() {
            let example = kind.example("q1").unwrap();
            assert!(kind.check(&example).is_ok(), "{kind:?}");
            let typed = kind.parse_text(&as_text(&example));
            assert_eq!(typed, kind.check(&example), "{kind:?}");
            let mut sources = Sources::new();
            let written = as_yaml(&example);
            let source = sources.add("a.yaml", written.as_bytes()).unwrap();
            let read = yaml::read(&source, &mut Diagnostics::new()).to_value();
            assert_eq!(read, example, "{written}");
        }
    }

    #[test]
    fn nothing_is_made_up_that_a_pattern_refuses() {
        let limited = |pattern: &str| {
            InputType::Limited(Box::new(Limited {
                kind: InputType::String,
                pattern: Some(pattern.to_owned()),
                names: None,
                group: None,
            }))
        };
        assert_eq!(limited("^sha256:").example("q1"), None);
        assert!(limited("^[a-z]+$").example("q1").is_some());
    }
}
