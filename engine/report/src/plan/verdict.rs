//! What is known of a step's instances now: once for all of them where they agree.

use runbook_model::preview::Finding;
use runbook_model::text::printable_lines;
use runbook_model::{Forecast, Plan, Preview};

use crate::text::{bounded, names, wrap};
use crate::{Style, Tone};

/// The longest reason.
const REASON: usize = 300;
/// Reasons of one verdict that are shown.
const REASONS: usize = 20;
/// Lines of a change to a file that are shown.
const DIFF_LINES: usize = 60;

/// Lines about the instances of one step, by what tells them apart; those with the same verdict
/// share one.
pub(super) fn verdicts(out: &mut String, found: &[(String, &Forecast)], style: &Style) {
    let mut groups: Vec<(&Forecast, Vec<&str>)> = Vec::new();
    for (who, forecast) in found {
        if **forecast == Forecast::None {
            continue;
        }
        match groups.iter_mut().find(|(f, _)| f == forecast) {
            Some((_, all)) => all.push(who.as_str()),
            None => groups.push((forecast, vec![who.as_str()])),
        }
    }
    let one = groups.len() == 1;
    for (forecast, hosts) in &groups {
        let (tone, word, reasons) = said(forecast);
        let who = if one {
            String::new()
        } else {
            format!("{}: ", names(hosts, 12))
        };
        let mut text = String::new();
        let first = format!("      {who}{word}");
        match reasons.as_slice() {
            [] => wrap(&mut text, "      ", 8, &format!("{who}{word}"), style.width),
            [reason] => wrap(
                &mut text,
                "      ",
                8,
                &format!("{who}{word}: {reason}"),
                style.width,
            ),
            several => {
                text.push_str(&first);
                text.push('\n');
                for reason in several.iter().take(REASONS) {
                    wrap(&mut text, "        - ", 10, reason, style.width);
                }
                if several.len() > REASONS {
                    text.push_str(&format!("        and {} more\n", several.len() - REASONS));
                }
            }
        }
        push_diff(&mut text, forecast);
        for line in text.lines() {
            out.push_str(&style.paint(tone, line));
            out.push('\n');
        }
    }
}

/// What stands below the first line of a reason: the change to a file, line by line.
fn push_diff(text: &mut String, forecast: &Forecast) {
    let (Forecast::Change(why) | Forecast::Probe(Finding::Differs(why))) = forecast else {
        return;
    };
    for reason in why {
        let lines: Vec<_> = printable_lines(reason).skip(1).collect();
        for line in lines.iter().take(DIFF_LINES) {
            text.push_str(&format!("            {line}\n"));
        }
        if lines.len() > DIFF_LINES {
            text.push_str(&format!(
                "            and {} more lines\n",
                lines.len() - DIFF_LINES
            ));
        }
    }
}

fn said(forecast: &Forecast) -> (Tone, &'static str, Vec<String>) {
    let one = |text: &str| match text.is_empty() {
        true => Vec::new(),
        false => vec![bounded(text, REASON)],
    };
    let first = |text: &String| bounded(text.lines().next().unwrap_or(""), REASON);
    let all = |texts: &[String]| texts.iter().map(first).collect();
    match forecast {
        Forecast::None => (Tone::Plain, "", Vec::new()),
        Forecast::NoChange => (Tone::Quiet, "no change", Vec::new()),
        Forecast::Change(why) => (Tone::Change, "change", all(why)),
        Forecast::Maybe(why) => (Tone::Warn, "known only during the run", one(why)),
        Forecast::Always => (Tone::Change, "always done", Vec::new()),
        Forecast::Probe(Finding::Content) => (Tone::Quiet, "looks: as wanted now", Vec::new()),
        Forecast::Probe(Finding::Differs(why)) => {
            (Tone::Warn, "looks: not as wanted now", all(why))
        }
        Forecast::Probe(Finding::Unknown) => (Tone::Quiet, "looks", Vec::new()),
        Forecast::Gate => (Tone::Warn, "a person decides, at the terminal", Vec::new()),
        Forecast::Assert(now) => (Tone::Quiet, "conditions must hold", one(now)),
        Forecast::Skipped(why) => (Tone::Quiet, "skipped", one(why)),
        Forecast::Unreachable(why) => (Tone::Bad, "cannot be reached", one(why)),
        Forecast::Error(why) => (Tone::Bad, "the check failed", one(why)),
        Forecast::Unknown => (Tone::Quiet, "not asked", Vec::new()),
    }
}

/// How many instances there are of each kind of verdict.
pub(super) fn counts(plan: &Plan, preview: &Preview) -> String {
    let mut found = [0usize; 12];
    for (node, _, _) in plan.instances() {
        let at = match preview.nodes.get(node.at()) {
            Some(Forecast::Change(_)) => 0,
            Some(Forecast::Always) => 1,
            Some(Forecast::NoChange) => 2,
            Some(Forecast::Maybe(_)) => 3,
            Some(Forecast::Probe(_)) => 4,
            Some(Forecast::Gate) => 5,
            Some(Forecast::Assert(_)) => 6,
            Some(Forecast::Skipped(_)) => 7,
            Some(Forecast::Unreachable(_)) => 8,
            Some(Forecast::Error(_)) => 9,
            Some(Forecast::Unknown) | None => 10,
            Some(Forecast::None) => 11,
        };
        found[at] += 1;
    }
    let words = [
        "change",
        "always done",
        "no change",
        "known only during the run",
        "only look",
        "decided by a person",
        "conditions",
        "skipped",
        "cannot be reached",
        "with a failed check",
        "not asked",
    ];
    let said: Vec<String> = found
        .iter()
        .zip(words)
        .filter(|(n, _)| **n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    if said.is_empty() {
        "nothing to do: no step has a host".into()
    } else {
        said.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_to_a_file_is_shown_line_by_line() {
        let reason = "text differs\n@@ -1 +1 @@\n-old\u{1b}[2J\n+new".to_owned();
        let change = Forecast::Change(vec![reason]);
        let mut out = String::new();
        verdicts(&mut out, &[("quay01".into(), &change)], &Style::plain(80));
        insta::assert_snapshot!(out);
    }
}
