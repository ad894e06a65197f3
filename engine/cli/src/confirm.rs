//! What cannot be taken back lightly is confirmed by typing its name.

use dialoguer::Input;
use runbook_model::text::printable;

use crate::error::Error;
use crate::output::Output;

/// Shows what is about to happen and has `word` typed; where there is no terminal, it must have been
/// given with `--confirm`.
pub(crate) fn confirm(
    what: &str,
    word: &str,
    given: Option<&str>,
    output: &Output,
) -> Result<(), Error> {
    let word = printable(word);
    let wrong = |typed: &str| Error::Typed {
        message: format!("`{}` is not `{word}`: nothing was done", printable(typed)),
        hint: Some(format!("--confirm {word}")),
    };
    if let Some(given) = given {
        return match given == word {
            true => Ok(()),
            false => Err(wrong(given)),
        };
    }
    if !output.can_ask {
        return Err(Error::Typed {
            message: format!(
                "{what}: this has to be confirmed, and there is no terminal to ask at"
            ),
            hint: Some(format!("--confirm {word}")),
        });
    }
    output.note(&format!("{what}\n"));
    let typed: String = Input::new()
        .with_prompt(format!("Type {word} to go on"))
        .allow_empty(true)
        .interact_text()
        .map_err(|e| Error::Unanswered(e.to_string()))?;
    match typed.trim() == word {
        true => Ok(()),
        false => Err(wrong(typed.trim())),
    }
}
