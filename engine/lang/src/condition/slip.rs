//! What other languages write: `and`, `not`, `=`, `<>`. Looked for only where a condition cannot
//! be parsed, so a name such as `inputs.and` is no mistake.

use std::ops::Range;

use crate::scope::ExprError;

/// The first slip, with what to write instead.
pub(super) fn find(text: &str) -> Option<ExprError> {
    let tokens = tokens(text);
    let word = |at: usize| tokens.get(at).map(|range| &text[range.clone()]);
    (0..tokens.len()).find_map(|at| {
        let before = at.checked_sub(1).and_then(word);
        let message = slip(before, word(at)?, word(at + 1))?;
        Some(ExprError::new(tokens[at].clone(), message))
    })
}

fn slip(before: Option<&str>, token: &str, after: Option<&str>) -> Option<&'static str> {
    let between = before.is_some_and(ends_value) && after != Some(".");
    Some(match token {
        "and" | "AND" if between => "write `&&` for `and`",
        "or" | "OR" if between => "write `||` for `or`",
        "not" | "NOT" if between && after == Some("in") => "`a not in b` is written `!(a in b)`",
        "not" | "NOT" if before.is_none_or(begins_value) && after.is_some_and(begins_operand) => {
            "write `!` for `not`"
        }
        "is" if between => "write `==` for `is`",
        "if" if between => "a choice is written `test ? one : other`",
        "=" => "`=` compares nothing, write `==`",
        "=>" => "write `>=` for `=>`",
        "=<" => "write `<=` for `=<`",
        "===" => "write `==` for `===`",
        "!==" => "write `!=` for `!==`",
        "<>" => "write `!=` for `<>`",
        "&" => "write `&&`",
        "|" => "write `||`",
        _ => return None,
    })
}

fn ends_value(token: &str) -> bool {
    token.ends_with(|c: char| c.is_alphanumeric() || "_)]}\"'`".contains(c))
}

fn begins_operand(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || "_([{\"'!-".contains(c))
}

/// Whether a value may follow, so that a word here is no name of its own.
fn begins_value(token: &str) -> bool {
    matches!(token, "and" | "or" | "in" | "AND" | "OR") || (!ends_value(token) && token != ".")
}

/// Words, texts in quotes and signs, without spaces and comments.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let is_sign = |c: char| "=<>!&|".contains(c);
        let end_of =
            |inside: &dyn Fn(char) -> bool| rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let len = match first {
            c if is_word(c) => end_of(&is_word),
            '"' | '\'' => quoted(rest, first, text[..at].ends_with(['r', 'R'])),
            '/' if rest.starts_with("//") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            // `!` before a value is a sign of its own: `a &&!b`.
            c if is_sign(c) => {
                let len = end_of(&is_sign);
                match rest[1..len].find('!') {
                    Some(next) => 1 + next,
                    None => len,
                }
            }
            c => c.len_utf8(),
        };
        if !first.is_whitespace() {
            found.push(at..at + len);
        }
        at += len;
    }
    found
}

/// The length of a text in quotes; that it has an end was seen before.
fn quoted(rest: &str, quote: char, raw: bool) -> usize {
    let triple = quote.to_string().repeat(3);
    let (open, end) = match rest.starts_with(&triple) {
        true => (3, triple),
        false => (1, quote.to_string()),
    };
    let mut at = open;
    while at < rest.len() && !rest[at..].starts_with(&end) {
        let escaped = !raw && rest[at..].starts_with('\\');
        let mut chars = rest[at..].chars();
        for _ in 0..=usize::from(escaped) {
            at += chars.next().map_or(0, char::len_utf8);
        }
    }
    (at + end.len()).min(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> String {
        find(text).map_or_else(
            || "-".to_owned(),
            |e| format!("{} | {}", e.message, &text[e.range]),
        )
    }

    #[test]
    fn slips_are_found_in_their_place() {
        let texts = [
            "a and b",
            "a and (b or c)",
            "not a",
            "a && not (b)",
            "a not in b",
            "\"and\" == 'or' or b",
            "a = 1",
            "a => 1",
            "a <> b && c",
            "a === b",
            "a !== b",
            "a & b",
            "a | b",
            "x is null",
            "1 if a else 2",
            "a AND b",
            "inputs.and == 1 )",
            "a &&!b )",
            "not.x )",
            "a // and b",
            "r'\\' and b",
            "'''and''' \"a\\\" and\"",
            "ü and ü",
        ];
        let all: Vec<_> = texts
            .iter()
            .map(|t| format!("{t}\n    {}", found(t)))
            .collect();
        insta::assert_snapshot!(all.join("\n"));
    }

    proptest! {
        #[test]
        fn ranges_are_inside(text in "(and|or|not|=|[!&|<>='\"\\\\ a.()ü/\n]){0,12}") {
            if let Some(error) = find(&text) {
                prop_assert!(text.get(error.range).is_some());
            }
        }
    }
}
