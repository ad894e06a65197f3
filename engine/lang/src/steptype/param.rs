//! Values as a script gets them.

use std::fmt;

use runbook_model::step_type::{Param, Shape};
use serde_json::Value;

use super::schema;
use crate::fields::pattern;
use crate::value::{kind_of, parse_duration, parse_size};

/// The value of a parameter, as the shell sees it.
#[derive(Clone, PartialEq, Eq)]
pub enum ParamValue {
    /// One text.
    Text(String),
    /// Words.
    List(Vec<String>),
    /// Names with texts, in order.
    Map(Vec<(String, String)>),
}

/// Never the value itself: it may be a secret.
impl fmt::Debug for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "text of {} bytes", text.len()),
            Self::List(words) => write!(f, "list of {}", words.len()),
            Self::Map(pairs) => write!(f, "map of {}", pairs.len()),
        }
    }
}

impl ParamValue {
    /// What a parameter is that was not given.
    #[must_use]
    pub fn absent(shape: Shape) -> Self {
        match shape {
            Shape::List => Self::List(Vec::new()),
            Shape::Map => Self::Map(Vec::new()),
            _ => Self::Text(String::new()),
        }
    }
}

/// Brings a value into the form that a script gets. Nothing (null) is the default, else absent.
///
/// # Errors
/// What the value should be; a value of a secret parameter is never repeated.
pub fn coerce(param: &Param, value: &Value) -> Result<ParamValue, String> {
    let value = match value {
        Value::Null => match &param.default {
            Some(default) if !default.is_null() => default,
            _ if param.required => return Err("is required, and nothing is given".to_owned()),
            _ => return Ok(ParamValue::absent(param.shape)),
        },
        value => value,
    };
    let text = |text: String| checked(param, text).map(ParamValue::Text);
    match param.shape {
        Shape::String => text(scalar(value)?),
        Shape::Path => match scalar(value)? {
            path if path.is_empty() => Err("is a path, and empty".to_owned()),
            path => text(path),
        },
        Shape::Int => match value {
            Value::String(s) => s
                .parse::<i64>()
                .map_err(|_| wanted(param, "a whole number", value))
                .map(|n| n.to_string()),
            value => value
                .as_i64()
                .map(|n| n.to_string())
                .ok_or_else(|| wanted(param, "a whole number", value)),
        }
        .and_then(text),
        Shape::Bool => match value {
            Value::Bool(b) => text(b.to_string()),
            Value::String(s) if s == "true" || s == "false" => text(s.clone()),
            _ => Err(wanted(param, "`true` or `false`", value)),
        },
        Shape::Enum => {
            let word = scalar(value)?;
            let words: Vec<_> = param.values.iter().map(|v| format!("`{v}`")).collect();
            if param.values.contains(&word) {
                text(word)
            } else {
                Err(wanted(param, &crate::fields::one_of(&words), value))
            }
        }
        Shape::Duration => {
            let ms = match value {
                Value::String(s) => parse_duration(s).map_err(|why| format!("is {why}"))?,
                Value::Number(n) => return Err(format!("needs a unit: `{n}s` for seconds")),
                _ => return Err(wanted(param, "a duration", value)),
            };
            match ms % 1_000 {
                0 => text((ms / 1_000).to_string()),
                _ => Err("is a duration of whole seconds".to_owned()),
            }
        }
        Shape::Size => match value {
            Value::String(s) => parse_size(s)
                .map_err(|why| format!("is {why}"))
                .and_then(|n| text(n.to_string())),
            value => value
                .as_u64()
                .ok_or_else(|| wanted(param, "a size", value))
                .and_then(|n| text(n.to_string())),
        },
        Shape::List => list(param, value),
        Shape::Map => match value {
            Value::Object(map) => map
                .iter()
                .map(|(name, value)| Ok((name_of(name)?, checked(param, scalar(value)?)?)))
                .collect::<Result<_, _>>()
                .map(ParamValue::Map),
            _ => Err(wanted(param, "a map", value)),
        },
        Shape::Json => match &param.schema {
            Some(schema) => schema::fit(schema, value).map(|value| value.to_string()),
            None => Ok(value.to_string()),
        }
        .map(ParamValue::Text),
    }
}

/// One value is a list of one; of a map (a group, say) the names are taken.
fn list(param: &Param, value: &Value) -> Result<ParamValue, String> {
    let words = match value {
        Value::Array(items) => items
            .iter()
            .map(|item| checked(param, scalar(item)?))
            .collect::<Result<_, _>>()?,
        Value::Object(map) => map
            .keys()
            .map(|name| checked(param, name.clone()))
            .collect::<Result<_, _>>()?,
        one => vec![checked(param, scalar(one)?)?],
    };
    Ok(ParamValue::List(words))
}

/// The name of an entry of a map: it becomes the part before `=`.
fn name_of(name: &str) -> Result<String, String> {
    match name {
        "" => Err("has an entry without a name".to_owned()),
        name if name.contains(['=', '\0']) => Err("has a name with `=` or NUL in it".to_owned()),
        name => Ok(name.to_owned()),
    }
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::String(s) => Ok(s.clone()),
        Value::Bool(b) => Ok(b.to_string()),
        Value::Number(n) => Ok(n.to_string()),
        other => Err(format!("should be text, is {}", kind_of(other))),
    }
}

