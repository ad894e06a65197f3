//! What is known of a step's instances now: once for all of them where they agree.

use std::borrow::Cow;

use runbook_model::plan::Part;
use runbook_model::preview::Finding;
use runbook_model::step_type::TypeKind;
use runbook_model::text::printable_lines;
use runbook_model::{Forecast, Plan, Preview, Step};

use crate::text::{bounded, count, names, wrap};
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
            [reason] => {
                let line = format!("{who}{word}: {}", reason.first);
                wrap(&mut text, "      ", 8, &line, style.width);
                reason.push_rest(&mut text);
            }
            several => {
                text.push_str(&first);
                text.push('\n');
                for reason in several.iter().take(REASONS) {
                    wrap(&mut text, "        - ", 10, &reason.first, style.width);
                    reason.push_rest(&mut text);
                }
                if several.len() > REASONS {
                    text.push_str(&format!("        and {} more\n", several.len() - REASONS));
                }
            }
        }
        for line in text.lines() {
            out.push_str(&style.paint(tone, line));
            out.push('\n');
        }
    }
}

/// A reason, by lines: of a change to a file, all of them.
struct Reason {
    first: String,
    rest: Vec<String>,
}

impl Reason {
    /// What a check or the engine said.
    fn lines(text: &str) -> Self {
        let mut lines = printable_lines(text);
        Self {
            first: bounded(&lines.next().unwrap_or_default(), REASON),
            rest: lines.map(Cow::into_owned).collect(),
        }
    }

    /// Text that is made for one line.
    fn line(text: &str) -> Vec<Self> {
        let first = bounded(text, REASON);
        let rest = Vec::new();
        match first.is_empty() {
            true => Vec::new(),
            false => vec![Self { first, rest }],
        }
    }

    fn push_rest(&self, text: &mut String) {
        for line in self.rest.iter().take(DIFF_LINES) {
            text.push_str(&format!("            {line}\n"));
        }
        if self.rest.len() > DIFF_LINES {
            let more = count(self.rest.len() - DIFF_LINES, "more line");
            text.push_str(&format!("            and {more}\n"));
        }
    }
}

fn said(forecast: &Forecast) -> (Tone, &'static str, Vec<Reason>) {
    let one = Reason::line;
    let all = |texts: &[String]| texts.iter().map(|text| Reason::lines(text)).collect();
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

/// How many instances change something, or may, on every ending.
pub(super) fn of_ending(plan: &Plan, preview: &Preview) -> usize {
    let changes = |step: &Step| {
        let kind = plan.type_of(step).map(|of| of.kind);
        !matches!(
            kind,
            Some(TypeKind::Probe | TypeKind::Assert | TypeKind::Wait | TypeKind::Gate)
        )
    };
    let nodes = plan.instances().filter(|(node, step, _)| {
        let skipped = matches!(preview.nodes.get(node.at()), Some(Forecast::Skipped(_)));
        let step = plan.steps.get(step.at());
        plan.part_of(*node) == Part::Finally && !skipped && step.is_some_and(changes)
    });
    nodes.count()
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
        "assert",
        "skipped",
        "cannot be reached",
        "with a failed check",
        "not asked",
    ];
    let said: Vec<String> = found
        .iter()
        .zip(words)
        .filter(|(n, _)| **n > 0)
        .map(|(n, word)| match word {
            "assert" => count(*n, word),
            _ => format!("{n} {word}"),
        })
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
    fn each_difference_keeps_its_lines() {
        let reasons = ["text differs\n-a\n+b", "the mode is 0644"].map(String::from);
        let change = Forecast::Change(reasons.to_vec());
        let mut out = String::new();
        verdicts(&mut out, &[("quay01".into(), &change)], &Style::plain(80));
        insta::assert_snapshot!(out);
    }

    #[test]
    fn a_change_to_a_file_is_shown_line_by_line() {
        let reason = "text differs\n@@ -1 +1 @@\n-old\u{1b}[2J\n+new".to_owned();
        let change = Forecast::Change(vec![reason]);
        let mut out = String::new();
        verdicts(&mut out, &[("quay01".into(), &change)], &Style::plain(80));
        insta::assert_snapshot!(out);
    }
}
