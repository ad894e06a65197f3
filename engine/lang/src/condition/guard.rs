//! Bounds on a condition before the grammar sees it: its parser and evaluator recurse.

use crate::scope::ExprError;

/// Longest condition, in bytes.
const MAX_LEN: usize = 16 << 10;
/// Deepest nesting of brackets. Without optimisation the parser takes 160 KiB of stack for each.
const MAX_BRACKETS: usize = 8;
/// Deepest tree. Without optimisation the evaluator takes 36 KiB of stack for each level.
const MAX_DEPTH: usize = 40;

/// What has been met since the last bracket was opened.
#[derive(Default)]
struct Level {
    /// The bracket that was opened; 0 outside of all.
    opened: u8,
    /// Operators since the last `&&`, `||`, `?`, `:` or comma.
    operators: usize,
    /// Members and calls since the last operator.
    members: usize,
    /// Question marks, which nest to the right.
    questions: usize,
}

impl Level {
    /// Begins a part that is a sibling of the one before, and not inside it.
    fn sibling(&mut self) {
        self.operators = 0;
        self.members = 0;
    }

    fn operator(&mut self) {
        self.operators += 1;
        self.members = 0;
    }

    fn depth(&self) -> usize {
        self.operators + self.members + self.questions
    }
}

/// Refuses what would nest too deeply, and text without an end.
pub(super) fn check(text: &str) -> Result<(), ExprError> {
    if text.len() > MAX_LEN {
        return Err(ExprError::new(0..0, "a condition may have 16 KiB"));
    }
    if text.trim().is_empty() {
        return Err(ExprError::new(0..text.len(), "a condition is empty"));
    }
    let bytes = text.as_bytes();
    let mut levels = vec![Level::default()];
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        let top = levels.len() - 1;
        match byte {
            b'"' | b'\'' => {
                at = end_of_text(bytes, at)
                    .ok_or_else(|| ExprError::new(at..at + 1, "this quote has no end"))?;
            }
            b'/' if next == Some(&b'/') => {
                at += bytes[at..]
                    .iter()
                    .position(|b| *b == b'\n')
                    .unwrap_or(bytes.len() - at);
                continue;
            }
            b'(' | b'[' | b'{' if levels.len() > MAX_BRACKETS => {
                return Err(ExprError::new(at..at + 1, "brackets are nested too deeply"));
            }
            b'(' | b'[' | b'{' => {
                levels[top].members += 1;
                levels.push(Level {
                    opened: byte,
                    ..Level::default()
                });
            }
            // The parser goes on behind a bracket that does not fit, and nests all the same.
            b')' | b']' | b'}' => match (levels[top].opened, byte) {
                (b'(', b')') | (b'[', b']') | (b'{', b'}') => _ = levels.pop(),
                (0, _) => {
                    let message = "a closing bracket without its opening one";
                    return Err(ExprError::new(at..at + 1, message));
                }
                _ => {
                    let message = "this bracket does not fit the one that was opened";
                    return Err(ExprError::new(at..at + 1, message));
                }
            },
            b'&' | b'|' | b':' => levels[top].sibling(),
            b',' => {
                levels[top] = Level {
                    opened: levels[top].opened,
                    ..Level::default()
                };
            }
            b'?' => {
                levels[top].questions += 1;
                levels[top].sibling();
            }
            b'.' => levels[top].members += 1,
            b'<' | b'>' | b'=' | b'!' if next == Some(&b'=') => {
                levels[top].operator();
                at += 1;
            }
            b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'=' | b'!' => levels[top].operator(),
            b'i' if is_in(bytes, at) => levels[top].operator(),
            _ => {}
        }
        let depth: usize = levels.iter().map(Level::depth).sum();
        if depth > MAX_DEPTH {
            return Err(ExprError::new(
                at..at + 1,
                "this condition is too long a chain; join shorter ones with `&&`, or use a variable",
            ));
        }
        at += 1;
    }
    Ok(())
}

fn is_in(bytes: &[u8], at: usize) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    bytes.get(at + 1) == Some(&b'n')
        && !bytes.get(at + 2).is_some_and(word)
        && !at
            .checked_sub(1)
            .and_then(|i| bytes.get(i))
            .is_some_and(word)
}

/// The byte of the last quote of a text, triple quotes and `r"…"` included.
fn end_of_text(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = bytes[start];
    let triple = bytes.get(start..start + 3) == Some(&[quote; 3]);
    let raw = start > 0 && matches!(bytes[start - 1], b'r' | b'R');
    let mut at = start + if triple { 3 } else { 1 };
    loop {
        match *bytes.get(at)? {
            b'\\' if !raw => at += 2,
            b'\n' | b'\r' if !triple => return None,
            byte if byte == quote && !triple => return Some(at),
            byte if byte == quote && bytes.get(at..at + 3) == Some(&[quote; 3]) => {
                return Some(at + 2);
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_conditions_pass() {
        let many = vec!["steps.x.on.all(h, steps.x.on[h].outputs.y == \"a\")"; 100].join(" && ");
        assert!(check(&many).is_ok());
        assert!(check(r#"a == "((((((((((((((((((((((((" || b == r'\' "#).is_ok());
    }

    #[test]
    fn what_nests_is_refused() {
        for text in [
            "(".repeat(9),
            "a.".repeat(41),
            "-".repeat(41),
            "a ? b : ".repeat(41),
            format!("{}a", "!".repeat(41)),
            "a + ".repeat(41),
            "a in ".repeat(41),
            "a[0].".repeat(21),
            "x".repeat(20 << 10),
            "\"open".to_owned(),
            "'a\nb'".to_owned(),
            " ".to_owned(),
        ] {
            assert!(check(&text).is_err(), "{}", &text[..10.min(text.len())]);
        }
    }
}
