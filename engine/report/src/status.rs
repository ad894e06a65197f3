//! How a run stands, live or after it ended.

use std::fmt::Write as _;

use runbook_model::event::StopReason;
use runbook_model::plan::Part;
use runbook_model::text::printable;
use runbook_model::transition::Stage;
use runbook_model::{FailureKind, Millis, Outcome, Plan, RunResult, RunState};

use crate::narrate::{failure_text, stopping};
use crate::next;
use crate::text::{bounded, count, wrap};
use crate::time::{date_time, length, moment};
use crate::{Style, Tally, Tone};
use crate::{asks, facts};

/// A run in one screen: who runs it, each phase, what is active, what failed, who is served.
/// `running` says whether a controller has it now; what lasts is counted up to `now`.
#[must_use]
pub fn status_text(
    plan: &Plan,
    state: &RunState,
    running: bool,
    now: Millis,
    style: &Style,
) -> String {
    // A clock that was set back shows the last event, and not less.
    let now = now.max(state.last_at);
    let mut out = String::new();
    let run = state.run.as_ref().map_or("?", |r| r.as_str());
    let digest: String = plan.digest.chars().take(12).collect();
    let head = format!(
        "run {run} of {} {}",
        printable(&plan.runbook),
        printable(&plan.version)
    );
    let _ = writeln!(
        out,
        "{}, plan {}",
        style.paint(Tone::Head, head.trim_end()),
        printable(&digest)
    );
    let _ = writeln!(out, "  {}", standing(plan, state, running, style));
    if let Some(c) = &state.controller {
        let word = if running {
            "controller"
        } else {
            "last controller"
        };
        let (host, user) = (bounded(&c.host, 80), bounded(&c.user, 80));
        let _ = writeln!(
            out,
            "  {word} {user}@{host}, process {} (epoch {})",
            c.pid, state.epoch
        );
    }
    let _ = writeln!(
        out,
        "  begun {}, last event {}",
        date_time(state.created_at, style),
        date_time(state.last_at, style)
    );
    phases(&mut out, plan, state, style);
    let mut asked = String::new();
    asks::text(&mut asked, plan, state, now, style);
    if !asked.is_empty() {
        let _ = write!(out, "\n{}\n{asked}", style.paint(Tone::Head, "asked"));
    }
    let mut section = |title: &str, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{}", style.paint(Tone::Head, title));
        for line in lines {
            wrap(&mut out, "  ", 4, &line, style.width);
        }
    };
    section(
        "now",
        facts::serving(plan, state, now, style)
            .into_iter()
            .chain(facts::no_return(plan, state))
            .collect(),
    );
    section(
        "failed",
        facts::failures(plan, state)
            .map(|(node, _, failure)| {
                format!("{}: {}", facts::node_id(plan, node), failure_text(failure))
            })
            .collect(),
    );
    section("held", facts::held(plan, state, now));
    section("recorded", recorded(plan, state));
    section("record", facts::records(plan, state));
    section("not in the runbook any more", facts::gone(state));
    section("on the ending", facts::of_ending(plan, state));
    section(
        "cannot be used",
        facts::unusable(state)
            .map(|(host, why)| format!("{host}: {}", bounded(why, facts::REASON)))
            .collect(),
    );
    section(
        if running {
            "runs on hosts"
        } else {
            "still runs, or may"
        },
        facts::open(state)
            .iter()
            .map(|(id, a)| facts::open_text(plan, state, id, a, style))
            .collect(),
    );
    match running {
        true => section("active", active(plan, state, now, style)),
        false => section("begun, not finished", facts::begun(plan, state, style)),
    }
    section("next", next::commands(plan, state, running));
    out
}

/// Why a run may not go on.
fn refused(plan: &Plan, state: &RunState) -> String {
    let late = |kind| kind == FailureKind::Window;
    match &state.stopping {
        Some(reason @ (StopReason::NotOpen(_) | StopReason::WindowClosed(_))) => {
            stopping(plan, state, reason)
        }
        _ if facts::failures(plan, state).any(|(_, _, f)| late(f.kind)) => {
            "stopped: it is too late for what cannot be undone".to_owned()
        }
        _ => "stopped: a gate was not approved".to_owned(),
    }
}