/// No shell variable holds NUL, whatever the schema says.
fn checked(param: &Param, text: String) -> Result<String, String> {
    if text.contains('\0') {
        return Err("holds a NUL character".to_owned());
    }
    let Some(rule) = &param.pattern else {
        return Ok(text);
    };
    match pattern(rule) {
        Ok(regex) if regex.is_match(&text) => Ok(text),
        Ok(_) if param.secret => Err("does not match the pattern of the parameter".to_owned()),
        Ok(_) => Err(format!("does not match `{rule}`: `{}`", shortened(&text))),
        Err(why) => Err(format!("cannot be checked, its pattern is wrong: {why}")),
    }
}

fn wanted(param: &Param, wanted: &str, value: &Value) -> String {
    match value {
        Value::String(text) if !param.secret => {
            format!("should be {wanted}, is `{}`", shortened(text))
        }
        other => format!("should be {wanted}, is {}", kind_of(other)),
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn param(shape: Shape) -> Param {
        let values = vec!["open".to_owned(), "closed".to_owned()];
        Param {
            shape,
            required: false,
            default: None,
            help: String::new(),
            pattern: None,
            values,
            secret: false,
            schema: None,
        }
    }

    fn text(shape: Shape, value: Value) -> Result<String, String> {
        match coerce(&param(shape), &value)? {
            ParamValue::Text(text) => Ok(text),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn scalars_become_text() {
        assert_eq!(
            text(Shape::String, json!("a'$(b)\n-c")),
            Ok("a'$(b)\n-c".into())
        );
        assert_eq!(text(Shape::String, json!(443)), Ok("443".into()));
        assert_eq!(text(Shape::Int, json!("-7")), Ok("-7".into()));
        assert_eq!(
            text(Shape::Int, json!(1.5)).unwrap_err(),
            "should be a whole number, is a number"
        );
        assert_eq!(
            text(Shape::Bool, json!("yes")).unwrap_err(),
            "should be `true` or `false`, is `yes`"
        );
        assert_eq!(
            text(Shape::Enum, json!("opne")).unwrap_err(),
            "should be `open` or `closed`, is `opne`"
        );
        assert_eq!(text(Shape::Duration, json!("1h30m")), Ok("5400".into()));
        assert_eq!(
            text(Shape::Duration, json!(5)).unwrap_err(),
            "needs a unit: `5s` for seconds"
        );
        assert!(text(Shape::Duration, json!("1500ms")).is_err());
        assert_eq!(text(Shape::Size, json!("10GiB")), Ok("10737418240".into()));
        assert_eq!(text(Shape::Size, json!(1024)), Ok("1024".into()));
        assert_eq!(
            text(Shape::Json, json!({"a": [1, "b"]})),
            Ok(r#"{"a":[1,"b"]}"#.into())
        );
        assert!(text(Shape::Path, json!("")).is_err());
        assert!(text(Shape::String, json!("a\0b")).is_err());
        assert!(text(Shape::String, json!(["a"])).is_err());
    }

    #[test]
    fn lists_and_maps_become_words() {
        let list = |v| coerce(&param(Shape::List), &v);
        assert_eq!(
            list(json!(["a b", 1])),
            Ok(ParamValue::List(vec!["a b".into(), "1".into()]))
        );
        assert_eq!(list(json!("a")), Ok(ParamValue::List(vec!["a".into()])));
        assert_eq!(
            list(json!({"q1": {}, "q2": {}})),
            Ok(ParamValue::List(vec!["q1".into(), "q2".into()]))
        );
        assert!(list(json!([["a"]])).is_err());
        let map = |v| coerce(&param(Shape::Map), &v);
        assert_eq!(
            map(json!({"A": "b=c"})),
            Ok(ParamValue::Map(vec![("A".into(), "b=c".into())]))
        );
        assert!(map(json!({"A=": "b"})).is_err());
        assert!(map(json!(["A"])).is_err());
    }

    #[test]
    fn nothing_is_the_default_or_absent_or_an_error() {
        assert_eq!(
            coerce(&param(Shape::Map), &Value::Null),
            Ok(ParamValue::Map(Vec::new()))
        );
        let with_default = Param {
            default: Some(json!("30d")),
            ..param(Shape::Duration)
        };
        assert_eq!(
            coerce(&with_default, &Value::Null),
            Ok(ParamValue::Text("2592000".into()))
        );
        let required = Param {
            required: true,
            ..param(Shape::String)
        };
        assert!(coerce(&required, &Value::Null).is_err());
    }

    #[test]
    fn a_secret_is_not_repeated() {
        let secret = Param {
            secret: true,
            pattern: Some("^x$".into()),
            ..param(Shape::String)
        };
        let message = coerce(&secret, &json!("hunter2")).unwrap_err();
        assert!(!message.contains("hunter2"));
        let number = Param {
            secret: true,
            ..param(Shape::Int)
        };
        assert!(
            !coerce(&number, &json!("hunter2"))
                .unwrap_err()
                .contains("hunter2")
        );
        let kept = coerce(
            &Param {
                pattern: None,
                ..secret
            },
            &json!("hunter2"),
        )
        .unwrap();
        assert!(!format!("{kept:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn text_arrives_as_it_is(s in "[^\u{0}]*") {
            prop_assert_eq!(text(Shape::String, json!(s.clone())), Ok(s));
        }
    }
}
