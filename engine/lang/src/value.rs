//! Values and their types: what an input may be, how it is read from a command line and from YAML.
//!
//! Every value of the language is a [`serde_json::Value`]. A type checks a value and brings it
//! into its one normal form: versions without `v`, durations and sizes in canonical text.
//! Messages never repeat the value: it may be a secret.

mod quantity;
mod shown;
mod version;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use quantity::{format_duration, format_size, parse_duration, parse_size};
pub(crate) use shown::shown;
pub use version::Version;

/// Longest text that an input may hold, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

/// The type of an input or of a variable in an inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputType {
    /// Any text without NUL.
    String,
    /// A whole number that fits 64 bits with sign.
    Int,
    /// `true` or `false`.
    Bool,
    /// One of the texts listed.
    Enum(Vec<String>),
    /// A path on the controller or on a host: text, not empty.
    Path,
    /// A length of time: `90s`, `1h30m`.
    Duration,
    /// A number of bytes: `10GiB`, `512MB`, `1024`.
    Size,
    /// A version: `3.7.0`; a leading `v` is ignored.
    Version,
    /// The name of a host.
    Host,
    /// Text that is never shown.
    Secret,
    /// A map from names to values of one type.
    Map(Box<InputType>),
    /// A list of values of one type.
    List(Box<InputType>),
}

impl InputType {
    /// Reads the text of `--input name=text`.
    ///
    /// A list is written `a,b,c` and a map `k=v,k2=v2`.
    ///
    /// # Errors
    /// What the text should be, in words that do not repeat it.
    pub fn parse_text(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::Int => text
                .parse::<i64>()
                .map(Value::from)
                .map_err(|_| "should be a whole number".to_owned()),
            Self::Bool => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err("should be `true` or `false`".to_owned()),
            },
            Self::List(_) if text.is_empty() => Ok(Value::Array(Vec::new())),
            Self::List(of) => text
                .split(',')
                .map(|item| of.parse_text(item))
                .collect::<Result<_, _>>()
                .map(Value::Array)
                .map_err(|e| of.inside(e)),
            Self::Map(_) if text.is_empty() => Ok(Value::Object(Map::new())),
            Self::Map(of) => {
                let mut map = Map::new();
                for entry in text.split(',') {
                    let (key, value) = entry
                        .split_once('=')
                        .ok_or("should be written `name=value,name=value`")?;
                    key_is_clean(key)?;
                    let value = of.parse_text(value).map_err(|e| of.inside(e))?;
                    if map.insert(key.to_owned(), value).is_some() {
                        return Err("names one entry twice".to_owned());
                    }
                }
                Ok(Value::Object(map))
            }
            _ => self.check(&Value::String(text.to_owned())),
        }
    }

    /// Checks a value from YAML or JSON and returns it in its normal form.
    ///
    /// # Errors
    /// What the value should be, in words that do not repeat it.
    pub fn check(&self, value: &Value) -> Result<Value, String> {
        match self {
            Self::String | Self::Secret => text_of(value).map(Value::from),
            Self::Int => value
                .as_i64()
                .map(Value::from)
                .ok_or_else(|| format!("should be a whole number, is {}", kind_of(value))),
            Self::Bool => value
                .as_bool()
                .map(Value::Bool)
                .ok_or_else(|| format!("should be `true` or `false`, is {}", kind_of(value))),
            Self::Enum(values) => {
                let text = text_of(value)?;
                if values.iter().any(|v| v == text) {
                    return Ok(text.into());
                }
                let all: Vec<_> = values.iter().map(|v| format!("`{}`", shown(v))).collect();
                Err(format!("should be one of {}", all.join(", ")))
            }
            Self::Path => match text_of(value)? {
                "" => Err("should be a path, is empty".to_owned()),
                text => Ok(text.into()),
            },
            Self::Duration => parse_duration(text_of(value)?)
                .map(|ms| format_duration(ms).into()),
            // A bare number of bytes is the one unit that needs no name.
            Self::Size => match value.as_u64() {
                Some(bytes) => Ok(format_size(bytes).into()),
                None => parse_size(text_of(value)?).map(|bytes| format_size(bytes).into()),
            },
            Self::Version => Version::parse(text_of(value)?)
                .map(|version| version.text().into())
                .ok_or_else(|| "should be a version like `3.7.0`".to_owned()),
            Self::Host => match text_of(value)? {
                name if host_name_is_clean(name) => Ok(name.into()),
                _ => Err("should be the name of a host: letters, digits, `.`, `_` and `-`, not first a `-`".to_owned()),
            },
            Self::List(of) => value
                .as_array()
                .ok_or_else(|| format!("should be a list, is {}", kind_of(value)))?
                .iter()
                .map(|item| of.check(item))
                .collect::<Result<_, _>>()
                .map(Value::Array)
                .map_err(|e| of.inside(e)),
            Self::Map(of) => value
                .as_object()
                .ok_or_else(|| format!("should be a map, is {}", kind_of(value)))?
                .iter()
                .map(|(key, item)| {
                    key_is_clean(key)?;
                    Ok((key.clone(), of.check(item).map_err(|e| of.inside(e))?))
                })
                .collect::<Result<_, _>>()
                .map(Value::Object),
        }
    }

    /// Whether a value of this type is, or holds, something that must never be shown.
    pub fn is_secret(&self) -> bool {
        match self {
            Self::Secret => true,
            Self::Map(of) | Self::List(of) => of.is_secret(),
            _ => false,
        }
    }

    /// The type of what a map or a list holds.
    pub fn element(&self) -> Option<&InputType> {
        match self {
            Self::Map(of) | Self::List(of) => Some(of),
            _ => None,
        }
    }

    fn inside(&self, message: String) -> String {
        match self {
            Self::Map(_) | Self::List(_) => message,
            _ => format!("holds a value that is wrong: it {message}"),
        }
    }
}

