//! The card after a run stopped: what happened, how things stand, and what to type next.

use std::fmt::Write as _;

use runbook_model::event::StopReason;
use runbook_model::state::NodeState;
use runbook_model::step::Place;
use runbook_model::text::{printable, printable_lines};
use runbook_model::{Failure, FailureKind, NodeIx, Plan, RunResult, RunState, Step};

use crate::excerpt::{excerpt, place};
use crate::facts;
use crate::next::{self, run_id};
use crate::text::{bounded, count, names, wrap};
use crate::time::length;
use crate::{Style, Tone};

/// Lines of a log that are shown.
const TAIL: usize = 12;
/// Failures that are shown in full; the rest is named.
const IN_FULL: usize = 5;

/// What a person needs after a run stopped without success: everything that failed, who is served,
/// what still runs, what was never started, and what to type. `state` is that of the end.
#[must_use]
pub fn failure_card(plan: &Plan, state: &RunState, style: &Style) -> String {
    let mut card = Card {
        out: String::new(),
        style,
    };
    let failures: Vec<_> = facts::failures(plan, state).collect();
    let unusable: Vec<_> = facts::unusable(state).collect();
    card.line(Tone::Head, &headline(plan, state));
    for (node, n, failure) in failures.iter().take(IN_FULL) {
        card.out.push('\n');
        card.failure(plan, state, *node, n, failure);
    }
    if failures.len() > IN_FULL {
        let rest: Vec<String> = failures[IN_FULL..]
            .iter()
            .map(|(n, ..)| facts::node_id(plan, *n))
            .collect();
        card.section("failed too", [names(&rest, 40)]);
    }
    card.section(
        "cannot be used",
        unusable
            .iter()
            .map(|(host, problem)| format!("{host}: {}", bounded(problem, facts::REASON))),
    );
    let now: Vec<String> = facts::serving(plan, state, state.last_at, style)
        .into_iter()
        .chain(facts::no_return(plan, state))
        .collect();
    card.section("now", now);
    card.section("held", facts::held(plan, state, state.last_at));
    card.section("on the ending", facts::of_ending(plan, state));
    let open = facts::open(state);
    card.section(
        "still runs, or may",
        open.iter()
            .map(|(id, a)| facts::open_text(plan, state, id, a, style)),
    );
    card.section("begun, not finished", facts::begun(plan, state, style));
    let never = facts::never_started(plan, state);
    card.section(
        "never started",
        (!never.is_empty()).then(|| never.join(", ")),
    );
    card.next(plan, state, &failures, !unusable.is_empty());
    card.out
}

/// What a person has to know after a run that succeeded all the same: failures that were only
/// recorded, hosts left behind, what is still held. Empty if there is nothing.
#[must_use]
pub fn findings_text(plan: &Plan, state: &RunState, style: &Style) -> String {
    let mut card = Card {
        out: String::new(),
        style,
    };
    card.section("to look at", facts::findings(plan, state));
    card.out
}

fn headline(plan: &Plan, state: &RunState) -> String {
    let run = run_id(state);
    let (failed, on_ending) = facts::failed(plan, state);
    let ending = match on_ending {
        0 => String::new(),
        n => format!(", {n} of them on the ending"),
    };
    let all = count(failed + on_ending, "instance");
    let name = printable(&plan.runbook);
    let too_late = facts::failures(plan, state).any(|(_, _, f)| f.kind == FailureKind::Window);
    let how = match (&state.result, &state.stopping) {
        _ if state.detached => "was left; what runs on hosts runs on".into(),
        (Some(RunResult::Refused), Some(StopReason::NotOpen(_))) => {
            "stopped: its window is not open yet".into()
        }
        (Some(RunResult::Refused), Some(StopReason::WindowClosed(_))) => {
            "stopped: its window has closed".into()
        }
        (Some(RunResult::Refused), _) if too_late => {
            "stopped: it is too late for what cannot be undone".into()
        }
        (Some(RunResult::Refused), _) if state.due.is_some() => {
            let why = facts::why_back(state).unwrap_or_default();
            format!("stopped, and is to be rolled back: {why}")
        }
        (Some(RunResult::Refused), _) => "stopped: a gate was not approved".into(),
        (Some(RunResult::RolledBack), _) => {
            let why = facts::why_back(state).unwrap_or_default();
            format!("was rolled back: {why}")
        }
        (Some(RunResult::Stopped), _) | (_, Some(StopReason::Interrupt)) => {
            "was interrupted".into()
        }
        (_, Some(StopReason::Host(host))) => format!("stopped: {host} cannot be used"),
        (_, Some(StopReason::OverTime(_))) => {
            "stopped: a critical step takes longer than its limit".into()
        }
        (_, Some(StopReason::Budget(phase))) => format!(
            "stopped: {} failed, and phase {} allows fewer",
            count(failed, "instance"),
            plan.phases
                .get(*phase as usize)
                .map_or("?", |p| p.id.as_str())
        ),
        _ if failed > 0 => format!("stopped: {all} failed{ending}"),
        _ => "stopped".into(),
    };
    format!("run {run} ({name}) {how}")
}

