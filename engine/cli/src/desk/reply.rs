//! Answers to a gate, as they are typed: asked for until one is clear.

use std::collections::BTreeMap;
use std::io::Write;

use runbook_lang::value::InputType;
use runbook_model::Value;
use runbook_model::gate::{Evidence, NO, Said, Terms, YES};
use runbook_model::text::printable;

/// Unclear answers, after which the answer is no.
const PATIENCE: usize = 20;

/// What comes from the terminal.
pub(crate) enum Heard {
    /// A line.
    Line(String),
    /// Nothing more, or nothing that could be read.
    End,
    /// The question is not asked any more.
    Withdrawn,
}

/// Reads answers until one is clear. The end of the input, an error, and too many unclear answers
/// are a no; nothing is an answer to a question that is withdrawn.
pub(crate) fn reply(
    hear: &mut dyn FnMut() -> Heard,
    output: &mut dyn Write,
    question: &str,
    terms: &Terms,
) -> Option<Said> {
    let no = Some(Said::Choice(NO.to_owned()));
    // If the question cannot be shown, nobody has read it.
    if output.write_all(question.as_bytes()).is_err() {
        return no;
    }
    let prompt = prompt(terms);
    let mut unclear = 0;
    while unclear < PATIENCE {
        let line = match ask(hear, output, &prompt) {
            // Somebody leans on the key while time passes.
            Heard::Line(line) if line.is_empty() && matches!(terms, Terms::Wait(_)) => continue,
            Heard::Line(line) => line,
            Heard::End => return no,
            Heard::Withdrawn => return None,
        };
        unclear += 1;
        let said = match (terms, line.as_str()) {
            (_, NO) => return no,
            (Terms::Confirm(_), word) => Said::Word(word.to_owned()),
            (Terms::Task(asked), "done") => match evidence(hear, output, asked) {
                Ok(given) => Said::Evidence(given),
                Err(Heard::Withdrawn) => return None,
                Err(_) => return no,
            },
            (Terms::Task(_), _) => continue,
            (_, word) => Said::Choice(word.to_owned()),
        };
        if terms.judge(&said).is_ok() {
            return Some(said);
        }
    }
    no
}

fn ask(hear: &mut dyn FnMut() -> Heard, output: &mut dyn Write, prompt: &str) -> Heard {
    let shown = output.write_all(prompt.as_bytes());
    match shown.and_then(|()| output.flush()) {
        Err(_) => Heard::End,
        Ok(()) => match hear() {
            Heard::Line(line) => Heard::Line(line.trim().to_owned()),
            other => other,
        },
    }
}

fn prompt(terms: &Terms) -> String {
    match terms {
        Terms::Approve(of) if of.options.is_empty() => {
            format!("type {YES} to go on, {NO} to stop: ")
        }
        Terms::Approve(of) => {
            let words: Vec<_> = of.options.keys().map(|word| printable(word)).collect();
            format!("type {}, or {NO} to stop: ", words.join(" or "))
        }
        Terms::Confirm(word) => {
            format!("type the word {} to go on, {NO} to stop: ", printable(word))
        }
        Terms::Task(_) => format!("type done when it is done, {NO} to stop: "),
        Terms::Wait(_) => format!("type {YES} to end the wait now, {NO} to stop: "),
    }
}

/// Asks for each piece of evidence until it is one.
fn evidence(
    hear: &mut dyn FnMut() -> Heard,
    output: &mut dyn Write,
    asked: &BTreeMap<String, Evidence>,
) -> Result<BTreeMap<String, Value>, Heard> {
    let mut given = BTreeMap::new();
    for (name, kind) in asked {
        let prompt = format!("{} ({}): ", printable(name), kind.word());
        let mut tries = 0..PATIENCE;
        let value = loop {
            if tries.next().is_none() {
                return Err(Heard::End);
            }
            match ask(hear, output, &prompt) {
                Heard::Line(line) => match piece(*kind, &line) {
                    Ok(value) => break value,
                    Err(why) => drop(writeln!(output, "  it {why}")),
                },
                other => return Err(other),
            }
        };
        given.insert(name.clone(), value);
    }
    Ok(given)
}