/// What a value is, for a message: `text`, `a list`.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn text_of(value: &Value) -> Result<&str, String> {
    match value {
        Value::String(text) if text.contains('\0') => Err("holds a NUL character".to_owned()),
        Value::String(text) if text.len() > MAX_TEXT => Err("is longer than 1 MiB".to_owned()),
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Bool(_) => Err(format!(
            "should be text, is {}: put it in quotes",
            kind_of(value)
        )),
        _ => Err(format!("should be text, is {}", kind_of(value))),
    }
}

fn key_is_clean(key: &str) -> Result<(), String> {
    if key.is_empty() || key.chars().any(char::is_control) {
        return Err("has an entry without a proper name".to_owned());
    }
    Ok(())
}

fn host_name_is_clean(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn all() -> Vec<InputType> {
        use InputType::*;
        let plain = vec![
            String,
            Int,
            Bool,
            Enum(vec!["a".into(), "b".into()]),
            Path,
            Duration,
            Size,
            Version,
            Host,
            Secret,
        ];
        let mut all = plain.clone();
        all.extend(plain.iter().cloned().map(|t| Map(Box::new(t))));
        all.extend(plain.into_iter().map(|t| List(Box::new(t))));
        all
    }

    #[test]
    fn command_line_text() {
        use InputType::*;
        assert_eq!(Int.parse_text("-5"), Ok(json!(-5)));
        assert!(Int.parse_text("5x").is_err());
        assert_eq!(Bool.parse_text("true"), Ok(json!(true)));
        assert!(Bool.parse_text("yes").is_err());
        assert_eq!(Version.parse_text("v3.7.0"), Ok(json!("3.7.0")));
        assert_eq!(Duration.parse_text("90s"), Ok(json!("1m30s")));
        assert_eq!(Size.parse_text("1024"), Ok(json!("1KiB")));
        assert_eq!(
            Map(Box::new(Int)).parse_text("a=1,b=2"),
            Ok(json!({"a": 1, "b": 2}))
        );
        assert!(Map(Box::new(Int)).parse_text("a=1,a=2").is_err());
        assert_eq!(
            List(Box::new(String)).parse_text("a,b"),
            Ok(json!(["a", "b"]))
        );
        assert_eq!(List(Box::new(String)).parse_text(""), Ok(json!([])));
    }

    #[test]
    fn values_from_yaml() {
        use InputType::*;
        assert_eq!(
            Version.check(&json!(3.1)).unwrap_err(),
            "should be text, is a number: put it in quotes"
        );
        assert_eq!(
            Int.check(&json!("5")).unwrap_err(),
            "should be a whole number, is text"
        );
        assert_eq!(
            Int.check(&json!(1.5)).unwrap_err(),
            "should be a whole number, is a number"
        );
        assert_eq!(Size.check(&json!(512_000_000)), Ok(json!("512MB")));
        assert!(Host.check(&json!("-oProxyCommand=x")).is_err());
        assert!(Host.check(&json!("quay01.example.com")).is_ok());
        assert!(String.check(&json!("a\0b")).is_err());
        assert_eq!(
            Enum(vec!["wait".into(), "report".into()])
                .check(&json!("wat"))
                .unwrap_err(),
            "should be one of `wait`, `report`"
        );
        assert_eq!(
            Map(Box::new(Version))
                .check(&json!({"x": "new"}))
                .unwrap_err(),
            "holds a value that is wrong: it should be a version like `3.7.0`"
        );
    }

    #[test]
    fn secrets_are_known_as_such() {
        assert!(InputType::Map(Box::new(InputType::Secret)).is_secret());
        assert!(!InputType::String.is_secret());
    }

    proptest! {
        #[test]
        fn the_normal_form_is_stable_and_errors_do_not_repeat_the_text(text in "[a-z0-9.=,GiBvhms\u{0}-]{0,16}") {
            for kind in all() {
                match kind.parse_text(&text) {
                    Ok(value) => prop_assert_eq!(kind.check(&value), Ok(value)),
                    Err(message) => prop_assert!(text.len() < 12 || !message.contains(&text)),
                }
            }
        }
    }
}