/// What failed and did not stop the run, and what was left out because of that.
fn recorded(plan: &Plan, state: &RunState) -> Vec<String> {
    let said = |outcome: &Outcome| match outcome {
        Outcome::Recorded(failure) => Some(failure_text(failure)),
        Outcome::LeftOut { reason } => {
            Some(format!("left out: {}", bounded(reason, facts::REASON)))
        }
        _ => None,
    };
    facts::instances(plan, state)
        .filter_map(|(node, _, _, n)| {
            let text = said(n.outcome.as_ref()?)?;
            Some(format!("{}: {text}", facts::node_id(plan, node)))
        })
        .collect()
}

fn standing(plan: &Plan, state: &RunState, running: bool, style: &Style) -> String {
    let (tone, text) = match (&state.result, running) {
        (None, true) if state.release.is_some() => {
            (Tone::Change, "holds are being released".into())
        }
        (None, true) if state.rollback.is_some() && state.ending.is_none() => {
            (Tone::Change, rolling("rolling back", state))
        }
        (None, true) if state.ending.is_some() => (
            Tone::Change,
            "the procedure is over; what follows on every ending".into(),
        ),
        (None, true) => match &state.stopping {
            Some(reason) => (Tone::Warn, stopping(plan, state, reason)),
            None => (Tone::Change, "running".into()),
        },
        (None, false) => (
            Tone::Warn,
            rolling("unfinished: its controller is gone", state),
        ),
        (Some(RunResult::Succeeded), _) => match facts::findings(plan, state).len() {
            0 => (Tone::Good, "succeeded".into()),
            n => (
                Tone::Warn,
                format!("succeeded, with {} to look at", count(n, "thing")),
            ),
        },
        (Some(RunResult::AlreadyThere), _) => (Tone::Good, "everything was there already".into()),
        (Some(RunResult::Refused), _) if state.due.is_some() => {
            (Tone::Bad, rolling("stopped", state))
        }
        (Some(RunResult::Refused), _) => (Tone::Bad, refused(plan, state)),
        (Some(RunResult::Stopped), _) if state.detached => (
            Tone::Warn,
            rolling("detached: what runs on hosts runs on", state),
        ),
        (Some(RunResult::Stopped), _) => (Tone::Warn, rolling("stopped by a person", state)),
        (Some(RunResult::Failed), _) => match &state.rollback {
            Some(_) => (Tone::Bad, rolling("its rollback failed", state)),
            None => (Tone::Bad, rolling("failed", state)),
        },
        (Some(RunResult::Reached), _) => (Tone::Good, "ended where it was to end".into()),
        (Some(RunResult::RolledBack), _) => {
            let by_gate = facts::gate_of_rollback(state).is_some();
            let tone = if by_gate { Tone::Warn } else { Tone::Good };
            (tone, rolling("rolled back", state))
        }
        (Some(RunResult::SteppedBack), _) => (
            Tone::Warn,
            "rolled back to an earlier phase; a resume goes forward".into(),
        ),
        (Some(RunResult::Abandoned), _) => (Tone::Warn, "abandoned".into()),
    };
    style.paint(tone, &text)
}

/// How it stands, with the rollback that is over, under way or due: who wants it, and why.
fn rolling(how: &str, state: &RunState) -> String {
    match facts::why_back(state) {
        Some(why) if state.due.is_some() => format!("{how}; a resume rolls it back: {why}"),
        Some(why) => format!("{how}: {why}"),
        None => how.to_owned(),
    }
}

