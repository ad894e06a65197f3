//! A run in a line: what a list shows, and what tells whether another run may begin.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::time::UNIX_EPOCH;

use runbook_model::event::{AttemptEnd, Controller, HeldHow};
use runbook_model::text::printable;
use runbook_model::{AttemptId, Event, HostName, Millis, Plan, RunId, RunResult, RunState};

use super::run::{JOURNAL, LOCK};
use super::{Lock, plan_file};
use crate::journal::{Entry, JournalError, scan};

/// A run in a line.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// The runbook's name, if it could be read.
    pub runbook: Option<String>,
    /// Digest of its plan, if it could be read.
    pub plan: Option<String>,
    /// When it was created, if that could be read.
    pub created: Option<Millis>,
    /// When its last event happened, if there is one that could be read.
    pub last: Option<Millis>,
    /// Its hosts without the controller, if they could be read.
    pub hosts: Option<BTreeSet<HostName>>,
    /// Where it stands.
    pub status: RunStatus,
    /// Nothing of its procedure can have had an effect, what followed on its ending is done, and it
    /// holds nothing; false if one cannot tell.
    pub untouched: bool,
}

/// Where a run stands, as far as one can tell from outside.
#[derive(Debug, Clone, PartialEq)]
pub enum RunStatus {
    /// A controller runs it, whose name may not be known.
    Running(Option<Controller>),
    /// Its last controller closed its part so.
    Closed(RunResult),
    /// Its last controller is gone without a word.
    Left,
    /// It was created, and nothing was ever done.
    Empty,
    /// Its journal or plan cannot be used, and why, made printable.
    Unknown(String),
}

impl RunSummary {
    /// Whether something of it may still run, or is still to be done. If one cannot tell: yes. What
    /// its controller closed before anything was done is nobody's loss: another run may begin beside
    /// it, though it can still be resumed.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        match &self.status {
            RunStatus::Running(_) | RunStatus::Left | RunStatus::Unknown(_) => true,
            RunStatus::Closed(result) => !result.is_final() && !self.untouched,
            RunStatus::Empty => false,
        }
    }

    /// Reads what there is. Whatever cannot be read is a problem of this one run.
    pub(super) fn read(dir: &Path, id: RunId) -> Self {
        // The lock first: a controller that ends in between is then shown as running, and not its
        // half-read journal as left behind.
        let held = Lock::held(&dir.join(LOCK));
        let (state, on_ending, problem) = fold(&dir.join(JOURNAL));
        let mut summary = Self {
            id,
            runbook: None,
            plan: None,
            created: None,
            last: None,
            hosts: None,
            untouched: problem.is_none() && is_untouched(&state, &on_ending),
            status: match (held, problem) {
                (Ok(Some(by)), _) => RunStatus::Running(by),
                (Err(e), _) => RunStatus::Unknown(format!("its lock cannot be read: {e}")),
                (Ok(None), Some(problem)) => RunStatus::Unknown(problem),
                (Ok(None), None) => match (&state.run, &state.result) {
                    (None, _) => RunStatus::Empty,
                    (Some(_), Some(result)) => RunStatus::Closed(result.clone()),
                    (Some(_), None) => RunStatus::Left,
                },
            },
        };
        if state.run.is_some() {
            summary.take_journal(state);
        } else {
            match plan_file::read(dir, 1) {
                Ok(plan) => summary.take_plan(plan),
                Err(e) if summary.status == RunStatus::Empty => {
                    summary.status = RunStatus::Unknown(e.to_string())
                }
                Err(_) => {}
            }
            summary.created = written(dir);
        }
        summary
    }

    fn take_journal(&mut self, state: RunState) {
        self.created = Some(state.created_at);
        self.last = Some(state.last_at);
        self.runbook = Some(state.runbook);
        self.plan = Some(state.plan);
        self.hosts = Some(
            state
                .nodes
                .into_iter()
                .filter_map(|n| n.summary.host)
                .filter(not_control)
                .collect(),
        );
    }

    fn take_plan(&mut self, plan: Plan) {
        self.runbook = Some(plan.runbook);
        self.plan = Some(plan.digest);
        self.hosts = Some(plan.hosts.into_keys().filter(not_control).collect());
    }

    /// Whether it is of this runbook or on one of these hosts, or may be.
    pub(super) fn may_touch(&self, runbook: &str, hosts: &BTreeSet<HostName>) -> bool {
        let same = self.runbook.as_deref().is_none_or(|name| name == runbook);
        same || self
            .hosts
            .as_ref()
            .is_none_or(|mine| mine.iter().any(|host| hosts.contains(host)))
    }
}

/// Whether no attempt can have had an effect, but for those that follow on every ending and are
/// complete. What was there before the run is not held by it.
fn is_untouched(state: &RunState, on_ending: &BTreeSet<AttemptId>) -> bool {
    // Whoever goes on with it goes back, by a procedure of the runbook perhaps.
    if state.due.is_some() {
        return false;
    }
    let mut attempts = state.all_attempts();
    attempts.all(|(id, attempt)| match &attempt.end {
        Some(AttemptEnd::NeverBegan | AttemptEnd::Looked { .. }) => true,
        Some(AttemptEnd::Completed { .. } | AttemptEnd::Converged { .. }) => on_ending.contains(id),
        Some(AttemptEnd::Failed(_) | AttemptEnd::Lost) | None => false,
    }) && state.held().all(|(_, hold)| hold.how == HeldHow::Already)
}

/// What the journal adds up to as far as it goes, the attempts that were begun when the procedure
/// was over, and why it goes no further.
fn fold(path: &Path) -> (RunState, BTreeSet<AttemptId>, Option<String>) {
    let mut state = RunState::default();
    let mut on_ending = BTreeSet::new();
    let mut problem = None;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) => {
            let error = JournalError::Io {
                path: path.into(),
                doing: "open",
                source,
            };
            return (state, on_ending, Some(error.to_string()));
        }
    };
    let scanned = scan(file, path, |entry| {
        if problem.is_some() {
            return;
        }
        problem = match entry {
            Entry::Record(record) => {
                if let (Event::Dispatched { instances, .. }, Some(_)) =
                    (&record.event, &state.ending)
                {
                    on_ending.extend(instances.iter().map(|intent| intent.attempt.clone()));
                }
                state.apply(&record).err().map(|e| e.to_string())
            }
            Entry::Opaque(event) => {
                let kind = printable(&event.kind);
                Some(format!(
                    "event {} is `{kind}`, which this engine does not know",
                    event.seq
                ))
            }
        };
    });
    // Damage weighs more than what was read before it; that still says whose run it is.
    let problem = scanned.err().map(|e| e.to_string()).or(problem);
    (state, on_ending, problem)
}

fn written(dir: &Path) -> Option<Millis> {
    let modified = fs::metadata(dir).ok()?.modified().ok()?;
    Millis::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

fn not_control(host: &HostName) -> bool {
    !host.is_control()
}
