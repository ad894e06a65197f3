//! A run that goes on with changed files, before it does: what of it is reused and what runs again,
//! each with its reason.

use std::fmt::Write as _;

use runbook_model::edit::{Comparison, Fate, Reason, Row};
use runbook_model::text::printable;
use runbook_model::{Millis, Outcome, RunState, Value};
use serde_json::json;

use crate::narrate::failure_text;
use crate::text::{bounded, count, names, wrap};
use crate::time::moment;
use crate::{Style, Tone};

/// Names in one line.
const NAMES: usize = 12;
/// Reasons in one line.
const REASONS: usize = 8;

/// Where a row stands, the most important first.
const SECTIONS: [(Section, Tone, &str); 5] = [
    (Section::Again, Tone::Change, "runs again"),
    (Section::New, Tone::Change, "new"),
    (Section::Gone, Tone::Warn, "gone"),
    (Section::Open, Tone::Plain, "goes on"),
    (Section::Reused, Tone::Good, "reused"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Again,
    New,
    Gone,
    Open,
    Reused,
}

/// What a changed plan means for a run, for the person who decides about it.
#[must_use]
pub fn edited_text(made: &Comparison, state: &RunState, style: &Style) -> String {
    let mut out = String::new();
    let run = state.run.as_ref().map_or("?", |run| run.as_str());
    let head = format!(
        "run {run} ({}) with the changed files",
        printable(&state.runbook)
    );
    let _ = writeln!(out, "{}", style.paint(Tone::Head, &head));
    wrap(&mut out, "  ", 4, &sums(made), style.width);
    for phase in &made.phases {
        let line = format!("whether phase {} runs is decided again", printable(phase));
        wrap(&mut out, "  ", 4, &line, style.width);
    }
    if !made.vars.is_empty() {
        let vars: Vec<_> = made.vars.iter().map(|var| printable(var)).collect();
        let line = format!("taken again: {}", names(&vars, NAMES));
        wrap(&mut out, "  ", 4, &line, style.width);
    }
    if !made.left_hosts.is_empty() {
        let hosts: Vec<_> = made
            .left_hosts
            .iter()
            .map(|host| printable(host.as_str()))
            .collect();
        let line = format!("nothing more is done on {}", names(&hosts, NAMES));
        wrap(&mut out, "  ", 4, &line, style.width);
    }
    for (section, tone, title) in SECTIONS {
        let rows = made
            .rows
            .iter()
            .filter(|row| section_of(&row.fate) == section);
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        for row in rows {
            let text = said(&row.fate, state.last_at, style);
            let id = printable(&row.id).into_owned();
            match lines.last_mut() {
                Some((last, ids)) if *last == text => ids.push(id),
                _ => lines.push((text, vec![id])),
            }
        }
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{}", style.paint(tone, title));
        for (text, ids) in lines {
            let line = format!("{}: {text}", names(&ids, NAMES));
            wrap(&mut out, "  ", 4, &line, style.width);
        }
    }
    out
}

/// The same for programs.
#[must_use]
pub fn edited_json(made: &Comparison, state: &RunState) -> Value {
    let rows: Vec<Value> = made
        .rows
        .iter()
        .map(|row| row_json(row, state.last_at))
        .collect();
    json!({
        "format": 1,
        "run": state.run,
        "runbook": state.runbook,
        "instances": rows,
        "phases_decided_again": made.phases,
        "vars_taken_again": made.vars,
        "hosts_left": made.left_hosts,
    })
}

fn row_json(row: &Row, now: Millis) -> Value {
    let leaves = matches!(
        row.fate,
        Fate::Again { leaves: true, .. }
            | Fate::Changed { leaves: true, .. }
            | Fate::Gone { leaves: true, .. }
    );
    json!({
        "instance": row.id,
        "phase": row.phase,
        "fate": word(&row.fate),
        "leaves_something": leaves,
        "text": said(&row.fate, now, &Style::plain(80)),
    })
}

fn word(fate: &Fate) -> &'static str {
    match fate {
        Fate::Reused { .. } => "reused",
        Fate::Stays { .. } => "stays",
        Fate::GoesOn { .. } => "goes_on",
        Fate::Again { .. } => "again",
        Fate::Changed { .. } => "changed",
        Fate::New => "new",
        Fate::Excluded => "excluded",
        Fate::Gone { .. } => "gone",
    }
}

fn section_of(fate: &Fate) -> Section {
    match fate {
        Fate::Again { .. } => Section::Again,
        Fate::New | Fate::Excluded => Section::New,
        Fate::Gone { .. } => Section::Gone,
        Fate::GoesOn { .. } | Fate::Changed { .. } => Section::Open,
        Fate::Reused { .. } | Fate::Stays { .. } => Section::Reused,
    }
}

fn sums(made: &Comparison) -> String {
    let of = |section| {
        let rows = made.rows.iter();
        rows.filter(|row| section_of(&row.fate) == section).count()
    };
    let parts = [
        format!("{} reused", count(of(Section::Reused), "instance")),
        format!("{} again", of(Section::Again)),
        format!("{} new", of(Section::New)),
        format!("{} gone", of(Section::Gone)),
        format!("{} still to do", of(Section::Open)),
    ];
    parts.join(", ")
}

