//! The line of a runbook that something is about, underlined.

use runbook_model::Plan;
use runbook_model::step::Place;
use runbook_model::text::printable;

use crate::text::cut;
use crate::{Style, Tone};

/// Wider lines are cut.
const WIDEST: usize = 160;

/// `file:line:column`, or nothing if the plan does not have that source.
pub(crate) fn place(plan: &Plan, place: Place) -> Option<String> {
    let source = plan.sources.get(place.source as usize)?;
    Some(format!(
        "{}:{}:{}",
        printable(&source.name),
        place.line,
        place.column
    ))
}

/// The line and marks under what is meant; empty if the place does not exist.
pub(crate) fn excerpt(plan: &Plan, place: Place, style: &Style) -> Vec<String> {
    let Some(line) = plan
        .sources
        .get(place.source as usize)
        .and_then(|s| s.text.lines().nth((place.line as usize).checked_sub(1)?))
    else {
        return Vec::new();
    };
    let before = (place.column as usize).saturating_sub(1);
    let length = place.length as usize;
    // The length counts bytes, and what is meant may go on for many lines: one line is shown.
    let tail: String = line.chars().skip(before).collect();
    let end = tail.floor_char_boundary(length.min(tail.len()));
    let meant = tail[..end].trim_end();
    let number = place.line.to_string();
    let shown = cut(&printable(&line.replace('\t', " ")), WIDEST);
    let mut out = vec![format!("{number} | {shown}")];
    let lead: String = line.chars().take(before).collect();
    let lead = printable(&lead.replace('\t', " ")).chars().count();
    if lead < WIDEST {
        let wide = printable(meant).chars().count().clamp(1, WIDEST - lead);
        let marks = style.paint(Tone::Bad, &"^".repeat(wide));
        out.push(format!(
            "{} | {}{marks}",
            " ".repeat(number.len()),
            " ".repeat(lead)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn at(text: &str, line: u32, column: u32, length: u32) -> Vec<String> {
        let mut plan = sample::plan();
        plan.sources[0].text = text.into();
        excerpt(
            &plan,
            Place {
                source: 0,
                line,
                column,
                offset: 0,
                length,
            },
            &Style::plain(80),
        )
    }

    #[test]
    fn what_is_meant_is_underlined() {
        assert_eq!(
            at("a: 1\n  b: grüße # x\n", 2, 6, 7),
            ["2 |   b: grüße # x", "  |      ^^^^^"]
        );
    }

    #[test]
    fn places_that_do_not_exist_are_no_panic() {
        assert!(at("a", 0, 1, 1).is_empty());
        assert!(at("a", 9, 1, 1).is_empty());
        assert_eq!(at("a", 1, 99, 500), ["1 | a", "  |  ^"]);
        assert_eq!(at("ü", 1, 1, 1), ["1 | ü", "  | ^"]);
    }

    #[test]
    fn a_long_line_is_cut() {
        let lines = at(&"x".repeat(500), 1, 3, 400);
        assert!(
            lines.iter().all(|l| l.chars().count() <= WIDEST + 4),
            "{lines:?}"
        );
    }
}
