//! Why a run does not go on with changed files. Nothing has changed then.

use std::collections::BTreeMap;

use runbook_model::node::NodeKind;
use runbook_model::state::NodeState;
use runbook_model::text::printable;
use runbook_model::transition::Stage;
use runbook_model::{FailureKind, NodeIx, Outcome, Plan, RunState};

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing of the run has happened.
    NotBegun,
    /// The run is over.
    Over,
    /// It is being rolled back.
    RollingBack,
    /// What follows on its ending is under way.
    Ending,
    /// Holds are being released by hand.
    Releasing,
    /// The files are of another runbook: the name of that of the run, and the other one.
    OtherRunbook(String, String),
    /// `done_when` was decided, and says something else now.
    DoneWhen,
    /// There is a `done_when` where there was none, and the run has begun.
    NewDoneWhen,
    /// The instance may still be doing something, and would not be gone on with as it is.
    Open(String),
    /// Nobody knows what the instance did, and it would not be gone on with as it is.
    Doubt(String),
    /// What the instance did is being taken back, and it would not be the same.
    Undoing(String),
    /// The instance holds something, and is gone.
    HoldGone(String),
    /// The instance holds something that it did with other values.
    HoldChanged(String),
    /// The instance holds something, and nothing releases it any more.
    HoldLost(String),
    /// The change makes no sense to the run.
    Senseless(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotBegun => f.write_str("nothing of the run has happened yet"),
            Self::Over => f.write_str("the run is over"),
            Self::RollingBack => f.write_str("the run is being rolled back"),
            Self::Ending => f.write_str("what follows on the ending of the run is under way"),
            Self::Releasing => f.write_str("holds of the run are being released"),
            Self::OtherRunbook(old, new) => write!(
                f,
                "the run is of `{}`, and the file is `{}`",
                printable(old),
                printable(new)
            ),
            Self::DoneWhen => f.write_str("`done_when` was decided, and is never decided twice"),
            Self::NewDoneWhen => {
                f.write_str("the run has begun, and `done_when` is decided before that")
            }
            Self::Open(id) => write!(
                f,
                "`{}` may still run, and is not the same any more",
                printable(id)
            ),
            Self::Doubt(id) => write!(
                f,
                "nobody knows what `{}` did, and it is not the same any more",
                printable(id)
            ),
            Self::Undoing(id) => write!(
                f,
                "what `{}` did is being taken back, and it is not the same any more",
                printable(id)
            ),
            Self::HoldGone(id) => write!(
                f,
                "`{}` holds something, and the runbook does not have it any more",
                printable(id)
            ),
            Self::HoldChanged(id) => write!(
                f,
                "`{}` holds something that it did with other values",
                printable(id)
            ),
            Self::HoldLost(id) => write!(
                f,
                "`{}` holds something, and nothing in the runbook releases it any more",
                printable(id)
            ),
            Self::Senseless(problem) => write!(f, "the change does not fit the run: {problem}"),
        }
    }
}

impl Refusal {
    /// What can be done about it, in the run of this id.
    #[must_use]
    pub fn way_out(&self, run: &str) -> String {
        match self {
            Self::NotBegun => format!(
                "begin with the changed files: runbook abandon {run} --reason TEXT, then runbook run FILE"
            ),
            Self::Over => "begin another one: runbook run FILE".into(),
            Self::RollingBack | Self::Ending | Self::Releasing => {
                format!("let that end first: runbook resume {run}")
            }
            Self::OtherRunbook(..) => "name the changed file with --file".into(),
            Self::DoneWhen => "leave `done_when` as it was, or take it out".into(),
            Self::NewDoneWhen => "take it out".into(),
            Self::Open(id) | Self::Doubt(id) => {
                let id = printable(id);
                format!(
                    "decide it first: runbook resume {run}, if need be with --retry {id}, or --done {id} --evidence TEXT, and --reason TEXT"
                )
            }
            Self::Undoing(_) => format!("let that end first: runbook resume {run}"),
            Self::HoldGone(id) | Self::HoldChanged(id) => {
                let id = printable(id);
                format!(
                    "leave the step as it was until it is released, or release it: runbook release {run} {id} --reason TEXT"
                )
            }
            Self::HoldLost(id) => {
                let id = printable(id);
                format!(
                    "say `hold: {{ release: … }}` with a step that runs, or release it: runbook release {run} {id} --reason TEXT"
                )
            }
            Self::Senseless(_) => {
                format!("go on with the files as they were: runbook resume {run}")
            }
        }
    }
}

/// What keeps the run from any change, and what is gone and must not be.
pub(super) fn standing(
    old: &Plan,
    new: &Plan,
    state: &RunState,
    places: &BTreeMap<NodeIx, NodeIx>,
) -> Vec<Refusal> {
    let mut found = Vec::new();
    if state.run.is_none() {
        return vec![Refusal::NotBegun];
    }
    if state
        .result
        .as_ref()
        .is_some_and(|result| !result.goes_on())
    {
        return vec![Refusal::Over];
    }
    if old.runbook != new.runbook {
        let names = (old.runbook.clone(), new.runbook.clone());
        return vec![Refusal::OtherRunbook(names.0, names.1)];
    }
    if state.rollback.is_some() || state.due.is_some() {
        found.push(Refusal::RollingBack);
    } else if state.ending.is_some() {
        found.push(Refusal::Ending);
    } else if state.release.is_some() {
        found.push(Refusal::Releasing);
    }
    found.extend(done_when(old, new, state));
    for (node, n) in (0u32..).map(NodeIx).zip(&state.nodes) {
        if !places.contains_key(&node) {
            found.extend(unsettled(state, node, n));
            if state.held().any(|(held, _)| held == node) {
                found.push(Refusal::HoldGone(n.summary.id.clone()));
            }
        }
    }
    found
}

fn done_when(old: &Plan, new: &Plan, state: &RunState) -> Option<Refusal> {
    let text = |plan: &Plan| plan.done_when.as_ref().map(|expr| expr.text.clone());
    let (was, is) = (text(old), text(new));
    if was == is || is.is_none() {
        return None;
    }
    let mut nodes = old.nodes.iter().zip(&state.nodes);
    match was {
        Some(_) => nodes
            .any(|(node, n)| node.kind == NodeKind::DoneWhen && (n.is_done() || n.decided))
            .then_some(Refusal::DoneWhen),
        None => nodes
            .any(|(_, n)| n.started_at.is_some())
            .then_some(Refusal::NewDoneWhen),
    }
}

/// What is not known yet of an instance that is not gone on with as it is.
pub(super) fn unsettled(state: &RunState, node: NodeIx, n: &NodeState) -> Option<Refusal> {
    let id = || n.summary.id.clone();
    let undo = state.undos.get(&node).map(|undo| undo.stage);
    if !matches!(undo, None | Some(Stage::Waiting | Stage::Done)) {
        return Some(Refusal::Undoing(id()));
    }
    let open = |undo: bool| {
        let mut attempts = state.attempts_of(node);
        attempts.any(|(_, a)| a.undo == undo && a.end.is_none())
    };
    if open(true) {
        return Some(Refusal::Undoing(id()));
    }
    let doubtful = n.outcome.as_ref().and_then(Outcome::failure);
    if doubtful.is_some_and(|failure| failure.kind == FailureKind::InDoubt) {
        return Some(Refusal::Doubt(id()));
    }
    let may_run = matches!(n.stage, Stage::Intended | Stage::Running | Stage::InDoubt);
    (may_run || (!n.is_done() && open(false))).then(|| Refusal::Open(id()))
}
