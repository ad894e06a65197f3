//! Inputs that are missing, asked at the terminal.

use dialoguer::{Input, Password};
use runbook_lang::value::InputType;
use runbook_model::text::printable;

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

/// Asks for one input; the text is one that its type takes.
pub(crate) fn input(missing: &Missing) -> Result<String, Error> {
    let prompt = match missing.help.as_str() {
        "" => printable(&missing.name).into_owned(),
        help => format!("{} ({})", printable(&missing.name), printable(help)),
    };
    Input::new()
        .with_prompt(prompt)
        .validate_with(|text: &String| missing.kind.parse_text(text).map(|_| ()))
        .interact_text()
        .map_err(|e| Error::Unanswered(e.to_string()))
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