struct Card<'a> {
    out: String,
    style: &'a Style,
}

impl Card<'_> {
    fn line(&mut self, tone: Tone, text: &str) {
        let _ = writeln!(self.out, "{}", self.style.paint(tone, text));
    }

    fn section(&mut self, title: &str, lines: impl IntoIterator<Item = String>) {
        for (at, line) in lines.into_iter().enumerate() {
            if at == 0 {
                self.out.push('\n');
                self.line(Tone::Head, title);
            }
            wrap(&mut self.out, "  ", 4, &line, self.style.width);
        }
    }

    fn failure(
        &mut self,
        plan: &Plan,
        state: &RunState,
        node: NodeIx,
        n: &NodeState,
        failure: &Failure,
    ) {
        let id = facts::node_id(plan, node);
        let found = plan.instance(node);
        let kind = found.and_then(|(step, _)| plan.type_of(step));
        let summary = kind
            .map(|t| format!(": {}", bounded(&t.summary, 200)))
            .unwrap_or_default();
        self.line(Tone::Bad, &format!("{id} failed{summary}"));
        if let Some((step, host)) = found {
            let phase = plan
                .phases
                .get(step.phase as usize)
                .map(|p| format!("phase {}, ", p.id));
            let mut about = format!(
                "{}{} on {host}",
                phase.unwrap_or_default(),
                printable(&step.uses)
            );
            if let Some(number) = n.attempts.len().checked_sub(1).filter(|more| *more > 0) {
                let _ = write!(about, ", attempt {}", number + 1);
            }
            if let Some(took) = facts::took(state, n) {
                let _ = write!(about, ", after {}", length(took));
            }
            let _ = writeln!(self.out, "  {about}");
            let meant = meant(step, failure.kind);
            if let Some(at) = place(plan, meant) {
                let _ = writeln!(self.out, "  at {at}");
                for line in excerpt(plan, meant, self.style) {
                    let _ = writeln!(self.out, "    {line}");
                }
            }
        }
        let status = failure
            .status
            .map(|s| format!(", status {s}"))
            .unwrap_or_default();
        let _ = writeln!(self.out, "  {}{status}", phrase(failure.kind));
        for line in printable_lines(&failure.message).take(20) {
            wrap(&mut self.out, "  > ", 4, &line, self.style.width);
        }
        let tail: Vec<_> = printable_lines(&failure.tail).collect();
        if !tail.is_empty() {
            let _ = writeln!(self.out, "  end of the log:");
            for line in &tail[tail.len().saturating_sub(TAIL)..] {
                let line = crate::text::cut(line, 500);
                let _ = writeln!(self.out, "  | {}", self.style.paint(Tone::Quiet, &line));
            }
        }
    }

    fn next(
        &mut self,
        plan: &Plan,
        state: &RunState,
        failures: &[(NodeIx, &NodeState, &Failure)],
        unusable: bool,
    ) {
        let run = run_id(state);
        let in_doubt = failures
            .iter()
            .find(|(_, _, f)| f.kind == FailureKind::InDoubt);
        let refused = state.result == Some(RunResult::Refused);
        let resume = match () {
            () if in_doubt.is_some() => {
                "does not repeat what is in doubt: see on the host what happened"
            }
            () if refused && matches!(state.stopping, Some(StopReason::NotOpen(_))) => {
                "goes on, when the window is open"
            }
            () if refused && matches!(state.stopping, Some(StopReason::WindowClosed(_))) => {
                "settles what is open; nothing new starts after the window"
            }
            () if state.due.is_some() => "rolls it back",
            () if refused => "asks again, at a terminal",
            () if state.detached => "attaches to what runs, and goes on",
            () if unusable => "goes on, when the host can be used",
            () if failures.is_empty() => "goes on from here",
            () => "goes on from here, when the cause is gone",
        };
        let over = state.result.as_ref().is_some_and(|of| !of.goes_on());
        let mut all = Vec::new();
        if !over {
            all.push((next::resume(state), resume));
        }
        if let Some((node, ..)) = in_doubt {
            all.extend(next::decisions(state, &facts::node_id(plan, *node)));
        }
        let logged = failures
            .iter()
            .find(|(_, n, _)| !n.attempts.is_empty())
            .map(|(node, ..)| *node)
            .or_else(|| facts::open(state).first().map(|(_, a)| a.node));
        if let Some(node) = logged {
            all.push((
                format!("runbook logs {run} {}", facts::node_id(plan, node)),
                "the whole log",
            ));
        }
        for command in next::releases(plan, state) {
            all.push((command, "takes back what it holds"));
        }
        all.push((format!("runbook status {run}"), "how everything stands"));
        let wide = all
            .iter()
            .map(|(c, _)| c.chars().count())
            .max()
            .unwrap_or(0);
        self.out.push('\n');
        self.line(Tone::Head, "next");
        for (command, what) in all {
            let _ = writeln!(self.out, "  {command:wide$}   {what}");
        }
    }
}

