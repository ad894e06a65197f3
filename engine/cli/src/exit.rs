//! Exit codes: what a script learns without reading.

use std::process::ExitCode;

use runbook_model::event::StopReason;
use runbook_model::{FailureKind, Outcome, RunResult, RunState};

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0
    Done,
    /// 1
    Failed,
    /// 2
    Mistake,
    /// 3
    Refused,
    /// 4
    Stopped,
    /// 5
    Busy,
    /// 6
    Host,
    /// 7
    Engine,
}

impl Exit {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 8] = [
        Self::Done,
        Self::Failed,
        Self::Mistake,
        Self::Refused,
        Self::Stopped,
        Self::Busy,
        Self::Host,
        Self::Engine,
    ];

    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Mistake => 2,
            Self::Refused => 3,
            Self::Stopped => 4,
            Self::Busy => 5,
            Self::Host => 6,
            Self::Engine => 7,
        }
    }

    /// What it means.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done, or everything was there already",
            Self::Failed => "a step failed and the run stopped, or a test failed",
            Self::Mistake => {
                "a mistake in the command line, runbook, inventory or inputs; nothing was started"
            }
            Self::Refused => "not approved at a gate, or outside of the window",
            Self::Stopped => "stopped or detached by a person",
            Self::Busy => "refused: another run is unfinished, or another controller has this one",
            Self::Host => "a host cannot be used",
            Self::Engine => {
                "runbook's own journal, store or output is damaged or cannot be written"
            }
        }
    }

    /// What a program ended with that is this one.
    pub(crate) fn of_code(code: Option<i32>) -> Self {
        let known = Self::ALL.into_iter();
        let mut known = known.filter(|exit| Some(i32::from(exit.code())) == code);
        known.next().unwrap_or(Self::Engine)
    }

    /// The code of a run that ended so.
    pub(crate) fn of_run(state: &RunState) -> Self {
        match (&state.result, &state.stopping) {
            _ if state.detached => Self::Stopped,
            // What was to be done was not approved, and is not there.
            (Some(RunResult::RolledBack), _) if by_gate(state) => Self::Refused,
            (Some(result), _) if result.is_final() => Self::Done,
            (Some(RunResult::SteppedBack), _) => Self::Done,
            (Some(RunResult::Refused), _) => Self::Refused,
            (Some(RunResult::Stopped), _) => Self::Stopped,
            (_, Some(StopReason::Host(_))) => Self::Host,
            _ if only_unreachable(state) => Self::Host,
            _ => Self::Failed,
        }
    }
}

/// Whether a gate has decided that the run is rolled back.
fn by_gate(state: &RunState) -> bool {
    let over = state.rolled_back.as_ref();
    over.is_some_and(|rollback| rollback.gate.is_some())
}

/// Whether everything that failed, failed because its host could not be reached.
fn only_unreachable(state: &RunState) -> bool {
    let mut failures = state.nodes.iter().filter_map(|n| match &n.outcome {
        Some(Outcome::Failed(failure)) => Some(failure.kind == FailureKind::Unreachable),
        _ => None,
    });
    failures
        .next()
        .is_some_and(|first| first && failures.all(|f| f))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The exit codes as the end of the help.
pub(crate) fn help() -> String {
    let lines: Vec<String> = Exit::ALL
        .iter()
        .map(|e| format!("  {}  {}", e.code(), e.meaning()))
        .collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_model::HostName;
    use runbook_model::state::Rollback;

    #[test]
    fn the_book_says_the_same() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../book/src/reference/exit-codes.md");
        let page = std::fs::read_to_string(page).unwrap();
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(page.contains(&row), "the page has no row {row}");
        }
    }

    #[test]
    fn codes_are_numbered_in_order() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|e| e.code()).collect();
        assert_eq!(codes, (0..8).collect::<Vec<u8>>());
    }

    #[test]
    fn a_run_gives_its_code() {
        let of = |result, stopping, detached| {
            Exit::of_run(&RunState {
                result: Some(result),
                stopping,
                detached,
                ..RunState::default()
            })
        };
        let host = || Some(StopReason::Host(HostName::new("a").unwrap()));
        assert_eq!(of(RunResult::Succeeded, None, false), Exit::Done);
        assert_eq!(
            of(
                RunResult::AlreadyThere,
                Some(StopReason::AlreadyThere),
                false
            ),
            Exit::Done
        );
        assert_eq!(of(RunResult::Failed, None, false), Exit::Failed);
        assert_eq!(of(RunResult::Failed, host(), false), Exit::Host);
        assert_eq!(of(RunResult::Refused, None, false), Exit::Refused);
        assert_eq!(
            of(RunResult::Stopped, Some(StopReason::Interrupt), false),
            Exit::Stopped
        );
        assert_eq!(of(RunResult::Failed, host(), true), Exit::Stopped);
        assert_eq!(of(RunResult::RolledBack, None, false), Exit::Done);
        let by_gate = RunState {
            result: Some(RunResult::RolledBack),
            rolled_back: Some(Rollback {
                to: None,
                gate: Some("gate".into()),
                by: "ann".into(),
                reason: String::new(),
            }),
            ..RunState::default()
        };
        assert_eq!(Exit::of_run(&by_gate), Exit::Refused);
    }
}