/// A piece of evidence from its text.
///
/// # Errors
/// What it should be.
pub(crate) fn piece(kind: Evidence, text: &str) -> Result<Value, String> {
    let of = match kind {
        Evidence::String => InputType::String,
        Evidence::Int => InputType::Int,
        Evidence::Bool => InputType::Bool,
        Evidence::Duration => InputType::Duration,
        Evidence::Date => InputType::Date,
    };
    match of.parse_text(text)? {
        Value::String(text) if text.trim().is_empty() => Err("should be text, is empty".to_owned()),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_model::gate::{Approve, Follow};

    fn replied(terms: &Terms, text: &str) -> (Option<Said>, String) {
        let mut lines = text.lines().map(str::to_owned);
        let mut hear = || lines.next().map_or(Heard::End, Heard::Line);
        let mut shown = Vec::new();
        let said = reply(&mut hear, &mut shown, "?\n", terms);
        (said, String::from_utf8(shown).unwrap())
    }

    fn choice(word: &str) -> Option<Said> {
        Some(Said::Choice(word.to_owned()))
    }

    #[test]
    fn only_yes_is_yes() {
        let plain = Terms::default();
        for yes in ["yes\n", "\nwhat\n yes \n"] {
            assert_eq!(replied(&plain, yes).0, choice("yes"), "{yes}");
        }
        for no in [
            "no\n",
            "",
            "y\n",
            "YES\n",
            &"y".repeat(5_000),
            &"x\n".repeat(50),
        ] {
            assert_eq!(replied(&plain, no).0, choice("no"), "{no:.20}");
        }
    }

    #[test]
    fn a_word_is_typed_and_an_option_is_named() {
        let word = Terms::Confirm("open".to_owned());
        let (said, shown) = replied(&word, "yes\nOpen\nopen\n");
        assert_eq!(said, Some(Said::Word("open".to_owned())));
        assert_eq!(
            shown
                .matches("type the word open to go on, no to stop: ")
                .count(),
            3
        );
        assert_eq!(replied(&word, "yes\n").0, choice("no"));
        let options = Terms::Approve(Approve {
            options: [
                ("go".to_owned(), Follow::Continue),
                ("hold".to_owned(), Follow::Stop),
            ]
            .into(),
            ..Approve::default()
        });
        let (said, shown) = replied(&options, "yes\nhold\n");
        assert_eq!(said, choice("hold"));
        assert!(
            shown.contains("type go or hold, or no to stop: "),
            "{shown}"
        );
    }

    #[test]
    fn evidence_is_asked_for_piece_by_piece() {
        let kinds = [("minutes", Evidence::Int), ("ticket", Evidence::String)];
        let task = Terms::Task(kinds.map(|(name, kind)| (name.to_owned(), kind)).into());
        let (said, shown) = replied(&task, "yes\ndone\nmany\n12\n\nC-1\n");
        let given = [("minutes", Value::from(12)), ("ticket", Value::from("C-1"))];
        let given = given.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(said, Some(Said::Evidence(given.into())));
        assert!(shown.contains("it should be a whole number"), "{shown}");
        assert_eq!(replied(&task, "done\n12\n").0, choice("no"));
    }

    #[test]
    fn a_question_that_is_withdrawn_has_no_answer() {
        let mut hear = || Heard::Withdrawn;
        let said = reply(&mut hear, &mut Vec::new(), "?", &Terms::default());
        assert_eq!(said, None);
    }

    #[test]
    fn a_question_that_cannot_be_shown_is_not_answered() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut hear = || Heard::Line("yes".to_owned());
        let said = reply(&mut hear, &mut Closed, "?", &Terms::default());
        assert_eq!(said, choice("no"));
    }
}