/// The part of a step that a failure is about.
fn meant(step: &Step, kind: FailureKind) -> Place {
    let key = match kind {
        FailureKind::Expect => step.expect.as_ref().map(|e| e.place),
        FailureKind::Fatal => step
            .until
            .as_ref()
            .and_then(|u| u.fatal.as_ref())
            .map(|e| e.place),
        FailureKind::Assert => step.with_places.get("all").copied(),
        _ => None,
    };
    key.unwrap_or(step.place)
}

fn phrase(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Check => "the check failed: no verdict",
        FailureKind::Finding => "it is not as wanted",
        FailureKind::Apply => "the change failed",
        FailureKind::Timeout => "its time was over, and it was ended",
        FailureKind::NotConverged => "the change was made, and the check still differs",
        FailureKind::Expect => "`expect` is false",
        FailureKind::Fatal => "`until.fatal` is true",
        FailureKind::Within => "`until.within` is over",
        FailureKind::Value => "a value is missing or wrong",
        FailureKind::Assert => "a condition does not hold",
        FailureKind::Refused => "it was not approved",
        FailureKind::InDoubt => "its effect is not known, and no check is able to tell",
        FailureKind::Unreachable => "the host could not be reached",
        FailureKind::Cancelled => "it was cancelled",
        FailureKind::Requires => "something that it needs has failed",
        FailureKind::Window => "it is too late",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn card(tape: &sample::Tape) -> String {
        failure_card(&tape.plan, &tape.state(), &Style::plain(100))
    }

    #[test]
    fn a_failure_in_the_outage() {
        insta::assert_snapshot!(card(&sample::failed()));
    }

    #[test]
    fn a_gate_has_the_run_taken_back() {
        insta::assert_snapshot!(card(&sample::to_be_taken_back()));
        insta::assert_snapshot!(card(&sample::taken_back()));
    }

    #[test]
    fn the_card_counts_as_the_last_line_does() {
        let tape = sample::failed_twice();
        let text = card(&tape);
        let head = "stopped: 2 instances failed, 1 of them on the ending\n";
        assert!(text.contains(head), "{text}");
        let text = crate::lines::tests::told(&tape);
        assert!(text.contains("failed: 2 failed, "), "{text}");
    }

    #[test]
    fn something_is_still_held() {
        insta::assert_snapshot!(card(&sample::held()));
    }

    #[test]
    fn a_success_with_something_to_look_at() {
        let tape = sample::left_behind();
        let style = Style::plain(100);
        insta::assert_snapshot!(findings_text(&tape.plan, &tape.state(), &style));
        let tape = sample::held();
        let clean = Plan::empty("r");
        assert_eq!(findings_text(&clean, &RunState::default(), &style), "");
        assert!(findings_text(&tape.plan, &tape.state(), &style).contains("taking it back failed"));
    }

    #[test]
    fn a_refused_gate() {
        insta::assert_snapshot!(card(&sample::refused()));
    }

    #[test]
    fn a_window_that_has_closed() {
        insta::assert_snapshot!(card(&sample::out_of_window()));
    }

    #[test]
    fn an_interrupt() {
        insta::assert_snapshot!(card(&sample::interrupted(false)));
    }

    #[test]
    fn a_detached_run() {
        insta::assert_snapshot!(card(&sample::interrupted(true)));
    }

    #[test]
    fn a_host_that_cannot_be_used() {
        insta::assert_snapshot!(card(&sample::unreachable()));
    }

    #[test]
    fn an_attempt_in_doubt() {
        insta::assert_snapshot!(card(&sample::in_doubt()));
    }

    #[test]
    fn nothing_raw_is_shown() {
        let tape = sample::failed();
        let text = card(&tape);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        assert!(
            text.contains("\\u{1b}[31m"),
            "the sample has an escape in its log: {text}"
        );
    }
}