fn phases(out: &mut String, plan: &Plan, state: &RunState, style: &Style) {
    let wide = plan.phases.iter().map(|p| p.id.len()).max().unwrap_or(0);
    out.push('\n');
    for (phase, at) in plan.phases.iter().zip(0u32..) {
        // A procedure of going back has not begun, and is not about to.
        if phase.part == Part::Rollback && state.rollback.is_none() && state.rolled_back.is_none() {
            continue;
        }
        let tally = Tally::of(plan, state, Some(at));
        let (tone, word) = match tally {
            t if t.failed > 0 => (Tone::Bad, "failed"),
            t if t.total == 0 => (Tone::Quiet, "empty"),
            t if t.done == t.total && t.skipped == t.total => (Tone::Quiet, "skipped"),
            t if t.done == t.total => (Tone::Good, "done"),
            t if t.done + t.active > 0 => (Tone::Change, "begun"),
            _ => (Tone::Quiet, "not begun"),
        };
        let word = style.paint(tone, &format!("{word:9}"));
        let line = format!(
            "  {:wide$}  {word}  {:>4} of {:<4}  {}",
            phase.id,
            tally.done,
            tally.total,
            tally.words()
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// Instances between their begin and their end, without those whose attempts are listed already.
fn active(plan: &Plan, state: &RunState, now: Millis, style: &Style) -> Vec<String> {
    let said = |n: &runbook_model::state::NodeState| {
        let what = match n.stage {
            Stage::Looking | Stage::Judging => "is looked at".into(),
            Stage::Pausing => match n.pausing_until {
                Some(until) => format!("waits until {}", moment(until, now, style)),
                None => "waits".into(),
            },
            Stage::Asking | Stage::Answered => "asks a person".into(),
            Stage::Waiting => "begins again".into(),
            _ => "runs".into(),
        };
        let since = n
            .started_at
            .map(|at| format!(", for {}", length(now - at)))
            .unwrap_or_default();
        let why = facts::last_look(n)
            .map(|why| format!(": {why}"))
            .unwrap_or_default();
        format!("{what}{since}{why}")
    };
    let between = facts::between(plan, state, now, style);
    let instances = facts::unfinished(plan, state);
    let instances = instances
        .iter()
        .map(|(node, n)| format!("{} {}", facts::node_id(plan, *node), said(n)));
    between.into_iter().chain(instances).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, Tape};

    /// How it stands a while after the last event.
    fn text(tape: &Tape, running: bool, after: Millis) -> String {
        let state = tape.state();
        let now = state.last_at + after;
        status_text(&tape.plan, &state, running, now, &Style::plain(100))
    }

    #[test]
    fn a_run_that_failed() {
        insta::assert_snapshot!(text(&sample::failed(), false, 0));
    }

    #[test]
    fn a_run_that_runs() {
        let tape = sample::failed().until_gate_passed();
        insta::assert_snapshot!(text(&tape, true, 0));
    }

    #[test]
    fn a_run_that_holds_something() {
        insta::assert_snapshot!(text(&sample::held(), false, 40_000));
    }

    #[test]
    fn a_success_that_holds_something() {
        insta::assert_snapshot!(text(&sample::forgotten(), false, 40_000));
    }

    #[test]
    fn a_run_that_waits() {
        insta::assert_snapshot!(text(&sample::patient(), true, 40_000));
    }

    #[test]
    fn nobody_is_asked_after_a_run_has_ended() {
        insta::assert_snapshot!(text(&sample::unanswered(), false, 40_000));
    }

    #[test]
    fn a_run_that_asks() {
        insta::assert_snapshot!(text(&sample::asked(), true, 40_000));
    }

    #[test]
    fn a_gate_has_the_run_taken_back() {
        let head = |tape: &Tape, running| {
            let text = text(tape, running, 0);
            text.lines().nth(1).unwrap().trim().to_owned()
        };
        let due = sample::to_be_taken_back();
        let why = "a resume rolls it back: bob on desk said `back` at approve@control";
        assert_eq!(head(&due, false), format!("stopped; {why}"));
        let mut killed = due;
        killed.records.pop();
        assert_eq!(
            head(&killed, false),
            format!("unfinished: its controller is gone; {why}")
        );
        let why = "bob on desk: said `back` at approve@control";
        let mut back = sample::taken_back();
        assert_eq!(head(&back, false), format!("rolled back: {why}"));
        back.records.pop();
        assert_eq!(head(&back, true), format!("rolling back: {why}"));
    }

    #[test]
    fn a_clock_that_was_set_back_changes_nothing() {
        let tape = sample::held();
        assert_eq!(text(&tape, false, -900_000), text(&tape, false, 0));
    }

    #[test]
    fn nobody_looks_after_a_run_has_ended() {
        let ended = text(&sample::impatient(), false, 0);
        assert!(!ended.contains("active"), "{ended}");
        let told = "begun, not finished\n  healthy@quay01: /health says 200, database false\n";
        assert!(ended.contains(told), "{ended}");
    }

    #[test]
    fn a_run_that_was_detached() {
        insta::assert_snapshot!(text(&sample::interrupted(true), false, 0));
    }
}
