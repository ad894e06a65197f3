//! What came of tests.

use std::fmt::Write as _;

use runbook_model::text::{printable, printable_lines};
use serde_json::{Value, json};

use crate::text::count;
use crate::{Style, Tone};

/// Lines of what was expected or found that are shown.
const MOST: usize = 40;

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialRow {
    /// What it shows.
    pub title: String,
    /// What is not as it should be: of what, what was expected, what came.
    pub wrong: Vec<(String, String, String)>,
}

/// The tests of one step type, or the scenarios of one file.
#[must_use]
pub fn trials_text(group: &str, rows: &[TrialRow], style: &Style) -> String {
    let mut out = format!("{}\n", style.paint(Tone::Head, &printable(group)));
    for row in rows {
        let word = match row.wrong.is_empty() {
            true => style.paint(Tone::Good, "ok    "),
            false => style.paint(Tone::Bad, "failed"),
        };
        let _ = writeln!(out, "  {word}  {}", printable(&row.title));
        for (what, expected, found) in &row.wrong {
            let _ = writeln!(out, "          {}", printable(what));
            for (label, text) in [("expected", expected), ("found", found)] {
                let mut lines = printable_lines(text);
                let first = lines.next().unwrap_or_default();
                let first = format!("            {label:<8}  {first}");
                let _ = writeln!(out, "{}", first.trim_end());
                let mut left = 0;
                for (at, line) in lines.enumerate() {
                    match at < MOST {
                        true => _ = writeln!(out, "                      {line}"),
                        false => left += 1,
                    }
                }
                if left > 0 {
                    let _ = writeln!(
                        out,
                        "                      and {}",
                        count(left, "more line")
                    );
                }
            }
        }
    }
    out
}

/// How many tests passed, and how many did not.
#[must_use]
pub fn trials_sum(passed: usize, failed: usize, style: &Style) -> String {
    let all = count(passed + failed, "test");
    match failed {
        0 => format!("{all}, {}\n", style.paint(Tone::Good, "all passed")),
        failed => format!(
            "{all}, {}\n",
            style.paint(Tone::Bad, &format!("{failed} failed"))
        ),
    }
}

/// One test for programs.
#[must_use]
pub fn trial_json(group: &str, row: &TrialRow) -> Value {
    let wrong = row.wrong.iter().map(
        |(what, expected, found)| json!({ "what": what, "expected": expected, "found": found }),
    );
    json!({
        "group": group,
        "test": row.title,
        "passed": row.wrong.is_empty(),
        "wrong": wrong.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_shows_what_was_expected_and_what_came() {
        let of = |what: &str, expected: &str, found: &str| {
            (what.to_owned(), expected.to_owned(), found.to_owned())
        };
        let rows = [
            TrialRow {
                title: "the image is there".into(),
                wrong: Vec::new(),
            },
            TrialRow {
                title: "it is pulled\x1b[2J".into(),
                wrong: vec![
                    of("check", "satisfied", "differs: it is not there"),
                    of("applies", "podman pull a\npodman tag a", "nothing"),
                    of("file", "", &"line\n".repeat(50)),
                ],
            },
        ];
        let style = Style::plain(80);
        let text = trials_text("podman.image", &rows, &style) + &trials_sum(1, 1, &style);
        insta::assert_snapshot!(text);
        assert_eq!(
            trial_json("podman.image", &rows[1])["wrong"][0]["what"],
            "check"
        );
    }
}
