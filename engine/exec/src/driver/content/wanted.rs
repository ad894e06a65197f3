//! What a file should be: the parts of a content with the arguments of one instance.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regex::Regex;
use runbook_lang::evaluate::Argument;
use runbook_lang::steptype::ParamValue;
use runbook_model::step_type::{Content, InFile, Param, Piece, What};
use runbook_model::text::printable;
use runbook_model::{Failure, FailureKind};
use runbook_remote::Rights;
use sha2::{Digest as _, Sha256};

use super::super::rights;
use super::change::{Block, Change, Line, Place};
use super::values::{Values, argument, text, words};

/// What should be in a file.
pub(super) enum Goal {
    /// This text.
    Text(String),
    /// What is there, changed.
    Change(Change),
}

/// What a file should be.
pub(super) struct Wanted {
    pub(super) path: String,
    pub(super) goal: Goal,
    /// A value in the text is a secret.
    pub(super) secret: bool,
    pub(super) rights: Rights,
    pub(super) create_only: bool,
    /// Words; `{}` is the new file. Empty: nobody looks at it.
    pub(super) validate: Vec<String>,
}

impl Wanted {
    /// # Errors
    /// A value that no file can have.
    pub(super) fn of(
        content: &Content,
        params: &BTreeMap<String, Param>,
        arguments: &[Argument],
    ) -> Result<Self, Failure> {
        let word = |piece: Option<&Piece>| word(piece, arguments);
        let path = text(&content.path, arguments).unwrap_or_default();
        if !path.starts_with('/') || path.ends_with('/') || path.chars().any(char::is_control) {
            return Err(bad(format!(
                "`{}` is not the path of a file, from `/`",
                printable(&path)
            )));
        }
        let rights = rights::of(
            word(content.owner.as_ref()),
            word(content.group.as_ref()),
            word(content.mode.as_ref()),
        )?;
        let validate = content
            .validate
            .as_ref()
            .map(|piece| words(piece, arguments))
            .unwrap_or_default();
        if !validate.is_empty() && !validate.iter().any(|word| word == "{}") {
            return Err(bad(
                "`validate` has no `{}`, which stands for the new file".to_owned()
            ));
        }
        Ok(Self {
            path,
            goal: goal(&content.what, &Values { params, arguments })?,
            secret: holds_secret(&content.what, arguments),
            rights,
            create_only: word(content.create_only.as_ref()).is_some_and(|flag| flag == "true"),
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

/// A word that is given, and not empty.
fn word(piece: Option<&Piece>, arguments: &[Argument]) -> Option<String> {
    text(piece?, arguments).filter(|word| !word.is_empty())
}

/// Whether a value that is written into the file is a secret.
fn holds_secret(what: &What, arguments: &[Argument]) -> bool {
    match what {
        What::Text(Piece::List(parts))
        | What::Yaml(parts)
        | What::MergeYaml(parts)
        | What::MergeJson(parts)
        | What::SetIni(parts) => {
            // Secrets that nobody gave hide nothing.
            let mut given = parts.iter().filter(|piece| !is_empty(piece, arguments));
            given.any(|piece| is_secret(piece, arguments))
        }
        What::Text(text) => is_secret(text, arguments),
        What::Line(line) => line.text.iter().any(|piece| is_secret(piece, arguments)),
        What::Block(block) => block.text.iter().any(|piece| is_secret(piece, arguments)),
    }
}

fn is_empty(piece: &Piece, arguments: &[Argument]) -> bool {
    let Piece::Param(name) = piece else {
        return false;
    };
    argument(name, arguments).is_none_or(|argument| match &argument.value {
        ParamValue::Text(text) => text.is_empty() || text == "{}",
        ParamValue::List(words) => words.is_empty(),
        ParamValue::Map(pairs) => pairs.is_empty(),
    })
}

fn is_secret(piece: &Piece, arguments: &[Argument]) -> bool {
    match piece {
        Piece::Literal(_) => false,
        Piece::Param(name) => argument(name, arguments).is_some_and(|argument| argument.secret),
        Piece::Map(map) => map.values().any(|piece| is_secret(piece, arguments)),
        Piece::List(parts) => parts.iter().any(|piece| is_secret(piece, arguments)),
    }
}

fn goal(what: &What, values: &Values<'_>) -> Result<Goal, Failure> {
    let arguments = values.arguments;
    Ok(Goal::Change(match what {
        What::Text(piece) => return Ok(Goal::Text(text(piece, arguments).unwrap_or_default())),
        What::Yaml(parts) => {
            let all = Change::Yaml(values.map(parts).map_err(bad)?);
            let text = all.apply(None).map_err(bad)?;
            return Ok(Goal::Text(text.unwrap_or_default()));
        }
        What::MergeYaml(parts) => Change::Yaml(values.map(parts).map_err(bad)?),
        What::MergeJson(parts) => Change::Json(values.map(parts).map_err(bad)?),
        What::SetIni(parts) => Change::Ini(values.map(parts).map_err(bad)?),
        What::Line(line) => {
            let (place, absent) = place(&line.place, arguments)?;
            let text = word(line.text.as_ref(), arguments);
            let matching = regex("match", line.matching.as_ref(), arguments)?;
            match &text {
                Some(text) if text.contains(['\n', '\r']) => {
                    return Err(bad("a line has no line break in it".to_owned()));
                }
                None if !absent => {
                    return Err(bad("a line that should be there is not empty".to_owned()));
                }
                None if matching.is_none() => {
                    return Err(bad(
                        "nothing says which lines should not be there".to_owned()
                    ));
                }
                _ => {}
            }
            Change::Line(Line {
                text,
                matching,
                place,
                absent,
            })
        }
        What::Block(block) => {
            let (place, absent) = place(&block.place, arguments)?;
            let name = word(Some(&block.name), arguments).unwrap_or_default();
            let comment = match &block.comment {
                None => "#".to_owned(),
                Some(piece) => text(piece, arguments).unwrap_or_default(),
            };
            if name.trim() != name
                || name.is_empty()
                || (name.clone() + &comment).chars().any(char::is_control)
            {
                return Err(bad(format!(
                    "`{}` is no name for a block: it has blanks at an end, or control characters, or is empty",
                    printable(&name)
                )));
            }
            Change::Block(Block {
                name,
                comment,
                text: word(block.text.as_ref(), arguments).unwrap_or_default(),
                place,
                absent,
            })
        }
    }))
}

fn place(place: &InFile, arguments: &[Argument]) -> Result<(Place, bool), Failure> {
    let after = regex("after", place.after.as_ref(), arguments)?;
    let before = regex("before", place.before.as_ref(), arguments)?;
    if after.is_some() && before.is_some() {
        return Err(bad("`after` and `before` do not go together".to_owned()));
    }
    let absent = match word(place.state.as_ref(), arguments).as_deref() {
        None | Some("present") => false,
        Some("absent") => true,
        Some(_) => return Err(bad("`state` is `present` or `absent`".to_owned())),
    };
    Ok((Place { after, before }, absent))
}

fn regex(
    what: &str,
    piece: Option<&Piece>,
    arguments: &[Argument],
) -> Result<Option<Regex>, Failure> {
    let compile = |text: String| {
        Regex::new(&text).map_err(|_| {
            bad(format!(
                "`{what}` is no regular expression: `{}`",
                printable(&text)
            ))
        })
    };
    word(piece, arguments).map(compile).transpose()
}

#[cfg(test)]
mod tests {
    use runbook_model::Value;
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
        Wanted::of(&content, &BTreeMap::new(), &arguments).map_err(|failure| failure.message)
    }

    #[test]
    fn parts_are_literal_or_a_parameter() {
        let all = wanted(json!({
            "path": { "literal": "/etc/x" }, "text": { "param": "key" }, "owner": { "param": "none" },
            "group": { "literal": "adm" }, "mode": { "literal": "4755" }, "create_only": { "literal": true },
            "validate": { "param": "check" },
        }))
        .unwrap();
        assert_eq!((all.path.as_str(), all.secret), ("/etc/x", true));
        assert!(matches!(all.goal, Goal::Text(text) if text == "hunter2"));
        assert_eq!(
            (
                all.rights.owner,
                all.rights.group.as_deref(),
                all.rights.mode
            ),
            (None, Some("adm"), Some(0o4755))
        );
        assert!(all.create_only);
        assert_eq!(all.validate, ["grep", "x", "{}"]);
        let few =
            wanted(json!({ "path": { "literal": "/x" }, "text": { "literal": "" } })).unwrap();
        assert!(!few.secret && !few.create_only && few.validate.is_empty());
        assert_eq!(few.rights, Rights::default());
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
