//! Attempts: which ones there were, and how each ended.

use std::fmt::Write as _;

use runbook_model::event::{AttemptEnd, Verdict};
use runbook_model::text::{printable, printable_lines};
use runbook_model::{AttemptId, NodeIx, Outcome, Plan, RunState};

use crate::facts::{last_look, node_id};
use crate::narrate::failure_text;
use crate::text::below;
use crate::time::clock;
use crate::{Style, Tone};

/// The attempts of an instance, of all generations and of before its files were changed, in the order
/// in which they were intended.
#[must_use]
pub fn attempts_of(state: &RunState, node: NodeIx) -> Vec<&AttemptId> {
    let name = state.node(node).map(|n| &n.summary.id);
    let past = state.gone.iter().filter(|gone| Some(&gone.id) == name);
    let past = past.flat_map(|gone| &gone.attempts);
    let mut all: Vec<_> = state.attempts_of(node).chain(past).collect();
    all.sort_by_key(|(id, a)| (a.intended_at, a.number, id.as_str()));
    all.into_iter().map(|(id, _)| id).collect()
}

/// One line about an attempt, without a newline.
#[must_use]
pub fn attempt_text(plan: &Plan, state: &RunState, id: &AttemptId, style: &Style) -> String {
    let past = || {
        let mut all = state.gone.iter();
        all.find_map(|gone| Some((gone.attempts.get(id)?, gone)))
    };
    let (a, name) = match (state.attempts.get(id), past()) {
        (Some(a), _) => (a, node_id(plan, a.node)),
        (None, Some((a, gone))) => (a, printable(&gone.id).into_owned()),
        (None, None) => return format!("attempt {id}"),
    };
    let (tone, how) = match &a.end {
        Some(AttemptEnd::Completed { .. } | AttemptEnd::Converged { .. }) => {
            (Tone::Good, "completed".into())
        }
        Some(AttemptEnd::Looked { .. }) => (Tone::Quiet, "nothing was to be done".into()),
        Some(AttemptEnd::Failed(failure)) => {
            (Tone::Bad, format!("failed: {}", failure_text(failure)))
        }
        Some(AttemptEnd::NeverBegan) => (Tone::Quiet, "never began".into()),
        Some(AttemptEnd::Lost) => (
            Tone::Warn,
            "lost: its effect was found out by a check".into(),
        ),
        None if a.launched => (Tone::Change, "runs, as far as is known".into()),
        None => (Tone::Warn, "intended; whether it began is not known".into()),
    };
    let head = format!(
        "{name} {} {} on {}",
        if a.undo { "undo" } else { "attempt" },
        a.number,
        a.host
    );
    format!(
        "{}  {}  {} ({id})",
        clock(a.intended_at, style),
        style.paint(Tone::Head, &head),
        style.paint(tone, &how)
    )
}

/// All attempts of a run, a line each; those of before its files were changed among them.
#[must_use]
pub fn attempts_list(plan: &Plan, state: &RunState, style: &Style) -> String {
    let mut all: Vec<_> = state.all_attempts().collect();
    all.sort_by_key(|(id, a)| (a.intended_at, a.node, id.as_str()));
    if all.is_empty() {
        return "no attempts: nothing was changed\n".into();
    }
    all.into_iter()
        .map(|(id, _)| attempt_text(plan, state, id, style) + "\n")
        .collect()
}

/// What is known of an instance beside its attempts: its last look, and how it failed.
#[must_use]
pub fn last_words(state: &RunState, node: NodeIx, style: &Style) -> String {
    let mut out = String::new();
    let Some(n) = state.node(node) else {
        return out;
    };
    if let Some(why) = last_look(n) {
        let _ = writeln!(out, "the last look: {why}");
    }
    if let Some(Verdict::Differs(why)) = &n.verdict {
        for line in below(why) {
            let _ = writeln!(out, "  | {line}");
        }
    }
    if let Some(Outcome::Failed(failure)) = &n.outcome {
        let _ = writeln!(
            out,
            "{}",
            style.paint(Tone::Bad, &format!("failed: {}", failure_text(failure)))
        );
        for line in printable_lines(&failure.tail) {
            let _ = writeln!(out, "  | {line}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn attempts_of_a_run() {
        let tape = sample::resumed();
        insta::assert_snapshot!(attempts_list(&tape.plan, &tape.state(), &Style::plain(100)));
    }

    #[test]
    fn the_last_words_of_a_probe() {
        let tape = sample::failed();
        let state = tape.state();
        let node = tape.plan.node("healthy@quay01").unwrap();
        assert!(attempts_of(&state, node).is_empty());
        let text = last_words(&state, node, &Style::plain(100));
        assert!(
            text.starts_with("the last look: /health says nothing\nfailed: "),
            "{text}"
        );
        assert_eq!(text.lines().count(), 16, "{text}");
    }
}
