//! Values as a command line gives them: `a,b`, `name=value,name=value`, and JSON in its brackets.

use serde_json::{Map, Value};

use super::InputType;
use super::check::{Wrong, key_is_clean, none_fits, unknown_field};
use super::json;

impl InputType {
    /// Reads the text of `--input name=text`.
    ///
    /// A list is written `a,b,c`, a map or an object `k=v,k2=v2`. What begins with `[` or `{` is
    /// JSON there, for values with commas or with more in them.
    ///
    /// # Errors
    /// What the text should be, in words that do not repeat it.
    pub fn parse_text(&self, text: &str) -> Result<Value, String> {
        self.read(text).map_err(|wrong| wrong.to_string())
    }

    fn read(&self, text: &str) -> Result<Value, Wrong> {
        match self {
            Self::Int => text
                .parse::<i64>()
                .map(Value::from)
                .map_err(|_| Wrong::new("should be a whole number")),
            Self::Bool => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(Wrong::new("should be `true` or `false`")),
            },
            Self::List(_) | Self::Map(_) | Self::Object(_) | Self::Variant(_)
                if begins_as_json(text) =>
            {
                self.fit(&json::read(text).map_err(Wrong::new)?)
            }
            Self::List(_) if text.is_empty() => Ok(Value::Array(Vec::new())),
            Self::List(of) => text
                .split(',')
                .enumerate()
                .map(|(at, item)| of.read(item).map_err(|e| e.in_item(at)))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Self::Map(of) => entries(text, |_| Ok(&**of)).map(Value::Object),
            Self::Object(fields) => {
                let map = entries(text, |key| match fields.get(key) {
                    Some(field) => Ok(&field.kind),
                    None => Err(unknown_field(fields, key)),
                })?;
                self.fit(&Value::Object(map))
            }
            Self::OneOf(kinds) => match kinds.iter().find_map(|kind| kind.read(text).ok()) {
                Some(value) => self.fit(&value),
                None => Err(none_fits(kinds, |kind| kind.read(text).err())),
            },
            Self::Limited(limited) => self.fit(&limited.kind.read(text)?),
            _ => self.fit(&Value::String(text.to_owned())),
        }
    }
}

/// `k=v,k2=v2`, each value with the type that its name has.
fn entries<'t>(
    text: &str,
    kind: impl Fn(&str) -> Result<&'t InputType, Wrong>,
) -> Result<Map<String, Value>, Wrong> {
    let mut map = Map::new();
    if text.is_empty() {
        return Ok(map);
    }
    for entry in text.split(',') {
        let (key, value) = entry
            .split_once('=')
            .ok_or_else(|| Wrong::new("should be written `name=value,name=value`, or as JSON"))?;
        key_is_clean(key)?;
        let value = kind(key)?.read(value).map_err(|e| e.in_entry(key))?;
        if map.insert(key.to_owned(), value).is_some() {
            return Err(Wrong::new("names one entry twice"));
        }
    }
    Ok(map)
}

fn begins_as_json(text: &str) -> bool {
    text.trim_start().starts_with(['[', '{'])
}
