//! How far running steps say they are: lines of their output that fit the pattern of their type.

use std::collections::HashMap;

use regex::Regex;
use runbook_model::step_type::Piece;
use runbook_model::text::printable;
use runbook_model::{NodeIx, Plan};

use crate::text::cut;

/// The longest line that is looked at, in bytes; the rest of a longer one is left out.
const LINE: usize = 4 * 1024;
/// The longest text that is shown, in columns.
const TEXT: usize = 60;

/// What running steps have said so far.
#[derive(Debug, Default)]
pub(super) struct Reached(HashMap<NodeIx, Step>);

#[derive(Debug, Default)]
struct Step {
    /// None where the type has no pattern.
    pattern: Option<Regex>,
    /// The line that has not ended yet.
    line: Vec<u8>,
    /// Lines that fitted.
    count: usize,
    /// The last of them.
    last: String,
}

impl Reached {
    /// Output of an attempt, in pieces that end anywhere.
    pub(super) fn hear(&mut self, node: NodeIx, plan: &Plan, bytes: &[u8]) {
        let step = self.0.entry(node).or_insert_with(|| Step {
            pattern: pattern(plan, node),
            ..Step::default()
        });
        let Some(pattern) = &step.pattern else { return };
        for byte in bytes {
            if *byte != b'\n' {
                if step.line.len() < LINE {
                    step.line.push(*byte);
                }
                continue;
            }
            let line = std::mem::take(&mut step.line);
            let line = String::from_utf8_lossy(&line);
            if let Some(found) = pattern.captures(line.trim_end()) {
                let text = found
                    .get(1)
                    .or(found.get(0))
                    .map_or("", |part| part.as_str());
                step.count += 1;
                step.last = cut(printable(text).trim(), TEXT);
            }
        }
    }

    /// Another attempt begins, or the step has ended.
    pub(super) fn forget(&mut self, node: NodeIx) {
        self.0.remove(&node);
    }

    /// The number of the last such line, and what it says.
    pub(super) fn of(&self, node: NodeIx) -> Option<String> {
        let step = self.0.get(&node).filter(|step| step.count > 0)?;
        Some(format!("{}: {}", step.count, step.last))
    }
}

/// The pattern of a step: that of its type, or the value of the parameter that the type names.
fn pattern(plan: &Plan, node: NodeIx) -> Option<Regex> {
    let (step, _) = plan.instance(node)?;
    let of = plan.type_of(step)?;
    let text = match of.progress.as_ref()? {
        Piece::Literal(text) => Some(text),
        Piece::Param(name) => {
            let given = step.with.get(name);
            given.or_else(|| of.params.get(name)?.default.as_ref())
        }
        Piece::Map(_) | Piece::List(_) => None,
    };
    Regex::new(text?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn heard(pieces: &[&str], pattern: Piece) -> Option<String> {
        let mut tape = sample::failed();
        for of in tape.plan.types.values_mut() {
            of.progress = Some(pattern.clone());
        }
        let node = tape.plan.instances().map(|(node, ..)| node).next().unwrap();
        let mut reached = Reached::default();
        for piece in pieces {
            reached.hear(node, &tape.plan, piece.as_bytes());
        }
        let said = reached.of(node);
        reached.forget(node);
        assert_eq!(reached.of(node), None);
        said
    }

    fn task() -> Piece {
        Piece::Literal(r"^TASK \[(.*)\]".into())
    }

    #[test]
    fn the_last_line_that_fits_is_told_with_its_number() {
        let pieces = [
            "PLAY [all] **\n\nTASK [one] **",
            "*\nok: [a]\nTA",
            "SK [t\u{1b}wo] ***\r\nTASK [three",
        ];
        assert_eq!(heard(&pieces, task()).as_deref(), Some("2: t\\u{1b}wo"));
        assert_eq!(heard(&["nothing\n"], task()), None);
    }

    #[test]
    fn without_parentheses_it_is_all_that_fits() {
        let pattern = Piece::Literal("[0-9]+ of [0-9]+".into());
        assert_eq!(
            heard(&["file 3 of 7 is done\n"], pattern).as_deref(),
            Some("1: 3 of 7")
        );
        assert_eq!(heard(&["x\n"], Piece::Literal("(".into())), None);
    }

    #[test]
    fn a_line_without_an_end_takes_little_room() {
        let long = "TASK [x] ".to_owned() + &"y".repeat(1 << 20) + "\nTASK [z]\n";
        assert_eq!(heard(&[&long], task()).as_deref(), Some("2: z"));
    }
}
