//! What a file should be: the parts of a content with the arguments of one instance.

use std::fmt::Write as _;

use runbook_lang::evaluate::Argument;
use runbook_lang::steptype::ParamValue;
use runbook_model::step_type::{Content, Part};
use runbook_model::text::printable;
use runbook_model::{Failure, FailureKind, Value};
use sha2::{Digest as _, Sha256};

/// What a file should be.
pub(super) struct Wanted {
    pub(super) path: String,
    pub(super) text: String,
    /// The text is a secret.
    pub(super) secret: bool,
    pub(super) owner: Option<String>,
    pub(super) group: Option<String>,
    pub(super) mode: Option<u32>,
    pub(super) create_only: bool,
    /// Words; `{}` is the new file. Empty: nobody looks at it.
    pub(super) validate: Vec<String>,
}

impl Wanted {
    /// # Errors
    /// A value that no file can have.
    pub(super) fn of(content: &Content, arguments: &[Argument]) -> Result<Self, Failure> {
        let text = |part: Option<&Part>| part.and_then(|part| text(part, arguments));
        let word = |part: Option<&Part>| text(part).filter(|word| !word.is_empty());
        let path = text(Some(&content.path)).unwrap_or_default();
        if !path.starts_with('/') || path.ends_with('/') || path.chars().any(char::is_control) {
            return Err(bad(format!(
                "`{}` is not the path of a file, from `/`",
                printable(&path)
            )));
        }
        let owner = word(content.owner.as_ref())
            .map(|name| account("owner", name))
            .transpose()?;
        let group = word(content.group.as_ref())
            .map(|name| account("group", name))
            .transpose()?;
        let mode = word(content.mode.as_ref())
            .map(|mode| octal(&mode))
            .transpose()?;
        let validate = content
            .validate
            .as_ref()
            .map(|part| words(part, arguments))
            .unwrap_or_default();
        if !validate.is_empty() && !validate.iter().any(|word| word == "{}") {
            return Err(bad(
                "`validate` has no `{}`, which stands for the new file".to_owned()
            ));
        }
        Ok(Self {
            path,
            text: text(Some(&content.text)).unwrap_or_default(),
            secret: matches!(&content.text, Part::Param(name) if is_secret(name, arguments)),
            owner,
            group,
            mode,
            create_only: text(content.create_only.as_ref()).is_some_and(|flag| flag == "true"),
            validate,
        })
    }
}

/// SHA-256 of a text, in hex.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn bad(message: String) -> Failure {
    Failure::new(FailureKind::Value, message)
}

fn argument<'a>(name: &str, arguments: &'a [Argument]) -> Option<&'a Argument> {
    arguments.iter().find(|argument| argument.name == name)
}

fn is_secret(name: &str, arguments: &[Argument]) -> bool {
    argument(name, arguments).is_some_and(|argument| argument.secret)
}

fn text(part: &Part, arguments: &[Argument]) -> Option<String> {
    match part {
        Part::Literal(Value::String(text)) => Some(text.clone()),
        Part::Literal(value) => Some(value.to_string()),
        Part::Param(name) => match &argument(name, arguments)?.value {
            ParamValue::Text(text) => Some(text.clone()),
            ParamValue::List(_) | ParamValue::Map(_) => None,
        },
    }
}

fn words(part: &Part, arguments: &[Argument]) -> Vec<String> {
    match part {
        Part::Literal(Value::Array(words)) => words
            .iter()
            .filter_map(|word| word.as_str().map(str::to_owned))
            .collect(),
        Part::Literal(_) => Vec::new(),
        Part::Param(name) => match argument(name, arguments).map(|argument| &argument.value) {
            Some(ParamValue::List(words)) => words.clone(),
            _ => Vec::new(),
        },
    }
}

/// `chown` takes `name:group` too, and options.
fn account(what: &str, name: String) -> Result<String, Failure> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '\\' | '$');
    match name.chars().all(plain) && !name.starts_with(['-', '.']) && name.len() <= 256 {
        true => Ok(name),
        false => Err(bad(format!(
            "`{}` is not a name for the {what}",
            printable(&name)
        ))),
    }
}

fn octal(mode: &str) -> Result<u32, Failure> {
    let digits = matches!(mode.len(), 3 | 4) && mode.bytes().all(|digit| digit.is_ascii_digit());
    let parsed = u32::from_str_radix(mode, 8).ok().filter(|_| digits);
    parsed.ok_or_else(|| {
        bad(format!(
            "`{}` is not a mode of three or four octal digits",
            printable(mode)
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn argument(name: &str, value: ParamValue) -> Argument {
        Argument {
            name: name.to_owned(),
            value,
            secret: name == "key",
        }
    }

    fn wanted(content: Value) -> Result<Wanted, String> {
        let arguments = [
            argument("key", ParamValue::Text("hunter2".to_owned())),
            argument("none", ParamValue::Text(String::new())),
            argument(
                "check",
                ParamValue::List(vec!["grep".to_owned(), "x".to_owned(), "{}".to_owned()]),
            ),
        ];
        let content: Content = serde_json::from_value(content).unwrap();
        Wanted::of(&content, &arguments).map_err(|failure| failure.message)
    }

    #[test]
    fn parts_are_literal_or_a_parameter() {
        let all = wanted(json!({
            "path": { "literal": "/etc/x" }, "text": { "param": "key" }, "owner": { "param": "none" },
            "group": { "literal": "adm" }, "mode": { "literal": "4755" }, "create_only": { "literal": true },
            "validate": { "param": "check" },
        }))
        .unwrap();
        assert_eq!(
            (all.path.as_str(), all.text.as_str(), all.secret),
            ("/etc/x", "hunter2", true)
        );
        assert_eq!(
            (all.owner, all.group.as_deref(), all.mode),
            (None, Some("adm"), Some(0o4755))
        );
        assert!(all.create_only);
        assert_eq!(all.validate, ["grep", "x", "{}"]);
        let few =
            wanted(json!({ "path": { "literal": "/x" }, "text": { "literal": "" } })).unwrap();
        assert!(!few.secret && !few.create_only && few.mode.is_none() && few.validate.is_empty());
    }

    #[test]
    fn what_no_file_can_have_is_refused() {
        for (key, value) in [
            ("path", json!("etc/x")),
            ("path", json!("/etc/")),
            ("path", json!("/a\nb")),
            ("owner", json!("root:root")),
            ("owner", json!("--reference=x")),
            ("mode", json!("+644")),
            ("mode", json!("0o44")),
            ("mode", json!("888")),
            ("validate", json!(["visudo", "-cf"])),
        ] {
            let mut content = json!({ "path": { "literal": "/x" }, "text": { "literal": "" } });
            content[key] = json!({ "literal": value });
            assert!(wanted(content).is_err(), "{key}: {value}");
        }
    }
}
