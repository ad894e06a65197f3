//! The list of runs.

use std::fmt::Write as _;

use runbook_model::text::printable;
use runbook_model::{Millis, RunResult};

use crate::text::{bounded, names};
use crate::time::date_time;
use crate::{Style, Tone};

/// One run, as the store knows it without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub run: String,
    /// The runbook's name.
    pub runbook: String,
    /// When it was created.
    pub created: Millis,
    /// When its last event happened.
    pub last: Millis,
    /// How it stands.
    pub standing: RunStanding,
    /// Its hosts.
    pub hosts: Vec<String>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStanding {
    /// A controller has it.
    Running,
    /// It was created, and nothing was done.
    NeverBegan,
    /// No controller has it, and it has not ended: `resume` goes on.
    Unfinished,
    /// The last controller ended its part.
    Ended(RunResult),
    /// Its files cannot be read, and why.
    Damaged(String),
}

impl RunStanding {
    /// One word for people and programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::NeverBegan => "never began",
            Self::Unfinished => "unfinished",
            Self::Ended(RunResult::Succeeded) => "succeeded",
            Self::Ended(RunResult::AlreadyThere) => "already there",
            Self::Ended(RunResult::Failed) => "failed",
            Self::Ended(RunResult::Refused) => "refused",
            Self::Ended(RunResult::Stopped) => "stopped",
            Self::Ended(RunResult::Reached) => "reached",
            Self::Ended(RunResult::RolledBack) => "rolled back",
            Self::Ended(RunResult::SteppedBack) => "stepped back",
            Self::Ended(RunResult::Abandoned) => "abandoned",
            Self::Damaged(_) => "damaged",
        }
    }

    /// What is wrong with its files.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::Damaged(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether `resume` has something to do.
    #[must_use]
    pub fn can_resume(&self) -> bool {
        match self {
            Self::Unfinished => true,
            Self::Ended(result) => result.goes_on(),
            Self::Running | Self::NeverBegan | Self::Damaged(_) => false,
        }
    }

    fn tone(&self) -> Tone {
        match self {
            Self::Running => Tone::Change,
            Self::NeverBegan => Tone::Quiet,
            Self::Ended(result) if result.is_final() => Tone::Good,
            Self::Unfinished | Self::Ended(RunResult::Stopped) => Tone::Warn,
            Self::Ended(_) | Self::Damaged(_) => Tone::Bad,
        }
    }
}

/// The runs as a table, in the order given.
#[must_use]
pub fn runs_table(runs: &[RunRow], style: &Style) -> String {
    if runs.is_empty() {
        return "no runs\n".into();
    }
    let run_wide = runs
        .iter()
        .map(|r| r.run.chars().count())
        .max()
        .unwrap_or(0)
        .max(3);
    let book_wide = runs
        .iter()
        .map(|r| printable(&r.runbook).chars().count())
        .max()
        .unwrap_or(0)
        .clamp(7, 40);
    let mut out = String::new();
    let head = format!(
        "{:run_wide$}  {:book_wide$}  {:19}  {:19}  {:13}  hosts",
        "run", "runbook", "begun", "last event", "standing"
    );
    let _ = writeln!(out, "{}", style.paint(Tone::Head, &head));
    for r in runs {
        let what = match r.standing.problem() {
            Some(problem) => bounded(problem, 200),
            None => names(&r.hosts.iter().map(|h| printable(h)).collect::<Vec<_>>(), 6),
        };
        let standing = style.paint(r.standing.tone(), &format!("{:13}", r.standing.word()));
        let line = format!(
            "{:run_wide$}  {:book_wide$}  {}  {}  {standing}  {what}",
            printable(&r.run),
            bounded(&r.runbook, 40),
            date_time(r.created, style),
            date_time(r.last, style),
        );
        let _ = writeln!(out, "{}", line.trim_end());
    }
    if let Some(r) = runs.iter().find(|r| r.standing.can_resume()) {
        let _ = writeln!(out, "\nto go on: runbook resume {}", printable(&r.run));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_a_table() {
        let row = |run: &str, standing| RunRow {
            run: run.into(),
            runbook: "upgrade-geo".into(),
            created: 1_795_374_000_000,
            last: 1_795_374_723_000,
            standing,
            hosts: ["db01", "quay01", "quay02"].map(String::from).to_vec(),
        };
        let runs = [
            row("k3x9", RunStanding::Running),
            row("a1", RunStanding::Ended(RunResult::Failed)),
            row("b2", RunStanding::Ended(RunResult::Succeeded)),
            row(
                "c3",
                RunStanding::Damaged("journal: byte 812: \x1b bad sum".into()),
            ),
        ];
        insta::assert_snapshot!(runs_table(&runs, &Style::plain(100)));
        assert_eq!(runs_table(&[], &Style::plain(80)), "no runs\n");
    }
}
