//! Inputs that are missing, asked at the terminal.
//!
//! An object is asked name by name, everything else in one line, written as `--input` takes it.

use dialoguer::{Input, Password};
use runbook_lang::value::InputType;
use runbook_model::text::printable;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::output::Output;

/// An input that must be given and is not.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    /// Its name.
    pub(crate) name: String,
    /// What it takes.
    pub(crate) kind: InputType,
    /// One line for people.
    pub(crate) help: String,
}

/// One line to be answered.
#[derive(Debug)]
struct Question<'a> {
    text: String,
    kind: &'a InputType,
    /// Nothing is an answer, too.
    optional: bool,
}

impl Question<'_> {
    fn holds(&self, answer: &str) -> Result<(), String> {
        match self.optional && answer.is_empty() {
            true => Ok(()),
            false => self.kind.parse_text(answer).map(|_| ()),
        }
    }
}

/// Asks for one input; the text is one that its type takes.
pub(crate) fn input(missing: &Missing) -> Result<String, Error> {
    answer(missing, &mut |question| {
        Input::new()
            .with_prompt(&question.text)
            .allow_empty(question.optional)
            .validate_with(|text: &String| question.holds(text))
            .interact_text()
            .map_err(|e| Error::Unanswered(e.to_string()))
    })
}

/// Answers for all of an input, through `ask` for each line.
fn answer(
    missing: &Missing,
    ask: &mut dyn FnMut(&Question<'_>) -> Result<String, Error>,
) -> Result<String, Error> {
    if missing.kind.is_secret() {
        // It cannot be typed unseen as a part of a line; compiling refuses it with its place.
        return Ok(String::new());
    }
    let InputType::Object(fields) = missing.kind.base() else {
        return ask(&question(&missing.name, &missing.kind, &missing.help, None));
    };
    let mut object = Map::new();
    for (name, field) in fields {
        let full = format!("{}.{name}", missing.name);
        let left_out = match (&field.default, field.required) {
            (Some(default), _) => Some(plain(default)),
            (None, false) => Some("none".to_owned()),
            (None, true) => None,
        };
        let text = ask(&question(&full, &field.kind, &field.help, left_out))?;
        if text.is_empty() && !field.required {
            continue;
        }
        let value = field
            .kind
            .parse_text(&text)
            .map_err(|why| Error::Unanswered(format!("{}: {why}", printable(&full))))?;
        object.insert(name.clone(), value);
    }
    Ok(Value::Object(object).to_string())
}

/// `window.opens (when it may begin), a date like …`
fn question<'a>(
    name: &str,
    kind: &'a InputType,
    help: &str,
    left_out: Option<String>,
) -> Question<'a> {
    let mut text = printable(name).into_owned();
    if !help.is_empty() {
        text.push_str(&format!(" ({})", printable(help)));
    }
    if let Some(form) = form(kind) {
        text.push_str(&format!(", {}", printable(&form)));
    }
    if let Some(value) = &left_out {
        text.push_str(&format!(" [{}]", printable(value)));
    }
    Question {
        text,
        kind,
        optional: left_out.is_some(),
    }
}

/// How a value is written, where that does not go without saying.
fn form(kind: &InputType) -> Option<String> {
    Some(match kind.base() {
        InputType::Bool => "true or false".to_owned(),
        InputType::Enum(words) => words.join(" or "),
        InputType::Duration => "like 1h30m".to_owned(),
        InputType::Size => "like 10GiB".to_owned(),
        InputType::Date => "like 2026-03-01T22:00:00+01:00".to_owned(),
        InputType::Version => "a version like 3.7.0".to_owned(),
        InputType::List(of) => format!("as a,b{}", each(of)),
        InputType::Map(of) => format!("as name=value,name=value{}", each(of)),
        InputType::Object(_) => "as name=value,name=value".to_owned(),
        InputType::OneOf(kinds) => kinds
            .iter()
            .map(|kind| form(kind).unwrap_or_else(|| kind.word().to_owned()))
            .collect::<Vec<_>>()
            .join(", or "),
        _ => return None,
    })
}

fn each(of: &InputType) -> String {
    form(of).map_or(String::new(), |form| format!(", each {form}"))
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Asks for a secret; it is not shown while it is typed.
pub(crate) fn secret(name: &str, output: &Output) -> Result<String, Error> {
    let name = printable(name);
    if !output.can_ask {
        let problem = "there is no terminal to ask at".into();
        return Err(Error::Secret {
            name: name.into_owned(),
            place: "the terminal".into(),
            problem,
        });
    }
    Password::new()
        .with_prompt(name.into_owned())
        .interact()
        .map_err(|e| Error::Unanswered(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(value: Value) -> InputType {
        serde_json::from_value(value).unwrap()
    }

    fn missing(kind: InputType, help: &str) -> Missing {
        Missing {
            name: "x".into(),
            kind,
            help: help.into(),
        }
    }

    /// What is asked, and what comes out of the answers.
    fn talk(of: &Missing, answers: &[&str]) -> (Vec<String>, Result<String, Error>) {
        let mut asked = Vec::new();
        let mut answers = answers.iter();
        let result = answer(of, &mut |question| {
            let text = *answers.next().unwrap();
            assert_eq!(question.holds(text), Ok(()));
            asked.push(question.text.clone());
            Ok(text.to_owned())
        });
        (asked, result)
    }

    #[test]
    fn a_question_says_what_to_type() {
        let kinds = [
            (json!("string"), "a"),
            (json!("bool"), "true"),
            (json!({"enum": ["a", "b"]}), "b"),
            (json!("date"), "2026-03-01T22:00Z"),
            (json!({"list": "version"}), "3.7,3.8"),
            (json!({"map": "date"}), "a=2026-03-01T22:00Z"),
            (json!({"one_of": ["size", {"enum": ["all"]}, "int"]}), "all"),
            (
                json!({"limited": {"kind": "host", "group": "quay"}}),
                "quay01",
            ),
        ];
        let asked: Vec<_> = kinds
            .into_iter()
            .flat_map(|(of, text)| talk(&missing(kind(of), "what\u{1b} it is"), &[text]).0)
            .collect();
        insta::assert_snapshot!(asked.join("\n"));
    }

    #[test]
    fn only_what_fits_is_an_answer() {
        let limited = kind(json!({"limited": {"kind": "string", "pattern": "^[a-z]+$"}}));
        let question = question("x", &limited, "", None);
        assert_eq!(
            question.holds("A1").unwrap_err(),
            "does not match its `pattern`"
        );
        assert!(question.holds("").is_err());
    }

    #[test]
    fn an_object_is_asked_name_by_name() {
        let object = kind(json!({"object": {
            "opens": {"kind": "date", "required": true, "help": "when it may begin"},
            "late": {"kind": "duration", "default": "1h"},
            "who": {"kind": {"list": "string"}},
        }}));
        let of = missing(object, "");
        let (asked, result) = talk(&of, &["", "2026-03-01T22:00Z", "a,b"]);
        let text = result.unwrap();
        assert_eq!(
            of.kind.parse_text(&text),
            Ok(json!({"late": "1h", "opens": "2026-03-01T22:00:00Z", "who": ["a", "b"]}))
        );
        insta::assert_snapshot!(asked.join("\n"));
        let (_, nothing) = talk(&of, &["", "2026-03-01T22:00Z", ""]);
        assert!(!nothing.unwrap().contains("who"));
    }

    #[test]
    fn a_secret_inside_is_not_asked() {
        let (asked, result) = talk(&missing(kind(json!({"list": "secret"})), ""), &[]);
        assert!(asked.is_empty());
        assert_eq!(result.unwrap(), "");
    }
}