fn said(fate: &Fate, now: Millis, style: &Style) -> String {
    let when = |outcome: &Outcome, at: Option<Millis>| {
        let at = at.map_or(String::new(), |at| format!(" {}", moment(at, now, style)));
        format!("{}{at}", outcome.word())
    };
    let left = |leaves: bool| match leaves {
        true => "; what it did before stays, and no rollback of this run takes it back",
        false => "",
    };
    match fate {
        Fate::Reused { outcome, at } => format!("the same, {}", when(outcome, *at)),
        Fate::Stays {
            outcome,
            at,
            why,
            changed,
        } => format!(
            "{}, and stays: {why}, although {}",
            when(outcome, *at),
            reasons(changed)
        ),
        Fate::GoesOn {
            outcome: Some(outcome),
            ..
        } => match outcome.failure() {
            Some(failure) => format!(
                "the same; it failed ({}) and is tried again",
                failure_text(failure)
            ),
            None => format!("the same; {}", outcome.word()),
        },
        Fate::GoesOn { begun: true, .. } => "the same; begun".into(),
        Fate::GoesOn { .. } => "the same; not begun".into(),
        Fate::Again {
            outcome,
            at,
            reasons: why,
            leaves,
        } => format!("{}{} ({})", reasons(why), left(*leaves), when(outcome, *at)),
        Fate::Changed {
            reasons: why,
            leaves,
        } => format!("not ended; {}{}", reasons(why), left(*leaves)),
        Fate::New => "the run did not have it".into(),
        Fate::Excluded => "left out: its host is out of the run".into(),
        Fate::Gone {
            outcome: Some(outcome),
            at,
            leaves,
        } => match leaves {
            true => format!(
                "{}; it stays as it is, and no rollback of this run takes it back",
                when(outcome, *at)
            ),
            false => format!("{}; it did nothing that stays", when(outcome, *at)),
        },
        Fate::Gone { leaves: true, .. } => {
            "begun; what it did stays, and no rollback of this run takes it back".into()
        }
        Fate::Gone { .. } => "never ran".into(),
    }
}

fn reasons(all: &[Reason]) -> String {
    let all: Vec<String> = all.iter().map(reason).collect();
    names(&all, REASONS)
}

fn reason(of: &Reason) -> String {
    let id = |text: &str| bounded(text, 120);
    match of {
        Reason::Param(name) => format!("its parameter `{}` changed", id(name)),
        Reason::Uses(old) => format!("it was a `{}`", id(old)),
        Reason::Type => "what its type does changed".into(),
        Reason::RunsOn(old) => format!("it ran on {}", id(old.as_str())),
        Reason::Address(host) => format!("{} is reached at another address", id(host.as_str())),
        Reason::Account => "it is another account there".into(),
        Reason::Chdir => "its directory changed".into(),
        Reason::Item => "what it is for changed".into(),
        Reason::When => "its `when` changed".into(),
        Reason::Expect => "its `expect` changed".into(),
        Reason::Condition => "its conditions changed".into(),
        Reason::Shows => "what it shows changed".into(),
        Reason::Reads(other) => format!("it reads `{}`, which is not what it was", id(other)),
        Reason::Needs(other) => format!("it needs `{}`, which is not what it was", id(other)),
        Reason::Behind(other) => format!("`{}` comes before it, and is not what it was", id(other)),
        Reason::Phase => "whether its phase runs is decided again".into(),
    }
}

#[cfg(test)]
mod tests {
    use runbook_model::{Failure, FailureKind, HostName};

    use super::*;
    use crate::sample;

    fn row(id: &str, fate: Fate) -> Row {
        Row {
            id: id.into(),
            phase: "one".into(),
            fate,
        }
    }

    #[test]
    fn people_see_what_becomes_of_everything() {
        let tape = sample::failed();
        let state = tape.state();
        let at = Some(state.last_at);
        let failure = Failure::new(FailureKind::Apply, "no space\x1b[2J left");
        let rows = vec![
            row(
                "look@a",
                Fate::Reused {
                    outcome: Outcome::Looked,
                    at,
                },
            ),
            row(
                "look@b",
                Fate::Reused {
                    outcome: Outcome::Looked,
                    at,
                },
            ),
            row(
                "was@a",
                Fate::Stays {
                    outcome: Outcome::Looked,
                    at,
                    why: "a record of how things were is never taken again",
                    changed: vec![Reason::Param("path".into())],
                },
            ),
            row(
                "image@a",
                Fate::Again {
                    outcome: Outcome::Changed,
                    at,
                    reasons: vec![Reason::Param("tag".into()), Reason::Account],
                    leaves: true,
                },
            ),
            row(
                "ask@control",
                Fate::Again {
                    outcome: Outcome::Passed,
                    at,
                    reasons: vec![Reason::Behind("image@a".into())],
                    leaves: false,
                },
            ),
            row("more@a", Fate::New),
            row("more@c", Fate::Excluded),
            row(
                "start@a",
                Fate::GoesOn {
                    outcome: Some(Outcome::Failed(failure)),
                    begun: true,
                },
            ),
            row(
                "last@a",
                Fate::GoesOn {
                    outcome: None,
                    begun: false,
                },
            ),
            row(
                "next@a",
                Fate::Changed {
                    reasons: vec![Reason::When],
                    leaves: false,
                },
            ),
            row(
                "old@a",
                Fate::Gone {
                    outcome: Some(Outcome::Changed),
                    at,
                    leaves: true,
                },
            ),
            row(
                "never@a",
                Fate::Gone {
                    outcome: None,
                    at: None,
                    leaves: false,
                },
            ),
        ];
        let made = Comparison {
            rows,
            phases: vec!["two".into()],
            vars: vec!["state".into()],
            left_hosts: vec![HostName::new("d").unwrap()],
        };
        insta::assert_snapshot!(edited_text(&made, &state, &Style::plain(100)));
        let json = edited_json(&made, &state);
        assert_eq!(json["instances"][3]["leaves_something"], true);
        assert_eq!(json["instances"].as_array().map(Vec::len), Some(12));
    }
}
